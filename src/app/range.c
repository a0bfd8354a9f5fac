/*
 * pcct range: the points within a radius of every point, or of the points of a
 * query file.
 *
 * How many there are is known only afterwards, but a file needs its sizes when
 * it is made: so points are counted first, in a run of their own that also
 * tells how many rows at a time fit in memory, and found in a second one.
 */
#include "app/range.h"

#include "app/asking.h"
#include "app/progress.h"

#include <inttypes.h>

/* Parts of the rows whose points are counted separately, to choose blocks by.
 */
enum { PARTS = 4096 };

/* A row that is only counted takes about as much memory as this many
 * neighbours. */
#define COUNT_WIDTH 4

/* Memory that a point found takes while it is made and moved. */
#define ENTRY_BYTES 64

struct range_options {
  struct search_options search;
  struct option_number radius;
  int64_t most;
  const char *queries;
  bool count_only;
};

static const struct option_entry options_table[] = {
    {.name = "radius",
     .kind = OPTION_NUMBER,
     .metavariable = "R",
     .help = "Points at distance R or nearer are found; needed. In the units "
             "of distances: km for "
             "lonlat, else those of the coordinates after --scale.",
     .offset = offsetof(struct range_options, radius)},
    {.name = "queries",
     .kind = OPTION_TEXT,
     .metavariable = "FILE",
     .help = "A file with as many coordinates: its points ask, and nothing is "
             "excluded. Default: "
             "every point asks, itself (but not its duplicates) excluded.",
     .offset = offsetof(struct range_options, queries)},
    {.name = "most",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .help = "Not more than N points for each row, the nearest. Default: all.",
     .offset = offsetof(struct range_options, most),
     .minimum = 1,
     .maximum = INT64_MAX},
    {.name = "count-only",
     .kind = OPTION_FLAG,
     .help = "Write how many points each row has, not which.",
     .offset = offsetof(struct range_options, count_only)},
    SEARCH_OPTIONS(struct range_options),
};

/* A run. */
struct range {
  struct asking asking;
  const struct range_options *options;
  const char *out;
  int64_t rows;
  struct cost_run cost;
  int64_t part_rows;    /* rows of a part, the last may have fewer */
  int64_t found[PARTS]; /* points found for each part by all ranks */
  struct output_header header;
  struct output *output;
};

/* The rows of one block: each rank's slab of it. */
static pcct_status answer_block(struct range *run, bool count_only, int64_t first, int64_t count,
                                pcct_ranges *ranges) {
  pcct_range_options options = pcct_range_options_default();
  options.radius = run->options->radius.value;
  options.most = run->options->most;
  options.count_only = count_only;
  if (run->asking.queries == NULL) {
    return pcct_index_range_neighbors(run->asking.index, &options, first, count, ranges);
  }
  pcct_points queries;
  pcct_status status = asking_read(&run->asking, first, count, &queries);
  if (status == PCCT_OK) {
    status = pcct_index_range(run->asking.index, &queries, &options, ranges);
  }
  search_release(&queries);
  return status;
}

/* Counts what there is to find, part by part. The number of blocks depends on
 * counts and options alone. */
static pcct_status count_found(struct range *run) {
  struct app *app = run->asking.app;
  const int64_t block = cost_memory(&run->cost).block_rows;
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; first < run->rows && status == PCCT_OK;) {
    const int64_t count = run->rows - first < block ? run->rows - first : block;
    pcct_ranges ranges = {.count = 0};
    progress_enter_block(app->progress, first, count, 2 * run->rows);
    status = answer_block(run, true, first, count, &ranges);
    for (int64_t r = 0; r < ranges.count; r++) {
      run->found[(ranges.first + r) / run->part_rows] += ranges.offset[r + 1] - ranges.offset[r];
    }
    pcct_ranges_clear(&ranges);
    first += count;
  }
  if (status == PCCT_OK) {
    MPI_Allreduce(MPI_IN_PLACE, run->found, PARTS, MPI_INT64_T, MPI_SUM, app->context->comm);
    for (int p = 0; p < PARTS; p++) {
      run->header.entries += run->found[p];
    }
  }
  return status;
}

/* Bytes for what a block finds on a rank. */
static int64_t room_bytes(const struct cost_run *cost) {
  const int64_t most = INT64_C(128) << 20;
  const struct cost_memory memory = cost_memory(cost);
  const double left = (double)cost->limit - memory.fixed - memory.resident - memory.moved;
  return cost->limit > 0 && left < (double)most ? (int64_t)left : most;
}

/* The rows of the next block: as many parts as fit in memory, at least one, or
 * what --block-rows says. */
static int64_t next_block(const struct range *run, int64_t first) {
  const struct search_options *search = &run->options->search;
  struct app *app = run->asking.app;
  const int64_t rest = run->rows - first;
  if (search->block_rows > 0 || run->options->count_only) {
    const int64_t block = cost_memory(&run->cost).block_rows;
    return rest < block ? rest : block;
  }
  const int64_t room = room_bytes(&run->cost) / ENTRY_BYTES * app->context->size;
  int64_t part = first / run->part_rows;
  int64_t entries = run->found[part++];
  while (part * run->part_rows < run->rows && entries + run->found[part] <= room) {
    entries += run->found[part++];
  }
  const int64_t end = part * run->part_rows;
  return end < run->rows ? end - first : rest;
}

