/* The conflict graph of a batch. */
#include "tree/batch.h"

#include <stdlib.h>
#include <string.h>

/* What the subtree of a frame node can do to a batch point p: it holds a conflicting point only if
 * d(p, node) is at most influence (distance plus own radius of the batch points living below), and at
 * most extent (their distance alone) plus p's radius. Negative: no batch point lives below. */
struct reach {
  double influence;
  double extent;
};

/* Grows as rows are found; one for each chunk of points, so that rows never depend on threads. */
struct edges {
  local_index *neighbor;
  int64_t count;
  int64_t capacity;
};

enum { CHUNK = 256 };

/* Stable counting sort of the batch by home; duplicates of tree nodes leave the batch for the tree.
 *   start [out] [frame->count + 1] first batch place of each home */
static pcct_status sort_by_home(struct base *base, struct tree *tree, const struct frame *frame,
                                struct batch *batch, local_index *start) {
  const int d = frame->dimension;
  struct batch *sorted = NULL;
  local_index kept = 0;
  pcct_status status = batch_create(base, batch->count, d, &sorted);
  if (status != PCCT_OK) {
    return status;
  }
  memset(start, 0, ((size_t)frame->count + 1) * sizeof *start);
  for (local_index q = 0; q < batch->count; q++) {
    if (batch->level[q] == LEVEL_DUPLICATE) {
      tree->parent[batch->point[q]] = batch->parent[q];
      tree->level[batch->point[q]] = LEVEL_DUPLICATE;
    } else {
      start[batch->home[q] + 1]++;
      kept++;
    }
  }
  for (local_index t = 0; t < frame->count; t++) {
    start[t + 1] += start[t];
  }
  for (local_index q = 0; q < batch->count; q++) {
    if (batch->level[q] != LEVEL_DUPLICATE) {
      local_index to = start[batch->home[q]]++;
      sorted->point[to] = batch->point[q];
      sorted->home[to] = batch->home[q];
      sorted->parent[to] = batch->parent[q];
      sorted->parent_value[to] = batch->parent_value[q];
      sorted->level[to] = batch->level[q];
      sorted->level_value[to] = metric_level_value(METRIC_EUCLIDEAN, batch->level[q]);
      memcpy(sorted->coordinates + (int64_t)to * d,
             tree->points.coordinates + (int64_t)batch->point[q] * d, (size_t)d * sizeof(double));
    }
  }
  /* The fill moved every start to the next home's: shift back. */
  memmove(start + 1, start, (size_t)frame->count * sizeof *start);
  start[0] = 0;
  sorted->count = kept;
  struct batch swap = *batch;
  *batch = *sorted;
  *sorted = swap;
  batch_destroy(&sorted);
  return PCCT_OK;
}

/* Bottom-up reaches: children stand behind their parent in a frame. */
static void compute_reaches(const struct frame *frame, const struct batch *batch,
                            const local_index *start, struct reach *reach) {
  const int d = frame->dimension;
  for (local_index t = frame->count - 1; t >= 0; t--) {
    struct reach r = {-1, -1};
    for (local_index q = start[t]; q < start[t + 1]; q++) {
      double distance = metric_root_up(METRIC_EUCLIDEAN, batch->parent_value[q]);
      double influence = (distance + ldexp(1.0, batch->level[q])) * (1 + METRIC_SLACK);
      r.extent = distance > r.extent ? distance : r.extent;
      r.influence = influence > r.influence ? influence : r.influence;
    }
    for (local_index c = t + 1; c < frame->end[t]; c = frame->end[c]) {
      if (reach[c].extent >= 0) {
        double edge =
            metric_root_up(METRIC_EUCLIDEAN, metric_square(d, frame->coordinates + (int64_t)t * d,
                                                           frame->coordinates + (int64_t)c * d));
        double extent = (edge + reach[c].extent) * (1 + METRIC_SLACK);
        double influence = (edge + reach[c].influence) * (1 + METRIC_SLACK);
        r.extent = extent > r.extent ? extent : r.extent;
        r.influence = influence > r.influence ? influence : r.influence;
      }
    }
    reach[t] = r;
  }
}

/* Not base_grow: this runs inside a parallel region. Returns 0 on success. */
static int edges_reserve(struct edges *edges, int64_t more) {
  if (edges->count + more <= edges->capacity) {
    return 0;
  }
  int64_t capacity = 2 * edges->capacity + more + 1024;
  local_index *grown = realloc(edges->neighbor, (size_t)capacity * sizeof *grown);
  if (!grown) {
    return -1;
  }
  edges->neighbor = grown;
  edges->capacity = capacity;
  return 0;
}

struct search {
  const struct frame *frame;
  const struct batch *batch;
  const local_index *start;
  const struct reach *reach;
  int64_t evaluations;
};

