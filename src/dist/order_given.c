/*
 * Inversion of a given permutation: every row's owner is told who claims the row.
 */
#include "dist/order_given.h"

#include "dist/order_route.h"

struct claim {
  int64_t row, position;
};

/* The lowest failing rank's message is the one that all get, and it has the lowest positions. */
static pcct_status check_range(struct base *base, const int64_t *permutation, int64_t first,
                               int64_t count, int64_t total) {
  for (int64_t i = 0; i < count; i++) {
    if (permutation[i] < 0 || permutation[i] >= total) {
      return base_fail(base, PCCT_INPUT,
                       "the ordering is no permutation: position %lld has row %lld, expected a row "
                       "from 0 to %lld (rows count from 0)",
                       (long long)(first + i), (long long)permutation[i], (long long)(total - 1));
    }
  }
  return PCCT_OK;
}

/* Fills positions from claims, which come in ascending order of position. */
static pcct_status settle(struct base *base, const struct claim *claims, int64_t claimed,
                          int64_t first, int64_t count, int64_t *positions) {
  int64_t repeated = INT64_MAX, second = 0;
  for (int64_t i = 0; i < count; i++) {
    positions[i] = -1;
  }
  for (int64_t i = 0; i < claimed; i++) {
    int64_t *position = &positions[claims[i].row - first];
    if (*position < 0) {
      *position = claims[i].position;
    } else if (claims[i].row < repeated) {
      repeated = claims[i].row;
      second = claims[i].position;
    }
  }
  if (repeated < INT64_MAX) {
    return base_fail(base, PCCT_INPUT,
                     "the ordering is no permutation: row %lld is at position %lld and again at "
                     "position %lld, expected every row once",
                     (long long)repeated, (long long)positions[repeated - first],
                     (long long)second);
  }
  return PCCT_OK;
}

pcct_status dist_order_given(pcct_context *context, const int64_t *permutation, int64_t first,
                             int64_t count, int64_t total, int64_t *positions) {
  struct base *base = &context->base;
  struct dist_order_route route = {0};
  void *received = NULL;
  int64_t claimed = 0;
  int64_t *starts = NULL;
  struct claim *send = NULL;
  pcct_status status = comm_agree(context, check_range(base, permutation, first, count, total));
  if (status != PCCT_OK) {
    goto cleanup;
  }
  starts = base_allocate(base, context->size + 1, sizeof *starts);
  send = base_allocate(base, count, sizeof *send);
  status = dist_order_route_create(context, count, &route);
  status = comm_agree(context, starts && send ? status : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  dist_order_starts(context, count, starts);
  for (int64_t i = 0; i < count; i++) {
    route.slots[i] = dist_order_owner(starts, context->size, permutation[i]);
  }
  dist_order_route_layout(context, count, &route);
  for (int64_t i = 0; i < count; i++) {
    send[route.slots[i]] = (struct claim){.row = permutation[i], .position = first + i};
  }
  status = comm_exchange(context, send, route.send_counts, sizeof *send, route.receive_counts,
                         &received, &claimed, COUNTER_bytes_order);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  status = comm_agree(context, settle(base, received, claimed, first, count, positions));

cleanup:
  base_free(starts);
  base_free(send);
  base_free(received);
  dist_order_route_clear(&route);
  return status;
}
