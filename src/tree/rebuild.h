/*
 * Building the tree of some of a tree's points anew, where that is cheaper than changing it.
 */
#ifndef TREE_REBUILD_H
#define TREE_REBUILD_H

#include "tree/tree.h"

/* Builds anew the tree of some of a tree's points; the others are left without links.
 *   tree   [in,out] another object afterwards, of the same points and leaf size; NULL on failure
 *   member [in] their local indices, ascending
 * Errors: as tree_build. */
pcct_status tree_rebuild(struct base *base, struct tree **tree, const local_index *member,
                         local_index count);

#endif
