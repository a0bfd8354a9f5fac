/*
 * pcct import: rank 0 parses the table, in two passes and in blocks; all ranks write it together,
 * the others with empty ranges.
 */
#include "app/import.h"

#include "io/csv_table.h"
#include "io/hash.h"
#include "io/output.h"
#include "pcct.h"

#include <stdio.h>
#include <string.h>

/* Typed rows of one block on rank 0, and the most rows of one. */
#define BLOCK_BYTES (INT64_C(64) << 20)
#define BLOCK_ROWS_MAX (INT64_C(1) << 20)

struct import_values {
  const char *columns, *carry;
  int coordinates; /* enum pcct_coordinates */
  int64_t compress;
};

static const struct option_entry import_options[] = {
    {.name = "columns",
     .kind = OPTION_WORDS,
     .metavariable = "X,Y,...",
     .help = "Columns with the coordinates, in this order. Must be given.",
     .offset = offsetof(struct import_values, columns)},
    {.name = "carry",
     .kind = OPTION_WORDS,
     .metavariable = "A,B,...",
     .help = "Columns that go along with the points, as /data/A and so on.",
     .offset = offsetof(struct import_values, carry)},
    {.name = "coordinates",
     .kind = OPTION_CHOICE,
     .preset = "cartesian",
     .choices = "cartesian|lonlat",
     .help = "What the file will say of its coordinates: Euclidean, or longitude and latitude in "
             "degrees. A search has its own option.",
     .offset = offsetof(struct import_values, coordinates)},
    {.name = "compress",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "0",
     .help = "Compress the output (shuffle and deflate) with level 1 to 9; 0: not at all.",
     .offset = offsetof(struct import_values, compress),
     .minimum = 0,
     .maximum = 9},
};

/* A running import. Names and table are the same on every rank, the reader is rank 0's. */
struct import {
  const char *path;
  char **coordinate_names, **carried_names;
  char **dataset_names; /* of the carried columns */
  struct csv_table table;
  struct csv_reader *reader;
  char hash[17];
};

/* ---------------------------------------------------------------- names */

static pcct_status refuse_repeated(struct base *base, const char *option, char **names, int count) {
  for (int i = 0; i < count; i++) {
    for (int j = 0; j < i; j++) {
      if (strcmp(names[i], names[j]) == 0) {
        return base_fail(base, PCCT_USAGE, "%s names column '%s' twice", option, names[i]);
      }
    }
  }
  return PCCT_OK;
}

/* Names of the datasets under /data: those of the columns, but a slash would make a group, and a
 * dot means the group itself. */
static pcct_status name_datasets(struct base *base, struct import *import) {
  int count = import->table.carried_count;
  int64_t bytes = 0;
  for (int c = 0; c < count; c++) {
    bytes += (int64_t)strlen(import->carried_names[c]) + 1;
  }
  int64_t pointers = (int64_t)sizeof(char *) * count;
  import->dataset_names = base_allocate(base, pointers + bytes, 1);
  if (import->dataset_names == NULL) {
    return PCCT_MEMORY;
  }
  char *name = (char *)import->dataset_names + pointers;
  for (int c = 0; c < count; c++) {
    import->dataset_names[c] = strcpy(name, import->carried_names[c]);
    for (char *slash = name; (slash = strchr(slash, '/')) != NULL;) {
      *slash = '_';
    }
    if (strcmp(name, ".") == 0) {
      *name = '_';
    }
    name += strlen(name) + 1;
  }
  return refuse_repeated(base, "--carry (with _ for /)", import->dataset_names, count);
}

