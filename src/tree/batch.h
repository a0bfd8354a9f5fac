/*
 * The stages of one batch insertion, in the order in which tree_insert runs them:
 *   scope_find      each point's nearest covering node in the frame, hence the highest level it may take
 *   admission       points whose node's bucket has room stay there; outgrown buckets hand theirs over
 *   conflict_build  the conflict graph of the others: all pairs too close to keep both levels
 *   insert_levels   level by level from the top: maximal independent set, insertion, redistribution
 *
 * Why one graph for all levels is enough: a point's highest possible level only ever sinks. Two points
 * farther apart than the smaller of their initial radii can never violate separation.
 */
#ifndef TREE_BATCH_H
#define TREE_BATCH_H

#include "tree/conflict.h"
#include "tree/frame.h"

/* Points of a batch, neighbours in space side by side. */
struct batch {
  local_index count;
  local_index *point;   /* [count] local index */
  local_index *parent;  /* [count] nearest covering node so far, as local index */
  double *parent_value; /* [count] kernel value to it */
  int16_t *level; /* [count] highest level still possible; LEVEL_DUPLICATE: coincides with parent */
  double *coordinates; /* [count][dimension]; those of the points */
};

/* Room for a batch of `count` points, not yet filled. Errors: PCCT_MEMORY. */
pcct_status batch_create(struct base *base, local_index count, int dimension, struct batch *batch);
void batch_free(struct batch *batch);

/* Moves a batch point to another place of the batch. */
void batch_move(struct batch *batch, local_index to, local_index from, int dimension);

/* Appends points, without parents and levels. Errors: PCCT_MEMORY. */
pcct_status batch_extend(struct base *base, struct batch *batch, const local_index *points,
                         local_index count, int dimension);

/* Orders a batch by the places of its points' nodes: then neighbours in the batch are neighbours in space,
 * whatever the order of the points in memory. Coordinates are not carried. Errors: PCCT_MEMORY. */
pcct_status batch_order(struct base *base, const struct frame *frame, int dimension,
                        struct batch *batch);

/* Places of the batch's points in the insertion order among themselves: rank[q] of batch point q.
 *   rank [out] [count] */
pcct_status batch_rank(struct base *base, const struct tree *tree, const struct batch *batch,
                       local_index *rank);

/* The first of the tree's points by insertion order, at least `needed` of them or all.
 *   sequence [out] owned by the caller
 * Errors: PCCT_MEMORY. Cost: linear, and a sort of those taken. */
pcct_status sequence_create(struct base *base, const struct tree_points *points, local_index needed,
                            local_index **sequence);

/* Fills parent, parent_value and level of batch points first..batch->count-1 from the frame of the tree so
 * far. Neighbouring points share one search.
 * Errors: PCCT_INPUT (distinct points whose kernel value is too small). */
pcct_status scope_find(struct base *base, const struct tree *tree, const struct frame *frame,
                       struct batch *batch, local_index first);

/* A node's bucket while a tree is built. */
struct bucket {
  local_index held;    /* points in it */
  local_index pending; /* batch points waiting below the node; zero between batches */
  uint8_t outgrown;    /* 1: it has handed its points to the running batch; zero between batches */
  uint8_t closed;      /* 1: all that wait below the node stay in it; zero between batches */
};

struct buckets {
  local_index capacity;  /* points a bucket may hold now; 0: every point becomes a node */
  struct bucket *bucket; /* [points] by the local index of the node */
};

/* A waiting point stays in the bucket of its node. */
void batch_settle(struct tree *tree, const struct batch *batch, local_index q,
                  struct buckets *buckets);

/* Inserts all points of the batch: sets parent and level in the tree and appends nodes to its log. At each
 * level the lexicographically first maximal independent set (smallest rank first) of the points still able
 * to take the level is inserted; points near an inserted one sink below it. When no more points wait below a
 * node than a bucket may hold, they stay in its bucket.
 *   graph   [in]     conflict graph of the batch as it stands
 *   buckets [in,out] pending counts the batch's points; no node of the batch's parents is closed
 * Errors: PCCT_INPUT, PCCT_MEMORY. */
pcct_status insert_levels(struct base *base, struct tree *tree, struct batch *batch,
                          const struct conflict_graph *graph, struct buckets *buckets);

/* Whether the highest level's independent set is a single point, seen at a glance, and this level's points are
 * most of the batch: then its graph would be nearly complete. */
int insert_is_degenerate(const struct tree *tree, const struct batch *batch);

/* Inserts that single point without a graph, redistributes the others, and takes what is done out of the
 * batch: the same as insert_levels does at that level. Cost: linear in the batch. */
pcct_status insert_single(struct base *base, struct tree *tree, struct batch *batch,
                          struct buckets *buckets);

/* tree_build without the look at points that are too close to each other. */
pcct_status batch_build(struct base *base, const struct tree_points *points, struct tree **tree);

/* A point that coincides with a node joins it. Errors: PCCT_INPUT (their locations differ). */
pcct_status batch_attach_duplicate(struct base *base, struct tree *tree, local_index point,
                                   local_index node);

#endif
