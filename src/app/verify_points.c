/*
 * Checks of points and ordering. See verify_points.h.
 */
#include "app/verify_points.h"

#include "app/verify_farthest.h"
#include "app/verify_order.h"

#include <inttypes.h>

/* Checks that what was built, or appended at once, has its own rows, in their own ordering. Local. */
static pcct_status check_batch(pcct_context *context, const struct verify_data *data,
                               const struct verify_order *all, int64_t batch) {
  const struct file_summary *summary = data->summary;
  struct base *base = &context->base;
  const int64_t start = summary->batches[batch];
  const int64_t end = batch + 1 < summary->batch_count ? summary->batches[batch + 1] : data->count;
  struct verify_order order = *all;
  int64_t first, count;
  pcct_slab(end - start, context->rank, context->size, &first, &count);
  int64_t *rows = base_allocate(base, end - start, sizeof *rows);
  pcct_status status = rows ? PCCT_OK : PCCT_MEMORY;
  for (int64_t p = start; p < end && status == PCCT_OK; p++) {
    rows[p - start] = all->permutation[p] - start;
    if (all->permutation[p] < start || all->permutation[p] >= end) {
      status = base_fail(base, PCCT_DIFFERENT,
                         "position %" PRId64 " is row %" PRId64
                         ", expected one of the rows %" PRId64 " to %" PRId64 " that came with it",
                         p, all->permutation[p], start, end - 1);
    }
  }
  if (status == PCCT_OK) {
    order.count = end - start;
    order.permutation = rows;
    order.user += start * data->metric.user_dimension;
    order.search += start * data->metric.dimension;
    status = verify_order_obeyed(base, &order, first, count);
  }
  base_free(rows);
  return status;
}

pcct_status verify_points_order(pcct_context *context, const struct verify_data *data, bool *obeyed,
                                int64_t *followed) {
  struct base *base = &context->base;
  int64_t *given = NULL;
  int64_t first, count;
  pcct_status status = PCCT_OK;
  *obeyed = true;
  *followed = 0;
  if (!data->permutation) {
    return PCCT_OK;
  }
  pcct_slab(data->count, context->rank, context->size, &first, &count);
  struct verify_order order = {.ordering = data->ordering.ordering,
                               .axis = ordering_axis(&data->ordering, data->metric.user_dimension),
                               .seed = data->summary->seed,
                               .metric = &data->metric,
                               .count = data->count,
                               .permutation = data->permutation,
                               .position = data->position,
                               .user = data->user,
                               .search = data->search,
                               .start = data->ordering.start,
                               .start_row = data->ordering.start_row,
                               .group = data->group,
                               .length_scale = data->length_scale};
  status = comm_agree(context, verify_order_inverse(base, &order, first, count));
  if (status != PCCT_OK) {
    goto cleanup;
  }
  if (order.ordering == PCCT_ORDERING_GIVEN) {
    *obeyed = data->input != NULL && data->summary->batch_count == 1 && data->group == NULL;
    if (!*obeyed) {
      goto cleanup;
    }
    given = base_allocate(base, count, sizeof *given);
    status = comm_agree(context, given ? PCCT_OK : PCCT_MEMORY);
    if (status == PCCT_OK) {
      status =
          input_read_indices(context, data->input, data->ordering.dataset, first, count, given);
    }
    if (status != PCCT_OK) {
      goto cleanup;
    }
    order.given = given;
  }
  if (ordering_has_length_scale(&data->ordering)) {
    status = verify_farthest(context, &order, followed);
    goto cleanup;
  }
  for (int64_t b = 0; b < data->summary->batch_count && status == PCCT_OK; b++) {
    status = comm_agree(context, check_batch(context, data, &order, b));
  }
cleanup:
  base_free(given);
  return status;
}

/* Compares one row of the input with its point in the file. */
static pcct_status compare_point(struct base *base, const struct verify_data *data, int64_t row,
                                 const double *expected) {
  int64_t at = data->position ? data->position[row] : row;
  int dimension = data->metric.user_dimension;
  for (int j = 0; j < dimension; j++) {
    double found = data->user[at * dimension + j];
    if (!(found == expected[j])) {
      return base_fail(base, PCCT_DIFFERENT,
                       "position %" PRId64 " (input row %" PRId64
                       "): coordinate %d is %.17g, but %.17g in %s",
                       at, row, j, found, expected[j], data->against);
    }
  }
  return PCCT_OK;
}

pcct_status verify_points_input(pcct_context *context, const struct verify_data *data) {
  struct base *base = &context->base;
  int dimension = data->metric.user_dimension;
  int64_t first, count;
  if (!data->input || data->kind == VERIFY_QUERIES) {
    return PCCT_OK;
  }
  pcct_slab(data->count, context->rank, context->size, &first, &count);
  double *expected = base_allocate(base, count, (size_t)dimension * sizeof *expected);
  pcct_status status = comm_agree(context, expected ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_coordinates(context, data->input, first, count, expected);
  }
  for (int64_t i = 0; status == PCCT_OK && i < count; i++) {
    status = compare_point(base, data, first + i, expected + i * dimension);
  }
  status = comm_agree(context, status);
  base_free(expected);
  return status;
}

pcct_status verify_points_duplicates(pcct_context *context, const struct verify_data *data) {
  struct base *base = &context->base;
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    int64_t duplicates = 0;
    status = verify_order_duplicates(base, data->metric.dimension, data->search, data->count,
                                     &duplicates);
    if (status == PCCT_OK && duplicates != data->summary->duplicates) {
      status = base_fail(base, PCCT_DIFFERENT,
                         "the attribute duplicates is %" PRId64 ", but %" PRId64
                         " points repeat the location of an earlier one",
                         data->summary->duplicates, duplicates);
    }
  }
  return comm_agree(context, status);
}

pcct_status verify_points_trees(pcct_context *context, const struct verify_data *data,
                                int64_t *directory_count) {
  pcct_index *index = NULL;
  pcct_index_options options = pcct_index_options_default();
  pcct_points points = {.dimension = data->metric.user_dimension};
  *directory_count = 0;
  pcct_slab(data->count, context->rank, context->size, &points.first_row, &points.count);
  points.coordinates = data->user + points.first_row * points.dimension;
  options.metric = data->metric.kind == METRIC_MANHATTAN   ? PCCT_MANHATTAN
                   : data->metric.kind == METRIC_CHEBYSHEV ? PCCT_CHEBYSHEV
                                                           : PCCT_EUCLIDEAN;
  if (data->metric.lonlat) {
    options.coordinates = PCCT_LONLAT;
  } else {
    options.coordinates = data->metric.lonlat_time ? PCCT_LONLAT_TIME : PCCT_CARTESIAN;
    options.scale = data->metric.scale;
    options.rotation = data->metric.rotated ? data->metric.rotation : NULL;
  }
  pcct_status status = pcct_index_create(context, &points, &options, &index);
  if (status == PCCT_OK) {
    status = pcct_index_check(index);
  }
  if (status == PCCT_OK) {
    *directory_count = pcct_index_get_info(index).directory_count;
  }
  pcct_index_destroy(&index);
  return status;
}
