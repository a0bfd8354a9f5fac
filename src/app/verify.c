/*
 * pcct verify: the subcommand.
 *
 * Header, ordering and points first, then the library's own invariants, then the rows: each rank
 * takes a slab of them, block by block; every row is recomputed, and the chosen ones are found
 * again.
 */
#include "app/verify.h"

#include "app/verify_extended.h"
#include "app/verify_index.h"
#include "app/verify_load.h"
#include "app/verify_points.h"
#include "app/verify_ranges.h"
#include "app/verify_rows.h"
#include "app/verify_shape.h"

#include <inttypes.h>
#include <math.h>

/* Memory for the rows of a block on one rank. */
#define BLOCK_BYTES (INT64_C(64) << 20)

struct verify_options {
  const char *against, *predict;
  const char *dataset, *columns;
  int64_t sample; /* 0: all */
};

/* Rows of one block in memory. */
struct rows {
  int64_t capacity;
  int64_t *index, *filled, *chosen;
  double *distance; /* NULL: the file has none */
  double *user;     /* queries; NULL: the rows are points */
  double *search;
};

static void rows_destroy(struct rows *rows) {
  base_free(rows->index);
  base_free(rows->filled);
  base_free(rows->chosen);
  base_free(rows->distance);
  base_free(rows->user);
  base_free(rows->search);
}

static pcct_status rows_create(struct base *base, const struct verify_data *data,
                               struct rows *rows) {
  size_t width = (size_t)data->width;
  int64_t n = rows->capacity;
  rows->index = base_allocate(base, n, width * sizeof *rows->index);
  rows->filled = base_allocate(base, n, sizeof *rows->filled);
  rows->chosen = base_allocate(base, n, sizeof *rows->chosen);
  bool fine = rows->index && rows->filled && rows->chosen;
  if (fine && data->summary->distance_size > 0) {
    rows->distance = base_allocate(base, n, width * sizeof *rows->distance);
    fine = rows->distance;
  }
  if (fine && data->kind == VERIFY_QUERIES) {
    rows->user = base_allocate(base, n, (size_t)data->metric.user_dimension * sizeof *rows->user);
    rows->search = base_allocate(base, n, (size_t)data->metric.dimension * sizeof *rows->search);
    fine = rows->user && rows->search;
  }
  return fine ? PCCT_OK : PCCT_MEMORY;
}

/* Reads a block of rows from the file. */
static pcct_status rows_read(struct base *base, const struct verify_data *data, int64_t first,
                             int64_t count, struct rows *rows) {
  pcct_status status = file_read_index(base, data->file, first, count, rows->index);
  if (status == PCCT_OK) {
    status = file_read_count(base, data->file, first, count, rows->filled);
  }
  if (status == PCCT_OK && rows->distance) {
    status = file_read_distance(base, data->file, first, count, rows->distance);
  }
  if (status == PCCT_OK && rows->user) {
    status = file_read_coordinates(base, data->file, first, count, rows->user);
  }
  if (status == PCCT_OK && rows->user) {
    int64_t bad = metric_transform(&data->metric, rows->user, count, rows->search, base->threads);
    if (bad >= 0) {
      status = base_fail(base, PCCT_DIFFERENT, "query %" PRId64 ": its coordinates are not valid",
                         first + bad);
    }
  }
  return status;
}

/* Checks one block. Local. */
static pcct_status check_block(pcct_context *context, const struct verify_data *data,
                               const struct verify_search *search, int64_t sample, int64_t first,
                               int64_t count, uint64_t seed, struct rows *rows, int64_t *searched) {
  struct base *base = &context->base;
  struct verify_points points = {.kind = data->kind,
                                 .metric = &data->metric,
                                 .count = data->count,
                                 .search = data->search,
                                 .permutation = data->permutation};
  struct verify_block block = {.first = first,
                               .rows = count,
                               .width = data->width,
                               .index = rows->index,
                               .distance = rows->distance,
                               .single_precision = data->summary->distance_size == 4,
                               .filled = rows->filled,
                               .queries = rows->search};
  base_enter_phase(base, PCCT_PHASE_read);
  pcct_status status = rows_read(base, data, first, count, rows);
  base_enter_phase(base, PCCT_PHASE_query);
  if (status == PCCT_OK) {
    status = verify_rows_recompute(base, &points, &block);
  }
  if (status == PCCT_OK) {
    int64_t chosen = verify_rows_choose(seed, data->rows, sample, first, count, rows->chosen);
    status = verify_rows_search(base, &points, search, &block, rows->chosen, chosen);
    *searched += chosen;
  }
  return status;
}

