/*
 * pcct export: one dataset as .npy, or the pattern as Matrix Market. Rank 0 reads and writes, block by block.
 */
#include "app/export.h"

#include "app/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_ELEMENTS = 1 << 20, NPY_HEADER = 128 };

struct export_options {
  const char *dataset;
};

/* A run. */
struct export {
  struct app *app;
  struct input *input;
  const char *out;
  char *part; /* the name until it is complete */
  FILE *file; /* rank 0 */
};

static pcct_status fail_write(const struct export *run) {
  return base_fail(&run->app->context->base, PCCT_FILE, "%s: cannot be written: %s", run->part,
                   strerror(errno));
}

static bool ends_with(const char *text, const char *end) {
  const size_t length = strlen(text), tail = strlen(end);
  return length > tail && strcmp(text + length - tail, end) == 0;
}

/* Reads elements first..first+count-1 of a one-dimensional dataset, or rows of another, on rank 0. */
static pcct_status read_rows(struct export *run, const char *dataset, bool integer, int64_t first,
                             int64_t count, void *out) {
  pcct_context *context = run->app->context;
  return input_read_dataset(context, run->input, dataset, integer ? INPUT_INT64 : INPUT_DOUBLE,
                            first, context->rank == 0 ? count : 0, out);
}

/* ---- .npy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0 */

static void put_header(const struct input_extent *extent, char header[NPY_HEADER]) {
  char shape[64], text[NPY_HEADER];
  if (extent->rank == 1) {
    snprintf(shape, sizeof shape, "%" PRId64 ",", extent->rows);
  } else {
    snprintf(shape, sizeof shape, "%" PRId64 ", %" PRId64, extent->rows, extent->width);
  }
  const int little = *(const char *)&(const int){1};
  snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
           little ? '<' : '>', extent->integer ? "i8" : "f8", shape);
  memset(header, ' ', NPY_HEADER);
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = NPY_HEADER - 10; /* length of what follows, in two bytes, the lower first */
  header[9] = 0;
  memcpy(header + 10, text, strlen(text));
  header[NPY_HEADER - 1] = '\n';
}

static pcct_status write_npy(struct export *run, const char *dataset) {
  pcct_context *context = run->app->context;
  struct input_extent extent;
  char header[NPY_HEADER];
  pcct_status status = input_look_at_dataset(context, run->input, dataset, &extent);
  if (status != PCCT_OK) {
    return status;
  }
  const int64_t block = BLOCK_ELEMENTS / (extent.width > 0 ? extent.width : 1) + 1;
  int64_t *elements =
      base_allocate(&context->base, context->rank == 0 ? block : 0, 8 * (size_t)extent.width);
  status = comm_agree(context, elements != NULL ? PCCT_OK : PCCT_MEMORY);
  put_header(&extent, header);
  if (status == PCCT_OK && context->rank == 0 && fwrite(header, NPY_HEADER, 1, run->file) != 1) {
    status = fail_write(run);
  }
  status = comm_agree(context, status);
  for (int64_t first = 0; first < extent.rows && status == PCCT_OK; first += block) {
    const int64_t count = extent.rows - first < block ? extent.rows - first : block;
    status = read_rows(run, dataset, extent.integer, first, count, elements);
    const size_t bytes = (size_t)(count * extent.width) * 8;
    if (status == PCCT_OK && context->rank == 0 && bytes > 0 &&
        fwrite(elements, bytes, 1, run->file) != 1) {
      status = fail_write(run);
    }
    status = comm_agree(context, status);
  }
  base_free(elements);
  return status;
}

/* ---- Matrix Market: https://math.nist.gov/MatrixMarket/formats.html */

/* Columns first..first+count-1 of the pattern. */
struct columns_of {
  int64_t first, count;
  int64_t *start; /* [count + 1] */
  int64_t *row;
  double *value;
};

static bool print_columns(FILE *file, const struct columns_of *columns, bool values) {
  for (int64_t j = 0; j < columns->count; j++) {
    for (int64_t e = columns->start[j]; e < columns->start[j + 1]; e++) {
      const int64_t at = e - columns->start[0];
      const long long row = (long long)columns->row[at] + 1;
      const long long column = (long long)(columns->first + j) + 1;
      if ((values ? fprintf(file, "%lld %lld %.17g\n", row, column, columns->value[at])
                  : fprintf(file, "%lld %lld\n", row, column)) < 0) {
        return false;
      }
    }
  }
  return true;
}

static pcct_status write_block(struct export *run, struct columns_of *columns, bool values) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  pcct_status status =
      read_rows(run, "/pattern/indptr", true, columns->first, columns->count + 1, columns->start);
  const int64_t entries = status == PCCT_OK && context->rank == 0
                              ? columns->start[columns->count] - columns->start[0]
                              : 0;
  const int64_t at = context->rank == 0 && status == PCCT_OK ? columns->start[0] : 0;
  columns->row = base_allocate(base, entries, sizeof *columns->row);
  columns->value = base_allocate(base, entries, sizeof *columns->value);
  status = comm_agree(context, columns->row && columns->value ? status : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = read_rows(run, "/pattern/indices", true, at, entries, columns->row);
  }
  if (status == PCCT_OK && values) {
    status = read_rows(run, "/pattern/values", false, at, entries, columns->value);
  }
  if (status == PCCT_OK && context->rank == 0 && !print_columns(run->file, columns, values)) {
    status = fail_write(run);
  }
  base_free(columns->row);
  base_free(columns->value);
  return comm_agree(context, status);
}

