/*
 * Searches of single queries: best-first k nearest, and all within a radius. Compiled once for every
 * instruction set; kind, d and limited are constants where it matters.
 */
#ifndef WALK_SEARCH_TEMPLATE_H
#define WALK_SEARCH_TEMPLATE_H

#include "walk/select_template.h"

/* Appends the points of one block that are within the bound. */
SIMD_INLINE void scan_block(const enum metric_kind kind, const int d, const int limited,
                            struct walker *walker, const struct target *target,
                            const struct walk_query *query, int64_t block, lanes bound) {
  const struct view *view = walker->view;
  const int64_t *position = view->position + block * VIEW_WIDTH;
  const lanes value =
      block_values(kind, d, view, view->coordinates + block * d * VIEW_WIDTH, target);
  unsigned mask = lanes_at_most(value, bound);
  if (limited) {
    mask &= positions_below(position, query->limit);
  }
  if (query->excluded >= 0) {
    mask &= ~positions_equal(position, query->excluded);
  }
  if (d < WALK_SPARSE || mask) { /* with many axes most blocks have nothing to append */
    slots_append(walker->slot + walker->count, (uint32_t)(block * VIEW_WIDTH), mask);
    walker->count += lanes_append(walker->value + walker->count, value, mask);
  }
}

/* What the first look at points may let through; negative: it is not worth while. */
SIMD_INLINE float first_look(const enum metric_kind kind, const int d, const struct walker *walker,
                             const struct target *target) {
  return kind == METRIC_EUCLIDEAN && d >= WALK_SPARSE && walker->shadow
             ? shadow_limit(d, target, walker->shadow, walker->bound)
             : -1;
}

SIMD_INLINE void scan_leaf(const enum metric_kind kind, const int d, const int limited,
                           struct walker *walker, const struct target *target,
                           const struct walk_query *query, local_index leaf) {
  const struct view *view = walker->view;
  const lanes bound = lanes_set(walker->bound);
  const int64_t last = view->leaf_block[leaf + 1];
  const float reach = first_look(kind, d, walker, target);
  const singles limit = singles_set(reach);
  unsigned near = 0xffff;
  walker->leaves++;
  for (int64_t b = view->leaf_block[leaf]; b < last; b++) {
    if (limited && view->position[b * VIEW_WIDTH] >= query->limit) {
      break; /* positions ascend within a leaf */
    }
    walker->distances += VIEW_WIDTH;
    if (reach >= 0) {
      near = b % 2 && b > view->leaf_block[leaf]
                 ? near >> VIEW_WIDTH
                 : shadow_look(d, walker->shadow, b / 2, target, limit) >> b % 2 * VIEW_WIDTH;
    }
    if (near & 0xff) {
      scan_block(kind, d, limited, walker, target, query, b, bound);
    }
  }
}

/* Pushes the children worth visiting, the best on top. */
SIMD_INLINE int64_t push_children(const enum metric_kind kind, const int d, const int limited,
                                  struct walker *walker, const struct target *target,
                                  const struct walk_query *query, local_index node, int64_t depth) {
  const struct view *view = walker->view;
  const int64_t *smallest = view->smallest + (int64_t)node * VIEW_WIDTH;
  const local_index *child = view->child + (int64_t)node * VIEW_WIDTH;
  const int64_t bottom = depth;
  double value[VIEW_WIDTH];
  const lanes values = child_values(kind, d, view, node, target);
  unsigned mask = lanes_at_most(values, lanes_set(walker->bound));
  if (limited) {
    mask &= positions_below(smallest, query->limit);
  }
  lanes_store(value, values);
  walker->nodes++;
  for (; mask; mask &= mask - 1) {
    const int i = __builtin_ctz(mask);
    struct walk_pending *stack = walker->stack;
    int64_t at = depth++;
    for (;
         at > bottom && (stack[at - 1].bound < value[i] ||
                         (stack[at - 1].bound == value[i] && stack[at - 1].smallest < smallest[i]));
         at--) {
      stack[at] = stack[at - 1];
    }
    stack[at] = (struct walk_pending){value[i], smallest[i], child[i]};
  }
  return depth;
}

