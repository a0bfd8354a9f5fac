/*
 * Coincident points of one rank's part: found among points that share a place on the Hilbert curve.
 */
#ifndef DIST_COINCIDENT_H
#define DIST_COINCIDENT_H

#include "base/sort.h"
#include "points/metric.h"

struct coincident {
  int64_t duplicates; /* points at the location of one of smaller position */
  int64_t repeated;   /* the smallest position of such a point; INT64_MAX: there is none */
  int64_t original;   /* the smallest position at its location */
};

/* Counts them.
 * Local.
 *   pairs       [in] [count] places on the curve, ascending; equal locations have equal places
 *   coordinates, position [in] of the same points in the same order
 * Errors: PCCT_MEMORY. Cost: linear, plus a sort of each run of equal places. */
pcct_status coincident_count(struct base *base, int dimension, const struct sort_pair *pairs,
                             const double *coordinates, const int64_t *position, int64_t count,
                             struct coincident *coincident);

#endif
