/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * The whole library over ranks against a plain search of its own: conditioning sets, neighbours and foreign
 * queries, bit for bit; all orderings, dimensions, shapes of data, distributions of the rows and blocks.
 */
#include "dist/index.h"
#include "test_base_ranks.h"
#include "test_points_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int ranks, me;

/* How the rows lie on the ranks. */
enum spread { EVENLY, ALL_ON_LAST, ALL_ON_FIRST };

struct given {
  enum points_made kind;
  int64_t count;
  int dimension;
  pcct_ordering ordering;
  enum spread spread;
  bool lonlat, scaled;
  double *all;          /* [count][dimension], on every rank */
  double *search;       /* [count][search dimension] by position, by formulas of this file */
  int64_t *permutation; /* [count] position -> row */
  int search_dimension;
  pcct_points points;
  pcct_context *context;
  pcct_index *index;
};

static const double scales[] = {0.5, 2, 3, 1, 1, 7, 1, 1};

static void own_range(const struct given *given, int64_t *first, int64_t *count) {
  pcct_slab(given->count, me, ranks, first, count);
  if (given->spread != EVENLY) {
    const bool here = me == (given->spread == ALL_ON_FIRST ? 0 : ranks - 1);
    *first = given->spread == ALL_ON_LAST || here ? 0 : given->count;
    *count = here ? given->count : 0;
  }
}

static void make_rows(struct given *given) {
  const int d = given->dimension;
  given->all = calloc((size_t)(given->count * d) + 1, sizeof(double));
  for (int64_t row = 0; row < given->count; row++) {
    made_point(given->kind, row, d, given->all + row * d);
    if (given->lonlat) { /* any wrap, the date line and a pole included */
      given->all[row * d] = 400 * given->all[row * d] - 20;
      given->all[row * d + 1] = row % 40 == 3 ? 90 : 178 * given->all[row * d + 1] - 89;
    }
  }
}

/* The search coordinates of a row: the same expressions as documented, written here again. */
static void search_point(const struct given *given, int64_t row, double *x) {
  const double *user = given->all + row * given->dimension;
  if (given->lonlat) {
    const double degree = 3.14159265358979323846 / 180;
    double longitude = fmod(user[0], 360);
    longitude = longitude > 180 ? longitude - 360 : longitude <= -180 ? longitude + 360 : longitude;
    if (fabs(user[1]) == 90) {
      x[0] = x[1] = 0;
      x[2] = user[1] / 90;
      return;
    }
    x[0] = cos(user[1] * degree) * cos(longitude * degree);
    x[1] = cos(user[1] * degree) * sin(longitude * degree);
    x[2] = sin(user[1] * degree);
    return;
  }
  for (int j = 0; j < given->dimension; j++) {
    x[j] = given->scaled ? user[j] / scales[j] : user[j];
  }
}

/* Creates the index and what the oracle needs. */
static pcct_status create(struct given *given) {
  int64_t first;
  int64_t count;
  make_rows(given);
  own_range(given, &first, &count);
  pcct_index_options options = pcct_index_options_default();
  options.coordinates = given->lonlat ? PCCT_LONLAT : PCCT_CARTESIAN;
  options.scale = given->scaled ? scales : NULL;
  options.ordering = given->ordering;
  options.axis = given->dimension - 1;
  options.seed = 3;
  int64_t *reversed = calloc((size_t)count + 1, sizeof *reversed);
  for (int64_t i = 0; i < count; i++) {
    reversed[i] = given->count - 1 - (first + i);
  }
  options.permutation = reversed;
  given->points =
      (pcct_points){first, count, given->dimension, given->all + first * given->dimension};
  pcct_status status = pcct_index_create(given->context, &given->points, &options, &given->index);
  free(reversed);
  return status;
}

