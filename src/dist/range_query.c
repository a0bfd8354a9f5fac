/* The public radius queries: which points ask. */
#include "dist/range.h"
#include "dist/slab.h"
#include "dist/transform.h"

#include <string.h>

pcct_range_options pcct_range_options_default(void) {
  return (pcct_range_options){.radius = 0};
}

void pcct_ranges_clear(pcct_ranges *ranges) {
  base_free(ranges->offset);
  base_free(ranges->index32);
  base_free(ranges->index64);
  base_free(ranges->distance);
  *ranges = (pcct_ranges){0};
}

static pcct_status check(pcct_index *index, const pcct_range_options *options) {
  struct base *base = &index->context->base;
  if (index->ordering != PCCT_ORDERING_NONE) {
    return base_fail(base, PCCT_USAGE,
                     "radius queries need an index of ordering none, found ordering %d",
                     (int)index->ordering);
  }
  if (!(options->radius >= 0)) {
    return base_fail(base, PCCT_USAGE, "expected a radius of at least 0, found %g",
                     options->radius);
  }
  if (options->most < 0) {
    return base_fail(base, PCCT_USAGE, "expected at most 0 (all) or more points a row, found %lld",
                     (long long)options->most);
  }
  return PCCT_OK;
}

static void asked_free(struct range_asked *asked) {
  base_free(asked->points);
  base_free(asked->excluded);
  base_free(asked->row);
  base_free(asked->destination);
}

/* Everything but points. */
static pcct_status asked_create(struct base *base, int64_t count, struct range_asked *asked) {
  asked->count = count;
  asked->excluded = base_allocate(base, count, sizeof(int64_t));
  asked->row = base_allocate(base, count, sizeof(int64_t));
  asked->destination = base_allocate(base, count, sizeof(int64_t));
  return asked->excluded && asked->row && asked->destination ? PCCT_OK : PCCT_MEMORY;
}

pcct_status pcct_index_range(pcct_index *index, const pcct_points *queries,
                             const pcct_range_options *options, pcct_ranges *ranges) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  struct range_asked asked = {0};
  *ranges = (pcct_ranges){0};
  base_clear_message(base);
  pcct_status status = check(index, options);
  if (status == PCCT_OK && queries->dimension != index->metric.user_dimension) {
    status = base_fail(base, PCCT_USAGE, "expected queries of %d coordinates, found %d",
                       index->metric.user_dimension, queries->dimension);
  }
  if (status != PCCT_OK) {
    return status;
  }
  pcct_context_enter_phase(context, PCCT_PHASE_query);
  status = dist_transform(context, &index->metric, queries, "query row", &asked.points);
  if (status == PCCT_OK) {
    status = comm_agree(context, asked_create(base, queries->count, &asked));
  }
  if (status == PCCT_OK) {
    for (int64_t q = 0; q < queries->count; q++) {
      asked.excluded[q] = -1;
      asked.row[q] = queries->first_row + q;
      asked.destination[q] = context->rank;
    }
    status = range_answer(index, options, &asked, queries->first_row, queries->count, ranges);
  }
  if (status != PCCT_OK) {
    pcct_ranges_clear(ranges);
  }
  asked_free(&asked);
  return status;
}

/* This rank's points with positions in first..first+count-1. */
static pcct_status select_block(const pcct_index *index, int64_t first, int64_t count,
                                struct range_asked *asked) {
  pcct_context *context = index->context;
  const int d = index->metric.dimension;
  int64_t selected = 0;
  for (local_index p = 0; p < index->count; p++) {
    selected += index->position[p] >= first && index->position[p] < first + count;
  }
  pcct_status status = asked_create(&context->base, selected, asked);
  asked->points = base_allocate(&context->base, selected * d, sizeof(double));
  if (status != PCCT_OK || !asked->points) {
    return PCCT_MEMORY;
  }
  selected = 0;
  for (local_index p = 0; p < index->count; p++) {
    const int64_t position = index->position[p];
    if (position >= first && position < first + count) {
      memcpy(asked->points + selected * d, index->coordinates + (int64_t)p * d,
             (size_t)d * sizeof(double));
      asked->excluded[selected] = position;
      asked->row[selected] = position;
      asked->destination[selected] = dist_slab_owner(count, context->size, position - first);
      selected++;
    }
  }
  return PCCT_OK;
}

pcct_status pcct_index_range_neighbors(pcct_index *index, const pcct_range_options *options,
                                       int64_t first, int64_t count, pcct_ranges *ranges) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  struct range_asked asked = {0};
  int64_t slab_first;
  int64_t slab_count;
  *ranges = (pcct_ranges){0};
  base_clear_message(base);
  pcct_status status = check(index, options);
  if (status == PCCT_OK &&
      (first < 0 || count < 0 || first > index->total || count > index->total - first)) {
    status = base_fail(base, PCCT_USAGE, "block of %lld rows from %lld: expected a part of 0..%lld",
                       (long long)count, (long long)first, (long long)index->total);
  }
  if (status != PCCT_OK) {
    return status;
  }
  pcct_context_enter_phase(context, PCCT_PHASE_query);
  pcct_slab(count, context->rank, context->size, &slab_first, &slab_count);
  status = comm_agree(context, select_block(index, first, count, &asked));
  if (status == PCCT_OK) {
    status = range_answer(index, options, &asked, first + slab_first, slab_count, ranges);
  }
  if (status != PCCT_OK) {
    pcct_ranges_clear(ranges);
  }
  asked_free(&asked);
  return status;
}
