/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * Metrics over ranks against a plain search of this file's own: Manhattan, Chebyshev and two metrics of the caller's
 * own, bit for bit, for conditioning sets, neighbours and foreign queries; functions that are no metric are refused.
 */
#include "dist/index.h"
#include "test_base_ranks.h"
#include "test_points_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int ranks, me;

/* ---- what distances are, by formulas of this file */

enum tried { MANHATTAN, CHEBYSHEV, GREAT_CIRCLE, WEIGHTED, TRIED };

/* Great-circle distance of longitudes and latitudes in degrees, by the haversine formula. */
static double great_circle(const double *a, const double *b, int dimension, void *user) {
  const double degree = 3.14159265358979323846 / 180;
  const double east = sin(0.5 * degree * (a[0] - b[0]));
  const double north = sin(0.5 * degree * (a[1] - b[1]));
  const double across = cos(degree * a[1]) * cos(degree * b[1]) * (east * east);
  (void)dimension;
  return 2 * *(const double *)user * asin(sqrt(north * north + across));
}

/* Sum of weighted absolute differences. */
static double weighted(const double *a, const double *b, int dimension, void *user) {
  double value = 0;
  for (int j = 0; j < dimension; j++) {
    value += ((const double *)user)[j % 3] * fabs(a[j] - b[j]);
  }
  return value;
}

static double earth = 6371;
static double weights[] = {0.5, 3, 0.1};

static double distance_of(enum tried tried, int dimension, const double *a, const double *b) {
  double value = 0;
  switch (tried) {
  case GREAT_CIRCLE:
    return great_circle(a, b, dimension, &earth);
  case WEIGHTED:
    return weighted(a, b, dimension, weights);
  default:
    break;
  }
  for (int j = 0; j < dimension; j++) {
    const double difference = a[j] > b[j] ? a[j] - b[j] : b[j] - a[j];
    value = tried == MANHATTAN ? value + difference : difference > value ? difference : value;
  }
  return value;
}

static void set_metric(enum tried tried, pcct_index_options *options) {
  options->metric = tried == MANHATTAN   ? PCCT_MANHATTAN
                    : tried == CHEBYSHEV ? PCCT_CHEBYSHEV
                                         : PCCT_USER_METRIC;
  options->distance = tried == GREAT_CIRCLE ? great_circle : tried == WEIGHTED ? weighted : NULL;
  options->metric_user = tried == GREAT_CIRCLE ? &earth : weights;
}

/* ---- points and indexes */

static const double scales[] = {0.5, 2, 3, 1, 7, 1, 1, 1};

struct given {
  enum tried tried;
  enum points_made kind;
  int64_t count;
  int dimension;
  pcct_ordering ordering;
  bool scaled;
  double *all;    /* [count][dimension] by row, on every rank */
  double *search; /* [count][dimension] by position, scaled */
  pcct_context *context;
  pcct_index *index;
};

/* Coordinates of a row; for great circles degrees that stay within a quarter of the globe, where the formula is
 * accurate, and off the poles, where different coordinates are one place. */
static void row_point(const struct given *given, int64_t row, double *x) {
  made_point(given->kind, row, given->dimension, x);
  if (given->tried == GREAT_CIRCLE) {
    x[0] = given->kind == MADE_LATTICE ? 10 * x[0] - 20 : 60 * x[0] - 20;
    x[1] = given->kind == MADE_LATTICE ? 10 * x[1] - 20 : 70 * x[1] - 30;
  }
}

static pcct_status create(struct given *given) {
  int64_t first;
  int64_t count;
  const int d = given->dimension;
  pcct_slab(given->count, me, ranks, &first, &count);
  given->all = calloc((size_t)(given->count * d) + 1, sizeof(double));
  for (int64_t row = 0; row < given->count; row++) {
    row_point(given, row, given->all + row * d);
  }
  pcct_index_options options = pcct_index_options_default();
  options.ordering = given->ordering;
  options.seed = 4;
  options.scale = given->scaled ? scales : NULL;
  set_metric(given->tried, &options);
  const pcct_points points = {first, count, d, given->all + first * d};
  return pcct_index_create(given->context, &points, &options, &given->index);
}

