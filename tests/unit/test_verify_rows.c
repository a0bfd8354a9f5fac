/*
 * The row checks of `verify`: right rows pass, and every kind of planted error is named.
 */
#include "app/verify_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 40
#define WIDTH 5

/* Points and their right rows. */
struct example {
  struct base base;
  struct metric metric;
  struct verify_points points;
  struct verify_block block;
  struct verify_search *search;
  double coordinates[2 * ROWS], queries[2 * ROWS];
  int64_t permutation[ROWS], index[ROWS * WIDTH], filled[ROWS], chosen[ROWS];
  double distance[ROWS * WIDTH];
};

static void store_row(void *user, int64_t query, int64_t count, const struct verify_near *near) {
  struct example *example = user;
  example->filled[query] = count;
  for (int64_t entry = 0; entry < WIDTH; entry++) {
    int64_t at = query * WIDTH + entry;
    example->index[at] = entry < count ? near[entry].index : -1;
    example->distance[at] = entry < count ? sqrt(near[entry].value) : INFINITY;
  }
}

/* Points 0, 1, 4, 9, ... on the first axis, each twice: the nearest of all are near the origin. */
static void make_example(struct example *example, enum verify_kind kind) {
  memset(example, 0, sizeof *example);
  base_init(&example->base, 2);
  example->metric = (struct metric){.user_dimension = 2, .dimension = 2};
  for (int64_t i = 0; i < ROWS; i++) {
    example->coordinates[2 * i] = (double)((i / 2) * (i / 2));
    example->queries[2 * i] = (double)i;
    example->permutation[i] = ROWS - 1 - i;
    example->chosen[i] = i;
  }
  example->points =
      (struct verify_points){kind, &example->metric, ROWS, example->coordinates, NULL};
  if (kind == VERIFY_SETS) {
    example->points.permutation = example->permutation;
  }
  example->block = (struct verify_block){
      0, ROWS, WIDTH, example->index, example->distance, false, example->filled, example->queries};
  assert_int_equal(verify_search_create(&example->base, METRIC_EUCLIDEAN, 2, example->coordinates,
                                        ROWS, &example->search),
                   PCCT_OK);
  enum verify_admission admission = kind == VERIFY_SETS   ? VERIFY_PREDECESSORS
                                    : kind == VERIFY_SELF ? VERIFY_OTHERS
                                                          : VERIFY_ALL;
  struct verify_queries queries = {admission, ROWS, example->chosen, example->queries};
  assert_int_equal(
      verify_search_run(&example->base, example->search, &queries, WIDTH, store_row, example),
      PCCT_OK);
}

static pcct_status check_example(struct example *example) {
  pcct_status status = verify_rows_recompute(&example->base, &example->points, &example->block);
  if (status == PCCT_OK) {
    status = verify_rows_search(&example->base, &example->points, example->search, &example->block,
                                example->chosen, ROWS);
  }
  verify_search_destroy(&example->search);
  return status;
}

/* The example must be found wrong with this message, which also ends the example. */
static void expect_message(struct example *example, const char *message) {
  assert_int_equal(check_example(example), PCCT_DIFFERENT);
  assert_string_equal(example->base.message, message);
}

static void test_right_rows(void **state) {
  (void)state;
  struct example example;
  for (int kind = VERIFY_SETS; kind <= VERIFY_QUERIES; kind++) {
    make_example(&example, (enum verify_kind)kind);
    assert_int_equal(check_example(&example), PCCT_OK);
    make_example(&example, (enum verify_kind)kind);
    example.block.distance = NULL;
    assert_int_equal(check_example(&example), PCCT_OK);
    make_example(&example, (enum verify_kind)kind);
    example.block.single_precision = true;
    for (int i = 0; i < ROWS * WIDTH; i++) {
      example.distance[i] = (double)(float)example.distance[i];
    }
    assert_int_equal(check_example(&example), PCCT_OK);
  }
}

