/*
 * Stored indexes as inputs.
 */
#include "app/stored.h"

#include "app/ordering.h"
#include "io/file.h"

#include <inttypes.h>
#include <string.h>

void stored_free(struct stored *stored) {
  base_free(stored->batches);
  *stored = (struct stored){.present = false};
}

/* ---- what the file says */

/* Reads it, on one rank. */
static pcct_status read_summary(struct base *base, const char *path, struct stored *stored) {
  struct file *file = NULL;
  pcct_status status = file_open(base, path, &file);
  if (status == PCCT_OK) {
    const struct file_summary *summary = file_get_summary(file);
    snprintf(stored->ordering, sizeof stored->ordering, "%s", summary->ordering);
    snprintf(stored->metric, sizeof stored->metric, "%s", summary->metric);
    stored->seed = summary->seed;
    stored->n = summary->n;
    stored->duplicates = summary->duplicates;
    stored->pieces = summary->pieces;
    stored->dimension = summary->dimension;
    stored->tree_dimension = summary->tree_dimension;
    stored->leaf_size = summary->leaf_size;
    memcpy(stored->scale, summary->scale, sizeof stored->scale);
    memcpy(stored->rotation.value, summary->rotation, sizeof stored->rotation.value);
    stored->rotation.count = summary->rotation_count;
    if (!search_coordinates(summary->coordinates, &stored->coordinates)) {
      status = base_fail(base, PCCT_INPUT, "%s: expected coordinates of pcct, found '%s'", path,
                         summary->coordinates);
    }
    stored->batch_count = summary->batch_count;
    stored->batches = base_allocate(base, summary->batch_count, sizeof *stored->batches);
    if (stored->batches) {
      memcpy(stored->batches, summary->batches,
             (size_t)summary->batch_count * sizeof *stored->batches);
    } else {
      status = PCCT_MEMORY;
    }
  }
  file_close(&file);
  return status;
}

/* Gives everybody what rank 0 read. Collective. */
static pcct_status share(pcct_context *context, struct stored *stored) {
  int64_t *batches = stored->batches;
  comm_broadcast(context, stored, sizeof *stored);
  if (context->rank != 0) {
    batches = base_allocate(&context->base, stored->batch_count, sizeof *batches);
  }
  stored->batches = batches;
  pcct_status status = comm_agree(context, batches ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    comm_broadcast(context, batches, stored->batch_count * (int64_t)sizeof *batches);
  }
  return status;
}

/* ---- against the command line */

static pcct_status contradicts(struct app *app, const struct input *input, const char *option,
                               const char *stored) {
  return base_fail(&app->context->base, PCCT_USAGE,
                   "%s is an index built with %s %s, which cannot be changed any more; leave --%s "
                   "out, or build another index",
                   input_path(input), option, stored, option);
}

static bool same_scale(const struct option_numbers *given, const struct stored *stored) {
  bool same = given->count == stored->dimension;
  for (int j = 0; j < stored->dimension && same; j++) {
    same = given->value[j] == stored->scale[j];
  }
  return same;
}

static bool same_rotation(const struct option_numbers *given, const struct option_numbers *stored) {
  return given->count == stored->count &&
         memcmp(given->value, stored->value, (size_t)given->count * sizeof(double)) == 0;
}

