/* Finalising a tree into the walkers' view. */
#include "tree/view.h"

#include "base/sort.h"

#include <string.h>

void view_destroy(struct view **view) {
  if (!view || !*view) {
    return;
  }
  base_free((*view)->box);
  base_free((*view)->smallest);
  base_free((*view)->largest);
  base_free((*view)->child);
  base_free((*view)->leaf_block);
  base_free((*view)->leaf_points);
  base_free((*view)->coordinates);
  base_free((*view)->position);
  base_free(*view);
  *view = NULL;
}

/* Points of the tree by node, the node's own first, then its duplicates by position. */
struct buckets {
  local_index *start; /* [nodes + 1] by place in the frame */
  local_index *point; /* [points] local indices */
};

static void buckets_free(struct buckets *buckets) {
  base_free(buckets->start);
  base_free(buckets->point);
}

static pcct_status buckets_fill(struct base *base, const struct tree *tree,
                                const struct frame *frame, struct buckets *buckets) {
  const local_index count = tree->points.count;
  const local_index duplicates = count - frame->count;
  struct sort_pair *pairs = base_allocate(base, duplicates, sizeof *pairs);
  pcct_status status = PCCT_MEMORY;
  local_index d = 0;
  buckets->start = base_allocate_zero(base, (int64_t)frame->count + 1, sizeof *buckets->start);
  buckets->point = base_allocate(base, count, sizeof *buckets->point);
  if (!pairs || !buckets->start || !buckets->point) {
    goto cleanup;
  }
  for (local_index p = 0; p < count; p++) {
    buckets->start[frame->place[p] + 1]++;
    if (tree->level[p] == LEVEL_DUPLICATE) {
      pairs[d++] = (struct sort_pair){(uint64_t)tree->points.position[p], (uint64_t)p};
    }
  }
  status = sort_pairs(base, pairs, duplicates);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  for (local_index t = 0; t < frame->count; t++) {
    buckets->start[t + 1] += buckets->start[t];
  }
  for (local_index t = 0; t < frame->count; t++) {
    buckets->point[buckets->start[t]++] = frame->point[t];
  }
  for (local_index i = 0; i < duplicates; i++) {
    local_index p = (local_index)pairs[i].value;
    buckets->point[buckets->start[frame->place[p]]++] = p;
  }
  memmove(buckets->start + 1, buckets->start, (size_t)frame->count * sizeof *buckets->start);
  buckets->start[0] = 0;
cleanup:
  base_free(pairs);
  return status;
}

/* The structure while it grows. */
struct shape {
  struct base *base;
  const struct tree *tree;
  const struct frame *frame;
  const struct buckets *buckets;
  struct view *view;
  local_index *order; /* [points] points leaf by leaf */
  local_index ordered;
  local_index *stack; /* child codes waiting for their parent */
  int64_t depth;
  int64_t node_capacity, leaf_capacity, block_capacity, stack_capacity;
};

static pcct_status push(struct shape *shape, local_index code) {
  pcct_status status = base_grow(shape->base, (void **)&shape->stack, &shape->stack_capacity,
                                 shape->depth, shape->depth + 1, sizeof *shape->stack);
  if (status == PCCT_OK) {
    shape->stack[shape->depth++] = code;
  }
  return status;
}

/* Turns points[0..count) into a leaf, ascending by position, and pushes it. */
static pcct_status make_leaf(struct shape *shape, local_index *points, int count) {
  struct view *view = shape->view;
  const int64_t *position = shape->tree->points.position;
  int64_t capacity = shape->leaf_capacity;
  pcct_status status = base_grow(shape->base, (void **)&view->leaf_block, &capacity, view->leaves,
                                 view->leaves + 2, sizeof *view->leaf_block);
  if (status == PCCT_OK) {
    status = base_grow(shape->base, (void **)&view->leaf_points, &shape->leaf_capacity,
                       view->leaves, view->leaves + 2, sizeof *view->leaf_points);
  }
  if (status != PCCT_OK) {
    return status;
  }
  for (int i = 1; i < count; i++) {
    local_index p = points[i];
    int j = i;
    for (; j > 0 && position[points[j - 1]] > position[p]; j--) {
      points[j] = points[j - 1];
    }
    points[j] = p;
  }
  memcpy(shape->order + shape->ordered, points, (size_t)count * sizeof *points);
  shape->ordered += count;
  view->leaf_points[view->leaves] = count;
  view->leaf_block[view->leaves] = view->blocks;
  view->blocks += (count + VIEW_WIDTH - 1) / VIEW_WIDTH;
  return push(shape, ~view->leaves++);
}

