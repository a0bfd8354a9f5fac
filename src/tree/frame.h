/*
 * A frame: a cover tree frozen into depth-first order, node by node.
 *
 * Every subtree is one contiguous range of nodes, so that a traversal is a forward scan that skips whole
 * subtrees. Batch insertion searches the frame of the tree so far; the frame of the whole tree, which also
 * lists the points of every node, is what the walkers' view, the merged top and the invariant checker are
 * made from.
 */
#ifndef TREE_FRAME_H
#define TREE_FRAME_H

#include "tree/tree.h"

/* What a traversal needs of a node beside its coordinates. */
struct frame_node {
  double cover;        /* 2^level: the distance within which the node covers; root: +inf */
  double child_radius; /* 2^(highest level among the children); 0 without children */
  double
      radius; /* no node below is farther, rounded outward; in a frame of the whole tree, no point */
  local_index end;    /* one past the subtree's last place */
  local_index parent; /* place of the parent; -1 for the root */
};

struct frame {
  local_index count; /* nodes; 0 for an empty tree */
  const struct metric *metric;
  double *coordinates;     /* [count][dimension] */
  struct frame_node *node; /* [count] */
  local_index *point;      /* [count] the node's point as local index */
  local_index *place; /* [points] a point's node as place in this frame: nodes of this frame only;
                              in a frame of the whole tree, every point's */
  /* Of the whole tree only, else NULL: points by node, the node's own first, then by local index */
  local_index *first;  /* [count + 1] */
  local_index *member; /* [points] */
};

/* Freezes the first `nodes` nodes of the tree's log, which must be closed under taking parents.
 * Local; OpenMP inside. Children come in the order of their local indices.
 *   members [in]  the same nodes as ascending local indices
 *   frame   [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: linear, plus one kernel evaluation for each pair of node and ancestor. */
pcct_status frame_create(struct base *base, const struct tree *tree, local_index nodes,
                         const local_index *members, struct frame **frame);

/* The frame of the whole tree. Radii reach every point: with leaf size 1 they are the true ones, otherwise
 * at most the largest bucket's radius above them. */
pcct_status frame_create_whole(struct base *base, const struct tree *tree, struct frame **frame);

/* Sorts local indices. Local. Errors: PCCT_MEMORY. */
pcct_status frame_sort_indices(struct base *base, local_index *indices, local_index count);

/* NULL and pointers to NULL are fine. */
void frame_destroy(struct frame **frame);

#endif
