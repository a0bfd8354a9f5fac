/* Queries that other ranks may know better. */
#include "dist/doubt.h"

#include <omp.h>
#include <string.h>

void doubt_free(struct doubt *doubt) {
  base_free(doubt->query);
  base_free(doubt->points);
  base_free(doubt->limit);
  base_free(doubt->bound);
  base_free(doubt->bound_position);
  base_free(doubt->near);
  base_free(doubt->found);
  *doubt = (struct doubt){0};
}

int64_t doubt_query(const struct route_queries *queries, int64_t q) {
  return queries->self ? walk_self_look(queries->self, queries->place[q], NULL) : q;
}

/* A query's point, and below which position it looks. */
static int64_t look_at(int d, const struct route_queries *queries, int64_t q, double *point) {
  const struct walk_self *self = queries->self;
  const struct walk_sweep *sweep = queries->sweep;
  if (self) {
    const int64_t position = walk_self_look(self, queries->place[q], point);
    return self->predecessors ? position : INT64_MAX;
  }
  memcpy(point, sweep->points + q * d, (size_t)d * sizeof(double));
  return sweep->limit ? sweep->limit[q] : INT64_MAX;
}

/* Whether nothing outside this rank's cell can be within the bound. Rounding is monotone: a face's computed
 * value never exceeds that of a point beyond it. Of a user's metric coordinates tell nothing. */
static int stays_inside(const struct metric *metric, const double *lower, const double *upper,
                        const double *point, double bound) {
  if (metric->kind == METRIC_USER) {
    return 0;
  }
  for (int j = 0; j < metric->dimension; j++) {
    if (metric_add_axis(metric->kind, 0, point[j] - lower[j]) <= bound ||
        metric_add_axis(metric->kind, 0, upper[j] - point[j]) <= bound) {
      return 0;
    }
  }
  return 1;
}

/* The value of a row's k-th candidate; +inf if there are fewer. */
static double row_bound(const struct walk_rows *rows, int64_t row, int64_t k) {
  return *walk_rows_filled(rows, row) >= k ? walk_rows_value(rows, row)[k - 1] : INFINITY;
}

static void set_bound(const struct walk_rows *rows, int64_t k, struct doubt *doubt, int64_t f) {
  const int64_t row = doubt->query[f];
  doubt->bound[f] = row_bound(rows, row, k);
  doubt->bound_position[f] =
      *walk_rows_filled(rows, row) >= k ? walk_rows_index(rows, row, k - 1) : INT64_MAX;
}

/* Picks the queries whose bounds leave this rank's cell, or, where ranks have none, meet another's region. */
static pcct_status pick(pcct_index *index, int64_t k, const struct route_queries *queries,
                        const struct walk_rows *rows, struct doubt *doubt) {
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  double lower[PCCT_DIMENSION_MAX];
  double upper[PCCT_DIMENSION_MAX];
  unsigned char *leaves = base_allocate(base, queries->count, 1);
  if (!leaves) {
    return PCCT_MEMORY;
  }
  if (index->parts) {
    parts_cell(index->parts, index->context->rank, lower, upper);
  }
  int64_t count = 0;
#pragma omp parallel for schedule(static) reduction(+ : count)                                     \
    num_threads(base->threads) if (queries->count >= BASE_PARALLEL_MIN)
  for (int64_t q = 0; q < queries->count; q++) {
    double point[PCCT_DIMENSION_MAX];
    const int64_t limit = look_at(d, queries, q, point);
    const double bound = row_bound(rows, q, k);
    leaves[q] = index->parts ? !stays_inside(&index->metric, lower, upper, point, bound)
                             : directory_reaches(index->directory, point, limit, bound,
                                                 index->context->rank);
    count += leaves[q];
  }
  doubt->count = count;
  doubt->query = base_allocate(base, count, sizeof *doubt->query);
  doubt->points = base_allocate(base, count * d, sizeof(double));
  doubt->limit = base_allocate(base, count, sizeof *doubt->limit);
  doubt->bound = base_allocate(base, count, sizeof *doubt->bound);
  doubt->bound_position = base_allocate(base, count, sizeof *doubt->bound_position);
  doubt->near = base_allocate(base, count * DOUBT_NEAR, sizeof *doubt->near);
  doubt->found = base_allocate(base, count, sizeof *doubt->found);
  const int room = doubt->query && doubt->points && doubt->limit && doubt->bound &&
                   doubt->bound_position && doubt->near && doubt->found;
  for (int64_t q = 0, f = 0; q < queries->count && room; q++) {
    if (leaves[q]) {
      doubt->query[f++] = q;
    }
  }
  base_free(leaves);
  if (!room) {
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t f = 0; f < count; f++) {
    doubt->limit[f] = look_at(d, queries, doubt->query[f], doubt->points + f * d);
    set_bound(rows, k, doubt, f);
  }
  return PCCT_OK;
}

