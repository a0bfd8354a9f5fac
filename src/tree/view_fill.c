/* The contents of a view: blocks, boxes or balls, positions. */
#include "tree/cut.h"
#include "tree/view_private.h"

#include <omp.h>
#include <string.h>

/* Units of more points are cut by all threads together, gathered by SLAB points at a time. */
enum { BIG = 32768, SLAB = 4096 };

/* Cuts a range of records into the leaves that plan_unit laid out for as many points. */
static void cut_range(const struct view_shape *shape, double *records, int64_t count) {
  const int d = shape->view->dimension;
  int64_t size[VIEW_WIDTH];
  const int parts = cut_sizes(count, shape->leaf, VIEW_WIDTH, size);
  if (parts == 1) {
    return;
  }
  if (shape->view->metric.kind != METRIC_USER) {
    cut_records(records, d, count, shape->leaf, VIEW_WIDTH);
  }
  for (int i = 0; i < parts; i++) {
    const int64_t part = size[i];
#pragma omp task firstprivate(records, part) if (part > CUT_TASK)
    cut_range(shape, records, part);
    records += part * (d + 1);
  }
#pragma omp taskwait
}

/* One leaf from its records into blocks, by position. */
static inline __attribute__((always_inline)) void
fill_leaf(const int d, struct view *view, local_index leaf, const double *records) {
  const local_index count = view->leaf_points[leaf];
  const local_index slots = (view->leaf_block[leaf + 1] - view->leaf_block[leaf]) * VIEW_WIDTH;
  double *coordinates = view->coordinates + (int64_t)view->leaf_block[leaf] * d * VIEW_WIDTH;
  int64_t *position = view->position + (int64_t)view->leaf_block[leaf] * VIEW_WIDTH;
  int64_t rank[CUT_LEAF];
  cut_ranks(records, d, count, rank);
  for (local_index i = 0; i < slots; i++) {
    const double *record = records + (int64_t)i * (d + 1);
    const int64_t to = i < count ? rank[i] : i;
    double *block = coordinates + to / VIEW_WIDTH * d * VIEW_WIDTH + to % VIEW_WIDTH;
    for (int j = 0; j < d; j++) {
      block[j * VIEW_WIDTH] = i < count ? record[j] : INFINITY;
    }
    position[to] = i < count ? cut_position(record, d) : INT64_MAX;
  }
}

/* The bounds of a leaf in its parent, from its records. */
static inline __attribute__((always_inline)) void
bound_leaf(const int d, const struct view_shape *shape, local_index leaf, const double *records) {
  struct view *view = shape->view;
  const local_index count = view->leaf_points[leaf];
  const local_index slot = shape->leaf_slot[leaf];
  if (slot < 0) {
    return;
  }
  const int64_t first = (int64_t)view->leaf_block[leaf] * VIEW_WIDTH;
  view->smallest[slot] = view->position[first];
  view->largest[slot] = view->position[first + count - 1];
  for (int j = 0; view->box && j < d; j++) {
    double lower = INFINITY;
    double upper = -INFINITY;
#pragma omp simd reduction(min : lower) reduction(max : upper)
    for (local_index i = 0; i < count; i++) {
      const double x = records[(int64_t)i * (d + 1) + j];
      lower = x < lower ? x : lower;
      upper = x > upper ? x : upper;
    }
    double *box = view_box(view, slot / VIEW_WIDTH, j) + slot % VIEW_WIDTH;
    box[0] = lower;
    box[VIEW_WIDTH] = upper;
  }
}

/* Records of points first..last-1 of the order. */
static inline __attribute__((always_inline)) void
gather(const int d, const struct view_shape *shape, int64_t first, int64_t last, double *records) {
  enum { AHEAD = 24 }; /* points whose memory is asked for while others are copied */
  const struct tree_points *points = &shape->tree->points;
  for (int64_t i = first; i < last; i++) {
    const int64_t p = shape->order[i];
    const int64_t soon = shape->order[i + AHEAD < last ? i + AHEAD : i];
    double *record = records + (i - first) * (d + 1);
    __builtin_prefetch(points->coordinates + soon * d);
    __builtin_prefetch(points->position + soon);
    for (int j = 0; j < d; j++) {
      record[j] = points->coordinates[p * d + j];
    }
    cut_store_position(record, d, points->position[p]);
  }
}

