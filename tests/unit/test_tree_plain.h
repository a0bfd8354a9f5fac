/*
 * What tests of trees share: metrics and invariants by plain double loops, which share nothing with what they
 * check but the layout of struct tree.
 */
#ifndef TEST_TREE_PLAIN_H
#define TEST_TREE_PLAIN_H

#include "test_points_made.h"
#include "tree/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The user's metric of these tests: axis j counts 1 + j times. */
static inline double plain_user_distance(const double *a, const double *b, int dimension,
                                         void *user) {
  double value = 0;
  (void)user;
  for (int j = 0; j < dimension; j++) {
    value += (1 + j) * fabs(a[j] - b[j]);
  }
  return value;
}

static inline struct metric plain_metric(enum metric_kind kind, int dimension) {
  return (struct metric){.kind = kind,
                         .user_dimension = dimension,
                         .dimension = dimension,
                         .distance = plain_user_distance};
}

/* The kernel value of two points: squared for Euclidean data. */
static inline double plain_value(const struct metric *metric, const double *x, const double *y) {
  double value = 0;
  for (int j = 0; j < metric->dimension; j++) {
    const double difference = fabs(x[j] - y[j]);
    switch (metric->kind) {
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

/* The kernel value of 2^level. */
static inline double plain_radius(const struct metric *metric, int level) {
  return metric->kind == METRIC_EUCLIDEAN ? pow(4, level) : pow(2, level);
}

/* The smallest level whose radius reaches a positive kernel value, by trying. */
static inline int plain_level(const struct metric *metric, double value) {
  int exponent;
  frexp(value, &exponent);
  int level = (metric->kind == METRIC_EUCLIDEAN ? exponent / 2 : exponent) + 2;
  while (level > -1000 && value <= plain_radius(metric, level - 1)) {
    level--;
  }
  return level;
}

static inline const double *plain_point(const struct tree *tree, local_index p) {
  return tree->points.coordinates + (int64_t)p * tree->points.metric->dimension;
}

static inline double plain_pair(const struct tree *tree, local_index a, local_index b) {
  return plain_value(tree->points.metric, plain_point(tree, a), plain_point(tree, b));
}

static inline int plain_before(const struct tree *tree, local_index a, local_index b) {
  const struct tree_points *points = &tree->points;
  return points->priority[a] != points->priority[b] ? points->priority[a] < points->priority[b]
                                                    : points->position[a] < points->position[b];
}

static inline int plain_is_node(const struct tree *tree, local_index p) {
  return tree->level[p] != LEVEL_DUPLICATE && tree->level[p] != LEVEL_BUCKET;
}

/* Covering, separation, levels, buckets of every pair; one root above all; points without links take no
 * part. */
static inline void plain_check_invariants(const struct tree *tree) {
  const struct metric *metric = tree->points.metric;
  const local_index count = tree->points.count;
  int *held = calloc((size_t)count + 1, sizeof *held);
  int roots = 0;
  int linked = 0;
  for (local_index a = 0; a < count; a++) {
    roots += tree->parent[a] < 0 && plain_is_node(tree, a);
    linked += tree->parent[a] >= 0;
    if (tree->level[a] == LEVEL_BUCKET && tree->parent[a] >= 0) {
      assert_true(++held[tree->parent[a]] <= (tree->leaf_size > 1 ? tree->leaf_size : 0));
    }
    for (local_index b = 0; b < a; b++) {
      const double value = plain_pair(tree, a, b);
      if (plain_is_node(tree, a) && plain_is_node(tree, b)) {
        const int lower = tree->level[a] < tree->level[b] ? tree->level[a] : tree->level[b];
        assert_true(value > plain_radius(metric, lower));
      }
      if (tree->parent[a] == b || tree->parent[b] == a) {
        const local_index child = tree->parent[a] == b ? a : b;
        const local_index parent = tree->parent[child];
        assert_true(plain_is_node(tree, parent));
        if (tree->level[child] == LEVEL_DUPLICATE) {
          assert_true(value == 0);
        } else if (tree->level[child] == LEVEL_BUCKET) {
          assert_true(parent == tree->root || value <= plain_radius(metric, tree->level[parent]));
        } else {
          assert_true(value <= plain_radius(metric, tree->level[child] + 1));
          assert_true(tree->level[child] < tree->level[parent]);
        }
      }
    }
  }
  assert_int_equal(roots, linked > 0 || tree->root >= 0);
  free(held);
}

#endif
