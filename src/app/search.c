/*
 * What vecchia, knn and range have in common.
 */
#include "app/search.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As files call them. */
static const char *const metric_words[] = {
    [PCCT_EUCLIDEAN] = "euclidean", [PCCT_MANHATTAN] = "manhattan", [PCCT_CHEBYSHEV] = "chebyshev"};
#define GREAT_CIRCLE "great-circle"

/* Bytes of a distance in a file. */
static const int distance_bytes[] = {
    [SEARCH_DISTANCES_F8] = 8, [SEARCH_DISTANCES_F4] = 4, [SEARCH_DISTANCES_NONE] = 0};

/* ---- checks */

static const char *const coordinate_words[] = {
    [PCCT_CARTESIAN] = "cartesian", [PCCT_LONLAT] = "lonlat", [PCCT_LONLAT_TIME] = "lonlat-time"};

const char *search_coordinates_word(int coordinates) {
  return coordinate_words[coordinates];
}

bool search_coordinates(const char *word, int *coordinates) {
  for (int i = 0; i <= PCCT_LONLAT_TIME; i++) {
    if (strcmp(word, coordinate_words[i]) == 0) {
      *coordinates = i;
      return true;
    }
  }
  return false;
}

int search_dimension(int coordinates, int dimension) {
  return coordinates == PCCT_LONLAT ? 3 : coordinates == PCCT_LONLAT_TIME ? 4 : dimension;
}

static pcct_status check_contradictions(struct app *app, const struct search_options *options) {
  struct base *base = &app->context->base;
  const char *word = search_coordinates_word(options->coordinates);
  const bool scaled = options->scale.count > 0 || options->scale_file != NULL;
  if (options->dataset != NULL && options->columns != NULL) {
    return base_fail(base, PCCT_USAGE,
                     "--dataset and --columns both name the coordinates; give one of them");
  }
  if (options->scale_file != NULL && (options->scale.count > 0 || options->rotation.count > 0)) {
    return base_fail(base, PCCT_USAGE,
                     "--scale-file holds what --scale and --rotation say; give one or the other");
  }
  if (options->coordinates == PCCT_LONLAT && scaled) {
    return base_fail(base, PCCT_USAGE,
                     "--scale has no meaning with --coordinates lonlat; leave it out");
  }
  if (options->coordinates != PCCT_CARTESIAN && options->rotation.count > 0) {
    return base_fail(base, PCCT_USAGE,
                     "--rotation has no meaning with --coordinates %s; leave it out", word);
  }
  if (options->coordinates == PCCT_LONLAT_TIME && !scaled) {
    return base_fail(base, PCCT_USAGE,
                     "--coordinates lonlat-time needs --scale KM,TIME: what distance on the Earth "
                     "is as near as what time");
  }
  if (options->coordinates != PCCT_CARTESIAN && options->metric != PCCT_EUCLIDEAN) {
    return base_fail(base, PCCT_USAGE,
                     "--metric %s has no meaning with --coordinates %s, whose distances are "
                     "great-circle or chords; leave it out",
                     metric_words[options->metric], word);
  }
  return PCCT_OK;
}

/* ---- scales from a file */

/* Reads numbers separated by blanks, line ends or commas, on rank 0. */
static pcct_status read_numbers(struct base *base, const char *path, double *number, int most,
                                int *count) {
  FILE *file = fopen(path, "r");
  int read = 0, last = 0;
  *count = 0;
  if (file == NULL) {
    return base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  while (*count < most && (read = fscanf(file, " %lf", &number[*count])) == 1) {
    ++*count;
    last = getc(file);
    if (last != ',' && last != EOF && !isspace(last)) {
      read = 0;
      break;
    }
  }
  const bool bad = read == 0 || *count == 0 || (*count == most && !feof(file) && last != '\n');
  fclose(file);
  return bad ? base_fail(base, PCCT_INPUT,
                         "%s: expected numbers separated by blanks or commas, the scales and then "
                         "perhaps a rotation; number %d is none, or there are too many",
                         path, *count + 1)
             : PCCT_OK;
}

static pcct_status load_scale(struct app *app, struct search_options *options, int dimension) {
  enum { MOST = 2 * OPTIONS_NUMBERS_MAX };
  struct {
    double number[MOST];
    int count;
  } read = {.count = 0};
  pcct_context *context = app->context;
  const int scales = options->coordinates == PCCT_LONLAT_TIME ? 2 : dimension;
  const int matrix = options->coordinates == PCCT_CARTESIAN && dimension <= PCCT_ROTATED_MAX
                         ? dimension * dimension
                         : 0;
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = read_numbers(&context->base, options->scale_file, read.number, MOST, &read.count);
    if (status == PCCT_OK && read.count != scales &&
        (matrix == 0 || read.count != scales + matrix)) {
      status = base_fail(&context->base, PCCT_INPUT,
                         "%s: expected %d scales, or with a rotation %d numbers, found %d",
                         options->scale_file, scales, scales + matrix, read.count);
    }
    for (int j = 0; j < scales && status == PCCT_OK; j++) {
      if (!(read.number[j] > 0) || !isfinite(read.number[j])) {
        status = base_fail(&context->base, PCCT_INPUT, "%s: expected positive scales, found %g",
                           options->scale_file, read.number[j]);
      }
    }
  }
  status = comm_agree(context, status);
  comm_broadcast(context, &read, sizeof read);
  if (status == PCCT_OK) {
    options->scale.count = scales;
    memcpy(options->scale.value, read.number, (size_t)scales * sizeof(double));
    options->rotation.count = read.count - scales;
    memcpy(options->rotation.value, read.number + scales,
           (size_t)options->rotation.count * sizeof(double));
  }
  return status;
}