static void gather_permutation(struct given *given) {
  int64_t *share = calloc((size_t)given->count + 1, sizeof *share);
  const int64_t *positions = pcct_index_positions(given->index);
  given->permutation = calloc((size_t)given->count + 1, sizeof *given->permutation);
  for (int64_t i = 0; i < given->points.count; i++) {
    share[positions[i]] = given->points.first_row + i + 1;
  }
  MPI_Allreduce(share, given->permutation, (int)given->count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  given->search_dimension = given->lonlat ? 3 : given->dimension;
  given->search =
      calloc((size_t)(given->count * given->search_dimension) + 1, sizeof *given->search);
  for (int64_t position = 0; position < given->count; position++) {
    given->permutation[position]--;
    assert_in_range(given->permutation[position], 0, given->count - 1);
    search_point(given, given->permutation[position],
                 given->search + position * given->search_dimension);
  }
  free(share);
}

static void clear(struct given *given) {
  pcct_index_destroy(&given->index);
  free(given->all);
  free(given->search);
  free(given->permutation);
}

static double square(const struct given *given, int64_t a, int64_t b) {
  double value = 0;
  for (int j = 0; j < given->search_dimension; j++) {
    const double difference = given->search[a * given->search_dimension + j] -
                              given->search[b * given->search_dimension + j];
    value += difference * difference;
  }
  return value;
}

static bool near(double a, double b) {
  return fabs(a - b) <= 1e-12 * fabs(b);
}

/* Whether one row is what repeated selection of the best finds among positions 0..limit-1 without
 * `excluded`. */
static bool row_right(const struct given *given, int64_t asking, int64_t limit, int64_t excluded,
                      const pcct_rows *rows, int64_t r) {
  double last_value = -1;
  int64_t last = -1;
  int64_t found = 0;
  for (int64_t e = 0; e < rows->width; e++) {
    double best = INFINITY;
    int64_t place = -1;
    for (int64_t other = 0; other < limit; other++) {
      const double value = square(given, asking, other);
      if (other != excluded && (value > last_value || (value == last_value && other > last)) &&
          value < best) {
        best = value;
        place = other;
      }
    }
    const int64_t index =
        rows->index32 ? rows->index32[r * rows->width + e] : rows->index64[r * rows->width + e];
    const double distance = rows->distance[r * rows->width + e];
    const double expected =
        given->lonlat ? 2 * PCCT_EARTH_RADIUS_KM * asin(sqrt(best) / 2) : sqrt(best);
    if (index != place ||
        (place < 0 ? !isinf(distance)
                   : (given->lonlat ? !near(distance, expected) : distance != expected))) {
      return false;
    }
    if (place < 0) {
      last_value = INFINITY;
      last = INT64_MAX;
    } else {
      last_value = best;
      last = place;
      found++;
    }
  }
  return rows->filled[r] == found;
}

enum question { SETS, NEIGHBORS };

/* All rows, in blocks of `block`. */
static bool all_right(struct given *given, enum question question, int64_t width, int64_t block) {
  bool right = true;
  int64_t seen = 0;
  for (int64_t first = 0; first < given->count; first += block) {
    const int64_t count = block < given->count - first ? block : given->count - first;
    pcct_rows rows;
    pcct_status status =
        question == SETS ? pcct_index_conditioning_sets(given->index, width, first, count, &rows)
                         : pcct_index_neighbors(given->index, width, first, count, &rows);
    assert_int_equal(status, PCCT_OK);
    int64_t slab_first;
    int64_t slab_count;
    pcct_slab(count, me, ranks, &slab_first, &slab_count);
    right = right && rows.first == first + slab_first && rows.count == slab_count;
    for (int64_t r = 0; r < rows.count && right; r++) {
      const int64_t i = rows.first + r;
      right = row_right(given, i, question == SETS ? i : given->count, i, &rows, r);
    }
    seen += rows.count;
    pcct_rows_clear(&rows);
  }
  return on_all_ranks(given->context, right) && comm_sum(given->context, seen) == given->count;
}

/* Creates, checks the invariants, asks everything. */
static void try(struct given given, pcct_context *context, int64_t width) {
  given.context = context;
  assert_int_equal(create(&given), PCCT_OK);
  gather_permutation(&given);
  assert_int_equal(pcct_index_check(given.index), PCCT_OK);
  bool right = all_right(&given, SETS, width, given.count + 1) &&
               all_right(&given, SETS, width, given.count / 3 + 1);
  if (given.ordering == PCCT_ORDERING_NONE) {
    right = right && all_right(&given, NEIGHBORS, width, given.count + 1);
  }
  if (!on_all_ranks(context, right)) {
    print_message("wrong: kind %d, n %lld, d %d, ordering %d, spread %d, width %lld, lonlat %d\n",
                  (int)given.kind, (long long)given.count, given.dimension, (int)given.ordering,
                  (int)given.spread, (long long)width, given.lonlat);
  }
  assert_true(on_all_ranks(context, right));
  clear(&given);
}

static pcct_context *context_of(void **state) {
  return *state;
}

static void test_orderings(void **state) {
  const int dimensions[] = {1, 2, 3, 8, 27};
  for (int ordering = PCCT_ORDERING_NONE; ordering <= (int)PCCT_ORDERING_GIVEN; ordering++) {
    for (int d = 0; d < 5; d++) {
      try((struct given){.kind = MADE_UNIFORM,
                         .count = 240,
                         .dimension = dimensions[d],
                         .ordering = (pcct_ordering)ordering},
          context_of(state), 6);
    }
  }
}

static void test_kinds(void **state) {
  const pcct_ordering orderings[] = {PCCT_ORDERING_NONE, PCCT_ORDERING_RANDOM,
                                     PCCT_ORDERING_COORDINATE, PCCT_ORDERING_MIDDLEOUT};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int o = 0; o < 4; o++) {
      for (int d = 1; d <= 3; d++) {
        try((struct given){.kind = (enum points_made)kind,
                           .count = 200,
                           .dimension = d,
                           .ordering = orderings[o],
                           .scaled = o == 1},
            context_of(state), 7);
      }
    }
  }
}

