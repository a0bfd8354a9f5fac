/*
 * The Hilbert curve: a bijection whose neighbours along the curve are neighbours in the grid, and whose
 * coarse levels are prefixes of the fine ones.
 */
#include "base/random.h"
#include "vecchia/hilbert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The cell with number `number` in row-major order. */
static void cell_of(uint64_t number, int dimension, int bits, uint64_t *cell) {
  for (int axis = 0; axis < dimension; axis++) {
    cell[axis] = number & ((UINT64_C(1) << bits) - 1);
    number >>= bits;
  }
}

static void check_curve(int dimension, int bits) {
  uint64_t cells = UINT64_C(1) << (dimension * bits);
  uint64_t *visited = malloc(cells * sizeof *visited);
  memset(visited, 0xff, cells * sizeof *visited);
  for (uint64_t number = 0; number < cells; number++) {
    uint64_t cell[64], index[2];
    cell_of(number, dimension, bits, cell);
    vecchia_hilbert_index(dimension, bits, cell, index);
    assert_int_equal(index[0], 0);
    assert_true(index[1] < cells);
    assert_int_equal(visited[index[1]], UINT64_MAX);
    visited[index[1]] = number;
  }
  assert_int_equal(visited[0], 0); /* the curve starts in the origin's corner */
  for (uint64_t i = 1; i < cells; i++) {
    uint64_t before[64], here[64], steps = 0;
    cell_of(visited[i - 1], dimension, bits, before);
    cell_of(visited[i], dimension, bits, here);
    for (int axis = 0; axis < dimension; axis++) {
      steps += here[axis] > before[axis] ? here[axis] - before[axis] : before[axis] - here[axis];
    }
    assert_int_equal(steps, 1);
  }
  free(visited);
}

static void test_curve(void **state) {
  (void)state;
  const int largest_bits[] = {0, 10, 6, 4, 3, 2, 2, 2, 2};
  for (int dimension = 1; dimension <= 8; dimension++) {
    for (int bits = 1; bits <= largest_bits[dimension]; bits++) {
      check_curve(dimension, bits);
    }
  }
  check_curve(16, 1);
}

/* Cells that differ in their lowest bits alone agree in all but the last `dimension` bits of the index. */
static void test_all_bits(void **state) {
  (void)state;
  const int dimensions[] = {1, 2, 3, 8, 27, 64};
  for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
    int dimension = dimensions[d], bits = vecchia_hilbert_bits(dimension);
    assert_true(bits >= 2 && dimension * bits <= 128);
    for (uint64_t i = 0; i < 200; i++) {
      uint64_t cell[64], sibling[64], index[2], other[2];
      for (int axis = 0; axis < dimension; axis++) {
        uint64_t draw = random_bits(i, RANDOM_GENERATE, (uint64_t)axis);
        cell[axis] = draw & ((UINT64_C(1) << bits) - 1);
        sibling[axis] = cell[axis] ^ (draw >> 63);
      }
      vecchia_hilbert_index(dimension, bits, cell, index);
      vecchia_hilbert_index(dimension, bits, sibling, other);
      uint64_t high = index[0] ^ other[0], low = index[1] ^ other[1];
      assert_true(dimension == 64 ? high == 0 : high == 0 && low >> dimension == 0);
    }
  }
}

/* Eight cells at once have the indices that they have one by one. */
static void test_block(void **state) {
  (void)state;
  const int dimensions[] = {1, 2, 3, 4, 8, 32, 64};
  for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
    const int dimension = dimensions[d];
    for (int bits = 1; bits <= 52 && dimension * bits <= 64; bits++) {
      uint64_t cell[64][VECCHIA_HILBERT_BLOCK];
      uint64_t one[VECCHIA_HILBERT_BLOCK][64];
      uint64_t index[VECCHIA_HILBERT_BLOCK];
      for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
        for (int axis = 0; axis < dimension; axis++) {
          one[i][axis] = random_bits((uint64_t)bits, RANDOM_GENERATE, (uint64_t)(i * 64 + axis)) &
                         ((UINT64_C(1) << bits) - 1);
          cell[axis][i] = one[i][axis];
        }
      }
      vecchia_hilbert_block(dimension, bits, cell, index);
      for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
        uint64_t both[2];
        vecchia_hilbert_index(dimension, bits, one[i], both);
        assert_true(both[0] == 0 && both[1] == index[i]);
      }
    }
  }
}

static void test_line(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 1000; i++) {
    uint64_t value = random_bits(1, RANDOM_GENERATE, i) >> 12;
    uint64_t cell[1] = {value}, index[2];
    vecchia_hilbert_index(1, 52, cell, index);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[1], value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_curve),
      cmocka_unit_test(test_all_bits),
      cmocka_unit_test(test_block),
      cmocka_unit_test(test_line),
  };
  return cmocka_run_group_tests_name("hilbert", tests, NULL, NULL);
}
