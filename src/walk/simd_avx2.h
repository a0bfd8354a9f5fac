/*
 * Vectors of eight doubles and of sixteen sort keys: AVX2.
 */
#ifndef WALK_SIMD_AVX2_H
#define WALK_SIMD_AVX2_H

#ifdef __AVX2__

#include <immintrin.h>
#include <stdint.h>

#define SIMD_INLINE static inline __attribute__((always_inline))

typedef struct lanes {
  __m256d low, high;
} lanes;

typedef struct keys {
  __m256i low, high;
} keys;

/* By mask of four: which 32-bit parts of four doubles to take, and which of four words. */
static const int32_t simd_pick_pairs[16][8] = {
    {0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0, 0}, {2, 3, 0, 0, 0, 0, 0, 0},
    {0, 1, 2, 3, 0, 0, 0, 0}, {4, 5, 0, 0, 0, 0, 0, 0}, {0, 1, 4, 5, 0, 0, 0, 0},
    {2, 3, 4, 5, 0, 0, 0, 0}, {0, 1, 2, 3, 4, 5, 0, 0}, {6, 7, 0, 0, 0, 0, 0, 0},
    {0, 1, 6, 7, 0, 0, 0, 0}, {2, 3, 6, 7, 0, 0, 0, 0}, {0, 1, 2, 3, 6, 7, 0, 0},
    {4, 5, 6, 7, 0, 0, 0, 0}, {0, 1, 4, 5, 6, 7, 0, 0}, {2, 3, 4, 5, 6, 7, 0, 0},
    {0, 1, 2, 3, 4, 5, 6, 7}};
static const int32_t simd_pick_words[16][4] = {
    {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0}, {2, 0, 0, 0}, {0, 2, 0, 0},
    {1, 2, 0, 0}, {0, 1, 2, 0}, {3, 0, 0, 0}, {0, 3, 0, 0}, {1, 3, 0, 0}, {0, 1, 3, 0},
    {2, 3, 0, 0}, {0, 2, 3, 0}, {1, 2, 3, 0}, {0, 1, 2, 3}};

SIMD_INLINE lanes lanes_set(double x) {
  return (lanes){_mm256_set1_pd(x), _mm256_set1_pd(x)};
}

SIMD_INLINE lanes lanes_load(const double *from) {
  return (lanes){_mm256_loadu_pd(from), _mm256_loadu_pd(from + 4)};
}

SIMD_INLINE void lanes_store(double *to, lanes x) {
  _mm256_storeu_pd(to, x.low);
  _mm256_storeu_pd(to + 4, x.high);
}

SIMD_INLINE void lanes_store_first(double *to, lanes x, int count) {
  const __m256i places = _mm256_setr_epi64x(0, 1, 2, 3);
  _mm256_maskstore_pd(to, _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), places), x.low);
  _mm256_maskstore_pd(to + 4, _mm256_cmpgt_epi64(_mm256_set1_epi64x(count - 4), places), x.high);
}