static void test_few_points(void **state) {
  for (int64_t count = 0; count <= 9; count++) {
    for (int kind = 0; kind <= (int)MADE_COINCIDENT; kind++) {
      for (int64_t width = 1; width <= 12; width += 11) {
        try((struct given){.kind = (enum points_made)kind, .count = count, .dimension = 2},
            context_of(state), width);
        try((struct given){.kind = (enum points_made)kind,
                           .count = count,
                           .dimension = 2,
                           .ordering = PCCT_ORDERING_RANDOM},
            context_of(state), width);
      }
    }
  }
}

static void test_spreads(void **state) {
  for (int spread = EVENLY; spread <= (int)ALL_ON_FIRST; spread++) {
    for (int ordering = PCCT_ORDERING_NONE; ordering <= (int)PCCT_ORDERING_GIVEN; ordering++) {
      try((struct given){.kind = MADE_REPEATED,
                         .count = 150,
                         .dimension = 2,
                         .ordering = (pcct_ordering)ordering,
                         .spread = (enum spread)spread},
          context_of(state), 150);
    }
  }
}

static void test_lonlat(void **state) {
  try((struct given){.kind = MADE_UNIFORM, .count = 400, .dimension = 2, .lonlat = true},
      context_of(state), 9);
  try((struct given){.kind = MADE_UNIFORM,
                     .count = 400,
                     .dimension = 2,
                     .lonlat = true,
                     .ordering = PCCT_ORDERING_HILBERT},
      context_of(state), 9);
}

