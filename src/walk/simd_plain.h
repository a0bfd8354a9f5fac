/*
 * Vectors of eight doubles and of sixteen sort keys: for any machine. See simd.h.
 */
#ifndef WALK_SIMD_PLAIN_H
#define WALK_SIMD_PLAIN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SIMD_INLINE static inline __attribute__((always_inline))

/* The compiler's own vectors, of the width that most machines have. */
typedef double simd_pair __attribute__((vector_size(16)));
typedef int64_t simd_words __attribute__((vector_size(16)));
typedef int32_t simd_quad __attribute__((vector_size(16)));

enum { SIMD_PAIRS = 4, SIMD_QUADS = 4 };

typedef struct lanes {
  simd_pair part[SIMD_PAIRS];
} lanes;

typedef struct keys {
  simd_quad part[SIMD_QUADS];
} keys;

#define SIMD_EACH(expression)                                                                      \
  lanes result;                                                                                    \
  _Pragma("GCC unroll 4") for (int i = 0; i < SIMD_PAIRS; i++) {                                   \
    result.part[i] = (expression);                                                                 \
  }                                                                                                \
  return result

SIMD_INLINE lanes lanes_set(double x) {
  SIMD_EACH(((simd_pair){x, x}));
}

SIMD_INLINE lanes lanes_load(const double *from) {
  lanes x;
  memcpy(&x, from, sizeof x);
  return x;
}

SIMD_INLINE void lanes_store(double *to, lanes x) {
  memcpy(to, &x, sizeof x);
}

SIMD_INLINE void lanes_store_first(double *to, lanes x, int count) {
  memcpy(to, &x, (size_t)count * sizeof *to);
}

SIMD_INLINE lanes lanes_add(lanes a, lanes b) {
  SIMD_EACH(a.part[i] + b.part[i]);
}

SIMD_INLINE lanes lanes_subtract(lanes a, lanes b) {
  SIMD_EACH(a.part[i] - b.part[i]);
}

SIMD_INLINE lanes lanes_multiply(lanes a, lanes b) {
  SIMD_EACH(a.part[i] * b.part[i]);
}

/* yes where the words of `where` are all ones, no where they are zero */
SIMD_INLINE simd_pair simd_pick(simd_words where, simd_pair yes, simd_pair no) {
  return (simd_pair)(((simd_words)yes & where) | ((simd_words)no & ~where));
}

#ifdef __SSE2__
#include <emmintrin.h>
#define SIMD_SMALLER(a, b) ((simd_pair)_mm_min_pd((__m128d)(a), (__m128d)(b)))
#define SIMD_LARGER(a, b) ((simd_pair)_mm_max_pd((__m128d)(a), (__m128d)(b)))
#define SIMD_MASK(where) ((unsigned)_mm_movemask_pd((__m128d)(where)))
#else
#define SIMD_SMALLER(a, b) simd_pick((a) < (b), a, b)
#define SIMD_LARGER(a, b) simd_pick((a) > (b), a, b)
#define SIMD_MASK(where) ((unsigned)((where)[0] & 1) | (unsigned)((where)[1] & 2))
#endif

SIMD_INLINE lanes lanes_smaller(lanes a, lanes b) {
  SIMD_EACH(SIMD_SMALLER(a.part[i], b.part[i]));
}

SIMD_INLINE lanes lanes_larger(lanes a, lanes b) {
  SIMD_EACH(SIMD_LARGER(a.part[i], b.part[i]));
}

SIMD_INLINE lanes lanes_magnitude(lanes a) {
  SIMD_EACH((simd_pair)((simd_words)a.part[i] & INT64_MAX));
}

SIMD_INLINE lanes lanes_root(lanes a) {
  SIMD_EACH(((simd_pair){sqrt(a.part[i][0]), sqrt(a.part[i][1])}));
}

SIMD_INLINE double lanes_least(lanes a) {
  const simd_pair x = SIMD_SMALLER(a.part[0], a.part[1]);
  const simd_pair y = SIMD_SMALLER(a.part[2], a.part[3]);
  const simd_pair z = SIMD_SMALLER(x, y);
  return z[0] < z[1] ? z[0] : z[1];
}

SIMD_INLINE double lanes_greatest(lanes a) {
  const simd_pair x = SIMD_LARGER(a.part[0], a.part[1]);
  const simd_pair y = SIMD_LARGER(a.part[2], a.part[3]);
  const simd_pair z = SIMD_LARGER(x, y);
  return z[0] > z[1] ? z[0] : z[1];
}

SIMD_INLINE unsigned lanes_at_most(lanes a, lanes b) {
  return SIMD_MASK(a.part[0] <= b.part[0]) | SIMD_MASK(a.part[1] <= b.part[1]) << 2 |
         SIMD_MASK(a.part[2] <= b.part[2]) << 4 | SIMD_MASK(a.part[3] <= b.part[3]) << 6;
}

