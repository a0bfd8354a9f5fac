/*
 * Views cut by coordinates alone, without a tree: for tests of walkers.
 */
#ifndef TEST_VIEW_MADE_H
#define TEST_VIEW_MADE_H

#include "tree/view.h"

#include <stdlib.h>
#include <string.h>

/* Points that a view is made of. */
struct view_points {
  const double *coordinates; /* [count][dimension] */
  const int64_t *position;   /* [count] distinct */
  local_index *order;        /* [count] scratch */
  int64_t node_capacity, leaf_capacity, block_capacity;
};

/* Brings the `rank`-th smallest of order[first..last) by axis j to its place. */
static inline void made_nth(const double *x, int d, int j, local_index *order, local_index first,
                            local_index last, local_index rank) {
  last--;
  while (first < last) {
    const double pivot = x[(int64_t)order[(first + last) / 2] * d + j];
    local_index a = first;
    local_index b = last;
    while (a <= b) {
      while (x[(int64_t)order[a] * d + j] < pivot) {
        a++;
      }
      while (x[(int64_t)order[b] * d + j] > pivot) {
        b--;
      }
      if (a <= b) {
        const local_index t = order[a];
        order[a++] = order[b];
        order[b--] = t;
      }
    }
    if (rank <= b) {
      last = b;
    } else if (rank >= a) {
      first = a;
    } else {
      return;
    }
  }
}

/* Sorts a leaf's points by position. */
static inline void made_sort(local_index *order, local_index count, const int64_t *position) {
  for (local_index i = 1; i < count; i++) {
    const local_index p = order[i];
    local_index at = i;
    for (; at > 0 && position[order[at - 1]] > position[p]; at--) {
      order[at] = order[at - 1];
    }
    order[at] = p;
  }
}

/* Halves ranges at the median of the widest axis until `parts` ranges or leaves. */
static inline int made_cut(const struct view *view, const struct view_points *points,
                           local_index first, local_index last, int parts, local_index leaf_size,
                           local_index *ends, int count) {
  const int d = view->dimension;
  if (parts == 1 || last - first <= leaf_size) {
    ends[count++] = last;
    return count;
  }
  int widest = 0;
  double width = -1;
  for (int j = 0; j < d; j++) {
    double low = INFINITY;
    double high = -INFINITY;
    for (local_index i = first; i < last; i++) {
      const double x = points->coordinates[(int64_t)points->order[i] * d + j];
      low = x < low ? x : low;
      high = x > high ? x : high;
    }
    if (high - low > width) {
      width = high - low;
      widest = j;
    }
  }
  const local_index leaves = (last - first + leaf_size - 1) / leaf_size;
  const local_index middle = first + leaves / 2 * leaf_size;
  made_nth(points->coordinates, d, widest, points->order, first, last, middle);
  count = made_cut(view, points, first, middle, parts / 2, leaf_size, ends, count);
  return made_cut(view, points, middle, last, parts / 2, leaf_size, ends, count);
}

