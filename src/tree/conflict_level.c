/* The hierarchy of segments over the points of a batch. */
#include "tree/conflict_private.h"

/* A gap this many times as wide as the mean of the other gaps among 8 neighbours splits them. */
#define WIDE 12

/* The distance from child i to the next one, or rather its sum over the axes, which is as good here. */
static inline __attribute__((always_inline)) double gap_after(const int d, const bool user,
                                                              const struct conflict_run *run,
                                                              const struct conflict_level *below,
                                                              local_index i) {
  const double *coordinates = run->points->coordinates;
  double gap = 0;
  if (user) {
    const int64_t a = below ? below->centre[i] : i;
    const int64_t b = below ? below->centre[i + 1] : i + 1;
    return metric_value(run->points->metric, coordinates + a * d, coordinates + b * d);
  }
  if (!below) {
    const double *a = coordinates + (int64_t)i * d;
    for (int j = 0; j < d; j++) {
      gap += fabs(a[j + d] - a[j]);
    }
  } else {
    const double *a = below->bounds + (int64_t)i * (2 * d + 1);
    const double *b = a + 2 * d + 1;
    for (int j = 0; j < d; j++) {
      gap += fabs((b[j] - a[j]) + (b[d + j] - a[d + j]));
    }
  }
  return gap;
}

/* Bit i is set if a node begins at child first + i. One gap at most can be wide, so that there are fewer nodes
 * than children, unless there is but one child. */
static inline __attribute__((always_inline)) unsigned beginnings(const int d, const bool user,
                                                                 const struct conflict_run *run,
                                                                 const struct conflict_level *below,
                                                                 local_index first, int children) {
  double gap[CONFLICT_WIDTH - 1];
  double sum = 0;
  unsigned mask = 1;
  for (int i = 0; i + 1 < children; i++) {
    gap[i] = gap_after(d, user, run, below, first + i);
    sum += gap[i];
  }
  for (int i = 0; i + 1 < children; i++) {
    mask |= (unsigned)(gap[i] * (children - 2) > WIDE * (sum - gap[i])) << (i + 1);
  }
  return mask;
}

static unsigned beginnings_any(const struct conflict_run *run, const struct conflict_level *below,
                               local_index first, int children) {
  const struct metric *metric = run->points->metric;
  if (metric->kind == METRIC_USER) {
    return beginnings(metric->dimension, true, run, below, first, children);
  }
  switch (metric->dimension) {
  case 1:
    return beginnings(1, false, run, below, first, children);
  case 2:
    return beginnings(2, false, run, below, first, children);
  case 3:
    return beginnings(3, false, run, below, first, children);
  default:
    return beginnings(metric->dimension, false, run, below, first, children);
  }
}

/* Fills level->count and first. `mask` is room for a byte for every 8 children. */
static pcct_status split(struct conflict_run *run, const struct conflict_level *below,
                         local_index children, uint8_t *mask, struct conflict_level *level) {
  const local_index runs = (local_index)conflict_blocks(children);
#pragma omp parallel for schedule(static)                                                          \
    num_threads(run->base->threads) if (children >= BASE_PARALLEL_MIN)
  for (local_index r = 0; r < runs; r++) {
    const local_index rest = children - r * CONFLICT_WIDTH;
    mask[r] = (uint8_t)beginnings_any(run, below, r * CONFLICT_WIDTH,
                                      rest < CONFLICT_WIDTH ? rest : CONFLICT_WIDTH);
  }
  level->count = 0;
  for (local_index r = 0; r < runs; r++) {
    level->count += __builtin_popcount(mask[r]);
  }
  level->first = base_allocate(run->base, (int64_t)level->count + 1, sizeof *level->first);
  if (!level->first) {
    return PCCT_MEMORY;
  }
  local_index node = 0;
  for (local_index r = 0; r < runs; r++) {
    for (unsigned rest = mask[r]; rest; rest &= rest - 1) {
      level->first[node++] = r * CONFLICT_WIDTH + __builtin_ctz(rest);
    }
  }
  level->first[node] = children;
  return PCCT_OK;
}

/* The bounds and the block of a node. */
static inline __attribute__((always_inline)) void
fill_box(const int d, const struct conflict_run *run, const struct conflict_level *below,
         struct conflict_level *level, local_index node) {
  const int width = 2 * d + 1;
  const int rows = below ? width : d + 1;
  const int stride = below ? width : d;
  const int64_t first = level->first[node];
  const int children = (int)(level->first[node + 1] - first);
  const double *lower = (below ? below->bounds : run->points->coordinates) + first * stride;
  const double *upper = below ? lower + d : lower;
  const double *limit = below ? lower + 2 * d : run->limit + first;
  double *bounds = level->bounds + (int64_t)node * width;
  double *block = level->block + (int64_t)node * rows * CONFLICT_WIDTH;
  for (int j = 0; j < d; j++) {
    double least = lower[j];
    double largest = upper[j];
    for (int i = 0; i < CONFLICT_WIDTH; i++) {
      const int child = (i < children ? i : 0) * stride;
      const double low = lower[child + j];
      const double high = upper[child + j];
      least = low < least ? low : least;
      largest = high > largest ? high : largest;
      block[(below ? 2 * j : j) * CONFLICT_WIDTH + i] = low;
      if (below) {
        block[(2 * j + 1) * CONFLICT_WIDTH + i] = high;
      }
    }
    bounds[j] = least;
    bounds[d + j] = largest;
  }
  bounds[2 * d] = -1;
  for (int i = 0; i < CONFLICT_WIDTH; i++) {
    const double own = i < children ? limit[i * (below ? width : 1)] : -1;
    block[(rows - 1) * CONFLICT_WIDTH + i] = own;
    bounds[2 * d] = own > bounds[2 * d] ? own : bounds[2 * d];
  }
}