SIMD_INLINE unsigned lanes_less(lanes a, lanes b) {
  return SIMD_MASK(a.part[0] < b.part[0]) | SIMD_MASK(a.part[1] < b.part[1]) << 2 |
         SIMD_MASK(a.part[2] < b.part[2]) << 4 | SIMD_MASK(a.part[3] < b.part[3]) << 6;
}

SIMD_INLINE lanes lanes_choose(unsigned mask, lanes yes, lanes no) {
  SIMD_EACH(
      simd_pick((simd_words){-(int64_t)(mask >> (2 * i) & 1), -(int64_t)(mask >> (2 * i + 1) & 1)},
                yes.part[i], no.part[i]));
}

SIMD_INLINE lanes lanes_tag(lanes a, const uint64_t *tags, uint64_t field) {
  const int64_t kept = (int64_t)~field;
  SIMD_EACH((simd_pair)(((simd_words)a.part[i] & kept) |
                        (simd_words){(int64_t)tags[2 * i], (int64_t)tags[2 * i + 1]}));
}

SIMD_INLINE int lanes_append(double *to, lanes values, unsigned mask) {
  double from[8];
  int count = 0;
  lanes_store(from, values);
  while (mask) {
    to[count++] = from[__builtin_ctz(mask)];
    mask &= mask - 1;
  }
  return count;
}

SIMD_INLINE void slots_append(uint32_t *to, uint32_t first, unsigned mask) {
  for (; mask; mask &= mask - 1) {
    *to++ = first + (uint32_t)__builtin_ctz(mask);
  }
}

SIMD_INLINE void codes_append(int32_t *to, const int32_t *from, unsigned mask) {
  for (; mask; mask &= mask - 1) {
    *to++ = from[__builtin_ctz(mask)];
  }
}

SIMD_INLINE unsigned codes_negative(const int32_t *from) {
  unsigned mask = 0;
  for (int i = 0; i < 8; i++) {
    mask |= (unsigned)(from[i] < 0) << i;
  }
  return mask;
}

SIMD_INLINE void codes_count(int32_t *to, int32_t first) {
  for (int i = 0; i < 8; i++) {
    to[i] = first + i;
  }
}

SIMD_INLINE unsigned positions_below(const int64_t *positions, int64_t limit) {
  unsigned mask = 0;
  for (int i = 0; i < 8; i++) {
    mask |= (unsigned)(positions[i] < limit) << i;
  }
  return mask;
}

SIMD_INLINE unsigned positions_equal(const int64_t *positions, int64_t position) {
  unsigned mask = 0;
  for (int i = 0; i < 8; i++) {
    mask |= (unsigned)(positions[i] == position) << i;
  }
  return mask;
}

#define SIMD_EACH_QUAD(expression)                                                                 \
  keys result;                                                                                     \
  _Pragma("GCC unroll 4") for (int i = 0; i < SIMD_QUADS; i++) {                                   \
    result.part[i] = (expression);                                                                 \
  }                                                                                                \
  return result

SIMD_INLINE keys keys_set(int32_t x) {
  SIMD_EACH_QUAD(((simd_quad){x, x, x, x}));
}

SIMD_INLINE keys keys_load(const int32_t *from) {
  keys x;
  memcpy(&x, from, sizeof x);
  return x;
}

SIMD_INLINE void keys_store(int32_t *to, keys x) {
  memcpy(to, &x, sizeof x);
}

SIMD_INLINE simd_quad simd_smaller(simd_quad a, simd_quad b) {
  const simd_quad less = a < b;
  return (a & less) | (b & ~less);
}

SIMD_INLINE simd_quad simd_larger(simd_quad a, simd_quad b) {
  const simd_quad less = a < b;
  return (b & less) | (a & ~less);
}

SIMD_INLINE keys keys_smaller(keys a, keys b) {
  SIMD_EACH_QUAD(simd_smaller(a.part[i], b.part[i]));
}

SIMD_INLINE keys keys_larger(keys a, keys b) {
  SIMD_EACH_QUAD(simd_larger(a.part[i], b.part[i]));
}

SIMD_INLINE int keys_any_at_most(keys a, int32_t bound) {
  const simd_quad least =
      simd_smaller(simd_smaller(a.part[0], a.part[1]), simd_smaller(a.part[2], a.part[3]));
  return least[0] <= bound || least[1] <= bound || least[2] <= bound || least[3] <= bound;
}

