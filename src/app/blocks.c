/*
 * pcct blocks: for block Vecchia approximations.
 *
 * Blocks are runs of `size` points along the Hilbert curve. A block's centre is its point nearest the mean of its search
 * coordinates. The centres are put into the ordering, blocks follow their centres, and within a block the centre
 * comes first, then the others by row. So the predecessors of a centre are all points of earlier blocks, and its
 * conditioning set is the block's.
 */
#include "app/blocks.h"

#include "app/ordering.h"
#include "app/progress.h"
#include "app/stored.h"
#include "app/transfer.h"
#include "dist/options.h"
#include "dist/order.h"
#include "dist/transform.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct blocks_options {
  struct search_options search;
  const char *ordering;
  int64_t m, size;
};

/* A run. */
struct blocks {
  struct app *app;
  const struct blocks_options *options;
  struct search_options search;
  struct ordering_choice ordering;
  struct input *input;
  pcct_points points; /* this rank's rows */
  struct metric metric;
  int64_t n, size, number; /* points; points of a block; blocks */
  /* this rank's blocks along the curve, and their points */
  int64_t first_block, own_blocks, first, count;
  double *coordinates;   /* [count][d] */
  int64_t *row;          /* [count] */
  int64_t *centre;       /* [own_blocks] places among them */
  int64_t *place;        /* [own_blocks] of each in the order of blocks */
  int64_t *permutation;  /* this rank's slab: position -> row */
  double radius, widest; /* of this rank's blocks about their centres: sum, and the largest */
  int64_t last;          /* place of the last block along the curve, which may be smaller, */
  int64_t last_size;
  pcct_index *index; /* of all points, in the final order */
  struct output *output;
  struct output_header header;
  char hash[17];
};

static void blocks_free(struct blocks *run) {
  base_free(run->coordinates);
  base_free(run->row);
  base_free(run->centre);
  base_free(run->place);
  base_free(run->permutation);
  search_release(&run->points);
  pcct_index_destroy(&run->index);
  input_close(run->app->context, &run->input);
}

/* The position at which the block at a place begins. */
static int64_t block_start(const struct blocks *run, int64_t place) {
  return place * run->size - (place > run->last ? run->size - run->last_size : 0);
}

/* ---- cutting the curve */

/* Brings coordinates and rows into the order of the curve, whole blocks on each rank. */
static pcct_status cut_curve(struct blocks *run) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  const int d = run->points.dimension;
  const int64_t rows = run->points.count;
  const pcct_index_options curve = {.ordering = PCCT_ORDERING_HILBERT};
  double *search = NULL;
  int64_t *own = base_allocate(base, rows, sizeof *own);
  int64_t *position = base_allocate(base, rows, sizeof *position);
  pcct_slab(run->number, context->rank, context->size, &run->first_block, &run->own_blocks);
  run->first = run->first_block * run->size < run->n ? run->first_block * run->size : run->n;
  const int64_t room = run->own_blocks * run->size;
  run->count = run->n - run->first < room ? run->n - run->first : room;
  run->coordinates = base_allocate(base, run->count, (size_t)d * sizeof *run->coordinates);
  run->row = base_allocate(base, run->count, sizeof *run->row);
  pcct_status status =
      comm_agree(context, own && position && run->coordinates && run->row ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = dist_transform(context, &run->metric, &run->points, "row", &search);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_order);
    status =
        dist_order_positions(context, &run->metric, &run->points, search, &curve, run->n, position);
  }
  base_free(search);
  if (status == PCCT_OK) {
    status = dist_order_permute(context, position, rows, d * (int64_t)sizeof(double),
                                run->points.coordinates, run->first, run->count, run->coordinates);
  }
  for (int64_t i = 0; i < rows && status == PCCT_OK; i++) {
    own[i] = run->points.first_row + i;
  }
  if (status == PCCT_OK) {
    status = dist_order_permute(context, position, rows, sizeof *own, own, run->first, run->count,
                                run->row);
  }
  base_free(own);
  base_free(position);
  return status;
}

/* Points of a block of this rank. */
static int64_t block_points(const struct blocks *run, int64_t block) {
  const int64_t left = run->count - block * run->size;
  return left < run->size ? left : run->size;
}

/* The point nearest the mean of a block, ties by row. A block is on one rank, so that the mean depends on nothing
 * but its points along the curve. */
