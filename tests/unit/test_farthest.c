/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * Orderings by growing nets against their definitions, step by step over all points: positions and length scales
 * bit for bit. Every rank computes all of them.
 */
#include "pcct.h"
#include "test_base_ranks.h"
#include "test_points_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MADE_POWERS = MADE_KINDS, MADE_UTM, MADE_CLUSTERS, KINDS };

/* Sanitizers make everything slow: they see as much with fewer points. */
#ifdef __SANITIZE_ADDRESS__
enum { FEWER = 4, MEMORY_STEP = 13 };
#else
enum { FEWER = 1, MEMORY_STEP = 5 };
#endif

/* What is ordered, and how. */
struct problem {
  int kind, dimension, pattern, groups; /* groups 0: none */
  int64_t n;
  pcct_index_options options;
};

static void make_point(int kind, int64_t row, int d, double *x) {
  if (kind < MADE_KINDS) {
    made_point((enum points_made)kind, row, d, x);
    return;
  }
  for (int j = 0; j < d; j++) {
    const double u = made_uniform(row, j);
    x[j] = kind == MADE_POWERS ? (j == 0 ? ldexp(1, (int)(row % 900) - 450) : 0)
           : kind == MADE_UTM  ? (j == 0 ? 5e5 : 4.2e6) + floor(u * 3e4) / 8
                               : floor(4 * made_uniform(row % 13, j)) + 1e-3 * u;
  }
}

static int group_of(const struct problem *problem, int64_t row) {
  return problem->groups == 0 ? 0 : (int)(made_uniform(row, 60) * problem->groups) * 3;
}

/* Maximum of absolute differences plus half their sum: a metric. */
static double mixed(const double *a, const double *b, int d, void *user) {
  double most = 0, sum = 0;
  (void)user;
  for (int j = 0; j < d; j++) {
    const double size = fabs(a[j] - b[j]);
    most = size > most ? size : most;
    sum += size;
  }
  return most + 0.5 * sum;
}

/* The value that is compared: squared for Euclidean. */
static double kernel(const struct problem *problem, const double *a, const double *b) {
  const int d = problem->dimension;
  double value = 0;
  if (problem->options.metric == PCCT_USER_METRIC) {
    return mixed(a, b, d, NULL);
  }
  for (int j = 0; j < d; j++) {
    const double size = fabs(a[j] - b[j]);
    if (problem->options.metric == PCCT_EUCLIDEAN) {
      value += size * size;
    } else if (problem->options.metric == PCCT_MANHATTAN) {
      value += size;
    } else {
      value = size > value ? size : value;
    }
  }
  return value;
}

static double root(const struct problem *problem, double value) {
  return problem->options.metric == PCCT_EUCLIDEAN ? sqrt(value) : value;
}

/* ---- the definitions */

struct expected {
  double *x;       /* [n][d] */
  double *value;   /* [n] kernel value to the nearest chosen point */
  int *chosen;     /* [n] */
  double *key;     /* [n] groups: smaller ones first */
  int64_t *row;    /* [n] by position */
  double *length;  /* [n] by position */
  uint64_t *order; /* [n] of LEVEL */
};

static void choose(const struct problem *problem, struct expected *e, int64_t row, int64_t at,
                   double length) {
  e->chosen[row] = 1;
  e->row[at] = row;
  e->length[at] = length;
  for (int64_t i = 0; i < problem->n; i++) {
    const double value =
        kernel(problem, e->x + row * problem->dimension, e->x + i * problem->dimension);
    e->value[i] = value < e->value[i] ? value : e->value[i];
  }
}

/* The first row of the first group. */
static int64_t first_row(const struct problem *problem, const struct expected *e, double key) {
  const int d = problem->dimension;
  double mean[8] = {0};
  int64_t best = -1, members = 0;
  double least = INFINITY;
  if (problem->options.start == PCCT_START_ROW) {
    return problem->options.start_row;
  }
  for (int j = 0; j < d; j++) {
    long double sum = 0;
    members = 0;
    for (int64_t i = 0; i < problem->n; i++) {
      sum += e->key[i] == key ? (long double)e->x[i * d + j] : 0;
      members += e->key[i] == key;
    }
    mean[j] = (double)(sum / (long double)members);
  }
  for (int64_t i = 0; i < problem->n; i++) {
    double value = 0;
    for (int j = 0; j < d; j++) {
      const double size = e->x[i * d + j] - mean[j];
      value += problem->options.start == PCCT_START_CENTRE ? size * size : 0;
    }
    if (e->key[i] == key && value < least) {
      least = value;
      best = i;
    }
  }
  return best;
}

