/*
 * Top-k: the k best candidates of one query in the total order (kernel value, position).
 *
 * Candidates that beat the bound are appended to a buffer; when it is full the k best are selected and the
 * bound tightens. Amortised O(1) a candidate for every k, no allocation after creation.
 */
#ifndef WALK_TOPK_H
#define WALK_TOPK_H

#include "points/metric.h"

struct candidate {
  double value;
  int64_t position;
};

struct topk {
  struct candidate *candidates; /* [capacity] */
  int64_t count, capacity;
  int64_t k;
  /* A candidate is of interest if it comes before (bound, bound_position] in the total order. */
  double bound;
  int64_t bound_position;
};

/* Sorts candidates by (value, position). */
void candidates_sort(struct candidate *candidates, int64_t count);

/* Merges two sorted lists into the at most k best of both; what is in both comes once. Returns how many.
 *   to [out] [k], none of the lists */
int64_t candidates_merge(const struct candidate *a, int64_t a_count, const struct candidate *b,
                         int64_t b_count, int64_t k, struct candidate *to);

/* Room for k >= 1 and a working buffer. Errors: PCCT_MEMORY. */
pcct_status topk_create(struct base *base, int64_t k, struct topk *topk);
void topk_free(struct topk *topk);

/* Empties it. Only candidates up to (cutoff, cutoff_position) will be admitted. */
void topk_start(struct topk *topk, double cutoff, int64_t cutoff_position);

/* Selects the k best if more are held, and tightens the bound once k are held. */
void topk_compact(struct topk *topk);

/* Leaves the at most k best, sorted. */
void topk_finish(struct topk *topk);

static inline int topk_admits(const struct topk *topk, double value, int64_t position) {
  return value < topk->bound || (value == topk->bound && position <= topk->bound_position);
}

/* Appends without asking; the caller has asked topk_admits and offers each candidate once. */
static inline void topk_append(struct topk *topk, double value, int64_t position) {
  topk->candidates[topk->count++] = (struct candidate){value, position};
  if (topk->count == topk->capacity) {
    topk_compact(topk);
  }
}

#endif
