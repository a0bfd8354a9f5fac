/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * Radius queries over ranks against a plain scan of this file's own, bit for
 * bit: own rows and foreign queries, all metrics, radii that are distances
 * themselves, limits on rows, counts alone.
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

enum tried { EUCLIDEAN, MANHATTAN, CHEBYSHEV, LONLAT, OWN, TRIED };

struct given {
  enum tried tried;
  enum points_made kind;
  int64_t count;
  int dimension;
  double *all; /* [count][dimension] by row, on every rank */
  pcct_context *context;
  pcct_index *index;
};

static double weighted(const double *a, const double *b, int dimension, void *user) {
  double value = 0;
  for (int j = 0; j < dimension; j++) {
    value += (1 + j) * fabs(a[j] - b[j]);
  }
  (void)user;
  return value;
}

static void row_point(const struct given *given, int64_t row, double *x) {
  made_point(given->kind, row, given->dimension, x);
  if (given->tried == LONLAT) {
    x[0] = given->kind == MADE_LATTICE ? 30 * x[0] + 100 : 400 * x[0] - 20;
    x[1] = given->kind == MADE_LATTICE ? 36 * x[1] - 90 : 178 * x[1] - 89;
  }
}

static void unit_vector(const double *degrees, double *x) {
  const double degree = 3.14159265358979323846 / 180;
  double longitude = fmod(degrees[0], 360);
  longitude = longitude > 180 ? longitude - 360 : longitude <= -180 ? longitude + 360 : longitude;
  const int pole = fabs(degrees[1]) == 90;
  x[0] = pole ? 0 : cos(degrees[1] * degree) * cos(longitude * degree);
  x[1] = pole ? 0 : cos(degrees[1] * degree) * sin(longitude * degree);
  x[2] = pole ? degrees[1] / 90 : sin(degrees[1] * degree);
}

/* What is compared (kernel value), and what is returned (distance). */
static double value_of(const struct given *given, const double *a, const double *b,
                       double *distance) {
  double x[2][3];
  double value = 0;
  int d = given->dimension;
  if (given->tried == OWN) {
    *distance = weighted(a, b, d, NULL);
    return *distance;
  }
  if (given->tried == LONLAT) {
    unit_vector(a, x[0]);
    unit_vector(b, x[1]);
    a = x[0];
    b = x[1];
    d = 3;
  }
  for (int j = 0; j < d; j++) {
    const double difference = fabs(a[j] - b[j]);
    value = given->tried == MANHATTAN   ? value + difference
            : given->tried == CHEBYSHEV ? fmax(value, difference)
                                        : value + difference * difference;
  }
  *distance = given->tried == LONLAT ? 2 * PCCT_EARTH_RADIUS_KM * asin(fmin(sqrt(value) / 2, 1))
                                     : (given->tried == EUCLIDEAN ? sqrt(value) : value);
  return value;
}

static void create(struct given *given, pcct_ordering ordering) {
  int64_t first;
  int64_t count;
  const int d = given->dimension;
  pcct_slab(given->count, me, ranks, &first, &count);
  given->all = calloc((size_t)(given->count * d) + 1, sizeof(double));
  for (int64_t row = 0; row < given->count; row++) {
    row_point(given, row, given->all + row * d);
  }
  pcct_index_options options = pcct_index_options_default();
  options.ordering = ordering;
  options.coordinates = given->tried == LONLAT ? PCCT_LONLAT : PCCT_CARTESIAN;
  options.metric = given->tried == MANHATTAN   ? PCCT_MANHATTAN
                   : given->tried == CHEBYSHEV ? PCCT_CHEBYSHEV
                   : given->tried == OWN       ? PCCT_USER_METRIC
                                               : PCCT_EUCLIDEAN;
  options.distance = given->tried == OWN ? weighted : NULL;
  const pcct_points points = {first, count, d, given->all + first * d};
  assert_int_equal(pcct_index_create(given->context, &points, &options, &given->index), PCCT_OK);
}

static void clear(struct given *given) {
  pcct_index_destroy(&given->index);
  free(given->all);
}

struct near {
  double value, distance;
  int64_t row;
};

static int compare_near(const void *a, const void *b) {
  const struct near *x = a;
  const struct near *y = b;
  return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                              : (x->row > y->row) - (x->row < y->row);
}

/* Whether row r is what a scan of all points finds. */
static bool row_right(const struct given *given, const double *point, int64_t excluded,
                      const pcct_range_options *options, const pcct_ranges *ranges, int64_t r) {
  struct near *all = calloc((size_t)given->count + 1, sizeof *all);
  int64_t found = 0;
  for (int64_t row = 0; row < given->count; row++) {
    struct near *next = &all[found];
    next->row = row;
    next->value = value_of(given, point, given->all + row * given->dimension, &next->distance);
    found += row != excluded && next->distance <= options->radius;
  }
  qsort(all, (size_t)found, sizeof *all, compare_near);
  found = options->most > 0 && found > options->most ? options->most : found;
  const int64_t first = ranges->offset[r];
  bool right = ranges->offset[r + 1] - first == found;
  for (int64_t e = 0; e < found && right && !options->count_only; e++) {
    right =
        ranges->index32[first + e] == all[e].row && ranges->distance[first + e] == all[e].distance;
  }
  free(all);
  return right;
}

