/* Best-first search of one query on a view. */
#include "walk/walk.h"

/* A child code with the smallest kernel value and position anything below it may have. */
struct walk_pending {
  double bound;
  int64_t smallest;
  local_index code;
};

/* Depth of any view: tree levels, plus grouping levels of base VIEW_WIDTH at each. A level adds to the stack
 * at most VIEW_WIDTH - 1 entries more than it takes. */
enum { STACK = (LEVEL_MAX - LEVEL_MIN + 1 + 11) * VIEW_WIDTH * 2 };

pcct_status walk_create(struct base *base, const struct view *view, int64_t k, struct walk *walk) {
  *walk = (struct walk){.view = view, .capacity = STACK};
  walk->stack = base_allocate(base, walk->capacity, sizeof *walk->stack);
  pcct_status status = walk->stack ? topk_create(base, k, &walk->topk) : PCCT_MEMORY;
  if (status != PCCT_OK) {
    base_free(walk->stack);
    walk->stack = NULL;
  }
  return status;
}

void walk_free(struct base *base, struct walk *walk) {
  base->counters[COUNTER_query_distances] += walk->distances;
  base->counters[COUNTER_query_nodes] += walk->nodes;
  topk_free(&walk->topk);
  base_free(walk->stack);
  walk->stack = NULL;
}

/* Kernel values of the points of one block. Same operations in the same order as metric_value. */
static inline __attribute__((always_inline)) void
block_values(const int d, const double *block, const double *point, double value[VIEW_WIDTH]) {
  for (int i = 0; i < VIEW_WIDTH; i++) {
    value[i] = 0;
  }
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < VIEW_WIDTH; i++) {
      double difference = point[j] - block[j * VIEW_WIDTH + i];
      value[i] += difference * difference;
    }
  }
}

/* Smallest kernel values any point of the children's boxes can have: rounding is monotone, so no slack
 * is needed against block_values. */
static inline __attribute__((always_inline)) void
box_values(const int d, const double *box, const double *point, double value[VIEW_WIDTH]) {
  for (int i = 0; i < VIEW_WIDTH; i++) {
    value[i] = 0;
  }
  for (int j = 0; j < d; j++) {
    const double *lower = box + j * 2 * VIEW_WIDTH;
    const double *upper = lower + VIEW_WIDTH;
    for (int i = 0; i < VIEW_WIDTH; i++) {
      double below = lower[i] - point[j];
      double above = point[j] - upper[i];
      double outside = below > above ? below : above;
      outside = outside > 0 ? outside : 0;
      value[i] += outside * outside;
    }
  }
}

static inline __attribute__((always_inline)) void
scan_leaf(const int d, struct walk *walk, const struct walk_query *query, local_index leaf) {
  const struct view *view = walk->view;
  struct topk *topk = &walk->topk;
  enum { SPARE = 24 };
  double value[VIEW_WIDTH];
  for (local_index b = view->leaf_block[leaf]; b < view->leaf_block[leaf + 1]; b++) {
    const int64_t *position = view->position + (int64_t)b * VIEW_WIDTH;
    if (position[0] >= query->limit) {
      return; /* positions ascend within a leaf */
    }
    block_values(d, view->coordinates + (int64_t)b * d * VIEW_WIDTH, query->point, value);
    walk->distances += VIEW_WIDTH;
    for (int i = 0; i < VIEW_WIDTH; i++) {
      if (value[i] <= topk->bound && position[i] < query->limit &&
          topk_admits(topk, value[i], position[i]) && position[i] != query->excluded) {
        topk_append(topk, value[i], position[i]);
      }
    }
  }
  /* The first bound is worth a selection at once, later ones only when several candidates came in. */
  if (topk->count >= topk->k + SPARE || (topk->count >= topk->k && isinf(topk->bound))) {
    topk_compact(topk);
  }
}

/* Pushes the children worth visiting, the best on top: smallest bound, ties by smallest position. */
static inline __attribute__((always_inline)) void
push_children(const int d, struct walk *walk, const struct walk_query *query, local_index node) {
  const struct view *view = walk->view;
  const struct topk *topk = &walk->topk;
  const int64_t *smallest = view->smallest + (int64_t)node * VIEW_WIDTH;
  const int64_t bottom = walk->depth;
  double value[VIEW_WIDTH];
  box_values(d, view_box(view, node, 0), query->point, value);
  walk->nodes++;
  for (int i = 0; i < VIEW_WIDTH; i++) {
    if (smallest[i] >= query->limit || !topk_admits(topk, value[i], smallest[i])) {
      continue;
    }
    int64_t at = walk->depth++;
    for (; at > bottom &&
           (walk->stack[at - 1].bound < value[i] ||
            (walk->stack[at - 1].bound == value[i] && walk->stack[at - 1].smallest < smallest[i]));
         at--) {
      walk->stack[at] = walk->stack[at - 1];
    }
    walk->stack[at] =
        (struct walk_pending){value[i], smallest[i], view->child[(int64_t)node * VIEW_WIDTH + i]};
  }
}

static inline __attribute__((always_inline)) void search(const int d, struct walk *walk,
                                                         const struct walk_query *query) {
  walk->stack[0] = (struct walk_pending){0, -1, walk->view->root};
  walk->depth = 1;
  while (walk->depth > 0) {
    const struct walk_pending top = walk->stack[--walk->depth];
    if (!topk_admits(&walk->topk, top.bound, top.smallest)) {
      continue;
    }
    if (top.code < 0) {
      scan_leaf(d, walk, query, ~top.code);
    } else {
      push_children(d, walk, query, top.code);
    }
  }
}

__attribute__((target_clones("avx512f", "avx2", "default"))) void
walk_nearest(struct walk *walk, const struct walk_query *query, double cutoff,
             int64_t cutoff_position) {
  topk_start(&walk->topk, cutoff, cutoff_position);
  if (walk->view->points > 0) {
    switch (walk->view->dimension) {
    case 1:
      search(1, walk, query);
      break;
    case 2:
      search(2, walk, query);
      break;
    case 3:
      search(3, walk, query);
      break;
    default:
      search(walk->view->dimension, walk, query);
      break;
    }
  }
  topk_finish(&walk->topk);
}
