/*
 * Searches of groups: queries near each other share one look at the tree. Compiled once for every
 * instruction set; kind, d and limited are constants where it matters.
 *
 * The k + 1 nearest points of the group's centre, by the triangle inequality, bound every query's k-th
 * neighbour. One traversal collects the leaves within that bound of the group's box. Each query starts from
 * the best bound that the centre or a solved query of the group vouches for, looks at the boxes of those
 * leaves eight at a time, and scans the blocks of the leaves that are near enough.
 */
#ifndef WALK_GROUP_TEMPLATE_H
#define WALK_GROUP_TEMPLATE_H

#include "walk/search_template.h"

enum { TAG_FIELD = WALK_GROUP - 1 };

/* The group's extent. */
struct extent {
  double lower[WALK_AXES], upper[WALK_AXES], centre[WALK_AXES];
  lanes from[WALK_AXES], to[WALK_AXES]; /* lower and upper in all lanes */
};

SIMD_INLINE int extent_find(const int d, const struct walk_group *group, struct extent *extent) {
  int distinct = 0;
  const int rest = group->count - (group->block_count - 1) * VIEW_WIDTH;
  for (int j = 0; j < d; j++) {
    const double *x = group->blocks + (int64_t)j * VIEW_WIDTH;
    const int64_t stride = (int64_t)d * VIEW_WIDTH;
    const lanes end = lanes_load(x + (group->block_count - 1) * stride);
    lanes lower = end;
    lanes upper = lanes_choose((1U << rest) - 1, end, lanes_set(-INFINITY));
    for (int b = 0; b < group->block_count - 1; b++) {
      lower = lanes_smaller(lower, lanes_load(x + b * stride));
      upper = lanes_larger(upper, lanes_load(x + b * stride));
    }
    extent->lower[j] = lanes_least(lower);
    extent->upper[j] = lanes_greatest(upper);
    extent->centre[j] = 0.5 * extent->lower[j] + 0.5 * extent->upper[j];
    extent->from[j] = lanes_set(extent->lower[j]);
    extent->to[j] = lanes_set(extent->upper[j]);
    distinct |= extent->lower[j] < extent->upper[j];
  }
  return distinct;
}

/* A distance from the centre within which k + 1 points lie (k for predecessors and foreign queries), all of
 * positions below the floor of a limited group; +inf if there are too few. own holds the kernel values of
 * the group's points against the centre. */
SIMD_INLINE double centre_reach(const enum metric_kind kind, const int d, const int limited,
                                struct walker *walker, const struct walk_group *group,
                                const double *centre, int64_t k) {
  const int64_t wanted = k + (group->leaf >= 0 && !limited);
  const int64_t floor = limited ? group->floor : INT64_MAX;
  start_search(walker, wanted, DBL_MAX, INT64_MAX);
  if (group->leaf >= 0) {
    const int64_t first = walker->view->leaf_block[group->leaf];
    for (int b = 0; b < group->block_count; b++) {
      const unsigned mask =
          positions_below(walker->view->position + (first + b) * VIEW_WIDTH, floor);
      slots_append(walker->slot + walker->count, (uint32_t)((first + b) * VIEW_WIDTH), mask);
      walker->count += lanes_append(walker->value + walker->count,
                                    lanes_load(walker->own + b * VIEW_WIDTH), mask);
    }
    if (walker->count >= wanted) {
      tighten(walker);
      return reach_up(kind, walker->bound);
    }
  }
  double bound = INFINITY;
  if (walker->previous_floor <= floor) {
    double value = metric_kernel(kind, d, NULL, centre, walker->previous);
    bound = bound_up(kind, reach_up(kind, value) + walker->previous_radius);
  }
  const struct walk_query query = {centre, floor, -1, bound, INT64_MAX};
  walker->engine->nearest(walker, &query, wanted);
  return walker->best_count < wanted ? INFINITY : reach_up(kind, walker->best_value[wanted - 1]);
}

/* Sorts the collected leaves by the distance of their boxes from the group's centre, roughly: near ones
 * tighten bounds, far ones need not be looked at then. Writes them to what scan_candidates reads. */