SIMD_INLINE lanes lanes_add(lanes a, lanes b) {
  return (lanes){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}

SIMD_INLINE lanes lanes_subtract(lanes a, lanes b) {
  return (lanes){_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
}

SIMD_INLINE lanes lanes_multiply(lanes a, lanes b) {
  return (lanes){_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
}

SIMD_INLINE lanes lanes_smaller(lanes a, lanes b) {
  return (lanes){_mm256_min_pd(a.low, b.low), _mm256_min_pd(a.high, b.high)};
}

SIMD_INLINE lanes lanes_larger(lanes a, lanes b) {
  return (lanes){_mm256_max_pd(a.low, b.low), _mm256_max_pd(a.high, b.high)};
}

SIMD_INLINE lanes lanes_magnitude(lanes a) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  return (lanes){_mm256_andnot_pd(sign, a.low), _mm256_andnot_pd(sign, a.high)};
}

SIMD_INLINE lanes lanes_root(lanes a) {
  return (lanes){_mm256_sqrt_pd(a.low), _mm256_sqrt_pd(a.high)};
}

SIMD_INLINE double lanes_least(lanes a) {
  const __m256d four = _mm256_min_pd(a.low, a.high);
  const __m128d two = _mm_min_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_min_sd(two, _mm_unpackhi_pd(two, two)));
}

SIMD_INLINE double lanes_greatest(lanes a) {
  const __m256d four = _mm256_max_pd(a.low, a.high);
  const __m128d two = _mm_max_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
}

SIMD_INLINE unsigned simd_mask(__m256d low, __m256d high) {
  return (unsigned)_mm256_movemask_pd(low) | (unsigned)_mm256_movemask_pd(high) << 4;
}

SIMD_INLINE unsigned lanes_at_most(lanes a, lanes b) {
  return simd_mask(_mm256_cmp_pd(a.low, b.low, _CMP_LE_OQ),
                   _mm256_cmp_pd(a.high, b.high, _CMP_LE_OQ));
}

SIMD_INLINE unsigned lanes_less(lanes a, lanes b) {
  return simd_mask(_mm256_cmp_pd(a.low, b.low, _CMP_LT_OQ),
                   _mm256_cmp_pd(a.high, b.high, _CMP_LT_OQ));
}

SIMD_INLINE __m256d simd_spread(unsigned mask) {
  const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
  const __m256i all = _mm256_set1_epi64x((int64_t)mask);
  return _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, bit), bit));
}

SIMD_INLINE lanes lanes_choose(unsigned mask, lanes yes, lanes no) {
  return (lanes){_mm256_blendv_pd(no.low, yes.low, simd_spread(mask)),
                 _mm256_blendv_pd(no.high, yes.high, simd_spread(mask >> 4))};
}

SIMD_INLINE __m256d simd_tag(__m256d a, const uint64_t *tags, uint64_t field) {
  const __m256d cleared =
      _mm256_andnot_pd(_mm256_castsi256_pd(_mm256_set1_epi64x((int64_t)field)), a);
  return _mm256_or_pd(cleared,
                      _mm256_castsi256_pd(_mm256_loadu_si256((const __m256i *)(const void *)tags)));
}

SIMD_INLINE lanes lanes_tag(lanes a, const uint64_t *tags, uint64_t field) {
  return (lanes){simd_tag(a.low, tags, field), simd_tag(a.high, tags + 4, field)};
}

SIMD_INLINE int simd_append(double *to, __m256d values, unsigned mask) {
  const __m256i pick = _mm256_loadu_si256((const __m256i *)(const void *)simd_pick_pairs[mask]);
  _mm256_storeu_pd(
      to, _mm256_castsi256_pd(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(values), pick)));
  return __builtin_popcount(mask);
}

SIMD_INLINE int lanes_append(double *to, lanes values, unsigned mask) {
  const int count = simd_append(to, values.low, mask & 15);
  return count + simd_append(to + count, values.high, mask >> 4);
}

SIMD_INLINE void simd_append_words(int32_t *to, __m128i words, unsigned mask) {
  const __m128i pick = _mm_loadu_si128((const __m128i *)(const void *)simd_pick_words[mask]);
  _mm_storeu_si128((__m128i *)(void *)to,
                   _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(words), pick)));
}

SIMD_INLINE void slots_append(uint32_t *to, uint32_t first, unsigned mask) {
  const __m128i low = _mm_add_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32((int)first));
  simd_append_words((int32_t *)to, low, mask & 15);
  simd_append_words((int32_t *)to + __builtin_popcount(mask & 15),
                    _mm_add_epi32(low, _mm_set1_epi32(4)), mask >> 4);
}

SIMD_INLINE void codes_append(int32_t *to, const int32_t *from, unsigned mask) {
  simd_append_words(to, _mm_loadu_si128((const __m128i *)(const void *)from), mask & 15);
  simd_append_words(to + __builtin_popcount(mask & 15),
                    _mm_loadu_si128((const __m128i *)(const void *)(from + 4)), mask >> 4);
}

