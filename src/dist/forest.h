/*
 * The forest: local trees cut into pieces, each a cover tree of its own, that any number of ranks can share.
 *
 * A piece is a node with some of its subtrees, or a run of a large bucket, whose first point becomes a node. Points
 * of a piece lie together, its root first, parents before children; links name places within the piece. So a
 * forest is cut once, stored piece after piece, and dealt whole to however many ranks there are later.
 *
 * A rank that is dealt pieces joins them below a cover tree of their roots, whose levels are raised until the tree
 * covers: nesting and covering hold in the joined tree, separation within each piece alone. Searching and inserting
 * need no more.
 */
#ifndef DIST_FOREST_H
#define DIST_FOREST_H

#include "dist/index.h"

/* Pieces have FOREST_LEAST points or a FOREST_PIECES-th of all, whichever is more; from FOREST_RANK ranks on a share
 * of their own points. */
enum { FOREST_LEAST = 256, FOREST_PIECES = 4096, FOREST_RANK = 64 };

/* Pieces of one rank. */
struct forest {
  int64_t count; /* points */
  local_index pieces;
  local_index leaf_size; /* points a bucket may hold, as the tree was built; 1: none */
  int64_t *first;        /* [pieces + 1] first point of each piece */
  double *coordinates;   /* [count][dimension] search coordinates */
  int64_t *position;     /* [count] */
  local_index *parent;   /* [count] place within the piece; -1 for its root */
  int16_t *level;        /* [count] as in struct tree */
};

/* Points of a piece at most. Local. */
int64_t forest_piece_points(int64_t total, int ranks);

/* Cuts this rank's local tree into pieces of at most `most` points.
 *   forest [out] cleared with forest_clear; zero on failure
 * Local. Errors: PCCT_MEMORY. Cost: linear. */
pcct_status forest_cut(struct base *base, const pcct_index *index, int64_t most,
                       struct forest *forest);

/* Room for so many pieces and points, to be filled. Local. Errors: PCCT_MEMORY. */
pcct_status forest_create(struct base *base, int dimension, local_index pieces, int64_t count,
                          struct forest *forest);

/* Which pieces of a stored forest a rank is dealt: those whose middle lies in its share of all points.
 *   first [in] [pieces + 1] first point of each piece of the whole forest
 * Local. */
void forest_share(const int64_t *first, int64_t pieces, int rank, int size, int64_t *first_piece,
                  int64_t *count);

/* Checks every piece as a tree: what forest_join trusts, and covering, separation, and where bucket points lie.
 * Local. Errors: PCCT_DIFFERENT, PCCT_MEMORY. */
pcct_status forest_check(struct base *base, const struct metric *metric,
                         const struct forest *forest);

/* Joins the pieces into one tree. Links that lead nowhere are found, wrong ones are not: forest_check tells.
 *   points [in]  the forest's own coordinates and positions, with priorities: borrowed by the tree
 *   tree   [out] owned by the caller; NULL on failure
 * Local. Errors: PCCT_INPUT (links or levels out of range), PCCT_MEMORY. */
pcct_status forest_join(struct base *base, const struct forest *forest,
                        const struct tree_points *points, struct tree **tree);

/* Fine on a forest of zeros. */
void forest_clear(struct forest *forest);

#endif