SIMD_INLINE void sort_candidates(const enum metric_kind kind, const int d, const int limited,
                                 struct walker *walker, const struct target *centre,
                                 int64_t count) {
  const struct view *view = walker->view;
  const struct walk_leaves *from = &walker->collected;
  struct walk_leaves *to = &walker->candidates;
  const int64_t stride = WALK_CANDIDATES + VIEW_WIDTH;
  lanes farthest = lanes_set(0);
  int64_t power = KEY_COUNT;
  int64_t bits;
  for (int64_t i = 0; i < count; i += VIEW_WIDTH) {
    const lanes value = box_values(kind, d, from->box + i, stride, centre);
    lanes_store(walker->distance + i, value);
    farthest = lanes_larger(farthest,
                            lanes_choose(i + VIEW_WIDTH <= count ? 255 : 0, value, lanes_set(0)));
  }
  const double top = fmax(lanes_greatest(farthest), walker->distance[count - 1]);
  memcpy(&bits, &top, sizeof bits);
  while (power < count) {
    power *= 2;
  }
  for (int64_t i = 0; i < power; i += KEY_COUNT) {
    keys_store(walker->order + i, keys_make(walker->distance + i, bits - ((INT64_C(1) << 57) - 1),
                                            (int32_t)i, 2 * WALK_CANDIDATES - 1, (int32_t)count));
  }
  sort_keys(walker->order, power);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = walker->order[i] & (2 * WALK_CANDIDATES - 1);
    const local_index first = view->leaf_block[~from->code[at]];
    const local_index blocks = view->leaf_block[~from->code[at] + 1] - first;
    for (int j = 0; j < 2 * d; j++) {
      to->box[j * stride + i] = from->box[j * stride + at];
    }
    to->near[i] = from->near[at];
    to->first[i] = first;
    to->blocks[i] = blocks;
    if (limited) {
      for (local_index b = 0; b < VIEW_WIDTH; b++) {
        to->position[i * VIEW_WIDTH + b] =
            b < blocks ? view->position[(int64_t)(first + b) * VIEW_WIDTH] : INT64_MAX;
      }
    }
  }
  for (int j = 0; j < d; j++) { /* nothing is near what fills the last eight */
    lanes_store(to->box + 2 * j * stride + count, lanes_set(INFINITY));
    lanes_store(to->box + (2 * j + 1) * stride + count, lanes_set(-INFINITY));
  }
  /* From here on nothing is nearer. */
  for (int64_t i = count - 2; i >= 0; i--) {
    to->near[i] = to->near[i + 1] < to->near[i] ? to->near[i + 1] : to->near[i];
  }
}

/* Collects the leaves, but for the group's own, that come within `reach` (a kernel value) of its box, sorted.
 * Returns how many, -1 if they are too many. */
SIMD_INLINE int64_t collect(const enum metric_kind kind, const int d, const int limited,
                            struct walker *walker, const struct walk_group *group,
                            const struct extent *extent, const struct target *centre,
                            double reach) {
  const struct view *view = walker->view;
  struct walk_leaves *to = &walker->collected;
  const int64_t stride = WALK_CANDIDATES + VIEW_WIDTH;
  const lanes bound = lanes_set(reach);
  int64_t count = 0;
  int64_t depth =
      view->root >= 0; /* a root that is a leaf is the group's own, or the only candidate */
  walker->stack[0].code = view->root;
  if (view->root < 0 && group->leaf < 0) {
    to->code[0] = view->root;
    to->near[0] = 0;
    for (int j = 0; j < 2 * d; j++) {
      to->box[j * stride] = j % 2 ? INFINITY : -INFINITY;
    }
    count = 1;
  }
  while (depth > 0) {
    const local_index node = walker->stack[--depth].code;
    const local_index *child = view->child + (int64_t)node * VIEW_WIDTH;
    const double *box = view->box + (int64_t)node * d * 2 * VIEW_WIDTH;
    const lanes values = box_box_values(kind, d, box, extent->from, extent->to);
    unsigned near = lanes_at_most(values, bound);
    if (limited) {
      near &= positions_below(view->smallest + (int64_t)node * VIEW_WIDTH,
                              group->limit[group->count - 1]);
    }
    const unsigned leaves = codes_negative(child) & near;
    near &= ~leaves;
    walker->nodes++;
    for (; near; near &= near - 1) {
      walker->stack[depth++].code = child[__builtin_ctz(near)];
    }
    if (leaves) {
      if (count + VIEW_WIDTH > WALK_CANDIDATES) {
        return -1;
      }
      codes_append(to->code + count, child, leaves);
      lanes_append(to->near + count, values, leaves);
      for (int j = 0; j < 2 * d; j++) {
        lanes_append(to->box + j * stride + count, lanes_load(box + (int64_t)j * VIEW_WIDTH),
                     leaves);
      }
      count += __builtin_popcount(leaves);
    }
  }
  for (int64_t i = 0; i < count; i++) {
    if (~to->code[i] == group->leaf) { /* the last one takes its place */
      count--;
      to->code[i] = to->code[count];
      to->near[i] = to->near[count];
      for (int j = 0; j < 2 * d; j++) {
        to->box[j * stride + i] = to->box[j * stride + count];
      }
      break;
    }
  }
  if (count > 0) {
    sort_candidates(kind, d, limited, walker, centre, count);
  }
  return count;
}

