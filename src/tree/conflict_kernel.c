/* The inner loops of conflict graphs: boxes for each instruction set, balls for user metrics. */
#include "tree/conflict_private.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Other compilers do not know these pragmas: there the plain loops serve all. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define INSTRUCTION_SETS 1

#pragma GCC push_options
#pragma GCC target("avx512f,popcnt,bmi")
#define NAME(name) avx512_##name
#include "tree/conflict_kernel.inc"
#undef NAME
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,popcnt,bmi")
#define NAME(name) avx2_##name
#include "tree/conflict_kernel.inc"
#undef NAME
#pragma GCC pop_options

/* Does what fill_node does, a word at a time: its set bits as a list of bytes, these as numbers. */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,popcnt"))) static void
fill_compressed(const struct conflict_step *step, local_index node, const int64_t *offset,
                local_index *out) {
  const local_index *first = step->level->first;
  const local_index child = first[step->first + node];
  const int children = first[step->first + node + 1] - child;
  int64_t length;
  const local_index *scope = conflict_scope(step, node, &length);
  const int64_t words = conflict_blocks(length);
  local_index *to[CONFLICT_WIDTH];
  uint8_t list[64] __attribute__((aligned(64)));
  for (int i = 0; i < 64; i++) {
    list[i] = (uint8_t)i;
  }
  const __m512i bits = _mm512_load_si512(list);
  for (int c = 0; c < children; c++) {
    to[c] = out + offset[child + c - first[step->first]];
  }
  for (int64_t w = 0; w < words; w++) {
    const int64_t from = w * CONFLICT_WIDTH;
    const int64_t rest = length - from < CONFLICT_WIDTH ? length - from : CONFLICT_WIDTH;
    const __mmask8 entries = (__mmask8)((1u << rest) - 1);
    __m256i starts;
    if (scope) {
      const __m256i nodes = _mm256_maskz_loadu_epi32(entries, scope + from);
      starts = _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), entries, nodes, first, 4);
    } else {
      starts = _mm256_maskz_loadu_epi32(entries, first + from);
    }
    const uint64_t *word = step->word + step->start[node] + w;
    for (int c = 0; c < children; c++, word += words) {
      const int count = __builtin_popcountll(*word);
      _mm512_store_si512(list, _mm512_maskz_compress_epi8(*word, bits));
      for (int i = 0; i < count; i += 16) {
        const __m512i bit = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)(list + i)));
        const __m512i start =
            _mm512_permutexvar_epi32(_mm512_srli_epi32(bit, 3), _mm512_castsi256_si512(starts));
        const __m512i number = _mm512_add_epi32(start, _mm512_and_si512(bit, _mm512_set1_epi32(7)));
        const int left = count - i;
        _mm512_mask_storeu_epi32(to[c] + i, (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff),
                                 number);
      }
      to[c] += count;
    }
  }
}
#else
#define INSTRUCTION_SETS 0
#endif

#define NAME(name) plain_##name
#include "tree/conflict_kernel.inc"
#undef NAME

/* The value of two points, the same bits whichever comes first. */
static inline double pair_value(const struct conflict_points *points, local_index a,
                                local_index b) {
  const int d = points->metric->dimension;
  const local_index low = a < b ? a : b;
  const local_index high = a < b ? b : a;
  return metric_value(points->metric, points->coordinates + (int64_t)low * d,
                      points->coordinates + (int64_t)high * d);
}

/* A node's ball, or a point as a ball without width. */
struct ball {
  local_index centre;
  double radius;
  double limit;
};

static inline struct ball ball_of(const struct conflict_step *step,
                                  const struct conflict_level *level, local_index i) {
  if (!level) {
    return (struct ball){i, 0, step->limit[i]};
  }
  return (struct ball){level->centre[i], level->radius[i], level->limit[i]};
}

/* Whether two balls may hold points in conflict. */
static inline int balls_near(const struct conflict_step *step, struct ball a, struct ball b) {
  const double limit = a.limit < b.limit ? a.limit : b.limit;
  return pair_value(step->points, a.centre, b.centre) * (1 - METRIC_SLACK) <=
         (a.radius + b.radius + limit) * (1 + METRIC_SLACK);
}

/* The word's byte of a child and one node of its scope. */
static unsigned ball_mask(const struct conflict_step *step, struct ball child, local_index node,
                          int64_t *looked) {
  const local_index first = step->level->first[node];
  const local_index last = step->level->first[node + 1];
  unsigned mask = 0;
  for (local_index other = first; other < last; other++) {
    const struct ball ball = ball_of(step, step->below, other);
    unsigned near;
    if (step->below) {
      near = (unsigned)balls_near(step, child, ball);
    } else {
      const double limit = child.limit < ball.limit ? child.limit : ball.limit;
      near = pair_value(step->points, child.centre, other) <= limit;
    }
    mask |= near << (other - first);
  }
  *looked += last - first;
  return mask;
}

static int64_t ball_test(const struct conflict_step *step, const struct conflict_slice *slice) {
  int64_t looked = 0;
  int64_t length;
  const local_index *scope = conflict_scope(step, step->member[slice->member], &length);
  const int64_t words = conflict_blocks(length);
  for (int m = 0; m < slice->members; m++) {
    const local_index node = step->member[slice->member + m];
    const local_index *first = step->level->first + step->first + node;
    uint64_t *word = step->word + step->start[node];
    for (local_index c = first[0]; c < first[1]; c++, word += words) {
      const struct ball child = ball_of(step, step->below, c);
      for (int64_t w = 0; w < words; w++) {
        word[w] = 0;
      }
      for (int64_t entry = 0; entry < length; entry++) {
        const local_index other = scope ? scope[entry] : (local_index)entry;
        looked += scope != NULL;
        if (!scope || balls_near(step, child, ball_of(step, step->level, other))) {
          word[entry / CONFLICT_WIDTH] |= (uint64_t)ball_mask(step, child, other, &looked)
                                          << entry % CONFLICT_WIDTH * CONFLICT_WIDTH;
        }
      }
    }
  }
  return looked;
}

struct conflict_kernel conflict_kernel_choose(const struct metric *metric, int isa) {
  struct conflict_kernel kernel = plain_kernel;
#if INSTRUCTION_SETS
  const int any = isa == SETTINGS_ISA_AUTO;
  if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi")) {
    if ((any || isa == SETTINGS_ISA_AVX512) && __builtin_cpu_supports("avx512f")) {
      kernel = avx512_kernel;
      if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
          __builtin_cpu_supports("avx512vbmi2")) {
        kernel.fill = fill_compressed;
      }
    } else if (isa != SETTINGS_ISA_PLAIN && __builtin_cpu_supports("avx2")) {
      kernel = avx2_kernel;
    }
  }
#else
  (void)isa;
#endif
  if (metric->kind == METRIC_USER) {
    kernel.test = ball_test;
  }
  return kernel;
}
