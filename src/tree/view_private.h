/* Shaping and filling of views. Private to the view_ files. */
#ifndef TREE_VIEW_PRIVATE_H
#define TREE_VIEW_PRIVATE_H

#include "tree/view.h"

/* Points that are cut into leaves together: a run of the shape's order, and its leaves. */
struct view_unit {
  local_index first, count;
  local_index leaf, leaf_end;
};

/* A view while it is made: structure first, contents later. */
struct view_shape {
  struct base *base;
  const struct tree *tree;
  const struct frame *frame;
  struct view *view;
  int64_t limit;
  int64_t leaf; /* points of a leaf at most */
  int64_t unit; /* subtrees of at most that many points are cut, not followed */
  /* Points below the limit by frame node, as frame->first and frame->member */
  local_index *first, *member;
  local_index *own_first, *own_member; /* the same, if they had to be made */
  local_index *order;                  /* [points] points unit by unit */
  local_index ordered;
  struct view_unit *units;
  int64_t unit_count;
  local_index *stack; /* child codes waiting for their parent */
  int64_t depth;
  int64_t *node_depth;    /* [nodes] nodes on the longest path down */
  local_index *leaf_slot; /* [leaves] where a leaf hangs: node * VIEW_WIDTH + child; -1: the root */
  local_index *leaf_first; /* [leaves + 1] first of its points in order */
  int64_t unit_capacity, stack_capacity, depth_capacity, child_capacity, slot_capacity,
      leaf_capacity, first_capacity, block_capacity;
};

/* Decides nodes, leaves, units and the order of points. Errors: PCCT_MEMORY. */
pcct_status view_shape_create(struct view_shape *shape);

/* Allocates and fills blocks, boxes or balls, and positions. Errors: PCCT_MEMORY. */
pcct_status view_fill(struct view_shape *shape);

void view_shape_free(struct view_shape *shape);

#endif