/* Makes the subtree of a range; returns its code and leaves its box in box[2][dimension]. */
static inline local_index made_subtree(struct view *view, const struct view_points *points,
                                       local_index first, local_index last, local_index leaf_size,
                                       double *box, int64_t *smallest, int64_t *largest,
                                       int64_t depth) {
  const int d = view->dimension;
  for (int j = 0; j < d; j++) {
    box[j] = INFINITY;
    box[d + j] = -INFINITY;
  }
  *smallest = INT64_MAX;
  *largest = -1;
  view->depth = depth > view->depth ? depth : view->depth;
  if (last - first <= leaf_size) {
    const local_index leaf = view->leaves++;
    made_sort(points->order + first, last - first, points->position);
    view->leaf_points[leaf] = last - first;
    view->leaf_block[leaf] = view->blocks;
    for (local_index i = 0; i < (last - first + VIEW_WIDTH - 1) / VIEW_WIDTH * VIEW_WIDTH; i++) {
      const int64_t block = view->blocks + i / VIEW_WIDTH;
      const local_index p = first + i < last ? points->order[first + i] : -1;
      view->position[block * VIEW_WIDTH + i % VIEW_WIDTH] = p < 0 ? INT64_MAX : points->position[p];
      for (int j = 0; j < d; j++) {
        const double x = p < 0 ? INFINITY : points->coordinates[(int64_t)p * d + j];
        view->coordinates[(block * d + j) * VIEW_WIDTH + i % VIEW_WIDTH] = x;
        if (p >= 0) {
          box[j] = x < box[j] ? x : box[j];
          box[d + j] = x > box[d + j] ? x : box[d + j];
        }
      }
      if (p >= 0) {
        *smallest = points->position[p] < *smallest ? points->position[p] : *smallest;
        *largest = points->position[p] > *largest ? points->position[p] : *largest;
      }
    }
    view->blocks += (last - first + VIEW_WIDTH - 1) / VIEW_WIDTH;
    view->leaf_block[view->leaves] = view->blocks;
    return ~leaf;
  }
  local_index ends[VIEW_WIDTH];
  const int children = made_cut(view, points, first, last, VIEW_WIDTH, leaf_size, ends, 0);
  const local_index node = view->nodes++;
  double *inner = malloc((size_t)(2 * d) * sizeof *inner);
  for (int i = 0; i < VIEW_WIDTH; i++) {
    const int64_t at = (int64_t)node * VIEW_WIDTH + i;
    view->child[at] = INT32_MIN;
    view->smallest[at] = INT64_MAX;
    view->largest[at] = -1;
    for (int j = 0; j < d; j++) {
      view_box(view, node, j)[i] = INFINITY;
      view_box(view, node, j)[VIEW_WIDTH + i] = -INFINITY;
    }
    if (view->radius) {
      view->radius[at] = -INFINITY;
    }
    if (i < children) {
      int64_t low;
      int64_t high;
      const local_index from = i ? ends[i - 1] : first;
      view->child[at] =
          made_subtree(view, points, from, ends[i], leaf_size, inner, &low, &high, depth + 1);
      view->smallest[at] = low;
      view->largest[at] = high;
      *smallest = low < *smallest ? low : *smallest;
      *largest = high > *largest ? high : *largest;
      for (int j = 0; j < d; j++) {
        view_box(view, node, j)[i] = inner[j];
        view_box(view, node, j)[VIEW_WIDTH + i] = inner[d + j];
        box[j] = inner[j] < box[j] ? inner[j] : box[j];
        box[d + j] = inner[d + j] > box[d + j] ? inner[d + j] : box[d + j];
      }
      if (view->radius) {
        const double *centre = points->coordinates + (int64_t)points->order[from] * d;
        memcpy(view->centre + at * d, centre, (size_t)d * sizeof(double));
        double radius = 0;
        for (local_index p = from; p < ends[i]; p++) {
          const double value = metric_value(&view->metric, centre,
                                            points->coordinates + (int64_t)points->order[p] * d);
          radius = value > radius ? value : radius;
        }
        view->radius[at] = metric_root_up(view->metric.kind, radius);
      }
    }
  }
  free(inner);
  return node;
}

/* A view of the points whose position is below limit, freed with view_destroy. */
static inline struct view *made_view(const struct metric *metric, local_index count,
                                     const double *coordinates, const int64_t *position,
                                     int64_t limit, local_index leaf_size) {
  struct view *view = calloc(1, sizeof *view);
  struct view_points points = {.coordinates = coordinates, .position = position};
  const int d = metric->dimension;
  local_index held = 0;
  points.order = malloc(((size_t)count + 1) * sizeof(local_index));
  for (local_index p = 0; p < count; p++) {
    points.order[held] = p;
    held += position[p] < limit;
  }
  const size_t leaves = (size_t)(2 * held / leaf_size + 16);
  const size_t blocks = leaves * (size_t)((leaf_size + VIEW_WIDTH - 1) / VIEW_WIDTH);
  view->metric = *metric;
  view->dimension = d;
  view->points = held;
  view->leaf_block = calloc(leaves + 1, sizeof(local_index));
  view->leaf_points = calloc(leaves, sizeof(local_index));
  view->child = calloc(leaves * VIEW_WIDTH, sizeof(local_index));
  view->smallest = calloc(leaves * VIEW_WIDTH, sizeof(int64_t));
  view->largest = calloc(leaves * VIEW_WIDTH, sizeof(int64_t));
  view->box = calloc(leaves * 2 * VIEW_WIDTH * (size_t)d, sizeof(double));
  view->coordinates = calloc(blocks * VIEW_WIDTH * (size_t)d, sizeof(double));
  view->position = calloc(blocks * VIEW_WIDTH, sizeof(int64_t));
  if (metric->kind == METRIC_USER) {
    view->centre = calloc(leaves * VIEW_WIDTH * (size_t)d, sizeof(double));
    view->radius = calloc(leaves * VIEW_WIDTH, sizeof(double));
  }
  double *box = malloc((size_t)(2 * d) * sizeof *box);
  int64_t smallest;
  int64_t largest;
  if (held > 0) {
    view->root = made_subtree(view, &points, 0, held, leaf_size, box, &smallest, &largest, 1);
  }
  free(box);
  free(points.order);
  return view;
}

#endif
