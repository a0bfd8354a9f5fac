/*
 * Spatial order of one rank's points: along a Hilbert curve through their bounding box.
 */
#ifndef DIST_SPATIAL_H
#define DIST_SPATIAL_H

#include "base/sort.h"

/* Sorts points along the curve: first by a grid of about one point a cell, then, where many share a cell,
 * by the finest grid that keys of 64 bits allow.
 * Local; OpenMP inside.
 *   coordinates [in]  [count] points, `stride` numbers apart
 *   pairs       [out] [count]; values: which point; keys: equal ones stand together, and equal points have
 *               equal ones
 * Errors: PCCT_MEMORY. Cost: linear; crowded cells are sorted once more. */
pcct_status spatial_sort(struct base *base, int dimension, const double *coordinates,
                         int64_t stride, int64_t count, struct sort_pair *pairs);

#endif
