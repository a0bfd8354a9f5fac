/* Depth-first frames of cover trees. */
#include "tree/frame.h"

#include "base/sort.h"

#include <string.h>

void frame_destroy(struct frame **frame) {
  if (!frame || !*frame) {
    return;
  }
  base_free((*frame)->coordinates);
  base_free((*frame)->node);
  base_free((*frame)->point);
  base_free((*frame)->place);
  base_free((*frame)->first);
  base_free((*frame)->member);
  base_free(*frame);
  *frame = NULL;
}

pcct_status frame_sort_indices(struct base *base, local_index *indices, local_index count) {
  struct sort_pair *pairs = base_allocate(base, count, sizeof *pairs);
  if (!pairs) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < count; i++) {
    pairs[i] = (struct sort_pair){(uint64_t)indices[i], 0};
  }
  pcct_status status = sort_pairs(base, pairs, count);
  for (local_index i = 0; i < count && status == PCCT_OK; i++) {
    indices[i] = (local_index)pairs[i].key;
  }
  base_free(pairs);
  return status;
}

/* Scratch by place in the log. */
struct links {
  local_index *size, *first_child, *sibling, *place;
};

/* Depth-first places of all nodes: sizes bottom-up along the log, places top-down. Within a parent,
 * children follow each other by local index, which the ascending members provide. frame->place holds places
 * in the log until the last loop. */
static void assign_places(const struct tree *tree, local_index nodes, const local_index *members,
                          struct links *links, struct frame *frame) {
  const local_index *log = tree->log;
  const local_index *parent = tree->parent;
  local_index *number = frame->place;
  for (local_index i = 0; i < nodes; i++) {
    number[log[i]] = i;
    links->size[i] = 1;
    links->first_child[i] = -1;
  }
  for (local_index i = nodes - 1; i > 0; i--) {
    links->size[number[parent[log[i]]]] += links->size[i];
  }
  /* Descending members pushed in front leave every child list ascending. */
  for (local_index i = nodes - 1; i >= 0; i--) {
    const local_index p = members[i];
    if (parent[p] >= 0) {
      const local_index above = number[parent[p]];
      links->sibling[number[p]] = links->first_child[above];
      links->first_child[above] = number[p];
    }
  }
  links->place[0] = 0;
  frame->node[0].parent = -1;
  for (local_index i = 0; i < nodes; i++) {
    const local_index place = links->place[i];
    local_index at = place + 1;
    frame->point[place] = log[i];
    frame->node[place].end = place + links->size[i];
    for (local_index c = links->first_child[i]; c >= 0; c = links->sibling[c]) {
      links->place[c] = at;
      frame->node[at].parent = place;
      at += links->size[c];
    }
  }
  for (local_index i = 0; i < nodes; i++) {
    number[log[i]] = links->place[i];
  }
}

/* The largest distance of node t from another node below it, to which extra[] of that node is added.
 * Returns the number of kernel evaluations. */
static inline __attribute__((always_inline)) int64_t
measure_radius(const enum metric_kind kind, const int d, struct frame *frame, local_index t,
               const double *extra) {
  const double *centre = frame->coordinates + (int64_t)t * d;
  const local_index end = frame->node[t].end;
  double largest = 0;
  if (extra) {
    double radius = extra[t];
    for (local_index u = t + 1; u < end; u++) {
      const double value =
          metric_kernel(kind, d, frame->metric, centre, frame->coordinates + (int64_t)u * d);
      const double reach = (metric_root_up(kind, value) + extra[u]) * (1 + METRIC_SLACK);
      radius = reach > radius ? reach : radius;
    }
    frame->node[t].radius = radius;
  } else {
    for (local_index u = t + 1; u < end; u++) {
      const double value =
          metric_kernel(kind, d, frame->metric, centre, frame->coordinates + (int64_t)u * d);
      largest = value > largest ? value : largest;
    }
    frame->node[t].radius = metric_root_up(kind, largest);
  }
  return end - t - 1;
}

/* True radii; with extra, bounds of the points around the nodes. */
static void measure_radii(struct base *base, struct frame *frame, const double *extra) {
  int64_t evaluations = 0;
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(+ : evaluations) if (frame->count >= BASE_PARALLEL_MIN)
  for (local_index t = 0; t < frame->count; t++) {
#define MEASURE(kind, d) evaluations += measure_radius(kind, d, frame, t, extra)
    METRIC_SPECIALISE(frame->metric, MEASURE);
#undef MEASURE
  }
  base->counters[COUNTER_build_distances] += evaluations;
}

