/* threads: 1 2 */
/*
 * Trees, frames and views: invariants on all kinds of points, the checker's own eyes, the same tree for any
 * number of threads, work that does not grow quadratically.
 */
#include "test_points_made.h"
#include "tree/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct made {
  struct base base;
  struct metric metric;
  struct tree_points points;
  struct tree *tree;
  struct frame *frame;
  struct view *view;
  double *coordinates;
  int64_t *position;
  uint64_t *priority;
};

static void make_points(struct made *made, enum points_made kind, int count, int dimension,
                        int threads) {
  memset(made, 0, sizeof *made);
  base_init(&made->base, threads);
  made->coordinates = calloc((size_t)(count * dimension) + 1, sizeof(double));
  made->position = calloc((size_t)count + 1, sizeof(int64_t));
  made->priority = calloc((size_t)count + 1, sizeof(uint64_t));
  for (int p = 0; p < count; p++) {
    made_point(kind, p, dimension, made->coordinates + p * dimension);
    made->position[p] = p;
    made->priority[p] = random_bits(5, RANDOM_INSERTION, (uint64_t)p);
  }
  made->metric = (struct metric){.user_dimension = dimension, .dimension = dimension};
  made->points = (struct tree_points){count,          &made->metric,  made->coordinates,
                                      made->position, made->priority, 1};
}

static pcct_status build(struct made *made) {
  pcct_status status = tree_build(&made->base, &made->points, &made->tree);
  if (status == PCCT_OK) {
    status = frame_create_whole(&made->base, made->tree, &made->frame);
  }
  if (status == PCCT_OK) {
    status = view_create(&made->base, made->tree, made->frame, INT64_MAX, &made->view);
  }
  return status;
}

static void clear(struct made *made) {
  view_destroy(&made->view);
  frame_destroy(&made->frame);
  tree_destroy(&made->tree);
  free(made->coordinates);
  free(made->position);
  free(made->priority);
}

static double a_distance(const double *a, const double *b, int dimension, void *user) {
  double value = 0;
  (void)user;
  for (int j = 0; j < dimension; j++) {
    value += (1 + j) * fabs(a[j] - b[j]);
  }
  return value;
}

/* The distance of two points by plain arithmetic; squared for Euclidean data. */
static double plain_value(const struct made *made, int a, int b) {
  const int d = made->metric.dimension;
  const double *x = made->coordinates + (size_t)a * (size_t)d;
  const double *y = made->coordinates + (size_t)b * (size_t)d;
  double value = 0;
  for (int j = 0; j < d; j++) {
    const double difference = fabs(x[j] - y[j]);
    switch (made->metric.kind) {
    case METRIC_EUCLIDEAN:
      value += difference * difference;
      break;
    case METRIC_MANHATTAN:
      value += difference;
      break;
    case METRIC_CHEBYSHEV:
      value = difference > value ? difference : value;
      break;
    case METRIC_USER:
      value += (1 + j) * difference;
      break;
    }
  }
  return value;
}

static double plain_radius(const struct made *made, int level) {
  return made->metric.kind == METRIC_EUCLIDEAN ? pow(4, level) : pow(2, level);
}

/* Invariants by plain double loops, sharing nothing with the checker. */
static void check_plainly(const struct made *made) {
  const struct tree *tree = made->tree;
  for (int a = 0; a < made->points.count; a++) {
    for (int b = 0; b < a; b++) {
      const double value = plain_value(made, a, b);
      if (tree_is_node(tree, a) && tree_is_node(tree, b)) {
        int lower = tree->level[a] < tree->level[b] ? tree->level[a] : tree->level[b];
        assert_true(value > plain_radius(made, lower));
      }
      if (tree->parent[a] == b || tree->parent[b] == a) {
        const int child = tree->parent[a] == b ? a : b;
        const int parent = tree->parent[child];
        assert_true(tree_is_node(tree, parent));
        if (tree->level[child] == LEVEL_DUPLICATE) {
          assert_true(value == 0);
        } else if (tree->level[child] == LEVEL_BUCKET) {
          assert_true(parent == tree->root || value <= plain_radius(made, tree->level[parent]));
        } else {
          assert_true(value <= plain_radius(made, tree->level[child] + 1));
          assert_true(tree->level[child] < tree->level[parent]);
        }
      }
    }
  }
}