static pcct_status check_given(struct app *app, const struct input *input,
                               const struct search_options *search, const char *ordering,
                               const struct stored *stored) {
  char text[PCCT_DIMENSION_MAX * 25] = "";
  int metric = PCCT_EUCLIDEAN;
  if (search->columns != NULL || strcmp(input_dataset(input), "/points/coordinates") != 0) {
    return contradicts(app, input, search->columns != NULL ? "columns" : "dataset",
                       "/points/coordinates");
  }
  if (app_given(app, "coordinates") && search->coordinates != stored->coordinates) {
    return contradicts(app, input, "coordinates", search_coordinates_word(stored->coordinates));
  }
  if (app_given(app, "metric") &&
      (!search_metric(stored->metric, &metric) || metric != search->metric)) {
    return contradicts(app, input, "metric", stored->metric);
  }
  if (search->rotation.count > 0 && !same_rotation(&search->rotation, &stored->rotation)) {
    return contradicts(app, input, "rotation", stored->rotation.count > 0 ? "another one" : "none");
  }
  if (search->scale.count > 0 && !same_scale(&search->scale, stored)) {
    for (int j = 0; j < stored->dimension; j++) {
      const size_t used = strlen(text);
      snprintf(text + used, sizeof text - used, "%s%.17g", j > 0 ? "," : "", stored->scale[j]);
    }
    return contradicts(app, input, "scale", text);
  }
  if (ordering != NULL && app_given(app, "ordering") && strcmp(ordering, stored->ordering) != 0) {
    return contradicts(app, input, "ordering", stored->ordering);
  }
  if (ordering != NULL && app->seed_given && app->common.seed != stored->seed) {
    snprintf(text, sizeof text, "%" PRIu64, stored->seed);
    return contradicts(app, input, "seed", text);
  }
  return PCCT_OK;
}

/* ---- what the options become */

static pcct_status adopt(struct app *app, const struct input *input, struct search_options *search,
                         const struct stored *stored) {
  struct base *base = &app->context->base;
  bool scaled = false;
  if (!search_metric(stored->metric, &search->metric) ||
      stored->tree_dimension != search_dimension(stored->coordinates, stored->dimension) ||
      stored->n != input_count(input)) {
    return base_fail(
        base, PCCT_INPUT,
        "%s: expected an index of %" PRId64 " points in a metric of pcct, found %" PRId64
        " with metric %s and %d search coordinates",
        input_path(input), input_count(input), stored->n, stored->metric, stored->tree_dimension);
  }
  if (search->duplicates == SEARCH_DUPLICATES_ERROR && stored->duplicates > 0) {
    return base_fail(base, PCCT_INPUT,
                     "%s: --duplicates error: %" PRId64 " rows repeat an earlier row's location",
                     input_path(input), stored->duplicates);
  }
  search->coordinates = stored->coordinates;
  search->rotation = stored->rotation;
  for (int j = 0; j < stored->dimension; j++) {
    search->scale.value[j] = stored->scale[j];
    scaled |= stored->scale[j] != 1;
  }
  search->scale.count = scaled ? stored->dimension : 0;
  return PCCT_OK;
}

pcct_status stored_adopt(struct app *app, struct input *input, struct search_options *search,
                         const char **ordering, struct stored *stored) {
  pcct_context *context = app->context;
  *stored = (struct stored){.present = false};
  if (strcmp(input_kind(input), "index") != 0) {
    return PCCT_OK;
  }
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = read_summary(&context->base, input_path(input), stored);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = share(context, stored);
  }
  if (status == PCCT_OK) {
    stored->present = true;
    status = check_given(app, input, search, ordering != NULL ? *ordering : NULL, stored);
  }
  if (status == PCCT_OK) {
    status = adopt(app, input, search, stored);
  }
  if (status == PCCT_OK && ordering != NULL) {
    *ordering = stored->ordering;
  }
  return status;
}

/* The stored ordering as an index wants it; others are PCCT_INPUT. */
static pcct_status find_ordering(struct base *base, const struct stored *stored,
                                 pcct_ordering *ordering) {
  struct ordering_choice choice;
  if (ordering_parse(base, stored->ordering, &choice) != PCCT_OK) {
    base_clear_message(base);
    return base_fail(base, PCCT_INPUT, "expected an index with an ordering of pcct, found '%s'",
                     stored->ordering);
  }
  *ordering = choice.ordering;
  return PCCT_OK;
}

/* ---- loading */

/* Where pieces begin, on every rank. */
static pcct_status read_pieces(pcct_context *context, struct input *input,
                               const struct stored *stored, int64_t **first) {
  struct base *base = &context->base;
  *first = base_allocate(base, stored->pieces + 1, sizeof **first);
  pcct_status status = comm_agree(context, *first ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_dataset(context, input, "/tree/first", INPUT_INT64, 0, stored->pieces + 1,
                                *first);
  }
  bool rising = status == PCCT_OK && (*first)[0] == 0 && (*first)[stored->pieces] == stored->n;
  for (int64_t i = 0; i < stored->pieces && rising; i++) {
    rising = (*first)[i + 1] > (*first)[i];
  }
  return status == PCCT_OK && !rising
             ? base_fail(base, PCCT_INPUT,
                         "%s: /tree/first: expected numbers rising from 0 to %" PRId64
                         ", found others",
                         input_path(input), stored->n)
             : status;
}