static bool shape_right(const pcct_range_options *options, const pcct_ranges *ranges) {
  return ranges->offset[0] == 0 && !ranges->index64 &&
         (options->count_only ? !ranges->index32 && !ranges->distance
                              : ranges->index32 && ranges->distance);
}

static bool own_right(struct given *given, const pcct_range_options *options, int64_t block) {
  bool right = true;
  for (int64_t first = 0; first < given->count; first += block) {
    const int64_t count = block < given->count - first ? block : given->count - first;
    int64_t slab_first;
    int64_t slab_count;
    pcct_ranges ranges;
    assert_int_equal(pcct_index_range_neighbors(given->index, options, first, count, &ranges),
                     PCCT_OK);
    pcct_slab(count, me, ranks, &slab_first, &slab_count);
    right = right && ranges.first == first + slab_first && ranges.count == slab_count &&
            shape_right(options, &ranges);
    for (int64_t r = 0; r < ranges.count && right; r++) {
      const int64_t row = ranges.first + r;
      right = row_right(given, given->all + row * given->dimension, row, options, &ranges, r);
    }
    pcct_ranges_clear(&ranges);
    assert_null(ranges.offset);
  }
  return on_all_ranks(given->context, right);
}

/* Some queries are points, some lie beside them; one rank has none. */
static bool foreign_right(struct given *given, const pcct_range_options *options) {
  const int d = given->dimension;
  const int64_t number = me == 1 ? 0 : 7 + me;
  double *asked = calloc((size_t)(number * d) + 1, sizeof(double));
  for (int64_t q = 0; q < number; q++) {
    row_point(given, 30 * me + q, asked + q * d);
    asked[q * d] += q % 3 == 0 ? 0 : q % 3 == 1 ? 0.125 : 20;
  }
  const pcct_points queries = {comm_scan_before(given->context, number), number, d, asked};
  pcct_ranges ranges;
  assert_int_equal(pcct_index_range(given->index, &queries, options, &ranges), PCCT_OK);
  bool right =
      ranges.first == queries.first_row && ranges.count == number && shape_right(options, &ranges);
  for (int64_t q = 0; q < number && right; q++) {
    right = row_right(given, asked + q * d, -1, options, &ranges, q);
  }
  pcct_ranges_clear(&ranges);
  free(asked);
  return on_all_ranks(given->context, right);
}

/* The distance between two rows: a radius that some point is exactly at. */
static double distance_between(const struct given *given, int64_t a, int64_t b) {
  double distance;
  value_of(given, given->all + a * given->dimension, given->all + b * given->dimension, &distance);
  return distance;
}

static void try(struct given given, pcct_context *context) {
  given.context = context;
  create(&given, PCCT_ORDERING_NONE);
  double radii[] = {0, 0.2, 1, INFINITY, 0, 0};
  if (given.count > 5) {
    radii[4] = distance_between(&given, 1, 4);
    radii[5] = nextafter(radii[4], 0);
    radii[2] = 0.5 * distance_between(&given, 0, 5);
  }
  for (size_t i = 0; i < sizeof radii / sizeof radii[0]; i++) {
    for (int variant = 0; variant < 3; variant++) {
      const pcct_range_options options = {
          .radius = radii[i], .most = variant == 1 ? 3 : 0, .count_only = variant == 2};
      const int64_t block = variant == 0 ? given.count + 1 : given.count / 3 + 1;
      const bool right = own_right(&given, &options, block) && foreign_right(&given, &options);
      if (!right) {
        print_message("wrong: metric %d, kind %d, n %lld, d %d, radius %.17g, "
                      "variant %d\n",
                      (int)given.tried, (int)given.kind, (long long)given.count, given.dimension,
                      radii[i], variant);
      }
      assert_true(right);
    }
  }
  clear(&given);
}

static pcct_context *context_of(void **state) {
  return *state;
}

static void test_kinds(void **state) {
  for (int tried = 0; tried < TRIED; tried++) {
    for (int kind = 0; kind < MADE_KINDS; kind++) {
      if (tried != (int)LONLAT || kind <= (int)MADE_COINCIDENT) { /* others leave the globe */
        const int d = tried == (int)LONLAT ? 2 : 1 + (kind + tried) % 3;
        try((struct given){.tried = (enum tried)tried,
                           .kind = (enum points_made)kind,
                           .count = 110,
                           .dimension = d},
            context_of(state));
      }
    }
  }
}

static void test_many_axes(void **state) {
  try((struct given){.tried = EUCLIDEAN, .kind = MADE_UNIFORM, .count = 150, .dimension = 8},
      context_of(state));
  try((struct given){.tried = OWN, .kind = MADE_UNIFORM, .count = 150, .dimension = 5},
      context_of(state));
}

