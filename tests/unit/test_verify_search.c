/*
 * The search of `verify` against the definition, written out plainly: all values, one full sort.
 */
#include "app/verify_search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum shape { UNIFORM, LATTICE, COPIES, FEW_PLACES, AXIS_LINE, DIAGONAL, CLUSTERS, SHAPE_COUNT };

static const char *shape_names[] = {"uniform",   "lattice",  "copies",  "few places",
                                    "axis line", "diagonal", "clusters"};

/* A plain generator for test data: nothing here depends on its quality. */
static double next_uniform(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) * 0x1p-53;
}

static void fill(enum shape shape, int dimension, int64_t count, double *points, uint64_t seed) {
  uint64_t state = seed;
  for (int64_t i = 0; i < count; i++) {
    double along = next_uniform(&state);
    double width = pow(10, -floor(6 * next_uniform(&state)));
    for (int j = 0; j < dimension; j++) {
      double uniform = next_uniform(&state);
      double *x = &points[i * dimension + j];
      switch (shape) {
      case LATTICE:
        *x = 0.1 * floor(7 * uniform);
        break;
      case COPIES:
        *x = 0.3;
        break;
      case FEW_PLACES:
        *x = floor(1.5 * uniform);
        break;
      case AXIS_LINE:
        *x = j == dimension - 1 ? along : 1e-14 * uniform;
        break;
      case DIAGONAL:
        *x = along * (j + 1);
        break;
      case CLUSTERS:
        *x = width + width * width * uniform;
        break;
      default:
        *x = uniform;
      }
    }
  }
}

static int compare_near(const void *a, const void *b) {
  const struct verify_near *first = a, *second = b;
  if (first->value != second->value) {
    return first->value < second->value ? -1 : 1;
  }
  return (first->index > second->index) - (first->index < second->index);
}

struct expectation {
  enum metric_kind kind;
  int dimension;
  int64_t count, k;
  const double *points;
  const struct verify_queries *queries;
  int64_t visited, wrong;
};

/* Compares one answer with the definition. */
static void compare_answer(void *user, int64_t q, int64_t found, const struct verify_near *near) {
  struct expectation *expected = user;
  int dimension = expected->dimension;
  const struct verify_queries *queries = expected->queries;
  int64_t own = queries->admission == VERIFY_ALL ? -1 : queries->own[q];
  const double *from =
      own < 0 ? queries->coordinates + q * dimension : expected->points + own * dimension;
  struct verify_near *all = malloc((size_t)(expected->count + 1) * sizeof *all);
  int64_t admissible = 0;
  for (int64_t i = 0; i < expected->count; i++) {
    if (i == own || (queries->admission == VERIFY_PREDECESSORS && i > own)) {
      continue;
    }
    double value = 0;
    for (int j = 0; j < dimension; j++) {
      double difference = from[j] - expected->points[i * dimension + j];
      value = expected->kind == METRIC_EUCLIDEAN   ? value + difference * difference
              : expected->kind == METRIC_MANHATTAN ? value + fabs(difference)
              : fabs(difference) > value           ? fabs(difference)
                                                   : value;
    }
    all[admissible++] = (struct verify_near){value, i};
  }
  qsort(all, (size_t)admissible, sizeof *all, compare_near);
  int64_t wanted = admissible < expected->k ? admissible : expected->k;
  int wrong = found != wanted;
  for (int64_t i = 0; !wrong && i < wanted; i++) {
    wrong = compare_near(&all[i], &near[i]) != 0;
  }
  free(all);
#pragma omp atomic
  expected->visited++; /* counted by all threads */
  if (wrong) {
#pragma omp atomic
    expected->wrong++;
  }
}

static void check(struct base *base, enum metric_kind kind, enum shape shape, int dimension,
                  int64_t count, int64_t k, enum verify_admission admission) {
  double *points = calloc((size_t)(count * dimension) + 1, sizeof *points);
  double *foreign = calloc((size_t)(count * dimension) + 1, sizeof *foreign);
  int64_t *own = calloc((size_t)count + 1, sizeof *own);
  fill(shape, dimension, count, points, 7);
  fill(count % 2 ? shape : UNIFORM, dimension, count, foreign, 8);
  for (int64_t i = 0; i < count; i++) {
    own[i] = count - 1 - i;
  }
  struct verify_queries queries = {admission, count, own, foreign};
  struct expectation expected = {kind, dimension, count, k, points, &queries, 0, 0};
  struct verify_search *search = NULL;
  assert_int_equal(verify_search_create(base, kind, dimension, points, count, &search), PCCT_OK);
  assert_int_equal(verify_search_run(base, search, &queries, k, compare_answer, &expected),
                   PCCT_OK);
  verify_search_destroy(&search);
  if (expected.wrong > 0) {
    fail_msg("%s: metric %d, %d axes, %lld points, k = %lld, admission %d: %lld answers are wrong",
             shape_names[shape], (int)kind, dimension, (long long)count, (long long)k,
             (int)admission, (long long)expected.wrong);
  }
  assert_int_equal(expected.visited, count);
  free(points);
  free(foreign);
  free(own);
}

