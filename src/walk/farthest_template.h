/*
 * Farthest-first selection: the walks. Compiled once for every instruction set; kind and d are constants where
 * it matters.
 */
#ifndef WALK_FARTHEST_TEMPLATE_H
#define WALK_FARTHEST_TEMPLATE_H

#include "walk/farthest_engine.h"
#include "walk/kernel_template.h"

/* A point to be compared with others. */
struct aim {
  const double *point;
  double value;
  int64_t position;
};

SIMD_INLINE void aim_target(const int d, const double *point, struct target *target) {
  target->point = point;
  for (int j = 0; j < d; j++) {
    target->at[j] = lanes_set(point[j]);
  }
}

SIMD_INLINE void slot_point(const int d, const struct view *view, local_index slot, double *point) {
  const double *block = view->coordinates + (int64_t)(slot / VIEW_WIDTH) * d * VIEW_WIDTH;
  for (int j = 0; j < d; j++) {
    point[j] = block[j * VIEW_WIDTH + slot % VIEW_WIDTH];
  }
}

/* Which points of a block belong to the active group. */
SIMD_INLINE unsigned active_mask(const struct walk_farthest *state, int64_t block) {
  unsigned mask = 0xff;
  if (state->group) {
    mask = 0;
    for (int i = 0; i < VIEW_WIDTH; i++) {
      mask |= (unsigned)(state->group[block * VIEW_WIDTH + i] == state->active) << i;
    }
  }
  return mask;
}

/* Which points of a block, of these values, are eligible and come before another one. */
SIMD_INLINE unsigned before_mask(const struct walk_farthest *state, int64_t block, lanes values,
                                 const struct aim *aim) {
  const int64_t *position = state->view->position + block * VIEW_WIDTH;
  unsigned mask;
  if (state->rule == WALK_NET) {
    mask = lanes_less(lanes_set(state->radius), values);
    mask = mask ? mask & positions_below(position, aim->position) : 0;
  } else {
    mask = lanes_at_most(lanes_set(aim->value), values);
    const unsigned equal = mask & lanes_at_most(values, lanes_set(aim->value));
    if (equal) {
      mask &= ~equal | positions_below(position, aim->position);
    }
  }
  return mask ? mask & active_mask(state, block) : 0;
}

/* Whether the point in a slot blocks another one. */
SIMD_INLINE int slot_blocks(const enum metric_kind kind, const int d,
                            const struct walk_farthest *state, local_index slot,
                            const struct aim *aim) {
  const struct view *view = state->view;
  const double value = state->value[slot];
  const int64_t position = view->position[slot];
  double point[WALK_AXES];
  if (state->group && state->group[slot] != state->active) {
    return 0;
  }
  if (state->rule == WALK_NET
          ? value <= state->radius || position >= aim->position
          : value < aim->value || (value == aim->value && position >= aim->position)) {
    return 0;
  }
  slot_point(d, view, slot, point);
  const double kernel = metric_kernel(kind, d, &view->metric, aim->point, point);
  return state->rule == WALK_NET ? kernel <= state->radius : kernel < value;
}

/* The first point of a leaf that blocks; -1. */
SIMD_INLINE local_index leaf_blocker(const enum metric_kind kind, const int d,
                                     const struct walk_farthest *state,
                                     struct walk_farthest_thread *thread, local_index leaf,
                                     const struct target *target, const struct aim *aim) {
  const struct view *view = state->view;
  for (int64_t b = view->leaf_block[leaf]; b < view->leaf_block[leaf + 1]; b++) {
    const lanes values = lanes_load(state->value + b * VIEW_WIDTH);
    unsigned mask = before_mask(state, b, values, aim);
    if (mask) {
      const lanes kernel =
          block_values(kind, d, view, view->coordinates + b * d * VIEW_WIDTH, target);
      thread->distances += VIEW_WIDTH;
      mask &= state->rule == WALK_NET ? lanes_at_most(kernel, lanes_set(state->radius))
                                      : lanes_less(kernel, values);
      if (mask) {
        return (local_index)(b * VIEW_WIDTH + __builtin_ctz(mask));
      }
    }
  }
  return -1;
}

