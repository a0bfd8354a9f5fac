/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * Positions and permutations over ranks against a sort of all rows on every rank. Runs on any number of
 * ranks. The data are functions of the row, so that every rank can compute all of them.
 */
#include "base/random.h"
#include "dist/order.h"
#include "test_base_ranks.h"
#include "vecchia/hilbert.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- data */

enum kind { UNIFORM, LATTICE, COPIES, LINE, GLOBE, KINDS };

static double coordinate(enum kind kind, int dimension, int64_t row, int axis) {
  uint64_t counter = (uint64_t)(row * dimension + axis);
  uint64_t draw = random_bits(5, RANDOM_GENERATE, counter);
  switch (kind) {
  case LATTICE:
    return (double)(draw % 4) - 1;
  case COPIES:
    return 0.75 - axis;
  case LINE:
    return (double)(random_bits(5, RANDOM_GENERATE, (uint64_t)row) % 200) / 64;
  case GLOBE: /* quarter degrees in any wrap, poles and both zeros among them */
    return axis == 0 ? (double)(draw % 2400) / 4 - 200
                     : (draw % 9 == 0    ? 90
                        : draw % 10 == 0 ? -90.0
                                         : (double)(draw % 721) / 4 - 90);
  default:
    return random_uniform(5, RANDOM_GENERATE, counter) - 0.5;
  }
}

struct data {
  struct metric metric;
  int64_t total;
  double *user, *search; /* all rows, on every rank */
  int64_t first, count;  /* this rank's share */
};

/* Shares: even, all on one rank, or random with empty ranks. */
static void share(const pcct_context *context, int64_t total, int pattern, int64_t *first,
                  int64_t *count) {
  int64_t before = 0;
  for (int rank = 0; rank <= context->rank; rank++) {
    int64_t rest = total - before, ranks_left = context->size - rank;
    int64_t part =
        pattern == 0 ? rest / ranks_left
        : pattern == 1
            ? (rank == context->size / 2 ? rest : 0)
            : (int64_t)(random_bits(9, RANDOM_SAMPLE, (uint64_t)rank) % (uint64_t)(total + 1)) *
                  (rank % 3 != 0);
    part = part > rest || ranks_left == 1 ? rest : part;
    *first = before;
    *count = part;
    before += part;
  }
}

static struct data make_data(pcct_context *context, enum kind kind, int dimension, int64_t total,
                             int pattern) {
  struct data data = {.total = total};
  data.metric.lonlat = kind == GLOBE;
  data.metric.user_dimension = kind == GLOBE ? 2 : dimension;
  data.metric.dimension = kind == GLOBE ? 3 : dimension;
  for (int j = 0; j < 64; j++) {
    data.metric.scale[j] = j == 1 ? 0.5 : 1;
  }
  int columns = data.metric.user_dimension;
  data.user = base_allocate(&context->base, total * columns, sizeof *data.user);
  data.search = base_allocate(&context->base, total * data.metric.dimension, sizeof *data.search);
  for (int64_t i = 0; i < total * columns; i++) {
    data.user[i] = coordinate(kind, columns, i / columns, (int)(i % columns));
  }
  metric_transform(&data.metric, data.user, total, data.search, 1);
  share(context, total, pattern, &data.first, &data.count);
  return data;
}

static void drop_data(struct data *data) {
  base_free(data->user);
  base_free(data->search);
}

static pcct_status positions_of(pcct_context *context, const struct data *data,
                                const pcct_index_options *options, int64_t *positions) {
  const struct metric *metric = &data->metric;
  pcct_points points = {.first_row = data->first,
                        .count = data->count,
                        .dimension = metric->user_dimension,
                        .coordinates = data->user + data->first * metric->user_dimension};
  base_clear_message(&context->base);
  return dist_order_positions(context, metric, &points,
                              data->search + data->first * metric->dimension, options, data->total,
                              positions);
}

/* ---- the expected order, by comparisons of doubles */

static struct {
  const struct data *data;
  const pcct_index_options *options;
  double mean[64], minimum[64], extent;
} expected;

/* The mean by 128-bit integers: all test values are multiples of 2^-112 and small. */
static double exact_mean(const double *values, int64_t count, int stride) {
  __int128 sum = 0;
  for (int64_t i = 0; i < count; i++) {
    double scaled = ldexp(values[i * stride], 112);
    sum += (__int128)scaled;
  }
  return count > 0 ? ldexp((double)sum, -112) / (double)count : 0;
}

static int order_of(double a, double b) {
  return a < b ? -1 : a > b;
}

