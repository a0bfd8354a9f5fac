/*
 * Per-row data into ordering order, each row with its position in one message.
 */
#include "dist/order.h"
#include "dist/order_route.h"

#include <string.h>

struct range {
  int64_t first, wanted;
};

/* Where each rank's range starts: starts[size + 1]. Every rank sees all ranges and fails alike. */
static pcct_status join_ranges(pcct_context *context, const struct range *ranges, int64_t *starts) {
  int64_t next = -1; /* unknown until the first range that is not empty */
  for (int rank = 0; rank < context->size; rank++) {
    int64_t first = ranges[rank].first, wanted = ranges[rank].wanted;
    if (wanted < 0 || first < 0 || (wanted > 0 && next >= 0 && first != next)) {
      return base_fail(
          &context->base, PCCT_USAGE,
          "rank %d asks for %lld positions from %lld on, expected ranges in rank order "
          "without gaps, the next from %lld on",
          rank, (long long)wanted, (long long)first, (long long)(next < 0 ? 0 : next));
    }
    if (wanted > 0) {
      next = first + wanted;
    }
  }
  int64_t before = next; /* an empty range starts where the next one does */
  for (int rank = context->size - 1; rank >= 0; rank--) {
    starts[rank + 1] = before;
    before -= ranges[rank].wanted;
  }
  starts[0] = before;
  return PCCT_OK;
}

static void copy_on_one_rank(pcct_context *context, const int64_t *positions, int64_t count,
                             int64_t element_size, const char *rows, int64_t first, int64_t wanted,
                             char *out) {
#pragma omp parallel for num_threads(context->base.threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    if (positions[i] >= first && positions[i] - first < wanted) {
      memcpy(out + (positions[i] - first) * element_size, rows + i * element_size,
             (size_t)element_size);
    }
  }
}

/* A record is a position and the row's bytes behind it. */
static void pack(const pcct_context *context, const int64_t *positions, int64_t count,
                 int64_t element_size, const char *rows, const int64_t *slots, char *send) {
  int64_t record = element_size + (int64_t)sizeof *positions;
#pragma omp parallel for num_threads(context->base.threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    if (slots[i] >= 0) {
      memcpy(send + slots[i] * record, &positions[i], sizeof *positions);
      memcpy(send + slots[i] * record + sizeof *positions, rows + i * element_size,
             (size_t)element_size);
    }
  }
}

static void unpack(const pcct_context *context, const char *received, int64_t wanted,
                   int64_t element_size, int64_t first, char *out) {
  int64_t record = element_size + (int64_t)sizeof(int64_t);
#pragma omp parallel for num_threads(context->base.threads) if (wanted >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < wanted; i++) {
    int64_t position;
    memcpy(&position, received + i * record, sizeof position);
    memcpy(out + (position - first) * element_size, received + i * record + sizeof position,
           (size_t)element_size);
  }
}

pcct_status dist_order_permute(pcct_context *context, const int64_t *positions, int64_t count,
                               int64_t element_size, const void *rows, int64_t first,
                               int64_t wanted, void *out) {
  struct base *base = &context->base;
  size_t record = (size_t)element_size + sizeof *positions;
  struct dist_order_route route = {0};
  char *send = NULL;
  void *received = NULL;
  int64_t total = 0;
  struct range own = {.first = first, .wanted = wanted};
  struct range *ranges = base_allocate(base, context->size, sizeof *ranges);
  int64_t *starts = base_allocate(base, context->size + 1, sizeof *starts);
  pcct_status status = dist_order_route_create(context, count, &route);
  status = comm_agree(context, ranges && starts ? status : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  MPI_Allgather(&own, 2, MPI_INT64_T, ranges, 2, MPI_INT64_T, context->comm);
  status = join_ranges(context, ranges, starts);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  if (context->size == 1) {
    copy_on_one_rank(context, positions, count, element_size, rows, first, wanted, out);
    goto cleanup;
  }
  int64_t low = starts[0], high = starts[context->size];
#pragma omp parallel for num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    bool asked_for = positions[i] >= low && positions[i] < high;
    route.slots[i] = asked_for ? dist_order_owner(starts, context->size, positions[i]) : -1;
  }
  send = base_allocate(base, dist_order_route_layout(context, count, &route), record);
  status = comm_agree(context, send ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  pack(context, positions, count, element_size, rows, route.slots, send);
  status = comm_exchange(context, send, route.send_counts, record, route.receive_counts, &received,
                         &total, COUNTER_bytes_reorder);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  if (total != wanted) {
    status = base_fail(base, PCCT_INTERNAL,
                       "rank %d got %lld rows for %lld positions from %lld on: positions are no "
                       "permutation",
                       context->rank, (long long)total, (long long)wanted, (long long)first);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    unpack(context, received, wanted, element_size, first, out);
  }

cleanup:
  base_free(ranges);
  base_free(starts);
  base_free(send);
  base_free(received);
  dist_order_route_clear(&route);
  return status;
}
