/*
 * The ordering checks of `verify`: orderings made here by plain sorting pass, spoiled ones do not.
 */
#include "app/verify_order.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT 60
#define SEED 11

/* A row with up to three keys, sorted by them and then by row. */
struct keyed {
  double key[3];
  int64_t row;
};

static int compare_keyed(const void *a, const void *b) {
  const struct keyed *first = a, *second = b;
  for (int j = 0; j < 3; j++) {
    if (first->key[j] != second->key[j]) {
      return first->key[j] < second->key[j] ? -1 : 1;
    }
  }
  return (first->row > second->row) - (first->row < second->row);
}

/* Points, and an ordering of them. */
struct example {
  struct base base;
  struct metric metric;
  struct verify_order order;
  double rows[2 * COUNT]; /* by row: a 6 x 5 lattice around (0, 0), each place twice */
  double user[2 * COUNT], search[3 * COUNT];
  int64_t permutation[COUNT], position[COUNT];
};

static void make_rows(struct example *example, int lonlat) {
  memset(example, 0, sizeof *example);
  base_init(&example->base, 2);
  example->metric = (struct metric){
      .lonlat = lonlat, .user_dimension = 2, .dimension = lonlat ? 3 : 2, .scale = {1, 1}};
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t place = i * 7 % 30; /* scattered, so that no row order is an ordering by chance */
    example->rows[2 * i] = (double)(place % 6) - 2.5;
    example->rows[2 * i + 1] = (double)(place / 6) - 2;
  }
}

/* Fills an example whose rows and keys are set. */
static void arrange(struct example *example, pcct_ordering ordering, int axis,
                    struct keyed *keyed) {
  qsort(keyed, COUNT, sizeof *keyed, compare_keyed);
  for (int64_t p = 0; p < COUNT; p++) {
    example->permutation[p] = keyed[p].row;
    example->position[keyed[p].row] = p;
    memcpy(&example->user[2 * p], &example->rows[2 * keyed[p].row], 2 * sizeof(double));
  }
  assert_int_equal(metric_transform(&example->metric, example->user, COUNT, example->search, 1),
                   -1);
  example->order = (struct verify_order){.ordering = ordering,
                                         .axis = axis,
                                         .seed = SEED,
                                         .given = example->permutation,
                                         .metric = &example->metric,
                                         .count = COUNT,
                                         .permutation = example->permutation,
                                         .position = example->position,
                                         .user = example->user,
                                         .search = example->search};
}

static void make_example(struct example *example, pcct_ordering ordering, int axis) {
  struct keyed keyed[COUNT];
  make_rows(example, 0);
  for (int64_t i = 0; i < COUNT; i++) {
    const double *x = &example->rows[2 * i];
    uint64_t bits = random_bits(SEED, RANDOM_ORDERING, (uint64_t)i);
    keyed[i] = (struct keyed){.row = i};
    if (ordering == PCCT_ORDERING_RANDOM) {
      keyed[i].key[0] = (double)(bits >> 32);
      keyed[i].key[1] = (double)(bits & 0xffffffff);
    } else if (ordering == PCCT_ORDERING_COORDINATE) {
      keyed[i].key[0] = x[axis];
      keyed[i].key[1] = x[1 - axis];
    } else if (ordering == PCCT_ORDERING_MIDDLEOUT) {
      keyed[i].key[0] = x[0] * x[0] + x[1] * x[1]; /* the mean is (0, 0) */
    }
  }
  arrange(example, ordering, axis, keyed);
}

/* Checks a whole example in slabs. */
static pcct_status check_example(struct example *example) {
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; status == PCCT_OK && first < COUNT; first += 20) {
    status = verify_order_inverse(&example->base, &example->order, first, 20);
  }
  const int64_t *given = example->order.given;
  for (int64_t first = 0; status == PCCT_OK && first < COUNT; first += 20) {
    example->order.given = given + first;
    status = verify_order_obeyed(&example->base, &example->order, first, 20);
  }
  return status;
}

/* Exchanges two positions in all arrays, as a file with another ordering would have them. */
static void exchange(struct example *example, int64_t p, int64_t q) {
  int64_t row = example->permutation[p];
  example->permutation[p] = example->permutation[q];
  example->permutation[q] = row;
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t from = example->permutation[i];
    example->position[from] = i;
    memcpy(&example->user[2 * i], &example->rows[2 * from], 2 * sizeof(double));
  }
  metric_transform(&example->metric, example->user, COUNT, example->search, 1);
}

