/* threads: 1 2 */
/*
 * Conflict graphs: every builder gives the brute-force edges, whatever its settings, instruction set and
 * threads; budgets, work and failing allocations.
 */
#include "test_points_made.h"
#include "tree/conflict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SPACED = MADE_KINDS, CLUMPS, SCALES, KINDS };

struct batch {
  struct base base;
  struct metric metric;
  struct conflict_points points;
  double *coordinates;
  int16_t *level;
};

static const enum conflict_builder builders[] = {CONFLICT_AUTO, CONFLICT_DENSE, CONFLICT_SEGMENTED,
                                                 CONFLICT_GRID};

static int has_builder(const struct batch *batch, enum conflict_builder builder) {
  return builder != CONFLICT_GRID || batch->metric.kind != METRIC_USER;
}

/* A user metric whose values are rounded: the Euclidean distance with weights. */
static double weighted(const double *a, const double *b, int dimension, void *user) {
  double sum = 0;
  for (int j = 0; j < dimension; j++) {
    double difference = (a[j] - b[j]) * ((const double *)user)[j % 3];
    sum += difference * difference;
  }
  return sqrt(sum);
}
static double weights[3] = {1, 0.7, 1.3};

static void place(int kind, int count, int row, int d, double *x) {
  if (kind < MADE_KINDS) {
    made_point((enum points_made)kind, row, d, x);
    return;
  }
  for (int j = 0; j < d; j++) {
    switch (kind) {
    case SPACED: /* distances from 2^-500 to 2^500 */
      x[j] = j == 0 ? ldexp(1, -500 + (int)(1000.0 * row / count)) : 0;
      break;
    case CLUMPS: /* close together, clumps far apart */
      x[j] = made_uniform(row / 17, j) + 1e-3 * made_uniform(row, j);
      break;
    default: /* clusters of widths over 6 decades */
      x[j] = made_uniform(row % 5, j) + pow(10, -(row % 7)) * made_uniform(row, j);
      break;
    }
  }
}

static const double *sort_coordinates;
static int sort_dimension;

/* Strips along axis 1, each sorted along axis 0: neighbours in the order are mostly near. */
static int compare_places(const void *a, const void *b) {
  const double *x = sort_coordinates + *(const int *)a * sort_dimension;
  const double *y = sort_coordinates + *(const int *)b * sort_dimension;
  const double strip_x = sort_dimension > 1 ? floor(8 * x[1]) : 0;
  const double strip_y = sort_dimension > 1 ? floor(8 * y[1]) : 0;
  if (strip_x != strip_y) {
    return strip_x < strip_y ? -1 : 1;
  }
  return x[0] < y[0] ? -1 : x[0] > y[0];
}

static double plain_value(const struct batch *batch, int a, int b) {
  const int d = batch->metric.dimension;
  const double *x = batch->coordinates + (a < b ? a : b) * d;
  const double *y = batch->coordinates + (a < b ? b : a) * d;
  double value = 0;
  if (batch->metric.kind == METRIC_USER) {
    return weighted(x, y, d, weights);
  }
  for (int j = 0; j < d; j++) {
    double difference = fabs(x[j] - y[j]);
    if (batch->metric.kind == METRIC_CHEBYSHEV) {
      value = fmax(value, difference);
    } else {
      value += batch->metric.kind == METRIC_MANHATTAN ? difference : difference * difference;
    }
  }
  return value;
}

/* Points of a kind in spatial order. A level is what the distance to some other point suggests, give or take
 * one: values equal to limits appear where distances are powers of two. */
static void make_batch(struct batch *batch, int kind, enum metric_kind metric, int count, int d,
                       int near) {
  memset(batch, 0, sizeof *batch);
  base_init(&batch->base, 0);
  batch->metric = (struct metric){
      .dimension = d, .user_dimension = d, .kind = metric, .distance = weighted, .user = weights};
  batch->coordinates = calloc((size_t)(count * d) + 1, sizeof(double));
  batch->level = calloc((size_t)count + 1, sizeof(int16_t));
  double *unsorted = calloc((size_t)(count * d) + 1, sizeof(double));
  int *order = calloc((size_t)count + 1, sizeof(int));
  for (int i = 0; i < count; i++) {
    place(kind, count, i, d, unsorted + i * d);
    order[i] = i;
  }
  sort_coordinates = unsorted;
  sort_dimension = d;
  qsort(order, (size_t)count, sizeof *order, compare_places);
  for (int i = 0; i < count; i++) {
    memcpy(batch->coordinates + i * d, unsorted + order[i] * d, (size_t)d * sizeof(double));
  }
  for (int i = 0; i < count; i++) {
    int other = (i + 1 + (int)(near * made_uniform(i, 50))) % count;
    double value = plain_value(batch, i, other);
    int level = value >= metric_least(metric) ? metric_level(metric, value) : LEVEL_MIN + 1;
    batch->level[i] = (int16_t)(level - 1 + (int)(3 * made_uniform(i, 51)));
  }
  batch->points = (struct conflict_points){count, &batch->metric, batch->coordinates, batch->level};
  free(unsorted);
  free(order);
}