/* Reads the options' names. Local, the same on every rank but for memory. */
static pcct_status read_names(struct base *base, const struct import_values *values,
                              struct import *import) {
  if (values->columns == NULL) {
    return base_fail(base, PCCT_USAGE,
                     "--columns is missing; expected the columns with the coordinates, e.g. "
                     "--columns lon,lat");
  }
  struct csv_table *table = &import->table;
  pcct_status status =
      options_split(base, values->columns, &import->coordinate_names, &table->dimension);
  if (status == PCCT_OK && values->carry != NULL) {
    status = options_split(base, values->carry, &import->carried_names, &table->carried_count);
  }
  if (status == PCCT_OK && table->dimension > CSV_DIMENSION_MAX) {
    status = base_fail(base, PCCT_USAGE, "--columns names %d columns; %d is the most",
                       table->dimension, CSV_DIMENSION_MAX);
  }
  if (status == PCCT_OK && values->coordinates == PCCT_LONLAT && table->dimension != 2) {
    status = base_fail(base, PCCT_USAGE,
                       "--coordinates lonlat expects two --columns, longitude and latitude, found "
                       "%d",
                       table->dimension);
  }
  if (status == PCCT_OK) {
    status = refuse_repeated(base, "--columns", import->coordinate_names, table->dimension);
  }
  if (status == PCCT_OK) {
    status = refuse_repeated(base, "--carry", import->carried_names, table->carried_count);
  }
  if (status == PCCT_OK) {
    status = name_datasets(base, import);
  }
  if (status == PCCT_OK) {
    table->carried = base_allocate_zero(base, table->carried_count, sizeof(struct csv_column));
    status = table->carried != NULL ? PCCT_OK : PCCT_MEMORY;
  }
  return status;
}

/* ---------------------------------------------------------------- rank 0 */

/* Says that the file has no such column: which it has, and which one was meant. */
static pcct_status fail_column(struct base *base, const struct import *import, const char *name) {
  int64_t count = csv_column_count(import->reader);
  int64_t bytes = 1;
  for (int64_t i = 0; i < count; i++) {
    bytes += csv_column_name(import->reader, i)->length + 2;
  }
  char *list = base_allocate(base, bytes, 1);
  char *shown = base_allocate(base, bytes, 1);
  if (list != NULL && shown != NULL) {
    char *list_end = list;
    char *shown_end = shown;
    *list = *shown = '\0';
    for (int64_t i = 0; i < count; i++) {
      list_end =
          stpcpy(stpcpy(list_end, i > 0 ? "|" : ""), csv_column_name(import->reader, i)->text);
      shown_end =
          stpcpy(stpcpy(shown_end, i > 0 ? ", " : ""), csv_column_name(import->reader, i)->text);
    }
    char message[OPTIONS_MESSAGE_SIZE];
    options_unknown("column", name, list, shown, message, sizeof message);
    base_fail(base, PCCT_USAGE, "%s: %s", import->path, message);
  }
  base_free(list);
  base_free(shown);
  return list != NULL && shown != NULL ? PCCT_USAGE : PCCT_MEMORY;
}

static pcct_status find_column(struct base *base, const struct import *import, const char *name,
                               int64_t *field) {
  *field = csv_find_column(import->reader, name);
  if (*field == CSV_SEVERAL) {
    return base_fail(base, PCCT_USAGE, "%s: several columns have the name '%s'; rename one of them",
                     import->path, name);
  }
  return *field == CSV_NONE ? fail_column(base, import, name) : PCCT_OK;
}

/* Opens the table, finds the columns, and goes through it once. */
static pcct_status survey(struct base *base, struct import *import) {
  struct csv_table *table = &import->table;
  pcct_status status = csv_open(base, import->path, &import->reader);
  for (int j = 0; status == PCCT_OK && j < table->dimension; j++) {
    status = find_column(base, import, import->coordinate_names[j], &table->coordinates[j]);
  }
  for (int c = 0; status == PCCT_OK && c < table->carried_count; c++) {
    status = find_column(base, import, import->carried_names[c], &table->carried[c].field);
  }
  if (status == PCCT_OK) {
    status = csv_survey(base, import->reader, table);
  }
  return status == PCCT_OK ? io_hash(base, import->path, import->hash) : status;
}

/* ---------------------------------------------------------------- all ranks */

/* Memory for the rows of a block, on rank 0; other ranks get none. Local. */
static pcct_status allocate_block(pcct_context *context, const struct csv_table *table,
                                  struct csv_block *block) {
  struct base *base = &context->base;
  if (context->rank != 0) {
    return PCCT_OK;
  }
  block->coordinates = base_allocate(base, block->capacity * table->dimension, sizeof(double));
  block->source_row = base_allocate(base, block->capacity, sizeof(int64_t));
  block->carried = base_allocate_zero(base, table->carried_count, sizeof(void *));
  bool complete = block->coordinates != NULL && block->source_row != NULL && block->carried != NULL;
  for (int c = 0; complete && c < table->carried_count; c++) {
    block->carried[c] = base_allocate(base, block->capacity, csv_element_size(&table->carried[c]));
    complete = block->carried[c] != NULL;
  }
  return complete ? PCCT_OK : PCCT_MEMORY;
}