SIMD_INLINE unsigned codes_negative(const int32_t *from) {
  return (unsigned)_mm256_movemask_ps(
      _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)from)));
}

SIMD_INLINE void codes_count(int32_t *to, int32_t first) {
  const __m256i count = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_storeu_si256((__m256i *)(void *)to, _mm256_add_epi32(count, _mm256_set1_epi32(first)));
}

SIMD_INLINE unsigned positions_below(const int64_t *positions, int64_t limit) {
  const __m256i bound = _mm256_set1_epi64x(limit);
  const __m256i *from = (const __m256i *)(const void *)positions;
  return simd_mask(_mm256_castsi256_pd(_mm256_cmpgt_epi64(bound, _mm256_loadu_si256(from))),
                   _mm256_castsi256_pd(_mm256_cmpgt_epi64(bound, _mm256_loadu_si256(from + 1))));
}

SIMD_INLINE unsigned positions_equal(const int64_t *positions, int64_t position) {
  const __m256i same = _mm256_set1_epi64x(position);
  const __m256i *from = (const __m256i *)(const void *)positions;
  return simd_mask(_mm256_castsi256_pd(_mm256_cmpeq_epi64(same, _mm256_loadu_si256(from))),
                   _mm256_castsi256_pd(_mm256_cmpeq_epi64(same, _mm256_loadu_si256(from + 1))));
}

SIMD_INLINE keys keys_set(int32_t x) {
  return (keys){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}

SIMD_INLINE keys keys_load(const int32_t *from) {
  const __m256i *at = (const __m256i *)(const void *)from;
  return (keys){_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}

SIMD_INLINE void keys_store(int32_t *to, keys x) {
  __m256i *at = (__m256i *)(void *)to;
  _mm256_storeu_si256(at, x.low);
  _mm256_storeu_si256(at + 1, x.high);
}

SIMD_INLINE keys keys_smaller(keys a, keys b) {
  return (keys){_mm256_min_epi32(a.low, b.low), _mm256_min_epi32(a.high, b.high)};
}

SIMD_INLINE keys keys_larger(keys a, keys b) {
  return (keys){_mm256_max_epi32(a.low, b.low), _mm256_max_epi32(a.high, b.high)};
}

SIMD_INLINE int keys_any_at_most(keys a, int32_t bound) {
  const __m256i above = _mm256_set1_epi32(bound);
  const __m256i both =
      _mm256_and_si256(_mm256_cmpgt_epi32(a.low, above), _mm256_cmpgt_epi32(a.high, above));
  return _mm256_movemask_epi8(both) != -1;
}

/* Four keys' high parts as four 64-bit words. */
SIMD_INLINE __m256i simd_words(const double *values, __m256i origin) {
  const __m256i bits =
      _mm256_sub_epi64(_mm256_loadu_si256((const __m256i *)(const void *)values), origin);
  const __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), bits);
  return _mm256_srli_epi64(_mm256_andnot_si256(negative, bits), 26);
}

SIMD_INLINE __m256i simd_half_keys(const double *values, __m256i origin) {
  const __m256 mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(simd_words(values, origin)),
                                         _mm256_castsi256_ps(simd_words(values + 4, origin)), 0x88);
  return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xD8);
}

SIMD_INLINE __m256i simd_half_made(const double *values, __m256i origin, __m256i places,
                                   __m256i field, __m256i last) {
  const __m256i made =
      _mm256_or_si256(_mm256_andnot_si256(field, simd_half_keys(values, origin)), places);
  return _mm256_blendv_epi8(made, _mm256_set1_epi32(INT32_MAX), _mm256_cmpgt_epi32(places, last));
}

