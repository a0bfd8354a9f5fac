/*
 * Conflict graphs: which points of a batch are too close to keep both levels.
 *
 * Point i has a radius of kernel value limit[i] (that of 2^level); an edge joins i and j if their kernel
 * value is at most the smaller of the two limits. Rows come as CSR, both directions, ascending within a row.
 * Every builder gives exactly this edge set, so that a tree does not depend on the choice.
 *
 *   dense      all pairs
 *   segmented  runs of neighbouring points as segments; pairs of segments near enough, found once for equal
 *              runs of segments; works for every metric
 *   grid       a hash grid for each level; coordinate metrics only
 *   auto       the one that the size of the batch and the number of candidate pairs suggest
 */
#ifndef TREE_CONFLICT_H
#define TREE_CONFLICT_H

#include "points/metric.h"

enum conflict_builder { CONFLICT_AUTO = 0, CONFLICT_DENSE, CONFLICT_SEGMENTED, CONFLICT_GRID };

/* The points of a batch: neighbours in the arrays are neighbours in space. Borrowed. */
struct conflict_points {
  local_index count;
  const struct metric *metric;
  const double *coordinates; /* [count][dimension] */
  const int16_t *level;      /* [count] LEVEL_MIN to LEVEL_MAX */
};

struct conflict_settings {
  enum conflict_builder builder;
  int64_t pairs_budget;       /* directed pairs a graph may have */
  int64_t scope_chunk_target; /* scope entries expanded at once */
  int segment_dedup;          /* equal scopes are expanded once */
};

struct conflict_graph {
  local_index count;
  int64_t pairs;  /* directed edges; more than the budget: no graph was made */
  int64_t groups; /* segments with their scopes, and how many scopes were distinct; 0 for grid */
  int64_t groups_unique;
  int64_t largest_group; /* points that share one scope */
  int32_t *row;          /* [count + 1] */
  local_index *neighbor; /* [row[count]] */
  double csr_seconds;    /* spent on prefix sums and fill */
};

/* Builds the graph, or, where the number of directed pairs exceeds the budget (or what int32 rows can hold), says
 * so: graph->pairs is then pairs_budget + 1 and row and neighbor are NULL; the caller takes fewer points. Pairs are
 * counted exactly, never estimated: whether a graph is made depends on the points alone, not on the builder.
 * Local; OpenMP inside; the same bytes for every thread count, instruction set and setting.
 *   graph [out] cleared with conflict_clear; all zero on failure
 * Errors: PCCT_MEMORY, PCCT_USAGE (grid for a user metric).
 * Cost: dense: count^2 / 8 steps of 8 lanes. segmented: as long as neighbours in the order are neighbours in
 * space, proportional to points and pairs; at worst that of dense and half as much again. grid: that too, times
 * the number of levels in use. All stop soon after the budget is exceeded: within about as much work again.
 * A user metric is evaluated with the point of the smaller index first, so that edges are symmetric. */
pcct_status conflict_build(struct base *base, const struct conflict_points *points,
                           const struct conflict_settings *settings, struct conflict_graph *graph);

/* Frees the arrays and zeroes the struct. */
void conflict_clear(struct conflict_graph *graph);

#endif
