/* The structure of a view: which points share a leaf, which leaves a node. */
#include "tree/cut.h"
#include "tree/view_private.h"

#include <string.h>

void view_shape_free(struct view_shape *shape) {
  base_free(shape->own_first);
  base_free(shape->own_member);
  base_free(shape->order);
  base_free(shape->units);
  base_free(shape->stack);
  base_free(shape->node_depth);
  base_free(shape->leaf_slot);
  base_free(shape->leaf_first);
}

/* Points below the limit by frame node: the frame's own lists, or filtered ones. */
static pcct_status list_points(struct view_shape *shape) {
  const struct frame *frame = shape->frame;
  const int64_t *position = shape->tree->points.position;
  const local_index total = shape->tree->points.count;
  shape->first = frame->first;
  shape->member = frame->member;
  if (shape->limit == INT64_MAX) {
    return PCCT_OK;
  }
  shape->own_first =
      base_allocate(shape->base, (int64_t)frame->count + 1, sizeof *shape->own_first);
  local_index held = 0;
  for (local_index p = 0; p < total; p++) {
    held += position[p] < shape->limit;
  }
  shape->own_member = base_allocate(shape->base, held, sizeof *shape->own_member);
  if (!shape->own_first || !shape->own_member) {
    return PCCT_MEMORY;
  }
  held = 0;
  for (local_index t = 0; t < frame->count; t++) {
    shape->own_first[t] = held;
    for (local_index i = frame->first[t]; i < frame->first[t + 1]; i++) {
      if (position[frame->member[i]] < shape->limit) {
        shape->own_member[held++] = frame->member[i];
      }
    }
  }
  shape->own_first[frame->count] = held;
  shape->first = shape->own_first;
  shape->member = shape->own_member;
  return PCCT_OK;
}

static pcct_status push(struct view_shape *shape, local_index code) {
  pcct_status status = base_grow(shape->base, (void **)&shape->stack, &shape->stack_capacity,
                                 shape->depth, shape->depth + 1, sizeof *shape->stack);
  if (status == PCCT_OK) {
    shape->stack[shape->depth++] = code;
  }
  return status;
}

/* A leaf of the next `count` points of the order. */
static pcct_status make_leaf(struct view_shape *shape, int64_t first, int64_t count,
                             local_index *code) {
  struct view *view = shape->view;
  struct base *base = shape->base;
  const int64_t used = view->leaves;
  const int64_t needed = used + 2;
  pcct_status status = base_grow(base, (void **)&view->leaf_block, &shape->block_capacity, used,
                                 needed, sizeof *view->leaf_block);
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&view->leaf_points, &shape->leaf_capacity, used, needed,
                       sizeof *view->leaf_points);
  }
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&shape->leaf_slot, &shape->slot_capacity, used, needed,
                       sizeof *shape->leaf_slot);
  }
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&shape->leaf_first, &shape->first_capacity, used, needed,
                       sizeof *shape->leaf_first);
  }
  if (status == PCCT_OK) {
    view->leaf_points[used] = (local_index)count;
    view->leaf_block[used] = view->blocks;
    view->blocks += (local_index)((count + VIEW_WIDTH - 1) / VIEW_WIDTH);
    shape->leaf_slot[used] = -1;
    shape->leaf_first[used] = (local_index)first;
    *code = ~view->leaves++;
  }
  return status;
}

/* A node over `count` (2 to VIEW_WIDTH) child codes. */
static pcct_status make_node(struct view_shape *shape, const local_index *codes, int64_t count,
                             local_index *code) {
  struct view *view = shape->view;
  const int64_t used = view->nodes;
  int64_t depth = 0;
  pcct_status status = base_grow(shape->base, (void **)&view->child, &shape->child_capacity,
                                 used * VIEW_WIDTH, (used + 1) * VIEW_WIDTH, sizeof *view->child);
  if (status == PCCT_OK) {
    status = base_grow(shape->base, (void **)&shape->node_depth, &shape->depth_capacity, used,
                       used + 1, sizeof *shape->node_depth);
  }
  if (status != PCCT_OK) {
    return status;
  }
  for (int64_t i = 0; i < VIEW_WIDTH; i++) {
    const local_index child = i < count ? codes[i] : INT32_MIN;
    view->child[used * VIEW_WIDTH + i] = child;
    if (child >= 0) {
      depth = shape->node_depth[child] > depth ? shape->node_depth[child] : depth;
    } else if (child != INT32_MIN) {
      shape->leaf_slot[~child] = (local_index)(used * VIEW_WIDTH + i);
    }
  }
  shape->node_depth[used] = depth + 1;
  view->depth = depth + 1 > view->depth ? depth + 1 : view->depth;
  *code = view->nodes++;
  return PCCT_OK;
}

