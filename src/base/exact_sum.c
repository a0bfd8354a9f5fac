/*
 * Exact sums of doubles in a fixed-point accumulator of 32-bit limbs (Kulisch).
 */
#include "base/exact_sum.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define LIMB_BITS 32
#define LIMB_MASK INT64_C(0xffffffff)
#define LOWEST_EXPONENT (-1088) /* of limb 0's lowest bit */
#define TERMS_BEFORE_CARRY (INT64_C(1) << 30)
#define TOP (EXACT_SUM_LIMBS - 1)

void exact_sum_init(struct exact_sum *sum) {
  memset(sum, 0, sizeof *sum);
}

void exact_sum_add(struct exact_sum *sum, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
  int exponent = (int)(bits >> 52 & 0x7ff);
  if (exponent > 0) {
    mantissa |= UINT64_C(1) << 52;
  } else {
    exponent = 1; /* subnormal */
  }
  /* value = mantissa * 2^(exponent - 1075) */
  int shift = exponent - 1075 - LOWEST_EXPONENT;
  int limb = shift / LIMB_BITS;
  shift %= LIMB_BITS;

  uint64_t low = (mantissa & (uint64_t)LIMB_MASK) << shift;
  uint64_t high = (mantissa >> LIMB_BITS) << shift;
  int64_t sign = bits >> 63 ? -1 : 1;
  sum->limb[limb] += sign * (int64_t)(low & (uint64_t)LIMB_MASK);
  sum->limb[limb + 1] += sign * (int64_t)((low >> LIMB_BITS) + (high & (uint64_t)LIMB_MASK));
  sum->limb[limb + 2] += sign * (int64_t)(high >> LIMB_BITS);
  if (++sum->pending >= TERMS_BEFORE_CARRY) {
    exact_sum_normalise(sum);
  }
}

void exact_sum_normalise(struct exact_sum *sum) {
  int64_t carry = 0;
  for (int i = 0; i < TOP; i++) {
    int64_t value = sum->limb[i] + carry;
    sum->limb[i] = value & LIMB_MASK;
    carry = (value - sum->limb[i]) / (LIMB_MASK + 1); /* exact, so that it rounds neither way */
  }
  sum->limb[TOP] += carry;
  sum->pending = 0;
}

/* Bit k of a normalised, non-negative sum, counted from limb 0's lowest. */
static uint64_t bit_of(const struct exact_sum *sum, int k) {
  if (k < 0) {
    return 0;
  }
  int limb = k / LIMB_BITS < TOP ? k / LIMB_BITS : TOP;
  return (uint64_t)sum->limb[limb] >> (k - limb * LIMB_BITS) & 1;
}

/* Whether any bit below bit k is set. */
static bool any_below(const struct exact_sum *sum, int k) {
  for (int i = 0; i < k; i++) {
    if (bit_of(sum, i)) {
      return true;
    }
  }
  return false;
}

double exact_sum_value(struct exact_sum *sum) {
  exact_sum_normalise(sum);
  struct exact_sum magnitude = *sum;
  bool negative = sum->limb[TOP] < 0;
  if (negative) {
    for (int i = 0; i < EXACT_SUM_LIMBS; i++) {
      magnitude.limb[i] = -magnitude.limb[i];
    }
    exact_sum_normalise(&magnitude);
  }

  int highest = TOP * LIMB_BITS + 62;
  while (highest >= 0 && !bit_of(&magnitude, highest)) {
    highest--;
  }
  if (highest < 0) {
    return 0;
  }
  /* Every bit is a multiple of the smallest subnormal, so that 53 bits suffice below DBL_MIN too.
   */
  int lowest = highest - 52;
  uint64_t mantissa = 0;
  for (int k = highest; k >= lowest; k--) {
    mantissa = mantissa << 1 | bit_of(&magnitude, k);
  }
  if (bit_of(&magnitude, lowest - 1) && ((mantissa & 1) || any_below(&magnitude, lowest - 1))) {
    mantissa++;
  }
  double value = ldexp((double)mantissa, lowest + LOWEST_EXPONENT);
  return negative ? -value : value;
}
