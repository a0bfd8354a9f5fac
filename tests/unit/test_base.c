/*
 * Memory, messages, phases, random numbers, sorts and exact sums, without MPI.
 */
#include "base/context.h"
#include "base/exact_sum.h"
#include "base/random.h"
#include "base/sort.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void same_bits(double got, double expected) {
  uint64_t a, b;
  memcpy(&a, &got, sizeof a);
  memcpy(&b, &expected, sizeof b);
  assert_int_equal(a, b);
}

/* ---- context and memory */

static void test_messages(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 3);
  assert_int_equal(base.threads, 3);
  assert_string_equal(base.message, "");
  assert_int_equal(base_fail(&base, PCCT_INPUT, "row %d", 7), PCCT_INPUT);
  assert_int_equal(base_fail(&base, PCCT_FILE, "later"), PCCT_FILE);
  assert_string_equal(base.message, "row 7");
  base_clear_message(&base);
  assert_string_equal(base.message, "");
  char long_text[3 * BASE_MESSAGE_SIZE];
  memset(long_text, 'x', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  base_fail(&base, PCCT_INPUT, "%s", long_text);
  assert_int_equal(strlen(base.message), BASE_MESSAGE_SIZE - 1);
  base_init(&base, 0);
  assert_true(base.threads >= 1);
  assert_string_equal(pcct_status_text(PCCT_OK), "success");
  assert_non_null(pcct_status_text((pcct_status)12345));
}

static void note_progress(const char *phase, int64_t done, int64_t total, void *user) {
  assert_string_equal(phase, "build");
  *(int64_t *)user += done * 100 + total;
}

static void test_phases(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  base_enter_phase(&base, PCCT_PHASE_order);
  base_enter_phase(&base, PCCT_PHASE_build);
  base_enter_phase(&base, PCCT_PHASE_order);
  base_enter_phase(&base, PCCT_PHASE_build);
  assert_int_equal(base.phase_entered, 3);
  assert_int_equal(base.phase_order[0], PCCT_PHASE_read);
  assert_int_equal(base.phase_order[1], PCCT_PHASE_order);
  assert_int_equal(base.phase_order[2], PCCT_PHASE_build);
  double sum = 0;
  for (int i = 0; i < PCCT_PHASE_COUNT; i++) {
    sum += base.seconds[i];
  }
  assert_true(fabs(sum - (base.entered - base.created)) <
              1e-6); /* each second in exactly one phase */
  int64_t noted = 0;
  base_progress(&base, 3, 4);
  base.progress = note_progress;
  base.progress_user = &noted;
  base_progress(&base, 3, 4);
  assert_int_equal(noted, 304);
  assert_true(base_peak_bytes() > 100000);
}

static void test_memory(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  char *empty = base_allocate(&base, 0, 8);
  assert_non_null(empty);
  assert_int_equal((uintptr_t)empty % 64, 0);
  base_free(empty);
  base_free(NULL);
  unsigned char *zeros = base_allocate_zero(&base, 1001, 3);
  assert_non_null(zeros);
  for (int i = 0; i < 3003; i++) {
    assert_int_equal(zeros[i], 0);
  }
  base_free(zeros);
  assert_null(base_allocate(&base, INT64_MAX, 8));
  assert_null(base_allocate(&base, (int64_t)1 << 61, 8)); /* the product wraps to 0 */
  assert_null(base_allocate(&base, -1, 8));
  assert_non_null(strstr(base.message, "memory"));
  base.allocations_left = 1;
  void *one = base_allocate(&base, 1, 1);
  assert_non_null(one);
  assert_null(base_allocate(&base, 1, 1));
  assert_null(base_allocate(&base, 1, 1));
  base_free(one);
}

static void test_grow(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  int64_t *array = NULL;
  int64_t capacity = 0, moves = 0;
  for (int64_t i = 0; i < 10000; i++) {
    int64_t *before = array;
    assert_int_equal(base_grow(&base, (void **)&array, &capacity, i, i + 1, sizeof *array),
                     PCCT_OK);
    moves += array != before;
    array[i] = i;
  }
  for (int64_t i = 0; i < 10000; i++) {
    assert_int_equal(array[i], i);
  }
  assert_true(moves < 40); /* growth is geometric */
  int64_t *before = array, capacity_before = capacity;
  base.allocations_left = 0;
  assert_int_equal(base_grow(&base, (void **)&array, &capacity, 10000, 1000000, sizeof *array),
                   PCCT_MEMORY);
  assert_ptr_equal(array, before);
  assert_int_equal(capacity, capacity_before);
  base_free(array);
}

/* ---- random numbers */

static void test_random(void **state) {
  (void)state;
  /* Random123's published answer for Philox4x32-10 of zeros */
  assert_int_equal(random_bits(0, (enum random_stream)0, 0), UINT64_C(0xe169c58d6627e8d5));
  uint64_t usual = random_bits(1, RANDOM_ORDERING, 5);
  assert_int_not_equal(usual, random_bits(1 + (UINT64_C(1) << 32), RANDOM_ORDERING, 5));
  assert_int_not_equal(usual, random_bits(1, RANDOM_SAMPLE, 5));
  assert_int_not_equal(usual, random_bits(1, RANDOM_ORDERING, 5 + (UINT64_C(1) << 32)));
  double mean = 0;
  for (uint64_t i = 0; i < 10000; i++) {
    double value = random_uniform(3, RANDOM_GENERATE, i);
    assert_true(value > 0 && value < 1);
    mean += value / 10000;
  }
  assert_true(fabs(mean - 0.5) < 0.02); /* seven standard errors */
}

