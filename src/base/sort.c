/*
 * Radix sorts. Every pass is stable and cuts the pairs into one slab per thread in order, so that
 * the result is the same for any number of threads.
 */
#include "base/sort.h"

#include <string.h>

#define DIGITS 256
#define PARALLEL_MIN 65536 /* pairs below which one thread is faster */
#define INSERTION_MAX 32   /* records below which insertion is faster than counting */

static uint64_t slab_start(int64_t count, int slab, int slabs) {
  return (uint64_t)count * (uint64_t)slab / (uint64_t)slabs;
}

/* One counting pass by the byte at `shift` from `from` to `to`; starts has room for slabs
 * histograms. */
static void counting_pass(const struct sort_pair *from, struct sort_pair *to, int64_t count,
                          int shift, int slabs, uint64_t (*starts)[DIGITS]) {
#pragma omp parallel for num_threads(slabs) schedule(static, 1)
  for (int slab = 0; slab < slabs; slab++) {
    uint64_t histogram[DIGITS] = {0};
    uint64_t end = slab_start(count, slab + 1, slabs);
    for (uint64_t i = slab_start(count, slab, slabs); i < end; i++) {
      histogram[from[i].key >> shift & 0xff]++;
    }
    memcpy(starts[slab], histogram, sizeof histogram);
  }
  uint64_t before = 0;
  for (int digit = 0; digit < DIGITS; digit++) {
    for (int slab = 0; slab < slabs; slab++) {
      uint64_t here = starts[slab][digit];
      starts[slab][digit] = before;
      before += here;
    }
  }
#pragma omp parallel for num_threads(slabs) schedule(static, 1)
  for (int slab = 0; slab < slabs; slab++) {
    uint64_t next[DIGITS];
    memcpy(next, starts[slab], sizeof next);
    uint64_t end = slab_start(count, slab + 1, slabs);
    for (uint64_t i = slab_start(count, slab, slabs); i < end; i++) {
      to[next[from[i].key >> shift & 0xff]++] = from[i];
    }
  }
}

/* Sorts pairs by key with `scratch` of the same size; starts has room for `threads` histograms. */
static void radix(struct sort_pair *pairs, struct sort_pair *scratch, int64_t count, int threads,
                  uint64_t (*starts)[DIGITS]) {
  int slabs = count >= PARALLEL_MIN ? threads : 1;
  uint64_t varying = 0;
  for (int64_t i = 1; i < count; i++) {
    varying |= pairs[i].key ^ pairs[0].key;
  }
  struct sort_pair *from = pairs, *to = scratch;
  for (int shift = 0; shift < 64; shift += 8) {
    if (varying >> shift & 0xff) {
      counting_pass(from, to, count, shift, slabs, starts);
      struct sort_pair *swap = from;
      from = to;
      to = swap;
    }
  }
  if (from != pairs) {
    memcpy(pairs, from, (size_t)count * sizeof *pairs);
  }
}

pcct_status sort_pairs(struct base *base, struct sort_pair *pairs, int64_t count) {
  pcct_status status = PCCT_OK;
  struct sort_pair *scratch = base_allocate(base, count, sizeof *scratch);
  uint64_t(*starts)[DIGITS] = base_allocate(base, base->threads, sizeof *starts);
  if (!scratch || !starts) {
    status = PCCT_MEMORY;
    goto cleanup;
  }
  radix(pairs, scratch, count, base->threads, starts);

cleanup:
  base_free(scratch);
  base_free(starts);
  return status;
}

/* What the refinement of equal runs needs; pairs' values are indices of records. */
struct refinement {
  const uint64_t *records;
  int words;
  int threads;
  struct sort_pair *scratch;
  uint64_t (*starts)[DIGITS];
};

static int compare_from(const struct refinement *task, uint64_t a, uint64_t b, int word) {
  const uint64_t *left = task->records + a * (uint64_t)task->words;
  const uint64_t *right = task->records + b * (uint64_t)task->words;
  for (int w = word; w < task->words; w++) {
    if (left[w] != right[w]) {
      return left[w] < right[w] ? -1 : 1;
    }
  }
  return 0;
}

static void insertion(const struct refinement *task, struct sort_pair *pairs, int64_t count,
                      int word) {
  for (int64_t i = 1; i < count; i++) {
    struct sort_pair moving = pairs[i];
    int64_t j = i;
    for (; j > 0 && compare_from(task, pairs[j - 1].value, moving.value, word) > 0; j--) {
      pairs[j] = pairs[j - 1];
    }
    pairs[j] = moving;
  }
}

/* Sorts pairs whose records agree in all words before `word`. Depth of recursion: words. */
static void refine(const struct refinement *task, struct sort_pair *pairs, int64_t count,
                   int word) {
  if (count <= INSERTION_MAX) {
    insertion(task, pairs, count, word);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    pairs[i].key = task->records[pairs[i].value * (uint64_t)task->words + (uint64_t)word];
  }
  radix(pairs, task->scratch, count, task->threads, task->starts);
  if (word + 1 == task->words) {
    return;
  }
  for (int64_t first = 0; first < count;) {
    int64_t end = first + 1;
    while (end < count && pairs[end].key == pairs[first].key) {
      end++;
    }
    if (end - first > 1) {
      refine(task, pairs + first, end - first, word + 1);
    }
    first = end;
  }
}

pcct_status sort_records(struct base *base, uint64_t *records, int64_t count, int words) {
  pcct_status status = PCCT_OK;
  struct refinement task = {.records = records, .words = words, .threads = base->threads};
  size_t record_bytes = (size_t)words * sizeof(uint64_t);
  uint64_t *sorted = NULL;
  struct sort_pair *pairs = base_allocate(base, count, sizeof *pairs);
  task.scratch = base_allocate(base, count, sizeof *task.scratch);
  task.starts = base_allocate(base, base->threads, sizeof *task.starts);
  if (!pairs || !task.scratch || !task.starts) {
    status = PCCT_MEMORY;
    goto cleanup;
  }
  for (int64_t i = 0; i < count; i++) {
    pairs[i].value = (uint64_t)i;
  }
  refine(&task, pairs, count, 0);

  base_free(task.scratch);
  task.scratch = NULL;
  sorted = base_allocate(base, count, record_bytes);
  if (!sorted) {
    status = PCCT_MEMORY;
    goto cleanup;
  }
#pragma omp parallel for num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    memcpy(sorted + i * words, records + pairs[i].value * (uint64_t)words, record_bytes);
  }
  memcpy(records, sorted, (size_t)count * record_bytes);

cleanup:
  base_free(pairs);
  base_free(task.scratch);
  base_free(task.starts);
  base_free(sorted);
  return status;
}

uint64_t sort_key(double value) {
  uint64_t bits;
  double positive_zero = value + 0.0; /* -0 becomes 0 */
  memcpy(&bits, &positive_zero, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

int sort_compare_integers(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}
