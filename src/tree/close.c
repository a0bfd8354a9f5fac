/* Building a tree of points that are known to be far enough apart. */
#include "tree/batch.h"

#include <string.h>

/* Doubles of magnitude 2^-458 or more differ by 2^-511 at least, 2^-53 of their size. */
#define TINY 0x1p-458

int tree_may_be_close(struct base *base, const double *coordinates, int64_t count) {
  int found = 0;
#pragma omp parallel for simd schedule(static) reduction(|                                         \
                                                         : found)                                  \
    num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    const double magnitude = fabs(coordinates[i]);
    found |= (magnitude < TINY) & (magnitude > 0);
  }
  return found;
}

/* Points that may be too close to another one, whatever the leaf size: those that are far enough apart to be told
 * apart by coordinates of magnitude TINY or more are; of others both have a smaller coordinate on an axis that
 * tells them apart. A user's metric is looked at in its own way when the points come in.
 *   suspects [out] [count] local indices */
static local_index find_suspects(const struct tree_points *points, local_index *suspects) {
  const int d = points->metric->dimension;
  local_index found = 0;
  for (local_index p = 0; p < points->count; p++) {
    int small = 0;
    for (int j = 0; j < d; j++) {
      small |= fabs(points->coordinates[(int64_t)p * d + j]) < TINY;
    }
    suspects[found] = p;
    found += small;
  }
  return found;
}

/* Refuses points too close to each other that buckets would hide: by a tree of the suspects alone with every
 * one of them a node. */
static pcct_status check_distances(struct base *base, const struct tree_points *points) {
  const int d = points->metric->dimension;
  if (points->metric->kind == METRIC_USER ||
      !tree_may_be_close(base, points->coordinates, (int64_t)points->count * d)) {
    return PCCT_OK;
  }
  local_index *suspects = base_allocate(base, (int64_t)points->count + 1, sizeof *suspects);
  if (!suspects) {
    return PCCT_MEMORY;
  }
  const local_index count = find_suspects(points, suspects);
  double *coordinates = base_allocate(base, (int64_t)count * d, sizeof *coordinates);
  int64_t *position = base_allocate(base, count, sizeof *position);
  uint64_t *priority = base_allocate(base, count, sizeof *priority);
  struct tree *tree = NULL;
  pcct_status status = coordinates && position && priority ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK && count > 0) {
    for (local_index i = 0; i < count; i++) {
      memcpy(coordinates + (int64_t)i * d, points->coordinates + (int64_t)suspects[i] * d,
             (size_t)d * sizeof *coordinates);
      position[i] = points->position[suspects[i]];
      priority[i] = points->priority[suspects[i]];
    }
    const struct tree_points some = {count, points->metric, coordinates, position, priority, 1};
    status = batch_build(base, &some, &tree);
  }
  tree_destroy(&tree);
  base_free(suspects);
  base_free(coordinates);
  base_free(position);
  base_free(priority);
  return status;
}

pcct_status tree_build(struct base *base, const struct tree_points *points, struct tree **tree) {
  pcct_status status = check_distances(base, points);
  *tree = NULL;
  return status == PCCT_OK ? batch_build(base, points, tree) : status;
}
