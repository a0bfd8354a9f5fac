/*
 * Hilbert indices: each level's orthant is turned back into the curve's standard pose, level by
 * level from the top; the bits of all axes, interleaved, are then a Gray code of the index.
 */
#include "vecchia/hilbert.h"

int vecchia_hilbert_bits(int dimension) {
  int bits = 128 / dimension;
  return bits < 52 ? bits : 52;
}

/* Undoes, for the levels below each bit, the reflection and exchange of axes of that bit's orthant.
 */
static void straighten(int dimension, int bits, uint64_t *cell) {
  for (int bit = bits - 1; bit > 0; bit--) {
    uint64_t below = (UINT64_C(1) << bit) - 1;
    for (int axis = 0; axis < dimension; axis++) {
      /* without branches, which would be mispredicted half the time */
      uint64_t set = UINT64_C(0) - (cell[axis] >> bit & 1);
      uint64_t exchange = (cell[0] ^ cell[axis]) & below & ~set;
      cell[0] ^= (below & set) | exchange;
      cell[axis] ^= exchange;
    }
  }
}

/* From the Gray code to the binary index, whose bits stay spread over the axes. */
static void decode_gray(int dimension, int bits, uint64_t *cell) {
  for (int axis = 1; axis < dimension; axis++) {
    cell[axis] ^= cell[axis - 1];
  }
  uint64_t flips = 0;
  for (int bit = bits - 1; bit > 0; bit--) {
    uint64_t set = UINT64_C(0) - (cell[dimension - 1] >> bit & 1);
    flips ^= ((UINT64_C(1) << bit) - 1) & set;
  }
  for (int axis = 0; axis < dimension; axis++) {
    cell[axis] ^= flips;
  }
}

void vecchia_hilbert_index(int dimension, int bits, uint64_t *cell, uint64_t index[2]) {
  straighten(dimension, bits, cell);
  decode_gray(dimension, bits, cell);
  index[0] = 0;
  index[1] = 0;
  for (int bit = bits - 1; bit >= 0; bit--) {
    for (int axis = 0; axis < dimension; axis++) {
      index[0] = index[0] << 1 | index[1] >> 63;
      index[1] = index[1] << 1 | (cell[axis] >> bit & 1);
    }
  }
}