/* A row, what the prefix knows, and both. */
struct joining {
  struct candidate *own, *others, *both; /* [k] */
};

static void join(const struct walk_rows *rows, int64_t row, const struct walk_rows *known,
                 int64_t f, int64_t k, const struct joining *joining) {
  const int32_t held = *walk_rows_filled(rows, row);
  const int32_t more = *walk_rows_filled(known, f);
  for (int64_t e = 0; e < held; e++) {
    joining->own[e] =
        (struct candidate){walk_rows_value(rows, row)[e], walk_rows_index(rows, row, e)};
  }
  for (int64_t e = 0; e < more; e++) {
    joining->others[e] =
        (struct candidate){walk_rows_value(known, f)[e], walk_rows_index(known, f, e)};
  }
  walk_rows_put(rows, row, joining->both,
                candidates_merge(joining->own, held, joining->others, more, k, joining->both));
}

/* Brings in what the prefix knows. */
static pcct_status ask_prefix(pcct_index *index, int64_t k, const struct walk_rows *rows,
                              struct doubt *doubt) {
  struct base *base = &index->context->base;
  const int64_t count = doubt->count;
  double *value = base_allocate(base, count * k, sizeof *value);
  int64_t *position = base_allocate(base, count * k, sizeof *position);
  int32_t *filled = base_allocate(base, count, sizeof *filled);
  struct candidate *scratch = base_allocate(base, 3 * k, sizeof *scratch);
  pcct_status status = value && position && filled && scratch ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    const struct joining joining = {scratch, scratch + k, scratch + 2 * k};
    const struct walk_sweep sweep = {.count = count,
                                     .points = doubt->points,
                                     .limit = doubt->limit,
                                     .cutoff = doubt->bound,
                                     .cutoff_position = doubt->bound_position};
    const struct walk_rows known = walk_rows_plain(value, position, filled, k);
    status = walk_sweep(base, index->prefix->view, &sweep, k, &known);
    for (int64_t f = 0; f < count && status == PCCT_OK; f++) {
      if (filled[f] > 0) {
        join(rows, doubt->query[f], &known, f, k, &joining);
        set_bound(rows, k, doubt, f);
      }
    }
  }
  base_free(value);
  base_free(position);
  base_free(filled);
  base_free(scratch);
  return status;
}

/* Looks for ranks to ask.
 *   needed [in] points that a bound must be sure of */
static pcct_status look_around(pcct_index *index, int64_t needed, struct doubt *doubt) {
  const struct directory *directory = index->directory;
  struct base *base = &index->context->base;
  const int64_t size = directory_width(directory);
  const int d = index->metric.dimension;
  const int threads = doubt->count >= BASE_PARALLEL_MIN ? base->threads : 1;
  int *places = directory_places(base, directory, threads);
  struct directory_reach *reach = base_allocate(base, size * threads, sizeof *reach);
  struct vouched *scratch =
      base_allocate(base, (int64_t)directory->count * threads, sizeof *scratch);
  const pcct_status status = places && reach && scratch ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
#pragma omp parallel num_threads(threads)
    {
      const int64_t t = omp_get_thread_num();
      struct directory_reach *near = reach + t * size;
#pragma omp for schedule(static)
      for (int64_t f = 0; f < doubt->count; f++) {
        const double *point = doubt->points + f * d;
        if (doubt->bound_position[f] == INT64_MAX) { /* what regions vouch for */
          doubt->bound[f] = directory_bound(directory, point, doubt->limit[f], needed,
                                            scratch + t * directory->count);
        }
        doubt->found[f] = directory_find(directory, point, doubt->limit[f], doubt->bound[f],
                                         doubt->bound_position[f], doubt->predecessors,
                                         index->context->rank, places + t * size, near);
        for (int i = 0; i < doubt->found[f] && i < DOUBT_NEAR; i++) {
          doubt->near[f * DOUBT_NEAR + i] = near[i];
        }
      }
    }
  }
  base_free(places);
  base_free(reach);
  base_free(scratch);
  return status;
}

pcct_status doubt_create(pcct_index *index, int64_t k, const struct route_queries *queries,
                         const struct walk_rows *rows, struct doubt *doubt) {
  const int self = queries->self != NULL;
  *doubt = (struct doubt){.predecessors = self && queries->self->predecessors};
  pcct_status status = pick(index, k, queries, rows, doubt);
  if (status == PCCT_OK && doubt->predecessors && index->prefix->count > 0) {
    status = ask_prefix(index, k, rows, doubt);
  }
  if (status == PCCT_OK) { /* a neighbours' query may vouch for itself */
    status = look_around(index, k + (self && !doubt->predecessors), doubt);
  }
  return status;
}
