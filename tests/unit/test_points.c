/*
 * Search coordinates, levels and user distances, without MPI.
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

static const struct metric lonlat = {.lonlat = 1, .user_dimension = 2, .dimension = 3};

static struct metric cartesian(int dimension) {
  struct metric metric = {.user_dimension = dimension, .dimension = dimension};
  for (int j = 0; j < dimension; j++) {
    metric.scale[j] = 1;
  }
  return metric;
}

static void same_bits(double got, double expected) {
  uint64_t a, b;
  memcpy(&a, &got, sizeof a);
  memcpy(&b, &expected, sizeof b);
  assert_int_equal(a, b);
}

static void test_wrap(void **state) {
  (void)state;
  const double pairs[][2] = {{0, 0},
                             {-0.0, 0},
                             {360, 0},
                             {-360, 0},
                             {-720, 0},
                             {180, 180},
                             {-180, 180},
                             {540, 180},
                             {-540, 180},
                             {181, -179},
                             {-181, 179},
                             {350.25, -9.75},
                             {379.5, 19.5},
                             {-350.25, 9.75},
                             {0x1p-1074, 0x1p-1074},
                             {-0x1p-1074, -0x1p-1074},
                             {0x1.68p+108, 0}, /* 360 * 2^100 */
                             {0x1.67fffffffffffp+8, -0x1p-44}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    same_bits(metric_wrap_longitude(pairs[i][0]), pairs[i][1]);
  }
  /* exact: a whole turn of any grid value changes nothing */
  for (uint64_t i = 0; i < 1000; i++) {
    double degrees = floor(random_uniform(1, RANDOM_GENERATE, i) * 360 * 0x1p30) * 0x1p-30 - 180;
    degrees = degrees == -180 ? 180 : degrees;
    for (int turn = -3; turn <= 3; turn++) {
      same_bits(metric_wrap_longitude(degrees + 360 * turn), degrees + 0.0);
    }
  }
}

static void test_lonlat(void **state) {
  (void)state;
  const double same[][2][2] = {{{-10, 5}, {350, 5}},   {{180, -3}, {-180, -3}},
                               {{0, 90}, {77, 90}},    {{-5, -90}, {9, -90}},
                               {{-0.0, 0}, {0, -0.0}}, {{20, -0.0}, {380, 0}}};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    double search[2][3];
    assert_int_equal(metric_transform(&lonlat, same[i][0], 2, search[0], 1), -1);
    assert_memory_equal(search[0], search[1], sizeof search[0]);
  }
  const double user[] = {0, 0, 90, 0, 180, 0, 0, 90, 0, -90, 45, 45};
  const double expected[] = {1, 0, 0, 0, 1, 0, -1, 0, 0, 0, 0, 1, 0, 0, -1, 0.5, 0.5, M_SQRT1_2};
  double search[18];
  assert_int_equal(metric_transform(&lonlat, user, 6, search, 2), -1);
  for (int j = 0; j < 18; j++) {
    assert_true(fabs(search[j] - expected[j]) < 3e-16);
  }
  for (int j = 9; j < 15; j++) {
    same_bits(search[j], expected[j]); /* poles are exact */
  }
}

static void test_cartesian(void **state) {
  (void)state;
  struct metric metric = cartesian(2);
  metric.scale[1] = 0.25;
  const double user[] = {-0.0, 1, 3, -0.0};
  const double expected[] = {0.0, 4, 3, 0.0};
  double search[4];
  assert_int_equal(metric_transform(&metric, user, 2, search, 1), -1);
  assert_memory_equal(search, expected, sizeof expected);
  assert_int_equal(metric_transform(&metric, NULL, 0, NULL, 1), -1);
}

