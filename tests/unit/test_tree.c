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
  made->points =
      (struct tree_points){count, dimension, made->coordinates, made->position, made->priority};
}

static pcct_status build(struct made *made) {
  pcct_status status = tree_build(&made->base, &made->points, &made->tree);
  if (status == PCCT_OK) {
    status = frame_create_whole(&made->base, made->tree, &made->frame);
  }
  if (status == PCCT_OK) {
    status = view_create(&made->base, made->tree, made->frame, &made->view);
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

/* Invariants by plain double loops, sharing nothing with the checker. */
static void check_plainly(const struct made *made) {
  const struct tree *tree = made->tree;
  const int d = made->points.dimension;
  for (int a = 0; a < made->points.count; a++) {
    for (int b = 0; b < a; b++) {
      double value = 0;
      for (int j = 0; j < d; j++) {
        double difference = made->coordinates[a * d + j] - made->coordinates[b * d + j];
        value += difference * difference;
      }
      if (tree->level[a] != LEVEL_DUPLICATE && tree->level[b] != LEVEL_DUPLICATE) {
        int lower = tree->level[a] < tree->level[b] ? tree->level[a] : tree->level[b];
        assert_true(value > pow(4, lower));
      }
      if (tree->parent[a] == b || tree->parent[b] == a) {
        int child = tree->parent[a] == b ? a : b;
        if (tree->level[child] == LEVEL_DUPLICATE) {
          assert_true(value == 0);
        } else {
          assert_true(value <= pow(4, tree->level[child] + 1));
          assert_true(tree->level[child] < tree->level[tree->parent[child]]);
        }
      }
    }
  }
}

static void test_invariants(void **state) {
  (void)state;
  const int counts[] = {0, 1, 2, 3, 33, 400};
  const int dimensions[] = {1, 2, 3, 8, 27};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
      for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        struct made made;
        make_points(&made, (enum points_made)kind, counts[c], dimensions[d], 0);
        assert_int_equal(build(&made), PCCT_OK);
        assert_int_equal(tree_check(&made.base, made.tree, made.frame), PCCT_OK);
        assert_int_equal(view_check(&made.base, made.tree, made.view), PCCT_OK);
        if (counts[c] > 0) {
          check_plainly(&made);
        }
        clear(&made);
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
    } else if (made.frame->end[made.frame->place[p]] == made.frame->place[p] + 1) {
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
  SEEN(tree_check(&made.base, tree, made.frame), made.frame->radius[0],
       made.frame->radius[0] * 0.99);
  SEEN(tree_check(&made.base, tree, made.frame), made.frame->end[made.frame->place[leaf]],
       made.frame->place[leaf] + 2);
  SEEN(view_check(&made.base, tree, made.view), made.view->position[0], INT64_C(299999));
  SEEN(view_check(&made.base, tree, made.view), made.view->coordinates[0], 77.0);
  SEEN(view_check(&made.base, tree, made.view), made.view->box[0], made.view->box[0] + 0.01);
  SEEN(view_check(&made.base, tree, made.view), made.view->smallest[0], made.view->smallest[0] + 1);
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
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    struct made one;
    struct made other;
    make_points(&one, (enum points_made)kind, 5000, 2, 1);
    make_points(&other, (enum points_made)kind, 5000, 2, 3);
    assert_int_equal(build(&one), PCCT_OK);
    assert_int_equal(build(&other), PCCT_OK);
    assert_memory_equal(one.tree->parent, other.tree->parent, 5000 * sizeof(local_index));
    assert_memory_equal(one.tree->level, other.tree->level, 5000 * sizeof(int16_t));
    assert_int_equal(one.view->blocks, other.view->blocks);
    assert_memory_equal(one.view->position, other.view->position,
                        (size_t)one.view->blocks * VIEW_WIDTH * sizeof(int64_t));
    assert_memory_equal(one.frame->radius, other.frame->radius,
                        (size_t)one.frame->count * sizeof(double));
    clear(&one);
    clear(&other);
  }
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
      cmocka_unit_test(test_same_for_threads), cmocka_unit_test(test_work_bound),
      cmocka_unit_test(test_too_close),        cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