/* This rank's pieces. */
static pcct_status read_forest(pcct_context *context, struct input *input,
                               const struct stored *stored, struct forest *forest) {
  struct base *base = &context->base;
  int64_t *first = NULL;
  int64_t piece = 0;
  int64_t pieces = 0;
  int64_t from = 0;
  pcct_status status = read_pieces(context, input, stored, &first);
  if (status == PCCT_OK) {
    forest_share(first, stored->pieces, context->rank, context->size, &piece, &pieces);
    from = first[piece];
    const int64_t count = first[piece + pieces] - from;
    status = count <= INT32_MAX - VIEW_WIDTH
                 ? forest_create(base, stored->tree_dimension, (local_index)pieces, count, forest)
                 : base_fail(base, PCCT_MEMORY,
                             "rank %d would own %" PRId64 " points; expected at most %d: use more "
                             "ranks",
                             context->rank, count, INT32_MAX - VIEW_WIDTH);
    for (int64_t i = 0; i <= pieces && status == PCCT_OK; i++) {
      forest->first[i] = first[piece + i] - from;
    }
    status = comm_agree(context, status);
  }
  forest->leaf_size = stored->leaf_size;
  base_free(first);
  if (status == PCCT_OK) {
    status = input_read_dataset(context, input, "/tree/coordinates", INPUT_DOUBLE, from,
                                forest->count, forest->coordinates);
  }
  if (status == PCCT_OK) {
    status = input_read_dataset(context, input, "/tree/position", INPUT_INT64, from, forest->count,
                                forest->position);
  }
  if (status == PCCT_OK) {
    status = input_read_dataset(context, input, "/tree/parent", INPUT_INT32, from, forest->count,
                                forest->parent);
  }
  if (status == PCCT_OK) {
    status = input_read_dataset(context, input, "/tree/level", INPUT_INT16, from, forest->count,
                                forest->level);
  }
  return status;
}

/* This rank's share of a direction of the ordering. */
static pcct_status read_ordering(pcct_context *context, struct input *input, const char *path,
                                 int64_t first, int64_t count, int64_t **share) {
  *share = base_allocate(&context->base, count, sizeof **share);
  pcct_status status = comm_agree(context, *share ? PCCT_OK : PCCT_MEMORY);
  return status == PCCT_OK ? input_read_indices(context, input, path, first, count, *share)
                           : status;
}

pcct_status stored_load(struct app *app, struct input *input, const struct search_options *search,
                        const struct stored *stored, bool by_rows, bool check, pcct_index **index) {
  pcct_context *context = app->context;
  pcct_index_options options = search_index_options(search);
  struct dist_stored found = {.options = &options,
                              .dimension = stored->dimension,
                              .total = stored->n,
                              .duplicates = stored->duplicates};
  int64_t *permutation = NULL;
  *index = NULL;
  pcct_context_enter_phase(context, PCCT_PHASE_read);
  pcct_slab(stored->n, context->rank, context->size, &found.first_row, &found.row_count);
  pcct_status status = find_ordering(&context->base, stored, &options.ordering);
  if (status == PCCT_OK) {
    status = read_forest(context, input, stored, &found.forest);
  }
  if (status == PCCT_OK) {
    status = read_ordering(context, input, "/ordering/position", found.first_row, found.row_count,
                           &found.row_position);
  }
  if (status == PCCT_OK && by_rows) {
    status = read_ordering(context, input, "/ordering/permutation", found.first_row,
                           found.row_count, &permutation);
    found.permutation = permutation;
  }
  if (status == PCCT_OK) {
    status = dist_restore(context, &found, check, index);
  }
  base_free(found.row_position);
  base_free(permutation);
  forest_clear(&found.forest);
  return status;
}
