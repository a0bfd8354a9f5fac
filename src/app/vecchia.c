/*
 * pcct vecchia: points in HDF5 become an ordering and conditioning sets in HDF5.
 */
#include "app/vecchia.h"

#include "app/ordered.h"
#include "app/progress.h"
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
    ORDERED_OPTION(struct vecchia_options, ordering),
    SEARCH_OPTIONS(struct vecchia_options),
};

/* A run. */
struct vecchia {
  struct ordered ordered;
  const struct vecchia_options *options;
  const char *out;
  struct output_header header;
  struct output *output;
};

/* Everything that does not depend on the queries, so that the coordinates need not be kept for them. */
static pcct_status write_points(struct vecchia *run) {
  struct ordered *ordered = &run->ordered;
  struct app *app = ordered->app;
  struct output_options options = search_output_options(app, &ordered->search);
  run->header = ordered_header(ordered, run->options->m);
  run->header.kind = OUTPUT_CONDITIONING_SETS;
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, ordered->input, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_coordinates(app, ordered->input, ordered->index, ordered->points.coordinates,
                                  run->output);
  }
  search_release(&ordered->points);
  if (status == PCCT_OK) {
    status = transfer_ordering(app, run->header.n, ordered->index, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_carried(app, ordered->input, ordered->index, run->output);
  }
  return status;
}

/* The number of blocks depends on n and the options alone: every rank goes through all of them. */
static pcct_status write_sets(struct vecchia *run) {
  struct app *app = run->ordered.app;
  pcct_context *context = app->context;
  int64_t n = run->header.n;
  int64_t m = run->options->m;
  int64_t block = search_block_rows(app, &run->ordered.search, n, n, m);
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; first < n && status == PCCT_OK;) {
    int64_t count = n - first < block ? n - first : block;
    pcct_rows rows = {.count = 0};
    progress_enter_block(app->progress, first, count, n);
    status = pcct_index_conditioning_sets(run->ordered.index, m, first, count, &rows);
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
  struct vecchia run = {.ordered = {.app = app}, .options = options, .out = arguments[count - 1]};
  struct ordered *ordered = &run.ordered;
  pcct_status status = ordering_parse(&app->context->base, options->ordering, &ordered->ordering);
  if (status == PCCT_OK) {
    status = search_check(app, &options->search, arguments, count);
  }
  if (status == PCCT_OK) {
    status = ordered_open(app, &options->search, options->ordering, arguments[0], ordered);
  }
  if (status == PCCT_OK && app->common.dry_run) {
    search_print_plan(app, &ordered->search, ordered->input, ordered->input, options->m, run.out);
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = ordered_index(ordered);
  }
  if (status == PCCT_OK) {
    status = write_points(&run);
  }
  if (status == PCCT_OK) {
    status = write_sets(&run);
  }
  if (status == PCCT_OK) {
    status = search_commit(app, &run.header, ordered->input, ordered->hash, run.out, &run.output);
  }
cleanup:
  output_discard(app->context, &run.output);
  ordered_close(ordered);
  return status;
}

const struct app_command command_vecchia = {
    .name = "vecchia",
    .summary = "order points and find every point's nearest predecessors",
    .arguments = "FILE OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points, or an index\n"
        "made by build or append, whose ordering, coordinates and scale it takes. OUT gets\n"
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