/* Foreign queries: some coincide with points, some lie far outside; unequal shares, one rank without any. */
static void test_queries(void **state) {
  pcct_context *context = context_of(state);
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int64_t k = 1; k <= 300; k += 299) {
      struct given given = {.kind = (enum points_made)kind,
                            .count = k == 1 ? 300 : 120,
                            .dimension = 2,
                            .context = context};
      double asked[80];
      const int64_t number = me == 1 ? 0 : 12 + me;
      assert_int_equal(create(&given), PCCT_OK);
      gather_permutation(&given);
      for (int64_t q = 0; q < number; q++) {
        made_point(given.kind, 40 * me + q, 2, asked + 2 * q);
        asked[2 * q] += q % 3 == 0 ? 0 : q % 3 == 1 ? 0.125 : -50;
      }
      pcct_points queries = {comm_scan_before(context, number), number, 2, asked};
      pcct_rows rows;
      assert_int_equal(pcct_index_query(given.index, &queries, k, &rows), PCCT_OK);
      bool right = rows.count == number && rows.width == k;
      for (int64_t q = 0; q < number && right; q++) {
        /* the oracle takes the query's coordinates as those of one more point */
        const int64_t n = given.count;
        given.search = realloc(given.search, (size_t)(2 * n + 2) * sizeof(double));
        given.search[2 * n] = asked[2 * q];
        given.search[2 * n + 1] = asked[2 * q + 1];
        right = row_right(&given, n, n, -1, &rows, q);
      }
      assert_true(on_all_ranks(context, right));
      pcct_rows_clear(&rows);
      clear(&given);
    }
  }
}

/* Duplicates are counted over ranks too: rows whose location an earlier row has. */
static void test_duplicates(void **state) {
  pcct_context *context = context_of(state);
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    struct given given = {
        .kind = (enum points_made)kind, .count = 300, .dimension = 2, .context = context};
    int64_t expected = 0;
    assert_int_equal(create(&given), PCCT_OK);
    gather_permutation(&given);
    for (int64_t i = 0; i < given.count; i++) {
      bool repeats = false;
      for (int64_t j = 0; j < i && !repeats; j++) {
        repeats = given.search[2 * i] == given.search[2 * j] &&
                  given.search[2 * i + 1] == given.search[2 * j + 1];
      }
      expected += repeats;
    }
    assert_int_equal(pcct_index_get_info(given.index).duplicates, expected);
    pcct_index_destroy(&given.index);
    pcct_index_options options = pcct_index_options_default();
    options.refuse_duplicates = true;
    pcct_status status = pcct_index_create(context, &given.points, &options, &given.index);
    assert_true(agreed_status(context, status, expected > 0 ? PCCT_INPUT : PCCT_OK));
    clear(&given);
  }
}

static void test_bad_arguments(void **state) {
  pcct_context *context = context_of(state);
  const double bad_values[] = {NAN, INFINITY, -INFINITY, 1e300};
  for (int v = 0; v < 4; v++) {
    struct given given = {.count = 50, .dimension = 2, .context = context};
    make_rows(&given);
    given.all[2 * 33 + 1] = bad_values[v];
    given.all[2 * 44] = NAN;
    int64_t first;
    int64_t count;
    pcct_slab(50, me, ranks, &first, &count);
    given.points = (pcct_points){first, count, 2, given.all + 2 * first};
    pcct_status status = pcct_index_create(context, &given.points, NULL, &given.index);
    assert_true(agreed_status(context, status, PCCT_INPUT));
    assert_non_null(strstr(pcct_context_message(context), "row 33"));
    assert_null(given.index);
    clear(&given);
  }
  struct given given = {.count = 20, .dimension = 2, .context = context};
  assert_int_equal(create(&given), PCCT_OK);
  pcct_index *index = NULL;
  pcct_rows rows;
  pcct_index_options options = pcct_index_options_default();
  options.ordering = PCCT_ORDERING_COORDINATE;
  options.axis = 2;
  assert_int_equal(pcct_index_create(context, &given.points, &options, &index), PCCT_USAGE);
  options = pcct_index_options_default();
  options.scale = (double[]){1, 0};
  assert_int_equal(pcct_index_create(context, &given.points, &options, &index), PCCT_USAGE);
  options.scale = (double[]){1, 2};
  options.coordinates = PCCT_LONLAT;
  assert_int_equal(pcct_index_create(context, &given.points, &options, &index), PCCT_USAGE);
  pcct_points gap = given.points;
  gap.first_row += 1;
  assert_int_equal(pcct_index_create(context, &gap, NULL, &index), PCCT_USAGE);
  assert_int_equal(pcct_index_conditioning_sets(given.index, 0, 0, 20, &rows), PCCT_USAGE);
  assert_int_equal(pcct_index_conditioning_sets(given.index, 1, 1, 20, &rows), PCCT_USAGE);
  assert_int_equal(pcct_index_conditioning_sets(given.index, 1, -1, 2, &rows), PCCT_USAGE);
  assert_null(rows.index32);
  clear(&given);
  given = (struct given){
      .count = 20, .dimension = 2, .ordering = PCCT_ORDERING_RANDOM, .context = context};
  assert_int_equal(create(&given), PCCT_OK);
  assert_int_equal(pcct_index_neighbors(given.index, 1, 0, 20, &rows), PCCT_USAGE);
  assert_true(agreed_status(context, PCCT_USAGE, PCCT_USAGE));
  clear(&given);
}