/* ---- sorts */

static uint64_t random_key(uint64_t i, uint64_t bits) {
  return random_bits(11, RANDOM_GENERATE, i) & bits;
}

static int compare_pairs(const void *left, const void *right) {
  const struct sort_pair *a = left, *b = right;
  if (a->key != b->key) {
    return a->key < b->key ? -1 : 1;
  }
  return a->value < b->value ? -1 : a->value > b->value; /* values ascend: the stable order */
}

static void test_sort_pairs(void **state) {
  (void)state;
  const int64_t counts[] = {0, 1, 2, 3, 1000, 70000};
  const uint64_t bits[] = {0, 1, 0xff, 0xff0000000000ff00, UINT64_MAX};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
      for (int threads = 1; threads <= 3; threads++) {
        struct base base;
        base_init(&base, threads);
        struct sort_pair *pairs = base_allocate(&base, counts[c], sizeof *pairs);
        struct sort_pair *expected = base_allocate(&base, counts[c], sizeof *pairs);
        for (int64_t i = 0; i < counts[c]; i++) {
          pairs[i].key = random_key((uint64_t)i, bits[b]);
          pairs[i].value = (uint64_t)i;
          expected[i] = pairs[i];
        }
        qsort(expected, (size_t)counts[c], sizeof *expected, compare_pairs);
        assert_int_equal(sort_pairs(&base, pairs, counts[c]), PCCT_OK);
        assert_memory_equal(pairs, expected, (size_t)counts[c] * sizeof *pairs);
        base_free(pairs);
        base_free(expected);
      }
    }
  }
}

static int compared_words;

static int compare_records(const void *left, const void *right) {
  const uint64_t *a = left, *b = right;
  for (int w = 0; w < compared_words; w++) {
    if (a[w] != b[w]) {
      return a[w] < b[w] ? -1 : 1;
    }
  }
  return 0;
}

static void test_sort_records(void **state) {
  (void)state;
  const int64_t counts[] = {0, 1, 2, 33, 2000, 70000};
  const uint64_t bits[] = {0, 1, 0xf0, UINT64_MAX};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
      for (int words = 1; words <= 5; words++) {
        struct base base;
        base_init(&base, 1 + words % 2);
        int64_t length = counts[c] * words;
        uint64_t *records = base_allocate(&base, length, sizeof *records);
        uint64_t *expected = base_allocate(&base, length, sizeof *records);
        for (int64_t i = 0; i < length; i++) {
          records[i] = random_key((uint64_t)i, bits[b]);
          expected[i] = records[i];
        }
        compared_words = words;
        qsort(expected, (size_t)counts[c], (size_t)words * 8, compare_records);
        assert_int_equal(sort_records(&base, records, counts[c], words), PCCT_OK);
        assert_memory_equal(records, expected, (size_t)length * 8);
        base_free(records);
        base_free(expected);
      }
    }
  }
}

static void test_sort_memory(void **state) {
  (void)state;
  struct base base;
  uint64_t records[6] = {3, 1, 2, 2, 1, 3};
  const uint64_t before[6] = {3, 1, 2, 2, 1, 3}, after[6] = {1, 3, 2, 2, 3, 1};
  for (int allowed = 0;; allowed++) {
    base_init(&base, 1);
    base.allocations_left = allowed;
    pcct_status status = sort_records(&base, records, 3, 2);
    if (status == PCCT_OK) {
      assert_true(allowed > 1);
      break;
    }
    assert_int_equal(status, PCCT_MEMORY);
    assert_memory_equal(records, before, sizeof before);
  }
  assert_memory_equal(records, after, sizeof after);
  base.allocations_left = 0;
  assert_int_equal(sort_pairs(&base, (struct sort_pair *)records, 3), PCCT_MEMORY);
}

static void test_sort_key(void **state) {
  (void)state;
  const double ascending[] = {-DBL_MAX,  -1.5,    -1, -DBL_MIN,        -0x1p-1074, 0,
                              0x1p-1074, DBL_MIN, 1,  1 + DBL_EPSILON, 1e300,      DBL_MAX};
  for (size_t i = 1; i < sizeof ascending / sizeof *ascending; i++) {
    assert_true(sort_key(ascending[i - 1]) < sort_key(ascending[i]));
  }
  assert_int_equal(sort_key(-0.0), sort_key(0.0));
}

/* ---- exact sums */

static double sum_of(const double *values, int count) {
  struct exact_sum sum;
  exact_sum_init(&sum);
  for (int i = 0; i < count; i++) {
    exact_sum_add(&sum, values[i]);
  }
  return exact_sum_value(&sum);
}

