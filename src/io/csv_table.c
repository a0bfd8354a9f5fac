/*
 * A CSV file as a table of points, in two passes.
 */
#include "io/csv_table.h"

#include "io/csv_cell.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* What a column can still be after the cells so far. */
struct column_state {
  bool text, fraction;
};

size_t csv_element_size(const struct csv_column *column) {
  return column->kind == CSV_TEXTS ? (size_t)column->length : sizeof(double);
}

int64_t csv_find_column(const struct csv_reader *reader, const char *name) {
  int64_t found = CSV_NONE;
  for (int64_t i = 0; i < csv_column_count(reader); i++) {
    if (strcmp(csv_column_name(reader, i)->text, name) == 0) {
      if (found >= 0) {
        return CSV_SEVERAL;
      }
      found = i;
    }
  }
  return found;
}

static pcct_status fail_cell(struct base *base, const struct csv_reader *reader,
                             const struct csv_row *row, int64_t field, const char *expected) {
  return base_fail(base, PCCT_INPUT, "%s: line %lld, column '%s': expected %s, found '%s'",
                   csv_path(reader), (long long)row->line,
                   csv_excerpt(csv_column_name(reader, field)).text, expected,
                   csv_excerpt(&row->fields[field]).text);
}

/* Reads the coordinates of a row.
 *   kept [out] false: one is missing */
static pcct_status parse_coordinates(struct base *base, const struct csv_reader *reader,
                                     const struct csv_table *table, const struct csv_row *row,
                                     double *coordinates, bool *kept) {
  *kept = true;
  for (int j = 0; j < table->dimension; j++) {
    int64_t field = table->coordinates[j];
    int64_t integer;
    enum csv_cell cell = csv_cell_parse(&row->fields[field], &coordinates[j], &integer);
    if (cell == CSV_CELL_MISSING) {
      *kept = false;
    } else if (cell == CSV_CELL_TEXT || !isfinite(coordinates[j])) {
      return fail_cell(base, reader, row, field, "a finite number (or nothing, NA or nan)");
    }
  }
  return PCCT_OK;
}

/* Lets a cell of a kept row decide about its column. */
static pcct_status survey_cell(struct base *base, const struct csv_reader *reader, void *converter,
                               const struct csv_row *row, struct csv_column *column,
                               struct column_state *state) {
  const struct csv_field *field = &row->fields[column->field];
  double number;
  int64_t integer;
  enum csv_cell cell = csv_cell_parse(field, &number, &integer);
  column->missing += cell == CSV_CELL_MISSING;
  state->fraction |= cell == CSV_CELL_NUMBER;
  if (field->length > column->length) {
    column->length = field->length;
  }
  if (cell == CSV_CELL_TEXT) {
    state->text = true;
    if (!csv_text_valid(converter, field)) {
      return fail_cell(base, reader, row, column->field, "text in UTF-8");
    }
    if (field->length > CSV_TEXT_BYTES_MAX) {
      return base_fail(base, PCCT_INPUT,
                       "%s: line %lld, column '%s': a text of %lld bytes cannot be carried, %d is "
                       "the most",
                       csv_path(reader), (long long)row->line,
                       csv_excerpt(csv_column_name(reader, column->field)).text,
                       (long long)field->length, CSV_TEXT_BYTES_MAX);
    }
  }
  return PCCT_OK;
}

/* Settles what each carried column is. */
static void settle_kinds(struct csv_table *table, const struct column_state *states) {
  for (int c = 0; c < table->carried_count; c++) {
    struct csv_column *column = &table->carried[c];
    if (states[c].text) {
      column->kind = CSV_TEXTS;
    } else if (states[c].fraction || column->missing > 0 || table->rows == table->dropped) {
      column->kind = CSV_NUMBERS;
    } else {
      column->kind = CSV_INTEGERS;
    }
  }
}

pcct_status csv_survey(struct base *base, struct csv_reader *reader, struct csv_table *table) {
  void *converter = NULL;
  table->rows = 0;
  table->dropped = 0;
  for (int c = 0; c < table->carried_count; c++) {
    table->carried[c].missing = 0;
    table->carried[c].length = 1;
  }
  struct column_state *states =
      base_allocate_zero(base, table->carried_count, sizeof(struct column_state));
  pcct_status status = states != NULL ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    converter = csv_text_open();
    if (converter == NULL) {
      status =
          base_fail(base, PCCT_INTERNAL, "the C library cannot read UTF-8 (iconv_open failed)");
    }
  }
  while (status == PCCT_OK) {
    struct csv_row row;
    status = csv_next_row(base, reader, &row);
    if (status != PCCT_OK || row.fields == NULL) {
      break;
    }
    double coordinates[CSV_DIMENSION_MAX];
    bool kept;
    status = parse_coordinates(base, reader, table, &row, coordinates, &kept);
    table->rows++;
    table->dropped += !kept;
    for (int c = 0; c < table->carried_count && status == PCCT_OK && kept; c++) {
      status = survey_cell(base, reader, converter, &row, &table->carried[c], &states[c]);
    }
  }
  if (status == PCCT_OK) {
    settle_kinds(table, states);
    status = csv_rewind(base, reader);
  }
  csv_text_close(converter);
  base_free(states);
  return status;
}

/* Stores the carried cells of a row as row `at` of the block. Returns false if a cell does not fit
 * what the survey found. */
static bool store_carried(const struct csv_table *table, const struct csv_row *row,
                          struct csv_block *block, int64_t at) {
  for (int c = 0; c < table->carried_count; c++) {
    const struct csv_column *column = &table->carried[c];
    const struct csv_field *field = &row->fields[column->field];
    if (column->kind == CSV_TEXTS) {
      if (field->length > column->length) {
        return false;
      }
      char *text = (char *)block->carried[c] + at * column->length;
      memset(text, 0, (size_t)column->length);
      memcpy(text, field->text, (size_t)field->length);
      continue;
    }
    double number;
    int64_t integer;
    enum csv_cell cell = csv_cell_parse(field, &number, &integer);
    if (cell == CSV_CELL_TEXT || (column->kind == CSV_INTEGERS && cell != CSV_CELL_INTEGER)) {
      return false;
    }
    if (column->kind == CSV_INTEGERS) {
      ((int64_t *)block->carried[c])[at] = integer;
    } else {
      ((double *)block->carried[c])[at] = number;
    }
  }
  return true;
}

pcct_status csv_read_block(struct base *base, struct csv_reader *reader,
                           const struct csv_table *table, struct csv_block *block) {
  block->count = 0;
  while (block->count < block->capacity) {
    struct csv_row row;
    pcct_status status = csv_next_row(base, reader, &row);
    if (status != PCCT_OK) {
      return status;
    }
    if (row.fields == NULL) {
      break;
    }
    bool kept;
    double *coordinates = block->coordinates + block->count * table->dimension;
    status = parse_coordinates(base, reader, table, &row, coordinates, &kept);
    if (status != PCCT_OK) {
      return status;
    }
    if (!kept) {
      continue;
    }
    if (!store_carried(table, &row, block, block->count)) {
      return base_fail(base, PCCT_FILE, "%s: line %lld: the file changed while it was read",
                       csv_path(reader), (long long)row.line);
    }
    block->source_row[block->count++] = row.index;
  }
  return PCCT_OK;
}