static void fill_box_any(const struct conflict_run *run, const struct conflict_level *below,
                         struct conflict_level *level, local_index node) {
  switch (run->points->metric->dimension) {
  case 1:
    fill_box(1, run, below, level, node);
    break;
  case 2:
    fill_box(2, run, below, level, node);
    break;
  case 3:
    fill_box(3, run, below, level, node);
    break;
  default:
    fill_box(run->points->metric->dimension, run, below, level, node);
    break;
  }
}

/* The ball of a node: around the centre of its middle child. */
static void fill_ball(const struct conflict_run *run, const struct conflict_level *below,
                      struct conflict_level *level, local_index node) {
  const struct metric *metric = run->points->metric;
  const int d = metric->dimension;
  const double *coordinates = run->points->coordinates;
  const local_index first = level->first[node];
  const local_index last = level->first[node + 1];
  const local_index middle = first + (last - first) / 2;
  const int64_t centre = below ? below->centre[middle] : middle;
  double radius = 0;
  double limit = -1;
  for (local_index c = first; c < last; c++) {
    const int64_t point = below ? below->centre[c] : c;
    const double own = below ? below->limit[c] : run->limit[c];
    double reach = metric_root_up(
        metric->kind, metric_value(metric, coordinates + centre * d, coordinates + point * d));
    if (below) {
      reach = (reach + below->radius[c]) * (1 + METRIC_SLACK);
    }
    radius = reach > radius ? reach : radius;
    limit = own > limit ? own : limit;
  }
  level->centre[node] = (local_index)centre;
  level->radius[node] = radius;
  level->limit[node] = limit;
}

static pcct_status allocate_bounds(struct conflict_run *run, const struct conflict_level *below,
                                   struct conflict_level *level) {
  const int d = run->points->metric->dimension;
  if (run->points->metric->kind == METRIC_USER) {
    level->centre = base_allocate(run->base, level->count, sizeof *level->centre);
    level->radius = base_allocate(run->base, level->count, sizeof *level->radius);
    level->limit = base_allocate(run->base, level->count, sizeof *level->limit);
    return level->centre && level->radius && level->limit ? PCCT_OK : PCCT_MEMORY;
  }
  const size_t rows = (size_t)(below ? 2 * d + 1 : d + 1);
  level->bounds =
      base_allocate(run->base, level->count, (size_t)(2 * d + 1) * sizeof *level->bounds);
  level->block =
      base_allocate(run->base, level->count, rows * CONFLICT_WIDTH * sizeof *level->block);
  return level->bounds && level->block ? PCCT_OK : PCCT_MEMORY;
}

pcct_status conflict_level_add(struct conflict_run *run) {
  struct conflict_level *level = &run->level[run->levels];
  const struct conflict_level *below = run->levels > 0 ? level - 1 : NULL;
  const local_index children = below ? below->count : run->points->count;
  uint8_t *mask = base_allocate(run->base, conflict_blocks(children), sizeof *mask);
  pcct_status status = PCCT_MEMORY;
  if (!mask) {
    return status;
  }
  run->levels++; /* from here on the run frees what the level has */
  status = split(run, below, children, mask, level);
  if (status == PCCT_OK) {
    status = allocate_bounds(run, below, level);
  }
  if (status == PCCT_OK) {
    const int balls = run->points->metric->kind == METRIC_USER;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(run->base->threads) if (children >= BASE_PARALLEL_MIN)
    for (local_index node = 0; node < level->count; node++) {
      if (balls) {
        fill_ball(run, below, level, node);
      } else {
        fill_box_any(run, below, level, node);
      }
    }
  }
  base_free(mask);
  return status;
}

int conflict_point_near(const struct conflict_run *run, local_index segment, local_index point) {
  const struct conflict_level *level = &run->level[0];
  const struct metric *metric = run->points->metric;
  const int d = metric->dimension;
  const double *own = run->points->coordinates + (int64_t)point * d;
  const double limit = run->limit[point];
  if (metric->kind == METRIC_USER) {
    const double *centre = run->points->coordinates + (int64_t)level->centre[segment] * d;
    return metric_value(metric, own, centre) <=
           level->radius[segment] + fmin(level->limit[segment], limit);
  }
  const double *bounds = level->bounds + (int64_t)segment * (2 * d + 1);
  double value = 0;
  for (int j = 0; j < d; j++) {
    const double apart = fmax(fmax(bounds[j] - own[j], own[j] - bounds[d + j]), 0);
    switch (metric->kind) {
    case METRIC_EUCLIDEAN:
      value += apart * apart;
      break;
    case METRIC_MANHATTAN:
      value += apart;
      break;
    default:
      value = fmax(value, apart);
      break;
    }
  }
  return value <= fmin(bounds[2 * d], limit);
}
