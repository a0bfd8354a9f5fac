/* Insertion orders: by priority, ties by position. */
#include "base/sort.h"
#include "tree/batch.h"

/* Sorts pairs whose values are places in `of` (local indices of points); of NULL: the points themselves. */
static pcct_status sort_points(struct base *base, const struct tree_points *points,
                               const local_index *of, struct sort_pair *pairs, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    pairs[i].key = points->priority[of ? of[pairs[i].value] : (local_index)pairs[i].value];
  }
  pcct_status status = sort_pairs(base, pairs, count);
  for (int64_t i = 0, end; i < count && status == PCCT_OK; i = end) {
    for (end = i + 1; end < count && pairs[end].key == pairs[i].key; end++) {
    }
    for (int64_t j = i; j < end && end - i > 1; j++) {
      pairs[j].key =
          (uint64_t)points->position[of ? of[pairs[j].value] : (local_index)pairs[j].value];
    }
    if (end - i > 1) {
      status = sort_pairs(base, pairs + i, end - i);
    }
  }
  return status;
}

pcct_status batch_rank(struct base *base, const struct tree *tree, const struct batch *batch,
                       local_index *rank) {
  struct sort_pair *pairs = base_allocate(base, batch->count, sizeof *pairs);
  if (!pairs) {
    return PCCT_MEMORY;
  }
  for (local_index q = 0; q < batch->count; q++) {
    pairs[q].value = (uint64_t)q;
  }
  pcct_status status = sort_points(base, &tree->points, batch->point, pairs, batch->count);
  for (local_index i = 0; i < batch->count && status == PCCT_OK; i++) {
    rank[pairs[i].value] = i;
  }
  base_free(pairs);
  return status;
}

enum { BINS = 4096, SLABS = 32 };

/* A priority below which at least `needed` points lie, and few more: by a histogram of leading bits. */
static uint64_t choose_threshold(struct base *base, const struct tree_points *points,
                                 local_index needed, local_index *below) {
  const int64_t count = points->count;
  local_index bin[BINS] = {0};
  uint64_t largest = 0;
  int shift = 0;
#pragma omp parallel for schedule(static) reduction(max                                            \
                                                    : largest)                                     \
    num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t p = 0; p < count; p++) {
    largest = points->priority[p] > largest ? points->priority[p] : largest;
  }
  while (largest >> shift >= BINS) {
    shift++;
  }
#pragma omp parallel for schedule(static) reduction(+ : bin)                                       \
    num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t p = 0; p < count; p++) {
    bin[points->priority[p] >> shift]++;
  }
  uint64_t bins = 0;
  *below = 0;
  while (bins < BINS && *below < needed) {
    *below += bin[bins++];
  }
  return bins << shift; /* 0 where it overflows: no threshold is needed then */
}

/* The points of priority below the threshold (0: all of them), ascending. */
static void list_below(struct base *base, const struct tree_points *points, uint64_t threshold,
                       struct sort_pair *pairs) {
  const int64_t count = points->count;
  const uint64_t last = threshold - 1;
  int64_t start[SLABS + 1] = {0};
#pragma omp parallel num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  {
#pragma omp for schedule(static)
    for (int s = 0; s < SLABS; s++) {
      for (int64_t p = count * s / SLABS; p < count * (s + 1) / SLABS; p++) {
        start[s + 1] += points->priority[p] <= last;
      }
    }
#pragma omp single
    for (int s = 0; s < SLABS; s++) {
      start[s + 1] += start[s];
    }
#pragma omp for schedule(static)
    for (int s = 0; s < SLABS; s++) {
      struct sort_pair *to = pairs + start[s];
      for (int64_t p = count * s / SLABS; p < count * (s + 1) / SLABS; p++) {
        if (points->priority[p] <= last) {
          *to++ = (struct sort_pair){points->priority[p], (uint64_t)p};
        }
      }
    }
  }
}

pcct_status sequence_create(struct base *base, const struct tree_points *points, local_index needed,
                            local_index **out) {
  local_index below = points->count;
  const uint64_t threshold =
      needed < points->count ? choose_threshold(base, points, needed, &below) : 0;
  local_index *sequence = base_allocate(base, below, sizeof *sequence);
  struct sort_pair *pairs = base_allocate(base, below, sizeof *pairs);
  pcct_status status = sequence && pairs ? PCCT_OK : PCCT_MEMORY;
  *out = NULL;
  if (status == PCCT_OK) {
    list_below(base, points, below < points->count ? threshold : 0, pairs);
    status = sort_points(base, points, NULL, pairs, below);
  }
  for (local_index i = 0; i < below && status == PCCT_OK; i++) {
    sequence[i] = (local_index)pairs[i].value;
  }
  base_free(pairs);
  if (status != PCCT_OK) {
    base_free(sequence);
    sequence = NULL;
  }
  *out = sequence;
  return status;
}