/* Points per bucket, duplicates not counted. */
static void check_buckets(const struct made *made) {
  const struct tree *tree = made->tree;
  int *held = calloc((size_t)made->points.count + 1, sizeof *held);
  for (int p = 0; p < made->points.count; p++) {
    if (tree->level[p] == LEVEL_BUCKET) {
      assert_true(++held[tree->parent[p]] <= tree->leaf_size);
    }
  }
  free(held);
}

static void check_views(struct made *made) {
  const int64_t limits[] = {INT64_MAX, 200, 50, 1, 0};
  for (int i = 0; i < 5; i++) {
    struct view *view = NULL;
    assert_int_equal(view_create(&made->base, made->tree, made->frame, limits[i], &view), PCCT_OK);
    assert_int_equal(view_check(&made->base, made->tree, limits[i], view), PCCT_OK);
    view_destroy(&view);
  }
}

/* Kinds of points x metrics x leaf sizes x dimensions, audited after every batch. */
static void test_invariants(void **state) {
  (void)state;
  const int counts[] = {0, 1, 2, 3, 33, 400};
  const int dimensions[] = {1, 2, 3, 8, 27};
  const int leaf_sizes[] = {1, 2, 16, 0};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
      for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        for (int leaf = 0; leaf < 4; leaf++) {
          struct made made;
          make_points(&made, (enum points_made)kind, counts[c], dimensions[d], 0);
          made.metric.kind = (enum metric_kind)((d + (size_t)leaf) % 4);
          made.metric.distance = a_distance;
          made.points.leaf_size = leaf_sizes[leaf];
          made.base.settings.profile = SETTINGS_PROFILE_AUDIT;
          assert_int_equal(build(&made), PCCT_OK);
          assert_int_equal(tree_check(&made.base, made.tree, made.frame), PCCT_OK);
          check_views(&made);
          if (counts[c] > 0) {
            check_plainly(&made);
            check_buckets(&made);
          }
          clear(&made);
        }
      }
    }
  }
}

static void test_levels(void **state) {
  (void)state;
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, 1.0), 0);
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, nextafter(1.0, 2)), 1);
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, 4.0), 1);
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, 0.25), -1);
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, nextafter(0.25, 0)), -1);
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, nextafter(0.25, 1)), 0);
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, 0x1p-1022), -511);
  for (int level = -511; level <= 511; level++) {
    assert_int_equal(metric_level(METRIC_EUCLIDEAN, metric_level_value(METRIC_EUCLIDEAN, level)),
                     level);
  }
}

/* A violation of each kind is seen, and mended again it is gone. */
static void test_checker_sees(void **state) {
  (void)state;
  struct made made;
  make_points(&made, MADE_REPEATED, 300, 2, 0);
  assert_int_equal(build(&made), PCCT_OK);
  struct tree *tree = made.tree;
  int leaf = -1;
  int duplicate = -1;
  for (int p = 0; p < 300; p++) {
    if (tree->level[p] == LEVEL_DUPLICATE) {
      duplicate = p;
    } else if (made.frame->node[made.frame->place[p]].end == made.frame->place[p] + 1) {
      leaf = p;
    }
  }
  assert_true(leaf >= 0 && duplicate >= 0);
#define SEEN(check, place, planted)                                                                \
  do {                                                                                             \
    __typeof__(place) kept = (place);                                                              \
    (place) = (planted);                                                                           \
    base_clear_message(&made.base);                                                                \
    assert_int_equal(check, PCCT_DIFFERENT);                                                       \
    assert_true(made.base.message[0] != '\0');                                                     \
    (place) = kept;                                                                                \
    base_clear_message(&made.base);                                                                \
    assert_int_equal(check, PCCT_OK);                                                              \
  } while (0)
  const int parent = tree->parent[leaf];
  SEEN(tree_check(&made.base, tree, made.frame), tree->level[leaf], tree->level[parent]);
  SEEN(tree_check(&made.base, tree, made.frame), tree->level[leaf],
       (int16_t)(tree->level[leaf] - 200)); /* covering */
  SEEN(tree_check(&made.base, tree, made.frame), tree->parent[leaf], duplicate);
  SEEN(tree_check(&made.base, tree, made.frame), tree->parent[leaf], -1); /* a second root */
  SEEN(tree_check(&made.base, tree, made.frame), tree->parent[duplicate], leaf);
  SEEN(tree_check(&made.base, tree, made.frame), tree->nodes, tree->nodes - 1);
  SEEN(tree_check(&made.base, tree, made.frame), made.frame->node[0].radius,
       made.frame->node[0].radius * 0.99);
  SEEN(tree_check(&made.base, tree, made.frame), made.frame->node[made.frame->place[leaf]].end,
       made.frame->place[leaf] + 2);
  SEEN(view_check(&made.base, tree, INT64_MAX, made.view), made.view->position[0], INT64_C(299999));
  SEEN(view_check(&made.base, tree, INT64_MAX, made.view), made.view->coordinates[0], 77.0);
  SEEN(view_check(&made.base, tree, INT64_MAX, made.view), made.view->box[0],
       made.view->box[0] + 0.01);
  SEEN(view_check(&made.base, tree, INT64_MAX, made.view), made.view->smallest[0],
       made.view->smallest[0] + 1);
#undef SEEN
  clear(&made);
}