/* Children that may hold a point that blocks. */
SIMD_INLINE unsigned blocking_children(const enum metric_kind kind, const int d,
                                       const struct walk_farthest *state, local_index node,
                                       const struct target *target, const struct aim *aim) {
  const int64_t place = (int64_t)node * VIEW_WIDTH;
  const lanes near = child_values(kind, d, state->view, node, target);
  if (state->rule == WALK_NET) {
    return lanes_at_most(near, lanes_set(state->radius)) &
           positions_below(state->first_position + place, aim->position);
  }
  const lanes values = lanes_load(state->first_value + place);
  return lanes_less(near, values) & lanes_at_most(lanes_set(aim->value), values);
}

SIMD_INLINE local_index find_blocker(const enum metric_kind kind, const int d,
                                     const struct walk_farthest *state,
                                     struct walk_farthest_thread *thread, const struct aim *aim) {
  const struct view *view = state->view;
  local_index *stack = thread->stack;
  local_index found = -1;
  int64_t depth = view->points > 0;
  struct target target;
  aim_target(d, aim->point, &target);
  stack[0] = view->root;
  while (depth > 0 && found < 0) {
    const local_index code = stack[--depth];
    if (code < 0) {
      found = leaf_blocker(kind, d, state, thread, ~code, &target, aim);
      continue;
    }
    unsigned mask = blocking_children(kind, d, state, code, &target, aim);
    for (; mask; mask &= mask - 1) {
      stack[depth++] = view->child[(int64_t)code * VIEW_WIDTH + __builtin_ctz(mask)];
    }
  }
  return found;
}

/* Whether a point that is first below a child blocks all others there. */
SIMD_INLINE int child_covered(const enum metric_kind kind, const int d,
                              const struct walk_farthest *state, local_index node, int child,
                              const struct aim *aim) {
  const struct view *view = state->view;
  double value = 0;
  if (kind == METRIC_USER) {
    const int64_t place = (int64_t)node * VIEW_WIDTH + child;
    const double distance =
        view->metric.distance(aim->point, view->centre + place * d, d, view->metric.user);
    value = (distance + view->radius[place]) * (1 + METRIC_SLACK);
  } else {
    for (int j = 0; j < d; j++) {
      const double *box = view_box(view, node, j);
      const double below = aim->point[j] - box[child];
      const double above = box[VIEW_WIDTH + child] - aim->point[j];
      value = metric_add_axis(kind, value, below > above ? below : above);
    }
  }
  return state->rule == WALK_NET ? value <= state->radius : value < aim->value;
}

/* Whether nothing blocks a point; its witness is asked first. */
SIMD_INLINE int is_free(const enum metric_kind kind, const int d, const struct walk_farthest *state,
                        struct walk_farthest_thread *thread, local_index slot, local_index decided,
                        const struct aim *aim) {
  local_index *witness = &state->witness[slot / VIEW_WIDTH];
  if (*witness >= 0 && slot_blocks(kind, d, state, *witness, aim)) {
    return 0;
  }
  if (decided >= 0 && slot_blocks(kind, d, state, decided, aim)) {
    return 0;
  }
  *witness = find_blocker(kind, d, state, thread, aim);
  return *witness < 0;
}

/* The first eligible point of a block: its lane, or -1. Positions ascend within a leaf. */
SIMD_INLINE int block_first(const struct walk_farthest *state, int64_t block, lanes values) {
  const double threshold = state->rule == WALK_NET ? state->radius : 0;
  unsigned mask = lanes_less(lanes_set(threshold), values);
  if (mask) {
    mask &= active_mask(state, block);
  }
  if (mask && state->rule == WALK_FARTHEST) {
    const double largest = lanes_greatest(lanes_choose(mask, values, lanes_set(-1)));
    mask &= lanes_at_most(lanes_set(largest), values);
  }
  return mask ? __builtin_ctz(mask) : -1;
}

SIMD_INLINE void look_leaf(const enum metric_kind kind, const int d,
                           const struct walk_farthest *state, struct walk_farthest_thread *thread,
                           local_index leaf, local_index decided) {
  const struct view *view = state->view;
  double point[WALK_AXES];
  for (int64_t b = view->leaf_block[leaf]; b < view->leaf_block[leaf + 1]; b++) {
    const int lane = block_first(state, b, lanes_load(state->value + b * VIEW_WIDTH));
    const local_index slot = (local_index)(b * VIEW_WIDTH + lane);
    if (lane < 0 || slot == decided) {
      continue;
    }
    const struct aim aim = {point, state->value[slot], view->position[slot]};
    slot_point(d, view, slot, point);
    if (is_free(kind, d, state, thread, slot, decided, &aim)) {
      thread->found[thread->found_count++] = slot;
    }
  }
}

