/*
 * Loading what is verified. See verify_load.h.
 */
#include "app/verify_load.h"

#include "app/search.h"
#include "dist/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The metric that the header names. */
static pcct_status understand_metric(struct base *base, struct verify_data *data) {
  const struct file_summary *summary = data->summary;
  pcct_index_options options = pcct_index_options_default();
  int coordinates = 0, metric = 0;
  const bool known = search_coordinates(summary->coordinates, &coordinates) &&
                     search_metric(summary->metric, &metric) &&
                     (coordinates == PCCT_LONLAT) == search_is_great_circle(summary->metric);
  if (!known) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected the metric euclidean, manhattan or chebyshev for cartesian "
                     "coordinates, or great-circle for lonlat ones, found '%s' for %s ones",
                     data->path, summary->metric, summary->coordinates);
  }
  options.coordinates = (pcct_coordinates)coordinates;
  options.metric = (pcct_metric)metric;
  options.scale = coordinates == PCCT_LONLAT ? NULL : summary->scale;
  options.rotation = summary->rotation_count > 0 ? summary->rotation : NULL;
  if (dist_check_options(base, summary->dimension, &options, &data->metric) != PCCT_OK) {
    char reason[BASE_MESSAGE_SIZE];
    snprintf(reason, sizeof reason, "%s", base->message);
    base_clear_message(base);
    return base_fail(base, PCCT_INPUT, "%s: %.900s", data->path, reason);
  }
  return PCCT_OK;
}

/* From the words of the header to what they mean. */
static pcct_status understand_header(struct base *base, struct verify_data *data) {
  const struct file_summary *summary = data->summary;
  data->ranges = strcmp(summary->kind, "ranges") == 0;
  data->index = strcmp(summary->kind, "index") == 0;
  if (!data->ranges && !data->index && strcmp(summary->kind, "conditioning-sets") != 0 &&
      strcmp(summary->kind, "neighbors") != 0) {
    return base_fail(
        base, PCCT_INPUT,
        "%s: expected a pcct file of kind conditioning-sets, neighbors, ranges or index, found "
        "%s%s",
        data->path, summary->kind[0] ? "kind " : "none of pcct's", summary->kind);
  }
  pcct_status status = understand_metric(base, data);
  if (status != PCCT_OK) {
    return status;
  }
  if (ordering_parse(base, summary->ordering, &data->ordering) != PCCT_OK ||
      data->ordering.axis >= summary->dimension) {
    base_clear_message(base);
    return base_fail(base, PCCT_INPUT, "%s: its ordering '%s' has no meaning for %d coordinates",
                     data->path, summary->ordering, summary->dimension);
  }
  if (ordering_has_length_scale(&data->ordering) != summary->has_length_scale) {
    return base_fail(base, PCCT_DIFFERENT, "%s: %s /ordering/length_scale in the ordering %s",
                     data->path, summary->has_length_scale ? "unexpected" : "expected",
                     summary->ordering);
  }
  data->count = summary->n;
  data->rows = summary->rows;
  data->width = summary->width;
  if (strcmp(summary->kind, "conditioning-sets") == 0 && data->rows != data->count) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected as many rows as points, found %" PRId64 " and %" PRId64,
                     data->path, data->rows, data->count);
  }
  return PCCT_OK;
}

/* What the rows are. Local: the summary is the same on all ranks. */
static pcct_status find_kind(pcct_context *context, struct verify_data *data) {
  if (data->index || strcmp(data->summary->kind, "conditioning-sets") == 0) {
    data->kind = VERIFY_SETS;
    return PCCT_OK;
  }
  data->kind = data->summary->foreign_queries ? VERIFY_QUERIES : VERIFY_SELF;
  if (data->kind == VERIFY_QUERIES && !data->against) {
    return base_fail(&context->base, PCCT_USAGE,
                     "%s: its rows are queries; the points that they refer to are needed: "
                     "--against FILE",
                     data->path);
  }
  return PCCT_OK;
}

/* Opens the input and compares its size with the header. Collective. */
static pcct_status open_input(pcct_context *context, struct verify_data *data, const char *predict,
                              const struct input_options *options) {
  const struct file_summary *summary = data->summary;
  struct input_options chosen = *options;
  if (!chosen.dataset && !chosen.columns) {
    chosen.dataset = summary->dataset[0] ? summary->dataset : NULL;
    chosen.columns = summary->columns[0] ? summary->columns : NULL;
  }
  pcct_status status = input_open(context, data->against, &chosen, &data->input);
  if (status == PCCT_OK && predict) {
    status = input_join(context, data->input, predict, &chosen);
  }
  if (status != PCCT_OK) {
    return status;
  }
  if (input_count(data->input) != summary->n ||
      input_dimension(data->input) != summary->dimension) {
    return base_fail(&context->base, PCCT_DIFFERENT,
                     "%s has %" PRId64 " points with %d coordinates, %s has %" PRId64 " with %d",
                     data->path, summary->n, summary->dimension, data->against,
                     input_count(data->input), input_dimension(data->input));
  }
  return PCCT_OK;
}

/* All points of the input on every rank. Collective. */
static pcct_status read_input_points(pcct_context *context, struct verify_data *data) {
  size_t size = (size_t)data->metric.user_dimension * sizeof(double);
  int64_t first, count, total = 0;
  void *all = NULL;
  pcct_slab(data->count, context->rank, context->size, &first, &count);
  double *own = base_allocate(&context->base, count, size);
  pcct_status status = comm_agree(context, own ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_coordinates(context, data->input, first, count, own);
  }
  if (status == PCCT_OK) {
    status = comm_gather_all(context, own, count, size, &all, &total);
  }
  data->user = all;
  base_free(own);
  return status;
}

