/*
 * A frame: a cover tree frozen into depth-first order, node by node.
 *
 * Every subtree is one contiguous range of nodes, so that a traversal is a forward scan that skips whole
 * subtrees. Batch insertion searches the frame of the tree so far; the frame of the whole tree is what
 * the walkers' view, the merged top and the invariant checker are made from.
 */
#ifndef TREE_FRAME_H
#define TREE_FRAME_H

#include "tree/tree.h"

struct frame {
  local_index count; /* nodes; 0 for an empty tree */
  int dimension;
  double *coordinates; /* [count][dimension] */
  local_index *point;  /* [count] the node's point as local index */
  local_index
      *place; /* [points] a point's node as place in this frame; its node's for duplicates */
  local_index *parent; /* [count] place of the parent; -1 for the root */
  local_index *end;    /* [count] one past the subtree's last place */
  double
      *cover_value; /* [count] 4^level: the kernel value within which the node covers; root: +inf */
  double *child_radius; /* [count] 2^(highest level among the children); 0 without children */
  double *radius;       /* [count] true subtree radius, rounded outward */
};

/* Freezes the first `nodes` nodes of the tree's log, which must be closed under taking parents.
 * Local; OpenMP inside. Children come in the order of their local indices.
 *   members [in]  the same nodes as ascending local indices
 *   frame   [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: linear, plus one kernel evaluation for each pair of node and ancestor. */
pcct_status frame_create(struct base *base, const struct tree *tree, local_index nodes,
                         const local_index *members, struct frame **frame);

/* The frame of the whole tree. */
pcct_status frame_create_whole(struct base *base, const struct tree *tree, struct frame **frame);

/* NULL and pointers to NULL are fine. */
void frame_destroy(struct frame **frame);

#endif
