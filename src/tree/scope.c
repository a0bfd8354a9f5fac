/* Scopes: where the tree so far stops a batch point from taking a level. */
#include "tree/batch.h"

#include <float.h>
#include <string.h>

/* The best covering node found so far: smallest kernel value, ties by insertion rank. */
struct nearest {
  double value;
  double distance; /* its root, rounded outward */
  local_index place;
  local_index rank;
};

static inline void consider(const struct tree *tree, const struct frame *frame, local_index place,
                            double value, struct nearest *best) {
  if (value <= frame->cover_value[place] && value <= best->value) {
    local_index rank = tree->rank[frame->point[place]];
    if (value < best->value || rank < best->rank) {
      *best = (struct nearest){value, metric_root_up(METRIC_EUCLIDEAN, value), place, rank};
    }
  }
}

/* Scans the frame for the nearest node q with d(p, q) <= 2^level(q), which is the node that covers p at
 * the lowest level. A subtree is skipped if no node below its top is near enough to improve on the best,
 * or near enough to cover at all. Returns the number of kernel evaluations. */
static inline __attribute__((always_inline)) int64_t
search_nearest(const int d, const struct tree *tree, const struct frame *frame, const double *point,
               struct nearest *best) {
  int64_t evaluations = 0;
  local_index t = 0;
  while (t < frame->count) {
    double value = metric_square(d, point, frame->coordinates + (int64_t)t * d);
    evaluations++;
    consider(tree, frame, t, value, best);
    double reach =
        frame->child_radius[t] < best->distance ? frame->child_radius[t] : best->distance;
    reach = (reach + frame->radius[t]) * (1 + METRIC_SLACK);
    t = value > reach * reach * (1 + METRIC_SLACK) ? frame->end[t] : t + 1;
  }
  return evaluations;
}

static int64_t search_any(int d, const struct tree *tree, const struct frame *frame,
                          const double *point, struct nearest *best) {
  switch (d) {
  case 1:
    return search_nearest(1, tree, frame, point, best);
  case 2:
    return search_nearest(2, tree, frame, point, best);
  case 3:
    return search_nearest(3, tree, frame, point, best);
  default:
    return search_nearest(d, tree, frame, point, best);
  }
}

pcct_status batch_too_close(struct base *base, const struct tree *tree, local_index a,
                            local_index b) {
  return base_fail(
      base, PCCT_INPUT,
      "positions %lld and %lld are distinct points whose squared distance is below %g, "
      "the smallest normal number; expected distances of 0 or above 1.5e-154: rescale "
      "the coordinates or merge the points",
      (long long)tree->points.position[a], (long long)tree->points.position[b], DBL_MIN);
}

pcct_status batch_scope(struct base *base, const struct tree *tree, const struct frame *frame,
                        struct batch *batch) {
  enum { CHUNK = 256 };
  const int d = frame->dimension;
  const local_index chunks = (batch->count + CHUNK - 1) / CHUNK;
  local_index bad = batch->count;
  int64_t evaluations = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(base->threads)                           \
    reduction(+ : evaluations) reduction(min : bad) if (batch->count >= BASE_PARALLEL_MIN)
  for (local_index c = 0; c < chunks; c++) {
    local_index last = 0; /* the neighbour's answer is a good first guess: it changes no result */
    for (local_index q = c * CHUNK; q < batch->count && q < (c + 1) * CHUNK; q++) {
      const double *point = tree->points.coordinates + (int64_t)batch->point[q] * d;
      struct nearest best = {INFINITY, INFINITY, 0, INT32_MAX};
      consider(tree, frame, last, metric_square(d, point, frame->coordinates + (int64_t)last * d),
               &best);
      evaluations += 1 + search_any(d, tree, frame, point, &best);
      last = best.place;
      batch->home[q] = best.place;
      batch->parent[q] = frame->point[best.place];
      batch->parent_value[q] = best.value;
      if (best.value >= DBL_MIN) {
        batch->level[q] = (int16_t)(metric_level(METRIC_EUCLIDEAN, best.value) - 1);
      } else {
        batch->level[q] = LEVEL_DUPLICATE;
        if (best.value > 0 || memcmp(point, frame->coordinates + (int64_t)best.place * d,
                                     (size_t)d * sizeof(double)) != 0) {
          bad = q < bad ? q : bad;
        }
      }
    }
  }
  base->counters[COUNTER_build_distances] += evaluations;
  return bad < batch->count ? batch_too_close(base, tree, batch->point[bad], batch->parent[bad])
                            : PCCT_OK;
}
