/*
 * Routing of single items to their ranks.
 */
#include "dist/order_route.h"

void dist_order_starts(pcct_context *context, int64_t count, int64_t *starts) {
  MPI_Allgather(&count, 1, MPI_INT64_T, starts, 1, MPI_INT64_T, context->comm);
  int64_t before = 0;
  for (int rank = 0; rank < context->size; rank++) {
    int64_t here = starts[rank];
    starts[rank] = before;
    before += here;
  }
  starts[context->size] = before;
}

int dist_order_owner(const int64_t *starts, int size, int64_t item) {
  /* starts[low] <= item < starts[high]: an empty rank's start equals the next one's and is passed
   * by */
  int low = 0, high = size;
  while (high - low > 1) {
    int middle = low + (high - low) / 2;
    if (starts[middle] <= item) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

pcct_status dist_order_route_create(pcct_context *context, int64_t count,
                                    struct dist_order_route *route) {
  struct base *base = &context->base;
  route->send_counts = base_allocate_zero(base, context->size, sizeof *route->send_counts);
  route->receive_counts = base_allocate_zero(base, context->size, sizeof *route->receive_counts);
  route->slots = base_allocate(base, count, sizeof *route->slots);
  return route->send_counts && route->receive_counts && route->slots ? PCCT_OK : PCCT_MEMORY;
}

int64_t dist_order_route_layout(const pcct_context *context, int64_t count,
                                struct dist_order_route *route) {
  for (int64_t i = 0; i < count; i++) {
    if (route->slots[i] >= 0) {
      route->send_counts[route->slots[i]]++;
    }
  }
  int64_t *next = route->receive_counts; /* free until the exchange */
  int64_t total = 0;
  for (int rank = 0; rank < context->size; rank++) {
    next[rank] = total;
    total += route->send_counts[rank];
  }
  for (int64_t i = 0; i < count; i++) {
    if (route->slots[i] >= 0) {
      route->slots[i] = next[route->slots[i]]++;
    }
  }
  return total;
}

void dist_order_route_clear(struct dist_order_route *route) {
  base_free(route->send_counts);
  base_free(route->receive_counts);
  base_free(route->slots);
  *route = (struct dist_order_route){0};
}