static pcct_status write_points(struct range *run) {
  struct asking *asking = &run->asking;
  struct app *app = asking->app;
  struct output_options options = search_output_options(app, &asking->search);
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  return status == PCCT_OK ? asking_transfer(asking, run->output) : status;
}

/* At least one block, since a file without rows has an offset too. */
static pcct_status write_found(struct range *run) {
  struct app *app = run->asking.app;
  pcct_context *context = app->context;
  const bool count_only = run->options->count_only;
  const int64_t counted = count_only ? 0 : run->rows;
  int64_t entries = 0; /* of the blocks before */
  int64_t first = 0;
  pcct_status status = PCCT_OK;
  do {
    const int64_t count = next_block(run, first);
    pcct_ranges ranges = {.count = 0};
    progress_enter_block(app->progress, counted + first, count, counted + run->rows);
    status = answer_block(run, count_only, first, count, &ranges);
    if (status == PCCT_OK) {
      const int64_t own = ranges.offset[ranges.count];
      const int64_t before = comm_scan_before(context, own);
      pcct_context_enter_phase(context, PCCT_PHASE_write);
      status = output_write_ranges(context, run->output, &ranges, entries + before);
      entries += comm_sum(context, own);
    }
    pcct_ranges_clear(&ranges);
    first += count;
  } while (first < run->rows && status == PCCT_OK);
  run->header.entries = entries;
  return status;
}

static void print_plan(const struct range *run) {
  const struct asking *asking = &run->asking;
  app_print(asking->app, "would read %" PRId64 " points with %d coordinates from %s\n",
            input_count(asking->input), input_dimension(asking->input), input_path(asking->input));
  if (asking->queries != NULL) {
    app_print(asking->app, "would read %" PRId64 " queries from %s\n", input_count(asking->queries),
              input_path(asking->queries));
  }
  app_print(asking->app,
            "would write %" PRId64
            " rows of %s within %g to %s; memory and size depend on how many "
            "there are: --count-only tells\n",
            run->rows, run->options->count_only ? "numbers of points" : "points",
            run->options->radius.value, run->out);
}

static pcct_status check(struct app *app, const struct range_options *options,
                         const char *const *arguments) {
  const char *paths[3] = {arguments[0]};
  int count = 1;
  if (!options->radius.given) {
    return base_fail(&app->context->base, PCCT_USAGE,
                     "--radius is missing: how far to look, e.g. --radius 0.5");
  }
  if (options->queries != NULL) {
    paths[count++] = options->queries;
  }
  paths[count++] = arguments[1];
  return search_check(app, &options->search, paths, count);
}

static pcct_status make_file(struct range *run) {
  struct asking *asking = &run->asking;
  pcct_status status = asking_index(asking);
  if (status != PCCT_OK) {
    return status;
  }
  run->header = search_header(asking->app, &asking->search, asking->input, asking_rows(asking),
                              run->options->most, pcct_index_get_info(asking->index).duplicates);
  run->header.kind = OUTPUT_RANGES;
  run->header.queries = asking->queries ? "file" : "rows";
  run->header.radius = run->options->radius.value;
  run->header.count_only = run->options->count_only;
  if (!run->options->count_only) {
    status = count_found(run);
  }
  if (status == PCCT_OK) {
    status = write_points(run);
  }
  return status == PCCT_OK ? write_found(run) : status;
}

static pcct_status run_range(struct app *app, const void *values, const char *const *arguments,
                             int count) {
  (void)count;
  const struct range_options *options = values;
  struct base *base = &app->context->base;
  struct range *run = NULL;
  pcct_status status = check(app, options, arguments);
  if (status == PCCT_OK) {
    run = base_allocate_zero(base, 1, sizeof *run);
    status = comm_agree(app->context, run ? PCCT_OK : PCCT_MEMORY);
  }
  if (status != PCCT_OK) {
    goto cleanup;
  }
  run->asking = (struct asking){.app = app, .search = options->search};
  run->options = options;
  run->out = arguments[1];
  status = asking_open(&run->asking, arguments[0], options->queries);
  if (status == PCCT_OK) {
    run->rows = input_count(asking_rows(&run->asking));
    run->cost = search_run(app, &run->asking.search, run->asking.input, asking_rows(&run->asking),
                           COUNT_WIDTH);
    status = search_limit(app, &run->cost);
  }
  if (status == PCCT_OK) {
    run->part_rows = run->rows / PARTS + 1;
    if (app->common.dry_run) {
      print_plan(run);
    } else {
      status = make_file(run);
    }
  }
  if (status == PCCT_OK && !app->common.dry_run) {
    status = search_commit(app, &run->header, run->asking.input, run->asking.hash, run->out,
                           &run->output);
  }
  output_discard(app->context, &run->output);
  asking_close(&run->asking);
cleanup:
  base_free(run);
  return status;
}

const struct app_command command_range = {
    .name = "range",
    .summary = "find all points within a radius of every point, or of query points",
    .arguments = "FILE OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points, or an index\n"
        "made by build or append. OUT gets for every point, or every point of a query file,\n"
        "the rows of all points at distance R or nearer, nearest first, as compressed rows:\n"
        "those of row i stand at /neighbors/offset[i] .. offset[i+1]-1 of /neighbors/index\n"
        "and distance. Results are exact and the same for any number of ranks and threads.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_RANKS | APP_OVERWRITE |
              APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct range_options),
    .run = run_range,
};
