/* Coincident points of one rank's part. */
#include "dist/coincident.h"

#include <string.h>

/* Books points of one location, given by positions. */
static void book(struct coincident *coincident, int64_t smallest, int64_t second, int64_t number) {
  coincident->duplicates += number - 1;
  if (second < coincident->repeated) {
    coincident->repeated = second;
    coincident->original = smallest;
  }
}

/* A run of points that share a place: records of coordinates and position, sorted, have equal locations side
 * by side, the smallest positions first. */
static pcct_status count_run(struct base *base, int dimension, const double *coordinates,
                             const int64_t *position, int64_t count,
                             struct coincident *coincident) {
  const int words = dimension + 1;
  uint64_t *records = base_allocate(base, count * words, sizeof *records);
  if (!records) {
    return PCCT_MEMORY;
  }
  for (int64_t i = 0; i < count; i++) {
    memcpy(records + i * words, coordinates + i * dimension, (size_t)dimension * sizeof(double));
    records[i * words + dimension] = (uint64_t)position[i];
  }
  pcct_status status = sort_records(base, records, count, words);
  for (int64_t i = 0, end; i < count && status == PCCT_OK; i = end) {
    for (end = i + 1; end < count && memcmp(records + i * words, records + end * words,
                                            (size_t)dimension * sizeof(double)) == 0;
         end++) {
    }
    if (end - i > 1) {
      book(coincident, (int64_t)records[i * words + dimension],
           (int64_t)records[(i + 1) * words + dimension], end - i);
    }
  }
  base_free(records);
  return status;
}

pcct_status coincident_count(struct base *base, int dimension, const struct sort_pair *pairs,
                             const double *coordinates, const int64_t *position, int64_t count,
                             struct coincident *coincident) {
  const size_t bytes = (size_t)dimension * sizeof(double);
  pcct_status status = PCCT_OK;
  *coincident = (struct coincident){0, INT64_MAX, -1};
  for (int64_t i = 0, end; i < count && status == PCCT_OK; i = end) {
    for (end = i + 1; end < count && pairs[end].key == pairs[i].key; end++) {
    }
    const double *first = coordinates + i * dimension;
    if (end - i == 2 && memcmp(first, first + dimension, bytes) == 0) {
      const int64_t a = position[i];
      const int64_t b = position[i + 1];
      book(coincident, a < b ? a : b, a < b ? b : a, 2);
    } else if (end - i > 2) {
      status = count_run(base, dimension, first, position + i, end - i, coincident);
    }
  }
  return status;
}