static int64_t run_maximin(const struct problem *problem, struct expected *e, double key,
                           int64_t at) {
  for (;;) {
    int64_t best = -1;
    for (int64_t i = 0; i < problem->n; i++) {
      if (e->key[i] == key && !e->chosen[i] && (best < 0 || e->value[i] > e->value[best])) {
        best = i;
      }
    }
    if (best < 0) {
      return at;
    }
    choose(problem, e, best, at++, root(problem, e->value[best]));
  }
}

static int64_t run_level(const struct problem *problem, struct expected *e, double key,
                         int64_t at) {
  for (;;) {
    double most = -1;
    for (int64_t i = 0; i < problem->n; i++) {
      most = e->key[i] == key && !e->chosen[i] && e->value[i] > most ? e->value[i] : most;
    }
    if (most < 0) {
      return at;
    }
    /* the largest scale with a point to choose: 2^i < its distance; none for duplicates */
    double scale = 0;
    if (most > 0) {
      scale = 0x1p600;
      while (!(problem->options.metric == PCCT_EUCLIDEAN ? scale * scale < most : scale < most)) {
        scale *= 0.5;
      }
    }
    const double value = problem->options.metric == PCCT_EUCLIDEAN ? scale * scale : scale;
    for (;;) {
      int64_t best = -1;
      for (int64_t i = 0; i < problem->n; i++) {
        const int open = e->key[i] == key && !e->chosen[i] &&
                         (e->value[i] > value || (most == 0 && e->value[i] == 0));
        if (open && (best < 0 || e->order[i] < e->order[best])) {
          best = i;
        }
      }
      if (best < 0) {
        break;
      }
      choose(problem, e, best, at++, scale);
    }
  }
}

static int64_t start_level(const struct problem *problem, const struct expected *e, double key) {
  int64_t best = -1;
  for (int64_t i = 0; i < problem->n; i++) {
    if (e->key[i] == key && (best < 0 || e->order[i] < e->order[best])) {
      best = i;
    }
  }
  return best;
}

static void expect(const struct problem *problem, struct expected *e) {
  const int64_t n = problem->n;
  const int level = problem->options.ordering == PCCT_ORDERING_LEVEL;
  const size_t size = (size_t)(n + 1);
  int64_t at = 0;
  e->x = malloc(size * (size_t)problem->dimension * sizeof *e->x);
  e->value = malloc(size * sizeof *e->value);
  e->chosen = calloc(size, sizeof *e->chosen);
  e->key = malloc(size * sizeof *e->key);
  e->row = malloc(size * sizeof *e->row);
  e->length = malloc(size * sizeof *e->length);
  e->order = malloc(size * sizeof *e->order);
  for (int64_t i = 0; i < n; i++) {
    double *x = e->x + i * problem->dimension;
    make_point(problem->kind, i, problem->dimension, x);
    e->value[i] = INFINITY;
    e->key[i] = problem->options.ordering == PCCT_ORDERING_TIME_MAXIMIN ? x[problem->options.axis]
                                                                        : group_of(problem, i);
    e->order[i] = random_bits(problem->options.seed, RANDOM_ORDERING, (uint64_t)i);
  }
  while (at < n) {
    double key = INFINITY;
    for (int64_t i = 0; i < n; i++) {
      key = !e->chosen[i] && e->key[i] < key ? e->key[i] : key;
    }
    if (at == 0) {
      choose(problem, e, level ? start_level(problem, e, key) : first_row(problem, e, key), at++,
             INFINITY);
    }
    at = level ? run_level(problem, e, key, at) : run_maximin(problem, e, key, at);
  }
}

static void forget(struct expected *e) {
  free(e->x);
  free(e->value);
  free(e->chosen);
  free(e->key);
  free(e->row);
  free(e->length);
  free(e->order);
}

/* ---- ours against them */