/* One leaf, from the records of its unit. */
static inline __attribute__((always_inline)) void finish_leaf(const int d, struct view_shape *shape,
                                                              const struct view_unit *unit,
                                                              local_index leaf, double *leaf_centre,
                                                              const double *records) {
  const double *own = records + (int64_t)(shape->leaf_first[leaf] - unit->first) * (d + 1);
  if (leaf_centre) {
    memcpy(leaf_centre + (int64_t)leaf * d, own, (size_t)d * sizeof *own);
  }
  fill_leaf(d, shape->view, leaf, own);
  bound_leaf(d, shape, leaf, own);
}

/* Returns the seconds that cutting took. */
static inline __attribute__((always_inline)) double fill_unit(const int d, struct view_shape *shape,
                                                              const struct view_unit *unit,
                                                              double *leaf_centre,
                                                              double *records) {
  const double start = base_clock();
  gather(d, shape, unit->first, unit->first + unit->count, records);
  cut_range(shape, records, unit->count);
  const double seconds = base_clock() - start;
  for (local_index leaf = unit->leaf; leaf < unit->leaf_end; leaf++) {
    finish_leaf(d, shape, unit, leaf, leaf_centre, records);
  }
  return seconds;
}

static double fill_any_unit(struct view_shape *shape, const struct view_unit *unit,
                            double *leaf_centre, double *records) {
  const int d = shape->view->dimension;
  return d == 2   ? fill_unit(2, shape, unit, leaf_centre, records)
         : d == 3 ? fill_unit(3, shape, unit, leaf_centre, records)
                  : fill_unit(d, shape, unit, leaf_centre, records);
}

/* A big unit by all threads. Returns the seconds that cutting took. */
static double fill_big_unit(struct view_shape *shape, const struct view_unit *unit,
                            double *leaf_centre, double *records) {
  const int d = shape->view->dimension;
  const int64_t slabs = (unit->count + SLAB - 1) / SLAB;
  const double start = base_clock();
  double end = start;
#pragma omp parallel num_threads(shape->base->threads)
  {
#pragma omp for schedule(static)
    for (int64_t s = 0; s < slabs; s++) {
      const int64_t first = s * SLAB;
      const int64_t last = first + SLAB < unit->count ? first + SLAB : unit->count;
      gather(d, shape, unit->first + first, unit->first + last, records + first * (d + 1));
    }
#pragma omp single
    {
      cut_range(shape, records, unit->count);
      end = base_clock();
    }
#pragma omp for schedule(static)
    for (local_index leaf = unit->leaf; leaf < unit->leaf_end; leaf++) {
      finish_leaf(d, shape, unit, leaf, leaf_centre, records);
    }
  }
  return end - start;
}