static double wrapped(const double *point, int axis) {
  double value = point[axis];
  if (expected.data->metric.lonlat && axis == 0) {
    while (value > 180) {
      value -= 360;
    }
    while (value <= -180) {
      value += 360;
    }
    value = point[1] == 90 || point[1] == -90 ? 0 : value;
  }
  return value;
}

static int compare_axes(const double *a, const double *b, int columns, int axis) {
  int order = order_of(wrapped(a, axis), wrapped(b, axis));
  for (int j = 0; j < columns && order == 0; j++) {
    order = order_of(wrapped(a, j), wrapped(b, j));
  }
  return order;
}

static double from_mean(const double *point, int dimension) {
  double value = 0;
  for (int j = 0; j < dimension; j++) {
    double difference = point[j] - expected.mean[j];
    value += difference * difference;
  }
  return value;
}

static int compare_curve(const double *a, const double *b, int dimension) {
  const double *points[2] = {a, b};
  int bits = vecchia_hilbert_bits(dimension);
  uint64_t index[2][2];
  for (int p = 0; p < 2; p++) {
    uint64_t cell[64];
    for (int j = 0; j < dimension; j++) {
      double part =
          expected.extent > 0 ? (points[p][j] - expected.minimum[j]) / expected.extent : 0;
      double place = floor(part * ldexp(1, bits));
      cell[j] = place >= ldexp(1, bits) ? (UINT64_C(1) << bits) - 1 : (uint64_t)place;
    }
    vecchia_hilbert_index(dimension, bits, cell, index[p]);
  }
  for (int w = 0; w < 2; w++) {
    if (index[0][w] != index[1][w]) {
      return index[0][w] < index[1][w] ? -1 : 1;
    }
  }
  return 0;
}

static int compare_rows(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  const struct metric *metric = &expected.data->metric;
  const double *user = expected.data->user, *search = expected.data->search;
  int columns = metric->user_dimension, dimension = metric->dimension;
  int order = 0;
  if (expected.options->ordering == PCCT_ORDERING_RANDOM) {
    uint64_t first = random_bits(expected.options->seed, RANDOM_ORDERING, (uint64_t)a);
    uint64_t second = random_bits(expected.options->seed, RANDOM_ORDERING, (uint64_t)b);
    order = first < second ? -1 : first > second;
  } else if (expected.options->ordering == PCCT_ORDERING_COORDINATE) {
    order = compare_axes(user + a * columns, user + b * columns, columns, expected.options->axis);
  } else if (expected.options->ordering == PCCT_ORDERING_MIDDLEOUT) {
    order = order_of(from_mean(search + a * dimension, dimension),
                     from_mean(search + b * dimension, dimension));
  } else if (expected.options->ordering == PCCT_ORDERING_HILBERT) {
    order = compare_curve(search + a * dimension, search + b * dimension, dimension);
  }
  return order != 0 ? order : a < b ? -1 : a > b;
}

/* All rows in the expected order, allocated with malloc. */
static int64_t *expected_rows(const struct data *data, const pcct_index_options *options) {
  expected.data = data;
  expected.options = options;
  expected.extent = 0;
  int dimension = data->metric.dimension;
  for (int j = 0; j < dimension; j++) {
    double minimum = INFINITY, maximum = -INFINITY;
    for (int64_t i = 0; i < data->total; i++) {
      double value = data->search[i * dimension + j];
      minimum = value < minimum ? value : minimum;
      maximum = value > maximum ? value : maximum;
    }
    expected.minimum[j] = minimum;
    expected.extent = maximum - minimum > expected.extent ? maximum - minimum : expected.extent;
    expected.mean[j] = exact_mean(data->search + j, data->total, dimension);
  }
  int64_t *rows = malloc((size_t)(data->total + 1) * sizeof *rows);
  for (int64_t i = 0; i < data->total; i++) {
    rows[i] = i;
  }
  qsort(rows, (size_t)data->total, sizeof *rows, compare_rows);
  return rows;
}

/* Whether this rank's positions are those of the expected order. */
static bool positions_right(const struct data *data, const int64_t *rows,
                            const int64_t *positions) {
  int64_t right = 0;
  for (int64_t position = 0; position < data->total; position++) {
    int64_t own = rows[position] - data->first;
    if (own >= 0 && own < data->count) {
      if (positions[own] != position) {
        return false;
      }
      right++;
    }
  }
  return right == data->count;
}

/* ---- positions */

