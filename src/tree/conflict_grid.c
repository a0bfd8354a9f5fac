/*
 * Conflict graphs by hash grids, for coordinate metrics.
 *
 * Level by level from the top, the points of that level look for partners among the points of that level or
 * above, in a grid of cells 2^level wide over the first axes: the difference along one axis never exceeds the
 * distance. A partner of a higher level gets the edge in its row as well. Rows filled so are not ascending, but
 * the graph is symmetric: written out once more, row by row into the partners' rows, they are.
 */
#include "tree/conflict_private.h"

#include <string.h>

enum {
  AXES = 3,  /* axes a grid uses at most */
  CELLS = 4, /* cells within reach along one axis at most */
  REACH = 64 /* CELLS^AXES */
};

/* Computed differences of up to one cell belong to true ones of hardly more. */
#define CELL_REACH (1 + 0x1p-20)

/* The points of one level or above in the cells of that level. Buckets are cells by hash; points of other
 * cells among them cost a test each. */
struct grid {
  double scale; /* 2^-level */
  int axes;
  local_index points;
  int64_t buckets;     /* a power of two */
  local_index *start;  /* [buckets + 1] */
  local_index *item;   /* [points] */
  local_index *bucket; /* [points] of the points in order */
};

struct grid_run {
  struct conflict_run *run;
  struct grid grid;
  local_index *order; /* [count] points by falling level, ascending within one */
  local_index *begin; /* [levels + 1] where each level starts in it */
  int levels;
  local_index *cursor; /* [count] where the next partner goes: rows by count first */
  local_index *mixed;  /* [pairs] rows in any order */
};

static inline uint64_t hash_key(uint64_t hash, double key) {
  uint64_t bits;
  key += 0.0; /* -0 becomes 0 */
  memcpy(&bits, &key, sizeof bits);
  hash ^= bits ^ bits >> 32; /* whole numbers differ in their upper bits alone */
  hash *= UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

/* The cells that reach from value - 1 to value + 1. Above 2^53 cells are as far apart as doubles are. */
static int cells_within_reach(double value, double key[CELLS]) {
  const double last = floor(value + CELL_REACH);
  int count = 0;
  for (double at = floor(value - CELL_REACH); at <= last && count < CELLS;) {
    key[count++] = at;
    at = at + 1 > at ? at + 1 : nextafter(at, INFINITY);
  }
  return count;
}

/* The distinct buckets within reach of a point. */
static int buckets_within_reach(const struct grid *grid, const double *point,
                                local_index bucket[REACH]) {
  uint64_t hash[REACH] = {0};
  int count = 1;
  for (int j = 0; j < grid->axes; j++) {
    double key[CELLS];
    uint64_t wider[REACH];
    int wide = 0;
    const int keys = cells_within_reach(point[j] * grid->scale, key);
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < keys; k++) {
        wider[wide++] = hash_key(hash[i], key[k]);
      }
    }
    memcpy(hash, wider, (size_t)wide * sizeof *hash);
    count = wide;
  }
  int distinct = 0;
  for (int i = 0; i < count; i++) {
    const local_index b = (local_index)(hash[i] & (uint64_t)(grid->buckets - 1));
    int seen = 0;
    for (int k = 0; k < distinct; k++) {
      seen |= bucket[k] == b;
    }
    bucket[distinct] = b;
    distinct += !seen;
  }
  return distinct;
}

/* Puts the first `points` points of the order into cells of the level. */
static void fill_grid(struct grid_run *in, int level, local_index points) {
  const struct conflict_points *from = in->run->points;
  const int d = from->metric->dimension;
  struct grid *grid = &in->grid;
  grid->scale = ldexp(1.0, -level);
  grid->points = points;
  grid->buckets = 1;
  while (grid->buckets < points) {
    grid->buckets *= 2;
  }
#pragma omp parallel for schedule(static)                                                          \
    num_threads(in->run->base->threads) if (points >= BASE_PARALLEL_MIN)
  for (local_index i = 0; i < points; i++) {
    const double *point = from->coordinates + (int64_t)in->order[i] * d;
    uint64_t hash = 0;
    for (int j = 0; j < grid->axes; j++) {
      hash = hash_key(hash, floor(point[j] * grid->scale));
    }
    grid->bucket[i] = (local_index)(hash & (uint64_t)(grid->buckets - 1));
  }
  memset(grid->start, 0, ((size_t)grid->buckets + 1) * sizeof *grid->start);
  for (local_index i = 0; i < points; i++) {
    grid->start[grid->bucket[i] + 1]++;
  }
  for (int64_t b = 0; b < grid->buckets; b++) {
    grid->start[b + 1] += grid->start[b];
  }
  for (local_index i = 0; i < points; i++) {
    grid->item[grid->start[grid->bucket[i]]++] = in->order[i];
  }
  memmove(grid->start + 1, grid->start, (size_t)grid->buckets * sizeof *grid->start);
  grid->start[0] = 0;
}

/* The edges of a point that its own level is the reason for. Without rows (mixed NULL) they are counted where
 * rows end, else written. Other points of the level may have a partner of a higher level in common, hence the
 * atomic steps there. Returns the number of directed pairs. */