/* Nodes and leaves over `count` points of the order. */
static pcct_status plan_unit(struct view_shape *shape, int64_t first, int64_t count,
                             local_index *code) {
  int64_t size[VIEW_WIDTH];
  local_index codes[VIEW_WIDTH];
  const int parts = cut_sizes(count, shape->leaf, VIEW_WIDTH, size);
  if (parts == 1) {
    return make_leaf(shape, first, count, code);
  }
  pcct_status status = PCCT_OK;
  for (int i = 0; i < parts && status == PCCT_OK; i++) {
    status = plan_unit(shape, first, size[i], &codes[i]);
    first += size[i];
  }
  return status == PCCT_OK ? make_node(shape, codes, parts, code) : status;
}

/* Ends the unit that started at `first` of the order and pushes its code. */
static pcct_status end_unit(struct view_shape *shape, local_index first) {
  const local_index count = shape->ordered - first;
  local_index code = 0;
  if (count == 0) {
    return PCCT_OK;
  }
  pcct_status status = base_grow(shape->base, (void **)&shape->units, &shape->unit_capacity,
                                 shape->unit_count, shape->unit_count + 1, sizeof *shape->units);
  if (status == PCCT_OK) {
    const local_index leaf = shape->view->leaves;
    status = plan_unit(shape, first, count, &code);
    shape->units[shape->unit_count++] = (struct view_unit){first, count, leaf, shape->view->leaves};
  }
  return status == PCCT_OK ? push(shape, code) : status;
}

static void add_points(struct view_shape *shape, local_index from, local_index to) {
  memcpy(shape->order + shape->ordered, shape->member + from,
         (size_t)(to - from) * sizeof *shape->order);
  shape->ordered += to - from;
}

/* Reduces the codes from `from` to the top of the stack to one, by rounds of even groups. */
static pcct_status group(struct view_shape *shape, int64_t from) {
  pcct_status status = PCCT_OK;
  while (shape->depth - from > 1 && status == PCCT_OK) {
    const int64_t count = shape->depth - from;
    const int64_t groups = (count + VIEW_WIDTH - 1) / VIEW_WIDTH;
    for (int64_t g = 0; g < groups && status == PCCT_OK; g++) {
      const int64_t first = g * count / groups;
      const int64_t last = (g + 1) * count / groups;
      local_index code = shape->stack[from + first];
      if (last - first > 1) {
        status = make_node(shape, shape->stack + from + first, last - first, &code);
      }
      shape->stack[from + g] = code;
    }
    shape->depth = from + groups;
  }
  return status;
}

/* Pushes at most one code for the subtree of a frame node: its own points and its small subtrees are one
 * unit, its large subtrees follow. Recursion is as deep as the tree: each step sinks by a level at least. */
static pcct_status shape_subtree(struct view_shape *shape, local_index t) {
  const local_index *first = shape->first;
  const struct frame_node *node = shape->frame->node;
  const int64_t from = shape->depth;
  const local_index start = shape->ordered;
  pcct_status status = PCCT_OK;
  add_points(shape, first[t], first[t + 1]);
  for (local_index c = t + 1; c < node[t].end; c = node[c].end) {
    if (first[node[c].end] - first[c] <= shape->unit) {
      add_points(shape, first[c], first[node[c].end]);
    }
  }
  status = end_unit(shape, start);
  for (local_index c = t + 1; c < node[t].end && status == PCCT_OK; c = node[c].end) {
    if (first[node[c].end] - first[c] > shape->unit) {
      status = shape_subtree(shape, c);
    }
  }
  return status == PCCT_OK ? group(shape, from) : status;
}

pcct_status view_shape_create(struct view_shape *shape) {
  struct view *view = shape->view;
  pcct_status status = list_points(shape);
  if (status != PCCT_OK) {
    return status;
  }
  view->points = shape->frame->count > 0 ? shape->first[shape->frame->count] : 0;
  shape->order = base_allocate(shape->base, view->points, sizeof *shape->order);
  if (!shape->order) {
    return PCCT_MEMORY;
  }
  if (view->points > 0) {
    status = shape_subtree(shape, 0);
  }
  if (status == PCCT_OK && view->points > 0) {
    view->root = shape->stack[0];
    view->leaf_block[view->leaves] = view->blocks;
    shape->leaf_first[view->leaves] = view->points;
  }
  return status;
}
