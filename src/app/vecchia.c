/*
 * pcct vecchia: points in HDF5 become an ordering and conditioning sets in HDF5.
 */
#include "app/vecchia.h"

#include "app/ordering.h"
#include "app/progress.h"
#include "app/search.h"
#include "app/transfer.h"

struct vecchia_options {
  struct search_options search;
  int64_t m;
  const char *ordering;
};

static const struct option_entry options_table[] = {
    {.name = "m",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "30",
     .help = "Predecessors wanted for each point; the first points have fewer.",
     .offset = offsetof(struct vecchia_options, m),
     .minimum = 1,
     .maximum = INT32_MAX},
    {.name = "ordering",
     .kind = OPTION_TEXT,
     .metavariable = "ORDERING",
     .preset = "random",
     .help = "One of none (as given), random, coordinate[:AXIS] (axes from 0), middleout, hilbert, "
             "file:/DATASET (position -> row, a dataset of FILE).",
     .offset = offsetof(struct vecchia_options, ordering)},
    SEARCH_OPTIONS(struct vecchia_options),
};

/* A run. */
struct vecchia {
  struct app *app;
  const struct vecchia_options *options;
  struct ordering_choice ordering;
  const char *out;
  struct input *input;
  char hash[17];
  pcct_points points;   /* this rank's share of the rows */
  int64_t *permutation; /* this rank's share, for file:/DATASET */
  pcct_index *index;
  struct output_header header;
  struct output *output;
};

/* Opens the input and checks what it says about the options. */
static pcct_status open_input(struct vecchia *run, const char *path) {
  pcct_status status = search_open(run->app, &run->options->search, path, &run->input);
  if (status == PCCT_OK) {
    status = search_check_dimension(run->app, &run->options->search, input_dimension(run->input),
                                    run->ordering.axis);
  }
  return status;
}

/* The share of a given permutation. */
static pcct_status read_permutation(struct vecchia *run) {
  pcct_context *context = run->app->context;
  int64_t first, count;
  if (run->ordering.ordering != PCCT_ORDERING_GIVEN) {
    return PCCT_OK;
  }
  pcct_slab(input_count(run->input), context->rank, context->size, &first, &count);
  run->permutation = base_allocate(&context->base, count, sizeof *run->permutation);
  pcct_status status = comm_agree(context, run->permutation != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_indices(context, run->input, run->ordering.dataset, first, count,
                                run->permutation);
  }
  return status;
}

static pcct_status create_index(struct vecchia *run) {
  pcct_index_options options = search_index_options(&run->options->search);
  pcct_status status = search_read(run->app, run->input, &run->points);
  if (status == PCCT_OK) {
    status = input_hash(run->app->context, run->input, run->hash);
  }
  if (status != PCCT_OK) {
    return status;
  }
  options.ordering = run->ordering.ordering;
  options.axis = run->ordering.axis;
  options.seed = run->app->common.seed;
  options.permutation = run->permutation;
  status = pcct_index_create(run->app->context, &run->points, &options, &run->index);
  base_free(run->permutation);
  run->permutation = NULL;
  progress_poll(run->app->progress);
  return status;
}

/* Everything that does not depend on the queries, so that the coordinates need not be kept for them. */
static pcct_status write_points(struct vecchia *run) {
  struct app *app = run->app;
  int64_t duplicates = pcct_index_get_info(run->index).duplicates;
  struct output_options options = search_output_options(app, &run->options->search);
  run->header = search_header(app, &run->options->search, run->input, run->input, run->options->m,
                              duplicates);
  run->header.kind = OUTPUT_CONDITIONING_SETS;
  run->header.ordering = run->options->ordering;
  run->header.has_ordering = true;
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, run->input, run->output);
  }
  if (status == PCCT_OK) {
    status =
        transfer_coordinates(app, run->input, run->index, run->points.coordinates, run->output);
  }
  search_release(&run->points);
  if (status == PCCT_OK) {
    status = transfer_ordering(app, run->header.n, run->index, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_carried(app, run->input, run->index, run->output);
  }
  return status;
}

/* The number of blocks depends on n and the options alone: every rank goes through all of them. */
static pcct_status write_sets(struct vecchia *run) {
  pcct_context *context = run->app->context;
  int64_t n = run->header.n;
  int64_t m = run->options->m;
  int64_t block = search_block_rows(run->app, &run->options->search, n, n, m);
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; first < n && status == PCCT_OK;) {
    int64_t count = n - first < block ? n - first : block;
    pcct_rows rows = {.count = 0};
    progress_enter_block(run->app->progress, first, count, n);
    status = pcct_index_conditioning_sets(run->index, m, first, count, &rows);
    if (status == PCCT_OK) {
      pcct_context_enter_phase(context, PCCT_PHASE_write);
      status = output_write_rows(context, run->output, &rows);
    }
    pcct_rows_clear(&rows);
    first += count;
  }
  return status;
}

static pcct_status run_vecchia(struct app *app, const void *values, const char *const *arguments,
                               int count) {
  const struct vecchia_options *options = values;
  struct vecchia run = {.app = app, .options = options, .out = arguments[count - 1]};
  pcct_status status = ordering_parse(&app->context->base, options->ordering, &run.ordering);
  if (status == PCCT_OK) {
    status = search_check(app, &options->search, arguments, count);
  }
  if (status == PCCT_OK) {
    status = open_input(&run, arguments[0]);
  }
  if (status == PCCT_OK) {
    status = read_permutation(&run);
  }
  if (status == PCCT_OK && app->common.dry_run) {
    search_print_plan(app, &options->search, run.input, run.input, options->m, run.out);
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = create_index(&run);
  }
  if (status == PCCT_OK) {
    status = write_points(&run);
  }
  if (status == PCCT_OK) {
    status = write_sets(&run);
  }
  if (status == PCCT_OK) {
    status = search_commit(app, &run.header, run.input, run.hash, run.out, &run.output);
  }
cleanup:
  output_discard(app->context, &run.output);
  pcct_index_destroy(&run.index);
  base_free(run.permutation);
  search_release(&run.points);
  input_close(app->context, &run.input);
  return status;
}

const struct app_command command_vecchia = {
    .name = "vecchia",
    .summary = "order points and find every point's nearest predecessors",
    .arguments = "FILE OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points. OUT gets\n"
        "the ordering, the points and their carried columns in this ordering, and every\n"
        "point's conditioning set: its nearest predecessors, nearest first. Results are\n"
        "exact and the same for any number of ranks and threads.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_OVERWRITE |
              APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct vecchia_options),
    .run = run_vecchia,
};