static void check_ordering(pcct_context *context, const struct data *data,
                           const pcct_index_options *options) {
  int64_t *rows = expected_rows(data, options);
  int64_t *positions = base_allocate(&context->base, data->count, sizeof *positions);
  pcct_status status = positions_of(context, data, options, positions);
  assert_true(agreed_status(context, status, PCCT_OK));
  bool right = positions_right(data, rows, positions);
  if (!right) {
    print_error("rank %d: ordering %d axis %d n %lld dimension %d\n", context->rank,
                (int)options->ordering, options->axis, (long long)data->total,
                data->metric.dimension);
  }
  assert_true(on_all_ranks(context, right));
  base_free(positions);
  free(rows);
}

static void check_orderings(pcct_context *context, const struct data *data) {
  pcct_index_options options = {.seed = 42};
  const pcct_ordering single[] = {PCCT_ORDERING_NONE, PCCT_ORDERING_RANDOM, PCCT_ORDERING_MIDDLEOUT,
                                  PCCT_ORDERING_HILBERT};
  for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
    options.ordering = single[i];
    check_ordering(context, data, &options);
  }
  options.ordering = PCCT_ORDERING_COORDINATE;
  for (options.axis = 0; options.axis < data->metric.user_dimension; options.axis++) {
    check_ordering(context, data, &options);
  }
}

static void test_orderings(void **state) {
  pcct_context *context = *state;
  const int dimensions[] = {1, 2, 3, 8};
  const int64_t totals[] = {0, 1, 2, 5, 600};
  for (int kind = 0; kind < KINDS; kind++) {
    for (int d = 0; d < (kind == GLOBE ? 1 : 4); d++) {
      for (int t = 0; t < 5; t++) {
        for (int pattern = 0; pattern < 3; pattern++) {
          struct data data = make_data(context, (enum kind)kind, dimensions[d], totals[t], pattern);
          check_orderings(context, &data);
          drop_data(&data);
        }
      }
    }
  }
}

static void test_largest_dimension(void **state) {
  pcct_context *context = *state;
  struct data data = make_data(context, LATTICE, 64, 100, 2);
  check_orderings(context, &data);
  drop_data(&data);
}

/* Nothing but the row differs, yet no rank gets much more than its share, even from a single owner. */
static void test_balance(void **state) {
  pcct_context *context = *state;
  for (int pattern = 0; pattern < 2; pattern++) {
    struct data data = make_data(context, COPIES, 1, 20000, pattern);
    pcct_index_options options = {.ordering = PCCT_ORDERING_COORDINATE};
    int64_t *positions = base_allocate(&context->base, data.count, sizeof *positions);
    int64_t before = context->base.counters[COUNTER_bytes_order];
    pcct_status status = positions_of(context, &data, &options, positions);
    assert_true(agreed_status(context, status, PCCT_OK));
    int64_t sent = context->base.counters[COUNTER_bytes_order] - before;
    /* records of two words go out, (row, position) pairs of the received ones come back */
    int64_t held = data.total / context->size * 3 / 2;
    int64_t most = context->size == 1 ? 0 : 16 * (data.count + held);
    bool balanced = sent <= most;
    for (int64_t i = 0; i < data.count; i++) {
      balanced &= positions[i] == data.first + i;
    }
    assert_true(on_all_ranks(context, balanced));
    base_free(positions);
    drop_data(&data);
  }
}

/* ---- given permutations */

/* A permutation of 0..total-1 on every rank, by a random ordering. */
static int64_t *random_permutation(const struct data *data) {
  pcct_index_options options = {.ordering = PCCT_ORDERING_RANDOM, .seed = 77};
  return expected_rows(data, &options);
}

static void test_given(void **state) {
  pcct_context *context = *state;
  const int64_t totals[] = {0, 1, 2, 5, 600};
  for (int t = 0; t < 5; t++) {
    for (int pattern = 0; pattern < 3; pattern++) {
      struct data data = make_data(context, UNIFORM, 1, totals[t], pattern);
      int64_t *rows = random_permutation(&data);
      pcct_index_options options = {.ordering = PCCT_ORDERING_GIVEN,
                                    .permutation = rows + data.first};
      int64_t *positions = base_allocate(&context->base, data.count, sizeof *positions);
      pcct_status status = positions_of(context, &data, &options, positions);
      assert_true(agreed_status(context, status, PCCT_OK));
      assert_true(on_all_ranks(context, positions_right(&data, rows, positions)));
      base_free(positions);
      free(rows);
      drop_data(&data);
    }
  }
}

