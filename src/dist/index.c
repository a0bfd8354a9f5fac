/* Creating an index: ordering, partition, local trees, merged top. */
#include "dist/index.h"

#include "base/random.h"
#include "dist/check_metric.h"
#include "dist/duplicates.h"
#include "dist/farthest.h"
#include "dist/options.h"
#include "dist/order.h"
#include "dist/partition.h"
#include "dist/transform.h"
#include "tree/check.h"

#include <limits.h>
#include <string.h>

pcct_index_options pcct_index_options_default(void) {
  return (pcct_index_options){.coordinates = PCCT_CARTESIAN, .ordering = PCCT_ORDERING_NONE};
}

void pcct_index_destroy(pcct_index **index) {
  if (!index || !*index) {
    return;
  }
  pcct_index *i = *index;
  view_set_clear(&i->views);
  frame_destroy(&i->frame);
  tree_destroy(&i->tree);
  directory_destroy(&i->directory);
  prefix_destroy(&i->prefix);
  parts_destroy(&i->parts);
  base_free(i->row_position);
  base_free(i->length_scale);
  base_free(i->coordinates);
  base_free(i->position);
  base_free(i->priority);
  base_free(i->joint);
  base_free(i);
  *index = NULL;
}

pcct_index_info pcct_index_get_info(const pcct_index *index) {
  return (pcct_index_info){.count = index->total,
                           .dimension = index->metric.user_dimension,
                           .duplicates = index->duplicates,
                           .local_count = index->count,
                           .directory_count = index->directory->count};
}

const int64_t *pcct_index_positions(const pcct_index *index) {
  return index->row_position;
}

const double *pcct_index_length_scales(const pcct_index *index) {
  return index->length_scale;
}

pcct_status pcct_index_permute(pcct_index *index, int64_t element_size, const void *rows,
                               int64_t first, int64_t count, void *out) {
  base_clear_message(&index->context->base);
  pcct_context_enter_phase(index->context, PCCT_PHASE_reorder);
  return dist_order_permute(index->context, index->row_position, index->row_count, element_size,
                            rows, first, count, out);
}

/* Checks this rank's share against the others'. */
static pcct_status check_points(pcct_context *context, const pcct_points *points,
                                const pcct_index_options *options, int64_t *total, int *grouped) {
  const int64_t before = comm_scan_before(context, points->count);
  pcct_status status = PCCT_OK;
  *total = comm_sum(context, points->count);
  *grouped = comm_max(context, options->group != NULL) > 0;
  if (points->count < 0 || points->count > INT32_MAX - VIEW_WIDTH) {
    status = base_fail(&context->base, PCCT_USAGE,
                       "rank %d holds %lld points; expected 0 to %d: use more ranks", context->rank,
                       (long long)points->count, INT32_MAX - VIEW_WIDTH);
  } else if (points->first_row != before) {
    status = base_fail(&context->base, PCCT_USAGE,
                       "rank %d starts at row %lld; expected %lld, the rows of the ranks before it",
                       context->rank, (long long)points->first_row, (long long)before);
  } else if (points->count > 0 && !points->coordinates) {
    status = base_fail(&context->base, PCCT_USAGE, "rank %d passes no coordinates for %lld points",
                       context->rank, (long long)points->count);
  }
  for (int64_t i = 0; i < points->count && *grouped && status == PCCT_OK; i++) {
    if (!options->group || options->group[i] < 0) {
      status = base_fail(&context->base, PCCT_USAGE,
                         "row %lld is in group %ld; expected groups of all rows, at least 0",
                         (long long)(points->first_row + i),
                         options->group ? (long)options->group[i] : -1L);
    }
  }
  return comm_agree(context, status);
}

uint64_t dist_priority(pcct_ordering ordering, int64_t position) {
  return ordering == PCCT_ORDERING_RANDOM ? (uint64_t)position
                                          : random_bits(0, RANDOM_INSERTION, (uint64_t)position);
}

pcct_status dist_finalise(pcct_index *index) {
  struct base *base = &index->context->base;
  struct view_set *views = &index->views;
  const double start = base_clock();
  const double cut = base->stages[STAGE_cut];
  pcct_status status =
      index->frame ? PCCT_OK : frame_create_whole(base, index->tree, &index->frame);
  base->stages[STAGE_whole] += base_clock() - start;
  views->count = 1;
  views->limit[0] = INT64_MAX;
  if (status == PCCT_OK) {
    status = view_create(base, index->tree, index->frame, INT64_MAX, &views->view[0]);
  }
  /* cutting buckets is building, done where the points pass by anyway */
  base_charge_phase(base, PCCT_PHASE_build, base->stages[STAGE_cut] - cut);
  return status;
}

pcct_status dist_merge(pcct_index *index) {
  pcct_context *context = index->context;
  pcct_context_enter_phase(context, PCCT_PHASE_merge);
  return directory_create(context, &index->metric, index->tree, index->frame,
                          prefix_length(context->size, index->total), &index->directory);
}