static int64_t find_centre(const struct blocks *run, const double *search, int64_t block) {
  const int d = run->metric.dimension;
  const int64_t first = block * run->size, count = block_points(run, block);
  double mean[PCCT_DIMENSION_MAX] = {0};
  int64_t best = first;
  double least = INFINITY;
  for (int64_t i = first; i < first + count; i++) {
    for (int j = 0; j < d; j++) {
      mean[j] += search[i * d + j];
    }
  }
  for (int j = 0; j < d; j++) {
    mean[j] /= (double)count;
  }
  for (int64_t i = first; i < first + count; i++) {
    const double value = metric_square(d, search + i * d, mean);
    if (value < least || (value == least && run->row[i] < run->row[best])) {
      least = value;
      best = i;
    }
  }
  return best;
}

/* Distance of the farthest point of a block from its centre. */
static double block_radius(const struct blocks *run, const double *search, int64_t block) {
  const int d = run->metric.dimension;
  const int64_t first = block * run->size;
  double most = 0;
  for (int64_t i = first; i < first + block_points(run, block); i++) {
    most = fmax(most, metric_value(&run->metric, search + run->centre[block] * d, search + i * d));
  }
  return metric_user_distance(&run->metric, most);
}

static pcct_status find_centres(struct blocks *run) {
  struct base *base = &run->app->context->base;
  double *search = base_allocate(base, run->count, (size_t)run->metric.dimension * sizeof *search);
  run->centre = base_allocate(base, run->own_blocks, sizeof *run->centre);
  const bool good = search && run->centre;
  if (good) {
    metric_transform(&run->metric, run->coordinates, run->count, search, base->threads);
    for (int64_t b = 0; b < run->own_blocks; b++) {
      run->centre[b] = find_centre(run, search, b);
      const double radius = block_radius(run, search, b);
      run->radius += radius;
      run->widest = fmax(run->widest, radius);
    }
  }
  base_free(search);
  return comm_agree(run->app->context, good ? PCCT_OK : PCCT_MEMORY);
}

/* ---- the order of blocks and of points */

static pcct_status order_centres(struct blocks *run) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  const int d = run->points.dimension;
  pcct_index_options options = search_index_options(&run->search);
  pcct_index *centres = NULL;
  double *coordinates = base_allocate(base, run->own_blocks, (size_t)d * sizeof *coordinates);
  run->place = base_allocate(base, run->own_blocks, sizeof *run->place);
  pcct_status status = comm_agree(context, coordinates && run->place ? PCCT_OK : PCCT_MEMORY);
  for (int64_t b = 0; b < run->own_blocks && status == PCCT_OK; b++) {
    memcpy(coordinates + b * d, run->coordinates + run->centre[b] * d,
           (size_t)d * sizeof *coordinates);
  }
  if (status == PCCT_OK) {
    const pcct_points points = {run->first_block, run->own_blocks, d, coordinates};
    ordering_set(&run->ordering, d, run->app->common.seed, &options);
    options.refuse_duplicates = false;
    status = pcct_index_create(context, &points, &options, &centres);
  }
  if (status == PCCT_OK) {
    const bool holds_last = run->own_blocks > 0 && run->first + run->count == run->n;
    memcpy(run->place, pcct_index_positions(centres), (size_t)run->own_blocks * sizeof *run->place);
    run->last = comm_max(context, holds_last ? run->place[run->own_blocks - 1] : -1);
    run->last_size = run->n - (run->number - 1) * run->size;
  }
  pcct_index_destroy(&centres);
  base_free(coordinates);
  return status;
}

/* Positions: blocks by place, in each the centre, then the others by row. */
static pcct_status order_points(struct blocks *run) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  int64_t first, count;
  pcct_slab(run->n, context->rank, context->size, &first, &count);
  int32_t *group = base_allocate(base, run->count, sizeof *group);
  int64_t *position = base_allocate(base, run->count, sizeof *position);
  run->permutation = base_allocate(base, count, sizeof *run->permutation);
  pcct_status status =
      comm_agree(context, group && position && run->permutation ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < run->count; i++) {
      const int64_t block = i / run->size;
      group[i] = (int32_t)(2 * run->place[block] + (i != run->centre[block]));
      position[i] = run->row[i];
    }
    status = dist_order_groups(context, group, run->first, run->count, position);
  }
  if (status == PCCT_OK) {
    status = dist_order_permute(context, position, run->count, sizeof *run->row, run->row, first,
                                count, run->permutation);
  }
  base_free(group);
  base_free(position);
  return status;
}

static pcct_status make_index(struct blocks *run) {
  pcct_index_options options = search_index_options(&run->search);
  options.ordering = PCCT_ORDERING_GIVEN;
  options.permutation = run->permutation;
  return pcct_index_create(run->app->context, &run->points, &options, &run->index);
}

