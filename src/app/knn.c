/*
 * pcct knn: the k nearest points of every point, or of the points of a query file.
 */
#include "app/knn.h"

#include "app/progress.h"
#include "app/search.h"
#include "app/transfer.h"

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
  struct app *app;
  const struct knn_options *options;
  const char *out;
  struct input *input;
  struct input *queries; /* NULL: every row asks */
  char hash[17];
  pcct_index *index;
  struct output_header header;
  struct output *output;
};

/* Whose rows the output has. */
static struct input *asking(const struct knn *run) {
  return run->queries != NULL ? run->queries : run->input;
}

static pcct_status open_inputs(struct knn *run, const char *path, const char *query_path) {
  const struct search_options *search = &run->options->search;
  pcct_status status = search_open(run->app, search, path, &run->input);
  if (status == PCCT_OK) {
    status = search_check_dimension(run->app, search, input_dimension(run->input), 0);
  }
  if (status == PCCT_OK && query_path != NULL) {
    status = search_open(run->app, search, query_path, &run->queries);
  }
  if (status == PCCT_OK && query_path != NULL &&
      input_dimension(run->queries) != input_dimension(run->input)) {
    status =
        base_fail(&run->app->context->base, PCCT_INPUT,
                  "the queries in %s have %d coordinates, the points in %s have %d; they must "
                  "have the same",
                  query_path, input_dimension(run->queries), path, input_dimension(run->input));
  }
  return status;
}

static pcct_status create_index(struct knn *run) {
  pcct_index_options options = search_index_options(&run->options->search);
  pcct_points points;
  pcct_status status = input_hash(run->app->context, run->input, run->hash);
  if (status == PCCT_OK) {
    status = search_read(run->app, run->input, &points);
  }
  if (status == PCCT_OK) {
    status = pcct_index_create(run->app->context, &points, &options, &run->index);
    search_release(&points);
  }
  progress_poll(run->app->progress);
  return status;
}

static pcct_status write_points(struct knn *run) {
  struct app *app = run->app;
  int64_t duplicates = pcct_index_get_info(run->index).duplicates;
  struct output_options options = search_output_options(app, &run->options->search);
  run->header = search_header(app, &run->options->search, run->input, asking(run), run->options->k,
                              duplicates);
  run->header.kind = OUTPUT_NEIGHBORS;
  run->header.queries = run->queries ? "file" : "rows";
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, asking(run), run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_coordinates(app, asking(run), NULL, NULL, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_carried(app, asking(run), NULL, run->output);
  }
  return status;
}

/* The rows of one block: each rank's slab of it. */
static pcct_status answer_block(struct knn *run, int64_t first, int64_t count, pcct_rows *rows) {
  pcct_context *context = run->app->context;
  int64_t k = run->options->k;
  if (run->queries == NULL) {
    return pcct_index_neighbors(run->index, k, first, count, rows);
  }
  pcct_points queries = {.dimension = input_dimension(run->queries)};
  pcct_slab(count, context->rank, context->size, &queries.first_row, &queries.count);
  queries.first_row += first;
  double *coordinates =
      base_allocate(&context->base, queries.count, (size_t)queries.dimension * sizeof *coordinates);
  queries.coordinates = coordinates;
  pcct_status status = comm_agree(context, coordinates != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_read);
    status = input_read_coordinates(context, run->queries, queries.first_row, queries.count,
                                    coordinates);
  }
  if (status == PCCT_OK) {
    status = pcct_index_query(run->index, &queries, k, rows);
  }
  base_free(coordinates);
  return status;
}

/* The number of blocks depends on counts and options alone: every rank goes through all of them. */
static pcct_status write_neighbors(struct knn *run) {
  pcct_context *context = run->app->context;
  int64_t row_count = run->header.rows;
  int64_t block =
      search_block_rows(run->app, &run->options->search, row_count, run->header.n, run->options->k);
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; first < row_count && status == PCCT_OK;) {
    int64_t count = row_count - first < block ? row_count - first : block;
    pcct_rows rows = {.count = 0};
    progress_enter_block(run->app->progress, first, count, row_count);
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
  struct knn run = {.app = app, .options = options, .out = arguments[count - 1]};
  pcct_status status = search_check(app, &options->search, arguments, count);
  if (status == PCCT_OK) {
    status = open_inputs(&run, arguments[0], count == 3 ? arguments[1] : NULL);
  }
  if (status == PCCT_OK && app->common.dry_run) {
    search_print_plan(app, &options->search, run.input, asking(&run), options->k, run.out);
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = create_index(&run);
  }
  if (status == PCCT_OK) {
    status = write_points(&run);
  }
  if (status == PCCT_OK) {
    status = write_neighbors(&run);
  }
  if (status == PCCT_OK) {
    status = search_commit(app, &run.header, run.input, run.hash, run.out, &run.output);
  }
cleanup:
  output_discard(app->context, &run.output);
  pcct_index_destroy(&run.index);
  input_close(app->context, &run.queries);
  input_close(app->context, &run.input);
  return status;
}

const struct app_command command_knn = {
    .name = "knn",
    .summary = "find the nearest neighbours of every point, or of query points",
    .arguments = "FILE [QUERIES] OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points. Without\n"
        "QUERIES every point asks, itself (but not its duplicates) excluded; with QUERIES,\n"
        "a file with as many coordinates, its points ask and nothing is excluded. OUT gets\n"
        "the rows of the nearest points in FILE, nearest first. Results are exact and the\n"
        "same for any number of ranks and threads.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_OVERWRITE |
              APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct knn_options),
    .run = run_knn,
};
