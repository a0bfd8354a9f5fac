/* Building a compressed cover tree by prefix-doubling batches. */
#include "base/sort.h"
#include "tree/batch.h"

#include <string.h>

pcct_status batch_create(struct base *base, local_index count, int dimension, struct batch **out) {
  struct batch *batch = base_allocate_zero(base, 1, sizeof *batch);
  *out = NULL;
  if (!batch) {
    return PCCT_MEMORY;
  }
  batch->count = count;
  batch->point = base_allocate(base, count, sizeof *batch->point);
  batch->home = base_allocate(base, count, sizeof *batch->home);
  batch->parent = base_allocate(base, count, sizeof *batch->parent);
  batch->parent_value = base_allocate(base, count, sizeof *batch->parent_value);
  batch->level = base_allocate(base, count, sizeof *batch->level);
  batch->level_value = base_allocate(base, count, sizeof *batch->level_value);
  batch->coordinates = base_allocate(base, (int64_t)count * dimension, sizeof(double));
  if (!batch->point || !batch->home || !batch->parent || !batch->parent_value || !batch->level ||
      !batch->level_value || !batch->coordinates) {
    batch_destroy(&batch);
    return PCCT_MEMORY;
  }
  *out = batch;
  return PCCT_OK;
}

void batch_destroy(struct batch **batch) {
  if (!batch || !*batch) {
    return;
  }
  base_free((*batch)->point);
  base_free((*batch)->home);
  base_free((*batch)->parent);
  base_free((*batch)->parent_value);
  base_free((*batch)->level);
  base_free((*batch)->level_value);
  base_free((*batch)->coordinates);
  base_free((*batch)->row);
  base_free((*batch)->neighbor);
  base_free(*batch);
  *batch = NULL;
}

void tree_destroy(struct tree **tree) {
  if (!tree || !*tree) {
    return;
  }
  base_free((*tree)->parent);
  base_free((*tree)->level);
  base_free((*tree)->sequence);
  base_free((*tree)->rank);
  base_free((*tree)->log);
  base_free(*tree);
  *tree = NULL;
}

/* sequence and rank from the priorities, ties by position. */
static pcct_status order_points(struct base *base, struct tree *tree) {
  const struct tree_points *points = &tree->points;
  uint64_t *records = base_allocate(base, 3 * (int64_t)points->count, sizeof *records);
  if (!records) {
    return PCCT_MEMORY;
  }
  for (local_index p = 0; p < points->count; p++) {
    records[3 * (int64_t)p] = points->priority[p];
    records[3 * (int64_t)p + 1] = (uint64_t)points->position[p];
    records[3 * (int64_t)p + 2] = (uint64_t)p;
  }
  pcct_status status = sort_records(base, records, points->count, 3);
  for (local_index i = 0; i < points->count && status == PCCT_OK; i++) {
    tree->sequence[i] = (local_index)records[3 * (int64_t)i + 2];
    tree->rank[tree->sequence[i]] = i;
  }
  base_free(records);
  return status;
}

/* The batch of the point at place i of the sequence: 0, 1, 2 3, 4..7, 8..15, ... */
static inline int batch_of(local_index i) {
  return i == 0 ? 0 : 32 - __builtin_clz((unsigned)i);
}

/* Points grouped by batch, in memory order within each: by_batch[first of batch ..]. */
static void group_by_batch(const struct tree *tree, local_index *by_batch) {
  local_index start[34];
  const local_index count = tree->points.count;
  for (int b = 0; b < 34; b++) {
    int64_t first = b == 0 ? 0 : INT64_C(1) << (b - 1);
    start[b] = (local_index)(first < count ? first : count);
  }
  for (local_index p = 0; p < count; p++) {
    by_batch[start[batch_of(tree->rank[p])]++] = p;
  }
}

/* The ascending union of the members so far and the batch's nodes. Both inputs ascend; members has room
 * for all and is filled from the back. */
static void merge_members(const struct tree *tree, local_index *members, local_index count,
                          const local_index *batch_points, local_index batch_count) {
  local_index to = tree->nodes - 1;
  local_index a = count - 1;
  for (local_index b = batch_count - 1; b >= 0; b--) {
    if (tree->level[batch_points[b]] == LEVEL_DUPLICATE) {
      continue;
    }
    while (a >= 0 && members[a] > batch_points[b]) {
      members[to--] = members[a--];
    }
    members[to--] = batch_points[b];
  }
}

