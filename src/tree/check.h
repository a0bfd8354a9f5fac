/*
 * The invariant checker: proves a tree, its frame and its view right without trusting the code that made
 * them. Radii are verified first, by evaluating every pair of node and descendant; the search for
 * separation violations then prunes by these proven radii alone.
 */
#ifndef TREE_CHECK_H
#define TREE_CHECK_H

#include "tree/view.h"

/* One root; every duplicate coincides with its node; bucket points within their node's cover; covering;
 * levels sink; separation; the frame holds every node once in depth-first order with radii that reach all
 * points below, and lists every point with its node.
 * Local; OpenMP inside. Errors: PCCT_DIFFERENT, with the first violation as message (naming positions).
 * Cost: linear, one kernel evaluation for each pair of point and ancestor, one pruned search a node. */
pcct_status tree_check(struct base *base, const struct tree *tree, const struct frame *frame);

/* The view holds exactly the tree's points of a position below limit, each once, ascending by position within
 * leaves; bounds and positions of all children enclose all points below; every node is reached once from
 * the root.
 * Errors: PCCT_DIFFERENT, PCCT_MEMORY. Cost: O(n log n). */
pcct_status view_check(struct base *base, const struct tree *tree, int64_t limit,
                       const struct view *view);

#endif