SIMD_INLINE void scan_blocks(const enum metric_kind kind, const int d, const int limited,
                             struct walker *walker, const struct target *target,
                             const int32_t *blocks, int64_t number, int64_t limit) {
  const struct view *view = walker->view;
  const lanes bound = lanes_set(walker->bound);
  const float reach = first_look(kind, d, walker, target);
  const singles reach_limit = singles_set(reach);
  unsigned near = 0;
  int64_t looked = -1; /* the pair that `near` is about */
  double *value = walker->value;
  uint32_t *slot = walker->slot;
  int64_t count = walker->count;
  for (int64_t i = 0; i < number; i++) {
    const int64_t block = blocks[i];
    if (reach >= 0) {
      if (looked != block / 2) {
        looked = block / 2;
        near = shadow_look(d, walker->shadow, looked, target, reach_limit);
      }
      if (!(near >> block % 2 * VIEW_WIDTH & 0xff)) {
        continue;
      }
    }
    const lanes values =
        block_values(kind, d, view, view->coordinates + block * d * VIEW_WIDTH, target);
    unsigned mask = lanes_at_most(values, bound);
    if (limited) {
      mask &= positions_below(view->position + block * VIEW_WIDTH, limit);
    }
    if (d < WALK_SPARSE || mask) {
      slots_append(slot + count, (uint32_t)(block * VIEW_WIDTH), mask);
      count += lanes_append(value + count, values, mask);
    }
  }
  walker->count = count;
  walker->distances += number * VIEW_WIDTH;
}

/* Scans the candidate leaves that the query comes near. */
SIMD_INLINE void scan_candidates(const enum metric_kind kind, const int d, const int limited,
                                 struct walker *walker, const struct target *target,
                                 int64_t candidates, int64_t limit) {
  const int64_t stride = WALK_CANDIDATES + VIEW_WIDTH;
  int32_t blocks[WALK_RUN + 2 * VIEW_WIDTH];
  int64_t number = 0;
  lanes bound = lanes_set(walker->bound);
  const struct walk_leaves *from = &walker->candidates;
  for (int64_t first = 0; first < candidates && from->near[first] <= walker->bound;
       first += VIEW_WIDTH) {
    unsigned near = lanes_at_most(box_values(kind, d, from->box + first, stride, target), bound);
    for (; near; near &= near - 1) {
      const int64_t i = first + __builtin_ctz(near);
      codes_count(blocks + number, from->first[i]);
      number += limited
                    ? __builtin_popcount(positions_below(from->position + i * VIEW_WIDTH, limit))
                    : from->blocks[i];
      walker->leaves++;
      if (number >= WALK_RUN) {
        scan_blocks(kind, d, limited, walker, target, blocks, number, limit);
        number = 0;
        if (walker->count > walker->flush) {
          tighten(walker);
          bound = lanes_set(walker->bound);
        }
      }
    }
  }
  scan_blocks(kind, d, limited, walker, target, blocks, number, limit);
}

