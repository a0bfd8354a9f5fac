/*
 * pcct append: an index and more points become a larger index; the old one stays as it is.
 */
#include "app/append.h"

#include "app/forest_file.h"
#include "app/ordered.h"
#include "app/transfer.h"
#include "dist/order.h"

#include <inttypes.h>

struct append_options {
  struct search_options search; /* of the new points: where their coordinates are */
};

static const struct option_entry options_table[] = {
    {.name = "dataset",
     .kind = OPTION_TEXT,
     .metavariable = "/PATH",
     .help = "Dataset (n x d) with the coordinates of the new points. Default: as for build.",
     .offset = offsetof(struct append_options, search.dataset)},
    {.name = "columns",
     .kind = OPTION_WORDS,
     .metavariable = "X,Y,...",
     .help = "1-D datasets of equal length, one for each coordinate, instead of --dataset.",
     .offset = offsetof(struct append_options, search.columns)},
    SEARCH_COMPRESS_OPTION(struct append_options),
};

/* A run. */
struct append {
  struct ordered ordered; /* the old index */
  struct input *more;
  struct forest_file forest;
  int64_t *position; /* of this rank's share of the new points */
  int64_t *batches;
  const char *out;
  struct output_header header;
  struct output *output;
};

/* Opens both files and checks that they fit. */
static pcct_status open_inputs(struct append *run, const struct search_options *options,
                               const char *const *arguments) {
  const struct search_options plain = {.compress = options->compress};
  struct ordered *ordered = &run->ordered;
  struct app *app = ordered->app;
  struct base *base = &app->context->base;
  pcct_status status = ordered_open(app, &plain, "none", arguments[0], ordered);
  if (status == PCCT_OK && !ordered->stored.present) {
    status = base_fail(base, PCCT_INPUT,
                       "%s: expected an index, made by build or append, found none", arguments[0]);
  }
  if (status == PCCT_OK) {
    status = search_open(app, options, arguments[1], &run->more);
  }
  if (status == PCCT_OK && input_dimension(run->more) != input_dimension(ordered->input)) {
    status = base_fail(base, PCCT_INPUT,
                       "%s: expected points with %d coordinates, as in %s, found %d", arguments[1],
                       input_dimension(ordered->input), arguments[0], input_dimension(run->more));
  }
  if (status == PCCT_OK && ordering_has_length_scale(&ordered->ordering)) {
    status = base_fail(&app->context->base, PCCT_USAGE,
                       "%s is in the ordering %s, to which no points can be appended: it would "
                       "not be that of all points; build anew",
                       arguments[0], ordered->ordering_text);
  }
  return status == PCCT_OK ? input_check_same_columns(app->context, ordered->input, run->more)
                           : status;
}

/* Loads the index and inserts the new points. */
static pcct_status insert_points(struct append *run) {
  struct ordered *ordered = &run->ordered;
  struct app *app = ordered->app;
  pcct_context *context = app->context;
  pcct_index_options options = search_index_options(&ordered->search);
  pcct_points points = {.coordinates = NULL};
  int64_t *permutation = NULL;
  pcct_status status = ordered_hash(ordered);
  if (status == PCCT_OK) {
    status = stored_load(app, ordered->input, &ordered->search, &ordered->stored, false, false,
                         &ordered->index);
  }
  if (status == PCCT_OK) {
    status = search_read(app, run->more, &points);
  }
  if (status == PCCT_OK) {
    status = ordered_permutation(app, run->more, &ordered->ordering, &permutation);
  }
  if (status == PCCT_OK) {
    run->position = base_allocate(&context->base, points.count, sizeof *run->position);
    status = comm_agree(context, run->position ? PCCT_OK : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    ordering_set(&ordered->ordering, input_dimension(ordered->input), ordered->stored.seed,
                 &options);
    options.permutation = permutation;
    status = dist_append(ordered->index, &points, &options, run->position);
  }
  base_free(permutation);
  search_release(&points);
  return status;
}

/* New points at the location of one of smaller position. Collective. */
static pcct_status count_duplicates(struct append *run, int64_t *duplicates) {
  pcct_rows rows = {.count = 0};
  const int64_t old = input_count(run->ordered.input);
  int64_t own = 0;
  pcct_status status =
      pcct_index_conditioning_sets(run->ordered.index, 1, old, input_count(run->more), &rows);
  for (int64_t i = 0; i < rows.count; i++) {
    own += rows.filled[i] > 0 && rows.distance[i] == 0;
  }
  pcct_rows_clear(&rows);
  if (status == PCCT_OK) {
    *duplicates = run->ordered.stored.duplicates + comm_sum(run->ordered.app->context, own);
  }
  return status;
}

/* First positions of all parts, the new one included. */
static pcct_status list_batches(struct append *run) {
  const struct stored *stored = &run->ordered.stored;
  pcct_context *context = run->ordered.app->context;
  run->batches = base_allocate(&context->base, stored->batch_count + 1, sizeof *run->batches);
  if (run->batches) {
    for (int64_t i = 0; i < stored->batch_count; i++) {
      run->batches[i] = stored->batches[i];
    }
    run->batches[stored->batch_count] = stored->n;
  }
  return comm_agree(context, run->batches ? PCCT_OK : PCCT_MEMORY);
}

static pcct_status make_header(struct append *run) {
  struct ordered *ordered = &run->ordered;
  int64_t duplicates = 0;
  pcct_status status = count_duplicates(run, &duplicates);
  if (status == PCCT_OK) {
    status = list_batches(run);
  }
  if (status == PCCT_OK) {
    run->header = ordered_header(ordered, 0);
    run->header.kind = OUTPUT_INDEX;
    run->header.n += input_count(run->more);
    run->header.rows = run->header.n;
    run->header.duplicates = duplicates;
    run->header.tree = &run->forest.tree;
    run->header.batches = run->batches;
    run->header.batch_count = (int)(ordered->stored.batch_count + (input_count(run->more) > 0));
  }
  return status;
}

/* Copies one direction of the old ordering. */
static pcct_status copy_ordering(struct append *run, const char *path,
                                 pcct_status (*write)(pcct_context *, struct output *, int64_t,
                                                      int64_t, const int64_t *)) {
  pcct_context *context = run->ordered.app->context;
  int64_t first, count;
  pcct_slab(input_count(run->ordered.input), context->rank, context->size, &first, &count);
  int64_t *share = base_allocate(&context->base, count, sizeof *share);
  pcct_status status = comm_agree(context, share ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_read);
    status = input_read_indices(context, run->ordered.input, path, first, count, share);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    status = write(context, run->output, first, count, share);
  }
  base_free(share);
  return status;
}

