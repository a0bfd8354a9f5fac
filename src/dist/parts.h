/*
 * Parts: which rank owns which region of space. Recursive bisection of the search coordinates, cut where a
 * sample says that both sides get their share of points.
 *
 * A cut is a point of the sample; what comes before it in the order (coordinate of the cut's axis, all
 * coordinates in order, position) goes left. So any multiset of points can be split evenly, coincident ones
 * included, and one cut splits the points of at most one location: its own.
 */
#ifndef DIST_PARTS_H
#define DIST_PARTS_H

#include "base/comm.h"
#include "points/metric.h"

struct parts {
  int size, dimension;
  int *axis;         /* [size - 1] cuts in preorder */
  double *point;     /* [size - 1][dimension] */
  int64_t *position; /* [size - 1] */
};

/* Chooses the cuts from a sample of all ranks' points.
 * Collective.
 *   points   [in] [count][dimension] search coordinates of this rank's points
 *   position [in] [count] distinct over all ranks
 *   total    [in] points of all ranks
 *   parts    [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: a gather of about 4,096 sqrt(P) points on every rank, then about 1,024 points sent by
 * each rank and 1,024 sqrt(P) received by the first rank of every group of sqrt(P), O(log) passes over them. */
pcct_status parts_create(pcct_context *context, int dimension, const double *points,
                         const int64_t *position, int64_t count, int64_t total,
                         struct parts **parts);

/* NULL and pointers to NULL are fine. */
void parts_destroy(struct parts **parts);

/* The rank whose part holds a point. Local. */
int parts_locate(const struct parts *parts, const double *point, int64_t position);

/* The box that bounds a rank's part: [dimension] lower and upper, infinite where nothing bounds it. Points of
 * other parts lie outside or on its faces. Local. */
void parts_cell(const struct parts *parts, int rank, double *lower, double *upper);

#endif
