/* Regions of the ranks' parts while points are selected. */
#include "dist/farthest_regions.h"

#include <string.h>

enum { REGIONS_LEAST = 8, REGIONS_MOST = 64, REGIONS_ALL = 1 << 14 };

/* Goes down breadth first until there are regions enough. */
static void choose_places(const struct view *view, int most, struct farthest_regions *regions) {
  int next = 0; /* those before were opened, or are leaves */
  regions->own = view->points > 0;
  regions->place[0] = -1;
  while (next < regions->own && regions->own + VIEW_WIDTH - 1 <= most) {
    const int64_t place = regions->place[next];
    const local_index code = place < 0 ? view->root : view->child[place];
    if (code < 0) {
      next++;
      continue;
    }
    regions->place[next] = regions->place[--regions->own];
    for (int i = 0; i < VIEW_WIDTH; i++) {
      if (view->largest[(int64_t)code * VIEW_WIDTH + i] >= 0) {
        regions->place[regions->own++] = (int64_t)code * VIEW_WIDTH + i;
      }
    }
  }
}

/* The shape of all points: a root that is a leaf has no bounds. */
static void shape_all(const struct view *view, double *shape) {
  const int d = view->dimension;
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  double point[PCCT_DIMENSION_MAX];
  double radius = 0;
  for (int j = 0; j < d; j++) {
    shape[j] = shape[d + j] = view->coordinates[j * VIEW_WIDTH];
  }
  for (int64_t s = 0; s < slots; s++) {
    if (view->position[s] == INT64_MAX) {
      continue;
    }
    for (int j = 0; j < d; j++) {
      point[j] = view->coordinates[(s / VIEW_WIDTH * d + j) * VIEW_WIDTH + s % VIEW_WIDTH];
    }
    if (view->metric.kind == METRIC_USER) {
      const double value = metric_value(&view->metric, shape, point);
      radius = value > radius ? value : radius;
      continue;
    }
    for (int j = 0; j < d; j++) {
      shape[j] = fmin(shape[j], point[j]);
      shape[d + j] = fmax(shape[d + j], point[j]);
    }
  }
  if (view->metric.kind == METRIC_USER) {
    shape[d] = metric_root_up(METRIC_USER, radius);
  }
}

static void shape_place(const struct view *view, int64_t place, double *shape) {
  const int d = view->dimension;
  if (place < 0) {
    shape_all(view, shape);
  } else if (view->metric.kind == METRIC_USER) {
    memcpy(shape, view->centre + place * d, (size_t)d * sizeof *shape);
    shape[d] = view->radius[place];
  } else {
    for (int j = 0; j < d; j++) {
      const double *box = view_box(view, (local_index)(place / VIEW_WIDTH), j);
      shape[j] = box[place % VIEW_WIDTH];
      shape[d + j] = box[VIEW_WIDTH + place % VIEW_WIDTH];
    }
  }
}

pcct_status farthest_regions_create(pcct_context *context, const struct view *view,
                                    struct farthest_regions *regions) {
  struct base *base = &context->base;
  const int size = 2 * view->dimension; /* of a shape */
  int each = REGIONS_ALL / context->size;
  each = each < REGIONS_LEAST ? REGIONS_LEAST : each > REGIONS_MOST ? REGIONS_MOST : each;
  *regions =
      (struct farthest_regions){.metric = &view->metric, .ranks = context->size, .each = each};
  if (context->size == 1) {
    return PCCT_OK;
  }
  const int64_t all = (int64_t)context->size * each;
  double *own = base_allocate_zero(base, (int64_t)each * size, sizeof *own);
  regions->shape = base_allocate(base, all * size, sizeof *regions->shape);
  regions->state = base_allocate(base, all, sizeof *regions->state);
  regions->best = base_allocate(base, context->size, sizeof *regions->best);
  pcct_status status = comm_agree(
      context, own && regions->shape && regions->state && regions->best ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    choose_places(view, each, regions);
    for (int i = 0; i < regions->own; i++) {
      shape_place(view, regions->place[i], own + (int64_t)i * size);
    }
    MPI_Allgather(own, each * size, MPI_DOUBLE, regions->shape, each * size, MPI_DOUBLE,
                  context->comm);
  }
  base_free(own);
  return status;
}

void farthest_regions_free(struct farthest_regions *regions) {
  base_free(regions->shape);
  base_free(regions->state);
  base_free(regions->best);
  *regions = (struct farthest_regions){0};
}

double farthest_regions_refresh(pcct_context *context, const struct walk_farthest *walk,
                                struct farthest_regions *regions) {
  struct farthest_state own[REGIONS_MOST];
  double most = -1;
  if (regions->ranks == 1) {
    return walk->all.value;
  }
  for (int i = 0; i < regions->each; i++) {
    const int64_t place = i < regions->own ? regions->place[i] : -1;
    own[i] = (struct farthest_state){-1, -1};
    if (i < regions->own) {
      own[i].reach = place < 0 ? walk->all.reach : walk->reach[place];
      own[i].eligible = place < 0 ? walk->all.value : walk->first_value[place];
    }
  }
  MPI_Allgather(own, 2 * regions->each, MPI_DOUBLE, regions->state, 2 * regions->each, MPI_DOUBLE,
                context->comm);
  for (int rank = 0; rank < regions->ranks; rank++) {
    const struct farthest_state *state = regions->state + (int64_t)rank * regions->each;
    struct farthest_state best = {-1, -1};
    for (int i = 0; i < regions->each; i++) {
      best.reach = fmax(best.reach, state[i].reach);
      best.eligible = fmax(best.eligible, state[i].eligible);
    }
    regions->best[rank] = best;
    most = fmax(most, best.eligible);
  }
  return most;
}

/* No point of a region is nearer, by kernel value. */
static double region_near(const struct farthest_regions *regions, int64_t region,
                          const double *point) {
  const struct metric *metric = regions->metric;
  const int d = metric->dimension;
  const double *shape = regions->shape + region * 2 * d;
  double value = 0;
  if (metric->kind == METRIC_USER) {
    const double outside = metric_value(metric, point, shape) * (1 - METRIC_SLACK) - shape[d];
    return outside > 0 ? outside * (1 - METRIC_SLACK) : 0;
  }
  for (int j = 0; j < d; j++) {
    const double outside = fmax(shape[j] - point[j], point[j] - shape[d + j]);
    value = metric_add_axis(metric->kind, value, outside > 0 ? outside : 0);
  }
  return value;
}

bool farthest_regions_lowers(const struct farthest_regions *regions, int rank,
                             const double *point) {
  const int64_t first = (int64_t)rank * regions->each;
  if (!(regions->best[rank].reach > 0)) {
    return false;
  }
  for (int64_t i = first; i < first + regions->each; i++) {
    if (regions->state[i].reach > 0 && region_near(regions, i, point) < regions->state[i].reach) {
      return true;
    }
  }
  return false;
}

bool farthest_regions_blocks(const struct farthest_regions *regions, int rank,
                             const struct walk_farthest *walk, const double *point, double value) {
  const bool net = walk->rule == WALK_NET;
  const double least = net ? walk->radius : value; /* what an eligible point before it has */
  const int64_t first = (int64_t)rank * regions->each;
  if (!(regions->best[rank].eligible >= least)) {
    return false;
  }
  for (int64_t i = first; i < first + regions->each; i++) {
    const double eligible = regions->state[i].eligible;
    if (eligible >= least) {
      const double near = region_near(regions, i, point);
      if (net ? near <= walk->radius : near < eligible) {
        return true;
      }
    }
  }
  return false;
}