/* Writes both directions of the ordering of the new points. */
static pcct_status write_new_ordering(struct append *run) {
  pcct_context *context = run->ordered.app->context;
  struct base *base = &context->base;
  const int64_t old = input_count(run->ordered.input);
  int64_t first, count;
  pcct_slab(input_count(run->more), context->rank, context->size, &first, &count);
  int64_t *row = base_allocate(base, count, sizeof *row);
  int64_t *permutation = base_allocate(base, count, sizeof *permutation);
  pcct_status status = comm_agree(context, row && permutation ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < count; i++) {
      row[i] = old + first + i;
    }
    pcct_context_enter_phase(context, PCCT_PHASE_reorder);
    status = dist_order_permute(context, run->position, count, sizeof *row, row, old + first, count,
                                permutation);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    status = output_write_permutation(context, run->output, old + first, count, permutation);
  }
  if (status == PCCT_OK) {
    status = output_write_position(context, run->output, old + first, count, run->position);
  }
  base_free(row);
  base_free(permutation);
  return status;
}

static pcct_status write_index(struct append *run) {
  struct ordered *ordered = &run->ordered;
  struct app *app = ordered->app;
  struct output_options options = search_output_options(app, &ordered->search);
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, ordered->input, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_rows(app, ordered->input, 0, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_rows(app, run->more, input_count(ordered->input), run->output);
  }
  if (status == PCCT_OK) {
    status = copy_ordering(run, "/ordering/permutation", output_write_permutation);
  }
  if (status == PCCT_OK) {
    status = copy_ordering(run, "/ordering/position", output_write_position);
  }
  if (status == PCCT_OK) {
    status = write_new_ordering(run);
  }
  return status == PCCT_OK ? forest_file_write(app, &run->forest, run->output) : status;
}

static pcct_status run_append(struct app *app, const void *values, const char *const *arguments,
                              int count) {
  const struct append_options *options = values;
  struct append run = {.ordered = {.app = app}, .out = arguments[count - 1]};
  struct ordered *ordered = &run.ordered;
  pcct_status status = search_check(app, &options->search, arguments, count);
  if (status == PCCT_OK) {
    status = open_inputs(&run, &options->search, arguments);
  }
  if (status == PCCT_OK && app->common.dry_run) {
    app_print(app, "would append %" PRId64 " points of %s to the %" PRId64 " of %s, in %s\n",
              input_count(run.more), arguments[1], input_count(ordered->input), arguments[0],
              run.out);
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = insert_points(&run);
  }
  if (status == PCCT_OK) {
    status = forest_file_cut(app, ordered->index, &run.forest);
  }
  if (status == PCCT_OK) {
    status = make_header(&run);
  }
  if (status == PCCT_OK) {
    status = write_index(&run);
  }
  if (status == PCCT_OK) {
    status = search_commit(app, &run.header, ordered->input, ordered->hash, run.out, &run.output);
  }
cleanup:
  output_discard(app->context, &run.output);
  forest_file_clear(&run.forest);
  base_free(run.position);
  base_free(run.batches);
  input_close(app->context, &run.more);
  ordered_close(ordered);
  return status;
}

const struct app_command command_append = {
    .name = "append",
    .summary = "make a larger index of an index and more points",
    .arguments = "INDEX FILE OUT",
    .description =
        "INDEX was made by build or append and stays as it is; FILE has more points with\n"
        "the same coordinates and carried columns. OUT, the larger index, has the rows of\n"
        "INDEX, then those of FILE. The new points come last in the ordering, among\n"
        "themselves as if they were alone: conditioning sets of the old ones stay the\n"
        "same. New points are inserted into the stored trees; the rest is not built again.\n",
    .common =
        APP_THREADS | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_OVERWRITE | APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct append_options),
    .run = run_append,
};
