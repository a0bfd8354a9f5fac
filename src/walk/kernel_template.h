/*
 * Kernel values of eight points and smallest kernel values of eight boxes or balls. Compiled once for
 * every instruction set; kind and d are constants where it matters.
 */
#ifndef WALK_KERNEL_TEMPLATE_H
#define WALK_KERNEL_TEMPLATE_H

#include "walk/engine.h"
#include "walk/simd.h"

#include <float.h>
#include <string.h>

/* Room for rounding errors where squares underflow. */
#define WALK_UNDERFLOW 0x1p-1067

/* A query's coordinates, once as they are and once in all lanes; and for the first look in single precision,
 * if there is one: */
struct target {
  const double *point;
  lanes at[WALK_AXES];
  singles single[WALK_AXES];
  double margin; /* no computed distance there is off by more, but for a relative error */
};

/* Prepares the first look. Each coordinate is rounded once, each difference once more: with u = 2^-24 they
 * are off by no more than u (|q| + |p|) + u |q - p|, where |p| <= 1. */
SIMD_INLINE void target_shadow(const int d, struct target *target,
                               const struct walk_shadow *shadow) {
  double sum = 0;
  for (int j = 0; j < d; j++) {
    const double at = shadow ? (target->point[j] - shadow->origin[j]) * shadow->scale : 0;
    const double size = fabs(at) + 1;
    target->single[j] = singles_set((float)at);
    sum += size * size;
  }
  target->margin = 0x1p-23 * sqrt(sum);
}

SIMD_INLINE void target_set(const enum metric_kind kind, const int d, const struct walker *walker,
                            const double *point, struct target *target) {
  target->point = point;
  target->margin = INFINITY;
  for (int j = 0; j < d; j++) {
    target->at[j] = lanes_set(point[j]);
  }
  if (kind == METRIC_EUCLIDEAN && d >= WALK_SPARSE) {
    target_shadow(d, target, walker->shadow);
  }
}

/* What values of the first look may reach for kernel values up to `bound`; negative: it would tell too
 * little. */
SIMD_INLINE float shadow_limit(const int d, const struct target *target,
                               const struct walk_shadow *shadow, double bound) {
  const double reach = sqrt(bound) * shadow->scale;
  const double sum = reach + target->margin;
  const double limit = sum * sum * (1 + (d + 8) * 0x1p-22);
  return target->margin < 0.1 * reach && limit < 1e30 ? (float)limit : -1;
}

/* Which points of blocks 2 pair and 2 pair + 1 may be within the limit. */
SIMD_INLINE unsigned shadow_look(const int d, const struct walk_shadow *shadow, int64_t pair,
                                 const struct target *target, singles limit) {
  const float *points = shadow->pairs + pair * d * 2 * VIEW_WIDTH;
  singles sum = singles_set(0);
  for (int j = 0; j < d; j++) {
    sum = singles_add_square(
        sum,
        singles_subtract(target->single[j], singles_load(points + (int64_t)j * 2 * VIEW_WIDTH)));
  }
  return singles_at_most(sum, limit);
}

/* A distance that the true one of two points with this kernel value does not exceed. */
SIMD_INLINE double reach_up(const enum metric_kind kind, double value) {
  return metric_root_up(kind, value + WALK_UNDERFLOW);
}

/* A kernel value, at most DBL_MAX, that no two points at most `reach` apart exceed. */
SIMD_INLINE double bound_up(const enum metric_kind kind, double reach) {
  const double value = metric_power_up(kind, reach * (1 + METRIC_SLACK)) + WALK_UNDERFLOW;
  return value < DBL_MAX ? value : DBL_MAX;
}

SIMD_INLINE lanes lanes_reach_up(const enum metric_kind kind, lanes value) {
  const lanes more = lanes_add(value, lanes_set(WALK_UNDERFLOW));
  return lanes_multiply(kind == METRIC_EUCLIDEAN ? lanes_root(more) : more,
                        lanes_set(1 + METRIC_SLACK));
}

SIMD_INLINE lanes lanes_bound_up(const enum metric_kind kind, lanes reach) {
  const lanes more = lanes_multiply(reach, lanes_set(1 + METRIC_SLACK));
  const lanes power = kind == METRIC_EUCLIDEAN ? lanes_multiply(more, more) : more;
  return lanes_smaller(
      lanes_add(lanes_multiply(power, lanes_set(1 + METRIC_SLACK)), lanes_set(WALK_UNDERFLOW)),
      lanes_set(DBL_MAX));
}

/* The kernel value with one more axis of nonnegative difference. Same operations in the same order as
 * metric_kernel. */