/* All leaves: big units one after the other, the others in parallel, each in the thread's own records. */
static pcct_status fill_units(struct view_shape *shape, double *leaf_centre) {
  struct base *base = shape->base;
  const int words = shape->view->dimension + 1;
  const int team = shape->view->points >= BASE_PARALLEL_MIN ? base->threads : 1;
  int64_t largest = 0; /* of the others */
  int64_t room = 0;
  double together = 0; /* seconds of cutting, of the team and summed over threads */
  double apart = 0;
  for (int64_t u = 0; u < shape->unit_count; u++) {
    const int64_t count = shape->units[u].count;
    largest = count <= BIG && count > largest ? count : largest;
    room = count > room ? count : room;
  }
  room = team * largest > room ? team * largest : room;
  double *records = base_allocate(base, room * words, sizeof *records);
  if (!records) {
    return PCCT_MEMORY;
  }
  for (int64_t u = 0; u < shape->unit_count; u++) {
    if (shape->units[u].count > BIG) {
      together += fill_big_unit(shape, &shape->units[u], leaf_centre, records);
    }
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(team) reduction(+ : apart)
  for (int64_t u = 0; u < shape->unit_count; u++) {
    if (shape->units[u].count <= BIG) {
      apart += fill_any_unit(shape, &shape->units[u], leaf_centre,
                             records + omp_get_thread_num() * largest * words);
    }
  }
  base->stages[STAGE_cut] += together + apart / team;
  base_free(records);
  return PCCT_OK;
}

/* Positions and box of a child that is a node or missing; leaves have theirs already. */
static void bound_child(struct view *view, local_index node, int i) {
  const local_index code = view->child[(int64_t)node * VIEW_WIDTH + i];
  int64_t smallest = INT64_MAX;
  int64_t largest = -1;
  if (code < 0 && code != INT32_MIN) {
    return;
  }
  for (int c = 0; code >= 0 && c < VIEW_WIDTH; c++) {
    const int64_t at = (int64_t)code * VIEW_WIDTH + c;
    smallest = view->smallest[at] < smallest ? view->smallest[at] : smallest;
    largest = view->largest[at] > largest ? view->largest[at] : largest;
  }
  view->smallest[(int64_t)node * VIEW_WIDTH + i] = smallest;
  view->largest[(int64_t)node * VIEW_WIDTH + i] = largest;
  for (int j = 0; view->box && j < view->dimension; j++) {
    double lower = INFINITY;
    double upper = -INFINITY;
    for (int c = 0; code >= 0 && c < VIEW_WIDTH; c++) {
      const double *inner = view_box(view, code, j);
      lower = inner[c] < lower ? inner[c] : lower;
      upper = inner[VIEW_WIDTH + c] > upper ? inner[VIEW_WIDTH + c] : upper;
    }
    view_box(view, node, j)[i] = lower;
    view_box(view, node, j)[VIEW_WIDTH + i] = upper;
  }
}

/* First and last leaf below a child; leaves of a subtree follow each other. */
static void leaf_range(const struct view *view, local_index code, local_index *first,
                       local_index *last) {
  local_index low = code;
  local_index high = code;
  while (low >= 0) {
    low = view->child[(int64_t)low * VIEW_WIDTH];
  }
  while (high >= 0) {
    int c = VIEW_WIDTH - 1;
    while (view->child[(int64_t)high * VIEW_WIDTH + c] == INT32_MIN) {
      c--;
    }
    high = view->child[(int64_t)high * VIEW_WIDTH + c];
  }
  *first = ~low;
  *last = ~high;
}

/* The ball of a child: around the first leaf's centre, as wide as the farthest point below needs. */
static void ball_child(struct view *view, const double *leaf_centre, local_index node, int i) {
  const int d = view->dimension;
  const int64_t at = (int64_t)node * VIEW_WIDTH + i;
  double *centre = view->centre + at * d;
  double point[64];
  double largest = 0;
  local_index first;
  local_index last;
  if (view->child[at] == INT32_MIN) {
    memset(centre, 0, (size_t)d * sizeof *centre);
    view->radius[at] = -INFINITY;
    return;
  }
  leaf_range(view, view->child[at], &first, &last);
  memcpy(centre, leaf_centre + (int64_t)first * d, (size_t)d * sizeof *centre);
  for (local_index leaf = first; leaf <= last; leaf++) {
    for (local_index p = 0; p < view->leaf_points[leaf]; p++) {
      const int64_t block = view->leaf_block[leaf] + p / VIEW_WIDTH;
      for (int j = 0; j < d; j++) {
        point[j] = view->coordinates[(block * d + j) * VIEW_WIDTH + p % VIEW_WIDTH];
      }
      const double value = metric_value(&view->metric, centre, point);
      largest = value > largest ? value : largest;
    }
  }
  view->radius[at] = metric_root_up(view->metric.kind, largest);
}

pcct_status view_fill(struct view_shape *shape) {
  struct base *base = shape->base;
  struct view *view = shape->view;
  const int d = view->dimension;
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  const int64_t children = (int64_t)view->nodes * VIEW_WIDTH;
  const int balls = view->metric.kind == METRIC_USER;
  double *leaf_centre = NULL;
  pcct_status status = PCCT_MEMORY;
  view->coordinates = base_allocate(base, slots * d, sizeof(double));
  view->position = base_allocate(base, slots, sizeof *view->position);
  view->smallest = base_allocate(base, children, sizeof *view->smallest);
  view->largest = base_allocate(base, children, sizeof *view->largest);
  if (balls) {
    view->centre = base_allocate(base, children * d, sizeof(double));
    view->radius = base_allocate(base, children, sizeof(double));
    leaf_centre = base_allocate(base, (int64_t)view->leaves * d, sizeof(double));
  } else {
    view->box = base_allocate(base, children * 2 * d, sizeof(double));
  }
  if (!view->coordinates || !view->position || !view->smallest || !view->largest ||
      (balls ? !view->centre || !view->radius || !leaf_centre : !view->box)) {
    goto cleanup;
  }
  status = fill_units(shape, leaf_centre);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  for (local_index node = 0; node < view->nodes; node++) { /* children have smaller indices */
    for (int i = 0; i < VIEW_WIDTH; i++) {
      bound_child(view, node, i);
    }
  }
  if (balls) {
#pragma omp parallel for schedule(dynamic, 8)                                                      \
    num_threads(base->threads) if (view->points >= BASE_PARALLEL_MIN)
    for (local_index node = 0; node < view->nodes; node++) {
      for (int i = 0; i < VIEW_WIDTH; i++) {
        ball_child(view, leaf_centre, node, i);
      }
    }
  }
cleanup:
  base_free(leaf_centre);
  return status;
}