static void clear_batch(struct batch *batch) {
  free(batch->coordinates);
  free(batch->level);
}

static pcct_status build(struct batch *batch, enum conflict_builder builder, int64_t budget,
                         int64_t chunk, int dedup, struct conflict_graph *graph) {
  struct conflict_settings settings = {builder, budget, chunk, dedup};
  return conflict_build(&batch->base, &batch->points, &settings, graph);
}

/* The graph by a double loop. */
static void brute_force(const struct batch *batch, struct conflict_graph *graph) {
  const int count = batch->points.count;
  memset(graph, 0, sizeof *graph);
  graph->count = count;
  graph->row = calloc((size_t)count + 1, sizeof *graph->row);
  graph->neighbor = calloc((size_t)count * (size_t)count + 1, sizeof *graph->neighbor);
  for (int i = 0; i < count; i++) {
    for (int j = 0; j < count; j++) {
      int lower = batch->level[i] < batch->level[j] ? batch->level[i] : batch->level[j];
      double limit = batch->metric.kind == METRIC_EUCLIDEAN ? ldexp(1, lower) * ldexp(1, lower)
                                                            : ldexp(1, lower);
      if (i != j && plain_value(batch, i, j) <= limit) {
        graph->neighbor[graph->pairs++] = j;
      }
    }
    graph->row[i + 1] = (int32_t)graph->pairs;
  }
}

static void assert_same_graph(const struct conflict_graph *graph,
                              const struct conflict_graph *expected) {
  assert_int_equal(graph->count, expected->count);
  assert_int_equal(graph->pairs, expected->pairs);
  assert_non_null(graph->row);
  assert_non_null(graph->neighbor);
  assert_memory_equal(graph->row, expected->row, ((size_t)graph->count + 1) * sizeof *graph->row);
  if (graph->pairs > 0) {
    assert_memory_equal(graph->neighbor, expected->neighbor,
                        (size_t)graph->pairs * sizeof *graph->neighbor);
  }
}

/* All builders with several settings against the double loop. */
static void check_batch(struct batch *batch) {
  struct conflict_graph expected;
  struct conflict_graph graph;
  brute_force(batch, &expected);
  for (size_t b = 0; b < sizeof builders / sizeof *builders; b++) {
    if (!has_builder(batch, builders[b])) {
      continue;
    }
    for (int variant = 0; variant < 4; variant++) {
      const int64_t chunk = variant < 2 ? 65536 : variant < 3 ? 1 : 100;
      assert_int_equal(build(batch, builders[b], INT64_MAX, chunk, variant % 2, &graph), PCCT_OK);
      assert_same_graph(&graph, &expected);
      conflict_clear(&graph);
    }
    assert_int_equal(build(batch, builders[b], expected.pairs, 7, 1, &graph), PCCT_OK);
    assert_same_graph(&graph, &expected);
    conflict_clear(&graph);
    if (expected.pairs > 0) {
      assert_int_equal(build(batch, builders[b], expected.pairs - 1, 7, 1, &graph), PCCT_OK);
      assert_int_equal(graph.pairs, expected.pairs);
      assert_null(graph.row);
      assert_null(graph.neighbor);
      conflict_clear(&graph);
    }
  }
  free(expected.row);
  free(expected.neighbor);
}

static void test_edges(void **state) {
  (void)state;
  const int dimensions[] = {1, 2, 3, 8, 27};
  for (int kind = 0; kind < KINDS; kind++) {
    for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_USER; metric++) {
      for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        for (int near = 1; near <= 150; near += 149) {
          struct batch batch;
          make_batch(&batch, kind, (enum metric_kind)metric, 250, dimensions[d], near);
          check_batch(&batch);
          clear_batch(&batch);
        }
      }
    }
  }
}

