/*
 * Vectors of eight doubles and of sixteen sort keys: AVX-512. See simd.h.
 */
#ifndef WALK_SIMD_AVX512_H
#define WALK_SIMD_AVX512_H

#ifdef __AVX512F__

#include <immintrin.h>
#include <stdint.h>

#define SIMD_INLINE static inline __attribute__((always_inline))

typedef __m512d lanes;
typedef __m512i keys;

SIMD_INLINE lanes lanes_set(double x) {
  return _mm512_set1_pd(x);
}

SIMD_INLINE lanes lanes_load(const double *from) {
  return _mm512_loadu_pd(from);
}

SIMD_INLINE void lanes_store(double *to, lanes x) {
  _mm512_storeu_pd(to, x);
}

SIMD_INLINE void lanes_store_first(double *to, lanes x, int count) {
  _mm512_mask_storeu_pd(to, (__mmask8)((1U << count) - 1), x);
}

SIMD_INLINE lanes lanes_add(lanes a, lanes b) {
  return _mm512_add_pd(a, b);
}

SIMD_INLINE lanes lanes_subtract(lanes a, lanes b) {
  return _mm512_sub_pd(a, b);
}

SIMD_INLINE lanes lanes_multiply(lanes a, lanes b) {
  return _mm512_mul_pd(a, b);
}

SIMD_INLINE lanes lanes_smaller(lanes a, lanes b) {
  return _mm512_min_pd(a, b);
}

SIMD_INLINE lanes lanes_larger(lanes a, lanes b) {
  return _mm512_max_pd(a, b);
}

SIMD_INLINE lanes lanes_magnitude(lanes a) {
  return _mm512_abs_pd(a);
}

SIMD_INLINE lanes lanes_root(lanes a) {
  return _mm512_sqrt_pd(a);
}

SIMD_INLINE double lanes_least(lanes a) {
  return _mm512_reduce_min_pd(a);
}

SIMD_INLINE double lanes_greatest(lanes a) {
  return _mm512_reduce_max_pd(a);
}

/* A mask of lanes as an integer. GCC 12 may spill a mask as one byte and read four back for a bit count:
 * hidden from it here, the integer is an integer. */
SIMD_INLINE unsigned mask_bits(unsigned bits) {
  __asm__("" : "+r"(bits));
  return bits;
}

SIMD_INLINE unsigned lanes_at_most(lanes a, lanes b) {
  return mask_bits(_mm512_cmp_pd_mask(a, b, _CMP_LE_OQ));
}

SIMD_INLINE unsigned lanes_less(lanes a, lanes b) {
  return mask_bits(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ));
}

SIMD_INLINE lanes lanes_choose(unsigned mask, lanes yes, lanes no) {
  return _mm512_mask_blend_pd((__mmask8)mask, no, yes);
}

SIMD_INLINE lanes lanes_tag(lanes a, const uint64_t *tags, uint64_t field) {
  const __m512i bits =
      _mm512_andnot_si512(_mm512_set1_epi64((int64_t)field), _mm512_castpd_si512(a));
  return _mm512_castsi512_pd(_mm512_or_si512(bits, _mm512_loadu_si512(tags)));
}

SIMD_INLINE int lanes_append(double *to, lanes values, unsigned mask) {
  _mm512_storeu_pd(to, _mm512_maskz_compress_pd((__mmask8)mask, values));
  return __builtin_popcount(mask);
}

SIMD_INLINE void slots_append(uint32_t *to, uint32_t first, unsigned mask) {
  const __m256i count = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i slots = _mm256_add_epi32(count, _mm256_set1_epi32((int)first));
  _mm256_storeu_si256((__m256i *)(void *)to, _mm256_maskz_compress_epi32((__mmask8)mask, slots));
}

SIMD_INLINE void codes_append(int32_t *to, const int32_t *from, unsigned mask) {
  const __m256i codes = _mm256_loadu_si256((const __m256i *)(const void *)from);
  _mm256_storeu_si256((__m256i *)(void *)to, _mm256_maskz_compress_epi32((__mmask8)mask, codes));
}

SIMD_INLINE unsigned codes_negative(const int32_t *from) {
  return mask_bits(_mm256_movepi32_mask(_mm256_loadu_si256((const __m256i *)(const void *)from)));
}

SIMD_INLINE void codes_count(int32_t *to, int32_t first) {
  const __m256i count = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_storeu_si256((__m256i *)(void *)to, _mm256_add_epi32(count, _mm256_set1_epi32(first)));
}