/* A node raised so high that it is too near another is a separation violation. */
static void test_checker_separation(void **state) {
  (void)state;
  struct made made;
  const double coordinates[] = {0, 8, 9};
  make_points(&made, MADE_UNIFORM, 3, 1, 0);
  memcpy(made.coordinates, coordinates, sizeof coordinates);
  assert_int_equal(build(&made), PCCT_OK);
  tree_destroy(&made.tree);
  frame_destroy(&made.frame);
  const local_index parent[] = {-1, 0, 0};
  const int16_t fine[] = {5, 2, -1};
  const int16_t near[] = {5, 3, 3};
  const local_index below[] = {-1, 0, 1};
  assert_int_equal(tree_restore(&made.base, &made.points, below, fine, &made.tree), PCCT_OK);
  assert_int_equal(frame_create_whole(&made.base, made.tree, &made.frame), PCCT_OK);
  assert_int_equal(tree_check(&made.base, made.tree, made.frame), PCCT_OK);
  tree_destroy(&made.tree);
  frame_destroy(&made.frame);
  assert_int_equal(tree_restore(&made.base, &made.points, parent, near, &made.tree), PCCT_OK);
  assert_int_equal(frame_create_whole(&made.base, made.tree, &made.frame), PCCT_OK);
  assert_int_equal(tree_check(&made.base, made.tree, made.frame), PCCT_DIFFERENT);
  assert_non_null(strstr(made.base.message, "separation"));
  clear(&made);
}

static void test_same_for_threads(void **state) {
  (void)state;
  for (int kind = 0; kind < 2 * MADE_KINDS; kind++) {
    struct made one;
    struct made other;
    make_points(&one, (enum points_made)(kind / 2), 5000, 2, 1);
    make_points(&other, (enum points_made)(kind / 2), 5000, 2, 3);
    one.points.leaf_size = other.points.leaf_size = kind % 2 ? 1 : 20;
    assert_int_equal(build(&one), PCCT_OK);
    assert_int_equal(build(&other), PCCT_OK);
    assert_memory_equal(one.tree->parent, other.tree->parent, 5000 * sizeof(local_index));
    assert_memory_equal(one.tree->level, other.tree->level, 5000 * sizeof(int16_t));
    assert_int_equal(one.view->blocks, other.view->blocks);
    assert_memory_equal(one.view->position, other.view->position,
                        (size_t)one.view->blocks * VIEW_WIDTH * sizeof(int64_t));
    for (int t = 0; t < one.frame->count; t++) {
      assert_true(one.frame->node[t].radius == other.frame->node[t].radius);
    }
    clear(&one);
    clear(&other);
  }
}

