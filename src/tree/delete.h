/*
 * Taking points out of a tree.
 *
 * A duplicate of a node that goes takes its place, links, level and all. A node without duplicates leaves its
 * children as orphans, which keep what is below them and are covered anew from the bottom up: at each level the
 * orphans look for a remaining node one level up that covers them; of those that find none, the
 * lexicographically first maximal independent set is promoted one level, and the others go below it. When the root
 * goes, the last orphan becomes the root. Points in the bucket of a node that goes are inserted again as a
 * batch.
 *
 * Source: deletion by promotion: Gu, Napier, Sun and Wang, SPAA 2022. Deviations: an orphan searches once for
 * the lowest level at which a remaining node covers it, and levels at which nothing can happen are skipped.
 */
#ifndef TREE_DELETE_H
#define TREE_DELETE_H

#include "tree/frame.h"

/* Takes points out of a tree; their places in tree->points stay, without links (parent -1, LEVEL_BUCKET).
 * Local; OpenMP inside. A function of the tree and the points alone.
 *   tree   [in,out] another object afterwards, of the same points; NULL on failure
 *   remove [in] distinct local indices of points of the tree
 * Errors: PCCT_INPUT (distinct points whose kernel value is too small), PCCT_MEMORY.
 * Cost: linear, one search for each orphan, and the insertion of the points of buckets whose node went. */
pcct_status tree_delete(struct base *base, struct tree **tree, const local_index *remove,
                        local_index count);

/* An orphan: a node whose parent is gone. */
struct orphan {
  local_index point;
  local_index cover; /* the nearest remaining node that covers it at cover_level, or -1 */
  int16_t level;     /* the node's level so far */
  int cover_level; /* lowest level above its own at which a remaining node of at least that level is within
                        2^cover_level of it; LEVEL_MAX + 1 if there is none */
};

/* Gives every orphan a parent, promoting as many as needed: sets their parents and levels in the tree. If the
 * tree has no root (-1), the last orphan becomes it.
 *   frame   [in] of the nodes before anything was removed
 *   removed [in] [points] 1: the point goes
 *   orphans [in] in the order of their places in the frame; point and level set
 * Errors: PCCT_MEMORY. */
pcct_status recover_orphans(struct base *base, struct tree *tree, const struct frame *frame,
                            const uint8_t *removed, struct orphan *orphans, local_index count);

#endif
