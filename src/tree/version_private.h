/*
 * How versions store points and links: chunks of VERSION_CHUNK slots, column by column. Slots without point read
 * as position INT64_MAX, no links and zeros; chunks of such slots alone are not stored.
 */
#ifndef TREE_VERSION_PRIVATE_H
#define TREE_VERSION_PRIVATE_H

#include "tree/version.h"

enum { VERSION_CHUNK = 128 };

struct version_links {
  local_index parent[VERSION_CHUNK];
  int16_t level[VERSION_CHUNK];
};

/* The columns of a chunk of points: positions, priorities, coordinates [VERSION_CHUNK][dimension]. */
struct version_points {
  int64_t position[VERSION_CHUNK];
  uint64_t priority[VERSION_CHUNK];
  double coordinates[];
};

static inline size_t version_points_size(int dimension) {
  return sizeof(struct version_points) + (size_t)dimension * VERSION_CHUNK * sizeof(double);
}

static inline int64_t version_chunks(local_index slots) {
  return ((int64_t)slots + VERSION_CHUNK - 1) / VERSION_CHUNK;
}

/* Room for a layout of some slots, none of which has a point; no tree yet. */
pcct_status version_layout_create(struct base *base, const struct version *version,
                                  local_index slots, struct version_layout *layout);

/* Copies a version's points into a layout of at least as many slots. */
void version_load_points(const struct version *version, struct version_layout *layout);

/* Gives a layout of `slots` slots a tree with the version's links. The version must have points. */
pcct_status version_load_tree(struct base *base, const struct version *version, local_index slots,
                              struct version_layout *layout);

/* The points of a layout as a tree takes them. */
struct tree_points version_tree_points(const struct version *version, local_index slots,
                                       const struct version_layout *layout);

#endif
