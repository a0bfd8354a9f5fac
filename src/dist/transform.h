/*
 * Search coordinates of points spread over ranks, with one verdict on bad values.
 */
#ifndef DIST_TRANSFORM_H
#define DIST_TRANSFORM_H

#include "base/comm.h"
#include "points/metric.h"

/* Transforms each rank's own points.
 * Collective.
 *   what   [in] what the message calls a bad row, e.g. "row"
 *   search [out] [points->count][metric->dimension]; freed by the caller with base_free, also after a failure
 * Errors: PCCT_INPUT (not finite, a latitude beyond 90 degrees, beyond 2^500: the first bad row of all ranks is
 * named), PCCT_MEMORY. */
pcct_status dist_transform(pcct_context *context, const struct metric *metric,
                           const pcct_points *points, const char *what, double **search);

#endif
