/* Joining pieces into one tree, and checking them. */
#include "dist/forest.h"

#include "tree/check.h"

#include <string.h>

/* Links that can be followed without end or harm: parents lie before their children and are nodes, levels sink. */
static pcct_status check_links(struct base *base, const struct forest *forest, local_index piece) {
  const int64_t first = forest->first[piece];
  const int64_t count = forest->first[piece + 1] - first;
  for (int64_t i = 0; i < count; i++) {
    const local_index parent = forest->parent[first + i];
    const int level = forest->level[first + i];
    const int is_node = level > LEVEL_BUCKET;
    int fine = i == 0 ? parent == -1 && is_node : parent >= 0 && parent < i;
    fine = fine && (!is_node || (level >= LEVEL_MIN && level <= LEVEL_MAX));
    if (fine && i > 0) {
      const int above = forest->level[first + parent];
      fine = above > LEVEL_BUCKET && (!is_node || level < above);
    }
    if (!fine) {
      return base_fail(base, PCCT_INPUT,
                       "expected a tree, found position %lld of level %d with the parent %d, as "
                       "number %lld of a piece of %lld points",
                       (long long)forest->position[first + i], level, parent, (long long)i,
                       (long long)count);
    }
  }
  return PCCT_OK;
}

/* The smallest level at which a piece's root covers the points in its bucket. */
static int bucket_level(const struct metric *metric, const struct forest *forest,
                        local_index piece) {
  const int d = metric->dimension;
  const int64_t first = forest->first[piece];
  const double *root = forest->coordinates + first * d;
  int level = forest->level[first];
  for (int64_t p = first + 1; p < forest->first[piece + 1]; p++) {
    if (forest->parent[p] == 0 && forest->level[p] == LEVEL_BUCKET) {
      const double value = metric_value(metric, root, forest->coordinates + p * d);
      const int needed = value > 0 ? metric_level(metric->kind, value) : LEVEL_MIN;
      level = needed > level ? needed : level;
    }
  }
  return level;
}

/* The pieces' roots. */
struct tops {
  double *coordinates;
  int64_t *position;
  uint64_t *priority;
  struct tree *tree; /* a cover tree of them */
  int *level;        /* [pieces] what the joined tree gives them */
};

static void tops_free(struct tops *tops) {
  tree_destroy(&tops->tree);
  base_free(tops->coordinates);
  base_free(tops->position);
  base_free(tops->priority);
  base_free(tops->level);
}

/* Builds the tree of the roots. */
static pcct_status tops_build(struct base *base, const struct forest *forest,
                              const struct tree_points *points, struct tops *tops) {
  const int d = points->metric->dimension;
  const local_index count = forest->pieces;
  tops->coordinates = base_allocate(base, (int64_t)count * d, sizeof(double));
  tops->position = base_allocate(base, count, sizeof *tops->position);
  tops->priority = base_allocate(base, count, sizeof *tops->priority);
  tops->level = base_allocate(base, count, sizeof *tops->level);
  if (!tops->coordinates || !tops->position || !tops->priority || !tops->level) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < count; i++) {
    const int64_t first = forest->first[i];
    memcpy(tops->coordinates + (int64_t)i * d, points->coordinates + first * d,
           (size_t)d * sizeof(double));
    tops->position[i] = points->position[first];
    tops->priority[i] = points->priority[first];
    tops->level[i] = bucket_level(points->metric, forest, i);
  }
  const struct tree_points roots = {count,          points->metric, tops->coordinates,
                                    tops->position, tops->priority, 1};
  return tree_build(base, &roots, &tops->tree);
}