static void free_block(const struct csv_table *table, struct csv_block *block) {
  for (int c = 0; block->carried != NULL && c < table->carried_count; c++) {
    base_free(block->carried[c]);
  }
  base_free(block->carried);
  base_free(block->source_row);
  base_free(block->coordinates);
}

/* Rows of a block: depends on the table alone. */
static int64_t block_capacity(const struct csv_table *table) {
  int64_t row_bytes = (table->dimension + 1) * (int64_t)sizeof(double);
  for (int c = 0; c < table->carried_count; c++) {
    row_bytes += (int64_t)csv_element_size(&table->carried[c]);
  }
  int64_t rows = BLOCK_BYTES / row_bytes;
  return rows < 1 ? 1 : rows < BLOCK_ROWS_MAX ? rows : BLOCK_ROWS_MAX;
}

/* Reads the next block on rank 0, which must be of `expected` rows. Collective. */
static pcct_status read_block(pcct_context *context, const struct import *import,
                              struct csv_block *block, int64_t expected) {
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = csv_read_block(&context->base, import->reader, &import->table, block);
    if (status == PCCT_OK && block->count != expected) {
      status = base_fail(&context->base, PCCT_FILE,
                         "%s: changed while it was read: rows are missing", import->path);
    }
  }
  return comm_agree(context, status);
}

/* Writes a block from row `first` on. Collective. */
static pcct_status write_block(pcct_context *context, const struct import *import,
                               struct output *output, const struct csv_block *block, int64_t first,
                               int64_t rows) {
  bool parses = context->rank == 0;
  int64_t begin = parses ? first : first + rows;
  int64_t count = parses ? rows : 0;
  pcct_status status = output_write_coordinates(context, output, begin, count, block->coordinates);
  if (status == PCCT_OK) {
    status = output_write_source_row(context, output, begin, count, block->source_row);
  }
  for (int c = 0; status == PCCT_OK && c < import->table.carried_count; c++) {
    status = output_write_column(context, output, import->dataset_names[c], begin, count,
                                 parses ? block->carried[c] : NULL);
  }
  return status;
}

/* The second pass. Collective. */
static pcct_status copy_rows(pcct_context *context, const struct import *import,
                             struct output *output) {
  int64_t kept = import->table.rows - import->table.dropped;
  struct csv_block block = {.capacity = block_capacity(&import->table)};
  block.capacity = block.capacity < kept ? block.capacity : kept;
  pcct_status status = comm_agree(context, allocate_block(context, &import->table, &block));
  for (int64_t first = 0; status == PCCT_OK && first < kept; first += block.capacity) {
    int64_t rows = block.capacity < kept - first ? block.capacity : kept - first;
    pcct_context_enter_phase(context, PCCT_PHASE_read);
    status = read_block(context, import, &block, rows);
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    if (status == PCCT_OK) {
      status = write_block(context, import, output, &block, first, rows);
    }
    base_progress(&context->base, first + rows, kept);
  }
  free_block(&import->table, &block);
  return status;
}

static pcct_status add_columns(pcct_context *context, const struct import *import,
                               struct output *output) {
  pcct_status status = PCCT_OK;
  for (int c = 0; status == PCCT_OK && c < import->table.carried_count; c++) {
    const struct csv_column *column = &import->table.carried[c];
    int64_t string_size = column->kind == CSV_TEXTS      ? column->length
                          : column->kind == CSV_INTEGERS ? -1
                                                         : 0;
    char description[256];
    snprintf(description, sizeof description, "column '%.200s' of the imported table",
             import->carried_names[c]);
    status =
        output_add_column(context, output, import->dataset_names[c], string_size, description, "");
  }
  return status;
}

