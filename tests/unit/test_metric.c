/*
 * Every kind of metric: kernels, kernels axis by axis, levels, roots and powers, without MPI.
 */
#include "base/random.h"
#include "points/metric.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { KINDS = METRIC_USER + 1, AXES = 64 };

static void same_bits(double got, double expected) {
  uint64_t a, b;
  memcpy(&a, &got, sizeof a);
  memcpy(&b, &expected, sizeof b);
  assert_int_equal(a, b);
}

/* What a user's distance was called with. */
struct called {
  const double *a, *b;
  int dimension;
};

static double remember(const double *a, const double *b, int dimension, void *user) {
  *(struct called *)user = (struct called){a, b, dimension};
  return 42;
}

static struct metric make(enum metric_kind kind, int dimension, struct called *called) {
  return (struct metric){.user_dimension = dimension,
                         .dimension = dimension,
                         .kind = kind,
                         .distance = kind == METRIC_USER ? remember : NULL,
                         .user = called};
}

static void make_points(uint64_t which, double *a, double *b) {
  for (uint64_t j = 0; j < AXES; j++) {
    a[j] = random_uniform(2, RANDOM_GENERATE, 2 * (AXES * which + j)) - 0.5;
    b[j] = random_uniform(2, RANDOM_GENERATE, 2 * (AXES * which + j) + 1) - 0.5;
  }
}

static void test_kernels_by_hand(void **state) {
  (void)state;
  const double a[] = {1, -2, 0.5, 7};
  const double b[] = {4, 2, 0.5, 6};
  const double expected[][4] = {{9, 25, 25, 26}, {3, 7, 7, 8}, {3, 4, 4, 4}};
  for (int d = 1; d <= 4; d++) {
    for (int kind = METRIC_EUCLIDEAN; kind <= METRIC_CHEBYSHEV; kind++) {
      const struct metric metric = make((enum metric_kind)kind, d, NULL);
      same_bits(metric_value(&metric, a, b), expected[kind][d - 1]);
      same_bits(metric_value(&metric, b, a), expected[kind][d - 1]);
      same_bits(metric_value(&metric, a, a), 0);
    }
    struct called called = {0};
    const struct metric metric = make(METRIC_USER, d, &called);
    same_bits(metric_value(&metric, a, b), 42);
    assert_ptr_equal(called.a, a);
    assert_ptr_equal(called.b, b);
    assert_int_equal(called.dimension, d);
  }
}

/* The definition in the order of the axes; kernels with constants and kernels axis by axis have its bits. */
static void test_kernels_have_one_order(void **state) {
  (void)state;
  double a[AXES], b[AXES];
  for (uint64_t which = 0; which < 200; which++) {
    make_points(which, a, b);
    for (int d = 1; d <= AXES; d += d < 5 ? 1 : 13) {
      double square = 0, sum = 0, largest = 0;
      double added[KINDS] = {0};
      for (int j = 0; j < d; j++) {
        square += (a[j] - b[j]) * (a[j] - b[j]);
        sum += fabs(a[j] - b[j]);
        largest = fmax(largest, fabs(a[j] - b[j]));
        for (int kind = METRIC_EUCLIDEAN; kind <= METRIC_CHEBYSHEV; kind++) {
          const double difference = which % 2 ? a[j] - b[j] : b[j] - a[j];
          added[kind] = metric_add_axis((enum metric_kind)kind, added[kind], difference);
        }
      }
      const double expected[] = {square, sum, largest};
      for (int kind = METRIC_EUCLIDEAN; kind <= METRIC_CHEBYSHEV; kind++) {
        const struct metric metric = make((enum metric_kind)kind, d, NULL);
        same_bits(metric_value(&metric, a, b), expected[kind]);
        same_bits(added[kind], expected[kind]);
      }
    }
    same_bits(metric_kernel(METRIC_EUCLIDEAN, 3, NULL, a, b), metric_square(3, a, b));
  }
}

/* The value of a box's nearest corner, and of one axis alone, bound the values of all points beyond. */
static void test_boxes_bound(void **state) {
  (void)state;
  double a[AXES], b[AXES];
  for (uint64_t which = 0; which < 2000; which++) {
    make_points(which, a, b);
    const int d = 1 + (int)(which % 9);
    for (int kind = METRIC_EUCLIDEAN; kind <= METRIC_CHEBYSHEV; kind++) {
      const struct metric metric = make((enum metric_kind)kind, d, NULL);
      const double value = metric_value(&metric, a, b);
      double nearest = 0, farthest = 0;
      for (int j = 0; j < d; j++) {
        const double face = nextafter(b[j], a[j]); /* as near as can be without being the same */
        const double back = nextafter(b[j], b[j] + (b[j] - a[j]));
        nearest = metric_add_axis((enum metric_kind)kind, nearest, a[j] - face);
        farthest = metric_add_axis((enum metric_kind)kind, farthest, a[j] - back);
        assert_true(metric_add_axis((enum metric_kind)kind, 0, a[j] - face) <= value);
      }
      assert_true(nearest <= value && value <= farthest);
    }
  }
}