static int64_t visit(const struct grid_run *in, local_index q, int64_t *evaluations) {
  const struct conflict_points *points = in->run->points;
  const struct grid *grid = &in->grid;
  const int d = points->metric->dimension;
  const double *point = points->coordinates + (int64_t)q * d;
  const double limit = in->run->limit[q];
  local_index bucket[REACH];
  int64_t pairs = 0;
  const int buckets = buckets_within_reach(grid, point, bucket);
  for (int b = 0; b < buckets; b++) {
    for (local_index i = grid->start[bucket[b]]; i < grid->start[bucket[b] + 1]; i++) {
      const local_index other = grid->item[i];
      if (other == q ||
          metric_value(points->metric, point, points->coordinates + (int64_t)other * d) > limit) {
        continue;
      }
      const local_index place = in->cursor[q]++;
      local_index place_other = -1;
      if (points->level[other] > points->level[q]) {
#pragma omp atomic capture
        place_other = in->cursor[other]++;
      }
      if (in->mixed) {
        in->mixed[place] = other;
        if (place_other >= 0) {
          in->mixed[place_other] = q;
        }
      }
      pairs += 1 + (place_other >= 0);
    }
    *evaluations += grid->start[bucket[b] + 1] - grid->start[bucket[b]];
  }
  return pairs;
}

/* All levels once: counting, or filling rows. Counting ends early above the budget, which the total then shows;
 * it only ever grows, so that the outcome does not depend on who sees it when. */
static int64_t visit_all(struct grid_run *in) {
  const int64_t budget = in->run->budget;
  int64_t total = 0;
  int64_t evaluations = 0;
  for (int l = 0; l < in->levels && total <= budget; l++) {
    const local_index first = in->begin[l];
    const local_index last = in->begin[l + 1];
    fill_grid(in, in->run->points->level[in->order[first]], last);
#pragma omp parallel for schedule(dynamic, 64) num_threads(in->run->base->threads)                 \
    reduction(+ : evaluations) if (last - first >= BASE_PARALLEL_MIN)
    for (local_index i = first; i < last; i++) {
      int64_t so_far;
#pragma omp atomic read
      so_far = total;
      if (so_far <= budget) {
        const int64_t pairs = visit(in, in->order[i], &evaluations);
#pragma omp atomic
        total += pairs;
      }
    }
  }
  in->run->evaluations += evaluations;
  return total;
}

/* Counting sort of the points by falling level: order, begin and levels. `place` is scratch. */
static void sort_by_level(struct grid_run *in, local_index *place) {
  const local_index count = in->run->points->count;
  const int16_t *level = in->run->points->level;
  memset(place, 0, (LEVEL_MAX - LEVEL_MIN + 2) * sizeof *place);
  for (local_index i = 0; i < count; i++) {
    place[LEVEL_MAX - level[i] + 1]++;
  }
  for (int l = 0; l <= LEVEL_MAX - LEVEL_MIN; l++) {
    if (place[l + 1] > 0) {
      in->begin[in->levels++] = place[l];
    }
    place[l + 1] += place[l];
  }
  in->begin[in->levels] = count;
  for (local_index i = 0; i < count; i++) {
    in->order[place[LEVEL_MAX - level[i]]++] = i;
  }
}

/* From counts in cursor to sorted rows. */
static pcct_status fill_rows(struct grid_run *in, int64_t total) {
  struct base *base = in->run->base;
  struct conflict_graph *graph = in->run->graph;
  const local_index count = in->run->points->count;
  graph->neighbor = base_allocate(base, total, sizeof *graph->neighbor);
  in->mixed = base_allocate(base, total, sizeof *in->mixed);
  if (!graph->neighbor || !in->mixed) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < count; i++) {
    graph->row[i + 1] = graph->row[i] + in->cursor[i];
  }
  memcpy(in->cursor, graph->row, (size_t)count * sizeof *in->cursor);
  visit_all(in);
  memcpy(in->cursor, graph->row, (size_t)count * sizeof *in->cursor);
  for (local_index i = 0; i < count; i++) {
    for (int32_t e = graph->row[i]; e < graph->row[i + 1]; e++) {
      graph->neighbor[in->cursor[in->mixed[e]]++] = i;
    }
  }
  return PCCT_OK;
}

pcct_status conflict_grid(struct conflict_run *run) {
  struct base *base = run->base;
  const local_index count = run->points->count;
  const int dimension = run->points->metric->dimension;
  struct grid_run in = {.run = run, .grid.axes = dimension < AXES ? dimension : AXES};
  pcct_status status = PCCT_MEMORY;
  int64_t buckets = 1;
  while (buckets < count) {
    buckets *= 2;
  }
  local_index *place = base_allocate(base, LEVEL_MAX - LEVEL_MIN + 2, sizeof *place);
  in.begin = base_allocate(base, LEVEL_MAX - LEVEL_MIN + 2, sizeof *in.begin);
  in.order = base_allocate(base, count, sizeof *in.order);
  in.cursor = base_allocate_zero(base, count, sizeof *in.cursor);
  in.grid.start = base_allocate(base, buckets + 1, sizeof *in.grid.start);
  in.grid.item = base_allocate(base, count, sizeof *in.grid.item);
  in.grid.bucket = base_allocate(base, count, sizeof *in.grid.bucket);
  if (place && in.begin && in.order && in.cursor && in.grid.start && in.grid.item &&
      in.grid.bucket) {
    sort_by_level(&in, place);
    run->total = visit_all(&in);
    status = PCCT_OK;
    if (run->total <= run->budget) {
      const double clock = base_clock();
      status = fill_rows(&in, run->total);
      run->graph->csr_seconds = base_clock() - clock;
    }
  }
  base_free(place);
  base_free(in.begin);
  base_free(in.order);
  base_free(in.cursor);
  base_free(in.mixed);
  base_free(in.grid.start);
  base_free(in.grid.item);
  base_free(in.grid.bucket);
  return status;
}
