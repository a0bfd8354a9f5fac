/*
 * A look at a caller's metric before anything is built with it.
 */
#ifndef DIST_CHECK_METRIC_H
#define DIST_CHECK_METRIC_H

#include "base/comm.h"
#include "points/metric.h"

/* Tests a user's metric on each rank's own points, each with its rank's first one and with the one before:
 * finite, not negative, 0 from a point to itself, symmetric, triangle inequality. It cannot prove a metric; it tells
 * the usual mistakes.
 * Collective.
 *   search [in] [count][metric->dimension] search coordinates of the rows from first_row on
 * Errors: PCCT_INPUT (names the first rows found). Cost: five evaluations a point. */
pcct_status dist_check_metric(pcct_context *context, const struct metric *metric,
                              const double *search, int64_t first_row, int64_t count);

#endif