static void test_bad_points(void **state) {
  (void)state;
  enum { COUNT = 5000 };
  static double user[COUNT * 2], search[COUNT * 3];
  struct metric scaled = cartesian(2);
  scaled.scale[0] = 0.5;
  for (int i = 0; i < COUNT * 2; i++) {
    user[i] = i % 90;
  }
  const struct {
    int place;
    double value;
    int lonlat_bad, cartesian_bad;
  } plants[] = {{8000, NAN, 4000, 4000},
                {6001, INFINITY, 3000, 3000},
                {5001, 90.5, 2500, 3000},
                {4000, -INFINITY, 2000, 2000},
                {3001, -91, 1500, 2000},
                {2000, 0x1p499, 1500, 2000},
                {1000, 0x1.8p499, 1500, 500},
                {11, NAN, 5, 5},
                {0, 0x1p501, 5, 0}};
  for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
    user[plants[i].place] = plants[i].value;
    for (int threads = 1; threads <= 3; threads++) {
      assert_int_equal(metric_transform(&lonlat, user, COUNT, search, threads),
                       plants[i].lonlat_bad);
      int64_t bad = metric_transform(&scaled, user, COUNT, search, threads);
      assert_int_equal(bad, plants[i].cartesian_bad);
    }
  }
}

static void test_levels(void **state) {
  (void)state;
  for (int level = -511; level <= 511; level++) {
    double value = metric_level_value(METRIC_EUCLIDEAN, level);
    assert_int_equal(metric_level(METRIC_EUCLIDEAN, value), level);
    if (level > -511) {
      assert_int_equal(metric_level(METRIC_EUCLIDEAN, nextafter(value, 0)), level);
    }
    assert_int_equal(metric_level(METRIC_EUCLIDEAN, nextafter(value, INFINITY)), level + 1);
    assert_true(metric_root_up(METRIC_EUCLIDEAN, value) > ldexp(1, level));
    assert_true(metric_root_down(METRIC_EUCLIDEAN, value) < ldexp(1, level));
  }
  assert_int_equal(metric_level(METRIC_EUCLIDEAN, DBL_MAX), 512);
}

/* Great-circle distance in long double, by Vincenty's formula, which is accurate everywhere. */
static double great_circle(const double *a, const double *b) {
  const long double degree = 3.14159265358979323846264338327950288L / 180;
  long double north_a = a[1] * degree, north_b = b[1] * degree, turn = (b[0] - a[0]) * degree;
  long double across = cosl(north_b) * sinl(turn);
  long double along = cosl(north_a) * sinl(north_b) - sinl(north_a) * cosl(north_b) * cosl(turn);
  long double dot = sinl(north_a) * sinl(north_b) + cosl(north_a) * cosl(north_b) * cosl(turn);
  return (double)(6371.0088L * atan2l(sqrtl(across * across + along * along), dot));
}

static void test_user_distance(void **state) {
  (void)state;
  struct metric metric = cartesian(3);
  same_bits(metric_user_distance(&metric, 25), 5);
  same_bits(metric_user_distance(&metric, 0), 0);
  same_bits(metric_user_distance(&lonlat, 0), 0);
  double half = 6371.0088 * M_PI;
  assert_true(fabs(metric_user_distance(&lonlat, 4) - half) < 1e-11);
  assert_true(fabs(metric_user_distance(&lonlat, 4.000001) - half) < 1e-11); /* clamped */
  for (uint64_t i = 0; i < 2000; i++) {
    double reach = i % 2 ? 1 : 1e-4;
    double user[4], search[6];
    user[0] = 360 * random_uniform(1, RANDOM_GENERATE, 4 * i) - 180;
    user[1] = 178 * random_uniform(1, RANDOM_GENERATE, 4 * i + 1) - 89;
    user[2] = user[0] + reach * (20 * random_uniform(1, RANDOM_GENERATE, 4 * i + 2) - 10);
    user[3] = user[1] * (1 - reach * random_uniform(1, RANDOM_GENERATE, 4 * i + 3));
    assert_int_equal(metric_transform(&lonlat, user, 2, search, 1), -1);
    double got = metric_user_distance(&lonlat, metric_square(3, search, search + 3));
    double expected = great_circle(user, user + 2);
    /* coordinates rounded to 1e-16 of the radius leave about a nanometre */
    assert_true(fabs(got - expected) < 5e-12 + 1e-14 * expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrap),      cmocka_unit_test(test_lonlat),
      cmocka_unit_test(test_cartesian), cmocka_unit_test(test_bad_points),
      cmocka_unit_test(test_levels),    cmocka_unit_test(test_user_distance),
  };
  return cmocka_run_group_tests_name("points", tests, NULL, NULL);
}
