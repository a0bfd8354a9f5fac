/*
 * The stages of one batch insertion, in the order in which tree_build runs them:
 *   batch_scope      each point's nearest covering node in the frame, hence the highest level it may take
 *   batch_conflicts  the conflict graph: all pairs of batch points too close to keep both levels
 *   batch_insert     level by level from the top: maximal independent set, insertion, redistribution
 *
 * Why one graph for all levels is enough: a point's highest possible level only ever sinks. Two points
 * farther apart than the smaller of their initial radii can never violate separation.
 */
#ifndef TREE_BATCH_H
#define TREE_BATCH_H

#include "tree/frame.h"

/* Points of a batch, by their place in it; sorted by home after batch_conflicts has started. */
struct batch {
  local_index count;
  local_index *point;   /* [count] local index */
  local_index *home;    /* [count] place of the nearest covering node in the frame */
  local_index *parent;  /* [count] best parent so far, as local index */
  double *parent_value; /* [count] kernel value to it */
  int16_t *level; /* [count] highest level still possible; LEVEL_DUPLICATE: coincides with parent */
  double *level_value;   /* [count] 4^level as the frame alone allows it */
  double *coordinates;   /* [count][dimension] in the order of this batch */
  int64_t *row;          /* [count + 1] conflict rows */
  local_index *neighbor; /* [row[count]] conflicting batch points, both directions */
};

/* Room for a batch of `count` points, not yet filled. Errors: PCCT_MEMORY. */
pcct_status batch_create(struct base *base, local_index count, int dimension, struct batch **batch);
void batch_destroy(struct batch **batch);

/* Fills home, parent, parent_value and level from the frame of the tree so far.
 * Errors: PCCT_INPUT (distinct points with a kernel value of 0 or below DBL_MIN).
 * Cost: one pruned traversal a point. */
pcct_status batch_scope(struct base *base, const struct tree *tree, const struct frame *frame,
                        struct batch *batch);

/* Sorts the batch by home, drops duplicates of tree nodes (they are attached to the tree at once), and
 * builds the conflict graph: an edge joins two points whose kernel value is at most 4^(the smaller of
 * their levels). Counting, prefix sum and one fill; no sorting.
 * Errors: PCCT_MEMORY. Cost: one pruned traversal a point. */
pcct_status batch_conflicts(struct base *base, struct tree *tree, const struct frame *frame,
                            struct batch *batch);

/* Inserts all points of the batch: sets parent and level in the tree and appends nodes to its log.
 * At each level the lexicographically first maximal independent set (smallest rank first) of the points
 * still able to take the level is inserted; points near an inserted one sink below it.
 * Errors: PCCT_INPUT, PCCT_MEMORY. */
pcct_status batch_insert(struct base *base, struct tree *tree, struct batch *batch);

/* The failure of two distinct points whose kernel value is zero or subnormal. */
pcct_status batch_too_close(struct base *base, const struct tree *tree, local_index a,
                            local_index b);

#endif