SIMD_INLINE void prefetch_row(const struct walk_rows *rows, int64_t row, int64_t k) {
  const char *value = rows->value + row * rows->value_stride;
  const char *index = rows->index + row * rows->index_stride;
  const int64_t value_bytes = 8 * k;
  const int64_t index_bytes = rows->index_size * k;
  for (int64_t at = 0; at < value_bytes; at += 64) {
    __builtin_prefetch(value + at, 1, 3);
  }
  __builtin_prefetch(value + value_bytes - 1, 1, 3);
  for (int64_t at = 0; at < index_bytes; at += 64) {
    __builtin_prefetch(index + at, 1, 3);
  }
  __builtin_prefetch(index + index_bytes - 1, 1, 3);
  __builtin_prefetch(rows->filled + row * rows->filled_stride, 1, 3);
}

/* The result of a search into a row. */
static void put_best(struct walker *walker, const struct walk_rows *rows, int64_t row) {
  const int64_t count = walker->best_count;
  const int64_t *position = walker->view->position;
  const uint32_t *slot = walker->best_slot;
  double *value = walk_rows_value(rows, row);
  char *index = rows->index + row * rows->index_stride;
  if (!rows->units) {
    int64_t i = 0;
    for (; i + VIEW_WIDTH <= count; i += VIEW_WIDTH) {
      lanes_store(value + i, lanes_load(walker->best_value + i));
    }
    lanes_store_first(value + i, lanes_load(walker->best_value + i), (int)(count - i));
  } else if (rows->units->kind == METRIC_EUCLIDEAN && !rows->units->lonlat) {
    int64_t i = 0;
    for (; i + VIEW_WIDTH <= count; i += VIEW_WIDTH) {
      lanes_store(value + i, lanes_root(lanes_load(walker->best_value + i)));
    }
    lanes_store_first(value + i, lanes_root(lanes_load(walker->best_value + i)), (int)(count - i));
  } else {
    for (int64_t i = 0; i < count; i++) {
      value[i] = metric_user_distance(rows->units, walker->best_value[i]);
    }
  }
  if (rows->index_size == 4) {
    int32_t *to = (int32_t *)(void *)index;
    for (int64_t i = 0; i < count; i++) {
      to[i] = (int32_t)position[slot[i]];
    }
    for (int64_t i = count; i < rows->width; i++) {
      to[i] = -1;
    }
  } else {
    int64_t *to = (int64_t *)(void *)index;
    for (int64_t i = 0; i < count; i++) {
      to[i] = position[slot[i]];
    }
    for (int64_t i = count; i < rows->width; i++) {
      to[i] = -1;
    }
  }
  for (int64_t i = count; i < rows->width; i++) {
    value[i] = INFINITY;
  }
  *walk_rows_filled(rows, row) = (int32_t)count;
}

/* What the queries of a group know of each other. */
struct shared {
  double bound[WALK_GROUP];  /* of each query, by the centre or its own cut-off */
  double radius[WALK_GROUP]; /* of solved queries */
  uint64_t tag[WALK_GROUP];  /* a solved query's number; of others what makes a NaN */
};

/* Appends the points of the group's own leaf that are within the bound, but for the query itself and, for
 * predecessors, those after it. */
SIMD_INLINE void scan_own(struct walker *walker, const struct walk_group *group, int query) {
  const uint32_t first = (uint32_t)walker->view->leaf_block[group->leaf] * VIEW_WIDTH;
  const lanes bound = lanes_set(walker->bound);
  const uint64_t before = (UINT64_C(1) << query) - 1;
  const uint64_t seen = group->predecessors ? before : ~(UINT64_C(1) << query);
  const int blocks = group->predecessors ? query / VIEW_WIDTH + 1 : group->block_count;
  for (int b = 0; b < blocks; b++) {
    const lanes values = lanes_load(walker->own + b * VIEW_WIDTH);
    const unsigned mask =
        lanes_at_most(values, bound) & (unsigned)(seen >> (b * VIEW_WIDTH)) & 255U;
    slots_append(walker->slot + walker->count, first + (uint32_t)b * VIEW_WIDTH, mask);
    walker->count += lanes_append(walker->value + walker->count, values, mask);
  }
}

