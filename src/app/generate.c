/*
 * pcct generate: each rank makes its slab of every block of rows and writes it.
 */
#include "app/generate.h"

#include "app/generate_points.h"
#include "io/output.h"

/* Coordinates of one block on a rank. */
#define BLOCK_BYTES (INT64_C(64) << 20)

struct generate_values {
  int64_t count;
  int64_t dimension;
  int kind; /* enum generate_kind */
  int64_t compress;
};

static const struct option_entry generate_options[] = {
    {.name = "n",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "1000000",
     .help = "Number of points.",
     .offset = offsetof(struct generate_values, count),
     .minimum = 0,
     .maximum = GENERATE_COUNT_MAX},
    {.name = "dim",
     .kind = OPTION_INTEGER,
     .metavariable = "D",
     .preset = "2",
     .help = "Coordinates of a point.",
     .offset = offsetof(struct generate_values, dimension),
     .minimum = 1,
     .maximum = GENERATE_DIMENSION_MAX},
    {.name = "kind",
     .kind = OPTION_CHOICE,
     .preset = "uniform",
     .choices = GENERATE_KINDS,
     .help = "What the points look like, see above.",
     .offset = offsetof(struct generate_values, kind)},
    {.name = "compress",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "0",
     .help = "Compress the output (shuffle and deflate) with level 1 to 9; 0: not at all.",
     .offset = offsetof(struct generate_values, compress),
     .minimum = 0,
     .maximum = 9},
};

/* Writes all rows. Collective. */
static pcct_status write_points(struct app *app, const struct generate *set,
                                struct output *output) {
  pcct_context *context = app->context;
  int64_t capacity = BLOCK_BYTES / (set->dimension * (int64_t)sizeof(double));
  double *coordinates = NULL;
  int64_t block = capacity * context->size;
  int64_t most = block < set->count ? capacity : set->count / context->size + 1;
  coordinates = base_allocate(&context->base, most * set->dimension, sizeof(double));
  pcct_status status = comm_agree(context, coordinates != NULL ? PCCT_OK : PCCT_MEMORY);
  for (int64_t done = 0; status == PCCT_OK && done < set->count; done += block) {
    int64_t rows = block < set->count - done ? block : set->count - done;
    int64_t first, count;
    pcct_slab(rows, context->rank, context->size, &first, &count);
    pcct_context_enter_phase(context, PCCT_PHASE_read);
    generate_rows(set, done + first, count, context->base.threads, coordinates);
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    status = output_write_coordinates(context, output, done + first, count, coordinates);
    base_progress(&context->base, done + rows, set->count);
  }
  base_free(coordinates);
  return status;
}

static pcct_status run_generate(struct app *app, const void *untyped, const char *const *arguments,
                                int argument_count) {
  (void)argument_count;
  const struct generate_values *values = untyped;
  pcct_context *context = app->context;
  const char *path = arguments[0];
  double started = base_clock();
  struct output *output = NULL;
  struct generate set = {.kind = (enum generate_kind)values->kind,
                         .count = values->count,
                         .dimension = (int)values->dimension,
                         .seed = app->common.seed};
  bool sphere = set.kind == GENERATE_SPHERE;
  if (sphere && set.dimension != 2) {
    return base_fail(&context->base, PCCT_USAGE,
                     "--kind sphere makes longitude and latitude: expected --dim 2, found %d",
                     set.dimension);
  }
  if (set.kind == GENERATE_TRACKS && set.dimension < 2) {
    return base_fail(&context->base, PCCT_USAGE, "--kind tracks expects --dim 2 or more, found 1");
  }
  pcct_status status = output_check_path(context, path, app->common.overwrite, false);
  if (status != PCCT_OK || app->common.dry_run) {
    goto cleanup;
  }
  struct output_options options = {.overwrite = app->common.overwrite,
                                   .compress = (int)values->compress};
  struct output_header header = {.kind = OUTPUT_POINTS,
                                 .n = set.count,
                                 .rows = set.count,
                                 .dimension = set.dimension,
                                 .ordering = "none",
                                 .seed = set.seed,
                                 .metric = sphere ? "great-circle" : "euclidean",
                                 .coordinates = sphere ? "lonlat" : "cartesian",
                                 .dataset = "",
                                 .columns = "",
                                 .units = sphere ? "degrees" : ""};
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  status = output_create(context, path, &options, &header, &output);
  if (status == PCCT_OK) {
    status = write_points(app, &set, output);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    struct provenance provenance = {.command_line = app->command_line,
                                    .input_path = "",
                                    .input_hash = "",
                                    .threads = context->base.threads,
                                    .seconds = base_clock() - started};
    status = output_commit(context, &output, &provenance);
  }
cleanup:
  output_discard(context, &output);
  if (status == PCCT_OK) {
    app_print(app, "%s: %lld points with %d coordinate%s%s\n", path, (long long)set.count,
              set.dimension, set.dimension > 1 ? "s" : "",
              app->common.dry_run ? " would be written (dry run)" : "");
    if (sphere) {
      app_print(app, "These are longitudes and latitudes: search them with --coordinates lonlat\n");
    }
  }
  return status;
}

const struct app_command command_generate = {
    .name = "generate",
    .summary = "make points for tests and measurements",
    .arguments = "OUT",
    .description =
        "Writes N generated points to the HDF5 file OUT, at /points/coordinates.\n"
        "Every point depends on the options alone, not on ranks or threads.\n"
        "  uniform    independent in the unit cube\n"
        "  clustered  256 normal clusters of widths from 1e-6 to 1e-2, log-uniform, with\n"
        "             centres in the unit cube, and 1 % uniform background\n"
        "  sphere     longitude and latitude in degrees, uniform on the sphere (--dim 2)\n"
        "  grid       the first N points of a regular lattice with exact spacing\n"
        "  tracks     dense along smooth curves, 1024 points each, as from ships (--dim >= 2)\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_OVERWRITE | APP_REPORT,
    .options = generate_options,
    .option_count = sizeof generate_options / sizeof generate_options[0],
    .values_size = sizeof(struct generate_values),
    .run = run_generate};