SIMD_INLINE keys keys_make(const double *values, int64_t origin, int32_t first, int32_t field,
                           int32_t count) {
  const __m256i from = _mm256_set1_epi64x(origin);
  const __m256i bits = _mm256_set1_epi32(field);
  const __m256i last = _mm256_set1_epi32(count - 1);
  const __m256i places =
      _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  return (keys){
      simd_half_made(values, from, places, bits, last),
      simd_half_made(values + 8, from, _mm256_add_epi32(places, _mm256_set1_epi32(8)), bits, last)};
}

SIMD_INLINE __m256i simd_reverse(__m256i a) {
  return _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

SIMD_INLINE keys keys_reverse(keys a) {
  return (keys){simd_reverse(a.high), simd_reverse(a.low)};
}

/* Compare and exchange with the partners in `other`; lanes of the constant `high` keep the larger one. */
#define SIMD_STEP(a, other, high)                                                                  \
  _mm256_blend_epi32(_mm256_min_epi32(a, other), _mm256_max_epi32(a, other), high)

SIMD_INLINE __m256i simd_step_1(__m256i a) {
  const __m256i other = _mm256_shuffle_epi32(a, 0xB1);
  return SIMD_STEP(a, other, 0xAA);
}

SIMD_INLINE __m256i simd_step_2(__m256i a) {
  const __m256i other = _mm256_shuffle_epi32(a, 0x4E);
  return SIMD_STEP(a, other, 0xCC);
}

SIMD_INLINE __m256i simd_step_4(__m256i a) {
  const __m256i other = _mm256_permute4x64_epi64(a, 0x4E);
  return SIMD_STEP(a, other, 0xF0);
}

SIMD_INLINE __m256i simd_mirror_4(__m256i a) {
  const __m256i other = _mm256_shuffle_epi32(a, 0x1B);
  return SIMD_STEP(a, other, 0xCC);
}

SIMD_INLINE __m256i simd_mirror_8(__m256i a) {
  const __m256i other = simd_reverse(a);
  return SIMD_STEP(a, other, 0xF0);
}

SIMD_INLINE keys keys_step_1(keys a) {
  return (keys){simd_step_1(a.low), simd_step_1(a.high)};
}

SIMD_INLINE keys keys_step_2(keys a) {
  return (keys){simd_step_2(a.low), simd_step_2(a.high)};
}

SIMD_INLINE keys keys_step_4(keys a) {
  return (keys){simd_step_4(a.low), simd_step_4(a.high)};
}

SIMD_INLINE keys keys_step_8(keys a) {
  return (keys){_mm256_min_epi32(a.low, a.high), _mm256_max_epi32(a.low, a.high)};
}

SIMD_INLINE keys keys_mirror_4(keys a) {
  return (keys){simd_mirror_4(a.low), simd_mirror_4(a.high)};
}

SIMD_INLINE keys keys_mirror_8(keys a) {
  return (keys){simd_mirror_8(a.low), simd_mirror_8(a.high)};
}

SIMD_INLINE keys keys_mirror_16(keys a) {
  const __m256i turned = simd_reverse(a.high);
  return (keys){_mm256_min_epi32(a.low, turned), simd_reverse(_mm256_max_epi32(a.low, turned))};
}

typedef struct singles {
  __m256 low, high;
} singles;

SIMD_INLINE singles singles_set(float x) {
  return (singles){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

SIMD_INLINE singles singles_load(const float *from) {
  return (singles){_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}

SIMD_INLINE singles singles_subtract(singles a, singles b) {
  return (singles){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}

SIMD_INLINE singles singles_add_square(singles sum, singles a) {
  return (singles){_mm256_add_ps(sum.low, _mm256_mul_ps(a.low, a.low)),
                   _mm256_add_ps(sum.high, _mm256_mul_ps(a.high, a.high))};
}

SIMD_INLINE unsigned singles_at_most(singles a, singles b) {
  return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_LE_OQ)) |
         (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_LE_OQ)) << 8;
}

#endif
#endif