/* Makes the topmost `count` (at most VIEW_WIDTH) codes of the stack, from `from` on, one node there. */
static pcct_status make_node(struct shape *shape, int64_t from, int64_t count, local_index *code) {
  struct view *view = shape->view;
  pcct_status status = base_grow(shape->base, (void **)&view->child, &shape->node_capacity,
                                 (int64_t)view->nodes * VIEW_WIDTH,
                                 ((int64_t)view->nodes + 1) * VIEW_WIDTH, sizeof *view->child);
  if (status != PCCT_OK) {
    return status;
  }
  local_index *child = view->child + (int64_t)view->nodes * VIEW_WIDTH;
  for (int64_t i = 0; i < VIEW_WIDTH; i++) {
    child[i] = i < count ? shape->stack[from + i] : INT32_MIN;
  }
  *code = view->nodes++;
  return PCCT_OK;
}

/* Reduces the codes from `from` to the top of the stack to one, by rounds of even groups. */
static pcct_status group(struct shape *shape, int64_t from) {
  pcct_status status = PCCT_OK;
  while (shape->depth - from > 1 && status == PCCT_OK) {
    int64_t count = shape->depth - from;
    int64_t groups = (count + VIEW_WIDTH - 1) / VIEW_WIDTH;
    for (int64_t g = 0; g < groups && status == PCCT_OK; g++) {
      int64_t first = g * count / groups;
      int64_t last = (g + 1) * count / groups;
      local_index code = shape->stack[from + first];
      if (last - first > 1) {
        status = make_node(shape, from + first, last - first, &code);
      }
      shape->stack[from + g] = code;
    }
    shape->depth = from + groups;
  }
  return status;
}

/* Points collected for the next leaf. */
struct pending {
  local_index points[VIEW_LEAF];
  int count;
};

static pcct_status flush(struct shape *shape, struct pending *pending) {
  pcct_status status = PCCT_OK;
  if (pending->count > 0) {
    status = make_leaf(shape, pending->points, pending->count);
    pending->count = 0;
  }
  return status;
}

/* Adds consecutive bucket points, cutting leaves as they fill. */
static pcct_status add_points(struct shape *shape, struct pending *pending, local_index first,
                              local_index last) {
  pcct_status status = PCCT_OK;
  if (pending->count + (last - first) > VIEW_LEAF) {
    status = flush(shape, pending);
  }
  for (local_index i = first; i < last && status == PCCT_OK; i++) {
    if (pending->count == VIEW_LEAF) {
      status = flush(shape, pending);
    }
    pending->points[pending->count++] = shape->buckets->point[i];
  }
  return status;
}

/* Pushes one code for the subtree of a frame node. Recursion is as deep as the tree: each step sinks by a
 * level at least, so at most LEVEL_MAX - LEVEL_MIN steps. */
static pcct_status shape_subtree(struct shape *shape, local_index t) {
  const local_index *start = shape->buckets->start;
  const int64_t from = shape->depth;
  struct pending pending = {.count = 0};
  pcct_status status = add_points(shape, &pending, start[t], start[t + 1]);
  local_index c = t + 1;
  while (c < shape->frame->end[t] && status == PCCT_OK) {
    local_index end = shape->frame->end[c];
    if (start[end] - start[c] <= VIEW_LEAF) {
      status = add_points(shape, &pending, start[c], start[end]);
    } else {
      status = shape_subtree(shape, c);
    }
    c = end;
  }
  if (status == PCCT_OK) {
    status = flush(shape, &pending);
  }
  return status == PCCT_OK ? group(shape, from) : status;
}

/* Blocks of coordinates and positions from the order of the points. */
static void fill_blocks(struct base *base, const struct tree_points *points,
                        const local_index *order, const local_index *leaf_first,
                        struct view *view) {
  const int d = view->dimension;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(base->threads) if (view->points >= BASE_PARALLEL_MIN)
  for (local_index leaf = 0; leaf < view->leaves; leaf++) {
    const local_index count = view->leaf_points[leaf];
    const local_index slots = (view->leaf_block[leaf + 1] - view->leaf_block[leaf]) * VIEW_WIDTH;
    for (local_index i = 0; i < slots; i++) {
      const int64_t block = view->leaf_block[leaf] + i / VIEW_WIDTH;
      const int lane = i % VIEW_WIDTH;
      const local_index p = i < count ? order[leaf_first[leaf] + i] : -1;
      view->position[block * VIEW_WIDTH + lane] = p < 0 ? INT64_MAX : points->position[p];
      for (int j = 0; j < d; j++) {
        view->coordinates[(block * d + j) * VIEW_WIDTH + lane] =
            p < 0 ? INFINITY : points->coordinates[(int64_t)p * d + j];
      }
    }
  }
}