/* Plants `row` at two positions of the identity and wants a message that names what is wrong. */
static void check_bad_permutation(pcct_context *context, const struct data *data, int64_t row,
                                  int64_t here, int64_t there, const char *words) {
  int64_t *rows = malloc((size_t)data->total * sizeof *rows);
  for (int64_t i = 0; i < data->total; i++) {
    rows[i] = i;
  }
  rows[here] = row;
  rows[there] = row;
  pcct_index_options options = {.ordering = PCCT_ORDERING_GIVEN, .permutation = rows + data->first};
  int64_t *positions = base_allocate(&context->base, data->count, sizeof *positions);
  pcct_status status = positions_of(context, data, &options, positions);
  assert_true(agreed_status(context, status, PCCT_INPUT));
  if (!strstr(pcct_context_message(context), words)) {
    print_error("expected \"%s\" in: %s\n", words, pcct_context_message(context));
  }
  assert_non_null(strstr(pcct_context_message(context), words));
  base_free(positions);
  free(rows);
}

static void test_bad_permutations(void **state) {
  pcct_context *context = *state;
  for (int pattern = 0; pattern < 3; pattern++) {
    struct data data = make_data(context, UNIFORM, 1, 50, pattern);
    check_bad_permutation(context, &data, 50, 49, 31, "position 31 has row 50");
    check_bad_permutation(context, &data, -1, 7, 8, "position 7 has row -1");
    check_bad_permutation(context, &data, INT64_MAX, 0, 0,
                          "position 0 has row 9223372036854775807");
    check_bad_permutation(context, &data, 20, 3, 49,
                          "row 20 is at position 3 and again at position 20");
    check_bad_permutation(context, &data, 0, 48, 49,
                          "row 0 is at position 0 and again at position 48");
    drop_data(&data);
  }
}

/* ---- rows into ordering order */

static unsigned char row_byte(int64_t row, int64_t at) {
  return (unsigned char)random_bits(3, RANDOM_GENERATE, (uint64_t)(row * 64 + at));
}

/* Ranks ask for the positions from `low` to `high`, in shares of a pattern. */
static void check_permute(pcct_context *context, const struct data *data, const int64_t *order,
                          const int64_t *positions, int64_t low, int64_t high, int pattern,
                          int64_t size) {
  struct base *base = &context->base;
  int64_t first = 0, wanted = 0;
  share(context, high - low, pattern, &first, &wanted);
  first += low;
  unsigned char *rows = base_allocate(base, data->count * size, 1);
  unsigned char *out = base_allocate_zero(base, wanted * size, 1);
  for (int64_t i = 0; i < data->count * size; i++) {
    rows[i] = row_byte(data->first + i / size, i % size);
  }
  int64_t before = base->counters[COUNTER_bytes_reorder];
  pcct_status status =
      dist_order_permute(context, positions, data->count, size, rows, first, wanted, out);
  assert_true(agreed_status(context, status, PCCT_OK));
  bool right = true;
  for (int64_t i = 0; i < wanted * size; i++) {
    right &= out[i] == row_byte(order[first + i / size], i % size);
  }
  int64_t sent = base->counters[COUNTER_bytes_reorder] - before;
  int64_t most = comm_sum(context, wanted) * (size + 8);
  assert_true(on_all_ranks(context, right));
  assert_true(comm_sum(context, sent) <= most);
  base_free(rows);
  base_free(out);
}

static void test_permute(void **state) {
  pcct_context *context = *state;
  const int64_t totals[] = {0, 1, 5, 200};
  const int64_t sizes[] = {1, 3, 8, 24};
  for (int t = 0; t < 4; t++) {
    int64_t total = totals[t];
    for (int pattern = 0; pattern < 3; pattern++) {
      struct data data = make_data(context, UNIFORM, 1, total, pattern);
      int64_t *order = random_permutation(&data);
      int64_t *positions = base_allocate(&context->base, data.count, sizeof *positions);
      pcct_index_options options = {.ordering = PCCT_ORDERING_GIVEN,
                                    .permutation = order + data.first};
      assert_int_equal(positions_of(context, &data, &options, positions), PCCT_OK);
      for (int s = 0; s < 4; s++) {
        check_permute(context, &data, order, positions, 0, total, 0, sizes[s]);
        check_permute(context, &data, order, positions, total / 3, total - total / 4, s % 3,
                      sizes[s]);
        check_permute(context, &data, order, positions, total / 2, total / 2, 0, sizes[s]);
      }
      base_free(positions);
      free(order);
      drop_data(&data);
    }
  }
}