/* Work and messages: no query is quadratic, only queries near a boundary travel, each rank is asked once. */
static void test_counters(void **state) {
  (void)state;
  enum { COUNT = 20000, WIDTH = 10 };
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    pcct_context *context = NULL;
    pcct_rows rows;
    assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 0, &context), PCCT_OK);
    struct given given = {.kind = (enum points_made)kind,
                          .count = COUNT,
                          .dimension = 2,
                          .ordering = PCCT_ORDERING_RANDOM,
                          .context = context};
    assert_int_equal(create(&given), PCCT_OK);
    assert_int_equal(pcct_index_conditioning_sets(given.index, WIDTH, 0, COUNT, &rows), PCCT_OK);
    pcct_rows_clear(&rows);
    const int64_t *counters = context->base.counters;
    assert_true(comm_sum(context, counters[COUNTER_query_distances]) < COUNT * 500);
    assert_true(comm_sum(context, counters[COUNTER_points]) == COUNT);
    assert_true(comm_max(context, counters[COUNTER_points]) <= COUNT / ranks * 13 / 10 + 8);
    assert_true(comm_sum(context, counters[COUNTER_queries]) == COUNT);
    if (kind == (int)MADE_UNIFORM) {
      assert_true(comm_sum(context, counters[COUNTER_queries_forwarded]) < COUNT * 15 / 100);
      assert_true(comm_sum(context, counters[COUNTER_forwards]) < COUNT * 16 / 100);
    }
    if (kind == (int)MADE_COINCIDENT) { /* the first positions, which all hold, cannot be beaten */
      assert_true(comm_sum(context, counters[COUNTER_forwards]) == 0);
    }
    /* one exchange each of sample, keys, positions, points, questions, two answers, rows */
    assert_true(comm_max(context, counters[COUNTER_messages]) <= 12 * ranks);
    clear(&given);
    pcct_context_destroy(&context);
  }
}

/* Contexts on different communicators work side by side and give the same rows. */
static void test_contexts(void **state) {
  (void)state;
  MPI_Comm half;
  pcct_context *small = NULL;
  pcct_context *whole = NULL;
  pcct_rows rows[2];
  MPI_Comm_split(MPI_COMM_WORLD, me % 2, me, &half);
  assert_int_equal(pcct_context_create(half, 1, &small), PCCT_OK);
  assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 1, &whole), PCCT_OK);
  struct given given = {.kind = MADE_LATTICE, .count = 90, .dimension = 2, .context = whole};
  assert_int_equal(create(&given), PCCT_OK);
  int64_t first;
  int64_t count;
  int small_rank;
  int small_size;
  MPI_Comm_rank(half, &small_rank);
  MPI_Comm_size(half, &small_size);
  pcct_slab(90, small_rank, small_size, &first, &count);
  pcct_points points = {first, count, 2, given.all + 2 * first};
  pcct_index *index = NULL;
  assert_int_equal(pcct_index_create(small, &points, NULL, &index), PCCT_OK);
  assert_int_equal(pcct_index_neighbors(index, 4, 0, 90, &rows[0]), PCCT_OK);
  assert_int_equal(pcct_index_neighbors(given.index, 4, 0, 90, &rows[1]), PCCT_OK);
  for (int64_t r = 0; r < rows[1].count; r++) {
    const int64_t other = rows[1].first + r - rows[0].first;
    if (other >= 0 && other < rows[0].count) {
      assert_memory_equal(rows[0].index32 + 4 * other, rows[1].index32 + 4 * r, 16);
    }
  }
  pcct_rows_clear(&rows[0]);
  pcct_rows_clear(&rows[1]);
  pcct_index_destroy(&index);
  clear(&given);
  pcct_context_destroy(&small);
  pcct_context_destroy(&whole);
  MPI_Comm_free(&half);
}

