/*
 * The view: a finalised tree as walkers read it. Read-only once made, and independent of the tree and
 * frame it came from.
 *
 * Points lie in leaves of at most VIEW_LEAF points, each leaf in whole blocks of VIEW_WIDTH points stored
 * axis by axis, padded with infinite coordinates at position INT64_MAX. Nodes have up to VIEW_WIDTH
 * children with a box, the smallest and the largest position each. A cover-tree node with more than
 * VIEW_LEAF points below it becomes one or more nodes here; its small subtrees share leaves. Large
 * duplicate buckets are cut into leaves by position, under nodes like everything else, so that no node
 * ever has more than VIEW_WIDTH children.
 */
#ifndef TREE_VIEW_H
#define TREE_VIEW_H

#include "tree/frame.h"

enum { VIEW_WIDTH = 8, VIEW_LEAF = 32 };

/* Child codes: a node's index, or ~leaf for leaves. Missing children of a node have a box nothing meets
 * (lower = +inf, upper = -inf) and smallest position INT64_MAX. */
struct view {
  int dimension;
  local_index points;
  local_index nodes, leaves, blocks;
  local_index root;         /* child code of the whole tree; meaningless without points */
  double *box;              /* [nodes][dimension][2][VIEW_WIDTH]: lower, upper of every child */
  int64_t *smallest;        /* [nodes][VIEW_WIDTH] smallest position below a child */
  int64_t *largest;         /* [nodes][VIEW_WIDTH] largest position below a child; -1 if missing */
  local_index *child;       /* [nodes][VIEW_WIDTH] child codes */
  local_index *leaf_block;  /* [leaves + 1] first block of a leaf */
  local_index *leaf_points; /* [leaves] points of a leaf */
  double *coordinates;      /* [blocks][dimension][VIEW_WIDTH] */
  int64_t *position;        /* [blocks][VIEW_WIDTH]; ascending within a leaf */
};

/* Makes the view of a whole tree.
 * Local; OpenMP inside.
 *   frame [in]  the frame of the whole tree
 *   view  [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: linear. */
pcct_status view_create(struct base *base, const struct tree *tree, const struct frame *frame,
                        struct view **view);

/* NULL and pointers to NULL are fine. */
void view_destroy(struct view **view);

/* Address of axis j of the children of a node: VIEW_WIDTH lower bounds, then as many upper bounds. */
static inline double *view_box(const struct view *view, local_index node, int axis) {
  return view->box + ((int64_t)node * view->dimension + axis) * 2 * VIEW_WIDTH;
}

#endif
