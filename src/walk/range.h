/*
 * Range queries: all points within a radius.
 */
#ifndef WALK_RANGE_H
#define WALK_RANGE_H

#include "tree/view.h"
#include "walk/topk.h"

/* Queries. Borrowed. */
struct walk_range {
  int64_t count;
  const double *points;    /* [count][dimension] search coordinates */
  const double *radius;    /* [count] inclusive kernel values */
  const int64_t *limit;    /* [count] positions below it are seen; NULL: all */
  const int64_t *excluded; /* [count] a position that is not seen, -1: none; NULL: none at all */
};

/* How many points each query finds.
 *   number [out] [count]
 * Local; OpenMP inside.
 * Errors: PCCT_USAGE (an instruction set this machine does not have), PCCT_MEMORY. */
pcct_status walk_range_count(struct base *base, const struct view *view,
                             const struct walk_range *range, int64_t *number);

/* The points each query finds, sorted by (kernel value, position).
 *   offset [in]  [count + 1] where each query's points go: offset[i + 1] - offset[i] is the number that
 *                walk_range_count gives
 *   found  [out] [offset[count]]
 * Local; OpenMP inside. Errors: as walk_range_count. */
pcct_status walk_range_fill(struct base *base, const struct view *view,
                            const struct walk_range *range, const int64_t *offset,
                            struct candidate *found);

#endif
