/* The public queries: which points ask, who answers, and where rows go. */
#include "dist/deliver.h"
#include "dist/record.h"
#include "dist/route.h"
#include "dist/transform.h"

#include <string.h>

/* One rank alone: rows are written in place, as the user's distances. */
static pcct_status answer_in_place(pcct_index *index, const struct walk_self *self,
                                   const struct walk_sweep *sweep, int64_t k, int64_t first,
                                   int64_t count, pcct_rows *rows) {
  struct base *base = &index->context->base;
  pcct_status status = record_rows_create(index, first, count, rows->width, rows);
  if (status == PCCT_OK) {
    struct walk_rows layout = record_rows_layout(rows);
    layout.units = &index->metric;
    base->counters[COUNTER_queries] += count;
    status = self ? walk_self(base, self, k, &layout)
                  : walk_sweep(base, index->views.view[0], sweep, k, &layout);
  }
  return status;
}

/* Rows of the index's own points. */
static pcct_status own_rows(pcct_index *index, int64_t width, int64_t first, int64_t count,
                            int predecessors, pcct_rows *rows) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  *rows = (pcct_rows){.width = width};
  base_clear_message(base);
  if (width < 1) {
    return base_fail(base, PCCT_USAGE, "expected at least 1 neighbour a row, found %lld",
                     (long long)width);
  }
  if (first < 0 || count < 0 || first > index->total || count > index->total - first) {
    return base_fail(base, PCCT_USAGE, "block of %lld rows from %lld: expected a part of 0..%lld",
                     (long long)count, (long long)first, (long long)index->total);
  }
  pcct_status status = predecessors ? dist_prepare_predecessors(index) : PCCT_OK;
  pcct_context_enter_phase(context, PCCT_PHASE_query);
  if (status == PCCT_OK) {
    const int64_t most = index->total > 0 ? index->total : 1;
    const int64_t k = width < most ? width : most;
    struct walk_self self = {
        .views = &index->views, .first = first, .count = count, .predecessors = predecessors};
    status = context->size == 1 ? answer_in_place(index, &self, NULL, k, first, count, rows)
                                : deliver_rows(index, &self, k, width, rows);
  }
  if (status != PCCT_OK) {
    pcct_rows_clear(rows);
  }
  return status;
}

pcct_status pcct_index_conditioning_sets(pcct_index *index, int64_t m, int64_t first, int64_t count,
                                         pcct_rows *rows) {
  return own_rows(index, m, first, count, 1, rows);
}

static pcct_status need_plain_order(pcct_index *index) {
  return index->ordering == PCCT_ORDERING_NONE
             ? PCCT_OK
             : base_fail(&index->context->base, PCCT_USAGE,
                         "nearest neighbours need an index of ordering none, found ordering %d",
                         (int)index->ordering);
}

pcct_status pcct_index_neighbors(pcct_index *index, int64_t k, int64_t first, int64_t count,
                                 pcct_rows *rows) {
  *rows = (pcct_rows){0};
  base_clear_message(&index->context->base);
  pcct_status status = need_plain_order(index);
  return status == PCCT_OK ? own_rows(index, k, first, count, 0, rows) : status;
}

/* Foreign queries on their way to their home ranks and their rows on the way back. */
struct visit {
  double *search; /* [own queries][dimension] */
  double *send;   /* the same, by home */
  int64_t *place; /* the own query of each sent one */
  int64_t *counts, *arrived_counts, *back_counts;
};

static void visit_free(struct visit *visit) {
  base_free(visit->search);
  base_free(visit->send);
  base_free(visit->place);
  base_free(visit->counts);
}

/* The rank that answers a foreign query first. */
static int home_of(const pcct_index *index, const double *point) {
  return index->parts ? parts_locate(index->parts, point, -1)
                      : directory_home(index->directory, point);
}

static pcct_status visit_prepare(pcct_index *index, const pcct_points *queries,
                                 struct visit *visit) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const int d = index->metric.dimension;
  const int size = context->size;
  visit->send = base_allocate(base, queries->count * d, sizeof(double));
  visit->place = base_allocate(base, queries->count, sizeof(int64_t));
  visit->counts = base_allocate_zero(base, 4 * (int64_t)size, sizeof(int64_t));
  int *home = base_allocate(base, queries->count, sizeof *home);
  if (!visit->send || !visit->place || !visit->counts || !home) {
    base_free(home);
    return PCCT_MEMORY;
  }
  visit->arrived_counts = visit->counts + size;
  visit->back_counts = visit->counts + 2 * size;
  int64_t *next = visit->counts + 3 * size;
  for (int64_t q = 0; q < queries->count; q++) {
    home[q] = home_of(index, visit->search + q * d);
    visit->counts[home[q]]++;
  }
  for (int r = 1; r < size; r++) {
    next[r] = next[r - 1] + visit->counts[r - 1];
  }
  for (int64_t q = 0; q < queries->count; q++) {
    const int64_t to = next[home[q]]++;
    memcpy(visit->send + to * d, visit->search + q * d, (size_t)d * sizeof(double));
    visit->place[to] = q;
  }
  base_free(home);
  return PCCT_OK;
}