static void test_few_points(void **state) {
  (void)state;
  const int counts[] = {0, 1, 2, 3, 7, 8, 9, 16, 17, 65};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_USER; metric++) {
      struct batch batch;
      make_batch(&batch, MADE_LATTICE, (enum metric_kind)metric, counts[c], 2, 5);
      check_batch(&batch);
      clear_batch(&batch);
    }
  }
}

/* The lowest and the highest levels there are: nothing underflows or overflows into wrong edges. */
static void test_extreme_levels(void **state) {
  (void)state;
  const int kinds[] = {MADE_NESTED, MADE_COINCIDENT, SPACED, MADE_HUGE};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_USER; metric++) {
      struct batch batch;
      make_batch(&batch, kinds[k], (enum metric_kind)metric, 120, 2, 5);
      for (int i = 0; i < 120; i++) {
        batch.level[i] = (int16_t)(i % 3 == 0 ? LEVEL_MAX : i % 3 == 1 ? LEVEL_MIN : -i);
      }
      check_batch(&batch);
      clear_batch(&batch);
    }
  }
}

/* True distances a rounding error above the radius that are edges, with a cell's border in between; cells as
 * small as the spacing of doubles. Many points far from each other keep hash buckets apart. */
static void test_rounded_distances(void **state) {
  (void)state;
  enum { FAR = 1000, NEAR = 10 };
  const double nearby[NEAR] = {-0x1p-54,   1.0,        0x1p53,      0x1p53 + 2,  0x1p53 + 2,
                               0x1p53 + 4, 0x1p53 + 4, -0x1p53 - 2, -0x1p53 - 2, -0x1p53};
  const int16_t nearby_level[NEAR] = {0, 0, 1, 1, 0, 0, 0, 0, 0, 1};
  for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_USER; metric++) {
    struct batch batch;
    struct conflict_graph graph;
    make_batch(&batch, MADE_UNIFORM, (enum metric_kind)metric, FAR + NEAR, 1, 2);
    for (int i = 0; i < FAR; i++) {
      batch.coordinates[i] = 1000.0 * (i + 1);
      batch.level[i] = 0;
    }
    memcpy(batch.coordinates + FAR, nearby, sizeof nearby);
    memcpy(batch.level + FAR, nearby_level, sizeof nearby_level);
    check_batch(&batch);
    assert_int_equal(build(&batch, CONFLICT_SEGMENTED, 100, 100, 1, &graph), PCCT_OK);
    assert_int_equal(graph.pairs, 10); /* 5 edges */
    conflict_clear(&graph);
    clear_batch(&batch);
  }
}

/* The same bytes for every instruction set and number of threads, with loops long enough for several. */
static void test_same_bytes(void **state) {
  (void)state;
  enum { COUNT = 20000 };
  for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_USER; metric++) {
    for (int d = 1; d <= 10; d += 3) {
      struct batch batch;
      struct conflict_graph first;
      struct conflict_graph graph;
      const int count = d > 1 ? COUNT / d / 3 : COUNT;
      make_batch(&batch, MADE_UNIFORM, (enum metric_kind)metric, count, d, 2);
      assert_int_equal(build(&batch, CONFLICT_SEGMENTED, INT64_MAX, 65536, 1, &first), PCCT_OK);
      for (int isa = SETTINGS_ISA_AUTO; isa <= SETTINGS_ISA_PLAIN; isa++) {
        for (size_t b = 0; b < sizeof builders / sizeof *builders; b++) {
          for (int threads = 1; threads <= 3; threads += 2) {
            batch.base.settings.isa = isa;
            batch.base.threads = threads;
            if (has_builder(&batch, builders[b]) && (builders[b] != CONFLICT_DENSE || d > 1)) {
              assert_int_equal(build(&batch, builders[b], INT64_MAX, 65536, 1, &graph), PCCT_OK);
              assert_same_graph(&graph, &first);
              conflict_clear(&graph);
            }
          }
        }
      }
      conflict_clear(&first);
      clear_batch(&batch);
    }
  }
}

