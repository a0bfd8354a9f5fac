/* Batches: room, order, ranks. */
#include "tree/batch.h"

#include "base/sort.h"

#include <string.h>

pcct_status batch_create(struct base *base, local_index count, int dimension, struct batch *batch) {
  *batch = (struct batch){.count = count};
  batch->point = base_allocate(base, count, sizeof *batch->point);
  batch->parent = base_allocate(base, count, sizeof *batch->parent);
  batch->parent_value = base_allocate(base, count, sizeof *batch->parent_value);
  batch->level = base_allocate(base, count, sizeof *batch->level);
  batch->coordinates = base_allocate(base, (int64_t)count * dimension, sizeof(double));
  return batch->point && batch->parent && batch->parent_value && batch->level && batch->coordinates
             ? PCCT_OK
             : PCCT_MEMORY;
}

void batch_free(struct batch *batch) {
  base_free(batch->point);
  base_free(batch->parent);
  base_free(batch->parent_value);
  base_free(batch->level);
  base_free(batch->coordinates);
  *batch = (struct batch){0};
}

void batch_move(struct batch *batch, local_index to, local_index from, int dimension) {
  batch->point[to] = batch->point[from];
  batch->parent[to] = batch->parent[from];
  batch->parent_value[to] = batch->parent_value[from];
  batch->level[to] = batch->level[from];
  if (to != from) {
    memcpy(batch->coordinates + (int64_t)to * dimension,
           batch->coordinates + (int64_t)from * dimension, (size_t)dimension * sizeof(double));
  }
}

pcct_status batch_extend(struct base *base, struct batch *batch, const local_index *points,
                         local_index count, int dimension) {
  struct batch longer;
  pcct_status status = batch_create(base, batch->count + count, dimension, &longer);
  if (status == PCCT_OK) {
    const size_t kept = (size_t)batch->count;
    memcpy(longer.point, batch->point, kept * sizeof *batch->point);
    memcpy(longer.parent, batch->parent, kept * sizeof *batch->parent);
    memcpy(longer.parent_value, batch->parent_value, kept * sizeof *batch->parent_value);
    memcpy(longer.level, batch->level, kept * sizeof *batch->level);
    memcpy(longer.point + kept, points, (size_t)count * sizeof *points);
    struct batch swap = *batch;
    *batch = longer;
    longer = swap;
  }
  batch_free(&longer);
  return status;
}

pcct_status batch_order(struct base *base, const struct frame *frame, int dimension,
                        struct batch *batch) {
  struct batch sorted = {0};
  struct sort_pair *pairs = base_allocate(base, batch->count, sizeof *pairs);
  pcct_status status = pairs ? batch_create(base, batch->count, dimension, &sorted) : PCCT_MEMORY;
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    const uint64_t place = (uint64_t)frame->place[batch->parent[q]];
    pairs[q] = (struct sort_pair){place << 32 | (uint64_t)batch->point[q], (uint64_t)q};
  }
  if (status == PCCT_OK) {
    status = sort_pairs(base, pairs, batch->count);
  }
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    const uint64_t from = pairs[q].value;
    sorted.point[q] = batch->point[from];
    sorted.parent[q] = batch->parent[from];
    sorted.parent_value[q] = batch->parent_value[from];
    sorted.level[q] = batch->level[from];
  }
  base_free(pairs);
  if (status == PCCT_OK) {
    struct batch swap = *batch;
    *batch = sorted;
    sorted = swap;
  }
  batch_free(&sorted);
  return status;
}
