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

/* Whether all points of a run are at one location, and their two smallest positions. */
static int all_coincide(int dimension, const double *coordinates, const int64_t *position,
                        int64_t count, int64_t *smallest, int64_t *second) {
  for (int64_t i = 0; i < count; i++) {
    if (memcmp(coordinates, coordinates + i * dimension, (size_t)dimension * sizeof(double)) != 0) {
      return 0;
    }
    if (position[i] < *smallest) {
      *second = *smallest;
      *smallest = position[i];
    } else if (position[i] < *second) {
      *second = position[i];
    }
  }
  return 1;
}

/* A run of points that share a place: records of coordinates and position, sorted, have equal locations side
 * by side, the smallest positions first. */
static pcct_status count_run(struct base *base, int dimension, const double *coordinates,
                             const int64_t *position, int64_t count,
                             struct coincident *coincident) {
  const int words = dimension + 1;
  int64_t smallest = INT64_MAX;
  int64_t second = INT64_MAX;
  if (all_coincide(dimension, coordinates, position, count, &smallest, &second)) {
    book(coincident, smallest, second, count);
    return PCCT_OK;
  }
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

/* A short run, pair by pair. */
static void count_short_run(int dimension, const double *coordinates, const int64_t *position,
                            int count, struct coincident *coincident) {
  const size_t bytes = (size_t)dimension * sizeof(double);
  uint32_t done = 0; /* points of a location booked already */
  for (int a = 0; a < count; a++) {
    int64_t smallest = position[a];
    int64_t second = INT64_MAX;
    int number = 1;
    for (int b = a + 1; b < count && !(done >> a & 1); b++) {
      if (coordinates[a * dimension] == coordinates[b * dimension] &&
          memcmp(coordinates + a * dimension, coordinates + b * dimension, bytes) == 0) {
        const int64_t larger = position[b] > smallest ? position[b] : smallest;
        smallest = position[b] < smallest ? position[b] : smallest;
        second = larger < second ? larger : second;
        done |= UINT32_C(1) << b;
        number++;
      }
    }
    if (number > 1) {
      book(coincident, smallest, second, number);
    }
  }
}

pcct_status coincident_count(struct base *base, int dimension, const struct sort_pair *pairs,
                             const double *coordinates, const int64_t *position, int64_t count,
                             struct coincident *coincident) {
  enum { SHORT = 32 };
  pcct_status status = PCCT_OK;
  *coincident = (struct coincident){0, INT64_MAX, -1};
  for (int64_t i = 0, end; i < count && status == PCCT_OK; i = end) {
    for (end = i + 1; end < count && pairs[end].key == pairs[i].key; end++) {
    }
    if (end - i > SHORT) {
      status = count_run(base, dimension, coordinates + i * dimension, position + i, end - i,
                         coincident);
    } else if (end - i > 1) {
      count_short_run(dimension, coordinates + i * dimension, position + i, (int)(end - i),
                      coincident);
    }
  }
  return status;
}
