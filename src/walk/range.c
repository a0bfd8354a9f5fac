/* Range queries: counted first, then written to where they belong. */
#include "walk/range.h"

#include "walk/engine.h"

#include <omp.h>

enum { CHUNK = 16 };

static struct walk_query query_of(const struct walk_range *range, int dimension, int64_t q) {
  return (struct walk_query){
      range->points + q * dimension, range->limit ? range->limit[q] : INT64_MAX,
      range->excluded ? range->excluded[q] : -1, range->radius[q], INT64_MAX};
}

pcct_status walk_range_count(struct base *base, const struct view *view,
                             const struct walk_range *range, int64_t *number) {
  struct walker *walkers = NULL;
  const pcct_status status = walkers_create(base, view, range->count, 1, &walkers);
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(dynamic, CHUNK)                                                  \
    num_threads(base->threads) if (range->count >= WALK_PARALLEL)
    for (int64_t q = 0; q < range->count; q++) {
      struct walker *walker = &walkers[omp_get_thread_num()];
      const struct walk_query query = query_of(range, view->dimension, q);
      number[q] = walker->engine->within(walker, &query, NULL);
    }
  }
  walkers_destroy(base, &walkers);
  return status;
}

pcct_status walk_range_fill(struct base *base, const struct view *view,
                            const struct walk_range *range, const int64_t *offset,
                            struct candidate *found) {
  struct walker *walkers = NULL;
  const pcct_status status = walkers_create(base, view, range->count, 1, &walkers);
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(dynamic, CHUNK)                                                  \
    num_threads(base->threads) if (range->count >= WALK_PARALLEL)
    for (int64_t q = 0; q < range->count; q++) {
      struct walker *walker = &walkers[omp_get_thread_num()];
      const struct walk_query query = query_of(range, view->dimension, q);
      walker->engine->within(walker, &query, found + offset[q]);
      candidates_sort(found + offset[q], offset[q + 1] - offset[q]);
    }
  }
  walkers_destroy(base, &walkers);
  return status;
}