SIMD_INLINE unsigned positions_below(const int64_t *positions, int64_t limit) {
  return mask_bits(
      _mm512_cmplt_epi64_mask(_mm512_loadu_si512(positions), _mm512_set1_epi64(limit)));
}

SIMD_INLINE unsigned positions_equal(const int64_t *positions, int64_t position) {
  return mask_bits(
      _mm512_cmpeq_epi64_mask(_mm512_loadu_si512(positions), _mm512_set1_epi64(position)));
}

SIMD_INLINE keys keys_set(int32_t x) {
  return _mm512_set1_epi32(x);
}

SIMD_INLINE keys keys_load(const int32_t *from) {
  return _mm512_loadu_si512(from);
}

SIMD_INLINE void keys_store(int32_t *to, keys x) {
  _mm512_storeu_si512(to, x);
}

SIMD_INLINE keys keys_smaller(keys a, keys b) {
  return _mm512_min_epi32(a, b);
}

SIMD_INLINE keys keys_larger(keys a, keys b) {
  return _mm512_max_epi32(a, b);
}

SIMD_INLINE int keys_any_at_most(keys a, int32_t bound) {
  return _mm512_cmple_epi32_mask(a, _mm512_set1_epi32(bound)) != 0;
}

SIMD_INLINE __m512i simd_words(const double *values, __m512i origin) {
  const __m512i bits = _mm512_sub_epi64(_mm512_loadu_si512(values), origin);
  return _mm512_srli_epi64(_mm512_max_epi64(bits, _mm512_setzero_si512()), 26);
}

SIMD_INLINE keys keys_make(const double *values, int64_t origin, int32_t first, int32_t field,
                           int32_t count) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i places =
      _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                       _mm512_set1_epi32(first));
  const __m512i from = _mm512_set1_epi64(origin);
  const __m512i high =
      _mm512_permutex2var_epi32(simd_words(values, from), even, simd_words(values + 8, from));
  const __m512i made = _mm512_or_si512(_mm512_andnot_si512(_mm512_set1_epi32(field), high), places);
  const __mmask16 there = _mm512_cmplt_epi32_mask(places, _mm512_set1_epi32(count));
  return _mm512_mask_mov_epi32(_mm512_set1_epi32(INT32_MAX), there, made);
}

SIMD_INLINE keys keys_reverse(keys a) {
  const __m512i order = _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_permutexvar_epi32(order, a);
}

/* Compares each key with its partner in `other`: lanes in `high` keep the larger one. */
SIMD_INLINE keys simd_step(keys a, keys other, __mmask16 high) {
  return _mm512_mask_max_epi32(_mm512_min_epi32(a, other), high, a, other);
}

SIMD_INLINE keys keys_step_1(keys a) {
  return simd_step(a, _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0xB1), 0xAAAA);
}

SIMD_INLINE keys keys_step_2(keys a) {
  return simd_step(a, _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0x4E), 0xCCCC);
}

SIMD_INLINE keys keys_step_4(keys a) {
  return simd_step(a, _mm512_shuffle_i64x2(a, a, 0xB1), 0xF0F0);
}

SIMD_INLINE keys keys_step_8(keys a) {
  return simd_step(a, _mm512_shuffle_i64x2(a, a, 0x4E), 0xFF00);
}

SIMD_INLINE keys keys_mirror_4(keys a) {
  return simd_step(a, _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0x1B), 0xCCCC);
}

SIMD_INLINE keys keys_mirror_8(keys a) {
  const __m512i turned = _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0x1B);
  return simd_step(a, _mm512_shuffle_i64x2(turned, turned, 0xB1), 0xF0F0);
}

SIMD_INLINE keys keys_mirror_16(keys a) {
  return simd_step(a, keys_reverse(a), 0xFF00);
}

typedef __m512 singles;

SIMD_INLINE singles singles_set(float x) {
  return _mm512_set1_ps(x);
}

SIMD_INLINE singles singles_load(const float *from) {
  return _mm512_loadu_ps(from);
}

SIMD_INLINE singles singles_subtract(singles a, singles b) {
  return _mm512_sub_ps(a, b);
}

SIMD_INLINE singles singles_add_square(singles sum, singles a) {
  return _mm512_add_ps(sum, _mm512_mul_ps(a, a));
}

SIMD_INLINE unsigned singles_at_most(singles a, singles b) {
  return mask_bits(_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ));
}

#endif
#endif