static void test_wrong_sets(void **state) {
  (void)state;
  struct example example;
  int64_t *row = example.index + 10 * WIDTH; /* point 25: 8, 9 at 9; 6, 7 at 16; 4 at 21 */
  double *distance = example.distance + 10 * WIDTH;

  make_example(&example, VERIFY_SETS);
  row[4] = 2;
  distance[4] = 24;
  expect_message(&example, "row 10 (input row 29): neighbor 4 is position 2 at 24, nearest is "
                           "position 4 at 21");

  make_example(&example, VERIFY_SETS);
  row[1] = 8;
  expect_message(&example, "row 10 (input row 29): neighbors 0 and 1 are both position 8");

  make_example(&example, VERIFY_SETS);
  row[0] = 9;
  row[1] = 8;
  expect_message(&example, "row 10 (input row 29): neighbors 0 and 1 are out of order: position 9 "
                           "at 9, then position 8 at 9");

  make_example(&example, VERIFY_SETS);
  row[4] = 11;
  expect_message(&example,
                 "row 10 (input row 29): neighbor 4 is position 11, which is no predecessor");

  make_example(&example, VERIFY_SETS);
  row[4] = ROWS;
  expect_message(&example, "row 10 (input row 29): neighbor 4 is position 40, outside 0 to 39");

  make_example(&example, VERIFY_SETS);
  distance[2] = 16.5;
  expect_message(&example, "row 10 (input row 29): the distance of neighbor 2 (position 6) is "
                           "16.5, expected 16");

  make_example(&example, VERIFY_SETS);
  distance[2] = NAN;
  assert_int_equal(check_example(&example), PCCT_DIFFERENT);

  make_example(&example, VERIFY_SETS);
  example.filled[10] = 4;
  expect_message(&example, "row 10 (input row 29): its count is 4, expected 5");

  make_example(&example, VERIFY_SETS);
  example.index[3 * WIDTH + 3] = 0;
  expect_message(&example, "row 3 (input row 36): entry 3 is padding and holds index 0, "
                           "expected -1");

  make_example(&example, VERIFY_SETS);
  example.distance[3 * WIDTH + 4] = -1;
  expect_message(&example, "row 3 (input row 36): entry 4 is padding and holds distance -1, "
                           "expected +inf");
}

static void test_wrong_neighbors(void **state) {
  (void)state;
  struct example example;
  make_example(&example, VERIFY_SELF);
  example.index[0] = 0;
  expect_message(&example, "row 0: neighbor 0 is the row itself");

  make_example(&example, VERIFY_SELF);
  example.index[4] = 6;
  example.distance[4] = 9;
  expect_message(&example, "row 0: neighbor 4 is row 6 at 9, nearest is row 5 at 4");

  make_example(&example, VERIFY_QUERIES);
  example.index[4] = 5;
  expect_message(&example, "query 0: neighbor 4 is row 5 at 4, nearest is row 4 at 4");
}

/* The first of several wrong rows is named, whatever the threads do. */
static void test_first_wrong(void **state) {
  (void)state;
  struct example example;
  make_example(&example, VERIFY_SELF);
  for (int row = 7; row < ROWS; row++) {
    example.index[row * WIDTH + 4] = row < 20 ? 39 : 0;
    example.distance[row * WIDTH + 4] =
        fabs(example.coordinates[2 * row] - example.coordinates[row < 20 ? 78 : 0]);
  }
  expect_message(&example, "row 7: neighbor 4 is row 39 at 352, nearest is row 9 at 7");
}

/* One row of each stretch, the same whatever the blocks. */
static void test_choose(void **state) {
  (void)state;
  static const int64_t samples[] = {0, 1, 7, 99, 100, 1000};
  for (int s = 0; s < 6; s++) {
    int64_t whole[100], block[100];
    int64_t wanted = samples[s] < 100 ? samples[s] : 100;
    assert_int_equal(verify_rows_choose(3, 100, samples[s], 0, 100, whole), wanted);
    for (int64_t length = 1; length <= 100; length += 13) {
      int64_t total = 0;
      for (int64_t first = 0; first < 100; first += length) {
        int64_t count = first + length < 100 ? length : 100 - first;
        int64_t chosen = verify_rows_choose(3, 100, samples[s], first, count, block);
        assert_memory_equal(block, whole + total, (size_t)chosen * sizeof *block);
        total += chosen;
      }
      assert_int_equal(total, wanted);
    }
    for (int64_t i = 0; i < wanted; i++) {
      assert_in_range(whole[i], i * 100 / wanted, (i + 1) * 100 / wanted);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_right_rows),      cmocka_unit_test(test_wrong_sets),
      cmocka_unit_test(test_wrong_neighbors), cmocka_unit_test(test_first_wrong),
      cmocka_unit_test(test_choose),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