/* Answers the queries that arrived into records. Collective. */
static pcct_status visit_answer(pcct_index *index, const double *points, int64_t count,
                                int64_t width, char **records) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const int index_size = record_index_size(index);
  const int64_t most = index->total > 0 ? index->total : 1;
  const int64_t k = width < most ? width : most;
  const struct walk_sweep sweep = {.count = count, .points = points};
  const struct route_queries queries = {.count = count, .sweep = &sweep};
  struct route *route = NULL;
  unsigned char *taken = base_allocate(base, count, 1);
  *records = base_allocate(base, count, (size_t)record_size(width, index_size));
  pcct_status status = comm_agree(context, *records && taken ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = route_create(index, k, &route);
  }
  if (status == PCCT_OK) {
    const struct walk_rows layout = record_layout(*records, width, index_size);
    for (int64_t q = 0; q < count; q++) {
      record_start(*records + q * record_size(width, index_size), q, width, index_size);
    }
    base->counters[COUNTER_queries] += count;
    status = walk_sweep(base, index->views.view[0], &sweep, k, &layout);
    if (status == PCCT_OK) {
      status = route_take(route, &queries, &layout, taken);
    }
  }
  if (route) {
    status = route_finish(route, status);
  }
  if (status == PCCT_OK) {
    const struct walk_rows layout = record_layout(*records, width, index_size);
    const int64_t improved = route_count(route);
    for (int64_t i = 0; i < improved; i++) {
      route_put(route, i, &layout, route_query(route, i));
    }
  }
  route_destroy(&route);
  base_free(taken);
  return status;
}

/* Answers the queries by their home ranks, and takes the rows back. */
static pcct_status visit_and_return(pcct_index *index, const pcct_points *queries,
                                    struct visit *visit, pcct_rows *rows) {
  pcct_context *context = index->context;
  const int64_t k = rows->width;
  const size_t size = (size_t)record_size(k, record_index_size(index));
  void *points = NULL;
  void *back = NULL;
  char *records = NULL;
  int64_t arrived = 0;
  int64_t returned = 0;
  pcct_status status = comm_agree(context, visit_prepare(index, queries, visit));
  if (status == PCCT_OK) {
    status = comm_exchange(context, visit->send, visit->counts,
                           (size_t)index->metric.dimension * sizeof(double), visit->arrived_counts,
                           &points, &arrived, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = visit_answer(index, points, arrived, k, &records);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_reorder);
    status = comm_exchange(context, records, visit->arrived_counts, size, visit->back_counts, &back,
                           &returned, COUNTER_bytes_reorder);
  }
  base_free(records);
  if (status == PCCT_OK) {
    status =
        comm_agree(context, record_rows_create(index, queries->first_row, queries->count, k, rows));
  }
  for (int64_t i = 0; i < returned && status == PCCT_OK; i++) {
    record_unpack(&index->metric, (const char *)back + i * (int64_t)size, visit->place[i], rows);
  }
  base_free(points);
  base_free(back);
  return status;
}

pcct_status pcct_index_query(pcct_index *index, const pcct_points *queries, int64_t k,
                             pcct_rows *rows) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  struct visit visit = {0};
  *rows = (pcct_rows){.width = k};
  base_clear_message(base);
  pcct_status status = need_plain_order(index);
  if (status == PCCT_OK && (k < 1 || queries->dimension != index->metric.user_dimension)) {
    status =
        base_fail(base, PCCT_USAGE,
                  "expected k of at least 1 and queries of %d coordinates, found k %lld and %d",
                  index->metric.user_dimension, (long long)k, queries->dimension);
  }
  if (status != PCCT_OK) {
    return status;
  }
  pcct_context_enter_phase(context, PCCT_PHASE_query);
  status = dist_transform(context, &index->metric, queries, "query row", &visit.search);
  if (status == PCCT_OK && context->size == 1) {
    const int64_t most = index->total > 0 ? index->total : 1;
    const struct walk_sweep sweep = {.count = queries->count, .points = visit.search};
    status = answer_in_place(index, NULL, &sweep, k < most ? k : most, queries->first_row,
                             queries->count, rows);
  } else if (status == PCCT_OK) {
    status = visit_and_return(index, queries, &visit, rows);
  }
  if (status != PCCT_OK) {
    pcct_rows_clear(rows);
  }
  visit_free(&visit);
  return status;
}