static void search_points(struct given *given) {
  const int d = given->dimension;
  int64_t first;
  int64_t count;
  double *share = calloc((size_t)(given->count * d) + 1, sizeof(double));
  const int64_t *positions = pcct_index_positions(given->index);
  pcct_slab(given->count, me, ranks, &first, &count);
  given->search = calloc((size_t)(given->count * d) + 1, sizeof(double));
  for (int64_t i = 0; i < count; i++) {
    for (int j = 0; j < d; j++) {
      const double x = given->all[(first + i) * d + j];
      share[positions[i] * d + j] = given->scaled ? x / scales[j] : x;
    }
  }
  MPI_Allreduce(share, given->search, (int)(given->count * d), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  free(share);
}

static void clear(struct given *given) {
  pcct_index_destroy(&given->index);
  free(given->all);
  free(given->search);
}

/* Whether row r of `rows` holds the nearest of the positions 0..limit-1 without `excluded`. */
static bool row_right(const struct given *given, const double *point, int64_t limit,
                      int64_t excluded, const pcct_rows *rows, int64_t r) {
  const int d = given->dimension;
  double last_value = -1;
  int64_t last = -1;
  int64_t found = 0;
  for (int64_t e = 0; e < rows->width; e++) {
    double best = INFINITY;
    int64_t place = -1;
    for (int64_t other = 0; other < limit; other++) {
      const double value = distance_of(given->tried, d, point, given->search + other * d);
      if (other != excluded && (value > last_value || (value == last_value && other > last)) &&
          value < best) {
        best = value;
        place = other;
      }
    }
    if (rows->index32[r * rows->width + e] != place ||
        rows->distance[r * rows->width + e] != best) {
      return false;
    }
    found += place >= 0;
    last_value = best;
    last = place < 0 ? INT64_MAX : place;
  }
  return rows->filled[r] == found;
}

/* All rows: conditioning sets, or neighbours. */
static bool all_right(struct given *given, bool sets, int64_t width, int64_t block) {
  bool right = true;
  for (int64_t first = 0; first < given->count; first += block) {
    const int64_t count = block < given->count - first ? block : given->count - first;
    pcct_rows rows;
    pcct_status status =
        sets ? pcct_index_conditioning_sets(given->index, width, first, count, &rows)
             : pcct_index_neighbors(given->index, width, first, count, &rows);
    assert_int_equal(status, PCCT_OK);
    for (int64_t r = 0; r < rows.count && right; r++) {
      const int64_t i = rows.first + r;
      right = row_right(given, given->search + i * given->dimension, sets ? i : given->count, i,
                        &rows, r);
    }
    pcct_rows_clear(&rows);
  }
  return on_all_ranks(given->context, right);
}

/* Foreign queries: some are points, some lie beside them; one rank has none. */
static bool queries_right(struct given *given, int64_t width) {
  const int d = given->dimension;
  const int64_t number = me == 1 ? 0 : 9 + me;
  double *asked = calloc((size_t)(number * d) + 1, sizeof(double));
  for (int64_t q = 0; q < number; q++) {
    row_point(given, 30 * me + q, asked + q * d);
    asked[q * d] += q % 3 == 0 ? 0 : q % 3 == 1 ? 0.125 : 20;
  }
  const pcct_points queries = {comm_scan_before(given->context, number), number, d, asked};
  pcct_rows rows;
  assert_int_equal(pcct_index_query(given->index, &queries, width, &rows), PCCT_OK);
  bool right = rows.count == number;
  for (int64_t q = 0; q < number && right; q++) {
    double *point = asked + q * d;
    for (int j = 0; j < d && given->scaled; j++) {
      point[j] /= scales[j];
    }
    right = row_right(given, point, given->count, -1, &rows, q);
  }
  pcct_rows_clear(&rows);
  free(asked);
  return on_all_ranks(given->context, right);
}

/* Creates, checks the invariants, asks everything. */
static void try(struct given given, pcct_context *context, int64_t width) {
  given.context = context;
  const pcct_status status = create(&given);
  if (status != PCCT_OK) {
    print_message("metric %d, kind %d: %s\n", (int)given.tried, (int)given.kind,
                  pcct_context_message(context));
  }
  assert_int_equal(status, PCCT_OK);
  search_points(&given);
  const pcct_status checked = pcct_index_check(given.index);
  bool right = checked == PCCT_OK && all_right(&given, true, width, given.count + 1);
  if (given.ordering == PCCT_ORDERING_NONE) {
    right = right && all_right(&given, false, width, given.count / 2 + 1) &&
            queries_right(&given, width);
  }
  if (!right) {
    print_message("wrong: metric %d, kind %d, n %lld, d %d, ordering %d, width %lld: %s\n",
                  (int)given.tried, (int)given.kind, (long long)given.count, given.dimension,
                  (int)given.ordering, (long long)width, pcct_context_message(context));
  }
  assert_true(right);
  clear(&given);
}

static pcct_context *context_of(void **state) {
  return *state;
}

/* ---- tests */

/* Ties, duplicates, lattices, clusters; all dimensions of each kind's own code and one beyond. */
static void test_kinds(void **state) {
  const int dimensions[] = {1, 2, 3, 5};
  const pcct_ordering orderings[] = {PCCT_ORDERING_NONE, PCCT_ORDERING_RANDOM,
                                     PCCT_ORDERING_MIDDLEOUT};
  for (int tried = 0; tried < TRIED; tried++) {
    for (int kind = 0; kind < MADE_KINDS; kind++) {
      for (int d = 0; d < 4; d++) {
        struct given given = {.tried = (enum tried)tried,
                              .kind = (enum points_made)kind,
                              .count = 150,
                              .dimension = dimensions[d],
                              .ordering = orderings[(kind + d) % 3],
                              .scaled = d == 1 && tried != (int)GREAT_CIRCLE};
        if (tried == (int)GREAT_CIRCLE && (given.dimension != 2 || kind > (int)MADE_COINCIDENT)) {
          continue; /* other shapes leave the globe */
        }
        try(given, context_of(state), 7);
        given.ordering = PCCT_ORDERING_NONE;
        try(given, context_of(state), 4);
      }
    }
  }
}

/* Enough points for several nodes, leaves and regions on every rank. */
static void test_many(void **state) {
  for (int tried = 0; tried < TRIED; tried++) {
    for (int o = 0; o < 2; o++) {
      try((struct given){.tried = (enum tried)tried,
                         .kind = MADE_UNIFORM,
                         .count = 1500,
                         .dimension = 2,
                         .ordering = o ? PCCT_ORDERING_RANDOM : PCCT_ORDERING_NONE},
          context_of(state), 5);
    }
  }
}

static void test_few_points(void **state) {
  for (int tried = 0; tried < TRIED; tried++) {
    for (int64_t count = 0; count <= 9; count++) {
      for (int kind = 0; kind <= (int)MADE_COINCIDENT; kind++) {
        try((struct given){.tried = (enum tried)tried,
                           .kind = (enum points_made)kind,
                           .count = count,
                           .dimension = 2},
            context_of(state), 1 + 11 * (count % 2));
      }
    }
  }
}

/* Only near a boundary do queries travel, whatever the metric. */
static void test_forwards(void **state) {
  enum { COUNT = 6000 };
  for (int tried = 0; tried < TRIED; tried++) {
    pcct_context *context = NULL;
    pcct_rows rows;
    (void)state;
    assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 0, &context), PCCT_OK);
    struct given given = {.tried = (enum tried)tried,
                          .kind = MADE_UNIFORM,
                          .count = COUNT,
                          .dimension = 2,
                          .context = context};
    assert_int_equal(create(&given), PCCT_OK);
    assert_int_equal(pcct_index_neighbors(given.index, 8, 0, COUNT, &rows), PCCT_OK);
    pcct_rows_clear(&rows);
    const int64_t *counters = context->base.counters;
    const bool has_boxes = tried == (int)MANHATTAN || tried == (int)CHEBYSHEV;
    assert_true(comm_sum(context, counters[COUNTER_forwards]) <
                COUNT * (has_boxes ? 50 : 150) / 100);
    clear(&given);
    pcct_context_destroy(&context);
  }
}