static void test_orderings(void **state) {
  (void)state;
  static const pcct_ordering orderings[] = {PCCT_ORDERING_NONE, PCCT_ORDERING_RANDOM,
                                            PCCT_ORDERING_COORDINATE, PCCT_ORDERING_MIDDLEOUT};
  struct example example;
  for (int o = 0; o < 4; o++) {
    for (int axis = 0; axis < 2; axis++) {
      make_example(&example, orderings[o], axis);
      assert_int_equal(check_example(&example), PCCT_OK);
      for (int64_t p = 1; p < COUNT; p++) { /* each exchange with the next one must be seen */
        make_example(&example, orderings[o], axis);
        exchange(&example, p - 1, p);
        assert_int_equal(check_example(&example), PCCT_DIFFERENT);
        assert_non_null(strstr(example.base.message, "must not stand before"));
      }
    }
  }
}

/* Longitudes are compared in one wrap, whatever wrap they are given in. */
static void test_longitudes(void **state) {
  (void)state;
  struct example example;
  struct keyed keyed[COUNT];
  make_rows(&example, 1);
  for (int64_t i = 0; i < COUNT; i++) {
    keyed[i] = (struct keyed){{example.rows[2 * i], example.rows[2 * i + 1], 0}, i};
    example.rows[2 * i] += 360.0 * (double)(i % 3 - 1);
  }
  arrange(&example, PCCT_ORDERING_COORDINATE, 0, keyed);
  assert_int_equal(check_example(&example), PCCT_OK);
  exchange(&example, 3, 40);
  assert_int_equal(check_example(&example), PCCT_DIFFERENT);
}

/* On a line the Hilbert curve is the line. */
static void test_hilbert(void **state) {
  (void)state;
  struct example example;
  struct keyed keyed[COUNT];
  make_rows(&example, 0);
  for (int64_t i = 0; i < COUNT; i++) {
    example.rows[2 * i] = (double)(i * 7 % COUNT);
    example.rows[2 * i + 1] = 0;
    keyed[i] = (struct keyed){{example.rows[2 * i], 0, 0}, i};
  }
  example.metric.dimension = example.metric.user_dimension = 1;
  arrange(&example, PCCT_ORDERING_HILBERT, 0, keyed);
  for (int64_t p = 0; p < COUNT; p++) { /* one axis: arrange has filled two */
    example.search[p] = example.user[p] = example.rows[2 * example.permutation[p]];
  }
  assert_int_equal(check_example(&example), PCCT_OK);
  double swapped = example.search[20];
  example.search[20] = example.search[21];
  example.search[21] = swapped;
  assert_int_equal(check_example(&example), PCCT_DIFFERENT);
}

static void test_given(void **state) {
  (void)state;
  struct example example;
  int64_t other[COUNT];
  make_example(&example, PCCT_ORDERING_RANDOM, 0);
  example.order.ordering = PCCT_ORDERING_GIVEN;
  assert_int_equal(check_example(&example), PCCT_OK);
  memcpy(other, example.permutation, sizeof other);
  other[33]++;
  example.order.given = other;
  assert_int_equal(check_example(&example), PCCT_DIFFERENT);
  assert_non_null(strstr(example.base.message, "position 33 is input row"));
}

static void test_inverse(void **state) {
  (void)state;
  static const int64_t wrong[] = {-1, COUNT, 0, 1};
  struct example example;
  for (int i = 0; i < 4; i++) {
    make_example(&example, PCCT_ORDERING_NONE, 0);
    example.permutation[25] = wrong[i];
    assert_int_equal(check_example(&example), PCCT_DIFFERENT);
    assert_non_null(strstr(example.base.message, "position 25"));
    make_example(&example, PCCT_ORDERING_NONE, 0);
    example.position[25] = wrong[i];
    assert_int_equal(check_example(&example), PCCT_DIFFERENT);
  }
}

static void test_duplicates(void **state) {
  (void)state;
  struct example example;
  int64_t duplicates;
  make_example(&example, PCCT_ORDERING_NONE, 0);
  assert_int_equal(verify_order_duplicates(&example.base, 2, example.search, COUNT, &duplicates),
                   PCCT_OK);
  assert_int_equal(duplicates, 30);
  assert_int_equal(verify_order_duplicates(&example.base, 2, example.search, 0, &duplicates),
                   PCCT_OK);
  assert_int_equal(duplicates, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orderings), cmocka_unit_test(test_longitudes),
      cmocka_unit_test(test_hilbert),   cmocka_unit_test(test_given),
      cmocka_unit_test(test_inverse),   cmocka_unit_test(test_duplicates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