static void test_definition(void **state) {
  (void)state;
  static const int dimensions[] = {1, 2, 3, 5};
  static const int64_t wanted[] = {1, 7, 40};
  struct base base;
  base_init(&base, 2);
  for (int shape = 0; shape < SHAPE_COUNT; shape++) {
    for (int d = 0; d < 4; d++) {
      for (int k = 0; k < 3; k++) {
        for (int admission = VERIFY_PREDECESSORS; admission <= VERIFY_ALL; admission++) {
          for (int kind = METRIC_EUCLIDEAN; kind <= METRIC_CHEBYSHEV; kind++) {
            check(&base, (enum metric_kind)kind, (enum shape)shape, dimensions[d],
                  kind == METRIC_EUCLIDEAN ? 301 : 151, wanted[k],
                  (enum verify_admission)admission);
            check(&base, (enum metric_kind)kind, (enum shape)shape, dimensions[d], 30, wanted[k],
                  (enum verify_admission)admission);
          }
        }
      }
    }
  }
}

static void test_small(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  for (int64_t count = 0; count <= 3; count++) {
    for (int dimension = 1; dimension <= 4; dimension++) {
      check(&base, METRIC_EUCLIDEAN, UNIFORM, dimension, count, 2, VERIFY_PREDECESSORS);
      check(&base, METRIC_EUCLIDEAN, UNIFORM, dimension, count, 5, VERIFY_OTHERS);
      check(&base, METRIC_CHEBYSHEV, COPIES, dimension, count, 5, VERIFY_ALL);
    }
  }
}

/* Neighbouring doubles cannot be halved in the middle; subnormal gaps and huge values neither harm.
 */
static void test_extreme_values(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  double points[200];
  int64_t own[200];
  for (int64_t i = 0; i < 200; i++) {
    own[i] = i;
    points[i] = i % 3 == 0   ? 1.0
                : i % 3 == 1 ? nextafter(1.0, 2.0)
                             : ldexp(1.0, (int)(5 * i - 500));
  }
  struct verify_queries queries = {VERIFY_OTHERS, 200, own, NULL};
  struct expectation expected = {METRIC_EUCLIDEAN, 1, 200, 9, points, &queries, 0, 0};
  struct verify_search *search = NULL;
  assert_int_equal(verify_search_create(&base, METRIC_EUCLIDEAN, 1, points, 200, &search), PCCT_OK);
  assert_int_equal(verify_search_run(&base, search, &queries, 9, compare_answer, &expected),
                   PCCT_OK);
  verify_search_destroy(&search);
  assert_int_equal(expected.visited, 200);
  assert_int_equal(expected.wrong, 0);
}

/* Every allocation that fails is reported, and nothing is left behind (seen by a leak checker). */
static void test_allocations(void **state) {
  (void)state;
  double points[300];
  int64_t own[100];
  fill(UNIFORM, 3, 100, points, 9);
  for (int64_t i = 0; i < 100; i++) {
    own[i] = i;
  }
  struct verify_queries queries = {VERIFY_OTHERS, 100, own, NULL};
  struct expectation expected = {METRIC_MANHATTAN, 3, 100, 4, points, &queries, 0, 0};
  pcct_status status = PCCT_MEMORY;
  for (int64_t allowed = 0; status != PCCT_OK; allowed++) {
    struct base base;
    struct verify_search *search = NULL;
    base_init(&base, 1);
    base.allocations_left = allowed;
    status = verify_search_create(&base, METRIC_MANHATTAN, 3, points, 100, &search);
    if (status == PCCT_OK) {
      status = verify_search_run(&base, search, &queries, 4, compare_answer, &expected);
    } else {
      assert_null(search);
    }
    assert_true(status == PCCT_OK || status == PCCT_MEMORY);
    assert_true(allowed < 50);
    verify_search_destroy(&search);
  }
  assert_int_equal(expected.visited, 100);
  assert_int_equal(expected.wrong, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_definition),
      cmocka_unit_test(test_small),
      cmocka_unit_test(test_extreme_values),
      cmocka_unit_test(test_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
