/*
 * Farthest-first selection on a view: what orderings by growing nets are made of.
 *
 * Points are selected one by one or many at a time. Every point not selected has a value: the kernel value
 * to the nearest selected point; those that may be selected next are eligible, and come in an order:
 *
 *   FARTHEST   all that are active; larger values first, ties by position. x is blocked by an eligible y before
 *              it where kernel(x, y) < value(y)
 *   NET        active ones with values above `radius`, by position. x is blocked by an eligible y before it
 *              where kernel(x, y) <= radius
 *
 * The eligible points that nothing blocks are free: they may be selected together, any of them, and the result
 * is that of selecting the first eligible point again and again. FARTHEST: whatever the sequential order
 * selects before x is before x now, hence at least its own value, hence at least x's, away from x; and x lowers
 * values only of points after it. NET: a point is in the greedy net iff no earlier one within the radius is.
 *
 * Values change by lowering alone, so that the tree's bounds of them only fall; a node is looked at only where a
 * selected point comes nearer than its largest value.
 */
#ifndef WALK_FARTHEST_H
#define WALK_FARTHEST_H

#include "tree/view.h"

enum walk_farthest_rule { WALK_FARTHEST, WALK_NET };

/* What is below a child code. */
struct walk_below {
  double reach;      /* largest value of any point not selected; not positive: there is none */
  double value;      /* of the first eligible point */
  int64_t position;  /* its position; INT64_MAX: there is none */
  local_index first; /* its slot; -1 */
};

struct walk_farthest_engine;

struct walk_farthest {
  const struct walk_farthest_engine *engine;
  const struct view *view; /* borrowed */
  enum walk_farthest_rule rule;
  double radius; /* NET: kernel value */
  int64_t active;
  const int64_t
      *group; /* [blocks][VIEW_WIDTH] points of group `active` are active; NULL: all are */
  double
      *value; /* [blocks][VIEW_WIDTH] positive: not selected; else minus the value when selected */
  /* The children's walk_below, by members */
  double *reach, *first_value; /* [nodes][VIEW_WIDTH] */
  int64_t *first_position;     /* [nodes][VIEW_WIDTH] */
  local_index *first;          /* [nodes][VIEW_WIDTH] */
  local_index *witness;        /* [blocks] slot that blocked a point of this block; -1 */
  struct walk_below all;
  /* The way up: places of nodes and leaves, -1 for the root's; leaves of blocks */
  local_index *node_place, *leaf_place, *block_leaf;
  /* Subtrees that threads work on, and the nodes above them, parents first */
  local_index *part;        /* [parts] places of codes: node * VIEW_WIDTH + child */
  local_index *upper;       /* [uppers] nodes */
  local_index *upper_place; /* [uppers] where they hang */
  int *part_of;             /* [nodes * VIEW_WIDTH] part of a place; -1 */
  int parts, uppers;
  struct walk_farthest_thread *thread; /* [threads] */
  /* Slots that walk_farthest_free found */
  local_index *found;
  int64_t found_count, found_capacity;
  int64_t distances; /* kernel evaluations */
};

/* Selected points, of this view or not. Borrowed. */
struct walk_selected {
  int64_t count;
  const double *points; /* [count][dimension] */
};

/* Prepares a view whose points all have the value +inf. None is eligible until walk_farthest_begin.
 * Local.
 *   view  [in] borrowed until the end
 *   group [in] [blocks][VIEW_WIDTH], borrowed; NULL: one group
 *   state [out] freed with walk_farthest_clear, on failure too
 * Errors: PCCT_USAGE (an instruction set this machine does not have), PCCT_MEMORY. Memory: 8 bytes a point. */
pcct_status walk_farthest_create(struct base *base, const struct view *view, const int64_t *group,
                                 struct walk_farthest *state);

/* Charges the work to the counter ordering_distances. */
void walk_farthest_clear(struct base *base, struct walk_farthest *state);

/* Sets rule, radius and active group; no point is eligible before.
 * Local.
 *   slots [in] [count] the group's; NULL without groups: all are looked at, OpenMP inside */
void walk_farthest_begin(struct base *base, struct walk_farthest *state,
                         enum walk_farthest_rule rule, double radius, int64_t active,
                         const local_index *slots, int64_t count);

/* Finds free points, at least the first eligible one if there is any: into found, found_count.
 * Local; OpenMP inside. Errors: PCCT_MEMORY. */
pcct_status walk_farthest_free(struct base *base, struct walk_farthest *state);

/* Whether an eligible point of this view blocks a foreign one. Local.
 *   value, position [in] of the foreign point */
int walk_farthest_blocks(struct walk_farthest *state, const double *point, double value,
                         int64_t position);

/* Marks a point as selected. Its value is told by walk_lower, which must follow. Local. */
void walk_farthest_select(struct walk_farthest *state, local_index slot);

/* Lowers the values of all points near selected ones. Points at the location of one are selected with value 0.
 * Local; OpenMP inside. Errors: PCCT_MEMORY. */
pcct_status walk_farthest_lower(struct base *base, struct walk_farthest *state,
                                const struct walk_selected *selected);

/* Copies the coordinates of a slot. */
void walk_farthest_point(const struct walk_farthest *state, local_index slot, double *point);

#endif
