/*
 * Self queries: nearest neighbours or nearest predecessors of the points of a view themselves.
 *
 * Points are answered leaf by leaf: a leaf's points share one look at the tree and bound each other.
 */
#ifndef WALK_SELF_H
#define WALK_SELF_H

#include "tree/view.h"
#include "walk/rows.h"

/* Which points ask. Borrowed. */
struct walk_self {
  const struct view_set
      *views;           /* predecessors use the smallest view that holds enough; others view 0 */
  int64_t first, count; /* the points with positions in first .. first + count - 1 */
  int predecessors;     /* 1: those of smaller position are seen, 0: all but the point itself */
};

/* Answers all queries with the k best each, k <= rows->width; row 0 is that of position first.
 * Local; OpenMP inside. The rows do not depend on threads or instruction sets.
 * Errors: PCCT_USAGE (an instruction set this machine does not have), PCCT_MEMORY. */
pcct_status walk_self(struct base *base, const struct walk_self *self, int64_t k,
                      const struct walk_rows *rows);

/* The same piece by piece, in the order of the leaves. */
struct walk_pieces;

/* Prepares them.
 *   self   [in]  borrowed until the end
 *   most   [in]  queries that a piece should not exceed; some leaves' at least are taken
 *   pieces [out] freed with walk_pieces_destroy; NULL on failure
 * Local. Errors: as walk_self. */
pcct_status walk_pieces_create(struct base *base, const struct walk_self *self, int64_t k,
                               int64_t most, struct walk_pieces **pieces);

/* How many pieces there are, and how many queries the largest has. Local. */
int64_t walk_pieces_count(const struct walk_pieces *pieces, int64_t *largest);

/* Answers the next piece; behind the last one there is nothing.
 *   rows  [out] row i is that of place[i]
 *   place [out] [*count] places of the queries, borrowed until the next call
 * Local; OpenMP inside. Errors: PCCT_MEMORY. */
pcct_status walk_pieces_next(struct walk_pieces *pieces, const struct walk_rows *rows,
                             const int64_t **place, int64_t *count);

/* Position and search coordinates of the query at a place.
 *   point [out] [dimension]; NULL: not wanted
 * Local. */
int64_t walk_self_look(const struct walk_self *self, int64_t place, double *point);

/* Ends it. NULL and pointers to NULL are fine. */
void walk_pieces_destroy(struct walk_pieces **pieces);

#endif
