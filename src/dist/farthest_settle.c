/* From kernel values of length scales to positions. */
#include "dist/farthest_settle.h"

#include "dist/order_lookup.h"
#include "dist/order_route.h"
#include "dist/order_sort.h"

struct scaled {
  int64_t position; /* preliminary */
  double value;     /* kernel value of the length scale */
};

/* Values to the ranks that have the preliminary positions in their slabs.
 *   value [out] [row_count] */
static pcct_status return_values(const pcct_index *index, const struct walk_farthest *walk,
                                 double *value) {
  pcct_context *context = index->context;
  const int64_t slots = (int64_t)walk->view->blocks * VIEW_WIDTH;
  struct dist_order_route route = {0};
  void *received = NULL;
  int64_t arrived = 0, next = 0;
  if (context->size == 1) {
    for (int64_t s = 0; s < slots; s++) {
      if (walk->view->position[s] < INT64_MAX) {
        value[walk->view->position[s]] = -walk->value[s];
      }
    }
    return PCCT_OK;
  }
  struct scaled *send = base_allocate(&context->base, index->count, sizeof *send);
  int64_t *starts = base_allocate(&context->base, context->size + 1, sizeof *starts);
  pcct_status status = dist_order_route_create(context, index->count, &route);
  status = comm_agree(context, send && starts ? status : PCCT_MEMORY);
  if (status == PCCT_OK) {
    dist_order_starts(context, index->row_count, starts);
    for (int64_t s = 0; s < slots; s++) {
      if (walk->view->position[s] < INT64_MAX) {
        route.slots[next++] = dist_order_owner(starts, context->size, walk->view->position[s]);
      }
    }
    dist_order_route_layout(context, index->count, &route);
    next = 0;
    for (int64_t s = 0; s < slots; s++) {
      if (walk->view->position[s] < INT64_MAX) {
        send[route.slots[next++]] = (struct scaled){walk->view->position[s], -walk->value[s]};
      }
    }
    status = comm_exchange(context, send, route.send_counts, sizeof *send, route.receive_counts,
                           &received, &arrived, COUNTER_bytes_order);
  }
  for (int64_t i = 0; i < arrived && status == PCCT_OK; i++) {
    const struct scaled *scaled = (const struct scaled *)received + i;
    value[scaled->position - starts[context->rank]] = scaled->value;
  }
  base_free(send);
  base_free(starts);
  base_free(received);
  dist_order_route_clear(&route);
  return status;
}

/* Positions of the slab's preliminary positions: by group, length scale descending, preliminary position. */
static pcct_status sort_values(const pcct_index *index, const int64_t *row_group,
                               const double *value, int64_t *position) {
  pcct_context *context = index->context;
  const int words = row_group ? 3 : 2;
  const int64_t first = comm_scan_before(context, index->row_count);
  uint64_t *records =
      base_allocate(&context->base, index->row_count, (size_t)words * sizeof *records);
  pcct_status status = comm_agree(context, records ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    base_free(records);
    return status;
  }
  for (int64_t i = 0; i < index->row_count; i++) {
    uint64_t *record = records + i * words;
    if (row_group) {
      *record++ = (uint64_t)row_group[i] ^ (UINT64_C(1) << 63);
    }
    record[0] = ~sort_key(value[i]);
    record[1] = (uint64_t)(first + i);
  }
  return dist_order_sort(context, &records, words, first, index->row_count, position);
}

pcct_status farthest_settle(pcct_index *index, const struct walk_farthest *walk,
                            const int64_t *row_group) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const int64_t rows = index->row_count;
  double *value = base_allocate(base, rows, sizeof *value);
  int64_t *slab = base_allocate(base, rows, sizeof *slab);
  index->length_scale = base_allocate(base, rows, sizeof *index->length_scale);
  pcct_status status =
      comm_agree(context, value && slab && index->length_scale ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = return_values(index, walk, value);
  }
  if (status == PCCT_OK) {
    status = sort_values(index, row_group, value, slab);
  }
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(static) num_threads(base->threads) if (rows >= BASE_PARALLEL_MIN)
    for (int64_t i = 0; i < rows; i++) {
      value[i] = metric_user_distance(&index->metric, value[i]);
    }
    /* lookups carry 64-bit words, whatever they mean */
    status = dist_order_lookup(context, (const int64_t *)(const void *)value, rows,
                               index->row_position, rows, (int64_t *)(void *)index->length_scale);
  }
  if (status == PCCT_OK) {
    status = dist_order_lookup(context, slab, rows, index->row_position, rows, index->row_position);
  }
  if (status == PCCT_OK) {
    status = dist_order_lookup(context, slab, rows, index->position, index->count, index->position);
  }
  base_free(value);
  base_free(slab);
  return status;
}
