/* Tests of a caller's metric. */
#include "dist/check_metric.h"

/* Computed distances may err this much, relatively. */
#define ROUNDING 1e-13

/* What a metric says of three points. */
struct look {
  double itself;    /* b to b */
  double near;      /* a to b */
  double near_back; /* b to a */
  double first;     /* origin to a */
  double second;    /* origin to b */
};

static struct look look_at(const struct metric *metric, const double *origin, const double *a,
                           const double *b) {
  return (struct look){.itself = metric_value(metric, b, b),
                       .near = metric_value(metric, a, b),
                       .near_back = metric_value(metric, b, a),
                       .first = metric_value(metric, origin, a),
                       .second = metric_value(metric, origin, b)};
}

/* Whether a distance is what one can be. */
static int is_distance(double value) {
  return value >= 0 && value <= DBL_MAX;
}

/* What is wrong, or NULL. */
static const char *fault_of(const struct look *look) {
  const double longest = fmax(look->near, fmax(look->first, look->second));
  const double path = look->near + look->first + look->second;
  if (!is_distance(look->itself) || !is_distance(look->near) || !is_distance(look->near_back) ||
      !is_distance(look->first) || !is_distance(look->second)) {
    return "a distance is negative or not finite";
  }
  if (look->itself != 0) {
    return "a point is not at distance 0 from itself";
  }
  if (fabs(look->near - look->near_back) > ROUNDING * look->near) {
    return "a distance changes when its two points are exchanged";
  }
  /* the longest side is at most the two others together */
  return longest - (path - longest) > ROUNDING * longest ? "the triangle inequality does not hold"
                                                         : NULL;
}

pcct_status dist_check_metric(pcct_context *context, const struct metric *metric,
                              const double *search, int64_t first_row, int64_t count) {
  const int d = metric->dimension;
  const int team = count >= BASE_PARALLEL_MIN ? context->base.threads : 1;
  int64_t wrong = INT64_MAX;
#pragma omp parallel for num_threads(team) reduction(min : wrong)
  for (int64_t i = 0; i < count; i++) {
    const double *b = search + i * d;
    const struct look look = look_at(metric, search, i > 0 ? b - d : b, b);
    if (fault_of(&look) && i < wrong) {
      wrong = i;
    }
  }
  pcct_status status = PCCT_OK;
  if (wrong < INT64_MAX) {
    const double *b = search + wrong * d;
    const struct look look = look_at(metric, search, wrong > 0 ? b - d : b, b);
    const long long row = first_row + wrong;
    const char *fault = fault_of(&look);
    status = base_fail(&context->base, PCCT_INPUT,
                       "the user's metric is none: %s (among rows %lld, %lld and %lld); expected a "
                       "finite, symmetric distance with the triangle inequality",
                       fault ? fault : "a distance changes from call to call", (long long)first_row,
                       wrong > 0 ? row - 1 : row, row);
  }
  return comm_agree(context, status);
}
