/* Values that lie in slabs over the ranks. */
#include "dist/order_lookup.h"

#include "dist/order_route.h"

static pcct_status lookup(pcct_context *context, const int64_t *slab, int64_t count,
                          const int64_t *starts, const int64_t *item, int64_t items,
                          struct dist_order_route *route, int64_t *out) {
  struct base *base = &context->base;
  void *asked = NULL;
  void *back = NULL;
  int64_t *answers = NULL;
  int64_t arrived = 0;
  for (int64_t i = 0; i < items; i++) {
    route->slots[i] = dist_order_owner(starts, context->size, item[i]);
  }
  int64_t *send = base_allocate(base, dist_order_route_layout(context, items, route), sizeof *send);
  pcct_status status = comm_agree(context, send ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < items; i++) {
      send[route->slots[i]] = item[i];
    }
    status = comm_exchange(context, send, route->send_counts, sizeof *send, route->receive_counts,
                           &asked, &arrived, COUNTER_bytes_order);
  }
  if (status == PCCT_OK) {
    answers = base_allocate(base, arrived, sizeof *answers);
    status = comm_agree(context, answers ? PCCT_OK : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    const int64_t first = starts[context->rank];
    for (int64_t i = 0; i < arrived; i++) {
      const int64_t at = ((const int64_t *)asked)[i] - first;
      answers[i] = at >= 0 && at < count ? slab[at] : -1;
    }
    status = comm_exchange_known(context, answers, route->receive_counts, sizeof *answers,
                                 route->send_counts, &back, COUNTER_bytes_order);
  }
  for (int64_t i = 0; i < items && status == PCCT_OK; i++) {
    out[i] = ((const int64_t *)back)[route->slots[i]];
  }
  base_free(send);
  base_free(asked);
  base_free(answers);
  base_free(back);
  return status;
}

pcct_status dist_order_lookup(pcct_context *context, const int64_t *slab, int64_t count,
                              const int64_t *item, int64_t items, int64_t *out) {
  struct base *base = &context->base;
  struct dist_order_route route = {0};
  if (context->size == 1) {
#pragma omp parallel for schedule(static) num_threads(base->threads) if (items >= BASE_PARALLEL_MIN)
    for (int64_t i = 0; i < items; i++) {
      out[i] = slab[item[i]];
    }
    return PCCT_OK;
  }
  int64_t *starts = base_allocate(base, context->size + 1, sizeof *starts);
  pcct_status status = dist_order_route_create(context, items, &route);
  status = comm_agree(context, starts ? status : PCCT_MEMORY);
  if (status == PCCT_OK) {
    dist_order_starts(context, count, starts);
    status = lookup(context, slab, count, starts, item, items, &route, out);
  }
  base_free(starts);
  dist_order_route_clear(&route);
  return status;
}