/* One rank after another runs out of memory at one allocation after another: the same status everywhere, no
 * rank left waiting. */
static void test_memory(void **state) {
  (void)state;
  bool finished = false;
  for (int64_t allowed = 0; !finished; allowed += 1 + allowed / 10) {
    pcct_context *context = NULL;
    pcct_rows rows = {0};
    assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 1, &context), PCCT_OK);
    context->base.allocations_left = me == (int)(allowed % ranks) ? allowed : -1;
    struct given given = {.kind = MADE_REPEATED, .count = 60, .dimension = 2, .context = context};
    given.ordering = PCCT_ORDERING_RANDOM;
    pcct_status status = create(&given);
    if (status == PCCT_OK) {
      status = pcct_index_conditioning_sets(given.index, 5, 0, 60, &rows);
      finished = status == PCCT_OK;
    }
    assert_true(agreed_status(context, status, finished ? PCCT_OK : PCCT_MEMORY));
    pcct_rows_clear(&rows);
    clear(&given);
    pcct_context_destroy(&context);
  }
}

/* Two levels of regions: one group of all ranks, groups of some, groups of one. */
static void test_groups(void **state) {
  static const char *const limits[] = {"1", "16", "30"};
  static const enum points_made kinds[] = {MADE_UNIFORM, MADE_LATTICE, MADE_LOPSIDED};
  pcct_context *context = context_of(state);
  for (int l = 0; l < 3; l++) {
    assert_int_equal(pcct_context_set(context, "directory-regions", limits[l]), PCCT_OK);
    for (int k = 0; k < 3; k++) {
      for (int o = 0; o < 2; o++) {
        try((struct given){.kind = kinds[k],
                           .count = 300,
                           .dimension = 2 + o,
                           .ordering = o ? PCCT_ORDERING_RANDOM : PCCT_ORDERING_NONE},
            context, 9);
      }
    }
  }
  test_queries(state); /* with the last limit */
  assert_int_equal(pcct_context_set(context, "directory-regions", "4096"), PCCT_OK);
}

/* Messages of one question: far more of them than ranks. */
static void test_small_messages(void **state) {
  pcct_context *context = context_of(state);
  const int64_t bytes = context->piece_bytes;
  context->piece_bytes = 64;
  for (int d = 2; d <= 8; d += 6) {
    try(
        (struct given){
            .kind = MADE_UNIFORM, .count = 500, .dimension = d, .ordering = PCCT_ORDERING_RANDOM},
        context, 9);
  }
  test_queries(state);
  context->piece_bytes = bytes;
}

/* Directory and prefix in memory of the node. */
static void test_shared(void **state) {
  pcct_context *context = context_of(state);
  const int64_t bytes = context->share_bytes;
  context->share_bytes = 0;
  for (int d = 1; d <= 3; d++) {
    try(
        (struct given){
            .kind = MADE_LATTICE, .count = 900, .dimension = d, .ordering = PCCT_ORDERING_RANDOM},
        context, 8);
  }
  test_queries(state);
  context->share_bytes = bytes;
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
      cmocka_unit_test(test_orderings),  cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_few_points), cmocka_unit_test(test_spreads),
      cmocka_unit_test(test_lonlat),     cmocka_unit_test(test_queries),
      cmocka_unit_test(test_duplicates), cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_counters),   cmocka_unit_test(test_contexts),
      cmocka_unit_test(test_memory),     cmocka_unit_test(test_groups),
      cmocka_unit_test(test_shared),     cmocka_unit_test(test_small_messages),
  };
  int failures = cmocka_run_group_tests_name("index", tests, start, stop);
  MPI_Finalize();
  return failures != 0;
}
