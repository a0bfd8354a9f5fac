/* The public queries: which points ask, who answers, and rows into output order. */
#include "dist/route.h"
#include "dist/slab.h"
#include "dist/transform.h"

#include <string.h>

void pcct_rows_clear(pcct_rows *rows) {
  base_free(rows->index32);
  base_free(rows->index64);
  base_free(rows->distance);
  base_free(rows->filled);
  *rows = (pcct_rows){0};
}

static pcct_status rows_create(pcct_index *index, int64_t first, int64_t count, int64_t width,
                               pcct_rows *rows) {
  struct base *base = &index->context->base;
  *rows = (pcct_rows){.first = first, .count = count, .width = width};
  if (count > 0 && width > INT64_MAX / 16 / count) {
    return base_fail(base, PCCT_MEMORY, "%lld rows of %lld entries do not fit in memory",
                     (long long)count, (long long)width);
  }
  if (index->total <= INT32_MAX) {
    rows->index32 = base_allocate(base, count * width, sizeof(int32_t));
  } else {
    rows->index64 = base_allocate(base, count * width, sizeof(int64_t));
  }
  rows->distance = base_allocate(base, count * width, sizeof(double));
  rows->filled = base_allocate(base, count, sizeof(int32_t));
  return (rows->index32 || rows->index64) && rows->distance && rows->filled ? PCCT_OK : PCCT_MEMORY;
}

/* Rows in the caller's arrays. */
static struct walk_rows rows_layout(const pcct_rows *rows) {
  const int size = rows->index32 ? 4 : 8;
  return (struct walk_rows){.value = (char *)rows->distance,
                            .index = rows->index32 ? (char *)rows->index32 : (char *)rows->index64,
                            .filled = (char *)rows->filled,
                            .value_stride = 8 * rows->width,
                            .index_stride = size * rows->width,
                            .filled_stride = 4,
                            .width = rows->width,
                            .index_size = size};
}

/* Rows as records to be sent: place in the output (int64), entries (int32), kernel values, indices. */
static int64_t record_size(int64_t width, int index_size) {
  return (16 + width * (8 + index_size) + 7) / 8 * 8;
}

static struct walk_rows record_layout(char *records, int64_t width, int index_size) {
  const int64_t size = record_size(width, index_size);
  return (struct walk_rows){.value = records + 16,
                            .index = records + 16 + 8 * width,
                            .filled = records + 8,
                            .value_stride = size,
                            .index_stride = size,
                            .filled_stride = size,
                            .width = width,
                            .index_size = index_size};
}

/* The place of a record, and zeros where nothing else is written: no undefined byte is sent. */
static void record_start(char *record, int64_t place, int64_t width, int index_size) {
  memset(record + record_size(width, index_size) - 8, 0, 8);
  memset(record + 8, 0, 8);
  memcpy(record, &place, sizeof place);
}

static void convert_distances(const pcct_index *index, pcct_rows *rows) {
  const int64_t count = rows->count * rows->width;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(index->context->base.threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    rows->distance[i] = metric_user_distance(&index->metric, rows->distance[i]);
  }
}

/* Records received into the caller's rows; `place` maps record i to a row, NULL: by the record itself. */
static void unpack_records(const char *records, int64_t count, const int64_t *place,
                           pcct_rows *rows) {
  const struct walk_rows to = rows_layout(rows);
  const int64_t width = rows->width;
  const int64_t size = record_size(width, to.index_size);
  for (int64_t i = 0; i < count; i++) {
    const char *record = records + i * size;
    int64_t row;
    memcpy(&row, record, sizeof row);
    row = place ? place[i] : row - rows->first;
    memcpy(rows->filled + row, record + 8, sizeof(int32_t));
    memcpy(rows->distance + row * width, record + 16, (size_t)width * sizeof(double));
    memcpy(to.index + row * to.index_stride, record + 16 + 8 * width,
           (size_t)(width * to.index_size));
  }
}

/* One rank alone: rows are written in place. */
static pcct_status answer_in_place(pcct_index *index, const struct route_queries *queries,
                                   int64_t k, int64_t first, int64_t count, pcct_rows *rows) {
  pcct_status status = rows_create(index, first, count, rows->width, rows);
  if (status == PCCT_OK) {
    struct walk_rows layout = rows_layout(rows);
    layout.units = &index->metric;
    status = route_answer(index, queries, k, &layout);
  }
  return status;
}

/* Several ranks: rows are answered straight into the send buffer, grouped by the rank whose slab they are in,
 * exchanged once, and unpacked. */