/* Box and positions of one child of a node, from its leaf or from its own children. */
static void fill_child(struct view *view, local_index node, int i) {
  const local_index code = view->child[(int64_t)node * VIEW_WIDTH + i];
  int64_t smallest = INT64_MAX;
  int64_t largest = -1;
  if (code >= 0) {
    for (int c = 0; c < VIEW_WIDTH; c++) {
      const int64_t at = (int64_t)code * VIEW_WIDTH + c;
      smallest = view->smallest[at] < smallest ? view->smallest[at] : smallest;
      largest = view->largest[at] > largest ? view->largest[at] : largest;
    }
  } else if (code != INT32_MIN) {
    const int64_t first = (int64_t)view->leaf_block[~code] * VIEW_WIDTH;
    smallest = view->position[first];
    largest = view->position[first + view->leaf_points[~code] - 1];
  }
  view->smallest[(int64_t)node * VIEW_WIDTH + i] = smallest;
  view->largest[(int64_t)node * VIEW_WIDTH + i] = largest;
  for (int j = 0; j < view->dimension; j++) {
    double lower = INFINITY;
    double upper = -INFINITY;
    if (code >= 0) {
      const double *inner = view_box(view, code, j);
      for (int c = 0; c < VIEW_WIDTH; c++) {
        lower = inner[c] < lower ? inner[c] : lower;
        upper = inner[VIEW_WIDTH + c] > upper ? inner[VIEW_WIDTH + c] : upper;
      }
    } else if (code != INT32_MIN) {
      for (local_index p = 0; p < view->leaf_points[~code]; p++) {
        const int64_t block = view->leaf_block[~code] + p / VIEW_WIDTH;
        double x = view->coordinates[(block * view->dimension + j) * VIEW_WIDTH + p % VIEW_WIDTH];
        lower = x < lower ? x : lower;
        upper = x > upper ? x : upper;
      }
    }
    view_box(view, node, j)[i] = lower;
    view_box(view, node, j)[VIEW_WIDTH + i] = upper;
  }
}

static pcct_status fill(struct shape *shape) {
  struct base *base = shape->base;
  struct view *view = shape->view;
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  const int64_t children = (int64_t)view->nodes * VIEW_WIDTH;
  local_index *leaf_first = base_allocate(base, view->leaves, sizeof *leaf_first);
  view->coordinates = base_allocate(base, slots * view->dimension, sizeof(double));
  view->position = base_allocate(base, slots, sizeof *view->position);
  view->box = base_allocate(base, children * 2 * view->dimension, sizeof(double));
  view->smallest = base_allocate(base, children, sizeof *view->smallest);
  view->largest = base_allocate(base, children, sizeof *view->largest);
  if (!leaf_first || !view->coordinates || !view->position || !view->box || !view->smallest ||
      !view->largest) {
    base_free(leaf_first);
    return PCCT_MEMORY;
  }
  local_index first = 0;
  for (local_index leaf = 0; leaf < view->leaves; leaf++) {
    leaf_first[leaf] = first;
    first += view->leaf_points[leaf];
  }
  fill_blocks(base, &shape->tree->points, shape->order, leaf_first, view);
  for (local_index node = 0; node < view->nodes; node++) { /* children have smaller indices */
    for (int i = 0; i < VIEW_WIDTH; i++) {
      fill_child(view, node, i);
    }
  }
  base_free(leaf_first);
  return PCCT_OK;
}

pcct_status view_create(struct base *base, const struct tree *tree, const struct frame *frame,
                        struct view **out) {
  pcct_status status = PCCT_MEMORY;
  struct buckets buckets = {NULL, NULL};
  struct shape shape = {.base = base, .tree = tree, .frame = frame, .buckets = &buckets};
  struct view *view = base_allocate_zero(base, 1, sizeof *view);
  *out = NULL;
  if (!view) {
    return PCCT_MEMORY;
  }
  shape.view = view;
  view->dimension = tree->points.dimension;
  view->points = tree->points.count;
  shape.order = base_allocate(base, view->points, sizeof *shape.order);
  if (!shape.order) {
    goto cleanup;
  }
  status = buckets_fill(base, tree, frame, &buckets);
  if (status == PCCT_OK && view->points > 0) {
    status = shape_subtree(&shape, 0);
  }
  if (status == PCCT_OK) {
    view->root = view->points > 0 ? shape.stack[0] : 0;
    if (view->leaves > 0) {
      view->leaf_block[view->leaves] = view->blocks;
    }
    status = fill(&shape);
  }
  if (status == PCCT_OK) {
    base->counters[COUNTER_view_nodes] += view->nodes;
    *out = view;
    view = NULL;
  }
cleanup:
  base_free(shape.order);
  base_free(shape.stack);
  buckets_free(&buckets);
  view_destroy(&view);
  return status;
}