/* One batch: scope, conflicts, insertion. `points` ascend. */
static pcct_status run_batch(struct base *base, struct tree *tree, const local_index *members,
                             const local_index *points, local_index count) {
  struct frame *frame = NULL;
  struct batch *batch = NULL;
  pcct_status status = frame_create(base, tree, tree->nodes, members, &frame);
  if (status == PCCT_OK) {
    status = batch_create(base, count, tree->points.dimension, &batch);
  }
  if (status == PCCT_OK) {
    memcpy(batch->point, points, (size_t)count * sizeof *points);
    status = batch_scope(base, tree, frame, batch);
  }
  if (status == PCCT_OK) {
    status = batch_conflicts(base, tree, frame, batch);
  }
  if (status == PCCT_OK) {
    status = batch_insert(base, tree, batch);
  }
  base->counters[COUNTER_batches]++;
  batch_destroy(&batch);
  frame_destroy(&frame);
  return status;
}

/* The root stands one level above all others. */
static void raise_root(struct tree *tree) {
  int highest = LEVEL_MIN;
  for (local_index i = 1; i < tree->nodes; i++) {
    int level = tree->level[tree->log[i]];
    highest = level > highest ? level : highest;
  }
  tree->level[tree->root] = (int16_t)(tree->nodes > 1 ? highest + 1 : 0);
}

static pcct_status insert_all(struct base *base, struct tree *tree) {
  const local_index count = tree->points.count;
  local_index *by_batch = base_allocate(base, count, sizeof *by_batch);
  local_index *members = base_allocate(base, count, sizeof *members);
  pcct_status status = by_batch && members ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    group_by_batch(tree, by_batch);
    tree->root = tree->sequence[0];
    tree->parent[tree->root] = -1;
    tree->level[tree->root] = LEVEL_MAX;
    tree->log[tree->nodes++] = tree->root;
    members[0] = tree->root;
  }
  for (int64_t first = 1; first < count && status == PCCT_OK; first *= 2) {
    int64_t size = first < count - first ? first : count - first;
    local_index before = tree->nodes;
    status = run_batch(base, tree, members, by_batch + first, (local_index)size);
    if (status == PCCT_OK) {
      merge_members(tree, members, before, by_batch + first, (local_index)size);
      base_progress(base, first + size, count);
    }
  }
  if (status == PCCT_OK) {
    raise_root(tree);
  }
  base_free(by_batch);
  base_free(members);
  return status;
}

/* A tree without links. */
static pcct_status tree_create(struct base *base, const struct tree_points *points,
                               struct tree **out) {
  const int64_t count = points->count;
  struct tree *tree = base_allocate_zero(base, 1, sizeof *tree);
  *out = NULL;
  if (!tree) {
    return PCCT_MEMORY;
  }
  tree->points = *points;
  tree->root = -1;
  tree->parent = base_allocate(base, count, sizeof *tree->parent);
  tree->level = base_allocate(base, count, sizeof *tree->level);
  tree->sequence = base_allocate(base, count, sizeof *tree->sequence);
  tree->rank = base_allocate(base, count, sizeof *tree->rank);
  tree->log = base_allocate(base, count, sizeof *tree->log);
  pcct_status status = PCCT_MEMORY;
  if (tree->parent && tree->level && tree->sequence && tree->rank && tree->log) {
    status = order_points(base, tree);
  }
  if (status != PCCT_OK) {
    tree_destroy(&tree);
  }
  *out = tree;
  return status;
}

pcct_status tree_build(struct base *base, const struct tree_points *points, struct tree **out) {
  struct tree *tree = NULL;
  pcct_status status = tree_create(base, points, &tree);
  if (status == PCCT_OK && points->count > 0) {
    status = insert_all(base, tree);
  }
  if (status != PCCT_OK) {
    tree_destroy(&tree);
  }
  *out = tree;
  return status;
}

/* Nodes by falling level: parents before children. */
static void log_by_level(struct tree *tree) {
  local_index start[LEVEL_MAX - LEVEL_MIN + 2] = {0};
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree->level[p] != LEVEL_DUPLICATE) {
      start[LEVEL_MAX - tree->level[p] + 1]++;
      tree->nodes++;
      tree->root = tree->parent[p] < 0 ? p : tree->root;
    }
  }
  for (int l = 0; l <= LEVEL_MAX - LEVEL_MIN; l++) {
    start[l + 1] += start[l];
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree->level[p] != LEVEL_DUPLICATE) {
      tree->log[start[LEVEL_MAX - tree->level[p]]++] = p;
    }
  }
}

pcct_status tree_restore(struct base *base, const struct tree_points *points,
                         const local_index *parent, const int16_t *level, struct tree **out) {
  struct tree *tree = NULL;
  pcct_status status = tree_create(base, points, &tree);
  if (status == PCCT_OK && points->count > 0) {
    memcpy(tree->parent, parent, (size_t)points->count * sizeof *parent);
    memcpy(tree->level, level, (size_t)points->count * sizeof *level);
    log_by_level(tree);
    if (tree->root < 0) {
      status =
          base_fail(base, PCCT_INPUT, "expected a tree with a root, found none among %lld points",
                    (long long)points->count);
    }
  }
  if (status != PCCT_OK) {
    tree_destroy(&tree);
  }
  *out = tree;
  return status;
}
