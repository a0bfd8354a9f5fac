/*
 * Checks of orderings. See verify_order.h.
 */
#include "app/verify_order.h"

#include "base/exact_sum.h"
#include "base/random.h"
#include "base/sort.h"
#include "vecchia/ordering.h"

#include <inttypes.h>

/* What the keys of an ordering need besides the points. */
struct keys {
  double mean[PCCT_DIMENSION_MAX]; /* MIDDLEOUT, OUTSIDEIN */
  uint64_t *curve;                 /* HILBERT: records of the positions from curve_first on */
  int64_t curve_first;
};

#define CURVE_WORDS 3 /* of a record: two of the place on the curve, and one that is not used */

pcct_status verify_order_inverse(struct base *base, const struct verify_order *order, int64_t first,
                                 int64_t count) {
  for (int64_t p = first; p < first + count; p++) {
    int64_t row = order->permutation[p];
    if (row < 0 || row >= order->count) {
      return base_fail(base, PCCT_DIFFERENT,
                       "/ordering/permutation holds row %" PRId64 " at position %" PRId64
                       ", outside 0 to %" PRId64,
                       row, p, order->count - 1);
    }
    if (order->position[row] != p) {
      return base_fail(base, PCCT_DIFFERENT,
                       "/ordering/permutation has input row %" PRId64 " at position %" PRId64
                       ", but /ordering/position has it at %" PRId64,
                       row, p, order->position[row]);
    }
  }
  return PCCT_OK;
}

/* ---------------------------------------------------------------- what follows what */

/* One coordinate as `coordinate` orders it: as given, but longitudes in one wrap, and 0 at the
 * poles. */
static double axis_value(const struct verify_order *order, int64_t position, int axis) {
  const double *place = order->user + position * order->metric->user_dimension;
  if (metric_on_globe(order->metric) && axis == 0) {
    return fabs(place[1]) == 90.0 ? 0.0 : metric_wrap_longitude(place[0]);
  }
  return place[axis];
}

static int sign(double a, double b) {
  return (a > b) - (a < b);
}

/* Compares two positions by the chosen axis, then the others in order. */
static int compare_axes(const struct verify_order *order, int64_t p, int64_t q) {
  int result = sign(axis_value(order, p, order->axis), axis_value(order, q, order->axis));
  for (int j = 0; result == 0 && j < order->metric->user_dimension; j++) {
    result = sign(axis_value(order, p, j), axis_value(order, q, j));
  }
  return result;
}

/* Compares two positions by their distance from the mean. */
static int compare_middle(const struct verify_order *order, int64_t p, int64_t q,
                          const double *mean) {
  int dimension = order->metric->dimension;
  double value[2] = {0, 0};
  for (int side = 0; side < 2; side++) {
    const double *place = order->search + (side ? q : p) * dimension;
    for (int j = 0; j < dimension; j++) {
      double difference = place[j] - mean[j];
      value[side] += difference * difference;
    }
  }
  return sign(value[0], value[1]);
}

static int compare_random(const struct verify_order *order, int64_t p, int64_t q) {
  uint64_t a = random_bits(order->seed, RANDOM_ORDERING, (uint64_t)order->permutation[p]);
  uint64_t b = random_bits(order->seed, RANDOM_ORDERING, (uint64_t)order->permutation[q]);
  return (a > b) - (a < b);
}

static int compare_curve(const struct keys *keys, int64_t p, int64_t q) {
  const uint64_t *a = keys->curve + (p - keys->curve_first) * CURVE_WORDS;
  const uint64_t *b = keys->curve + (q - keys->curve_first) * CURVE_WORDS;
  int result = (a[0] > b[0]) - (a[0] < b[0]);
  return result ? result : (a[1] > b[1]) - (a[1] < b[1]);
}

/* Whether position p may stand before position q by the ordering's key, ties by row. */
static int is_ordered(const struct verify_order *order, const struct keys *keys, int64_t p,
                      int64_t q) {
  int result = 0;
  if (order->group && order->group[p] != order->group[q]) {
    return order->group[p] < order->group[q];
  }
  switch (order->ordering) {
  case PCCT_ORDERING_RANDOM:
    result = compare_random(order, p, q);
    break;
  case PCCT_ORDERING_COORDINATE:
    result = compare_axes(order, p, q);
    break;
  case PCCT_ORDERING_MIDDLEOUT:
    result = compare_middle(order, p, q, keys->mean);
    break;
  case PCCT_ORDERING_OUTSIDEIN:
    result = compare_middle(order, q, p, keys->mean);
    break;
  case PCCT_ORDERING_HILBERT:
    result = compare_curve(keys, p, q);
    break;
  case PCCT_ORDERING_TIME:
  case PCCT_ORDERING_TIME_RANDOM:
    result = sign(order->user[p * order->metric->user_dimension + order->axis],
                  order->user[q * order->metric->user_dimension + order->axis]);
    if (result == 0 && order->ordering == PCCT_ORDERING_TIME_RANDOM) {
      result = compare_random(order, p, q);
    }
    break;
  default: /* NONE: by row alone */
    break;
  }
  return result < 0 || (result == 0 && order->permutation[p] < order->permutation[q]);
}

