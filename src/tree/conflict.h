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
  const int16_t *level;      /* [count] */
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
  int64_t groups; /* scope groups met, and how many of them were distinct */
  int64_t groups_unique;
  int64_t largest_group; /* points */
  int32_t *row;          /* [count + 1] */
  local_index *neighbor; /* [row[count]] */
  double csr_seconds;    /* spent on prefix sums and fill */
};

/* Builds the graph, or, where the number of directed pairs exceeds the budget, says so: graph->pairs is then
 * above pairs_budget and row and neighbor are NULL; the caller takes fewer points.
 * Local; OpenMP inside; the same for every thread count.
 *   graph [out] cleared with conflict_clear
 * Errors: PCCT_MEMORY, PCCT_USAGE (grid without coordinates).
 * Cost: stops soon after the budget is exceeded; otherwise proportional to candidate pairs. */
pcct_status conflict_build(struct base *base, const struct conflict_points *points,
                           const struct conflict_settings *settings, struct conflict_graph *graph);

/* Frees the arrays and zeroes the struct. */
void conflict_clear(struct conflict_graph *graph);

#endif