pcct_status search_complete(struct app *app, struct search_options *options, int dimension) {
  pcct_status status = PCCT_OK;
  if (options->scale_file != NULL) {
    status = load_scale(app, options, dimension);
    options->scale_file = NULL;
  }
  if (status == PCCT_OK && options->coordinates == PCCT_LONLAT_TIME && options->scale.count == 2) {
    options->scale.value[2] = options->scale.value[1];
    options->scale.value[1] = options->scale.value[0];
    options->scale.count = 3;
  }
  return status;
}

pcct_status search_check(struct app *app, const struct search_options *options,
                         const char *const *paths, int count) {
  const char *out = paths[count - 1];
  pcct_status status = check_contradictions(app, options);
  if (status == PCCT_OK && app->context->rank == 0) {
    for (int i = 0; i < count - 1 && status == PCCT_OK; i++) {
      if (app_same_file(paths[i], out)) {
        status = base_fail(&app->context->base, PCCT_USAGE,
                           "the output %s is also an input; name another file", out);
      }
    }
  }
  status = comm_agree(app->context, status);
  return status == PCCT_OK
             ? output_check_path(app->context, out, app->common.overwrite, options->resume)
             : status;
}

pcct_status search_check_dimension(struct app *app, const struct search_options *options,
                                   int dimension, int axis) {
  struct base *base = &app->context->base;
  if (options->coordinates == PCCT_LONLAT && dimension != 2) {
    return base_fail(base, PCCT_USAGE,
                     "--coordinates lonlat expects two coordinates, longitude and latitude, found "
                     "points with %d; choose them with --columns",
                     dimension);
  }
  if (options->coordinates == PCCT_LONLAT_TIME && (dimension != 3 || options->scale.count != 3)) {
    return base_fail(base, PCCT_USAGE,
                     "--coordinates lonlat-time expects three coordinates, longitude, latitude and "
                     "time, and --scale KM,TIME; found points with %d and %d numbers",
                     dimension, options->scale.count);
  }
  if (options->rotation.count > 0 &&
      (options->rotation.count != dimension * dimension || dimension > PCCT_ROTATED_MAX)) {
    return base_fail(base, PCCT_USAGE,
                     "--rotation expects %d x %d numbers for these points, and at most %d "
                     "coordinates, found %d numbers",
                     dimension, dimension, PCCT_ROTATED_MAX, options->rotation.count);
  }
  if (options->scale.count > 0 && options->scale.count != dimension) {
    return base_fail(base, PCCT_USAGE,
                     "--scale expects one number for each of the %d coordinates, found %d",
                     dimension, options->scale.count);
  }
  if (axis >= dimension) {
    return base_fail(base, PCCT_USAGE,
                     "--ordering NAME:AXIS expects an axis from 0 to %d for these points, "
                     "found %d",
                     dimension - 1, axis);
  }
  return PCCT_OK;
}

/* ---- input */

pcct_status search_open(struct app *app, const struct search_options *options, const char *path,
                        struct input **input) {
  const struct input_options input_options = {.dataset = options->dataset,
                                              .columns = options->columns};
  pcct_context_enter_phase(app->context, PCCT_PHASE_read);
  return input_open(app->context, path, &input_options, input);
}

pcct_status search_read(struct app *app, struct input *input, pcct_points *points) {
  pcct_context *context = app->context;
  *points = (pcct_points){.dimension = input_dimension(input)};
  pcct_slab(input_count(input), context->rank, context->size, &points->first_row, &points->count);
  double *coordinates =
      base_allocate(&context->base, points->count, (size_t)points->dimension * sizeof *coordinates);
  points->coordinates = coordinates;
  pcct_status status = comm_agree(context, coordinates != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_read);
    status = input_read_coordinates(context, input, points->first_row, points->count, coordinates);
  }
  if (status != PCCT_OK) {
    search_release(points);
  }
  return status;
}

