/*
 * Sample sort: rank 0 sorts a sample and cuts it into as many parts as there are ranks, every
 * record goes to the rank of its part, parts are sorted locally, and each row's position goes back
 * to its owner.
 */
#include "dist/order_sort.h"

#include "base/random.h"
#include "base/sort.h"
#include "dist/order_route.h"

#include <string.h>

/* With 256 records sampled for each part, parts of up to thousands of ranks exceed the mean by
 * about a quarter at most. */
#define SAMPLES_PER_PART 256

struct placed_row {
  int64_t row, position;
};

static int compare(const uint64_t *a, const uint64_t *b, int words) {
  for (int w = 0; w < words; w++) {
    if (a[w] != b[w]) {
      return a[w] < b[w] ? -1 : 1;
    }
  }
  return 0;
}

/* The part of a record: the number of splitters that are not above it. */
static int part_of(const uint64_t *record, const uint64_t *splitters, int parts, int words) {
  int low = 0, high = parts - 1; /* all before low are not above, all from high on are above */
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (compare(splitters + (int64_t)middle * words, record, words) <= 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Rank 0: splitters [size - 1][words] from the sorted sample. */
static void cut_sample(const uint64_t *sample, int64_t sampled, int size, int words,
                       uint64_t *splitters) {
  for (int part = 1; part < size; part++) {
    int64_t from = sampled * part / size;
    memcpy(splitters + (int64_t)(part - 1) * words, sample + from * words,
           (size_t)words * sizeof *sample);
  }
}

/* The splitters on all ranks. Each rank contributes in proportion to its count, rows drawn at
 * random. */
static pcct_status choose_splitters(pcct_context *context, const uint64_t *records, int words,
                                    int64_t first_row, int64_t count, uint64_t *splitters) {
  struct base *base = &context->base;
  size_t record_bytes = (size_t)words * sizeof *records;
  void *sample = NULL;
  int64_t sampled = 0;
  int64_t total = comm_sum(context, count);
  int64_t wanted = (int64_t)SAMPLES_PER_PART * context->size;
  int64_t own = count > 0 ? (int64_t)((double)count / (double)total * (double)wanted) + 1 : 0;
  uint64_t *own_sample = base_allocate(base, own, record_bytes);
  pcct_status status = comm_agree(context, own_sample ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  for (int64_t i = 0; i < own; i++) {
    uint64_t draw = random_bits(0, RANDOM_SAMPLE, (uint64_t)(first_row + i));
    int64_t from = (int64_t)(draw % (uint64_t)count);
    memcpy(own_sample + i * words, records + from * words, record_bytes);
  }
  status = comm_gather_root(context, own_sample, own, record_bytes, &sample, &sampled);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  if (context->rank == 0) {
    status = sort_records(base, sample, sampled, words);
  }
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  if (sampled > 0) {
    cut_sample(sample, sampled, context->size, words, splitters);
  }
  comm_broadcast(context, splitters, (context->size - 1) * (int64_t)record_bytes);

cleanup:
  base_free(own_sample);
  base_free(sample);
  return status;
}

/* Sends every record to the rank of its part; frees *records and leaves the received ones there. */
static pcct_status send_to_parts(pcct_context *context, uint64_t **records, int words,
                                 int64_t count, const uint64_t *splitters, int64_t *received) {
  size_t record_bytes = (size_t)words * sizeof **records;
  struct dist_order_route route;
  void *parts = NULL;
  uint64_t *send = base_allocate(&context->base, count, record_bytes);
  pcct_status status = dist_order_route_create(context, count, &route);
  status = comm_agree(context, send ? status : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
#pragma omp parallel for num_threads(context->base.threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    route.slots[i] = part_of(*records + i * words, splitters, context->size, words);
  }
  dist_order_route_layout(context, count, &route);
#pragma omp parallel for num_threads(context->base.threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    memcpy(send + route.slots[i] * words, *records + i * words, record_bytes);
  }
  base_free(*records);
  *records = NULL;
  status = comm_exchange(context, send, route.send_counts, record_bytes, route.receive_counts,
                         &parts, received, COUNTER_bytes_order);
  *records = parts;

cleanup:
  base_free(send);
  dist_order_route_clear(&route);
  return status;
}

/* Tells every row's owner its position: this rank holds `held` sorted records, the first at
 * `before`. Frees *records. */
static pcct_status return_positions(pcct_context *context, uint64_t **records, int words,
                                    int64_t held, int64_t before, int64_t first_row, int64_t count,
                                    int64_t *positions) {
  struct dist_order_route route;
  void *received = NULL;
  int64_t total = 0;
  struct placed_row *send = base_allocate(&context->base, held, sizeof *send);
  int64_t *starts = base_allocate(&context->base, context->size + 1, sizeof *starts);
  pcct_status status = dist_order_route_create(context, held, &route);
  status = comm_agree(context, send && starts ? status : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  dist_order_starts(context, count, starts);
#pragma omp parallel for num_threads(context->base.threads) if (held >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < held; i++) {
    int64_t row = (int64_t)(*records)[i * words + words - 1];
    route.slots[i] = dist_order_owner(starts, context->size, row);
  }
  dist_order_route_layout(context, held, &route);
#pragma omp parallel for num_threads(context->base.threads) if (held >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < held; i++) {
    int64_t row = (int64_t)(*records)[i * words + words - 1];
    send[route.slots[i]] = (struct placed_row){.row = row, .position = before + i};
  }
  base_free(*records);
  *records = NULL;
  status = comm_exchange(context, send, route.send_counts, sizeof *send, route.receive_counts,
                         &received, &total, COUNTER_bytes_order);
  const struct placed_row *placed = received;
  for (int64_t i = 0; i < total; i++) {
    positions[placed[i].row - first_row] = placed[i].position;
  }

cleanup:
  base_free(send);
  base_free(starts);
  base_free(received);
  dist_order_route_clear(&route);
  return status;
}

static pcct_status sort_one_rank(pcct_context *context, uint64_t *records, int words,
                                 int64_t first_row, int64_t count, int64_t *positions) {
  pcct_status status = sort_records(&context->base, records, count, words);
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    positions[(int64_t)records[i * words + words - 1] - first_row] = i;
  }
  return status;
}

pcct_status dist_order_sort(pcct_context *context, uint64_t **records, int words, int64_t first_row,
                            int64_t count, int64_t *positions) {
  uint64_t *splitters = NULL;
  int64_t held = 0;
  pcct_status status = PCCT_OK;
  if (context->size == 1) {
    status = sort_one_rank(context, *records, words, first_row, count, positions);
    goto cleanup;
  }
  splitters =
      base_allocate_zero(&context->base, (int64_t)(context->size - 1) * words, sizeof *splitters);
  status = comm_agree(context, splitters ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  status = choose_splitters(context, *records, words, first_row, count, splitters);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  status = send_to_parts(context, records, words, count, splitters, &held);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  status = comm_agree(context, sort_records(&context->base, *records, held, words));
  if (status != PCCT_OK) {
    goto cleanup;
  }
  int64_t before = comm_scan_before(context, held);
  status = return_positions(context, records, words, held, before, first_row, count, positions);

cleanup:
  base_free(splitters);
  base_free(*records);
  *records = NULL;
  return status;
}
