/* Conditioning sets as inputs. */
#include "app/sets.h"

#include "app/search.h"
#include "dist/order_lookup.h"
#include "io/file.h"
#include "pcct.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- opening */

/* What pcct's own files say of themselves. */
struct own_file {
  int64_t width, observed;
  int coordinates; /* enum pcct_coordinates */
};

/* Rank 0 reads it. Collective. */
static pcct_status look_at_own(pcct_context *context, const char *path, struct own_file *own) {
  struct file *file = NULL;
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = file_open(&context->base, path, &file);
    if (status == PCCT_OK) {
      const struct file_summary *summary = file_get_summary(file);
      *own = (struct own_file){.width = summary->width, .observed = summary->observed};
      search_coordinates(summary->coordinates, &own->coordinates);
      if (strcmp(summary->kind, "conditioning-sets") != 0) {
        status = base_fail(&context->base, PCCT_INPUT,
                           "%s: expected conditioning sets, made by vecchia, found %s; for those "
                           "of another program name their dataset with --sets",
                           path, summary->kind[0] ? summary->kind : "a file of another kind");
      }
    }
    file_close(&file);
  }
  status = comm_agree(context, status);
  comm_broadcast(context, own, sizeof *own);
  return status;
}

static pcct_status open_own(struct sets *sets, const char *path) {
  struct own_file own = {0};
  pcct_status status = look_at_own(sets->app->context, path, &own);
  sets->width = own.width;
  sets->observed = own.observed;
  sets->options.coordinates = own.coordinates;
  return status;
}

static pcct_status open_foreign(struct sets *sets) {
  pcct_context *context = sets->app->context;
  struct input_extent extent;
  pcct_status status = input_look_at_dataset(context, sets->input, sets->options.sets, &extent);
  sets->width = extent.width;
  if (status == PCCT_OK && extent.rows != sets->n) {
    status = base_fail(&context->base, PCCT_INPUT,
                       "%s: expected a row of %s for each of the %" PRId64 " points, found %" PRId64
                       " rows; transpose it if R wrote it",
                       input_path(sets->input), sets->options.sets, sets->n, extent.rows);
  }
  sets->observed = sets->n;
  return status;
}

/* Ranges become the scales of the metric. */
static pcct_status set_scale(struct sets *sets, const double *scale, int number) {
  struct metric *metric = &sets->metric;
  struct base *base = &sets->app->context->base;
  const int d = input_dimension(sets->input);
  const int coordinates = sets->options.coordinates;
  const bool time = coordinates == PCCT_LONLAT_TIME;
  metric->lonlat = coordinates == PCCT_LONLAT;
  metric->lonlat_time = time;
  metric->user_dimension = d;
  metric->dimension = search_dimension(coordinates, d);
  if (coordinates != PCCT_CARTESIAN &&
      (d != (time ? 3 : 2) || (number > 0 && number != (time ? 2 : 1)))) {
    return base_fail(base, PCCT_USAGE,
                     "%s points have %s; found --range with %d numbers and %d coordinates",
                     search_coordinates_word(coordinates),
                     time ? "two ranges, in km and in time, and three coordinates"
                          : "one range, in km, and two coordinates",
                     number, d);
  }
  if (coordinates == PCCT_CARTESIAN && number > 1 && number != d) {
    return base_fail(base, PCCT_USAGE,
                     "--range expects one number, or one for each of the %d coordinates, found %d",
                     d, number);
  }
  for (int j = 0; j < d; j++) {
    metric->scale[j] = number == 0 ? 1 : time ? scale[j == 2] : scale[number == 1 ? 0 : j];
  }
  return PCCT_OK;
}

static pcct_status allocate(struct sets *sets, bool response) {
  struct base *base = &sets->app->context->base;
  bool good = true;
  if (response) {
    sets->response = base_allocate(base, sets->count, sizeof *sets->response);
    good = good && sets->response != NULL;
  }
  if (sets->options.order != NULL) {
    sets->row = base_allocate(base, sets->count, sizeof *sets->row);
    good = good && sets->row != NULL;
  }
  return comm_agree(sets->app->context, good ? PCCT_OK : PCCT_MEMORY);
}