static pcct_status write_market(struct export *run) {
  enum { BLOCK_COLUMNS = 1 << 14 };
  pcct_context *context = run->app->context;
  struct input_extent bounds, indices, found;
  pcct_status status = input_look_at_dataset(context, run->input, "/pattern/indptr", &bounds);
  if (status != PCCT_OK) {
    base_clear_message(&context->base);
    return base_fail(&context->base, PCCT_INPUT,
                     "%s: has no /pattern to write as a matrix; add it with extend --pattern",
                     input_path(run->input));
  }
  status = input_look_at_dataset(context, run->input, "/pattern/indices", &indices);
  if (status != PCCT_OK) {
    return status;
  }
  const bool values =
      input_look_at_dataset(context, run->input, "/pattern/values", &found) == PCCT_OK;
  base_clear_message(&context->base);
  const int64_t n = bounds.rows - 1;
  struct columns_of columns = {
      .start = base_allocate(&context->base, BLOCK_COLUMNS + 1, sizeof *columns.start)};
  status = comm_agree(context, columns.start ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK && context->rank == 0 &&
      fprintf(run->file, "%%%%MatrixMarket matrix coordinate %s general\n%lld %lld %lld\n",
              values ? "real" : "pattern", (long long)n, (long long)n,
              (long long)indices.rows) < 0) {
    status = fail_write(run);
  }
  status = comm_agree(context, status);
  for (columns.first = 0; columns.first < n && status == PCCT_OK; columns.first += BLOCK_COLUMNS) {
    columns.count = n - columns.first < BLOCK_COLUMNS ? n - columns.first : BLOCK_COLUMNS;
    status = write_block(run, &columns, values);
  }
  base_free(columns.start);
  return status;
}

/* ---- the file */

static pcct_status open_part(struct export *run) {
  struct base *base = &run->app->context->base;
  const size_t size = strlen(run->out) + sizeof ".part";
  run->part = base_allocate(base, (int64_t)size, 1);
  if (run->part == NULL) {
    return PCCT_MEMORY;
  }
  snprintf(run->part, size, "%s.part", run->out);
  if (run->app->context->rank == 0) {
    run->file = fopen(run->part, "wb");
    return run->file != NULL ? PCCT_OK : fail_write(run);
  }
  return PCCT_OK;
}

/* Gives the file its name, or removes it. */
static pcct_status close_part(struct export *run, pcct_status status) {
  if (run->file == NULL) {
    return status;
  }
  const bool written = fflush(run->file) == 0 && fsync(fileno(run->file)) == 0;
  const bool closed = fclose(run->file) == 0;
  run->file = NULL;
  if (status == PCCT_OK && (!written || !closed || rename(run->part, run->out) != 0)) {
    status = fail_write(run);
  }
  if (status != PCCT_OK) {
    unlink(run->part);
  }
  return status;
}

static pcct_status run_export(struct app *app, const void *values, const char *const *arguments,
                              int count) {
  const struct export_options *options = values;
  const struct search_options checked = {.resume = false};
  struct export run = {.app = app, .out = arguments[count - 1]};
  pcct_context *context = app->context;
  const bool market = ends_with(run.out, ".mtx"), npy = ends_with(run.out, ".npy");
  if (!market && !npy) {
    return base_fail(&context->base, PCCT_USAGE,
                     "%s: expected a name that ends with .npy or .mtx, which says what to write",
                     run.out);
  }
  if (npy != (options->dataset != NULL)) {
    return base_fail(&context->base, PCCT_USAGE,
                     npy ? "a .npy file holds one dataset; name it with --dataset"
                         : "a .mtx file holds the pattern; leave --dataset out");
  }
  pcct_status status = search_check(app, &checked, arguments, count);
  if (status == PCCT_OK) {
    status = input_open(context, arguments[0], NULL, &run.input);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, open_part(&run));
  }
  if (status == PCCT_OK) {
    status = market ? write_market(&run) : write_npy(&run, options->dataset);
  }
  status = comm_agree(context, close_part(&run, status));
  base_free(run.part);
  input_close(context, &run.input);
  return status;
}

static const struct option_entry entries[] = {
    {.name = "dataset",
     .kind = OPTION_TEXT,
     .metavariable = "/PATH",
     .help = "The dataset of a .npy file; integers become int64, other numbers float64.",
     .offset = offsetof(struct export_options, dataset)}};

const struct app_command command_export = {
    .name = "export",
    .summary = "write a dataset as .npy, or the sparsity pattern as Matrix Market",
    .arguments = "FILE OUT",
    .description =
        "FILE is a file of pcct's. OUT.npy gets one dataset, for NumPy and others; OUT.mtx\n"
        "the matrix of /pattern, which extend adds, with its values if there are some, for\n"
        "R, Julia, MATLAB and others. Rank 0 alone works.\n",
    .common = APP_THREADS | APP_QUIET_VERBOSE | APP_OVERWRITE | APP_REPORT | APP_SETTINGS,
    .options = entries,
    .option_count = (int)(sizeof entries / sizeof entries[0]),
    .values_size = sizeof(struct export_options),
    .run = run_export};