/* Checks all rows.
 *   searched [out] rows that were found again
 * Collective. */
static pcct_status check_rows(pcct_context *context, const struct verify_data *data, int64_t sample,
                              uint64_t seed, int64_t *searched) {
  struct base *base = &context->base;
  struct verify_search *search = NULL;
  struct rows rows = {0};
  int64_t slab_first, slab_count, ignored, longest, own_searched = 0;
  pcct_slab(data->rows, context->rank, context->size, &slab_first, &slab_count);
  pcct_slab(data->rows, 0, context->size, &ignored, &longest);
  rows.capacity = BLOCK_BYTES / (16 * (data->width + data->metric.dimension + 2));
  rows.capacity = rows.capacity < longest ? rows.capacity : longest;
  rows.capacity = rows.capacity > 0 ? rows.capacity : 1;
  base_enter_phase(base, PCCT_PHASE_query);
  pcct_status status = rows_create(base, data, &rows);
  if (status == PCCT_OK) {
    status = verify_search_create(base, data->metric.kind, data->metric.dimension, data->search,
                                  data->count, &search);
  }
  status = comm_agree(context, status);
  /* Every rank takes as many blocks as the longest slab has. */
  for (int64_t done = 0; status == PCCT_OK && done < longest; done += rows.capacity) {
    int64_t first = done < slab_count ? done : slab_count;
    int64_t rest = slab_count - first;
    int64_t count = rest < rows.capacity ? rest : rows.capacity;
    status = comm_agree(context, check_block(context, data, search, sample, slab_first + first,
                                             count, seed, &rows, &own_searched));
    base_progress(base, first + count, slab_count);
  }
  *searched = comm_sum(context, own_searched);
  verify_search_destroy(&search);
  rows_destroy(&rows);
  return status;
}

/* Says what was checked. */
static void print_summary(struct app *app, const struct verify_data *data, bool obeyed,
                          int64_t followed, int64_t pieces, int64_t directory_count,
                          int64_t searched) {
  const struct file_summary *summary = data->summary;
  static const char *const rows_are[] = {[VERIFY_SETS] = "conditioning sets",
                                         [VERIFY_SELF] = "rows of neighbors",
                                         [VERIFY_QUERIES] = "queries"};
  app_print(app, "%s: no difference\n", data->path);
  app_print(app, "points: %" PRId64 " with %d coordinates, %" PRId64 " duplicates, %s%s\n",
            data->count, summary->dimension, summary->duplicates,
            data->input ? "those of " : "not compared with an input (--against)",
            data->input ? data->against : "");
  if (data->permutation) {
    app_print(app, "ordering: %s, a permutation, %s\n", summary->ordering,
              obeyed ? "obeyed" : "not compared with its dataset (--against)");
    if (data->length_scale) {
      app_print(app,
                "length scales: all %" PRId64 " computed again; %" PRId64
                " points followed through all selections before theirs\n",
                data->count, followed);
    }
  }
  if (data->index) {
    app_print(app,
              "trees: all invariants of %" PRId64
              " pieces hold; every position once; checksums right; %" PRId64
              " nodes in the merged top\n",
              pieces, directory_count);
    return;
  }
  app_print(app, "trees: all invariants hold; %" PRId64 " nodes in the merged top\n",
            directory_count);
  if (verify_has_shape(summary)) {
    app_print(app, "recomputed: %" PRId64 " of %" PRId64 " rows (conditioning sets, brute force)\n",
              searched, data->rows);
    return;
  }
  app_print(app, "recomputed: %" PRId64 " of %" PRId64 " rows (%s)\n",
            summary->counts_alone ? 0 : data->rows, data->rows,
            data->ranges ? "points within a radius" : rows_are[data->kind]);
  app_print(app, "searched again: %" PRId64 " of %" PRId64 " rows (%s)\n", searched, data->rows,
            data->metric.dimension <= VERIFY_GRID_DIMENSION ? "grid" : "brute force");
}

