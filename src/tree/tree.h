/*
 * The compressed cover tree of one rank: every distinct location is one node with one level.
 *
 * Words: level l of a node stands for radius 2^l. Covering: kernel distance of child and parent is at
 * most that of radius 2^(level(child)+1), and level(child) < level(parent). Separation: any two nodes of
 * level >= i are more than 2^i apart. Points at a node's location are its duplicates: they name the node
 * as parent and have LEVEL_DUPLICATE. The root's level is one above all others.
 *
 * A tree is built by tree_build from points in spatial memory order (neighbours in memory are neighbours
 * in space: the order of the points does not change the tree, only the speed) and is a function of the
 * points and their priorities alone: the same for every thread count.
 *
 * Source: compressed cover tree: Elkin and Kurlin, ICML 2023; parallel batch insertion: Gu, Napier, Sun
 * and Wang, SPAA 2022. Deviation: a batch point's level is searched for once, against the frozen tree, as
 * the level below its nearest covering node; conflicts of all levels form one graph.
 */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include "points/metric.h"

/* Points to build from: borrowed by the tree for its whole life. */
struct tree_points {
  local_index count;
  int dimension;             /* search coordinates */
  const double *coordinates; /* [count][dimension] */
  const int64_t *position;   /* [count] distinct; decides ties and predecessors */
  const uint64_t *priority;  /* [count] insertion order: ascending, ties by position */
};

struct tree {
  struct tree_points points;
  local_index *parent;   /* [count] local index; -1 for the root; the node for duplicates */
  int16_t *level;        /* [count] LEVEL_DUPLICATE for duplicates */
  local_index *sequence; /* [count] points by insertion order */
  local_index *rank;     /* [count] place in sequence */
  local_index *log;      /* [nodes] nodes in an order in which parents come before children */
  local_index nodes;     /* distinct locations */
  local_index root;      /* -1 if there are no points */
};

/* Builds the tree of the given points by prefix-doubling batches.
 * Local; OpenMP inside.
 *   points [in]  borrowed as long as the tree lives
 *   tree   [out] owned by the caller, freed with tree_destroy; NULL on failure
 * Errors: PCCT_INPUT (distinct points whose kernel value is 0 or below DBL_MIN), PCCT_MEMORY.
 * Cost: O(n log n) kernel evaluations for points of bounded expansion; memory about 60 bytes a point
 * beside coordinates. */
pcct_status tree_build(struct base *base, const struct tree_points *points, struct tree **tree);

/* Makes a tree from links known already, trusting them: tree_check tells whether they are right.
 *   parent, level [in] as in struct tree; copied
 * Errors: PCCT_INPUT (no point is a root), PCCT_MEMORY. */
pcct_status tree_restore(struct base *base, const struct tree_points *points,
                         const local_index *parent, const int16_t *level, struct tree **tree);

/* NULL and pointers to NULL are fine. */
void tree_destroy(struct tree **tree);

#endif
