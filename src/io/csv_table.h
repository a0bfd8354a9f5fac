/*
 * A CSV file as a table of points: coordinates, and columns that are carried along.
 *
 * A table is read twice: csv_survey goes through the file once, checks it, counts, and finds out
 * what each carried column is; csv_read_block then reads it a second time in blocks of rows, typed.
 * So memory is bounded by a block, and the number and types of all rows are known before anything
 * is written.
 *
 * Rows with a missing coordinate (empty, NA or nan) are dropped; the others are kept, in order.
 * Everything here is Local.
 */
#ifndef IO_CSV_TABLE_H
#define IO_CSV_TABLE_H

#include "io/csv_reader.h"

/* The most bytes of a text that can be carried: all texts of a column take those of the longest. */
#define CSV_TEXT_BYTES_MAX 65535

/* The most coordinates of a point. */
#define CSV_DIMENSION_MAX 64

/* What a carried column is made of. */
enum csv_kind {
  CSV_INTEGERS, /* int64: every kept cell is one */
  CSV_NUMBERS,  /* double: every kept cell is a number or missing (NaN) */
  CSV_TEXTS     /* UTF-8, `length` bytes, padded with NUL: cells as they are, missing ones too */
};

struct csv_column {
  int64_t field;      /* [in] the column of the file */
  enum csv_kind kind; /* found by csv_survey */
  int64_t missing;    /* kept rows in which the cell is missing */
  int64_t length;     /* bytes of the longest cell of the kept rows, at least 1 */
};

/* Which columns of a file matter, and what csv_survey found. */
struct csv_table {
  int dimension;
  int64_t coordinates[CSV_DIMENSION_MAX]; /* [in] [dimension] columns of the file */
  int carried_count;
  struct csv_column *carried; /* [in,out] [carried_count], the caller's */
  int64_t rows, dropped;      /* [out] data rows of the file, and how many lack a coordinate */
};

/* Typed kept rows; the arrays are the caller's. */
struct csv_block {
  int64_t capacity;    /* [in] rows that fit */
  double *coordinates; /* [out] [capacity][dimension] */
  int64_t *source_row; /* [out] [capacity] 0-based data rows of the file */
  void **carried;      /* [out] [carried_count][capacity] of csv_element_size */
  int64_t count;       /* [out] rows filled; 0 behind the last */
};

/* Bytes of one value of a carried column. */
size_t csv_element_size(const struct csv_column *column);

/* The column of a name, or one of these. */
#define CSV_NONE (-1)
#define CSV_SEVERAL (-2)
int64_t csv_find_column(const struct csv_reader *reader, const char *name);

/* Reads the whole file and rewinds it.
 *   table [in,out] see there
 * Errors, naming line and column: PCCT_INPUT (what csv_next_row refuses; a coordinate that is no
 * finite number; a carried text that is not UTF-8 or longer than CSV_TEXT_BYTES_MAX), PCCT_FILE,
 * PCCT_MEMORY. Cost: one pass over the file. */
pcct_status csv_survey(struct base *base, struct csv_reader *reader, struct csv_table *table);

/* Reads the next kept rows after csv_survey.
 * Errors: as csv_survey; PCCT_FILE if the file is not what was surveyed. */
pcct_status csv_read_block(struct base *base, struct csv_reader *reader,
                           const struct csv_table *table, struct csv_block *block);

#endif