static double not_finite(const double *a, const double *b, int dimension, void *user) {
  (void)dimension, (void)user;
  return a[0] == b[0] ? 0 : NAN;
}

static double not_symmetric(const double *a, const double *b, int dimension, void *user) {
  (void)dimension, (void)user;
  return a[0] < b[0] ? 2 * (b[0] - a[0]) : a[0] - b[0];
}

static double no_triangle(const double *a, const double *b, int dimension, void *user) {
  (void)dimension, (void)user;
  return (a[0] - b[0]) * (a[0] - b[0]); /* a squared distance, the usual mistake */
}

static double never_zero(const double *a, const double *b, int dimension, void *user) {
  (void)dimension, (void)user;
  return 1 + fabs(a[0] - b[0]);
}

static double zero_for_others(const double *a, const double *b, int dimension, void *user) {
  (void)dimension, (void)user;
  return fabs(floor(8 * a[0]) - floor(8 * b[0]));
}

/* Regions of groups, in memory of the node: balls alone tell where they are. */
static void test_groups(void **state) {
  pcct_context *context = *state;
  const int64_t bytes = context->share_bytes;
  context->share_bytes = 0;
  assert_int_equal(pcct_context_set(context, "directory-regions", "20"), PCCT_OK);
  for (int tried = 0; tried < TRIED; tried++) {
    for (int kind = 0; kind <= (int)MADE_LATTICE; kind++) {
      try((struct given){.tried = (enum tried)tried,
                         .kind = (enum points_made)kind,
                         .count = 150,
                         .dimension = 2,
                         .ordering = kind ? PCCT_ORDERING_NONE : PCCT_ORDERING_RANDOM},
          context, 5);
    }
  }
  assert_int_equal(pcct_context_set(context, "directory-regions", "4096"), PCCT_OK);
  context->share_bytes = bytes;
}

