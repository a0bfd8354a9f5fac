/* Sending points to their parts and keeping them in spatial order. */
#include "dist/partition.h"

#include "dist/spatial.h"

#include <limits.h>
#include <string.h>

pcct_status dist_send_points(pcct_context *context, int dimension, const double *search,
                             const int64_t *position, int64_t count, const int *owner,
                             void **records, int64_t *received) {
  struct base *base = &context->base;
  const int d = dimension;
  const size_t size = (size_t)(d + 1) * sizeof(double);
  int64_t *counts = base_allocate_zero(base, 3 * (int64_t)context->size, sizeof *counts);
  double *send = base_allocate(base, count, size);
  pcct_status status = comm_agree(context, counts && send ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    int64_t *next = counts + 2 * context->size;
    for (int64_t i = 0; i < count; i++) {
      counts[owner[i]]++;
    }
    for (int r = 1; r < context->size; r++) {
      next[r] = next[r - 1] + counts[r - 1];
    }
    for (int64_t i = 0; i < count; i++) {
      double *to = send + next[owner[i]]++ * (d + 1);
      memcpy(to, search + i * d, (size_t)d * sizeof(double));
      memcpy(to + d, &position[i], sizeof(int64_t));
    }
    status = comm_exchange(context, send, counts, size, counts + context->size, records, received,
                           COUNTER_bytes_partition);
  }
  base_free(counts);
  base_free(send);
  return status;
}

/* Sends every point to its part. */
static pcct_status send_points(pcct_index *index, const double *search, void **records,
                               int64_t *received) {
  pcct_context *context = index->context;
  const int d = index->metric.dimension;
  int *owner = base_allocate(&context->base, index->row_count, sizeof *owner);
  pcct_status status = comm_agree(context, owner ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < index->row_count; i++) {
      owner[i] = parts_locate(index->parts, search + i * d, index->row_position[i]);
    }
    status = dist_send_points(context, d, search, index->row_position, index->row_count, owner,
                              records, received);
  }
  base_free(owner);
  return status;
}

/* Where this rank's points come from: its own rows, or records of coordinates and the position. */
struct source {
  const double *coordinates;
  const int64_t *position; /* NULL: behind the coordinates */
  int64_t stride;
  int64_t count;
};

/* Keeps this rank's points in spatial order. */
static pcct_status keep_points(pcct_index *index, const struct source *source) {
  enum { AHEAD = 32 }; /* points whose memory is asked for while others are copied */
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const int64_t count = source->count;
  if (count > INT32_MAX - VIEW_WIDTH) {
    return base_fail(base, PCCT_MEMORY,
                     "rank %d would own %lld points; expected at most %d: use more ranks",
                     index->context->rank, (long long)count, INT32_MAX - VIEW_WIDTH);
  }
  struct sort_pair *pairs = base_allocate(base, count, sizeof *pairs);
  index->coordinates = base_allocate(base, count * d, sizeof(double));
  index->position = base_allocate(base, count, sizeof *index->position);
  index->priority = base_allocate(base, count, sizeof *index->priority);
  pcct_status status = PCCT_MEMORY;
  if (pairs && index->coordinates && index->position && index->priority) {
    status = spatial_sort(base, d, source->coordinates, source->stride, count, pairs);
  }
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
    for (int64_t i = 0; i < count; i++) {
      const int64_t from = (int64_t)pairs[i].value;
      const int64_t soon = (int64_t)pairs[i + AHEAD < count ? i + AHEAD : i].value;
      __builtin_prefetch(source->coordinates + soon * source->stride);
      __builtin_prefetch(source->position ? (const void *)(source->position + soon)
                                          : source->coordinates + soon * source->stride + d);
      const double *point = source->coordinates + from * source->stride;
      int64_t position;
      memcpy(&position, source->position ? (const void *)(source->position + from) : point + d,
             sizeof position);
      for (int j = 0; j < d; j++) {
        index->coordinates[i * d + j] = point[j];
      }
      index->position[i] = position;
      index->priority[i] = dist_priority(index->ordering, position);
    }
    index->count = (local_index)count;
    status = coincident_count(base, d, pairs, index->coordinates, index->position, count,
                              &index->coincident);
  }
  base_free(pairs);
  return status;
}

pcct_status dist_partition(pcct_index *index, const double *search) {
  void *records = NULL;
  struct source source = {search, index->row_position, index->metric.dimension, index->row_count};
  pcct_status status =
      parts_create(index->context, index->metric.dimension, search, index->row_position,
                   index->row_count, index->total, &index->parts);
  if (status == PCCT_OK && index->context->size > 1) {
    status = send_points(index, search, &records, &source.count);
    source.coordinates = records;
    source.position = NULL;
    source.stride = index->metric.dimension + 1;
  }
  if (status == PCCT_OK) {
    status = comm_agree(index->context, keep_points(index, &source));
  }
  base_free(records);
  return status;
}
