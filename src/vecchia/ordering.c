/*
 * Records of the orderings that are defined by keys.
 */
#include "vecchia/ordering.h"

#include "base/random.h"
#include "base/sort.h"
#include "vecchia/hilbert.h"

int vecchia_ordering_words(const struct vecchia_ordering *ordering) {
  switch (ordering->kind) {
  case VECCHIA_ORDERING_RANDOM:
  case VECCHIA_ORDERING_MIDDLEOUT:
  case VECCHIA_ORDERING_OUTSIDEIN:
  case VECCHIA_ORDERING_TIME:
    return 2;
  case VECCHIA_ORDERING_COORDINATE:
    return ordering->metric->user_dimension + 1;
  case VECCHIA_ORDERING_HILBERT:
  case VECCHIA_ORDERING_TIME_RANDOM:
    return 3;
  }
  return 0;
}

static bool needs_mean(const struct vecchia_ordering *ordering) {
  return ordering->kind == VECCHIA_ORDERING_MIDDLEOUT ||
         ordering->kind == VECCHIA_ORDERING_OUTSIDEIN;
}

/* One axis by one thread: the sums are exact, the rest needs no order. */
static void scan_axis(const struct vecchia_ordering *ordering, const double *search, int64_t count,
                      int axis, struct vecchia_ordering_scan *scan) {
  int dimension = ordering->metric->dimension;
  if (needs_mean(ordering)) {
    exact_sum_init(&scan->sum[axis]);
    for (int64_t i = 0; i < count; i++) {
      exact_sum_add(&scan->sum[axis], search[i * dimension + axis]);
    }
    exact_sum_normalise(&scan->sum[axis]);
  } else if (ordering->kind == VECCHIA_ORDERING_HILBERT) {
    double minimum = INFINITY, maximum = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
      minimum = fmin(minimum, search[i * dimension + axis]);
      maximum = fmax(maximum, search[i * dimension + axis]);
    }
    scan->minimum[axis] = minimum;
    scan->maximum[axis] = maximum;
  }
}

void vecchia_ordering_scan(const struct vecchia_ordering *ordering, const double *search,
                           int64_t count, int threads, struct vecchia_ordering_scan *scan) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (count >= BASE_PARALLEL_MIN)
  for (int axis = 0; axis < ordering->metric->dimension; axis++) {
    scan_axis(ordering, search, count, axis, scan);
  }
}

void vecchia_ordering_finish(struct vecchia_ordering *ordering, struct vecchia_ordering_scan *scan,
                             int64_t total) {
  ordering->extent = 0;
  for (int axis = 0; axis < ordering->metric->dimension; axis++) {
    if (needs_mean(ordering)) {
      ordering->mean[axis] = total > 0 ? exact_sum_value(&scan->sum[axis]) / (double)total : 0;
    } else if (ordering->kind == VECCHIA_ORDERING_HILBERT) {
      ordering->minimum[axis] = scan->minimum[axis];
      ordering->extent = fmax(ordering->extent, scan->maximum[axis] - scan->minimum[axis]);
    }
  }
}

static void coordinate_record(const struct vecchia_ordering *ordering, const double *user,
                              uint64_t *record) {
  const struct metric *metric = ordering->metric;
  int next = 1;
  for (int axis = 0; axis < metric->user_dimension; axis++) {
    double value = user[axis];
    if (metric_on_globe(metric) && axis == 0) {
      value = fabs(user[1]) == 90.0 ? 0 : metric_wrap_longitude(value);
    }
    record[axis == ordering->axis ? 0 : next++] = sort_key(value);
  }
}

static void hilbert_record(const struct vecchia_ordering *ordering, const double *search,
                           uint64_t *record) {
  int dimension = ordering->metric->dimension;
  int bits = vecchia_hilbert_bits(dimension);
  uint64_t largest = (UINT64_C(1) << bits) - 1;
  uint64_t cell[VECCHIA_ORDERING_AXES] = {0};
  for (int axis = 0; axis < dimension && ordering->extent > 0; axis++) {
    /* rounding is monotone, so that the fraction is within 0 .. 1 */
    double fraction = (search[axis] - ordering->minimum[axis]) / ordering->extent;
    uint64_t place = (uint64_t)ldexp(fraction, bits);
    cell[axis] = place < largest ? place : largest;
  }
  vecchia_hilbert_index(dimension, bits, cell, record);
}

void vecchia_ordering_records(const struct vecchia_ordering *ordering, const double *user,
                              const double *search, int64_t first_row, int64_t count, int threads,
                              uint64_t *records) {
  const struct metric *metric = ordering->metric;
  int words = vecchia_ordering_words(ordering);
#pragma omp parallel for num_threads(threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    uint64_t *record = records + i * words;
    uint64_t row = (uint64_t)(first_row + i);
    const double *point = search + i * metric->dimension;
    switch (ordering->kind) {
    case VECCHIA_ORDERING_RANDOM:
      record[0] = random_bits(ordering->seed, RANDOM_ORDERING, row);
      break;
    case VECCHIA_ORDERING_COORDINATE:
      coordinate_record(ordering, user + i * metric->user_dimension, record);
      break;
    case VECCHIA_ORDERING_MIDDLEOUT:
      record[0] = sort_key(metric_square(metric->dimension, point, ordering->mean));
      break;
    case VECCHIA_ORDERING_OUTSIDEIN:
      record[0] = ~sort_key(metric_square(metric->dimension, point, ordering->mean));
      break;
    case VECCHIA_ORDERING_TIME:
      record[0] = sort_key(user[i * metric->user_dimension + ordering->axis]);
      break;
    case VECCHIA_ORDERING_TIME_RANDOM:
      record[0] = sort_key(user[i * metric->user_dimension + ordering->axis]);
      record[1] = random_bits(ordering->seed, RANDOM_ORDERING, row);
      break;
    case VECCHIA_ORDERING_HILBERT:
      hilbert_record(ordering, point, record);
      break;
    }
    record[words - 1] = row;
  }
}