SIMD_INLINE enum walk_group_result solve_group(const enum metric_kind kind, const int d,
                                               const int limited, struct walker *walker,
                                               const struct walk_group *group, int64_t k,
                                               const struct walk_rows *rows) {
  struct extent extent;
  struct shared shared;
  struct target target;
  double point[WALK_AXES];
  const int64_t stride = (int64_t)d * VIEW_WIDTH;
  const int own = group->leaf >= 0;
  if (!extent_find(d, group, &extent)) {
    return WALK_GROUP_COINCIDENT;
  }
  target_set(kind, d, walker, extent.centre, &target);
  for (int b = 0; b < group->block_count; b++) {
    lanes_store(walker->own + b * VIEW_WIDTH,
                block_values(kind, d, walker->view, group->blocks + b * stride, &target));
  }
  /* First bounds. */
  lanes reach[WALK_GROUP / VIEW_WIDTH];
  for (int b = 0; b < group->block_count; b++) {
    reach[b] = lanes_reach_up(kind, lanes_load(walker->own + b * VIEW_WIDTH));
  }
  const double centre = centre_reach(kind, d, limited, walker, group, extent.centre, k);
  walker->previous_radius = centre;
  walker->previous_floor = limited ? group->floor : INT64_MAX;
  memcpy(walker->previous, extent.centre, (size_t)d * sizeof(double));
  double widest = 0;
  for (int b = 0; b < group->block_count; b++) {
    const lanes sum = lanes_add(reach[b], lanes_set(centre));
    const lanes cutoff = lanes_load(group->cutoff + b * VIEW_WIDTH);
    lanes_store(shared.bound + b * VIEW_WIDTH, lanes_smaller(cutoff, lanes_bound_up(kind, sum)));
    memset(shared.tag + b * VIEW_WIDTH, 255, VIEW_WIDTH * sizeof *shared.tag);
  }
  for (uint64_t asked = group->asked; asked; asked &= asked - 1) {
    const double bound = shared.bound[__builtin_ctzll(asked)];
    widest = bound > widest ? bound : widest;
  }
  const int64_t candidates = collect(kind, d, limited, walker, group, &extent, &target, widest);
  if (candidates < 0) {
    return WALK_GROUP_TOO_WIDE;
  }
  for (uint64_t asked = group->asked; asked; asked &= asked - 1) {
    const int i = __builtin_ctzll(asked);
    const double *x = group->blocks + (i / VIEW_WIDTH) * stride + i % VIEW_WIDTH;
    const uint64_t later = asked & (asked - 1);
    if (later) {
      prefetch_row(rows, group->row[__builtin_ctzll(later)], k);
    }
    for (int j = 0; j < d; j++) {
      point[j] = x[(int64_t)j * VIEW_WIDTH];
    }
    target_set(kind, d, walker, point, &target);
    lanes nearest_solved = lanes_set(INFINITY);
    for (int b = 0; b < group->block_count; b++) {
      const lanes values = block_values(kind, d, walker->view, group->blocks + b * stride, &target);
      lanes_store(walker->own + b * VIEW_WIDTH, values);
      nearest_solved =
          lanes_smaller(lanes_tag(values, shared.tag + b * VIEW_WIDTH, TAG_FIELD), nearest_solved);
    }
    walker->distances += (int64_t)group->block_count * VIEW_WIDTH;
    double bound = shared.bound[i];
    const double least = lanes_least(nearest_solved);
    if (least < INFINITY) {
      uint64_t solved;
      memcpy(&solved, &least, sizeof solved);
      solved &= TAG_FIELD;
      const double other =
          bound_up(kind, reach_up(kind, walker->own[solved]) + shared.radius[solved]);
      bound = other < bound ? other : bound;
    }
    start_search(walker, k, bound, INT64_MAX);
    if (own) {
      scan_own(walker, group, i);
    }
    scan_candidates(kind, d, limited, walker, &target, candidates, group->limit[i]);
    select_best(walker);
    trim_best(walker, group->cutoff[i], group->cutoff_position[i]);
    put_best(walker, rows, group->row[i]);
    if (walker->best_count == k) {
      shared.radius[i] = reach_up(kind, walker->best_value[k - 1]);
      shared.tag[i] = (uint64_t)i;
    }
  }
  return WALK_GROUP_DONE;
}

#endif
