/*
 * The options of an index, checked.
 */
#ifndef DIST_OPTIONS_H
#define DIST_OPTIONS_H

#include "pcct.h"
#include "points/metric.h"

/* Checks the options that are equal on all ranks, for points of `dimension` coordinates, and sets the metric.
 * Local. Errors: PCCT_USAGE. */
pcct_status dist_check_options(struct base *base, int dimension, const pcct_index_options *options,
                               struct metric *metric);

#endif