SIMD_INLINE keys keys_make(const double *values, int64_t origin, int32_t first, int32_t field,
                           int32_t count) {
  int32_t made[16];
  for (int i = 0; i < 16; i++) {
    int64_t bits;
    memcpy(&bits, values + i, sizeof bits);
    bits -= origin;
    bits = bits > 0 ? bits : 0;
    made[i] = first + i < count ? ((int32_t)(bits >> 26) & ~field) | (first + i) : INT32_MAX;
  }
  return keys_load(made);
}

SIMD_INLINE simd_quad simd_turn(simd_quad a) {
  return __builtin_shuffle(a, (simd_quad){3, 2, 1, 0});
}

SIMD_INLINE keys keys_reverse(keys a) {
  SIMD_EACH_QUAD(simd_turn(a.part[3 - i]));
}

/* Compares each key with its partner in `other`: lanes where `high` is set keep the larger one. */
SIMD_INLINE simd_quad simd_step(simd_quad a, simd_quad other, simd_quad high) {
  const simd_quad other_wins = (other < a) ^ high;
  return (other & other_wins) | (a & ~other_wins);
}

SIMD_INLINE keys keys_step_1(keys a) {
  SIMD_EACH_QUAD(simd_step(a.part[i], __builtin_shuffle(a.part[i], (simd_quad){1, 0, 3, 2}),
                           (simd_quad){0, -1, 0, -1}));
}

SIMD_INLINE keys keys_step_2(keys a) {
  SIMD_EACH_QUAD(simd_step(a.part[i], __builtin_shuffle(a.part[i], (simd_quad){2, 3, 0, 1}),
                           (simd_quad){0, 0, -1, -1}));
}

SIMD_INLINE keys keys_mirror_4(keys a) {
  SIMD_EACH_QUAD(simd_step(a.part[i], simd_turn(a.part[i]), (simd_quad){0, 0, -1, -1}));
}

SIMD_INLINE keys keys_step_4(keys a) {
  return (keys){{simd_smaller(a.part[0], a.part[1]), simd_larger(a.part[0], a.part[1]),
                 simd_smaller(a.part[2], a.part[3]), simd_larger(a.part[2], a.part[3])}};
}

SIMD_INLINE keys keys_step_8(keys a) {
  return (keys){{simd_smaller(a.part[0], a.part[2]), simd_smaller(a.part[1], a.part[3]),
                 simd_larger(a.part[0], a.part[2]), simd_larger(a.part[1], a.part[3])}};
}

SIMD_INLINE keys keys_mirror_8(keys a) {
  const simd_quad b = simd_turn(a.part[1]);
  const simd_quad d = simd_turn(a.part[3]);
  return (keys){{simd_smaller(a.part[0], b), simd_turn(simd_larger(a.part[0], b)),
                 simd_smaller(a.part[2], d), simd_turn(simd_larger(a.part[2], d))}};
}

SIMD_INLINE keys keys_mirror_16(keys a) {
  const simd_quad c = simd_turn(a.part[2]);
  const simd_quad d = simd_turn(a.part[3]);
  return (keys){{simd_smaller(a.part[0], d), simd_smaller(a.part[1], c),
                 simd_turn(simd_larger(a.part[1], c)), simd_turn(simd_larger(a.part[0], d))}};
}

typedef float simd_singles __attribute__((vector_size(16)));

typedef struct singles {
  simd_singles part[SIMD_QUADS];
} singles;

#define SIMD_EACH_SINGLE(expression)                                                               \
  singles result;                                                                                  \
  _Pragma("GCC unroll 4") for (int i = 0; i < SIMD_QUADS; i++) {                                   \
    result.part[i] = (expression);                                                                 \
  }                                                                                                \
  return result

SIMD_INLINE singles singles_set(float x) {
  SIMD_EACH_SINGLE(((simd_singles){x, x, x, x}));
}

SIMD_INLINE singles singles_load(const float *from) {
  singles x;
  memcpy(&x, from, sizeof x);
  return x;
}

SIMD_INLINE singles singles_subtract(singles a, singles b) {
  SIMD_EACH_SINGLE(a.part[i] - b.part[i]);
}

SIMD_INLINE singles singles_add_square(singles sum, singles a) {
  SIMD_EACH_SINGLE(sum.part[i] + a.part[i] * a.part[i]);
}

SIMD_INLINE unsigned simd_quad_mask(simd_quad where) {
#ifdef __SSE2__
  return (unsigned)_mm_movemask_ps((__m128)where);
#else
  return (unsigned)((where[0] & 1) | (where[1] & 2) | (where[2] & 4) | (where[3] & 8));
#endif
}

SIMD_INLINE unsigned singles_at_most(singles a, singles b) {
  return simd_quad_mask(a.part[0] <= b.part[0]) | simd_quad_mask(a.part[1] <= b.part[1]) << 4 |
         simd_quad_mask(a.part[2] <= b.part[2]) << 8 | simd_quad_mask(a.part[3] <= b.part[3]) << 12;
}

#endif