/* Settings that leave the batches as they are leave the tree as it is. */
static void test_same_for_settings(void **state) {
  (void)state;
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    struct made plain;
    make_points(&plain, (enum points_made)kind, 2000, 2, 1);
    plain.points.leaf_size = kind % 2 ? 1 : 12;
    assert_int_equal(build(&plain), PCCT_OK);
    for (int variant = 0; variant < 12; variant++) {
      struct made other;
      make_points(&other, (enum points_made)kind, 2000, 2, 2);
      other.points.leaf_size = plain.points.leaf_size;
      other.base.settings.conflict_graph = SETTINGS_CONFLICT_DENSE + variant % 3;
      other.base.settings.scope_segment_dedup = variant / 3 % 2;
      other.base.settings.scope_chunk_target = variant < 6 ? 1 : 1000;
      assert_int_equal(build(&other), PCCT_OK);
      assert_memory_equal(plain.tree->parent, other.tree->parent, 2000 * sizeof(local_index));
      assert_memory_equal(plain.tree->level, other.tree->level, 2000 * sizeof(int16_t));
      clear(&other);
    }
    clear(&plain);
  }
}

/* No conflict graph exceeds the pairs budget, however small it is, and the trees are right. */
static void test_pairs_budget(void **state) {
  (void)state;
  const int64_t budgets[] = {1, 10, 300};
  const int leaf_sizes[] = {1, 12};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int variant = 0; variant < 6; variant++) {
      struct made made;
      make_points(&made, (enum points_made)kind, 1500, 2, 2);
      made.points.leaf_size = leaf_sizes[variant % 2];
      made.base.settings.pairs_budget = budgets[variant / 2];
      assert_int_equal(build(&made), PCCT_OK);
      assert_true(made.base.counters[COUNTER_pairs_per_level_max] <= budgets[variant / 2]);
      assert_int_equal(tree_check(&made.base, made.tree, made.frame), PCCT_OK);
      clear(&made);
    }
  }
}

/* A cap on batches is kept, and the trees are right. */
static void test_batch_cap(void **state) {
  (void)state;
  struct made made;
  make_points(&made, MADE_UNIFORM, 1000, 3, 1);
  made.base.settings.batch_cap = 50;
  assert_int_equal(build(&made), PCCT_OK);
  assert_true(made.base.counters[COUNTER_batches] >= 20);
  assert_int_equal(tree_check(&made.base, made.tree, made.frame), PCCT_OK);
  clear(&made);
}

/* Kernel evaluations a point stay bounded where naive code would need all pairs. The lists are in no spatial
 * order, so the bounds hold without locality too. */
static void test_work_bound(void **state) {
  (void)state;
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    struct made made;
    make_points(&made, (enum points_made)kind, 20000, 2, 0);
    assert_int_equal(build(&made), PCCT_OK);
    assert_true(made.base.counters[COUNTER_build_distances] < 20000 * 1500);
    assert_true(made.base.counters[COUNTER_batch_pairs] < 20000 * 4);
    clear(&made);
  }
}

static void test_too_close(void **state) {
  (void)state;
  const double gaps[] = {1e-170, 1e-155};
  for (int g = 0; g < 2; g++) {
    struct made made;
    make_points(&made, MADE_LATTICE, 50, 1, 0);
    made.coordinates[49] = 0;
    made.coordinates[31] = gaps[g];
    assert_int_equal(build(&made), PCCT_INPUT);
    assert_non_null(strstr(made.base.message, "rescale"));
    assert_null(made.tree);
    clear(&made);
  }
}

/* Every allocation fails once; nothing is leaked (the sanitizers look) and the status is always the same. */
static void test_memory(void **state) {
  (void)state;
  int64_t allowed = 0;
  for (pcct_status status = PCCT_MEMORY; status != PCCT_OK; allowed++) {
    struct made made;
    make_points(&made, MADE_REPEATED, 200, 2, 1);
    made.base.allocations_left = allowed;
    status = build(&made);
    assert_true(status == PCCT_OK || status == PCCT_MEMORY);
    assert_true(status == PCCT_OK || made.base.message[0] != '\0');
    clear(&made);
  }
  assert_true(allowed > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_levels),           cmocka_unit_test(test_invariants),
      cmocka_unit_test(test_checker_sees),     cmocka_unit_test(test_checker_separation),
      cmocka_unit_test(test_same_for_threads), cmocka_unit_test(test_same_for_settings),
      cmocka_unit_test(test_pairs_budget),     cmocka_unit_test(test_batch_cap),
      cmocka_unit_test(test_work_bound),       cmocka_unit_test(test_too_close),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