/* Empties the buffer and sets the bound. */
SIMD_INLINE void start_search(struct walker *walker, int64_t k, double bound, int64_t position) {
  walker->k = k;
  walker->count = 0;
  walker->bound = bound < DBL_MAX ? bound : DBL_MAX;
  walker->bound_position = position;
}

/* Leaves the candidates of the k best in the buffer, perhaps some more. */
SIMD_INLINE void search(const enum metric_kind kind, const int d, const int limited,
                        struct walker *walker, const struct walk_query *query) {
  const struct view *view = walker->view;
  struct target target;
  int64_t depth = view->points > 0;
  target_set(kind, d, walker, query->point, &target);
  walker->stack[0] = (struct walk_pending){0, -1, view->root};
  if (view->points <= walker->dense) {
    for (local_index leaf = 0; leaf < view->leaves; leaf++) {
      scan_leaf(kind, d, limited, walker, &target, query, leaf);
      if (walker->count > walker->flush) {
        tighten(walker);
      }
    }
    return;
  }
  while (depth > 0) {
    const struct walk_pending top = walker->stack[--depth];
    if (top.bound > walker->bound ||
        (top.bound == walker->bound && top.smallest > walker->bound_position)) {
      continue;
    }
    if (top.code >= 0) {
      depth = push_children(kind, d, limited, walker, &target, query, top.code, depth);
      continue;
    }
    scan_leaf(kind, d, limited, walker, &target, query, ~top.code);
    /* The first bound is worth a selection at once. */
    if (walker->count > walker->flush ||
        (walker->count >= walker->k && !(walker->bound < DBL_MAX))) {
      tighten(walker);
    }
  }
}

/* Drops what comes after the query's own cut-off: values equal to the bound were let in. */
static inline void trim_best(struct walker *walker, double cutoff, int64_t cutoff_position) {
  while (walker->best_count > 0) {
    const int64_t last = walker->best_count - 1;
    if (walker->best_value[last] < cutoff ||
        walker->view->position[walker->best_slot[last]] <= cutoff_position) {
      break;
    }
    walker->best_count = last;
  }
}

SIMD_INLINE void nearest(const enum metric_kind kind, const int d, struct walker *walker,
                         const struct walk_query *query, int64_t k) {
  start_search(walker, k, query->cutoff, query->cutoff_position);
  if (query->limit == INT64_MAX) {
    search(kind, d, 0, walker, query);
  } else {
    search(kind, d, 1, walker, query);
  }
  select_best(walker);
  trim_best(walker, query->cutoff, query->cutoff_position);
}

/* All points within the cut-off, leaf by leaf. */
SIMD_INLINE int64_t within(const enum metric_kind kind, const int d, struct walker *walker,
                           const struct walk_query *query, struct candidate *candidates) {
  const struct view *view = walker->view;
  struct target target;
  int64_t depth = view->points > 0;
  int64_t found = 0;
  target_set(kind, d, walker, query->point, &target);
  start_search(walker, 1, query->cutoff, query->cutoff_position);
  walker->stack[0] = (struct walk_pending){0, -1, view->root};
  while (depth > 0) {
    const struct walk_pending top = walker->stack[--depth];
    if (top.code >= 0) {
      depth = push_children(kind, d, 1, walker, &target, query, top.code, depth);
      continue;
    }
    walker->count = 0;
    scan_leaf(kind, d, 1, walker, &target, query, ~top.code);
    for (int64_t i = 0; i < walker->count; i++) {
      const int64_t position = view->position[walker->slot[i]];
      if (walker->value[i] < query->cutoff || position <= query->cutoff_position) {
        if (candidates) {
          candidates[found] = (struct candidate){walker->value[i], position};
        }
        found++;
      }
    }
  }
  return found;
}

#endif