void search_release(pcct_points *points) {
  base_free((void *)(uintptr_t)points->coordinates); /* ours: search_read allocated it */
  points->coordinates = NULL;
}

pcct_index_options search_index_options(const struct search_options *options) {
  pcct_index_options index_options = pcct_index_options_default();
  index_options.coordinates = (pcct_coordinates)options->coordinates;
  index_options.metric = (pcct_metric)options->metric;
  index_options.scale = options->scale.count > 0 ? options->scale.value : NULL;
  index_options.rotation = options->rotation.count > 0 ? options->rotation.value : NULL;
  index_options.refuse_duplicates = options->duplicates == SEARCH_DUPLICATES_ERROR;
  return index_options;
}

bool search_metric(const char *word, int *metric) {
  for (int i = 0; i <= PCCT_CHEBYSHEV; i++) {
    if (strcmp(metric_words[i], word) == 0) {
      *metric = i;
      return true;
    }
  }
  *metric = PCCT_EUCLIDEAN;
  return search_is_great_circle(word);
}

bool search_is_great_circle(const char *word) {
  return strcmp(word, GREAT_CIRCLE) == 0;
}

/* ---- output */

struct output_header search_header(const struct app *app, const struct search_options *options,
                                   const struct input *points, const struct input *rows,
                                   int64_t width, int64_t duplicates) {
  const bool lonlat = options->coordinates == PCCT_LONLAT;
  return (struct output_header){.n = input_count(points),
                                .rows = input_count(rows),
                                .dimension = input_dimension(points),
                                .width = width,
                                .ordering = "none",
                                .seed = app->common.seed,
                                .metric = lonlat ? GREAT_CIRCLE : metric_words[options->metric],
                                .coordinates = search_coordinates_word(options->coordinates),
                                .scale = options->scale.count > 0 ? options->scale.value : NULL,
                                .rotation =
                                    options->rotation.count > 0 ? options->rotation.value : NULL,
                                .duplicates = duplicates,
                                .dataset = input_dataset(points),
                                .columns = input_columns(points),
                                .units = input_units(points),
                                .has_source_row = input_has_source_row(rows)};
}

struct output_options search_output_options(const struct app *app,
                                            const struct search_options *options) {
  return (struct output_options){.overwrite = app->common.overwrite,
                                 .resume = options->resume,
                                 .compress = (int)options->compress,
                                 .distances = (enum output_distances)options->distances};
}

struct cost_run search_run(const struct app *app, const struct search_options *options,
                           const struct input *points, const struct input *rows, int64_t width) {
  const int dimension = input_dimension(points);
  return (struct cost_run){.n = input_count(points),
                           .rows = input_count(rows),
                           .width = width,
                           .dimension = dimension,
                           .search_dimension = search_dimension(options->coordinates, dimension),
                           .ranks =
                               app->common.ranks > 0 ? (int)app->common.ranks : app->context->size,
                           .nets = options->nets,
                           .threads = app->context->base.threads,
                           .distance_bytes = distance_bytes[options->distances],
                           .limit = options->memory_limit,
                           .block_rows = options->block_rows};
}

/* Bytes as people read them. */
struct size_text {
  char text[32];
};
static struct size_text format_size(double bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  struct size_text size;
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
    bytes /= 1000;
    unit++;
  }
  snprintf(size.text, sizeof size.text, "%.3g %s", bytes, units[unit]);
  return size;
}

pcct_status search_limit(struct app *app, const struct cost_run *run) {
  const struct cost_memory memory = cost_memory(run);
  const double imbalance = 1.3;
  if ((double)run->n / run->ranks * imbalance > INT32_MAX) {
    return base_fail(&app->context->base, PCCT_USAGE,
                     "%" PRId64
                     " points do not fit on %d rank%s: a rank holds %d at most; use more ranks",
                     run->n, run->ranks, run->ranks == 1 ? "" : "s", INT32_MAX);
  }
  if (!memory.fits) {
    const bool blocks =
        memory.least <= (double)run->limit; /* it is those asked for that are too large */
    return base_fail(&app->context->base, PCCT_USAGE,
                     "a memory limit of %s is too small for %" PRId64
                     " points on %d rank%s%s: %s is the "
                     "smallest that works%s",
                     format_size((double)run->limit).text, run->n, run->ranks,
                     run->ranks == 1 ? "" : "s", blocks ? " in blocks that large" : "",
                     format_size(blocks ? memory.bound : memory.least).text,
                     blocks ? "; or leave --block-rows out" : "; more ranks need less each");
  }
  if (run->limit > 0) {
    const int64_t piece = cost_piece_bytes(run);
    app->context->piece_bytes =
        piece < app->context->piece_bytes ? piece : app->context->piece_bytes;
  }
  return PCCT_OK;
}