/* Below a node, every child's first point is looked at once, and whatever it does not block. */
SIMD_INLINE void look_node(const enum metric_kind kind, const int d,
                           const struct walk_farthest *state, struct walk_farthest_thread *thread,
                           local_index node, local_index decided, struct walk_farthest_task *tasks,
                           int *count) {
  const struct view *view = state->view;
  double point[WALK_AXES];
  for (int i = 0; i < VIEW_WIDTH; i++) {
    const int64_t place = (int64_t)node * VIEW_WIDTH + i;
    const local_index slot = state->first[place];
    if (slot < 0) {
      continue;
    }
    const struct aim aim = {point, state->first_value[place], state->first_position[place]};
    slot_point(d, view, slot, point);
    if (slot != decided && is_free(kind, d, state, thread, slot, decided, &aim)) {
      thread->found[thread->found_count++] = slot;
    }
    if (child_covered(kind, d, state, node, i, &aim)) {
      continue;
    }
    if (tasks && state->part_of[place] >= 0) {
      tasks[(*count)++] = (struct walk_farthest_task){state->part_of[place], slot};
    } else {
      state->engine->look(state, thread, view->child[place], slot, tasks, count);
    }
  }
}

/* What is in a leaf. */
SIMD_INLINE struct walk_below leaf_below(const struct walk_farthest *state, local_index leaf) {
  const struct view *view = state->view;
  struct walk_below below = {-1, -1, INT64_MAX, -1};
  lanes reach = lanes_set(-1);
  for (int64_t b = view->leaf_block[leaf]; b < view->leaf_block[leaf + 1]; b++) {
    const lanes values = lanes_load(state->value + b * VIEW_WIDTH);
    reach = lanes_larger(reach, values);
    if (state->rule == WALK_NET && below.first >= 0) {
      continue; /* positions ascend */
    }
    const int lane = block_first(state, b, values);
    if (lane >= 0 && state->value[b * VIEW_WIDTH + lane] > below.value) {
      below.first = (local_index)(b * VIEW_WIDTH + lane);
      below.value = state->value[below.first];
      below.position = view->position[below.first];
    }
  }
  below.reach = lanes_greatest(reach);
  return below;
}

SIMD_INLINE struct walk_below lower_leaf(const enum metric_kind kind, const int d,
                                         struct walk_farthest *state,
                                         struct walk_farthest_thread *thread, local_index leaf,
                                         const struct walk_farthest_list *list) {
  const struct view *view = state->view;
  for (int64_t b = view->leaf_block[leaf]; b < view->leaf_block[leaf + 1]; b++) {
    const double *block = view->coordinates + b * d * VIEW_WIDTH;
    double *value = state->value + b * VIEW_WIDTH;
    lanes values = lanes_load(value);
    const unsigned open = lanes_less(lanes_set(0), values);
    if (!open) {
      continue;
    }
    for (int64_t e = 0; e < list->count; e++) {
      struct target target;
      aim_target(d, list->selected->points + (int64_t)list->entry[e] * d, &target);
      values = lanes_smaller(values, block_values(kind, d, view, block, &target));
    }
    thread->distances += list->count * VIEW_WIDTH;
    lanes_store(value, values);
    unsigned zero = open & lanes_at_most(values, lanes_set(0));
    for (; zero; zero &= zero - 1) {
      value[__builtin_ctz(zero)] = -0.0; /* at the location of a selected point */
    }
  }
  return leaf_below(state, leaf);
}

SIMD_INLINE struct walk_below lower_node(const enum metric_kind kind, const int d,
                                         struct walk_farthest *state,
                                         struct walk_farthest_thread *thread, local_index node,
                                         const struct walk_farthest_list *list) {
  const struct view *view = state->view;
  unsigned any = 0;
  for (int64_t e = 0; e < list->count; e++) {
    struct target target;
    aim_target(d, list->selected->points + (int64_t)list->entry[e] * d, &target);
    list->mask[e] =
        (unsigned char)lanes_less(child_values(kind, d, view, node, &target),
                                  lanes_load(state->reach + (int64_t)node * VIEW_WIDTH));
    any |= list->mask[e];
  }
  for (; any; any &= any - 1) {
    const int i = __builtin_ctz(any);
    const int64_t place = (int64_t)node * VIEW_WIDTH + i;
    struct walk_farthest_list down = {list->selected, list->room, 0, list->room + list->count,
                                      list->mask + list->count};
    for (int64_t e = 0; e < list->count; e++) {
      list->room[down.count] = list->entry[e];
      down.count += list->mask[e] >> i & 1;
    }
    const struct walk_below below = state->engine->lower(state, thread, view->child[place], &down);
    walk_farthest_put(state, place, &below);
  }
  return walk_farthest_join(state, node);
}