static void test_no_metric(void **state) {
  pcct_context *context = context_of(state);
  const pcct_distance functions[] = {not_finite, not_symmetric, no_triangle, never_zero,
                                     zero_for_others};
  double all[2 * 60];
  int64_t first;
  int64_t count;
  for (int64_t row = 0; row < 60; row++) {
    made_point(MADE_UNIFORM, row, 2, all + 2 * row);
  }
  pcct_slab(60, me, ranks, &first, &count);
  const pcct_points points = {first, count, 2, all + 2 * first};
  for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
    pcct_index_options options = pcct_index_options_default();
    pcct_index *index = NULL;
    options.metric = PCCT_USER_METRIC;
    options.distance = functions[f];
    const pcct_status status = pcct_index_create(context, &points, &options, &index);
    assert_true(agreed_status(context, status, PCCT_INPUT));
    assert_true(pcct_context_message(context)[0] != '\0');
    assert_null(index);
  }
}

static void test_bad_options(void **state) {
  pcct_context *context = context_of(state);
  double all[] = {0, 0, 1, 1};
  const pcct_points points = {me == 0 ? 0 : 2, me == 0 ? 2 : 0, 2, all};
  const struct {
    pcct_metric metric;
    pcct_distance distance;
    pcct_coordinates coordinates;
  } bad[] = {
      {PCCT_USER_METRIC, NULL, PCCT_CARTESIAN},      {PCCT_EUCLIDEAN, weighted, PCCT_CARTESIAN},
      {PCCT_MANHATTAN, weighted, PCCT_CARTESIAN},    {PCCT_MANHATTAN, NULL, PCCT_LONLAT},
      {PCCT_USER_METRIC, great_circle, PCCT_LONLAT}, {(pcct_metric)4, NULL, PCCT_CARTESIAN},
      {(pcct_metric)-1, NULL, PCCT_CARTESIAN}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    pcct_index_options options = pcct_index_options_default();
    pcct_index *index = NULL;
    options.metric = bad[i].metric;
    options.distance = bad[i].distance;
    options.coordinates = bad[i].coordinates;
    options.metric_user = weights;
    const pcct_status status = pcct_index_create(context, &points, &options, &index);
    assert_true(agreed_status(context, status, PCCT_USAGE));
    assert_null(index);
  }
}

/* One rank after another runs out of memory at one allocation after another. */
static void test_memory(void **state) {
  (void)state;
  for (int tried = MANHATTAN; tried <= (int)WEIGHTED; tried += WEIGHTED - MANHATTAN) {
    bool finished = false;
    for (int64_t allowed = 0; !finished; allowed += 1 + allowed / 4) {
      pcct_context *context = NULL;
      pcct_rows rows = {0};
      assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 1, &context), PCCT_OK);
      context->base.allocations_left = me == (int)(allowed % ranks) ? allowed : -1;
      struct given given = {.tried = (enum tried)tried,
                            .kind = MADE_REPEATED,
                            .count = 60,
                            .dimension = 2,
                            .context = context};
      pcct_status status = create(&given);
      if (status == PCCT_OK) {
        status = pcct_index_neighbors(given.index, 5, 0, 60, &rows);
        finished = status == PCCT_OK;
      }
      assert_true(agreed_status(context, status, finished ? PCCT_OK : PCCT_MEMORY));
      pcct_rows_clear(&rows);
      clear(&given);
      pcct_context_destroy(&context);
    }
  }
}

static int start(void **state) {
  return pcct_context_create(MPI_COMM_WORLD, 0, (pcct_context **)state) == PCCT_OK ? 0 : -1;
}

static int stop(void **state) {
  pcct_context_destroy((pcct_context **)state);
  return 0;
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Comm_rank(MPI_COMM_WORLD, &me);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kinds),       cmocka_unit_test(test_many),
      cmocka_unit_test(test_few_points),  cmocka_unit_test(test_forwards),
      cmocka_unit_test(test_groups),      cmocka_unit_test(test_no_metric),
      cmocka_unit_test(test_bad_options), cmocka_unit_test(test_memory),
  };
  int failures = cmocka_run_group_tests_name("index metric", tests, start, stop);
  MPI_Finalize();
  return failures != 0;
}