/* This rank's rows: even, all on one rank, or every third rank empty. */
static void share(const pcct_context *context, const struct problem *problem, int64_t *first,
                  int64_t *count) {
  pcct_slab(problem->n, context->rank, context->size, first, count);
  if (problem->pattern == 1) {
    *count = context->rank == context->size - 1 ? problem->n : 0;
    *first = 0;
  } else if (problem->pattern == 2 && context->size > 2) {
    const int full = context->size - (context->size + 2) / 3;
    int before = 0;
    for (int rank = 0; rank < context->rank; rank++) {
      before += rank % 3 != 0;
    }
    pcct_slab(problem->n, before < full ? before : full - 1, full, first, count);
    if (context->rank % 3 == 0) {
      *count = 0;
      *first = before < full ? *first : problem->n;
    }
  }
}

static void compare(pcct_context *context, const struct problem *problem) {
  struct expected e;
  struct problem asked = *problem;
  pcct_points points = {.dimension = problem->dimension};
  pcct_index *index = NULL;
  expect(problem, &e);
  share(context, problem, &points.first_row, &points.count);
  points.coordinates = e.x + points.first_row * problem->dimension;
  int32_t *group = malloc((size_t)(points.count + 1) * sizeof *group);
  for (int64_t i = 0; i < points.count; i++) {
    group[i] = group_of(problem, points.first_row + i);
  }
  asked.options.group = problem->groups > 0 ? group : NULL;
  asked.options.distance = problem->options.metric == PCCT_USER_METRIC ? mixed : NULL;
  const pcct_status status = pcct_index_create(context, &points, &asked.options, &index);
  assert_true(agreed_status(context, status, PCCT_OK));
  bool right = true;
  const int64_t *position = pcct_index_positions(index);
  const double *length = pcct_index_length_scales(index);
  for (int64_t p = 0; p < problem->n; p++) {
    const int64_t own = e.row[p] - points.first_row;
    if (own >= 0 && own < points.count) {
      right &= position[own] == p && memcmp(&length[own], &e.length[p], sizeof *length) == 0;
    }
  }
  right = on_all_ranks(context, right);
  if (!right) {
    print_error("rank %d: ordering %d kind %d dimension %d n %lld pattern %d groups %d metric %d\n",
                context->rank, (int)problem->options.ordering, problem->kind, problem->dimension,
                (long long)problem->n, problem->pattern, problem->groups,
                (int)problem->options.metric);
  }
  assert_true(right);
  assert_int_equal(pcct_index_check(index), PCCT_OK);
  pcct_index_destroy(&index);
  free(group);
  forget(&e);
}

static void test_kinds(void **state) {
  pcct_context *context = *state;
  const pcct_ordering orderings[] = {PCCT_ORDERING_MAXIMIN, PCCT_ORDERING_LEVEL};
  for (int kind = 0; kind < KINDS; kind++) {
    for (int d = 1; d <= 3; d++) {
      for (int o = 0; o < 2; o++) {
        struct problem problem = {.kind = kind,
                                  .dimension = d,
                                  .n = (kind == MADE_POWERS ? 300 : 600) / FEWER,
                                  .pattern = (kind + d) % 3,
                                  .options = {.ordering = orderings[o], .seed = 4}};
        compare(context, &problem);
      }
    }
  }
}

static void test_sizes(void **state) {
  pcct_context *context = *state;
  const int64_t sizes[] = {0, 1, 2, 3, 8, 9, 65, 130};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int kind = 0; kind < KINDS; kind += 2) {
      for (int pattern = 0; pattern < 3; pattern++) {
        struct problem problem = {.kind = kind,
                                  .dimension = 2,
                                  .n = sizes[i],
                                  .pattern = pattern,
                                  .options = {.ordering = PCCT_ORDERING_MAXIMIN}};
        compare(context, &problem);
        problem.options.ordering = PCCT_ORDERING_LEVEL;
        compare(context, &problem);
      }
    }
  }
}

static void test_metrics(void **state) {
  pcct_context *context = *state;
  const pcct_metric metrics[] = {PCCT_MANHATTAN, PCCT_CHEBYSHEV, PCCT_USER_METRIC, PCCT_EUCLIDEAN};
  for (int m = 0; m < 4; m++) {
    for (int kind = 0; kind < 4; kind++) {
      struct problem problem = {
          .kind = kind,
          .dimension = metrics[m] == PCCT_EUCLIDEAN ? 5 : 2,
          .n = 400 / FEWER,
          .options = {.ordering = PCCT_ORDERING_MAXIMIN, .metric = metrics[m]}};
      compare(context, &problem);
      problem.options.ordering = PCCT_ORDERING_LEVEL;
      compare(context, &problem);
    }
  }
}