static pcct_status build_tree(pcct_index *index) {
  struct base *base = &index->context->base;
  const struct tree_points points = {index->count,    &index->metric,  index->coordinates,
                                     index->position, index->priority, 0};
  pcct_context_enter_phase(index->context, PCCT_PHASE_build);
  pcct_status status = tree_build(base, &points, &index->tree);
  if (status == PCCT_OK) {
    base->counters[COUNTER_points] += index->count;
    base->counters[COUNTER_duplicates] += index->coincident.duplicates;
    base->counters[COUNTER_tree_nodes] += index->tree->nodes;
  }
  pcct_context_enter_phase(index->context, PCCT_PHASE_finalise);
  if (status == PCCT_OK) {
    status = dist_finalise(index);
  }
  return comm_agree(index->context, status);
}

/* Makes the view with the positions as they are now. Collective. */
static pcct_status finalise_again(pcct_index *index) {
  view_set_clear(&index->views);
  pcct_context_enter_phase(index->context, PCCT_PHASE_finalise);
  return comm_agree(index->context, dist_finalise(index));
}

static pcct_status create(pcct_index *index, const pcct_points *points,
                          const pcct_index_options *options) {
  pcct_context *context = index->context;
  double *search = NULL;
  pcct_status status = comm_agree(
      context, dist_check_options(&context->base, points->dimension, options, &index->metric));
  if (status == PCCT_OK) {
    status = check_points(context, points, options, &index->total, &index->grouped);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_partition);
    status = dist_transform(context, &index->metric, points, "row", &search);
  }
  if (status == PCCT_OK && index->metric.kind == METRIC_USER) {
    status = dist_check_metric(context, &index->metric, search, points->first_row, points->count);
  }
  if (status == PCCT_OK) {
    index->first_row = points->first_row;
    index->row_count = points->count;
    index->row_position = base_allocate(&context->base, points->count, sizeof *index->row_position);
    status = comm_agree(context, index->row_position ? PCCT_OK : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_order);
    status = dist_order_positions(context, &index->metric, points, search, options, index->total,
                                  index->row_position);
    if (status == PCCT_OK && index->grouped && !dist_is_farthest(options->ordering)) {
      status = dist_order_groups(context, options->group, points->first_row, points->count,
                                 index->row_position);
    }
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_partition);
    status = dist_partition(index, search);
  }
  base_free(search);
  if (status == PCCT_OK) {
    status = build_tree(index);
  }
  if (status == PCCT_OK) {
    status = dist_count_duplicates(index, &index->duplicates);
  }
  if (status == PCCT_OK && options->refuse_duplicates && index->duplicates > 0) {
    status = dist_refuse_duplicates(index);
  }
  if (status == PCCT_OK && dist_is_farthest(options->ordering)) {
    status = dist_farthest(index, options, points);
    if (status == PCCT_OK) {
      status = finalise_again(index);
    }
  }
  return status == PCCT_OK ? dist_merge(index) : status;
}

pcct_status pcct_index_create(pcct_context *context, const pcct_points *points,
                              const pcct_index_options *options, pcct_index **out) {
  const pcct_index_options defaults = pcct_index_options_default();
  base_clear_message(&context->base);
  *out = NULL;
  pcct_index *index = base_allocate_zero(&context->base, 1, sizeof *index);
  pcct_status status = comm_agree(context, index ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    index->context = context;
    index->ordering = options ? options->ordering : PCCT_ORDERING_NONE;
    status = create(index, points, options ? options : &defaults);
  }
  if (status != PCCT_OK) {
    pcct_index_destroy(&index);
  }
  *out = index;
  return status;
}

pcct_status dist_prepare_predecessors(pcct_index *index) {
  struct base *base = &index->context->base;
  pcct_status status = PCCT_OK;
  if (!index->has_prefixes) {
    pcct_context_enter_phase(index->context, PCCT_PHASE_finalise);
    status = view_set_extend(base, index->tree, index->frame, index->total, &index->views);
    status = comm_agree(index->context, status);
    if (status == PCCT_OK && index->context->size > 1) {
      status = prefix_create(index->context, &index->metric, index->coordinates, index->position,
                             index->count, index->total, &index->prefix);
    }
    index->has_prefixes = status == PCCT_OK;
  }
  return status;
}

static pcct_status check_views(struct base *base, const pcct_index *index) {
  pcct_status status = PCCT_OK;
  for (int i = 0; i < index->views.count && status == PCCT_OK; i++) {
    status = view_check(base, index->tree, index->views.limit[i], index->views.view[i]);
  }
  return status;
}

pcct_status pcct_index_check(pcct_index *index) {
  struct base *base = &index->context->base;
  base_clear_message(base);
  pcct_status status = index->joined == 0 ? tree_check(base, index->tree, index->frame) : PCCT_OK;
  if (status == PCCT_OK) {
    status = check_views(base, index);
  }
  if (status == PCCT_OK) {
    status = directory_check(index->context, index->directory, index->tree, index->total);
  }
  return comm_agree(index->context, status);
}
