/*
 * Walkers: exact k-nearest-neighbour searches on a view.
 *
 * A query sees the points of position below its limit (INT64_MAX: all; its own position: predecessors) but
 * for the one it excludes, and gets the k best of them by (kernel value, position).
 */
#ifndef WALK_WALK_H
#define WALK_WALK_H

#include "tree/view.h"
#include "walk/topk.h"

struct walk_query {
  const double *point; /* search coordinates */
  int64_t limit;       /* positions below it are admissible */
  int64_t excluded;    /* a position that is not; -1: none */
};

/* Working memory of one thread. */
struct walk {
  const struct view *view;
  struct topk topk;
  struct walk_pending *stack; /* nodes still to be visited */
  int64_t depth, capacity;
  int64_t distances, nodes; /* work done, for the counters */
};

/* Errors: PCCT_MEMORY. */
pcct_status walk_create(struct base *base, const struct view *view, int64_t k, struct walk *walk);

/* Frees it and charges its work to the counters. */
void walk_free(struct base *base, struct walk *walk);

/* Answers one query: walk->topk.candidates[0 .. topk.count) sorted. Only candidates up to
 * (cutoff, cutoff_position) in the total order count: a bound that the k-th best of all admissible points
 * is known to meet, or (+inf, INT64_MAX). */
void walk_nearest(struct walk *walk, const struct walk_query *query, double cutoff,
                  int64_t cutoff_position);

#endif
