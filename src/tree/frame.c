/* Depth-first frames of cover trees. */
#include "tree/frame.h"

#include <string.h>

void frame_destroy(struct frame **frame) {
  if (!frame || !*frame) {
    return;
  }
  base_free((*frame)->coordinates);
  base_free((*frame)->point);
  base_free((*frame)->place);
  base_free((*frame)->parent);
  base_free((*frame)->end);
  base_free((*frame)->cover_value);
  base_free((*frame)->child_radius);
  base_free((*frame)->radius);
  base_free(*frame);
  *frame = NULL;
}

/* Depth-first places of all nodes: sizes bottom-up along the log, places top-down. Within a parent,
 * children follow each other by local index, which the ascending members provide.
 *   next [out] scratch, [points]: the place after the last placed child of a node */
static void assign_places(const struct tree *tree, local_index nodes, const local_index *members,
                          local_index *size, local_index *first_child, local_index *sibling,
                          struct frame *frame) {
  const local_index *log = tree->log;
  const local_index *parent = tree->parent;
  for (local_index i = 0; i < nodes; i++) {
    size[log[i]] = 1;
    first_child[log[i]] = -1;
  }
  for (local_index i = nodes - 1; i > 0; i--) {
    size[parent[log[i]]] += size[log[i]];
  }
  /* Descending members pushed in front leave every child list ascending. */
  for (local_index i = nodes - 1; i >= 0; i--) {
    local_index p = members[i];
    if (parent[p] >= 0) {
      sibling[p] = first_child[parent[p]];
      first_child[parent[p]] = p;
    }
  }
  frame->place[log[0]] = 0;
  for (local_index i = 0; i < nodes; i++) {
    local_index p = log[i];
    local_index place = frame->place[p];
    frame->point[place] = p;
    frame->end[place] = place + size[p];
    local_index at = place + 1;
    for (local_index c = first_child[p]; c >= 0; c = sibling[c]) {
      frame->place[c] = at;
      frame->parent[at] = place;
      at += size[c];
    }
  }
  frame->parent[0] = -1;
}

/* Coordinates, covers and true radii, once the places are known. */
static void fill_nodes(struct base *base, const struct tree *tree, struct frame *frame) {
  const int d = frame->dimension;
  const local_index count = frame->count;
  int64_t evaluations = 0;
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (local_index t = 0; t < count; t++) {
    local_index p = frame->point[t];
    memcpy(frame->coordinates + (int64_t)t * d, tree->points.coordinates + (int64_t)p * d,
           (size_t)d * sizeof(double));
    frame->cover_value[t] =
        p == tree->root ? INFINITY : metric_level_value(METRIC_EUCLIDEAN, tree->level[p]);
  }
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(+ : evaluations) if (count >= BASE_PARALLEL_MIN)
  for (local_index t = 0; t < count; t++) {
    const double *centre = frame->coordinates + (int64_t)t * d;
    double largest = 0;
    int highest = LEVEL_DUPLICATE;
    for (local_index u = t + 1; u < frame->end[t]; u++) {
      double value = metric_square(d, centre, frame->coordinates + (int64_t)u * d);
      largest = value > largest ? value : largest;
      evaluations++;
    }
    for (local_index c = t + 1; c < frame->end[t]; c = frame->end[c]) {
      int level = tree->level[frame->point[c]];
      highest = level > highest ? level : highest;
    }
    frame->radius[t] = metric_root_up(METRIC_EUCLIDEAN, largest);
    frame->child_radius[t] = highest == LEVEL_DUPLICATE ? 0 : ldexp(1.0, highest);
  }
  base->counters[COUNTER_build_distances] += evaluations;
}

pcct_status frame_create(struct base *base, const struct tree *tree, local_index nodes,
                         const local_index *members, struct frame **out) {
  pcct_status status = PCCT_MEMORY;
  const int64_t points = tree->points.count;
  local_index *size = NULL;
  local_index *first_child = NULL;
  local_index *sibling = NULL;
  struct frame *frame = base_allocate_zero(base, 1, sizeof *frame);
  *out = NULL;
  if (!frame) {
    return PCCT_MEMORY;
  }
  frame->count = nodes;
  frame->dimension = tree->points.dimension;
  frame->coordinates = base_allocate(base, (int64_t)nodes * frame->dimension, sizeof(double));
  frame->point = base_allocate(base, nodes, sizeof(local_index));
  frame->place = base_allocate(base, points, sizeof(local_index));
  frame->parent = base_allocate(base, nodes, sizeof(local_index));
  frame->end = base_allocate(base, nodes, sizeof(local_index));
  frame->cover_value = base_allocate(base, nodes, sizeof(double));
  frame->child_radius = base_allocate(base, nodes, sizeof(double));
  frame->radius = base_allocate(base, nodes, sizeof(double));
  size = base_allocate(base, points, sizeof(local_index));
  first_child = base_allocate(base, points, sizeof(local_index));
  sibling = base_allocate(base, points, sizeof(local_index));
  if (!frame->coordinates || !frame->point || !frame->place || !frame->parent || !frame->end ||
      !frame->cover_value || !frame->child_radius || !frame->radius || !size || !first_child ||
      !sibling) {
    goto cleanup;
  }
  if (nodes > 0) {
    assign_places(tree, nodes, members, size, first_child, sibling, frame);
    fill_nodes(base, tree, frame);
  }
  *out = frame;
  frame = NULL;
  status = PCCT_OK;
cleanup:
  base_free(size);
  base_free(first_child);
  base_free(sibling);
  frame_destroy(&frame);
  return status;
}

pcct_status frame_create_whole(struct base *base, const struct tree *tree, struct frame **frame) {
  local_index *members = base_allocate(base, tree->nodes, sizeof *members);
  local_index count = 0;
  pcct_status status;
  *frame = NULL;
  if (!members) {
    return PCCT_MEMORY;
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree->level[p] != LEVEL_DUPLICATE) {
      members[count++] = p;
    }
  }
  status = frame_create(base, tree, count, members, frame);
  if (status == PCCT_OK) {
    for (local_index p = 0; p < tree->points.count; p++) {
      if (tree->level[p] == LEVEL_DUPLICATE) {
        (*frame)->place[p] = (*frame)->place[tree->parent[p]];
      }
    }
  }
  base_free(members);
  return status;
}
