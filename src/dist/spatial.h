/*
 * Spatial order of one rank's points: along a Hilbert curve through their bounding box.
 */
#ifndef DIST_SPATIAL_H
#define DIST_SPATIAL_H

#include "base/sort.h"

/* Sorts points along the curve through a grid of about one point a cell, and, where many share a cell, those by
 * recursive medians.
 * Local; OpenMP inside.
 *   coordinates [in]  [count] points, `stride` numbers apart
 *   pairs       [out] [count]; values: which point; keys: equal ones stand together, and equal points have
 *               equal ones
 * Errors: PCCT_MEMORY. Cost: linear; O(m log m) for cells crowded by m points. */
pcct_status spatial_sort(struct base *base, int dimension, const double *coordinates,
                         int64_t stride, int64_t count, struct sort_pair *pairs);

#endif
