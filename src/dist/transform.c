/* Search coordinates over ranks. */
#include "dist/transform.h"

#include <math.h>

/* Says what is wrong with point i. */
static pcct_status bad_value(struct base *base, const struct metric *metric,
                             const pcct_points *points, const char *what, int64_t i) {
  const double *x = points->coordinates + i * points->dimension;
  const long long row = points->first_row + i;
  for (int j = 0; j < points->dimension; j++) {
    if (!isfinite(x[j])) {
      return base_fail(
          base, PCCT_INPUT,
          "%s %lld: coordinate %d is %g; expected finite numbers: drop or mend the row", what, row,
          j, x[j]);
    }
  }
  if (metric_on_globe(metric) && fabs(x[1]) > 90) {
    return base_fail(base, PCCT_INPUT, "%s %lld: latitude %.17g is beyond 90 degrees", what, row,
                     x[1]);
  }
  return base_fail(base, PCCT_INPUT,
                   "%s %lld: a coordinate exceeds 2^500 length scales, so that distances overflow: "
                   "rescale the coordinates",
                   what, row);
}

pcct_status dist_transform(pcct_context *context, const struct metric *metric,
                           const pcct_points *points, const char *what, double **search) {
  struct base *base = &context->base;
  *search = base_allocate(base, points->count * metric->dimension, sizeof(double));
  pcct_status status = comm_agree(context, *search ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    return status;
  }
  const int64_t bad =
      metric_transform(metric, points->coordinates, points->count, *search, base->threads);
  const int64_t row = bad < 0 ? INT64_MAX : points->first_row + bad;
  const int64_t first = comm_min(context, row);
  if (first < INT64_MAX && first == row) {
    status = bad_value(base, metric, points, what, bad);
  }
  return comm_agree(context, status);
}