SIMD_INLINE lanes add_axis(const enum metric_kind kind, const int j, lanes value, lanes size) {
  const lanes term = kind == METRIC_EUCLIDEAN ? lanes_multiply(size, size) : size;
  if (j == 0) {
    return term;
  }
  return kind == METRIC_CHEBYSHEV ? lanes_larger(value, term) : lanes_add(value, term);
}

static __attribute__((noinline)) void user_values(const struct view *view, const double *block,
                                                  const double *point, double value[VIEW_WIDTH]) {
  const int d = view->dimension;
  double x[WALK_AXES];
  for (int i = 0; i < VIEW_WIDTH; i++) {
    value[i] = INFINITY;
    if (block[i] < INFINITY) { /* padding is no point */
      for (int j = 0; j < d; j++) {
        x[j] = block[j * VIEW_WIDTH + i];
      }
      value[i] = view->metric.distance(point, x, d, view->metric.user);
    }
  }
}

/* Kernel values of the points of one block. */
SIMD_INLINE lanes block_values(const enum metric_kind kind, const int d, const struct view *view,
                               const double *block, const struct target *target) {
  if (kind == METRIC_USER) {
    double value[VIEW_WIDTH];
    user_values(view, block, target->point, value);
    return lanes_load(value);
  }
  lanes value = lanes_set(0);
  for (int j = 0; j < d; j++) {
    const lanes difference =
        lanes_subtract(target->at[j], lanes_load(block + (int64_t)j * VIEW_WIDTH));
    value = add_axis(kind, j, value,
                     kind == METRIC_EUCLIDEAN ? difference : lanes_magnitude(difference));
  }
  return value;
}

/* Smallest kernel values any point of eight boxes can have; rounding is monotone, so block_values are no
 * smaller. Lower bounds of axis j at box + 2 j stride, upper ones a stride behind. */
SIMD_INLINE lanes box_values(const enum metric_kind kind, const int d, const double *box,
                             int64_t stride, const struct target *target) {
  lanes value = lanes_set(0);
  for (int j = 0; j < d; j++) {
    const lanes lower = lanes_load(box + 2 * j * stride);
    const lanes upper = lanes_load(box + (2 * j + 1) * stride);
    const lanes outside =
        lanes_larger(lanes_subtract(lower, target->at[j]), lanes_subtract(target->at[j], upper));
    value = add_axis(kind, j, value, lanes_larger(outside, lanes_set(0)));
  }
  return value;
}

/* The same against a box instead of a point. */
SIMD_INLINE lanes box_box_values(const enum metric_kind kind, const int d, const double *box,
                                 const lanes *from, const lanes *to) {
  lanes value = lanes_set(0);
  for (int j = 0; j < d; j++) {
    const lanes lower = lanes_load(box + (int64_t)(2 * j) * VIEW_WIDTH);
    const lanes upper = lanes_load(box + (int64_t)(2 * j + 1) * VIEW_WIDTH);
    const lanes outside =
        lanes_larger(lanes_subtract(lower, to[j]), lanes_subtract(from[j], upper));
    value = add_axis(kind, j, value, lanes_larger(outside, lanes_set(0)));
  }
  return value;
}

/* Smallest kernel values that points of eight balls can have, rounded outward. */
static __attribute__((noinline)) void ball_values(const struct view *view, local_index node,
                                                  const double *point, double value[VIEW_WIDTH]) {
  const int d = view->dimension;
  const double *radius = view->radius + (int64_t)node * VIEW_WIDTH;
  const double *centre = view->centre + (int64_t)node * VIEW_WIDTH * d;
  for (int i = 0; i < VIEW_WIDTH; i++) {
    value[i] = INFINITY;
    if (radius[i] >= 0) {
      const double distance =
          view->metric.distance(point, centre + (int64_t)i * d, d, view->metric.user);
      const double outside = distance * (1 - METRIC_SLACK) - radius[i];
      value[i] = outside > 0 ? outside * (1 - METRIC_SLACK) : 0;
    }
  }
}

/* Smallest kernel values below the children of a node; +inf for missing ones. */
SIMD_INLINE lanes child_values(const enum metric_kind kind, const int d, const struct view *view,
                               local_index node, const struct target *target) {
  if (kind == METRIC_USER) {
    double value[VIEW_WIDTH];
    ball_values(view, node, target->point, value);
    return lanes_load(value);
  }
  return box_values(kind, d, view->box + (int64_t)node * d * 2 * VIEW_WIDTH, VIEW_WIDTH, target);
}

#endif
