/* Cover trees: creation, restoration, destruction. */
#include "tree/tree.h"

#include "tree/view.h"

#include <string.h>

void tree_destroy(struct tree **tree) {
  if (!tree || !*tree) {
    return;
  }
  base_free((*tree)->parent);
  base_free((*tree)->level);
  base_free((*tree)->log);
  base_free(*tree);
  *tree = NULL;
}

/* Leaf sizes that measured best. Cuts by coordinates need no small buckets, and the more axes there are the
 * more they beat the balls of a cover tree: from four on, everything is one bucket. */
static local_index choose_leaf_size(const struct base *base, const struct tree_points *points) {
  if (points->leaf_size > 0) {
    return points->leaf_size;
  }
  if (base->settings.leaf_size > 0) {
    return (local_index)base->settings.leaf_size;
  }
  if (points->metric->kind == METRIC_USER) {
    return VIEW_LEAF;
  }
  return points->metric->dimension <= 2 ? 1024 : points->metric->dimension == 3 ? 4096 : INT32_MAX;
}

pcct_status tree_too_close(struct base *base, const struct tree_points *points, local_index a,
                           local_index b) {
  const enum metric_kind kind = points->metric->kind;
  return base_fail(base, PCCT_INPUT,
                   "positions %lld and %lld are distinct points whose %s is below %g; expected "
                   "distances of 0 or above 1.5e-154: rescale the coordinates or merge the points",
                   (long long)points->position[a], (long long)points->position[b],
                   kind == METRIC_EUCLIDEAN ? "squared distance" : "distance", metric_least(kind));
}

pcct_status tree_create(struct base *base, const struct tree_points *points, struct tree **out) {
  const int64_t count = points->count;
  struct tree *tree = base_allocate_zero(base, 1, sizeof *tree);
  *out = NULL;
  if (!tree) {
    return PCCT_MEMORY;
  }
  tree->points = *points;
  tree->leaf_size = choose_leaf_size(base, points);
  tree->root = -1;
  tree->parent = base_allocate(base, count, sizeof *tree->parent);
  tree->level = base_allocate(base, count, sizeof *tree->level);
  tree->log = base_allocate(base, count, sizeof *tree->log);
  if (!tree->parent || !tree->level || !tree->log) {
    tree_destroy(&tree);
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t p = 0; p < count; p++) {
    tree->parent[p] = -1;
    tree->level[p] = LEVEL_BUCKET;
  }
  *out = tree;
  return PCCT_OK;
}

/* Nodes by falling level: parents before children. */
static void log_by_level(struct tree *tree) {
  local_index start[LEVEL_MAX - LEVEL_MIN + 2] = {0};
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree_is_node(tree, p)) {
      start[LEVEL_MAX - tree->level[p] + 1]++;
      tree->nodes++;
      tree->root = tree->parent[p] < 0 ? p : tree->root;
    }
  }
  for (int l = 0; l <= LEVEL_MAX - LEVEL_MIN; l++) {
    start[l + 1] += start[l];
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree_is_node(tree, p)) {
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
