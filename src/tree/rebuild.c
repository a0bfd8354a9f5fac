/* Building the tree of some points anew. */
#include "tree/rebuild.h"

#include <string.h>

/* Copies of some of a tree's points, side by side. */
struct selection {
  double *coordinates;
  int64_t *position;
  uint64_t *priority;
};

static pcct_status select_points(struct base *base, const struct tree_points *points,
                                 const local_index *member, local_index count,
                                 struct selection *selection) {
  const int d = points->metric->dimension;
  selection->coordinates = base_allocate(base, (int64_t)count * d, sizeof(double));
  selection->position = base_allocate(base, count, sizeof *selection->position);
  selection->priority = base_allocate(base, count, sizeof *selection->priority);
  if (!selection->coordinates || !selection->position || !selection->priority) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < count; i++) {
    memcpy(selection->coordinates + (int64_t)i * d, points->coordinates + (int64_t)member[i] * d,
           (size_t)d * sizeof(double));
    selection->position[i] = points->position[member[i]];
    selection->priority[i] = points->priority[member[i]];
  }
  return PCCT_OK;
}

pcct_status tree_rebuild(struct base *base, struct tree **tree, const local_index *member,
                         local_index count) {
  struct tree_points points = (*tree)->points;
  struct selection selection = {NULL, NULL, NULL};
  struct tree *built = NULL;
  struct tree *fresh = NULL;
  points.leaf_size = (*tree)->leaf_size;
  tree_destroy(tree);
  pcct_status status = select_points(base, &points, member, count, &selection);
  if (status == PCCT_OK) {
    const struct tree_points selected = {.count = count,
                                         .metric = points.metric,
                                         .coordinates = selection.coordinates,
                                         .position = selection.position,
                                         .priority = selection.priority,
                                         .leaf_size = points.leaf_size};
    status = tree_build(base, &selected, &built);
  }
  if (status == PCCT_OK) {
    status = tree_create(base, &points, &fresh);
  }
  if (status == PCCT_OK) {
    for (local_index i = 0; i < count; i++) {
      fresh->parent[member[i]] = built->parent[i] < 0 ? -1 : member[built->parent[i]];
      fresh->level[member[i]] = built->level[i];
    }
    for (local_index i = 0; i < built->nodes; i++) {
      fresh->log[fresh->nodes++] = member[built->log[i]];
    }
    fresh->root = built->root < 0 ? -1 : member[built->root];
  }
  tree_destroy(&built);
  base_free(selection.coordinates);
  base_free(selection.position);
  base_free(selection.priority);
  *tree = fresh;
  return status;
}
