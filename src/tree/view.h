/*
 * The view: a finalised tree as walkers read it. Read-only once made, and independent of the tree and
 * frame it came from.
 *
 * Points lie in leaves of at most VIEW_LEAF points, each leaf in whole blocks of VIEW_WIDTH points stored
 * axis by axis, padded with infinite coordinates at position INT64_MAX. Nodes have up to VIEW_WIDTH
 * children, each with bounds and with the smallest and the largest position. A cover-tree node with many
 * points below it becomes one or more nodes here; what it and its small subtrees hold is cut into leaves by
 * coordinates, or, for metrics without coordinates, in depth-first order. Points of one location are cut by
 * position, so that no node ever has more than VIEW_WIDTH children.
 */
#ifndef TREE_VIEW_H
#define TREE_VIEW_H

#include "tree/frame.h"

enum { VIEW_WIDTH = 8, VIEW_LEAF = 64 };

/* Child codes: a node's index, or ~leaf for leaves. Missing children of a node have a box nothing meets
 * (lower = +inf, upper = -inf) or a ball nothing meets (radius -inf), and smallest position INT64_MAX. */
struct view {
  struct metric metric;
  int dimension;
  local_index points;
  local_index nodes, leaves, blocks;
  int64_t depth;    /* nodes on the longest path from the root to a leaf */
  local_index root; /* child code of the whole tree; meaningless without points */
  double *box;      /* [nodes][dimension][2][VIEW_WIDTH]: lower, upper of every child; NULL
                               where the metric has no coordinates (METRIC_USER) */
  double *centre; /* METRIC_USER: [nodes][VIEW_WIDTH][dimension] centres of the children's balls */
  double *radius; /* METRIC_USER: [nodes][VIEW_WIDTH] true radii, rounded outward */
  int64_t *smallest;        /* [nodes][VIEW_WIDTH] smallest position below a child */
  int64_t *largest;         /* [nodes][VIEW_WIDTH] largest position below a child; -1 if missing */
  local_index *child;       /* [nodes][VIEW_WIDTH] child codes */
  local_index *leaf_block;  /* [leaves + 1] first block of a leaf */
  local_index *leaf_points; /* [leaves] points of a leaf, 1 to VIEW_LEAF */
  double *coordinates;      /* [blocks][dimension][VIEW_WIDTH] */
  int64_t *position;        /* [blocks][VIEW_WIDTH]; ascending within a leaf */
};

/* Views of prefixes of the ordering: view 0 holds every point, view i those of a position below limit[i]
 * only; limits fall. Predecessor queries of a position in [limit[i + 1], limit[i]) need view i alone. */
enum { VIEW_PREFIXES = 16 };
struct view_set {
  int count; /* at least 1 */
  struct view *view[VIEW_PREFIXES];
  int64_t limit[VIEW_PREFIXES]; /* limit[0] is INT64_MAX */
};

/* Makes the view of a tree's points of a position below limit.
 * Local; OpenMP inside.
 *   frame [in]  the frame of the whole tree
 *   limit [in]  INT64_MAX: all points
 *   view  [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: linear, but for cuts of O(log(points below a small subtree)) passes. */
pcct_status view_create(struct base *base, const struct tree *tree, const struct frame *frame,
                        int64_t limit, struct view **view);

/* The views that predecessor queries need: prefixes shrink by a factor of four.
 *   total [in] positions of all ranks: 0..total-1
 *   set   [in,out] view 0 is given; the others are made */
pcct_status view_set_extend(struct base *base, const struct tree *tree, const struct frame *frame,
                            int64_t total, struct view_set *set);

/* Frees the views and zeroes the set. */
void view_set_clear(struct view_set *set);

/* A view's arrays, VIEW_ARRAYS of them; some may be NULL and empty. Local. */
enum { VIEW_ARRAYS = 10 };
void view_list_arrays(struct view *view, struct base_array *arrays);

/* NULL and pointers to NULL are fine. */
void view_destroy(struct view **view);

/* Address of axis j of the children of a node: VIEW_WIDTH lower bounds, then as many upper bounds. */
static inline double *view_box(const struct view *view, local_index node, int axis) {
  return view->box + ((int64_t)node * view->dimension + axis) * 2 * VIEW_WIDTH;
}

#endif