/* Coordinates and covers, once the places are known. */
static void fill_nodes(struct base *base, const struct tree *tree, struct frame *frame) {
  const int d = frame->metric->dimension;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(base->threads) if (frame->count >= BASE_PARALLEL_MIN)
  for (local_index t = 0; t < frame->count; t++) {
    const local_index p = frame->point[t];
    struct frame_node *node = &frame->node[t];
    int highest = LEVEL_DUPLICATE;
    memcpy(frame->coordinates + (int64_t)t * d, tree->points.coordinates + (int64_t)p * d,
           (size_t)d * sizeof(double));
    node->cover = p == tree->root ? INFINITY : ldexp(1.0, tree->level[p]);
    for (local_index c = t + 1; c < node->end; c = frame->node[c].end) {
      const int level = tree->level[frame->point[c]];
      highest = level > highest ? level : highest;
    }
    node->child_radius = highest == LEVEL_DUPLICATE ? 0 : ldexp(1.0, highest);
  }
}

pcct_status frame_create(struct base *base, const struct tree *tree, local_index nodes,
                         const local_index *members, struct frame **out) {
  pcct_status status = PCCT_MEMORY;
  struct links links = {NULL, NULL, NULL, NULL};
  struct frame *frame = base_allocate_zero(base, 1, sizeof *frame);
  *out = NULL;
  if (!frame) {
    return PCCT_MEMORY;
  }
  frame->count = nodes;
  frame->metric = tree->points.metric;
  frame->coordinates =
      base_allocate(base, (int64_t)nodes * frame->metric->dimension, sizeof(double));
  frame->node = base_allocate(base, nodes, sizeof *frame->node);
  frame->point = base_allocate(base, nodes, sizeof(local_index));
  frame->place = base_allocate(base, tree->points.count, sizeof(local_index));
  links.size = base_allocate(base, nodes, sizeof(local_index));
  links.first_child = base_allocate(base, nodes, sizeof(local_index));
  links.sibling = base_allocate(base, nodes, sizeof(local_index));
  links.place = base_allocate(base, nodes, sizeof(local_index));
  if (!frame->coordinates || !frame->node || !frame->point || !frame->place || !links.size ||
      !links.first_child || !links.sibling || !links.place) {
    goto cleanup;
  }
  if (nodes > 0) {
    assign_places(tree, nodes, members, &links, frame);
    fill_nodes(base, tree, frame);
    measure_radii(base, frame, NULL);
  }
  *out = frame;
  frame = NULL;
  status = PCCT_OK;
cleanup:
  base_free(links.size);
  base_free(links.first_child);
  base_free(links.sibling);
  base_free(links.place);
  frame_destroy(&frame);
  return status;
}

/* Whether a point is in the tree already. */
static int is_listed(const struct tree *tree, local_index p) {
  return tree->parent[p] >= 0 || p == tree->root;
}

/* A stretch of points, as one thread sorts them by node. */
struct slab {
  local_index *next; /* [nodes] how many points belong to a node, then where the next one goes */
  double *farthest;  /* [nodes] kernel value to the farthest of them */
  local_index first, end;
};

/* Notes the node of every point, counts them, and measures how far they are. Neighbours mostly share a node, so
 * that sums are kept in registers as long as they do. */
static inline __attribute__((always_inline)) void count_slab(const enum metric_kind kind,
                                                             const int d, const struct tree *tree,
                                                             const struct slab *slab,
                                                             struct frame *frame) {
  local_index parent = -1;
  local_index t = 0;
  local_index count = 0;
  double farthest = 0;
  for (local_index p = slab->first; p < slab->end; p++) {
    if (!is_listed(tree, p) || tree_is_node(tree, p)) {
      continue;
    }
    if (tree->parent[p] != parent) {
      slab->next[t] += count;
      slab->farthest[t] = farthest > slab->farthest[t] ? farthest : slab->farthest[t];
      parent = tree->parent[p];
      t = frame->place[parent];
      count = 0;
      farthest = 0;
    }
    const double value = metric_kernel(kind, d, frame->metric, frame->coordinates + (int64_t)t * d,
                                       tree->points.coordinates + (int64_t)p * d);
    farthest = value > farthest ? value : farthest;
    frame->place[p] = t;
    count++;
  }
  if (slab->end > slab->first) {
    slab->next[t] += count;
    slab->farthest[t] = farthest > slab->farthest[t] ? farthest : slab->farthest[t];
  }
}