static void test_levels(void **state) {
  (void)state;
  for (int kind = 0; kind < KINDS; kind++) {
    const enum metric_kind k = (enum metric_kind)kind;
    for (int level = -510; level <= 511; level++) {
      const double value = metric_level_value(k, level);
      same_bits(k == METRIC_EUCLIDEAN ? sqrt(value) : value, ldexp(1, level));
      assert_int_equal(metric_level(k, value), level);
      assert_int_equal(metric_level(k, nextafter(value, 0)), level);
      assert_int_equal(metric_level(k, nextafter(value, INFINITY)), level + 1);
      assert_int_equal(metric_level(k, metric_level_value(k, level - 1)), level - 1);
    }
    const double least = metric_least(k);
    assert_true(least > 0);
    assert_int_equal(metric_level(k, least), -511);
    assert_true(metric_level(k, least) > LEVEL_MIN);
    /* the farthest that transformed coordinates can be apart */
    const double corner = 0x1p501;
    const double most = k == METRIC_EUCLIDEAN ? AXES * corner * corner : AXES * corner;
    assert_true(isfinite(most) && metric_level(k, most) < LEVEL_MAX);
  }
}

/* Roots bound the distance on both sides, and powers of bounds the kernel values, with room for a kernel's error. */
static void test_roots(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 3000; i++) {
    const int exponent = (int)(i % 900) - 450;
    const double distance = ldexp(0.5 + 0.5 * random_uniform(3, RANDOM_GENERATE, i), exponent);
    for (int kind = 0; kind < KINDS; kind++) {
      const enum metric_kind k = (enum metric_kind)kind;
      const double value = k == METRIC_EUCLIDEAN ? distance * distance : distance;
      for (int error = -1; error <= 1; error++) {
        const double computed = value * (1 + error * 1e-14);
        assert_true(metric_root_down(k, computed) < distance);
        assert_true(metric_root_up(k, computed) > distance);
        assert_true(metric_power_up(k, distance) > computed);
        assert_true(metric_root_up(k, computed) < distance * (1 + 3e-13));
        assert_true(metric_root_down(k, computed) > distance * (1 - 3e-13));
      }
    }
  }
  for (int kind = 0; kind < KINDS; kind++) {
    same_bits(metric_root_up((enum metric_kind)kind, 0), 0);
    assert_true(isinf(metric_root_up((enum metric_kind)kind, INFINITY)));
    assert_true(isinf(metric_power_up((enum metric_kind)kind, INFINITY)));
  }
}

static void test_user_distances(void **state) {
  (void)state;
  for (int kind = 0; kind < KINDS; kind++) {
    const struct metric metric = make((enum metric_kind)kind, 2, NULL);
    same_bits(metric_user_distance(&metric, 2.25), kind == METRIC_EUCLIDEAN ? 1.5 : 2.25);
    same_bits(metric_user_distance(&metric, 0), 0);
    same_bits(metric_user_distance(&metric, INFINITY), INFINITY);
  }
}

/* The bound of a radius: every value whose distance is at most the radius is at most the bound, and, where it claims to
 * be exact, no other. */
static void test_radius_values(void **state) {
  (void)state;
  const double radii[] = {0,       0x1p-1074, 0x1p-520, 0x1p-511, 1e-160, 0.1,      1,
                          M_SQRT2, 3,         6371,     20015.1,  2e4,    0x1p511,  0x1p512,
                          DBL_MAX, INFINITY,  1e-9,     20015.11, 40000,  20015.114};
  for (size_t r = 0; r < sizeof radii / sizeof radii[0]; r++) {
    for (int kind = 0; kind < KINDS; kind++) {
      const struct metric metric = make((enum metric_kind)kind, 2, NULL);
      int exact;
      const double bound = metric_radius_value(&metric, radii[r], &exact);
      assert_true(exact);
      assert_true(metric_user_distance(&metric, bound) <= radii[r]);
      assert_true(isinf(bound) ||
                  metric_user_distance(&metric, nextafter(bound, INFINITY)) > radii[r]);
    }
    const struct metric lonlat = {.lonlat = 1, .user_dimension = 2, .dimension = 3};
    int exact;
    const double bound = metric_radius_value(&lonlat, radii[r], &exact);
    double value = bound;
    assert_false(exact);
    for (int i = 0; i < 100 && value < 4.1; i++) {
      value = nextafter(value, INFINITY);
      assert_true(metric_user_distance(&lonlat, value) > radii[r] || isinf(bound));
    }
    assert_true(isinf(bound) || metric_user_distance(&lonlat, bound) <= radii[r] * (1 + 1e-6));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kernels_by_hand), cmocka_unit_test(test_kernels_have_one_order),
      cmocka_unit_test(test_boxes_bound),     cmocka_unit_test(test_levels),
      cmocka_unit_test(test_roots),           cmocka_unit_test(test_user_distances),
      cmocka_unit_test(test_radius_values),
  };
  return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