/* Writes everything. Collective. */
static pcct_status write_output(struct app *app, const struct import_values *values,
                                const struct import *import, const char *path, double started) {
  pcct_context *context = app->context;
  struct output *output = NULL;
  int64_t kept = import->table.rows - import->table.dropped;
  bool lonlat = values->coordinates == PCCT_LONLAT;
  struct output_options options = {.overwrite = app->common.overwrite,
                                   .compress = (int)values->compress};
  struct output_header header = {.kind = OUTPUT_POINTS,
                                 .n = kept,
                                 .rows = kept,
                                 .dimension = import->table.dimension,
                                 .ordering = "none",
                                 .metric = lonlat ? "great-circle" : "euclidean",
                                 .coordinates = lonlat ? "lonlat" : "cartesian",
                                 .dataset = "",
                                 .columns = values->columns,
                                 .units = lonlat ? "degrees" : "",
                                 .has_source_row = true};
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  pcct_status status = output_create(context, path, &options, &header, &output);
  if (status == PCCT_OK) {
    status = add_columns(context, import, output);
  }
  if (status == PCCT_OK) {
    status = copy_rows(context, import, output);
  }
  if (status == PCCT_OK) {
    struct provenance provenance = {.command_line = app->command_line,
                                    .input_path = import->path,
                                    .input_hash = import->hash,
                                    .threads = context->base.threads,
                                    .seconds = base_clock() - started};
    status = output_commit(context, &output, &provenance);
  }
  output_discard(context, &output);
  return status;
}

static void print_summary(const struct app *app, const struct import *import, const char *path) {
  const struct csv_table *table = &import->table;
  app_print(app, "%s: %lld rows read, %lld dropped (missing coordinates), %lld kept\n",
            import->path, (long long)table->rows, (long long)table->dropped,
            (long long)(table->rows - table->dropped));
  for (int c = 0; c < table->carried_count; c++) {
    const struct csv_column *column = &table->carried[c];
    if (column->kind == CSV_TEXTS) {
      app_print(app, "  carried %s: text of at most %lld bytes, %lld missing\n",
                import->carried_names[c], (long long)column->length, (long long)column->missing);
    } else {
      app_print(app, "  carried %s: %s, %lld missing\n", import->carried_names[c],
                column->kind == CSV_INTEGERS ? "integers" : "numbers", (long long)column->missing);
    }
  }
  app_print(app, "%s: %lld points with %d coordinate%s%s\n", path,
            (long long)(table->rows - table->dropped), table->dimension,
            table->dimension > 1 ? "s" : "",
            app->common.dry_run ? " would be written (dry run)" : "");
}

static pcct_status run_import(struct app *app, const void *untyped, const char *const *arguments,
                              int argument_count) {
  (void)argument_count;
  const struct import_values *values = untyped;
  pcct_context *context = app->context;
  double started = base_clock();
  struct import import = {.path = arguments[0]};
  pcct_status status = comm_agree(context, read_names(&context->base, values, &import));
  if (status == PCCT_OK) {
    status = output_check_path(context, arguments[1], app->common.overwrite, false);
  }
  if (status == PCCT_OK) {
    status = context->rank == 0 ? survey(&context->base, &import) : PCCT_OK;
    status = comm_agree(context, status);
  }
  if (status == PCCT_OK) {
    struct csv_column *carried = import.table.carried;
    comm_broadcast(context, &import.table, sizeof import.table);
    import.table.carried = carried;
    comm_broadcast(context, carried,
                   import.table.carried_count * (int64_t)sizeof(struct csv_column));
    comm_broadcast(context, import.hash, sizeof import.hash);
  }
  if (status == PCCT_OK && !app->common.dry_run) {
    status = write_output(app, values, &import, arguments[1], started);
  }
  if (status == PCCT_OK) {
    print_summary(app, &import, arguments[1]);
  }
  csv_close(&import.reader);
  base_free(import.table.carried);
  base_free(import.dataset_names);
  base_free(import.carried_names);
  base_free(import.coordinate_names);
  return status;
}

const struct app_command command_import = {
    .name = "import",
    .summary = "make a file of points from a CSV table",
    .arguments = "TABLE OUT",
    .description =
        "Reads TABLE, comma-separated values with a header line, plain or gzip, and\n"
        "writes its points to the HDF5 file OUT: /points/coordinates, /points/source_row\n"
        "(the rows of TABLE that were kept, from 0, header not counted) and /data/NAME\n"
        "for every carried column: 64-bit integers, or float64 with NaN where cells are\n"
        "missing, or fixed-length UTF-8 text. Missing are empty cells, NA and nan. Rows\n"
        "that lack a coordinate are dropped and counted. Rank 0 parses, in two passes,\n"
        "so that more ranks are no faster.\n",
    .common = APP_THREADS | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_OVERWRITE | APP_REPORT,
    .options = import_options,
    .option_count = sizeof import_options / sizeof import_options[0],
    .values_size = sizeof(struct import_values),
    .run = run_import};
