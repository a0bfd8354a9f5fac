/*
 * The Hilbert curve in any dimension: the place of a grid cell along the curve.
 */
#ifndef VECCHIA_HILBERT_H
#define VECCHIA_HILBERT_H

#include <stdint.h>

/* Bits per axis used for `dimension` axes: as many as 128 allow, at most 52 (a double's). */
int vecchia_hilbert_bits(int dimension);

/* The index of a cell on the Hilbert curve through the grid of 2^bits cells per axis.
 * Local; thread-safe.
 *   cell  [in,out] [dimension] coordinates below 2^bits; destroyed
 *   index [out] the index, high word first; dimension * bits is at most 128
 * Cost: O(dimension * bits).
 * Source: Skilling, Programming the Hilbert curve, AIP Conference Proceedings 707, 2004. */
void vecchia_hilbert_index(int dimension, int bits, uint64_t *cell, uint64_t index[2]);

/* The same for eight cells at once, for indices of one word: dimension * bits is at most 64.
 *   cell  [in,out] [dimension][8]; destroyed
 *   index [out] [8] */
enum { VECCHIA_HILBERT_BLOCK = 8 };
void vecchia_hilbert_block(int dimension, int bits, uint64_t (*cell)[VECCHIA_HILBERT_BLOCK],
                           uint64_t *index);

#endif
