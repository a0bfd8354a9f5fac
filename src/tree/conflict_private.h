/*
 * What the builders of conflict graphs share.
 *
 * Points are kept in segments: at most 8 consecutive points with bounds (a box; a ball for a user metric) and
 * the largest limit among them. At most 8 consecutive segments make a node of the next level, and so on up to
 * one node. The scope of a node is the ascending list of those nodes of its own level that can hold a point in
 * conflict with one of its own. A step takes nodes with their scopes and tests their children against the
 * children of the nodes in scope: at higher levels that gives the children's scopes, at the lowest the rows of
 * the graph. Bounds are computed like kernel values, axis by axis, and rounding is monotone: no slack is
 * needed for boxes.
 */
#ifndef TREE_CONFLICT_PRIVATE_H
#define TREE_CONFLICT_PRIVATE_H

#include "tree/conflict.h"

enum {
  CONFLICT_WIDTH = 8,   /* children of a node at most, and the lanes of a block */
  CONFLICT_LEVELS = 34, /* the number of nodes at least halves from one level to the next */
  CONFLICT_TILE = 32    /* entries of a scope looked at together */
};

/* One level of the hierarchy. A coordinate metric has bounds and blocks, a user metric balls. */
struct conflict_level {
  local_index count;  /* nodes */
  local_index *first; /* [count + 1] first child: nodes of the level below, points below level 0 */
  double *bounds;     /* [count][2 d + 1] lower and upper corner, limit */
  double
      *block; /* [count][..][8] the children, axis by axis: level 0 the coordinates [d], above the
                         lower and upper bounds [d][2]; then the limit, -1 where there is no child */
  local_index *centre; /* [count] a point of the node */
  double *radius;      /* [count] no point of the node is farther from the centre */
  double *limit;       /* [count] */
};

/* Ascending lists of nodes: that of node i is item[offset[i]] .. item[offset[i + 1] - 1]. */
struct conflict_lists {
  int64_t *offset;
  local_index *item;
  int64_t offset_capacity;
  int64_t item_capacity;
};

/* Nodes with the same scope, tested together. */
struct conflict_slice {
  int64_t member; /* first place in step.member */
  int members;
};

/* The nodes first .. first + count - 1 of a level against their scopes. */
struct conflict_step {
  const struct conflict_points *points;
  const double *limit; /* [points] */
  const struct conflict_level *level;
  const struct conflict_level *below; /* NULL: the children are points */
  local_index first;
  local_index count;
  const int64_t *offset; /* [count + 1] scopes; NULL: all nodes of the level, for every node */
  const local_index *item;
  const int64_t *start; /* [count + 1] first word of a node's children */
  uint64_t *word;       /* for each child as many words as its scope has blocks of 8: byte b is the
                            bit mask of the children of node b of the block that are in conflict */
  const local_index *member; /* [count] nodes, less first, in the order of the slices */
  const struct conflict_slice *slice;
  const uint8_t (
      *positions)[CONFLICT_WIDTH]; /* [256] the set bits of each byte, ascending, from the left */
};

/* The inner loops for one instruction set. */
struct conflict_kernel {
  /* Fills the words of a slice. Returns the number of child pairs evaluated. */
  int64_t (*test)(const struct conflict_step *step, const struct conflict_slice *slice);
  /* The number of set bits for each child of a node: tally[child - first child of the step]. */
  void (*count)(const struct conflict_step *step, local_index node, local_index *tally);
  /* Their numbers, ascending, for each child: out[offset[child - first child of the step]] .. */
  void (*fill)(const struct conflict_step *step, local_index node, const int64_t *offset,
               local_index *out);
};

/* A running build. Scratch arrays grow and are used again. */
struct conflict_run {
  struct base *base;
  const struct conflict_points *points;
  const struct conflict_settings *settings;
  struct conflict_graph *graph;
  int64_t chunk;  /* scope entries a step may have, unless one node alone has more */
  int64_t budget; /* capped to what int32 rows can hold */
  int64_t neighbor_capacity;
  int64_t total;       /* directed pairs so far */
  int64_t evaluations; /* kernel values computed for bounds and pairs */
  double *limit;       /* [points] kernel value of each point's radius */
  struct conflict_kernel kernel;
  uint8_t positions[1 << CONFLICT_WIDTH][CONFLICT_WIDTH];
  struct conflict_level level[CONFLICT_LEVELS];
  int levels;
  struct conflict_lists lists[CONFLICT_LEVELS];
  int64_t *start, *offset;
  uint64_t *word, *hash;
  local_index *member, *tally, *table, *group, *group_start;
  struct conflict_slice *slice;
  int64_t start_capacity, offset_capacity, word_capacity, hash_capacity, member_capacity,
      tally_capacity, table_capacity, group_capacity, group_start_capacity, slice_capacity;
};

/* Makes room in a scratch array; what it held is lost. */
#define conflict_reserve(run, array, needed)                                                       \
  base_grow((run)->base, (void **)&(array), &(array##_capacity), 0, (needed), sizeof *(array))

/* The kernels for an instruction set (enum settings_isa), or the next best one this machine has; plain loops over
 * balls for a user metric. All give the same bits. */
struct conflict_kernel conflict_kernel_choose(const struct metric *metric, int isa);

/* Makes level run->levels from the one below and raises run->levels. Runs of 8 children are split where a gap
 * is far wider than most of the run's. */
pcct_status conflict_level_add(struct conflict_run *run);

/* Whether a segment may hold a point in conflict with the given one; a good guess, not to be relied on. */
int conflict_point_near(const struct conflict_run *run, local_index segment, local_index point);

/* Runs a prepared step (all but start, word, member and slice set) whose slices are in run->slice: tests, counts,
 * and fills lists, or for points the rows of the graph, which must have come up to the step's first point.
 * Sets run->total above the budget and fills nothing where the graph gets too large. */
pcct_status conflict_step_run(struct conflict_run *run, struct conflict_step *step, int64_t slices,
                              struct conflict_lists *lists);

/* The number of words of a node's children. */
static inline int64_t conflict_blocks(int64_t scope) {
  return (scope + CONFLICT_WIDTH - 1) / CONFLICT_WIDTH;
}

/* The scope of node `node` (less step->first) of a step: *length entries; NULL: all nodes of the level. */
static inline const local_index *conflict_scope(const struct conflict_step *step, local_index node,
                                                int64_t *length) {
  if (!step->offset) {
    *length = step->level->count;
    return NULL;
  }
  *length = step->offset[node + 1] - step->offset[node];
  return step->item + step->offset[node];
}

/* The builders. They may assume at least one point, find the level of segments there or add it, and set
 * run->total and the rows. */
pcct_status conflict_dense(struct conflict_run *run);
pcct_status conflict_segmented(struct conflict_run *run);
pcct_status conflict_grid(struct conflict_run *run);

#endif
