/*
 * Versions: immutable states of a set of points and its tree.
 *
 * Inserting or deleting a batch gives a new version and leaves the old one as it was. Both share the memory of all
 * chunks of points, and of links, that the operation left alone. A version is read, and destroyed, without
 * regard to the others and in any order; different threads, each with a struct base of its own, may read,
 * derive from and destroy versions that share memory at the same time.
 *
 * Points are named by position. A point keeps its local index (its slot) in all later versions it is in; slots of
 * deleted points are used again by later insertions, smallest first. To search a version, lay it out as a tree
 * and finalise that (frame_create_whole, view_create): the view is independent of the version.
 *
 * Operations work on such a layout: linear in the points in time and in memory for a while, whereas what stays
 * is what changed.
 */
#ifndef TREE_VERSION_H
#define TREE_VERSION_H

#include "tree/store.h"
#include "tree/tree.h"

struct version {
  struct metric metric;
  local_index leaf_size; /* points a bucket may hold; 1: none */
  local_index slots;     /* local indices are 0..slots-1, the last one with a point */
  local_index count;     /* points */
  struct store points;   /* chunks of positions, priorities, coordinates */
  struct store links;    /* chunks of parents and levels */
};

/* Points to insert. Borrowed. */
struct version_batch {
  local_index count;
  const double *coordinates; /* [count][dimension] */
  const int64_t *position;   /* [count] distinct, 0 .. INT64_MAX - 1 */
  const uint64_t *priority;  /* [count] insertion order: ascending, ties by position */
};

/* A version laid out as a tree of its own memory. Slots without points have position INT64_MAX and no links
 * (parent -1, LEVEL_BUCKET), which frames, views and checks pass over. */
struct version_layout {
  struct tree *tree;
  struct metric *metric;
  double *coordinates;
  int64_t *position;
  uint64_t *priority;
};

/* The first version: a copy of a tree, points included, which may be of no points. Nothing is borrowed but what a
 * user metric points to.
 *   version [out] owned by the caller; NULL on failure; so everywhere here
 * Everything here is Local; OpenMP inside. Errors: PCCT_MEMORY, everywhere here. */
pcct_status version_create(struct base *base, const struct tree *tree, struct version **version);

/* A new version with more points.
 *   old [in] stays as it is
 * Errors: PCCT_USAGE (a position that is taken, or given twice, or out of range), PCCT_INPUT (distinct points whose
 * kernel value is too small; too many points).
 * Cost: linear, and the insertion of the batch; all is built anew if the batch has as many points as the version, or
 * if magnitudes below 2^-458 make points suspect of being too close. */
pcct_status version_insert(struct base *base, const struct version *old,
                           const struct version_batch *batch, struct version **version);

/* A new version with fewer points.
 *   position [in] [count] in any order
 * Errors: PCCT_USAGE (a position that is not there, or given twice). Cost: see tree_delete. */
pcct_status version_delete(struct base *base, const struct version *old, const int64_t *position,
                           local_index count, struct version **version);

/* Lays a version out.
 *   layout [out] cleared with version_layout_clear; zero on failure */
pcct_status version_lay_out(struct base *base, const struct version *version,
                            struct version_layout *layout);

/* Fine on a layout of zeros. */
void version_layout_clear(struct version_layout *layout);

/* What came and what went from one version to another. A point that is in both with other coordinates or another
 * priority went and came. */
struct version_difference {
  local_index added, removed;
  int64_t *added_position;   /* [added] ascending */
  int64_t *removed_position; /* [removed] ascending */
};

/* Compares two versions of the same dimension.
 *   difference [out] cleared with version_difference_clear; zero on failure
 * Errors: PCCT_USAGE (dimensions differ).
 * Cost: linear in the chunks of points that they do not share; shared parts are skipped. */
pcct_status version_compare(struct base *base, const struct version *from, const struct version *to,
                            struct version_difference *difference);

void version_difference_clear(struct version_difference *difference);

/* NULL and pointers to NULL are fine. */
void version_destroy(struct version **version);

#endif
