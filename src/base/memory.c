/*
 * Allocation: aligned, checked for overflow, and able to fail on request for tests.
 */
#include "base/context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)BASE_APART)

/* Blocks from this size on lie on huge pages where the system has them: searches jump about in them, and
 * would miss the address cache at nearly every step. */
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_LEAST ((size_t)4 << 20)

/* The bytes to allocate, a positive multiple of the alignment; 0 if they exceed the address space.
 */
static size_t padded_bytes(int64_t count, size_t size) {
  const size_t largest = (size_t)PTRDIFF_MAX - ALIGNMENT;
  if (count < 0 || (size > 0 && (uint64_t)count > largest / size)) {
    return 0;
  }
  size_t bytes = (size_t)count * size;
  return bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void *allocate_pages(size_t bytes) {
  if (bytes < HUGE_LEAST || bytes > (size_t)PTRDIFF_MAX - HUGE_PAGE) {
    return aligned_alloc(ALIGNMENT, bytes);
  }
  const size_t rounded = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  void *pointer = aligned_alloc(HUGE_PAGE, rounded);
  if (pointer) {
    madvise(pointer, rounded, MADV_HUGEPAGE); /* a wish: failing costs time, nothing else */
  }
  return pointer;
}

void *base_allocate(struct base *base, int64_t count, size_t size) {
  void *pointer = NULL;
  size_t bytes = padded_bytes(count, size);
  if (bytes > 0 && base->allocations_left != 0) {
    pointer = allocate_pages(bytes);
  }
  if (base->allocations_left > 0) {
    base->allocations_left--;
  }
  if (!pointer) {
    base_fail(
        base, PCCT_MEMORY,
        "out of memory: no room for %lld elements of %zu bytes; use more nodes, or blocks and "
        "batches of fewer rows",
        (long long)count, size);
  }
  return pointer;
}

void *base_allocate_zero(struct base *base, int64_t count, size_t size) {
  void *pointer = base_allocate(base, count, size);
  if (pointer) {
    memset(pointer, 0, (size_t)count * size);
  }
  return pointer;
}

pcct_status base_grow(struct base *base, void **pointer, int64_t *capacity, int64_t used,
                      int64_t needed, size_t size) {
  if (needed <= *capacity) {
    return PCCT_OK;
  }
  int64_t half_more = *capacity + *capacity / 2;
  int64_t wanted = needed > half_more ? needed : half_more;
  void *larger = base_allocate(base, wanted, size);
  if (!larger) {
    return PCCT_MEMORY;
  }
  if (used > 0) {
    memcpy(larger, *pointer, (size_t)used * size);
  }
  base_free(*pointer);
  *pointer = larger;
  *capacity = wanted;
  return PCCT_OK;
}

void base_free(void *pointer) {
  free(pointer);
}
