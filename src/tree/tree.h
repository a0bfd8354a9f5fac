/*
 * The compressed cover tree of one rank.
 *
 * Words: level l of a node stands for radius 2^l. Covering: a child is within 2^(level(child)+1) of its
 * parent, and level(child) < level(parent). Separation: any two nodes of level >= i are more than 2^i
 * apart. The root's level is one above all others.
 *
 * Every point is a node, a duplicate of a node (LEVEL_DUPLICATE: same location), or lies in the bucket of a
 * node (LEVEL_BUCKET: within 2^level of it); the latter two name that node as parent. With leaf size 1
 * every distinct location is a node; a larger leaf size stops the refinement at buckets of at most that
 * many points.
 *
 * A tree is built by tree_build from points in spatial memory order (neighbours in memory are neighbours
 * in space: the order of the points does not change the tree, only the speed) and is a function of the
 * points, their priorities, the leaf size and the batches alone: the same for every thread count and
 * conflict-graph builder.
 *
 * Source: compressed cover tree: Elkin and Kurlin, ICML 2023; parallel batch insertion: Gu, Napier, Sun
 * and Wang, SPAA 2022. Deviations: a batch point's highest level is searched for once, against the frozen
 * tree, as the level below its nearest covering node; conflicts of all levels form one graph; buckets.
 */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include "points/metric.h"

/* A point in a bucket has no level either. */
#define LEVEL_BUCKET (INT16_MIN + 1)

/* Points to build from: borrowed by the tree for its whole life. */
struct tree_points {
  local_index count;
  const struct metric *metric;
  const double *coordinates; /* [count][metric->dimension] */
  const int64_t *position;   /* [count] distinct; decides ties and predecessors */
  const uint64_t *priority;  /* [count] insertion order: ascending, ties by position */
  local_index leaf_size; /* points a bucket may hold; 1: none; 0: what fits the data and settings */
};

struct tree {
  struct tree_points points;
  local_index leaf_size; /* points a bucket may hold; 1: none */
  local_index
      *parent; /* [count] local index; -1 for the root; the node of a duplicate or bucket point */
  int16_t *level;   /* [count] */
  local_index *log; /* [nodes] nodes in an order in which parents come before children */
  local_index nodes;
  local_index root; /* -1 if there are no points */
};

/* Whether a point is a node. */
static inline int tree_is_node(const struct tree *tree, local_index p) {
  return tree->level[p] > LEVEL_BUCKET;
}

/* Whether point a comes before point b in the insertion order. */
static inline int tree_before(const struct tree *tree, local_index a, local_index b) {
  const uint64_t *priority = tree->points.priority;
  return priority[a] < priority[b] ||
         (priority[a] == priority[b] && tree->points.position[a] < tree->points.position[b]);
}

/* A tree of points that are not in it yet: no links, no root.
 * Errors: PCCT_MEMORY. */
pcct_status tree_create(struct base *base, const struct tree_points *points, struct tree **tree);

/* Whether some of the coordinates are so small that points might be too close to each other to be told apart.
 * Local; OpenMP inside. */
int tree_may_be_close(struct base *base, const double *coordinates, int64_t count);

/* Builds the tree of the given points by prefix-doubling batches.
 * Local; OpenMP inside.
 *   points [in]  borrowed as long as the tree lives
 *   tree   [out] owned by the caller, freed with tree_destroy; NULL on failure
 * Errors: PCCT_INPUT (distinct points whose kernel value is too small), PCCT_MEMORY; PCCT_DIFFERENT (the
 * profile `audit` found an invariant broken).
 * Cost: O(n log n) kernel evaluations for points of bounded expansion; memory about 40 bytes a point
 * beside coordinates. */
pcct_status tree_build(struct base *base, const struct tree_points *points, struct tree **tree);

/* Inserts points into a tree that holds others already: one batch, or more where the pairs budget asks for it.
 *   insert [in] local indices, ascending; no links yet (parent -1, level LEVEL_BUCKET)
 * Errors: as tree_build; PCCT_USAGE (a tree without points). After a failure the tree can only be destroyed. */
pcct_status tree_insert(struct base *base, struct tree *tree, const local_index *insert,
                        local_index count);

/* Makes a tree from links known already, trusting them: tree_check tells whether they are right.
 *   parent, level [in] as in struct tree; copied
 * Errors: PCCT_INPUT (no point is a root), PCCT_MEMORY. */
pcct_status tree_restore(struct base *base, const struct tree_points *points,
                         const local_index *parent, const int16_t *level, struct tree **tree);

/* The failure of two distinct points whose kernel value is too small to be told from zero. */
pcct_status tree_too_close(struct base *base, const struct tree_points *points, local_index a,
                           local_index b);

/* NULL and pointers to NULL are fine. */
void tree_destroy(struct tree **tree);

#endif