/* Appends the conflicts of batch point q. Returns 0 on success. */
static inline __attribute__((always_inline)) int find_row(const int d, struct search *search,
                                                          local_index q, struct edges *edges) {
  const struct frame *frame = search->frame;
  const struct batch *batch = search->batch;
  const double *point = batch->coordinates + (int64_t)q * d;
  const double own_radius = ldexp(1.0, batch->level[q]);
  const double own_value = batch->level_value[q];
  local_index t = 0;
  while (t < frame->count) {
    const struct reach reach = search->reach[t];
    if (reach.extent < 0) {
      t = frame->end[t];
      continue;
    }
    double limit = reach.extent + own_radius;
    limit = (limit < reach.influence ? limit : reach.influence) * (1 + METRIC_SLACK);
    double value = metric_square(d, point, frame->coordinates + (int64_t)t * d);
    search->evaluations++;
    if (value > limit * limit * (1 + METRIC_SLACK)) {
      t = frame->end[t];
      continue;
    }
    const local_index first = search->start[t];
    const local_index last = search->start[t + 1];
    if (first < last && edges_reserve(edges, last - first)) {
      return -1;
    }
    for (local_index other = first; other < last; other++) {
      double pair = metric_square(d, point, batch->coordinates + (int64_t)other * d);
      if (pair <= own_value && pair <= batch->level_value[other] && other != q) {
        edges->neighbor[edges->count++] = other;
      }
    }
    search->evaluations += last - first;
    t++;
  }
  return 0;
}

static int find_any(int d, struct search *search, local_index q, struct edges *edges) {
  switch (d) {
  case 1:
    return find_row(1, search, q, edges);
  case 2:
    return find_row(2, search, q, edges);
  case 3:
    return find_row(3, search, q, edges);
  default:
    return find_row(d, search, q, edges);
  }
}

pcct_status batch_conflicts(struct base *base, struct tree *tree, const struct frame *frame,
                            struct batch *batch) {
  pcct_status status = PCCT_MEMORY;
  const int d = frame->dimension;
  local_index chunks = 0;
  local_index *start = base_allocate(base, (int64_t)frame->count + 1, sizeof *start);
  struct reach *reach = base_allocate(base, frame->count, sizeof *reach);
  struct edges *edges = NULL;
  int64_t evaluations = 0;
  int failed = 0;
  if (!start || !reach) {
    goto cleanup;
  }
  status = sort_by_home(base, tree, frame, batch, start);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  status = PCCT_MEMORY;
  compute_reaches(frame, batch, start, reach);
  chunks = (batch->count + CHUNK - 1) / CHUNK;
  edges = base_allocate_zero(base, chunks, sizeof *edges);
  batch->row = base_allocate(base, (int64_t)batch->count + 1, sizeof *batch->row);
  if (!edges || !batch->row) {
    goto cleanup;
  }
  batch->row[0] = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(base->threads)                           \
    reduction(+ : evaluations) reduction(| : failed) if (batch->count >= BASE_PARALLEL_MIN)
  for (local_index c = 0; c < chunks; c++) {
    struct search search = {frame, batch, start, reach, 0};
    for (local_index q = c * CHUNK; q < batch->count && q < (c + 1) * CHUNK && !failed; q++) {
      int64_t before = edges[c].count;
      failed |= find_any(d, &search, q, &edges[c]) != 0;
      batch->row[q + 1] = edges[c].count - before;
    }
    evaluations += search.evaluations;
  }
  base->counters[COUNTER_build_distances] += evaluations;
  if (failed) {
    base_fail(base, PCCT_MEMORY, "out of memory for the conflict graph of %lld points",
              (long long)batch->count);
    goto cleanup;
  }
  for (local_index q = 0; q < batch->count; q++) {
    batch->row[q + 1] += batch->row[q];
  }
  batch->neighbor = base_allocate(base, batch->row[batch->count], sizeof *batch->neighbor);
  if (!batch->neighbor) {
    goto cleanup;
  }
  for (local_index c = 0; c < chunks; c++) {
    if (edges[c].count > 0) {
      memcpy(batch->neighbor + batch->row[c * CHUNK], edges[c].neighbor,
             (size_t)edges[c].count * sizeof *batch->neighbor);
    }
  }
  base->counters[COUNTER_batch_pairs] += batch->row[batch->count];
  if (batch->row[batch->count] > base->counters[COUNTER_batch_pairs_max]) {
    base->counters[COUNTER_batch_pairs_max] = batch->row[batch->count];
  }
  status = PCCT_OK;
cleanup:
  for (local_index c = 0; edges && c < chunks; c++) {
    free(edges[c].neighbor);
  }
  base_free(edges);
  base_free(reach);
  base_free(start);
  return status;
}