/* Everything is in conflict with everything: the work stops soon after the budget. */
static void test_complete_graph_stops(void **state) {
  (void)state;
  enum { COUNT = 100000, BUDGET = 1000000 };
  for (size_t b = 0; b < sizeof builders / sizeof *builders; b++) {
    for (int kind = MADE_UNIFORM; kind <= MADE_COINCIDENT; kind += MADE_COINCIDENT) {
      struct batch batch;
      struct conflict_graph graph;
      make_batch(&batch, kind, METRIC_EUCLIDEAN, COUNT, 2, 2);
      for (int i = 0; i < COUNT; i++) {
        batch.level[i] = 3;
      }
      assert_int_equal(build(&batch, builders[b], BUDGET, 65536, 1, &graph), PCCT_OK);
      assert_int_equal(graph.pairs, BUDGET + 1);
      assert_null(graph.row);
      assert_true(batch.base.counters[COUNTER_build_distances] < 4 * BUDGET + 8 * COUNT);
      conflict_clear(&graph);
      clear_batch(&batch);
    }
  }
}

/* Candidates stay near what is found, for uniform points and for clumps. */
static void test_work(void **state) {
  (void)state;
  enum { COUNT = 20000 };
  const int kinds[] = {MADE_COLLINEAR, CLUMPS, SPACED};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    struct batch batch;
    struct conflict_graph graph;
    make_batch(&batch, kinds[k], METRIC_EUCLIDEAN, COUNT, 2, 1);
    assert_int_equal(build(&batch, CONFLICT_SEGMENTED, INT64_MAX, 65536, 1, &graph), PCCT_OK);
    assert_true(batch.base.counters[COUNTER_build_distances] < 60 * COUNT + 10 * graph.pairs);
    conflict_clear(&graph);
    clear_batch(&batch);
  }
}

/* Scopes of dense clumps are found to be the same. */
static void test_groups(void **state) {
  (void)state;
  struct batch batch;
  struct conflict_graph graph;
  make_batch(&batch, CLUMPS, METRIC_EUCLIDEAN, 1700, 1, 2);
  for (int i = 0; i < 1700; i++) {
    batch.level[i] = -9;
  }
  assert_int_equal(build(&batch, CONFLICT_SEGMENTED, INT64_MAX, 65536, 1, &graph), PCCT_OK);
  assert_true(graph.groups_unique < graph.groups);
  assert_true(graph.largest_group >= 16);
  assert_true(graph.csr_seconds >= 0);
  conflict_clear(&graph);
  assert_int_equal(build(&batch, CONFLICT_SEGMENTED, INT64_MAX, 65536, 0, &graph), PCCT_OK);
  assert_int_equal(graph.groups_unique, graph.groups);
  conflict_clear(&graph);
  clear_batch(&batch);
}

static void test_failing_allocations(void **state) {
  (void)state;
  for (size_t b = 0; b < sizeof builders / sizeof *builders; b++) {
    for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_USER; metric += METRIC_USER) {
      struct batch batch;
      struct conflict_graph graph;
      struct conflict_graph empty;
      pcct_status status = PCCT_MEMORY;
      memset(&empty, 0, sizeof empty);
      make_batch(&batch, CLUMPS, (enum metric_kind)metric, 700, 2, 2);
      for (int allowed = 0; has_builder(&batch, builders[b]) && status != PCCT_OK; allowed++) {
        assert_true(allowed < 1000);
        base_clear_message(&batch.base);
        batch.base.allocations_left = allowed;
        status = build(&batch, builders[b], INT64_MAX, 50, 1, &graph);
        if (status != PCCT_OK) {
          assert_int_equal(status, PCCT_MEMORY);
          assert_memory_equal(&graph, &empty, sizeof graph);
        }
      }
      conflict_clear(&graph);
      clear_batch(&batch);
    }
  }
}

static void test_grid_needs_coordinates(void **state) {
  (void)state;
  struct batch batch;
  struct conflict_graph graph;
  make_batch(&batch, MADE_UNIFORM, METRIC_USER, 50, 2, 2);
  assert_int_equal(build(&batch, CONFLICT_GRID, 100000, 100, 1, &graph), PCCT_USAGE);
  assert_non_null(strstr(batch.base.message, "grid"));
  assert_null(graph.row);
  clear_batch(&batch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_few_points),
      cmocka_unit_test(test_extreme_levels),
      cmocka_unit_test(test_rounded_distances),
      cmocka_unit_test(test_same_bytes),
      cmocka_unit_test(test_complete_graph_stops),
      cmocka_unit_test(test_work),
      cmocka_unit_test(test_groups),
      cmocka_unit_test(test_failing_allocations),
      cmocka_unit_test(test_grid_needs_coordinates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