/* ---- output */

static pcct_status write_starts(struct blocks *run) {
  pcct_context *context = run->app->context;
  int64_t first, count;
  pcct_slab(run->number + 1, context->rank, context->size, &first, &count);
  int64_t *start = base_allocate(&context->base, count, sizeof *start);
  pcct_status status = comm_agree(context, start ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < count; i++) {
      start[i] = first + i < run->number ? block_start(run, first + i) : run->n;
    }
    status = output_write_dataset(context, run->output, "/blocks/first", first, count, start);
  }
  base_free(start);
  return status;
}

static pcct_status write_points(struct blocks *run, const char *out) {
  struct app *app = run->app;
  const struct output_options options = search_output_options(app, &run->search);
  run->header = search_header(app, &run->search, run->input, run->input, run->options->m,
                              pcct_index_get_info(run->index).duplicates);
  run->header.kind = OUTPUT_BLOCK_SETS;
  run->header.ordering = run->options->ordering;
  run->header.has_ordering = true;
  run->header.blocks = run->number;
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, run->input, run->output);
  }
  if (status == PCCT_OK) {
    status = output_add_dataset(app->context, run->output, "/blocks/first", OUTPUT_INTEGERS,
                                run->number + 1, "/block_bound",
                                "first position of each block, its centre; and n", "1");
  }
  if (status == PCCT_OK) {
    status =
        transfer_coordinates(app, run->input, run->index, run->points.coordinates, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_ordering(app, run->n, NULL, run->index, run->output);
  }
  if (status == PCCT_OK) {
    status = transfer_carried(app, run->input, run->index, run->output);
  }
  return status == PCCT_OK ? write_starts(run) : status;
}

/* The first block that begins at a position or behind it. */
static int64_t next_block(const struct blocks *run, int64_t position) {
  int64_t block = position / run->size;
  while (block < run->number && block_start(run, block) < position) {
    block++;
  }
  return block < run->number ? block : run->number;
}

/* Closes up the rows of centres: they become the rows of their blocks. */
static void keep_centres(const struct blocks *run, pcct_rows *rows) {
  const int64_t first = next_block(run, rows->first);
  const int64_t end = next_block(run, rows->first + rows->count);
  const size_t width = (size_t)rows->width;
  for (int64_t b = first; b < end; b++) {
    const int64_t from = block_start(run, b) - rows->first, to = b - first;
    if (rows->index32) {
      memmove(rows->index32 + to * rows->width, rows->index32 + from * rows->width,
              width * sizeof *rows->index32);
    } else {
      memmove(rows->index64 + to * rows->width, rows->index64 + from * rows->width,
              width * sizeof *rows->index64);
    }
    memmove(rows->distance + to * rows->width, rows->distance + from * rows->width,
            width * sizeof *rows->distance);
    rows->filled[to] = rows->filled[from];
  }
  rows->first = first;
  rows->count = end - first;
}

static pcct_status write_sets(struct blocks *run) {
  struct app *app = run->app;
  const struct cost_run cost =
      search_run(app, &run->search, run->input, run->input, run->options->m);
  const int64_t block = cost_memory(&cost).block_rows;
  pcct_status status = PCCT_OK;
  for (int64_t first = 0; first < run->n && status == PCCT_OK; first += block) {
    pcct_rows rows = {.count = 0};
    const int64_t count = run->n - first < block ? run->n - first : block;
    progress_enter_block(app->progress, first, count, run->n);
    status = pcct_index_conditioning_sets(run->index, run->options->m, first, count, &rows);
    if (status == PCCT_OK) {
      pcct_context_enter_phase(app->context, PCCT_PHASE_write);
      keep_centres(run, &rows);
      status = output_write_rows(app->context, run->output, &rows);
    }
    pcct_rows_clear(&rows);
  }
  return status;
}

/* ---- the command */