static pcct_status run(struct app *app, const void *values, const char *const *arguments,
                       int count) {
  (void)count;
  const struct verify_options *options = values;
  const struct input_options input = {options->dataset, options->columns};
  pcct_context *context = app->context;
  struct verify_data *data = NULL;
  bool obeyed = false;
  char extended[64] = "";
  int64_t followed = 0, pieces = 0, directory_count = 0, searched = 0;
  pcct_status status = PCCT_OK;
  if (!options->against && (options->dataset || options->columns || options->predict)) {
    return base_fail(&context->base, PCCT_USAGE,
                     "--dataset, --columns and --predict belong to the input; give it with "
                     "--against FILE");
  }
  base_enter_phase(&context->base, PCCT_PHASE_read);
  status = verify_load(context, arguments[0], options->against, options->predict, &input, &data);
  if (status != PCCT_OK) {
    return status;
  }
  base_enter_phase(&context->base, PCCT_PHASE_order);
  status = verify_points_order(context, data, &obeyed, &followed);
  if (status == PCCT_OK) {
    status = verify_points_input(context, data);
  }
  if (status == PCCT_OK) {
    status = verify_points_duplicates(context, data);
  }
  if (status == PCCT_OK && data->index) {
    status = verify_index_trees(app, data, &pieces, &directory_count);
  } else if (status == PCCT_OK) {
    const int64_t sample = options->sample > 0 ? options->sample : data->rows;
    status = data->ranges ? verify_ranges_check(context, data, sample, app->common.seed, &searched)
             : verify_has_shape(data->summary)
                 ? verify_shape_check(context, data, sample, app->common.seed, &searched)
                 : check_rows(context, data, sample, app->common.seed, &searched);
  }
  if (status == PCCT_OK && !data->index) {
    status = verify_extended(context, data, options->sample, extended, sizeof extended);
  }
  if (status == PCCT_OK && !data->index) {
    status = verify_points_trees(context, data, &directory_count);
  }
  if (status == PCCT_OK) {
    print_summary(app, data, obeyed, followed, pieces, directory_count, searched);
    if (extended[0] != '\0') {
      app_print(app, "checked against the sets:%s\n", extended);
    }
  }
  verify_unload(context, &data);
  return status;
}

static const struct option_entry entries[] = {
    {.name = "against",
     .kind = OPTION_TEXT,
     .metavariable = "FILE",
     .help = "The input that FILE was made from. Its coordinates must be those of FILE; needed for "
             "the rows of a query file and for orderings that are datasets of the input.",
     .offset = offsetof(struct verify_options, against)},
    {.name = "predict",
     .kind = OPTION_TEXT,
     .metavariable = "FILE",
     .help = "The points to be predicted that were joined to the input.",
     .offset = offsetof(struct verify_options, predict)},
    {.name = "sample",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .help = "Rows that are searched again, chosen with --seed. All rows are recomputed in any "
             "case. Default: all.",
     .offset = offsetof(struct verify_options, sample),
     .minimum = 1,
     .maximum = INT64_MAX},
    {.name = "dataset",
     .kind = OPTION_TEXT,
     .metavariable = "/PATH",
     .help = "Dataset of the input with the coordinates. Default: the one named in FILE.",
     .offset = offsetof(struct verify_options, dataset)},
    {.name = "columns",
     .kind = OPTION_WORDS,
     .metavariable = "X,Y,...",
     .help = "1-D datasets of the input with the coordinates. Default: those named in FILE.",
     .offset = offsetof(struct verify_options, columns)}};

const struct app_command command_verify = {
    .name = "verify",
    .summary = "check an output file against its definition",
    .arguments = "FILE",
    .description =
        "Checks a file made by vecchia, knn, range, build or append: header, ordering and\n"
        "points; of an index, every invariant of its trees; otherwise every row by\n"
        "itself (count, admissible indices, no repeats, order, distances, padding); that\n"
        "every row, or a sample, is found again by a search that shares no code with the\n"
        "library's (a grid up to 3 search coordinates, else brute force, which takes n\n"
        "distances for each row); and the invariants of the trees of these points.\n"
        "Exit code 1 and one line on stderr tell of the first difference.\n"
        "Every rank holds all points and the ordering; rows are shared among the ranks.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_REPORT | APP_SETTINGS,
    .options = entries,
    .option_count = (int)(sizeof entries / sizeof entries[0]),
    .values_size = sizeof(struct verify_options),
    .run = run};
