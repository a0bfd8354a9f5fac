/*
 * Exact sums of doubles: the correctly rounded sum whatever the order and the distribution of the terms
 * (a fixed-point accumulator as wide as the whole range of double; Kulisch). Partial sums of threads
 * and ranks are added limb by limb as integers.
 */
#ifndef BASE_EXACT_SUM_H
#define BASE_EXACT_SUM_H

#include <stdint.h>

/* 32 bits a limb; limb i has weight 2^(32 i - 1088). The spare bits of int64 take 2^30 additions before
 * exact_sum_normalise is due, which exact_sum_add does by itself. */
#define EXACT_SUM_LIMBS 68

struct exact_sum {
  int64_t limb[EXACT_SUM_LIMBS];
  int64_t pending; /* additions since the last normalisation */
};

/* Zero. */
void exact_sum_init(struct exact_sum *sum);

/* Adds a finite value. */
void exact_sum_add(struct exact_sum *sum, double value);

/* Carries until every limb but the highest is in 0 .. 2^32-1; then up to 2^30 normalised sums may be
 * added limb by limb. */
void exact_sum_normalise(struct exact_sum *sum);

/* The sum rounded to nearest, ties to even. */
double exact_sum_value(struct exact_sum *sum);

#endif
