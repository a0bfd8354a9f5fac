/*
 * pcct build: points in HDF5 become an index in HDF5: ordering and trees, ready for searches and for more points.
 */
#include "app/build.h"

#include "app/forest_file.h"
#include "app/ordered.h"
#include "app/transfer.h"

#include <inttypes.h>

struct build_options {
  struct search_options search;
  const char *ordering;
};

static const struct option_entry options_table[] = {
    ORDERED_OPTION(struct build_options, ordering),
    SEARCH_POINTS_OPTIONS(struct build_options),
    SEARCH_COMPRESS_OPTION(struct build_options),
    SEARCH_MEMORY_OPTION(struct build_options),
};

/* A run. */
struct build {
  struct ordered ordered;
  struct forest_file forest;
  const char *out;
  struct output_header header;
  struct output *output;
};

static pcct_status write_index(struct build *run) {
  static const int64_t beginning = 0;
  struct ordered *ordered = &run->ordered;
  struct app *app = ordered->app;
  struct output_options options = search_output_options(app, &ordered->search);
  run->header = ordered_header(ordered, 0);
  run->header.kind = OUTPUT_INDEX;
  run->header.tree = &run->forest.tree;
  run->header.batches = &beginning;
  run->header.batch_count = 1;
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, ordered->input, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_rows(app, ordered->input, 0, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_ordering(app, run->header.n, NULL, ordered->index, run->output);
  }
  return status == PCCT_OK ? forest_file_write(app, &run->forest, run->output) : status;
}

static void print_plan(const struct build *run, const struct cost_run *cost) {
  const struct ordered *ordered = &run->ordered;
  app_print(ordered->app, "would read %" PRId64 " points with %d coordinates from %s\n",
            input_count(ordered->input), input_dimension(ordered->input),
            input_path(ordered->input));
  app_print(ordered->app, "would write an index in the ordering %s to %s\n", ordered->ordering_text,
            run->out);
  search_print_memory(ordered->app, cost, "would need about ");
  app_print(ordered->app, "\n");
}

static pcct_status run_build(struct app *app, const void *values, const char *const *arguments,
                             int count) {
  const struct build_options *options = values;
  struct build run = {.ordered = {.app = app}, .out = arguments[count - 1]};
  struct ordered *ordered = &run.ordered;
  pcct_status status = ordering_parse(&app->context->base, options->ordering, &ordered->ordering);
  if (status == PCCT_OK) {
    status = search_check(app, &options->search, arguments, count);
  }
  if (status == PCCT_OK) {
    status = ordered_open(app, &options->search, options->ordering, arguments[0], ordered);
  }
  if (status == PCCT_OK && ordered->stored.present) {
    status = base_fail(&app->context->base, PCCT_USAGE,
                       "%s is an index already; build takes points, append adds points to an index",
                       arguments[0]);
  }
  if (status == PCCT_OK) { /* rows of one entry: the tree's */
    const struct cost_run cost =
        search_run(app, &ordered->search, ordered->input, ordered->input, 1);
    status = search_limit(app, &cost);
    if (status == PCCT_OK && app->common.dry_run) {
      print_plan(&run, &cost);
      goto cleanup;
    }
  }
  if (status == PCCT_OK) {
    status = ordered_index(ordered);
  }
  search_release(&ordered->points);
  if (status == PCCT_OK) {
    status = forest_file_cut(app, ordered->index, &run.forest);
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
  ordered_close(ordered);
  return status;
}

const struct app_command command_build = {
    .name = "build",
    .summary = "store points with their ordering and trees as an index",
    .arguments = "FILE OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points. OUT, the\n"
        "index, gets the points and their carried columns in the order of FILE, the\n"
        "ordering, and the trees. vecchia, knn and range take it instead of FILE, on any\n"
        "number of ranks, and give the same answers; append makes a larger index of it.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_RANKS | APP_OVERWRITE |
              APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct build_options),
    .run = run_build,
};
