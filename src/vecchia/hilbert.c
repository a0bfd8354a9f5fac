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
static inline __attribute__((always_inline)) void straighten(const int dimension, int bits,
                                                             uint64_t *cell) {
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
static inline __attribute__((always_inline)) void decode_gray(const int dimension, uint64_t *cell) {
  for (int axis = 1; axis < dimension; axis++) {
    cell[axis] ^= cell[axis - 1];
  }
  /* Every bit but the lowest of the last axis flips all bits below it: a parity of the bits above. */
  uint64_t flips = cell[dimension - 1] >> 1;
  for (int shift = 1; shift < 64; shift *= 2) {
    flips ^= flips >> shift;
  }
  for (int axis = 0; axis < dimension; axis++) {
    cell[axis] ^= flips;
  }
}

/* The low 32 bits with a gap of one after each; the low 21 with gaps of two. */
static inline uint64_t spread2(uint64_t x) {
  x &= 0xffffffff;
  x = (x | x << 16) & 0x0000ffff0000ffff;
  x = (x | x << 8) & 0x00ff00ff00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x << 2) & 0x3333333333333333;
  return (x | x << 1) & 0x5555555555555555;
}

static inline uint64_t spread3(uint64_t x) {
  x &= 0x1fffff;
  x = (x | x << 32) & 0x001f00000000ffff;
  x = (x | x << 16) & 0x001f0000ff0000ff;
  x = (x | x << 8) & 0x100f00f00f00f00f;
  x = (x | x << 4) & 0x10c30c30c30c30c3;
  return (x | x << 2) & 0x1249249249249249;
}

static void interleave(int dimension, int bits, const uint64_t *cell, uint64_t index[2]) {
  index[0] = 0;
  index[1] = 0;
  for (int bit = bits - 1; bit >= 0; bit--) {
    for (int axis = 0; axis < dimension; axis++) {
      index[0] = index[0] << 1 | index[1] >> 63;
      index[1] = index[1] << 1 | (cell[axis] >> bit & 1);
    }
  }
}

void vecchia_hilbert_index(int dimension, int bits, uint64_t *cell, uint64_t index[2]) {
  if (dimension == 2 && bits <= 32) {
    straighten(2, bits, cell);
    decode_gray(2, cell);
    index[0] = 0;
    index[1] = spread2(cell[0]) << 1 | spread2(cell[1]);
  } else if (dimension == 3 && bits <= 21) {
    straighten(3, bits, cell);
    decode_gray(3, cell);
    index[0] = 0;
    index[1] = spread3(cell[0]) << 2 | spread3(cell[1]) << 1 | spread3(cell[2]);
  } else {
    straighten(dimension, bits, cell);
    decode_gray(dimension, cell);
    interleave(dimension, bits, cell, index);
  }
}

/* Eight cells side by side: the same steps, which compilers turn into vector instructions. */
static inline __attribute__((always_inline)) void
index_block(const int dimension, int bits, uint64_t (*cell)[VECCHIA_HILBERT_BLOCK],
            uint64_t *index) {
  uint64_t flips[VECCHIA_HILBERT_BLOCK];
  for (int bit = bits - 1; bit > 0; bit--) {
    const uint64_t below = (UINT64_C(1) << bit) - 1;
    for (int axis = 0; axis < dimension; axis++) {
      for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
        const uint64_t set = UINT64_C(0) - (cell[axis][i] >> bit & 1);
        const uint64_t exchange = (cell[0][i] ^ cell[axis][i]) & below & ~set;
        cell[0][i] ^= (below & set) | exchange;
        cell[axis][i] ^= exchange;
      }
    }
  }
  for (int axis = 1; axis < dimension; axis++) {
    for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
      cell[axis][i] ^= cell[axis - 1][i];
    }
  }
  for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
    flips[i] = cell[dimension - 1][i] >> 1;
    for (int shift = 1; shift < 64; shift *= 2) {
      flips[i] ^= flips[i] >> shift;
    }
    index[i] = 0;
  }
  for (int axis = 0; axis < dimension; axis++) {
    for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
      cell[axis][i] ^= flips[i];
    }
  }
  if (dimension == 2 || dimension == 3) {
    for (int axis = 0; axis < dimension; axis++) {
      for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
        index[i] =
            index[i] << 1 | (dimension == 2 ? spread2(cell[axis][i]) : spread3(cell[axis][i]));
      }
    }
    return;
  }
  for (int bit = bits - 1; bit >= 0; bit--) {
    for (int axis = 0; axis < dimension; axis++) {
      for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
        index[i] = index[i] << 1 | (cell[axis][i] >> bit & 1);
      }
    }
  }
}

__attribute__((target_clones("avx512f", "avx2", "default"))) static void
index_block2(int bits, uint64_t (*cell)[VECCHIA_HILBERT_BLOCK], uint64_t *index) {
  index_block(2, bits, cell, index);
}

__attribute__((target_clones("avx512f", "avx2", "default"))) static void
index_block3(int bits, uint64_t (*cell)[VECCHIA_HILBERT_BLOCK], uint64_t *index) {
  index_block(3, bits, cell, index);
}

__attribute__((target_clones("avx512f", "avx2", "default"))) static void
index_block_any(int dimension, int bits, uint64_t (*cell)[VECCHIA_HILBERT_BLOCK], uint64_t *index) {
  index_block(dimension, bits, cell, index);
}

void vecchia_hilbert_block(int dimension, int bits, uint64_t (*cell)[VECCHIA_HILBERT_BLOCK],
                           uint64_t *index) {
  if (dimension == 2) {
    index_block2(bits, cell, index);
  } else if (dimension == 3) {
    index_block3(bits, cell, index);
  } else {
    index_block_any(dimension, bits, cell, index);
  }
}
