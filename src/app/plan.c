/*
 * pcct plan: memory, files, messages and seconds of a run on any number of ranks, from a model.
 */
#include "app/plan.h"

#include "app/ordered.h"

#include <inttypes.h>
#include <stdlib.h>

struct plan_options {
  int64_t ranks, threads;
  int64_t memory_limit;
  int coordinates; /* enum pcct_coordinates */
  const char *ordering;
};

static const struct option_entry options_table[] = {
    {.name = "ranks",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "1",
     .help = "Ranks of the run.",
     .offset = offsetof(struct plan_options, ranks),
     .minimum = 1,
     .maximum = INT32_MAX},
    {.name = "threads",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "1",
     .help = "OpenMP threads of every rank.",
     .offset = offsetof(struct plan_options, threads),
     .minimum = 1,
     .maximum = 4096},
    {.name = "memory-per-rank",
     .kind = OPTION_BYTES,
     .metavariable = "BYTES",
     .help =
         "Memory of a rank, e.g. 2G or 2GiB, as for --memory-limit of vecchia. Default: as much "
         "as the usual blocks take.",
     .offset = offsetof(struct plan_options, memory_limit)},
    {.name = "coordinates",
     .kind = OPTION_CHOICE,
     .preset = "cartesian",
     .choices = "cartesian|lonlat|lonlat-time",
     .help = "Longitude and latitude are searched with three coordinates.",
     .offset = offsetof(struct plan_options, coordinates)},
    ORDERED_OPTION(struct plan_options, ordering)};

/* A positive integer, written plainly or as 1e9. */
static pcct_status read_number(struct base *base, const char *name, const char *text, double most,
                               int64_t *number) {
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 1) || value > most ||
      value != (double)(int64_t)value) {
    return base_fail(base, PCCT_USAGE, "%s: expected an integer from 1 to %.15g, found '%s'", name,
                     most, text);
  }
  *number = (int64_t)value;
  return PCCT_OK;
}

static pcct_status run_plan(struct app *app, const void *values, const char *const *arguments,
                            int count) {
  (void)count;
  const double most = 1e15;
  const struct plan_options *options = values;
  struct base *base = &app->context->base;
  struct cost_run run = {.ranks = (int)options->ranks,
                         .threads = (int)options->threads,
                         .distance_bytes = sizeof(double),
                         .limit = options->memory_limit};
  struct ordering_choice ordering;
  int64_t dimension = 0;
  pcct_status status = ordering_parse(base, options->ordering, &ordering);
  if (status == PCCT_OK) {
    status = read_number(base, "N", arguments[0], most, &run.n);
  }
  if (status == PCCT_OK) {
    status = read_number(base, "D", arguments[1], PCCT_DIMENSION_MAX, &dimension);
  }
  if (status == PCCT_OK) {
    status = read_number(base, "M", arguments[2], INT32_MAX, &run.width);
  }
  const int globe = options->coordinates == PCCT_LONLAT_TIME ? 3 : 2;
  if (status == PCCT_OK && options->coordinates != PCCT_CARTESIAN && dimension != globe) {
    status = base_fail(base, PCCT_USAGE, "%s coordinates are %d, found %" PRId64,
                       search_coordinates_word(options->coordinates), globe, dimension);
  }
  if (status != PCCT_OK) {
    return status;
  }
  run.rows = run.n;
  run.nets = ordering_has_length_scale(&ordering);
  run.dimension = (int)dimension;
  run.search_dimension = search_dimension(options->coordinates, run.dimension);
  status = search_limit(app, &run);
  if (status == PCCT_OK) {
    const struct cost_memory memory = cost_memory(&run);
    const struct cost cost = cost_estimate(&run, &memory);
    app_print_always(app, "vecchia of %" PRId64 " points with %d coordinate%s, m = %" PRId64 "\n",
                     run.n, run.dimension, run.dimension == 1 ? "" : "s", run.width);
    search_print_bytes(app, "file     ", cost.file_bytes);
    search_print_cost(app, &run, "needs    ");
  }
  return status;
}

const struct app_command command_plan = {
    .name = "plan",
    .summary = "say what a run of vecchia would cost",
    .arguments = "N D M",
    .description =
        "Memory of each rank, bytes of the output, messages, and seconds of vecchia for N\n"
        "points with D coordinates and M predecessors each: a model, made for uniform\n"
        "points in random order and calibrated on one machine. Nothing is read or written.\n"
        "With a subcommand instead of numbers, pcct plan vecchia FILE OUT ..., it is that\n"
        "subcommand with --dry-run: its options and files are checked, too.\n",
    .common = APP_QUIET_VERBOSE,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct plan_options),
    .run = run_plan,
};