static void test_permute_ranges(void **state) {
  pcct_context *context = *state;
  if (context->size < 2) {
    skip();
  }
  int64_t count = context->rank == 0 ? 10 : 0;
  int64_t positions[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  int64_t out[10];
  /* rank 0 wants 0..3, the last rank starts at 3 (overlap) or 5 (gap) */
  for (int64_t start = 3; start <= 5; start++) {
    bool last = context->rank == context->size - 1;
    int64_t first = context->rank == 0 ? 0 : last ? start : 4;
    int64_t wanted = context->rank == 0 ? 4 : last ? 2 : 0;
    base_clear_message(&context->base);
    pcct_status status =
        dist_order_permute(context, positions, count, 8, positions, first, wanted, out);
    assert_true(agreed_status(context, status, start == 4 ? PCCT_OK : PCCT_USAGE));
  }
  /* positions that are no permutation */
  positions[1] = 7;
  base_clear_message(&context->base);
  pcct_status status = dist_order_permute(context, positions, count, 8, positions, count ? 0 : 3,
                                          count ? 3 : 0, out);
  assert_true(agreed_status(context, status, PCCT_INTERNAL));
}

/* ---- failing allocations */

/* Runs one operation with 0, 1, 2, ... allowed allocations on one rank until it succeeds. */
static void check_memory(pcct_context *context, const struct data *data,
                         const pcct_index_options *options, bool permute) {
  int64_t *positions = base_allocate(&context->base, data->count, sizeof *positions);
  int64_t *out = base_allocate(&context->base, data->count, sizeof *out);
  for (int64_t i = 0; i < data->count; i++) {
    positions[i] = data->first + i;
  }
  for (int victim = 0; victim<context->size; victim += context->size> 1 ? context->size - 1 : 1) {
    pcct_status status = PCCT_MEMORY;
    for (int64_t allowed = 0; status != PCCT_OK; allowed++) {
      base_clear_message(&context->base);
      context->base.allocations_left = context->rank == victim ? allowed : -1;
      status = permute ? dist_order_permute(context, positions, data->count, 8, positions,
                                            data->first, data->count, out)
                       : positions_of(context, data, options, positions);
      context->base.allocations_left = -1;
      assert_true(allowed < 60);
      assert_true(agreed_status(context, status, allowed == 0 || status ? PCCT_MEMORY : PCCT_OK));
    }
  }
  base_free(positions);
  base_free(out);
}

static void test_memory(void **state) {
  pcct_context *context = *state;
  struct data data = make_data(context, UNIFORM, 2, 100, 0);
  int64_t *rows = random_permutation(&data);
  pcct_index_options options = {.permutation = rows + data.first};
  const pcct_ordering orderings[] = {PCCT_ORDERING_RANDOM, PCCT_ORDERING_COORDINATE,
                                     PCCT_ORDERING_MIDDLEOUT, PCCT_ORDERING_HILBERT,
                                     PCCT_ORDERING_GIVEN};
  for (int i = 0; i < 5; i++) {
    options.ordering = orderings[i];
    check_memory(context, &data, &options, false);
  }
  check_memory(context, &data, &options, true);
  free(rows);
  drop_data(&data);
}

static void test_unknown(void **state) {
  pcct_context *context = *state;
  struct data data = make_data(context, UNIFORM, 1, 3, 0);
  pcct_index_options options = {.ordering = (pcct_ordering)12};
  int64_t positions[3];
  pcct_status status = positions_of(context, &data, &options, positions);
  assert_true(agreed_status(context, status, PCCT_USAGE));
  drop_data(&data);
}

/* ---- */

static int make_context(void **state) {
  pcct_context *context;
  pcct_status status = pcct_context_create(MPI_COMM_WORLD, 0, &context);
  *state = context;
  return status == PCCT_OK ? 0 : -1;
}

static int drop_context(void **state) {
  pcct_context *context = *state;
  pcct_context_destroy(&context);
  return 0;
}

#define RANKS_TEST(function) cmocka_unit_test_setup_teardown(function, make_context, drop_context)

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const struct CMUnitTest tests[] = {
      RANKS_TEST(test_orderings),        RANKS_TEST(test_largest_dimension),
      RANKS_TEST(test_balance),          RANKS_TEST(test_given),
      RANKS_TEST(test_bad_permutations), RANKS_TEST(test_permute),
      RANKS_TEST(test_permute_ranges),   RANKS_TEST(test_memory),
      RANKS_TEST(test_unknown),
  };
  int failures = cmocka_run_group_tests_name("order", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