/* The mean of the search coordinates: correctly rounded sums, divided by n. */
static void find_mean(const struct verify_order *order, double *mean) {
  int dimension = order->metric->dimension;
  for (int j = 0; j < dimension; j++) {
    struct exact_sum sum;
    exact_sum_init(&sum);
    for (int64_t p = 0; p < order->count; p++) {
      exact_sum_add(&sum, order->search[p * dimension + j]);
    }
    mean[j] = exact_sum_value(&sum) / (double)order->count;
  }
}

/* The places on the Hilbert curve of the positions from `first` to `end`. The curve has no
 * definition but the library's own function, which is used here. */
static pcct_status find_curve(struct base *base, const struct verify_order *order, int64_t first,
                              int64_t end, struct keys *keys) {
  const struct metric *metric = order->metric;
  struct vecchia_ordering curve = {.kind = VECCHIA_ORDERING_HILBERT, .metric = metric};
  struct vecchia_ordering_scan *scan = base_allocate(base, 1, sizeof *scan);
  keys->curve = base_allocate(base, end - first, CURVE_WORDS * sizeof *keys->curve);
  keys->curve_first = first;
  pcct_status status = scan && keys->curve ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    vecchia_ordering_scan(&curve, order->search, order->count, base->threads, scan);
    vecchia_ordering_finish(&curve, scan, order->count);
    vecchia_ordering_records(&curve, order->user + first * metric->user_dimension,
                             order->search + first * metric->dimension, first, end - first,
                             base->threads, keys->curve);
  }
  base_free(scan);
  return status;
}

/* GIVEN: the slab holds the rows that it must hold. */
static pcct_status check_given(struct base *base, const struct verify_order *order, int64_t first,
                               int64_t count) {
  for (int64_t p = first; p < first + count; p++) {
    if (order->permutation[p] != order->given[p - first]) {
      return base_fail(base, PCCT_DIFFERENT,
                       "position %" PRId64 " is input row %" PRId64
                       ", but the given ordering has input row %" PRId64 " there",
                       p, order->permutation[p], order->given[p - first]);
    }
  }
  return PCCT_OK;
}

pcct_status verify_order_obeyed(struct base *base, const struct verify_order *order, int64_t first,
                                int64_t count) {
  struct keys keys = {.curve = NULL};
  pcct_status status = PCCT_OK;
  int64_t end = first + count, first_wrong = end;
  int64_t second = first > 1 ? first : 1;
  if (order->ordering == PCCT_ORDERING_GIVEN) {
    status = check_given(base, order, first, count);
    goto cleanup;
  }
  if (end <= second) {
    goto cleanup;
  }
  if (order->ordering == PCCT_ORDERING_MIDDLEOUT || order->ordering == PCCT_ORDERING_OUTSIDEIN) {
    find_mean(order, keys.mean);
  } else if (order->ordering == PCCT_ORDERING_HILBERT) {
    status = find_curve(base, order, second - 1, end, &keys);
    if (status != PCCT_OK) {
      goto cleanup;
    }
  }
#pragma omp parallel for num_threads(base->threads) reduction(min : first_wrong)
  for (int64_t p = second; p < end; p++) {
    if (p < first_wrong && !is_ordered(order, &keys, p - 1, p)) {
      first_wrong = p;
    }
  }
  if (first_wrong < end) {
    status = base_fail(base, PCCT_DIFFERENT,
                       "position %" PRId64 " (input row %" PRId64
                       ") must not stand before position %" PRId64 " (input row %" PRId64
                       ") in this ordering",
                       first_wrong - 1, order->permutation[first_wrong - 1], first_wrong,
                       order->permutation[first_wrong]);
  }
cleanup:
  base_free(keys.curve);
  return status;
}

/* ---------------------------------------------------------------- duplicates */

pcct_status verify_order_duplicates(struct base *base, int dimension, const double *search,
                                    int64_t count, int64_t *duplicates) {
  *duplicates = 0;
  uint64_t *keys = base_allocate(base, count, (size_t)dimension * sizeof *keys);
  if (!keys) {
    return PCCT_MEMORY;
  }
  for (int64_t i = 0; i < count * dimension; i++) {
    keys[i] = sort_key(search[i]);
  }
  pcct_status status = sort_records(base, keys, count, dimension);
  for (int64_t i = 1; status == PCCT_OK && i < count; i++) {
    int equal = 1;
    for (int j = 0; equal && j < dimension; j++) {
      equal = keys[(i - 1) * dimension + j] == keys[i * dimension + j];
    }
    *duplicates += equal;
  }
  base_free(keys);
  return status;
}