static void test_few_points(void **state) {
  for (int64_t count = 0; count <= 9; count++) {
    for (int kind = 0; kind <= (int)MADE_COINCIDENT; kind++) {
      try((struct given){.tried = (enum tried)(count % TRIED),
                         .kind = (enum points_made)kind,
                         .count = count,
                         .dimension = 2},
          context_of(state));
    }
  }
}

/* A small radius keeps queries at home, a large one is answered by all. */
static void test_forwards(void **state) {
  (void)state;
  enum { COUNT = 4000 };
  for (int large = 0; large < 2; large++) {
    pcct_context *context = NULL;
    pcct_ranges ranges;
    assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 0, &context), PCCT_OK);
    struct given given = {.kind = MADE_UNIFORM, .count = COUNT, .dimension = 2, .context = context};
    create(&given, PCCT_ORDERING_NONE);
    const pcct_range_options options = {.radius = large ? 2 : 0.01, .count_only = true};
    assert_int_equal(pcct_index_range_neighbors(given.index, &options, 0, COUNT, &ranges), PCCT_OK);
    pcct_ranges_clear(&ranges);
    const int64_t *counters = context->base.counters;
    const int64_t forwards = comm_sum(context, counters[COUNTER_forwards]);
    assert_int_equal(comm_sum(context, counters[COUNTER_queries]), COUNT);
    assert_true(large ? forwards == COUNT * (ranks - 1) : forwards < COUNT * 20 / 100);
    clear(&given);
    pcct_context_destroy(&context);
  }
}

/* Two levels of regions. */
static void test_groups(void **state) {
  assert_int_equal(pcct_context_set(*state, "directory-regions", "16"), PCCT_OK);
  for (int tried = 0; tried < TRIED; tried++) {
    for (int kind = 0; kind <= (int)MADE_LATTICE; kind++) {
      try((struct given){.tried = (enum tried)tried,
                         .kind = (enum points_made)kind,
                         .count = 110,
                         .dimension = 2},
          context_of(state));
    }
  }
  assert_int_equal(pcct_context_set(*state, "directory-regions", "4096"), PCCT_OK);
}

static void test_bad_arguments(void **state) {
  pcct_context *context = context_of(state);
  const struct {
    double radius;
    int64_t most, first, count;
  } bad[] = {{-1, 0, 0, 20}, {NAN, 0, 0, 20}, {1, -1, 0, 20}, {1, 0, 1, 20}, {1, 0, -1, 2}};
  struct given given = {.kind = MADE_UNIFORM, .count = 20, .dimension = 2, .context = context};
  create(&given, PCCT_ORDERING_NONE);
  pcct_ranges ranges;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const pcct_range_options options = {.radius = bad[i].radius, .most = bad[i].most};
    const pcct_status status =
        pcct_index_range_neighbors(given.index, &options, bad[i].first, bad[i].count, &ranges);
    assert_true(agreed_status(context, status, PCCT_USAGE));
    assert_null(ranges.offset);
  }
  const pcct_range_options fine = {.radius = 1};
  double three[] = {0, 0, me == ranks - 1 ? NAN : 0};
  pcct_points queries = {me, 1, 3, three};
  assert_true(
      agreed_status(context, pcct_index_range(given.index, &queries, &fine, &ranges), PCCT_USAGE));
  queries = (pcct_points){me, 1, 2, three + 1};
  assert_true(
      agreed_status(context, pcct_index_range(given.index, &queries, &fine, &ranges), PCCT_INPUT));
  assert_null(ranges.offset);
  clear(&given);
  create(&given, PCCT_ORDERING_RANDOM);
  assert_true(agreed_status(context, pcct_index_range_neighbors(given.index, &fine, 0, 20, &ranges),
                            PCCT_USAGE));
  clear(&given);
}

/* One rank after another runs out of memory at one allocation after another. */
static void test_memory(void **state) {
  (void)state;
  bool finished = false;
  for (int64_t allowed = 0; !finished; allowed++) {
    pcct_context *context = NULL;
    pcct_ranges ranges = {0};
    const pcct_range_options options = {.radius = 0.4, .most = 9};
    assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 1, &context), PCCT_OK);
    struct given given = {.kind = MADE_REPEATED, .count = 60, .dimension = 2, .context = context};
    create(&given, PCCT_ORDERING_NONE);
    context->base.allocations_left = me == (int)(allowed % ranks) ? allowed : -1;
    const pcct_status status =
        pcct_index_range_neighbors(given.index, &options, 0, given.count, &ranges);
    finished = status == PCCT_OK;
    assert_true(agreed_status(context, status, finished ? PCCT_OK : PCCT_MEMORY));
    assert_true(finished || !ranges.offset);
    pcct_ranges_clear(&ranges);
    clear(&given);
    pcct_context_destroy(&context);
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
      cmocka_unit_test(test_kinds),      cmocka_unit_test(test_many_axes),
      cmocka_unit_test(test_few_points), cmocka_unit_test(test_forwards),
      cmocka_unit_test(test_groups),     cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_memory),
  };
  int failures = cmocka_run_group_tests_name("index range", tests, start, stop);
  MPI_Finalize();
  return failures != 0;
}