double search_file_bytes(const struct search_options *options, const struct input *points,
                         const struct input *rows, int64_t width) {
  const double entry =
      (input_count(points) <= INT32_MAX ? 4 : 8) + distance_bytes[options->distances];
  double row = 8.0 * input_dimension(points) + (double)width * entry + 4;
  for (int i = 0; i < input_carried_count(rows); i++) {
    row += (double)input_carried_size(rows, i);
  }
  return (double)input_count(rows) * row;
}

void search_print_bytes(const struct app *app, const char *prefix, double bytes) {
  app_print_always(app, "%s%s\n", prefix, format_size(bytes).text);
}

void search_print_memory(const struct app *app, const struct cost_run *run, const char *prefix) {
  const struct cost_memory memory = cost_memory(run);
  app_print(app, "%s%s of memory on each of %d rank%s", prefix, format_size(memory.peak).text,
            run->ranks, run->ranks == 1 ? "" : "s");
}

void search_print_cost(const struct app *app, const struct cost_run *run, const char *prefix) {
  const struct cost_memory memory = cost_memory(run);
  const struct cost cost = cost_estimate(run, &memory);
  search_print_memory(app, run, prefix);
  app_print(app, ", in %" PRId64 " block%s of at most %" PRId64 " rows\n", memory.blocks,
            memory.blocks == 1 ? "" : "s", memory.block_rows);
  if (run->ranks > 1) {
    app_print(
        app, "%s%.3g messages and %s sent by each rank; %.2g %% of the queries go to other ranks\n",
        prefix, cost.messages,
        format_size(cost.partition_bytes + cost.query_bytes + cost.reorder_bytes).text,
        100 * cost.forwarded);
  }
  app_print(app, "%s%.3g s: read %.2g, build %.2g, query %.2g, write %.2g\n", prefix, cost.seconds,
            cost.seconds_read, cost.seconds_build, cost.seconds_query, cost.seconds_write);
}

void search_print_plan(const struct app *app, const struct search_options *options,
                       const struct input *points, const struct input *rows, int64_t width,
                       const char *out) {
  const struct cost_run run = search_run(app, options, points, rows, width);
  app_print(app, "would read %" PRId64 " points with %d coordinate%s from %s (%s%s)\n", run.n,
            run.dimension, run.dimension == 1 ? "" : "s", input_path(points), input_dataset(points),
            input_columns(points));
  if (rows != points) {
    app_print(app, "would read %" PRId64 " queries from %s\n", run.rows, input_path(rows));
  }
  app_print(
      app,
      "would write %" PRId64 " rows of %" PRId64 " neighbours to %s; about %s before compression\n",
      run.rows, width, out, format_size(search_file_bytes(options, points, rows, width)).text);
  search_print_cost(app, &run, "would need about ");
}

pcct_status search_commit(struct app *app, const struct output_header *header,
                          const struct input *input, const char *hash, const char *out,
                          struct output **output) {
  pcct_context *context = app->context;
  const struct base *base = &context->base;
  const struct provenance provenance = {.command_line = app->command_line,
                                        .input_path = input_path(input),
                                        .input_hash = hash,
                                        .threads = base->threads,
                                        .seconds = base_clock() - base->created};
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  pcct_status status = output_commit(context, output, &provenance);
  struct stat written;
  if (status == PCCT_OK && context->rank == 0 && stat(out, &written) == 0) {
    const bool ranges = header->kind == OUTPUT_RANGES;
    if (header->kind == OUTPUT_INDEX) {
      app_print(app,
                "%s: index of %" PRId64 " points, %" PRId64 " duplicate location%s, %s, %.2f s\n",
                out, header->n, header->duplicates, header->duplicates == 1 ? "" : "s",
                format_size((double)written.st_size).text, base_clock() - base->created);
      return status;
    }
    const bool blocks = header->kind == OUTPUT_BLOCK_SETS;
    app_print(app,
              "%s: %" PRId64 " %s %s %" PRId64 " neighbours%s, %" PRId64 " points, %" PRId64
              " duplicate location%s, %s, %.2f s\n",
              out, blocks ? header->blocks : header->rows, blocks ? "blocks" : "rows",
              ranges ? "with" : "of", ranges ? header->entries : header->width,
              ranges ? " altogether" : "", header->n, header->duplicates,
              header->duplicates == 1 ? "" : "s", format_size((double)written.st_size).text,
              base_clock() - base->created);
  }
  return status;
}