#define CHECK_SUM(expected, ...)                                                                   \
  do {                                                                                             \
    const double terms[] = {__VA_ARGS__};                                                          \
    double negated[sizeof terms / sizeof *terms];                                                  \
    for (size_t t = 0; t < sizeof terms / sizeof *terms; t++) {                                    \
      negated[t] = -terms[t];                                                                      \
    }                                                                                              \
    same_bits(sum_of(terms, (int)(sizeof terms / sizeof *terms)), expected);                       \
    same_bits(sum_of(negated, (int)(sizeof terms / sizeof *terms)),                                \
              (expected) == 0 ? 0.0 : -(expected));                                                \
  } while (0)

static void test_exact_known(void **state) {
  (void)state;
  same_bits(sum_of(NULL, 0), 0.0);
  CHECK_SUM(0.0, -0.0);
  CHECK_SUM(1.0, 1e300, 1.0, -1e300);
  CHECK_SUM(0x1p-1074, DBL_MAX, 0x1p-1074, -DBL_MAX);
  CHECK_SUM(DBL_MAX, DBL_MAX, DBL_MAX, -DBL_MAX);
  CHECK_SUM(HUGE_VAL, DBL_MAX, DBL_MAX);
  CHECK_SUM(HUGE_VAL, DBL_MAX, 0x1p970);            /* half a unit above, and DBL_MAX is odd */
  CHECK_SUM(DBL_MAX, DBL_MAX, 0x1p970, -0x1p-1074); /* just below half a unit */
  CHECK_SUM(0x1p-1022, 0x1.ffffffffffffep-1023, 0x1p-1074); /* from subnormal to normal */
  CHECK_SUM(0x1.8p-1073, 0x1p-1074, 0x1p-1074, 0x1p-1074);
  CHECK_SUM(0x1p53, 0x1p53, 1.0);                /* tie to even, down */
  CHECK_SUM(0x1p53 + 4, 0x1p53, 3.0);            /* tie to even, up */
  CHECK_SUM(0x1p53 + 2, 0x1p53, 1.0, 0x1p-1074); /* just above the tie */
  CHECK_SUM(0x1p53, 0x1p53, 1.0, -0x1p-1074);    /* just below the tie */
  CHECK_SUM(0x1p54, 0x1p54 - 1, 0.5, 0.5);       /* rounding carries into a new power */
  CHECK_SUM(-0x1p-60, 1.0, 0x1p-60, -1.0, -0x1p-59);
}

/* Multiples of 2^-100 below 2^10: integers of 128 bits sum them exactly, and the compiler's conversion
 * rounds to nearest even. */
static void test_exact_random(void **state) {
  (void)state;
  enum { COUNT = 3000 };
  double values[COUNT];
  for (uint64_t round = 0; round < 50; round++) {
    __int128 whole = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
      uint64_t draw = random_bits(round, RANDOM_GENERATE, i);
      int exponent = -100 + (int)(draw % 57); /* of the lowest bit; at most -44 */
      int64_t mantissa = (int64_t)(draw >> 11) - (INT64_C(1) << 52);
      values[i] = ldexp((double)mantissa, exponent);
      whole += mantissa * ((__int128)1 << (exponent + 100));
    }
    double expected = ldexp((double)whole, -100);
    same_bits(sum_of(values, COUNT), expected);
    for (uint64_t i = COUNT - 1; i > 0; i--) {
      uint64_t other = random_bits(round, RANDOM_SAMPLE, i) % (i + 1);
      double swap = values[i];
      values[i] = values[other];
      values[other] = swap;
    }
    same_bits(sum_of(values, COUNT), expected);

    struct exact_sum parts[7], all;
    exact_sum_init(&all);
    for (int p = 0; p < 7; p++) {
      exact_sum_init(&parts[p]);
      for (int i = p; i < COUNT; i += 7) {
        exact_sum_add(&parts[p], values[i]);
      }
      exact_sum_normalise(&parts[p]);
      for (int limb = 0; limb < EXACT_SUM_LIMBS; limb++) {
        all.limb[limb] += parts[p].limb[limb];
      }
    }
    same_bits(exact_sum_value(&all), expected);
  }
}

/* The automatic normalisation, forced early. */
static void test_exact_carry(void **state) {
  (void)state;
  struct exact_sum sum;
  exact_sum_init(&sum);
  sum.pending = (INT64_C(1) << 30) - 2;
  for (int i = 0; i < 5; i++) {
    exact_sum_add(&sum, -0x1.fffffffffffffp0);
  }
  assert_true(sum.pending < 10);
  same_bits(exact_sum_value(&sum), -0x1.3ffffffffffffp3); /* nearest to 10 - 5 * 2^-52 */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages),     cmocka_unit_test(test_phases),
      cmocka_unit_test(test_memory),       cmocka_unit_test(test_grow),
      cmocka_unit_test(test_random),       cmocka_unit_test(test_sort_pairs),
      cmocka_unit_test(test_sort_records), cmocka_unit_test(test_sort_memory),
      cmocka_unit_test(test_sort_key),     cmocka_unit_test(test_exact_known),
      cmocka_unit_test(test_exact_random), cmocka_unit_test(test_exact_carry),
  };
  return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