/* All points and the ordering of the file on this rank. Local. */
static pcct_status read_file_points(struct base *base, struct verify_data *data) {
  pcct_status status = PCCT_OK;
  if (data->kind != VERIFY_QUERIES) {
    data->user =
        base_allocate(base, data->count, (size_t)data->metric.user_dimension * sizeof *data->user);
    status = data->user ? file_read_coordinates(base, data->file, 0, data->count, data->user)
                        : PCCT_MEMORY;
  }
  if (status == PCCT_OK && data->summary->has_ordering) {
    data->permutation = base_allocate(base, data->count, sizeof *data->permutation);
    data->position = base_allocate(base, data->count, sizeof *data->position);
    status = data->permutation && data->position ? PCCT_OK : PCCT_MEMORY;
    if (status == PCCT_OK) {
      status = file_read_permutation(base, data->file, 0, data->count, data->permutation);
    }
    if (status == PCCT_OK) {
      status = file_read_position(base, data->file, 0, data->count, data->position);
    }
  }
  const bool grouped = data->summary->group[0] != '\0';
  if (status == PCCT_OK && (grouped || data->summary->observed < data->count)) {
    data->group = base_allocate(base, data->count, sizeof *data->group);
    status = !data->group ? PCCT_MEMORY
             : grouped    ? file_read_data(base, data->file, data->summary->group, 0, data->count,
                                           data->group)
                          : PCCT_OK;
    for (int64_t p = 0; p < data->count && status == PCCT_OK && !grouped; p++) {
      data->group[p] = p >= data->summary->observed;
    }
  }
  if (status == PCCT_OK && data->summary->has_length_scale) {
    data->length_scale = base_allocate(base, data->count, sizeof *data->length_scale);
    status = data->length_scale
                 ? file_read_length_scale(base, data->file, 0, data->count, data->length_scale)
                 : PCCT_MEMORY;
  }
  return status;
}

/* Brings the points of an index, which are in the order of its rows, into its ordering. Local. */
static pcct_status order_points(struct base *base, struct verify_data *data) {
  const int d = data->metric.user_dimension;
  double *ordered = base_allocate(base, data->count, (size_t)d * sizeof *ordered);
  pcct_status status = ordered ? PCCT_OK : PCCT_MEMORY;
  for (int64_t p = 0; p < data->count && status == PCCT_OK; p++) {
    const int64_t row = data->permutation[p];
    if (row < 0 || row >= data->count) {
      status = base_fail(base, PCCT_DIFFERENT,
                         "/ordering/permutation has %" PRId64 " at position %" PRId64
                         ", expected a row from 0 to %" PRId64,
                         row, p, data->count - 1);
    } else {
      memcpy(ordered + p * d, data->user + row * d, (size_t)d * sizeof *ordered);
    }
  }
  if (status == PCCT_OK) {
    base_free(data->user);
    data->user = ordered;
    ordered = NULL;
  }
  base_free(ordered);
  return status;
}

static pcct_status transform_points(struct base *base, struct verify_data *data) {
  const struct metric *metric = &data->metric;
  data->search = base_allocate(base, data->count, (size_t)metric->dimension * sizeof *data->search);
  if (!data->search) {
    return PCCT_MEMORY;
  }
  int64_t bad = metric_transform(metric, data->user, data->count, data->search, base->threads);
  if (bad >= 0) {
    bool own = data->kind != VERIFY_QUERIES;
    return base_fail(base, own ? PCCT_DIFFERENT : PCCT_INPUT,
                     "%s: the coordinates of %s %" PRId64 " are not valid %s coordinates",
                     own ? data->path : data->against,
                     data->kind == VERIFY_SETS ? "position" : "row", bad,
                     data->summary->coordinates);
  }
  return PCCT_OK;
}

pcct_status verify_load(pcct_context *context, const char *path, const char *against,
                        const char *predict, const struct input_options *options,
                        struct verify_data **data) {
  struct base *base = &context->base;
  *data = NULL;
  struct verify_data *made = base_allocate_zero(base, 1, sizeof *made);
  pcct_status status = made ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    made->path = path;
    made->against = against;
    status = file_open(base, path, &made->file);
  }
  if (status == PCCT_OK) {
    made->summary = file_get_summary(made->file);
    status = understand_header(base, made);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK && against) {
    status = open_input(context, made, predict, options);
  }
  if (status == PCCT_OK) {
    status = find_kind(context, made);
  }
  if (status == PCCT_OK && made->kind == VERIFY_QUERIES) {
    status = read_input_points(context, made);
  }
  if (status != PCCT_OK) { /* agreed */
    goto cleanup;
  }
  status = read_file_points(base, made);
  if (status == PCCT_OK && made->index) {
    status = order_points(base, made);
  }
  if (status == PCCT_OK) {
    status = transform_points(base, made);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    *data = made;
    made = NULL;
  }
cleanup:
  verify_unload(context, &made);
  return status;
}

void verify_unload(pcct_context *context, struct verify_data **data) {
  struct verify_data *old = data ? *data : NULL;
  if (old) {
    input_close(context, &old->input); /* open on all ranks or on none */
    file_close(&old->file);
    base_free(old->user);
    base_free(old->search);
    base_free(old->permutation);
    base_free(old->length_scale);
    base_free(old->group);
    base_free(old->position);
    base_free(old);
    *data = NULL;
  }
}