/* Raises levels until parents are above their children and children are covered. */
static void raise_levels(struct tops *tops, local_index count) {
  const struct tree *tree = tops->tree;
  for (local_index i = 0; i < count; i++) { /* roots at the location of another one */
    const local_index parent = tree->parent[i];
    if (!tree_is_node(tree, i)) {
      tops->level[parent] =
          tops->level[parent] > tops->level[i] + 1 ? tops->level[parent] : tops->level[i] + 1;
    }
  }
  for (local_index i = tree->nodes - 1; i >= 0; i--) { /* children before parents */
    const local_index t = tree->log[i];
    const local_index parent = tree->parent[t];
    const int level = tops->level[t] > tree->level[t] ? tops->level[t] : tree->level[t];
    tops->level[t] = level;
    if (parent >= 0 && tops->level[parent] <= level) {
      tops->level[parent] = level + 1;
    }
  }
}

pcct_status forest_join(struct base *base, const struct forest *forest,
                        const struct tree_points *points, struct tree **tree) {
  struct tops tops = {0};
  local_index *parent = base_allocate(base, forest->count, sizeof *parent);
  int16_t *level = base_allocate(base, forest->count, sizeof *level);
  pcct_status status = parent && level ? PCCT_OK : PCCT_MEMORY;
  *tree = NULL;
  for (local_index i = 0; i < forest->pieces && status == PCCT_OK; i++) {
    status = check_links(base, forest, i);
  }
  if (status == PCCT_OK) {
    status = tops_build(base, forest, points, &tops);
  }
  if (status == PCCT_OK) {
    raise_levels(&tops, forest->pieces);
  }
  for (local_index i = 0; i < forest->pieces && status == PCCT_OK; i++) {
    const int64_t first = forest->first[i];
    const local_index above = tops.tree->parent[i];
    parent[first] = above < 0 ? -1 : (local_index)forest->first[above];
    level[first] = (int16_t)tops.level[i];
    for (int64_t p = first + 1; p < forest->first[i + 1]; p++) {
      parent[p] = (local_index)(first + forest->parent[p]);
      level[p] = forest->level[p];
    }
    if (tops.level[i] > LEVEL_MAX) {
      status = base_fail(base, PCCT_INPUT,
                         "the trees of pieces that reach level %d cannot be joined", tops.level[i]);
    }
  }
  if (status == PCCT_OK) {
    status = forest->count > 0 ? tree_restore(base, points, parent, level, tree)
                               : tree_create(base, points, tree);
  }
  base_free(parent);
  base_free(level);
  tops_free(&tops);
  return status;
}

/* One piece, as a tree of its own. */
static pcct_status check_piece(struct base *base, const struct metric *metric,
                               const struct forest *forest, const uint64_t *priority,
                               local_index piece) {
  const int64_t first = forest->first[piece];
  const struct tree_points points = {(local_index)(forest->first[piece + 1] - first),
                                     metric,
                                     forest->coordinates + first * metric->dimension,
                                     forest->position + first,
                                     priority,
                                     forest->leaf_size};
  struct tree *tree = NULL;
  struct frame *frame = NULL;
  pcct_status status = check_links(base, forest, piece);
  if (status == PCCT_OK) {
    status = tree_restore(base, &points, forest->parent + first, forest->level + first, &tree);
  }
  if (status == PCCT_OK) {
    status = frame_create_whole(base, tree, &frame);
  }
  if (status == PCCT_OK) {
    status = tree_check(base, tree, frame);
  }
  frame_destroy(&frame);
  tree_destroy(&tree);
  return status == PCCT_INPUT ? PCCT_DIFFERENT : status;
}

pcct_status forest_check(struct base *base, const struct metric *metric,
                         const struct forest *forest) {
  uint64_t *priority = base_allocate_zero(base, forest->count, sizeof *priority);
  pcct_status status = priority ? PCCT_OK : PCCT_MEMORY;
  for (local_index i = 0; i < forest->pieces && status == PCCT_OK; i++) {
    if (forest->first[i + 1] <= forest->first[i]) {
      status = base_fail(base, PCCT_DIFFERENT,
                         "expected pieces of trees with points, found number %d empty", i);
    } else {
      status = check_piece(base, metric, forest, priority, i);
    }
  }
  base_free(priority);
  return status;
}