/* Search coordinates of the slab's rows, divided by the ranges. */
static pcct_status read_points(struct sets *sets) {
  pcct_context *context = sets->app->context;
  struct base *base = &context->base;
  const int d = sets->metric.dimension;
  struct metric plain = sets->metric;
  double *user = base_allocate(base, sets->count, (size_t)plain.user_dimension * sizeof *user);
  double *search = base_allocate(base, sets->count, (size_t)d * sizeof *search);
  pcct_status status = comm_agree(context, user != NULL && search != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_coordinates(context, sets->input, sets->first, sets->count, user);
  }
  if (status == PCCT_OK) {
    const double unit = plain.lonlat ? PCCT_EARTH_RADIUS_KM / plain.scale[0] : 1;
    const int64_t bad = metric_transform(&plain, user, sets->count, search, base->threads);
    if (bad >= 0) {
      status = base_fail(base, PCCT_INPUT,
                         "%s: row %" PRId64 " of the coordinates is not valid for this run",
                         input_path(sets->input), sets->first + bad);
    }
    for (int64_t i = 0; i < sets->count * d && status == PCCT_OK; i++) {
      search[i] *= unit;
    }
    status = comm_agree(context, status);
  }
  if (status == PCCT_OK) {
    status = columns_create(context, d, search, sets->count, &sets->columns);
  }
  base_free(user);
  base_free(search);
  return status;
}

static pcct_status read_response(struct sets *sets, const char *name) {
  pcct_context *context = sets->app->context;
  char path[INPUT_PATH_MAX + sizeof "/data/"];
  struct input_extent extent;
  snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : "/data/", name);
  pcct_status status = input_look_at_dataset(context, sets->input, path, &extent);
  if (status == PCCT_OK && (extent.rows != sets->n || extent.width != 1)) {
    status = base_fail(&context->base, PCCT_INPUT,
                       "%s: expected one number of %s for each of the %" PRId64
                       " points, found %" PRId64 " x %" PRId64,
                       input_path(sets->input), path, sets->n, extent.rows, extent.width);
  }
  return status == PCCT_OK ? input_read_dataset(context, sets->input, path, INPUT_DOUBLE,
                                                sets->first, sets->count, sets->response)
                           : status;
}

static pcct_status read_order(struct sets *sets) {
  pcct_context *context = sets->app->context;
  pcct_status status = input_read_indices(context, sets->input, sets->options.order, sets->first,
                                          sets->count, sets->row);
  for (int64_t i = 0; i < sets->count && status == PCCT_OK; i++) {
    sets->row[i] -= sets->options.base;
    if (sets->row[i] < 0 || sets->row[i] >= sets->n) {
      status =
          base_fail(&context->base, PCCT_INPUT,
                    "%s: %s has %" PRId64 " at position %" PRId64 ", expected rows from %" PRId64
                    " to %" PRId64 " (--base)",
                    input_path(sets->input), sets->options.order, sets->row[i] + sets->options.base,
                    sets->first + i, sets->options.base, sets->n - 1 + sets->options.base);
    }
  }
  return comm_agree(context, status);
}

pcct_status sets_open(struct app *app, const char *path, const struct sets_options *options,
                      const char *response, const double *scale, int number, struct sets *sets) {
  pcct_context *context = app->context;
  const struct input_options chosen = {options->dataset, options->columns};
  *sets = (struct sets){.app = app, .options = *options};
  pcct_context_enter_phase(context, PCCT_PHASE_read);
  pcct_status status = input_open(context, path, &chosen, &sets->input);
  if (status != PCCT_OK) {
    return status;
  }
  sets->n = input_count(sets->input);
  pcct_slab(sets->n, context->rank, context->size, &sets->first, &sets->count);
  status = options->sets != NULL ? open_foreign(sets) : open_own(sets, path);
  if (status == PCCT_OK) {
    status = set_scale(sets, scale, number);
  }
  if (status == PCCT_OK) {
    status = allocate(sets, response != NULL);
  }
  if (status == PCCT_OK) {
    status = read_points(sets);
  }
  if (status == PCCT_OK && response != NULL) {
    status = read_response(sets, response);
  }
  return status == PCCT_OK && options->order != NULL ? read_order(sets) : status;
}

void sets_close(struct sets *sets) {
  columns_free(&sets->columns);
  base_free(sets->response);
  base_free(sets->row);
  if (sets->input != NULL) {
    input_close(sets->app->context, &sets->input);
  }
  *sets = (struct sets){.n = 0};
}

/* ---- rows */

void sets_rows_clear(struct sets_rows *rows) {
  base_free(rows->index);
  base_free(rows->filled);
  *rows = (struct sets_rows){.count = 0};
}

