/* Two levels of regions: those of ranks, and those of groups of ranks. */
#include "dist/directory_private.h"

#include <string.h>

void directory_group(struct directory *directory, int ranks, int64_t limit) {
  if (ranks > 1 && limit / ranks < DIRECTORY_RANK_LEAST) {
    const int64_t most = limit / DIRECTORY_RANK_LEAST;
    const int64_t groups = most > 1 ? most : 1;
    directory->group_size = (int)(ranks / groups + (ranks % groups > 0));
    directory->groups = (ranks - 1) / directory->group_size + 1;
  }
}

/* One region that holds `count` others. */
static void unite(const struct metric *metric, const void *records, int64_t first, int64_t count,
                  int64_t owner, void *united, int64_t at) {
  const int d = metric->dimension;
  struct directory_record *record = directory_record_at(united, d, at);
  double *point = directory_record_point(united, d, at);
  memcpy(record, directory_record_at(records, d, first), directory_record_size(d));
  record->region.owner = owner;
  for (int64_t i = first + 1; i < first + count; i++) {
    const struct region *more = &directory_record_at(records, d, i)->region;
    const double *other = directory_record_point(records, d, i);
    struct region *region = &record->region;
    const double farthest =
        (metric_root_up(metric->kind, metric_value(metric, point, other)) + more->radius) *
        (1 + METRIC_SLACK);
    region->count += more->count;
    region->smallest = more->smallest < region->smallest ? more->smallest : region->smallest;
    region->largest = more->largest > region->largest ? more->largest : region->largest;
    region->beyond = more->beyond < region->beyond ? more->beyond : region->beyond;
    region->radius = farthest > region->radius ? farthest : region->radius;
    for (int j = d; j < 2 * d; j++) {
      point[j] = other[j] < point[j] ? other[j] : point[j];
      point[j + d] = other[j + d] > point[j + d] ? other[j + d] : point[j + d];
    }
  }
}

/* Sends the same records to some ranks.
 *   wanted [in] [ranks] 1: that rank gets them */
static pcct_status send_records(pcct_context *context, size_t size, const void *records,
                                int64_t count, const unsigned char *wanted, int64_t *counts,
                                void **received, int64_t *total) {
  int64_t copies = 0;
  for (int r = 0; r < context->size; r++) {
    counts[r] = wanted[r] ? count : 0;
    copies += wanted[r];
  }
  char *send = base_allocate(&context->base, copies * count, size);
  pcct_status status = comm_agree(context, send ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < copies && count > 0; i++) {
      memcpy(send + (size_t)(i * count) * size, records, (size_t)count * size);
    }
    status = comm_exchange_sparse(context, send, counts, size, counts + context->size, received,
                                  total, COUNTER_bytes_directory);
  }
  base_free(send);
  return status;
}

pcct_status directory_join_group(pcct_context *context, struct directory *directory, int64_t limit,
                                 void **records, int64_t *count) {
  struct base *base = &context->base;
  const int ranks = context->size;
  const int group = context->rank / directory->group_size;
  const int leader = group * directory->group_size;
  const size_t size = directory_record_size(directory->dimension);
  const int64_t share = limit / directory->groups > 0 ? limit / directory->groups : 1;
  void *gathered = NULL;
  void *fine = NULL;
  void *united = NULL;
  int64_t held = 0;
  int64_t known = 0;
  int64_t *counts = base_allocate_zero(base, 2 * (int64_t)ranks, sizeof *counts);
  unsigned char *wanted = base_allocate_zero(base, ranks, 1);
  directory->fine = base_allocate_zero(base, directory->groups, sizeof *directory->fine);
  pcct_status status =
      comm_agree(context, counts && wanted && directory->fine ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    wanted[leader] = 1;
    status = send_records(context, size, *records, *count, wanted, counts, &gathered, &held);
  }
  if (status == PCCT_OK) {
    for (int r = 0; r < ranks; r++) {
      wanted[r] = context->rank == leader && r / directory->group_size == group;
    }
    status = send_records(context, size, gathered, held, wanted, counts, &fine, &known);
  }
  if (status == PCCT_OK) {
    directory->fine[group] = (struct directory_fine){fine, known};
    fine = NULL;
    held = context->rank == leader ? held : 0;
    const int64_t made = held < share ? held : share;
    united = base_allocate(base, made, size);
    for (int64_t i = 0; i < made && united; i++) {
      int64_t first, part;
      pcct_slab(held, (int)i, (int)made, &first, &part);
      unite(directory->metric, gathered, first, part, group, united, i);
    }
    status = comm_agree(context, united ? PCCT_OK : PCCT_MEMORY);
    if (status == PCCT_OK) {
      base_free(*records);
      *records = united;
      *count = made;
      united = NULL;
    }
  }
  base_free(gathered);
  base_free(fine);
  base_free(united);
  base_free(counts);
  base_free(wanted);
  return status;
}

/* Puts what the groups' first ranks sent where it belongs. */
static pcct_status keep(struct base *base, struct directory *directory, size_t size,
                        const char *received, const int64_t *counts) {
  pcct_status status = PCCT_OK;
  for (int r = 0; r < directory->ranks && status == PCCT_OK; r++) {
    const size_t bytes = (size_t)counts[r] * size;
    if (counts[r] > 0) {
      struct directory_fine *fine = &directory->fine[r / directory->group_size];
      fine->records = base_allocate(base, counts[r], size);
      status = fine->records ? PCCT_OK : PCCT_MEMORY;
      if (status == PCCT_OK) {
        memcpy(fine->records, received, bytes);
        fine->count = counts[r];
      }
      received += bytes;
    }
  }
  return status;
}

pcct_status directory_fetch(pcct_context *context, struct directory *directory,
                            const unsigned char *needed) {
  struct base *base = &context->base;
  const int ranks = context->size;
  const size_t size = directory_record_size(directory->dimension);
  const struct directory_fine *own = NULL;
  void *asking = NULL;
  void *received = NULL;
  int64_t total = 0;
  int64_t missing = 0;
  for (int g = 0; g < directory->groups; g++) {
    missing += needed[g] && !directory->fine[g].records;
  }
  if (directory->groups == 0 || comm_max(context, missing) == 0) {
    return PCCT_OK;
  }
  int64_t *counts = base_allocate_zero(base, 2 * (int64_t)ranks, sizeof *counts);
  unsigned char *wanted = base_allocate_zero(base, ranks, 1);
  char *ask = base_allocate_zero(base, directory->groups, 1);
  pcct_status status = comm_agree(context, counts && wanted && ask ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int g = 0; g < directory->groups; g++) {
      counts[g * directory->group_size] = needed[g] && !directory->fine[g].records;
    }
    status = comm_exchange_sparse(context, ask, counts, 1, counts + ranks, &asking, &total,
                                  COUNTER_bytes_directory);
  }
  if (status == PCCT_OK) {
    for (int r = 0; r < ranks; r++) {
      wanted[r] = counts[ranks + r] > 0;
    }
    own = &directory->fine[context->rank / directory->group_size];
    status = send_records(context, size, own->records, total > 0 ? own->count : 0, wanted, counts,
                          &received, &total);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, keep(base, directory, size, received, counts + ranks));
  }
  base_free(counts);
  base_free(wanted);
  base_free(ask);
  base_free(asking);
  base_free(received);
  return status;
}
