/*
 * pcct knn: the k nearest points of every point, or of the points of a query
 * file.
 */
#include "app/knn.h"

#include "app/asking.h"
#include "app/progress.h"

struct knn_options {
  struct search_options search;
  int64_t k;
};

static const struct option_entry options_table[] = {
    {.name = "k",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "10",
     .help = "Neighbours wanted for each row; rows are padded where fewer exist.",
     .offset = offsetof(struct knn_options, k),
     .minimum = 1,
     .maximum = INT32_MAX},
    SEARCH_OPTIONS(struct knn_options),
};

/* A run. */
struct knn {
  struct asking asking;
  const struct knn_options *options;
  const char *out;
  struct output_header header;
  struct output *output;
};

static pcct_status write_points(struct knn *run) {
  struct asking *asking = &run->asking;
  struct app *app = asking->app;
  int64_t duplicates = pcct_index_get_info(asking->index).duplicates;
  struct output_options options = search_output_options(app, &asking->search);
  run->header = search_header(app, &asking->search, asking->input, asking_rows(asking),
                              run->options->k, duplicates);
  run->header.kind = OUTPUT_NEIGHBORS;
  run->header.queries = asking->queries ? "file" : "rows";
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  return status == PCCT_OK ? asking_transfer(asking, run->output) : status;
}

/* The rows of one block: each rank's slab of it. */
static pcct_status answer_block(struct knn *run, int64_t first, int64_t count, pcct_rows *rows) {
  int64_t k = run->options->k;
  if (run->asking.queries == NULL) {
    return pcct_index_neighbors(run->asking.index, k, first, count, rows);
  }
  pcct_points queries;
  pcct_status status = asking_read(&run->asking, first, count, &queries);
  if (status == PCCT_OK) {
    status = pcct_index_query(run->asking.index, &queries, k, rows);
  }
  search_release(&queries);
  return status;
}

/* The number of blocks depends on counts and options alone: every rank goes
 * through all of them. */
static pcct_status write_neighbors(struct knn *run) {
  pcct_context *context = run->asking.app->context;
  int64_t row_count = run->header.rows;
  const struct cost_run cost = search_run(run->asking.app, &run->asking.search, run->asking.input,
                                          asking_rows(&run->asking), run->options->k);
  int64_t block = cost_memory(&cost).block_rows;
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; first < row_count && status == PCCT_OK;) {
    int64_t count = row_count - first < block ? row_count - first : block;
    pcct_rows rows = {.count = 0};
    progress_enter_block(run->asking.app->progress, first, count, row_count);
    status = answer_block(run, first, count, &rows);
    if (status == PCCT_OK) {
      pcct_context_enter_phase(context, PCCT_PHASE_write);
      status = output_write_rows(context, run->output, &rows);
    }
    pcct_rows_clear(&rows);
    first += count;
  }
  return status;
}

static pcct_status run_knn(struct app *app, const void *values, const char *const *arguments,
                           int count) {
  const struct knn_options *options = values;
  struct knn run = {.asking = {.app = app, .search = options->search},
                    .options = options,
                    .out = arguments[count - 1]};
  struct asking *asking = &run.asking;
  pcct_status status = search_check(app, &options->search, arguments, count);
  if (status == PCCT_OK) {
    status = asking_open(asking, arguments[0], count == 3 ? arguments[1] : NULL);
  }
  if (status == PCCT_OK) {
    const struct cost_run cost =
        search_run(app, &asking->search, asking->input, asking_rows(asking), options->k);
    status = search_limit(app, &cost);
  }
  if (status == PCCT_OK && app->common.dry_run) {
    search_print_plan(app, &asking->search, asking->input, asking_rows(asking), options->k,
                      run.out);
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = asking_index(asking);
  }
  if (status == PCCT_OK) {
    status = write_points(&run);
  }
  if (status == PCCT_OK) {
    status = write_neighbors(&run);
  }
  if (status == PCCT_OK) {
    status = search_commit(app, &run.header, asking->input, asking->hash, run.out, &run.output);
  }
cleanup:
  output_discard(app->context, &run.output);
  asking_close(asking);
  return status;
}

const struct app_command command_knn = {
    .name = "knn",
    .summary = "find the nearest neighbours of every point, or of query points",
    .arguments = "FILE [QUERIES] OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points, or an index\n"
        "made by build or append. Without QUERIES every point asks, itself (but not its\n"
        "duplicates) excluded; with QUERIES, a file with as many coordinates, its points ask\n"
        "and nothing is excluded. OUT gets the rows of the nearest points in FILE, nearest\n"
        "first. Results are exact and the same for any number of ranks and threads.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_RANKS | APP_OVERWRITE |
              APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct knn_options),
    .run = run_knn,
};