/* Closes up the valid entries of a foreign row: not the point itself, nothing missing.
 * Returns how many; -1 - place: the entry there is no predecessor. */
static int64_t take_row(const struct sets *sets, int64_t position, const double *entry,
                        int64_t *index) {
  int64_t filled = 0;
  for (int64_t e = 0; e < sets->width; e++) {
    const double shifted = entry[e] - (double)sets->options.base;
    const bool missing = !(shifted >= 0 && shifted < (double)sets->n);
    if (missing || shifted == (double)position) {
      continue;
    }
    if (shifted != floor(shifted) || shifted > (double)position) {
      return -1 - e;
    }
    index[filled++] = (int64_t)shifted;
  }
  return filled;
}

static pcct_status read_foreign(struct sets *sets, struct sets_rows *rows) {
  pcct_context *context = sets->app->context;
  double *entries =
      base_allocate(&context->base, rows->count, (size_t)sets->width * sizeof *entries);
  pcct_status status = comm_agree(context, entries != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_dataset(context, sets->input, sets->options.sets, INPUT_DOUBLE, rows->first,
                                rows->count, entries);
  }
  for (int64_t i = 0; i < rows->count && status == PCCT_OK; i++) {
    const int64_t filled =
        take_row(sets, rows->first + i, entries + i * sets->width, rows->index + i * sets->width);
    rows->filled[i] = (int32_t)filled;
    if (filled < 0) {
      status = base_fail(
          &context->base, PCCT_INPUT,
          "%s: %s has %.17g in row %" PRId64
          ", expected predecessors: positions below the row's own, from %" PRId64 " on (--base)",
          input_path(sets->input), sets->options.sets, entries[i * sets->width - 1 - filled],
          rows->first + i, sets->options.base);
    }
  }
  base_free(entries);
  return comm_agree(context, status);
}

static pcct_status check_own(struct sets *sets, const struct sets_rows *rows) {
  for (int64_t i = 0; i < rows->count; i++) {
    bool good = rows->filled[i] >= 0 && rows->filled[i] <= sets->width;
    for (int32_t e = 0; e < rows->filled[i] && good; e++) {
      const int64_t entry = rows->index[i * sets->width + e];
      good = entry >= 0 && entry < rows->first + i;
    }
    if (!good) {
      return base_fail(&sets->app->context->base, PCCT_INPUT,
                       "%s: the conditioning set of position %" PRId64
                       " is damaged; verify tells more",
                       input_path(sets->input), rows->first + i);
    }
  }
  return PCCT_OK;
}

pcct_status sets_read(struct sets *sets, int64_t first, int64_t count, struct sets_rows *rows) {
  pcct_context *context = sets->app->context;
  struct base *base = &context->base;
  *rows = (struct sets_rows){.first = first, .count = count};
  pcct_context_enter_phase(context, PCCT_PHASE_read);
  rows->index = base_allocate(base, count, (size_t)sets->width * sizeof *rows->index);
  rows->filled = base_allocate(base, count, sizeof *rows->filled);
  pcct_status status =
      comm_agree(context, rows->index != NULL && rows->filled != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK || sets->options.sets != NULL) {
    return status == PCCT_OK ? read_foreign(sets, rows) : status;
  }
  status = input_read_dataset(context, sets->input, "/neighbors/index", INPUT_INT64, first, count,
                              rows->index);
  if (status == PCCT_OK) {
    status = input_read_dataset(context, sets->input, "/neighbors/count", INPUT_INT32, first, count,
                                rows->filled);
  }
  return status == PCCT_OK ? comm_agree(context, check_own(sets, rows)) : status;
}

/* ---- points of other ranks */

pcct_status sets_fetch(struct sets *sets, const int64_t *item, int64_t items, double *points,
                       double *response) {
  pcct_context *context = sets->app->context;
  struct base *base = &context->base;
  int64_t *row = sets->row != NULL ? base_allocate(base, items, sizeof *row) : NULL;
  pcct_status status =
      comm_agree(context, row != NULL || sets->row == NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK && sets->row != NULL) {
    status = dist_order_lookup(context, sets->row, sets->count, item, items, row);
    item = row;
  }
  if (status == PCCT_OK) {
    status = columns_fetch(context, &sets->columns, item, items, points);
  }
  if (status == PCCT_OK && response != NULL) {
    status = columns_fetch_one(context, sets->response, sets->count, item, items, 1, response);
  }
  base_free(row);
  return status;
}
