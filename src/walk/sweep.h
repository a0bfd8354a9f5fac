/*
 * Sweeps: queries that are no points of the view, or that come with a bound from elsewhere.
 *
 * Queries are visited in the order of the leaves they fall into, whatever order they come in: those of one
 * leaf share one look at the tree and bound each other.
 */
#ifndef WALK_SWEEP_H
#define WALK_SWEEP_H

#include "tree/view.h"
#include "walk/rows.h"

/* Queries. Borrowed. */
struct walk_sweep {
  int64_t count;
  const double *points; /* [count][dimension] search coordinates */
  const int64_t *limit; /* [count] positions below it are seen; NULL: all */
  const double *cutoff; /* [count] inclusive kernel values, or NULL: none */
  const int64_t
      *cutoff_position; /* [count] largest position that counts at the cut-off; NULL: all do */
};

/* Answers all queries with the k best each, k <= rows->width; row i is query i's.
 * Local; OpenMP inside. The rows do not depend on threads or instruction sets.
 * Errors: PCCT_USAGE (an instruction set this machine does not have), PCCT_MEMORY. */
pcct_status walk_sweep(struct base *base, const struct view *view, const struct walk_sweep *sweep,
                       int64_t k, const struct walk_rows *rows);

#endif