/* Puts the points into their nodes' lists. */
static void list_slab(const struct tree *tree, const struct slab *slab, struct frame *frame) {
  local_index t = -1;
  local_index at = 0;
  for (local_index p = slab->first; p < slab->end; p++) {
    if (!is_listed(tree, p) || tree_is_node(tree, p)) {
      continue;
    }
    if (frame->place[p] != t) {
      if (t >= 0) {
        slab->next[t] = at;
      }
      t = frame->place[p];
      at = slab->next[t];
    }
    frame->member[at++] = p;
  }
}

/* Points by node: a stable counting sort by place, by slabs of points, one a thread.
 *   farthest [out] [nodes] kernel value to the farthest point of each */
static void sort_members(const struct tree *tree, int slabs, struct slab *slab, struct frame *frame,
                         double *farthest) {
  const local_index count = frame->count;
#pragma omp parallel for schedule(static, 1) num_threads(slabs)
  for (int s = 0; s < slabs; s++) {
#define COUNT(kind, d) count_slab(kind, d, tree, &slab[s], frame)
    METRIC_SPECIALISE(frame->metric, COUNT);
#undef COUNT
  }
  local_index at = 0;
  for (local_index t = 0; t < count; t++) {
    frame->first[t] = at;
    frame->member[at++] = frame->point[t];
    farthest[t] = 0;
    for (int s = 0; s < slabs; s++) {
      const local_index number = slab[s].next[t];
      slab[s].next[t] = at;
      at += number;
      farthest[t] = slab[s].farthest[t] > farthest[t] ? slab[s].farthest[t] : farthest[t];
    }
  }
  frame->first[count] = at;
#pragma omp parallel for schedule(static, 1) num_threads(slabs)
  for (int s = 0; s < slabs; s++) {
    list_slab(tree, &slab[s], frame);
  }
}

/* Lists the points of every node, and makes radii that reach them. With many nodes the counts of several slabs
 * would take more memory than the points, and one slab has to do. */
static pcct_status list_members(struct base *base, const struct tree *tree, struct frame *frame) {
  const local_index points = tree->points.count;
  const local_index count = frame->count;
  const int slabs = points >= BASE_PARALLEL_MIN && count < points / 8 ? base->threads : 1;
  double largest = 0;
  struct slab *slab = base_allocate(base, slabs, sizeof *slab);
  local_index *next = base_allocate_zero(base, (int64_t)slabs * count, sizeof *next);
  double *extra = base_allocate_zero(base, (int64_t)(slabs + 1) * count, sizeof *extra);
  frame->first = base_allocate(base, (int64_t)count + 1, sizeof *frame->first);
  frame->member = base_allocate(base, points, sizeof *frame->member);
  const int fine = slab && next && extra && frame->first && frame->member;
  if (fine) {
    for (int s = 0; s < slabs; s++) {
      slab[s].next = next + (int64_t)s * count;
      slab[s].farthest = extra + (int64_t)(s + 1) * count;
      slab[s].first = (local_index)((int64_t)points * s / slabs);
      slab[s].end = (local_index)((int64_t)points * (s + 1) / slabs);
    }
    sort_members(tree, slabs, slab, frame, extra);
    for (local_index t = 0; t < count; t++) {
      extra[t] = metric_root_up(frame->metric->kind, extra[t]);
      largest = extra[t] > largest ? extra[t] : largest;
    }
    base->counters[COUNTER_build_distances] += points - count;
    if (largest > 0) {
      measure_radii(base, frame, extra);
    }
  }
  base_free(slab);
  base_free(next);
  base_free(extra);
  return fine ? PCCT_OK : PCCT_MEMORY;
}

/* All nodes as ascending local indices: sorted if they are few, picked from the points otherwise. */
static pcct_status list_nodes(struct base *base, const struct tree *tree, local_index *members) {
  enum { FEW = 32 };
  local_index count = 0;
  if (tree->nodes < tree->points.count / FEW) {
    memcpy(members, tree->log, (size_t)tree->nodes * sizeof *members);
    return frame_sort_indices(base, members, tree->nodes);
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree_is_node(tree, p)) {
      members[count++] = p;
    }
  }
  return PCCT_OK;
}

pcct_status frame_create_whole(struct base *base, const struct tree *tree, struct frame **frame) {
  local_index *members = base_allocate(base, tree->nodes, sizeof *members);
  pcct_status status;
  *frame = NULL;
  if (!members) {
    return PCCT_MEMORY;
  }
  status = list_nodes(base, tree, members);
  if (status == PCCT_OK) {
    status = frame_create(base, tree, tree->nodes, members, frame);
  }
  base_free(members);
  if (status == PCCT_OK) {
    status = list_members(base, tree, *frame);
  }
  if (status != PCCT_OK) {
    frame_destroy(frame);
  }
  return status;
}