static pcct_status open_points(struct blocks *run, const char *path) {
  struct app *app = run->app;
  struct base *base = &app->context->base;
  pcct_status status = search_open(app, &run->search, path, &run->input);
  if (status == PCCT_OK && strcmp(input_kind(run->input), "index") == 0) {
    status = base_fail(base, PCCT_USAGE, "%s is an index; blocks takes points", path);
  }
  if (status == PCCT_OK && run->ordering.ordering == PCCT_ORDERING_GIVEN) {
    status =
        base_fail(base, PCCT_USAGE,
                  "blocks are ordered by their centres; --ordering file: has no order of these");
  }
  if (status != PCCT_OK) {
    return status;
  }
  const int d = input_dimension(run->input);
  status = search_complete(app, &run->search, d);
  if (status == PCCT_OK) {
    status = search_check_dimension(app, &run->search, d, run->ordering.axis);
  }
  run->n = input_count(run->input);
  run->size = run->options->size;
  run->number = run->n / run->size + (run->n % run->size > 0);
  if (status == PCCT_OK && run->number > INT32_MAX / 2) {
    status = base_fail(base, PCCT_USAGE,
                       "%" PRId64 " blocks are too many; expected at most %d: a larger --size",
                       run->number, INT32_MAX / 2);
  }
  if (status == PCCT_OK) {
    const pcct_index_options options = search_index_options(&run->search);
    status = comm_agree(app->context, dist_check_options(base, d, &options, &run->metric));
  }
  return status;
}

static void print_statistics(const struct blocks *run) {
  double sum = run->radius, most = run->widest;
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, run->app->context->comm);
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, run->app->context->comm);
  if (run->number > 0) {
    app_print(run->app,
              "blocks: %" PRId64 " of %" PRId64 " points, the last along the curve of %" PRId64
              "; radius about the centres %.4g on average, %.4g at most\n",
              run->number, run->size < run->n ? run->size : run->n, run->last_size,
              sum / (double)run->number, most);
  }
}

static pcct_status run_blocks(struct app *app, const void *values, const char *const *arguments,
                              int count) {
  const struct blocks_options *options = values;
  struct blocks run = {.app = app, .options = options, .search = options->search};
  pcct_status status = ordering_parse(&app->context->base, options->ordering, &run.ordering);
  if (status == PCCT_OK) {
    status = search_check(app, &options->search, arguments, count);
  }
  if (status == PCCT_OK) {
    status = open_points(&run, arguments[0]);
  }
  if (status == PCCT_OK) {
    status = search_read(app, run.input, &run.points);
  }
  if (status == PCCT_OK) {
    status = input_hash(app->context, run.input, run.hash);
  }
  if (status == PCCT_OK) {
    status = cut_curve(&run);
  }
  if (status == PCCT_OK) {
    status = find_centres(&run);
  }
  if (status == PCCT_OK) {
    status = order_centres(&run);
  }
  if (status == PCCT_OK) {
    status = order_points(&run);
  }
  if (status == PCCT_OK) {
    status = make_index(&run);
  }
  if (status == PCCT_OK) {
    status = write_points(&run, arguments[count - 1]);
  }
  if (status == PCCT_OK) {
    status = write_sets(&run);
  }
  if (status == PCCT_OK) {
    status =
        search_commit(app, &run.header, run.input, run.hash, arguments[count - 1], &run.output);
  }
  if (status == PCCT_OK) {
    print_statistics(&run);
  }
  output_discard(app->context, &run.output);
  blocks_free(&run);
  return status;
}

static const struct option_entry entries[] = {
    {.name = "size",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "50",
     .help = "Points of a block; the last one may have fewer.",
     .offset = offsetof(struct blocks_options, size),
     .minimum = 1,
     .maximum = INT32_MAX},
    {.name = "m",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "100",
     .help = "Points of a block's conditioning set.",
     .offset = offsetof(struct blocks_options, m),
     .minimum = 1,
     .maximum = INT32_MAX},
    {.name = "ordering",
     .kind = OPTION_TEXT,
     .metavariable = "ORDERING",
     .preset = "maximin",
     .help = "Of the blocks, by their centres: as in vecchia, but for file:/DATASET.",
     .offset = offsetof(struct blocks_options, ordering)},
    SEARCH_POINTS_OPTIONS(struct blocks_options),
    SEARCH_COMPRESS_OPTION(struct blocks_options)};

const struct app_command command_blocks = {
    .name = "blocks",
    .summary = "cut points into blocks with shared conditioning sets",
    .arguments = "FILE OUT",
    .description =
        "For block Vecchia approximations: blocks of nearby points, ordered by their\n"
        "centres, and for each block the points of earlier blocks nearest its centre. OUT\n"
        "gets the ordering, points and carried columns in this ordering, /blocks/first and\n"
        "one row of /neighbors for each block.\n",
    .common =
        APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_OVERWRITE | APP_REPORT | APP_SETTINGS,
    .options = entries,
    .option_count = (int)(sizeof entries / sizeof entries[0]),
    .values_size = sizeof(struct blocks_options),
    .run = run_blocks};