/* Expands CASE(kind, d) for the metric and dimension of a view. */
#define FARTHEST_DISPATCH(view, CASE)                                                              \
  switch ((view)->metric.kind) {                                                                   \
  case METRIC_EUCLIDEAN:                                                                           \
    switch ((view)->dimension) {                                                                   \
    case 2:                                                                                        \
      CASE(METRIC_EUCLIDEAN, 2);                                                                   \
    case 3:                                                                                        \
      CASE(METRIC_EUCLIDEAN, 3);                                                                   \
    default:                                                                                       \
      CASE(METRIC_EUCLIDEAN, (view)->dimension);                                                   \
    }                                                                                              \
  case METRIC_MANHATTAN:                                                                           \
    CASE(METRIC_MANHATTAN, (view)->dimension);                                                     \
  case METRIC_CHEBYSHEV:                                                                           \
    CASE(METRIC_CHEBYSHEV, (view)->dimension);                                                     \
  case METRIC_USER:                                                                                \
    break;                                                                                         \
  }

static inline local_index engine_blocker(const struct walk_farthest *state,
                                         struct walk_farthest_thread *thread, const double *point,
                                         double value, int64_t position) {
  const struct aim aim = {point, value, position};
#define CASE_BLOCKER(kind, d) return find_blocker(kind, d, state, thread, &aim)
  FARTHEST_DISPATCH(state->view, CASE_BLOCKER)
  return find_blocker(METRIC_USER, state->view->dimension, state, thread, &aim);
}

#define LOOK(kind, d)                                                                              \
  if (code < 0) {                                                                                  \
    look_leaf(kind, d, state, thread, ~code, decided);                                             \
  } else {                                                                                         \
    look_node(kind, d, state, thread, code, decided, tasks, count);                                \
  }                                                                                                \
  return

static inline void engine_look(const struct walk_farthest *state,
                               struct walk_farthest_thread *thread, local_index code,
                               local_index decided, struct walk_farthest_task *tasks, int *count) {
  FARTHEST_DISPATCH(state->view, LOOK)
  LOOK(METRIC_USER, state->view->dimension);
}

#define LOWER(kind, d)                                                                             \
  return code < 0 ? lower_leaf(kind, d, state, thread, ~code, list)                                \
                  : lower_node(kind, d, state, thread, code, list)

static inline struct walk_below engine_lower(struct walk_farthest *state,
                                             struct walk_farthest_thread *thread, local_index code,
                                             const struct walk_farthest_list *list) {
  FARTHEST_DISPATCH(state->view, LOWER)
  LOWER(METRIC_USER, state->view->dimension);
}

/* Nodes without eligible points keep what they have: none. */
static inline struct walk_below engine_scan(struct walk_farthest *state, local_index code) {
  const double threshold = state->rule == WALK_NET ? state->radius : 0;
  if (code < 0) {
    return leaf_below(state, ~code);
  }
  for (int i = 0; i < VIEW_WIDTH; i++) {
    const int64_t place = (int64_t)code * VIEW_WIDTH + i;
    if (state->reach[place] > threshold) {
      const struct walk_below below = state->engine->scan(state, state->view->child[place]);
      walk_farthest_put(state, place, &below);
    }
  }
  return walk_farthest_join(state, code);
}

static inline unsigned engine_near(const struct walk_farthest *state, local_index node,
                                   const double *point) {
  const int64_t place = (int64_t)node * VIEW_WIDTH;
  struct target target;
  aim_target(state->view->dimension, point, &target);
#define CASE_NEAR(kind, d)                                                                         \
  return lanes_less(child_values(kind, d, state->view, node, &target),                             \
                    lanes_load(state->reach + place))
  FARTHEST_DISPATCH(state->view, CASE_NEAR)
  CASE_NEAR(METRIC_USER, state->view->dimension);
}

#endif