static pcct_status answer_and_send(pcct_index *index, struct walk_self *self, int64_t k,
                                   pcct_rows *rows) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const int size = context->size;
  const int64_t width = rows->width;
  const int index_size = index->total <= INT32_MAX ? 4 : 8;
  int64_t slab_first;
  int64_t slab_count;
  int64_t received = 0;
  void *arrived = NULL;
  struct route_queries queries = {.self = self};
  int64_t *place = NULL;
  char *records = NULL;
  int64_t *counts = base_allocate_zero(base, 3 * (int64_t)size, sizeof *counts);
  pcct_status status = counts ? walk_self_list(base, self, &place, &queries.count) : PCCT_MEMORY;
  int64_t *row = status == PCCT_OK ? base_allocate(base, queries.count, sizeof *row) : NULL;
  if (row) {
    records = base_allocate(base, queries.count, (size_t)record_size(width, index_size));
  }
  status = comm_agree(context, status == PCCT_OK && !records ? PCCT_MEMORY : status);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  int64_t *next = counts + 2 * size;
  for (int64_t q = 0; q < queries.count; q++) {
    row[q] = walk_self_look(self, place[q], NULL) - self->first;
    counts[dist_slab_owner(self->count, size, row[q])]++;
  }
  for (int r = 1; r < size; r++) {
    next[r] = next[r - 1] + counts[r - 1];
  }
  for (int64_t q = 0; q < queries.count; q++) {
    const int64_t position = self->first + row[q];
    row[q] = next[dist_slab_owner(self->count, size, row[q])]++;
    record_start(records + row[q] * record_size(width, index_size), position, width, index_size);
  }
  self->row = row;
  queries.place = place;
  const struct walk_rows layout = record_layout(records, width, index_size);
  status = route_answer(index, &queries, k, &layout);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_reorder);
    status = comm_exchange(context, records, counts, (size_t)record_size(width, index_size),
                           counts + size, &arrived, &received, COUNTER_bytes_reorder);
  }
  base_free(records);
  records = NULL;
  if (status == PCCT_OK) {
    pcct_slab(self->count, context->rank, size, &slab_first, &slab_count);
    status =
        comm_agree(context, rows_create(index, self->first + slab_first, slab_count, width, rows));
  }
  if (status == PCCT_OK) {
    unpack_records(arrived, received, NULL, rows);
    convert_distances(index, rows);
  }
cleanup:
  base_free(counts);
  base_free(place);
  base_free(row);
  base_free(records);
  base_free(arrived);
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
    const struct route_queries queries = {.count = count, .self = &self};
    status = context->size == 1 ? answer_in_place(index, &queries, k, first, count, rows)
                                : answer_and_send(index, &self, k, rows);
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

static pcct_status visit_prepare(pcct_index *index, const pcct_points *queries,
                                 struct visit *visit) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const int d = index->metric.dimension;
  const int size = context->size;
  visit->send = base_allocate(base, queries->count * d, sizeof(double));
  visit->place = base_allocate(base, queries->count, sizeof(int64_t));
  visit->counts = base_allocate_zero(base, 4 * (int64_t)size, sizeof(int64_t));
  if (!visit->send || !visit->place || !visit->counts) {
    return PCCT_MEMORY;
  }
  visit->arrived_counts = visit->counts + size;
  visit->back_counts = visit->counts + 2 * size;
  int64_t *next = visit->counts + 3 * size;
  for (int64_t q = 0; q < queries->count; q++) {
    visit->counts[parts_locate(index->parts, visit->search + q * d, -1)]++;
  }
  for (int r = 1; r < size; r++) {
    next[r] = next[r - 1] + visit->counts[r - 1];
  }
  for (int64_t q = 0; q < queries->count; q++) {
    const int64_t to = next[parts_locate(index->parts, visit->search + q * d, -1)]++;
    memcpy(visit->send + to * d, visit->search + q * d, (size_t)d * sizeof(double));
    visit->place[to] = q;
  }
  return PCCT_OK;
}

/* Answers the queries that arrived into records. */
static pcct_status visit_answer(pcct_index *index, const double *points, int64_t count,
                                int64_t width, char **records) {
  struct base *base = &index->context->base;
  const int index_size = index->total <= INT32_MAX ? 4 : 8;
  const int64_t most = index->total > 0 ? index->total : 1;
  *records = base_allocate(base, count, (size_t)record_size(width, index_size));
  pcct_status status = comm_agree(index->context, *records ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t q = 0; q < count; q++) {
      record_start(*records + q * record_size(width, index_size), q, width, index_size);
    }
    const struct walk_sweep sweep = {.count = count, .points = points};
    const struct route_queries queries = {.count = count, .sweep = &sweep};
    const struct walk_rows layout = record_layout(*records, width, index_size);
    status = route_answer(index, &queries, width < most ? width : most, &layout);
  }
  return status;
}

/* Answers the queries by their home ranks, and takes the rows back. */
static pcct_status visit_and_return(pcct_index *index, const pcct_points *queries,
                                    struct visit *visit, pcct_rows *rows) {
  pcct_context *context = index->context;
  const int64_t k = rows->width;
  const size_t size = (size_t)record_size(k, index->total <= INT32_MAX ? 4 : 8);
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
    status = comm_agree(context, rows_create(index, queries->first_row, queries->count, k, rows));
  }
  if (status == PCCT_OK) {
    unpack_records(back, returned, visit->place, rows);
    convert_distances(index, rows);
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
    const struct route_queries alone = {.count = queries->count, .sweep = &sweep};
    status = answer_in_place(index, &alone, k < most ? k : most, queries->first_row, queries->count,
                             rows);
  } else if (status == PCCT_OK) {
    status = visit_and_return(index, queries, &visit, rows);
  }
  if (status != PCCT_OK) {
    pcct_rows_clear(rows);
  }
  visit_free(&visit);
  return status;
}