static void test_starts(void **state) {
  pcct_context *context = *state;
  for (int start = 0; start < 3; start++) {
    struct problem problem = {.kind = MADE_LATTICE,
                              .dimension = 2,
                              .n = 300,
                              .options = {.ordering = PCCT_ORDERING_MAXIMIN,
                                          .start = (pcct_start)start,
                                          .start_row = 217}};
    compare(context, &problem);
  }
}

static void test_groups(void **state) {
  pcct_context *context = *state;
  for (int kind = 0; kind < KINDS; kind++) {
    for (int groups = 2; groups <= 40; groups += 19) {
      struct problem problem = {.kind = kind,
                                .dimension = 2,
                                .n = (kind == MADE_POWERS ? 120 : 400) / FEWER,
                                .groups = groups,
                                .pattern = kind % 3,
                                .options = {.ordering = PCCT_ORDERING_MAXIMIN, .seed = 1}};
      compare(context, &problem);
      problem.options.ordering = PCCT_ORDERING_LEVEL;
      compare(context, &problem);
    }
  }
}

static void test_times(void **state) {
  pcct_context *context = *state;
  const int kinds[] = {MADE_LATTICE, MADE_UNIFORM, MADE_REPEATED, MADE_COINCIDENT};
  for (int i = 0; i < 4; i++) {
    struct problem problem = {.kind = kinds[i],
                              .dimension = 3,
                              .n = 250 / FEWER,
                              .options = {.ordering = PCCT_ORDERING_TIME_MAXIMIN, .axis = i % 3}};
    compare(context, &problem);
  }
}

/* Farthest-first by hand: (0,0), (-1,0), (1.1,0), (-1.9,0), (2.3,0) from row 0. */
static void test_by_hand(void **state) {
  pcct_context *context = *state;
  const double x[] = {0, 0, -1, 0, 1.1, 0, -1.9, 0, 2.3, 0};
  const int64_t position_of[] = {0, 4, 3, 2, 1};
  const double length_of[] = {INFINITY, 0.9, 1.1, 1.9, 2.3};
  pcct_points points = {.dimension = 2};
  pcct_index_options options = {
      .ordering = PCCT_ORDERING_MAXIMIN, .start = PCCT_START_ROW, .start_row = 0};
  pcct_index *index = NULL;
  pcct_slab(5, context->rank, context->size, &points.first_row, &points.count);
  points.coordinates = x + 2 * points.first_row;
  assert_int_equal(pcct_index_create(context, &points, &options, &index), PCCT_OK);
  bool right = true;
  for (int64_t i = 0; i < points.count; i++) {
    right &= pcct_index_positions(index)[i] == position_of[points.first_row + i];
    const double length = pcct_index_length_scales(index)[i];
    const double expected = length_of[points.first_row + i];
    right &= length == expected || fabs(length - expected) < 1e-15;
  }
  assert_true(on_all_ranks(context, right));
  pcct_index_destroy(&index);
}

static void test_refused(void **state) {
  pcct_context *context = *state;
  struct problem problem = {.kind = MADE_UNIFORM, .dimension = 2, .n = 50};
  const pcct_index_options bad[] = {
      {.ordering = PCCT_ORDERING_MAXIMIN, .start = PCCT_START_ROW, .start_row = 50},
      {.ordering = PCCT_ORDERING_RANDOM, .start = PCCT_START_FIRST},
      {.ordering = PCCT_ORDERING_TIME_MAXIMIN, .axis = 2},
      {.ordering = (pcct_ordering)12}};
  double x[100];
  pcct_points points = {.dimension = 2};
  share(context, &problem, &points.first_row, &points.count);
  for (int64_t i = 0; i < points.count; i++) {
    made_point(MADE_UNIFORM, points.first_row + i, 2, x + 2 * i);
  }
  points.coordinates = x;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    pcct_index *index = NULL;
    const pcct_status status = pcct_index_create(context, &points, &bad[i], &index);
    assert_true(agreed_status(context, status, PCCT_USAGE));
    assert_null(index);
  }
}

