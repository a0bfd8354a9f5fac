/* Indexes from stored pieces. */
#include "dist/restore.h"

#include "dist/options.h"
#include "dist/order_lookup.h"

#include <string.h>

static pcct_status check_positions(struct base *base, const int64_t *position, int64_t count,
                                   int64_t total) {
  for (int64_t i = 0; i < count; i++) {
    if (position[i] < 0 || position[i] >= total) {
      return base_fail(base, PCCT_INPUT,
                       "expected positions from 0 to %lld in the stored tree, found %lld",
                       (long long)(total - 1), (long long)position[i]);
    }
  }
  return PCCT_OK;
}

/* Takes the arrays over. */
static pcct_status take_over(pcct_index *index, struct dist_stored *stored) {
  struct base *base = &index->context->base;
  struct forest *forest = &stored->forest;
  index->total = stored->total;
  index->duplicates = stored->duplicates;
  index->first_row = stored->first_row;
  index->row_count = stored->row_count;
  index->row_position = stored->row_position;
  index->count = (local_index)forest->count;
  index->coordinates = forest->coordinates;
  index->position = forest->position;
  stored->row_position = NULL;
  forest->coordinates = NULL;
  forest->position = NULL;
  index->joined = forest->pieces;
  index->joint = base_allocate(base, forest->pieces, sizeof *index->joint);
  index->priority = base_allocate(base, forest->count, sizeof *index->priority);
  if (!index->joint || !index->priority) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < forest->pieces; i++) {
    index->joint[i] = (local_index)forest->first[i];
  }
  for (int64_t i = 0; i < forest->count; i++) {
    index->priority[i] = dist_priority(stored->options->ordering, index->position[i]);
  }
  return PCCT_OK;
}

/* The forest as it was, its arrays lent back to it. */
static struct forest borrowed(const pcct_index *index, const struct forest *forest) {
  struct forest all = *forest;
  all.coordinates = index->coordinates;
  all.position = index->position;
  return all;
}

static pcct_status join(pcct_index *index, const struct forest *forest) {
  struct base *base = &index->context->base;
  const struct forest all = borrowed(index, forest);
  const struct tree_points points = {index->count,    &index->metric,  index->coordinates,
                                     index->position, index->priority, forest->leaf_size};
  pcct_context_enter_phase(index->context, PCCT_PHASE_build);
  pcct_status status = forest_join(base, &all, &points, &index->tree);
  if (status == PCCT_OK) {
    base->counters[COUNTER_points] += index->count;
    base->counters[COUNTER_tree_nodes] += index->tree->nodes;
    pcct_context_enter_phase(index->context, PCCT_PHASE_finalise);
    status = dist_finalise(index);
  }
  return status;
}

/* Names points by their rows. Collective. */
static pcct_status name_by_rows(pcct_index *index, const struct dist_stored *stored) {
  pcct_context *context = index->context;
  int64_t *row = base_allocate(&context->base, index->count, sizeof *row);
  pcct_status status = comm_agree(context, row ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = dist_order_lookup(context, stored->permutation, stored->row_count, index->position,
                               index->count, row);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, check_positions(&context->base, row, index->count, index->total));
  }
  if (status == PCCT_OK) {
    base_free(index->position);
    index->position = row;
    row = NULL;
    for (int64_t i = 0; i < index->row_count; i++) {
      index->row_position[i] = index->first_row + i;
    }
  }
  base_free(row);
  return status;
}

static pcct_status restore(pcct_index *index, struct dist_stored *stored, int check) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  pcct_status status = dist_check_options(base, stored->dimension, stored->options, &index->metric);
  if (status == PCCT_OK) {
    status = take_over(index, stored);
  }
  if (status == PCCT_OK) {
    status = check_positions(base, index->position, index->count, index->total);
  }
  if (status == PCCT_OK && check) {
    const struct forest all = borrowed(index, &stored->forest);
    status = forest_check(base, &index->metric, &all);
  }
  status = comm_agree(context, status);
  index->ordering = stored->permutation ? PCCT_ORDERING_NONE : stored->options->ordering;
  if (status == PCCT_OK && stored->permutation) {
    status = name_by_rows(index, stored);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, join(index, &stored->forest));
  }
  return status == PCCT_OK ? dist_merge(index) : status;
}

pcct_status dist_restore(pcct_context *context, struct dist_stored *stored, int check,
                         pcct_index **out) {
  *out = NULL;
  pcct_index *index = base_allocate_zero(&context->base, 1, sizeof *index);
  pcct_status status = comm_agree(context, index ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    index->context = context;
    status = restore(index, stored, check);
  }
  base_free(stored->row_position);
  stored->row_position = NULL;
  forest_clear(&stored->forest);
  if (status != PCCT_OK) {
    pcct_index_destroy(&index);
  }
  *out = index;
  return status;
}
