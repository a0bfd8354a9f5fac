/* Finalising a tree into the walkers' view. */
#include "tree/view_private.h"

#include <string.h>

void view_destroy(struct view **view) {
  if (!view || !*view) {
    return;
  }
  base_free((*view)->box);
  base_free((*view)->centre);
  base_free((*view)->radius);
  base_free((*view)->smallest);
  base_free((*view)->largest);
  base_free((*view)->child);
  base_free((*view)->leaf_block);
  base_free((*view)->leaf_points);
  base_free((*view)->coordinates);
  base_free((*view)->position);
  base_free(*view);
  *view = NULL;
}

void view_list_arrays(struct view *view, struct base_array *arrays) {
  const int64_t children = (int64_t)view->nodes * VIEW_WIDTH;
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  const int64_t point = view->dimension * (int64_t)sizeof(double);
  const int user = view->metric.kind == METRIC_USER;
  const struct base_array all[VIEW_ARRAYS] = {
      {(void **)&view->box, user ? 0 : 2 * children * point},
      {(void **)&view->centre, user ? children * point : 0},
      {(void **)&view->radius, user ? children * (int64_t)sizeof *view->radius : 0},
      {(void **)&view->smallest, children * (int64_t)sizeof *view->smallest},
      {(void **)&view->largest, children * (int64_t)sizeof *view->largest},
      {(void **)&view->child, children * (int64_t)sizeof *view->child},
      {(void **)&view->leaf_block, ((int64_t)view->leaves + 1) * (int64_t)sizeof *view->leaf_block},
      {(void **)&view->leaf_points, view->leaves * (int64_t)sizeof *view->leaf_points},
      {(void **)&view->coordinates, slots * point},
      {(void **)&view->position, slots * (int64_t)sizeof *view->position}};
  memcpy(arrays, all, sizeof all);
}

/* Points of a leaf, and of a subtree that is cut rather than followed. Cuts make better leaves than the
 * cover tree's balls, the more so the more axes there are; following the tree is faster. Metrics without
 * coordinates have only balls. */
static void choose_sizes(struct view_shape *shape) {
  const struct metric *metric = &shape->view->metric;
  const int follows = shape->base->settings.profile != SETTINGS_PROFILE_FAST_QUERY;
  shape->leaf = metric->dimension == 3 ? 48 : VIEW_LEAF;
  if (metric->kind == METRIC_USER) {
    shape->leaf = VIEW_LEAF / 2;
    shape->unit = VIEW_LEAF / 2;
  } else if (metric->dimension <= 2 && follows) {
    shape->unit = 2048;
  } else if (metric->dimension == 3 && follows) {
    shape->unit = 12288;
  } else {
    shape->unit = INT64_MAX;
  }
}

pcct_status view_create(struct base *base, const struct tree *tree, const struct frame *frame,
                        int64_t limit, struct view **out) {
  struct view_shape shape = {.base = base, .tree = tree, .frame = frame, .limit = limit};
  struct view *view = base_allocate_zero(base, 1, sizeof *view);
  *out = NULL;
  if (!view) {
    return PCCT_MEMORY;
  }
  double start = base_clock();
  shape.view = view;
  view->metric = *tree->points.metric;
  view->dimension = view->metric.dimension;
  choose_sizes(&shape);
  pcct_status status = view_shape_create(&shape);
  base->stages[STAGE_shape] += base_clock() - start;
  start = base_clock();
  const double cut = base->stages[STAGE_cut];
  if (status == PCCT_OK) {
    status = view_fill(&shape);
  }
  base->stages[STAGE_fill] += base_clock() - start - (base->stages[STAGE_cut] - cut);
  view_shape_free(&shape);
  if (status == PCCT_OK) {
    base->counters[COUNTER_view_nodes] += view->nodes;
    base->counters[COUNTER_view_leaves] += view->leaves;
    *out = view;
    view = NULL;
  }
  view_destroy(&view);
  return status;
}

pcct_status view_set_extend(struct base *base, const struct tree *tree, const struct frame *frame,
                            int64_t total, struct view_set *set) {
  enum { FACTOR = 4, LEAST = 4096 };
  pcct_status status = PCCT_OK;
  int64_t limit = total / FACTOR;
  /* A prefix of few local points pays for itself no more than a prefix of few points. */
  while (set->count < VIEW_PREFIXES && limit >= LEAST && tree->points.count >= LEAST &&
         status == PCCT_OK) {
    status = view_create(base, tree, frame, limit, &set->view[set->count]);
    if (status == PCCT_OK) {
      set->limit[set->count++] = limit;
    }
    limit /= FACTOR;
  }
  return status;
}

void view_set_clear(struct view_set *set) {
  for (int i = 0; i < set->count; i++) {
    view_destroy(&set->view[i]);
  }
  *set = (struct view_set){0};
}