/* Few rounds for even data, one a point for exponentially spaced ones, whose work stays small. */
static void test_work(void **state) {
  pcct_context *context = *state;
  const int kinds[] = {MADE_UNIFORM, MADE_POWERS};
  for (int i = 0; i < 2; i++) {
    const int64_t n = (i == 0 ? 20000 : 800) / FEWER;
    int64_t before[COUNTER_COUNT];
    pcct_points points = {.dimension = 2};
    pcct_index_options options = {.ordering = PCCT_ORDERING_MAXIMIN};
    pcct_index *index = NULL;
    pcct_slab(n, context->rank, context->size, &points.first_row, &points.count);
    double *x = malloc((size_t)(2 * points.count + 1) * sizeof *x);
    for (int64_t row = 0; row < points.count; row++) {
      make_point(kinds[i], points.first_row + row, 2, x + 2 * row);
    }
    points.coordinates = x;
    memcpy(before, context->base.counters, sizeof before);
    assert_int_equal(pcct_index_create(context, &points, &options, &index), PCCT_OK);
    const int64_t *now = context->base.counters;
    const int64_t rounds =
        comm_max(context, now[COUNTER_ordering_rounds] - before[COUNTER_ordering_rounds]);
    const int64_t distances =
        comm_sum(context, now[COUNTER_ordering_distances] - before[COUNTER_ordering_distances]);
    if (context->rank == 0) {
      print_message("n %lld: %lld rounds, %lld distances\n", (long long)n, (long long)rounds,
                    (long long)distances);
    }
    assert_true(rounds <= (i == 0 ? 150 : n));
    assert_true(distances < (i == 0 ? 1000 * n : 4000 * n));
    pcct_index_destroy(&index);
    free(x);
  }
}

/* Wherever memory ends, on one rank: the same failure on all, and nothing leaked. */
static void test_memory(void **state) {
  const pcct_ordering orderings[] = {PCCT_ORDERING_MAXIMIN, PCCT_ORDERING_LEVEL,
                                     PCCT_ORDERING_TIME_MAXIMIN};
  pcct_context *outer = *state;
  for (int o = 0; o < 3; o++) {
    bool finished = false;
    for (int64_t allowed = 0; !finished; allowed += allowed < 40 / FEWER ? 1 : MEMORY_STEP) {
      pcct_context *context = NULL;
      pcct_index *index = NULL;
      double x[200];
      int32_t group[100];
      struct problem problem = {.kind = MADE_LATTICE, .dimension = 2, .n = 90};
      pcct_points points = {.dimension = 2};
      pcct_index_options options = {.ordering = orderings[o], .group = o == 2 ? NULL : group};
      share(outer, &problem, &points.first_row, &points.count);
      for (int64_t i = 0; i < points.count; i++) {
        made_point(MADE_LATTICE, points.first_row + i, 2, x + 2 * i);
        group[i] = (int32_t)(i % 2);
      }
      points.coordinates = x;
      assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 1, &context), PCCT_OK);
      const bool starved = context->rank == (int)(allowed % context->size);
      context->base.allocations_left = starved ? allowed : -1;
      const pcct_status status = pcct_index_create(context, &points, &options, &index);
      finished = status == PCCT_OK;
      assert_true(agreed_status(context, status, finished ? PCCT_OK : PCCT_MEMORY));
      assert_true(finished || !index);
      pcct_index_destroy(&index);
      pcct_context_destroy(&context);
      assert_true(allowed < 2000);
    }
  }
}

static int setup(void **state) {
  static pcct_context *context;
  if (pcct_context_create(MPI_COMM_WORLD, 0, &context) != PCCT_OK) {
    return 1;
  }
  *state = context;
  return 0;
}

static int teardown(void **state) {
  pcct_context *context = *state;
  pcct_context_destroy(&context);
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),   cmocka_unit_test(test_sizes),
                                     cmocka_unit_test(test_metrics), cmocka_unit_test(test_starts),
                                     cmocka_unit_test(test_groups),  cmocka_unit_test(test_times),
                                     cmocka_unit_test(test_by_hand), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_work),    cmocka_unit_test(test_memory)};
  MPI_Init(&argc, &argv);
  const int failed = cmocka_run_group_tests(tests, setup, teardown);
  MPI_Finalize();
  return failed;
}
