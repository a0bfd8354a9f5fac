/* The options of an index, checked. */
#include "dist/options.h"

#include <math.h>

/* Checks what distances are, and sets them. */
static pcct_status check_kind(struct base *base, const pcct_index_options *options,
                              struct metric *metric) {
  static const enum metric_kind kinds[] = {[PCCT_EUCLIDEAN] = METRIC_EUCLIDEAN,
                                           [PCCT_MANHATTAN] = METRIC_MANHATTAN,
                                           [PCCT_CHEBYSHEV] = METRIC_CHEBYSHEV,
                                           [PCCT_USER_METRIC] = METRIC_USER};
  if ((int)options->metric < PCCT_EUCLIDEAN || options->metric > PCCT_USER_METRIC) {
    return base_fail(base, PCCT_USAGE, "unknown metric %d", (int)options->metric);
  }
  if (metric_on_globe(metric) && options->metric != PCCT_EUCLIDEAN) {
    return base_fail(base, PCCT_USAGE,
                     "lonlat coordinates have great-circle distances; found metric %d with them",
                     (int)options->metric);
  }
  if ((options->metric == PCCT_USER_METRIC) != (options->distance != NULL)) {
    return base_fail(
        base, PCCT_USAGE,
        "metric %d %s a distance function: expected one for PCCT_USER_METRIC (%d) only",
        (int)options->metric, options->distance ? "with" : "without", (int)PCCT_USER_METRIC);
  }
  metric->kind = kinds[options->metric];
  metric->distance = options->distance;
  metric->user = options->metric_user;
  return PCCT_OK;
}

static pcct_status set_rotation(struct base *base, const pcct_index_options *options,
                                struct metric *metric) {
  const int d = metric->user_dimension;
  metric->rotated = options->rotation != NULL;
  if (metric->rotated && (metric_on_globe(metric) || d > METRIC_ROTATED_MAX)) {
    return base_fail(base, PCCT_USAGE,
                     "a rotation needs cartesian coordinates, at most %d of them; found %d%s",
                     METRIC_ROTATED_MAX, d, metric_on_globe(metric) ? " lonlat ones" : "");
  }
  for (int j = 0; j < d * d && metric->rotated; j++) {
    metric->rotation[j] = options->rotation[j];
    if (!isfinite(metric->rotation[j])) {
      return base_fail(base, PCCT_USAGE,
                       "element %d of the rotation is %g; expected finite numbers", j,
                       metric->rotation[j]);
    }
  }
  return PCCT_OK;
}

/* Checks what the ordering needs. */
static pcct_status check_ordering(struct base *base, const pcct_index_options *options, int d) {
  const pcct_ordering ordering = options->ordering;
  const bool maximin = ordering == PCCT_ORDERING_MAXIMIN || ordering == PCCT_ORDERING_TIME_MAXIMIN;
  const bool axis = ordering == PCCT_ORDERING_COORDINATE || ordering == PCCT_ORDERING_TIME ||
                    ordering == PCCT_ORDERING_TIME_RANDOM || ordering == PCCT_ORDERING_TIME_MAXIMIN;
  if ((int)ordering < PCCT_ORDERING_NONE || ordering > PCCT_ORDERING_TIME_MAXIMIN) {
    return base_fail(base, PCCT_USAGE, "unknown ordering %d", (int)ordering);
  }
  if (axis && (options->axis < 0 || options->axis >= d)) {
    return base_fail(base, PCCT_USAGE, "ordering by coordinate %d: expected an axis from 0 to %d",
                     options->axis, d - 1);
  }
  if ((int)options->start < PCCT_START_CENTRE || options->start > PCCT_START_ROW ||
      (!maximin && options->start != PCCT_START_CENTRE)) {
    return base_fail(base, PCCT_USAGE, "start %d with ordering %d: only maximin orderings have one",
                     (int)options->start, (int)ordering);
  }
  if (ordering == PCCT_ORDERING_TIME_MAXIMIN && options->group) {
    return base_fail(base, PCCT_USAGE,
                     "groups do not go with the ordering time-maximin, whose groups are times");
  }
  return PCCT_OK;
}

pcct_status dist_check_options(struct base *base, int d, const pcct_index_options *options,
                               struct metric *metric) {
  if (d < 1 || d > PCCT_DIMENSION_MAX) {
    return base_fail(base, PCCT_USAGE, "expected 1 to %d coordinates a point, found %d",
                     PCCT_DIMENSION_MAX, d);
  }
  const pcct_coordinates coordinates = options->coordinates;
  *metric = (struct metric){.lonlat = coordinates == PCCT_LONLAT,
                            .lonlat_time = coordinates == PCCT_LONLAT_TIME,
                            .user_dimension = d,
                            .dimension = coordinates == PCCT_LONLAT        ? 3
                                         : coordinates == PCCT_LONLAT_TIME ? 4
                                                                           : d};
  if (metric->lonlat_time && d != 3) {
    return base_fail(base, PCCT_USAGE,
                     "lonlat-time coordinates are three columns, longitude, latitude and time; "
                     "found %d",
                     d);
  }
  if (metric->lonlat_time && options->scale && options->scale[0] != options->scale[1]) {
    return base_fail(base, PCCT_USAGE,
                     "lonlat-time coordinates have one length scale in km, for longitude and "
                     "latitude together; found %g and %g",
                     options->scale[0], options->scale[1]);
  }
  if (metric->lonlat && d != 2) {
    return base_fail(base, PCCT_USAGE,
                     "lonlat coordinates are two columns, longitude and latitude; found %d", d);
  }
  if (metric->lonlat && options->scale) {
    return base_fail(base, PCCT_USAGE,
                     "length scales need cartesian coordinates; found lonlat with a scale");
  }
  for (int j = 0; j < d; j++) {
    metric->scale[j] = options->scale ? options->scale[j] : 1;
    if (!(metric->scale[j] > 0) || !isfinite(metric->scale[j])) {
      return base_fail(base, PCCT_USAGE, "length scale %d is %g; expected a positive number", j,
                       metric->scale[j]);
    }
  }
  pcct_status status = check_kind(base, options, metric);
  if (status == PCCT_OK) {
    status = set_rotation(base, options, metric);
  }
  if (status != PCCT_OK) {
    return status;
  }
  return check_ordering(base, options, d);
}
