/*
 * Streaming CSV: one row at a time from a plain or gzip-compressed file.
 *
 * The dialect (RFC 4180, by libcsv in strict mode): fields separated by commas; a field may be
 * quoted, then it may hold commas, line ends and doubled quotes; lines end with LF, CRLF or CR;
 * spaces and tabs around a field do not belong to it unless quoted; a UTF-8 byte order mark is
 * skipped; blank lines are no rows. The first row is the header and names the columns; every other
 * row has as many fields.
 *
 * Memory is bounded by the longest row, whatever the size of the file. Everything here is Local.
 */
#ifndef IO_CSV_READER_H
#define IO_CSV_READER_H

#include "base/context.h"

/* The most bytes of a row: a quote that is never closed must not swallow a large file. */
#define CSV_ROW_BYTES_MAX ((int64_t)64 << 20)

struct csv_reader;

/* A field: `length` bytes and a NUL behind them; the bytes may contain NUL themselves. */
struct csv_field {
  const char *text;
  int64_t length;
};

/* The beginning of a field for a message: one line, control bytes as '?', "..." behind what was
 * cut. */
#define CSV_EXCERPT_BYTES 60
struct csv_excerpt {
  char text[CSV_EXCERPT_BYTES + 4];
};
struct csv_excerpt csv_excerpt(const struct csv_field *field);

/* A row. It belongs to its reader and lives until the reader's next row. */
struct csv_row {
  const struct csv_field *fields; /* [csv_column_count] */
  int64_t index;                  /* 0-based data row: header and blank lines do not count */
  int64_t line;                   /* 1-based line of the file on which the row starts */
};

/* Opens a file and reads its header.
 *   path   [in] plain or gzip; must be a regular file where csv_rewind is to be used
 *   reader [out] NULL on failure; owned by the caller, freed with csv_close
 * Errors: PCCT_FILE (missing, a directory, unreadable), PCCT_INPUT (empty, malformed header,
 * damaged gzip), PCCT_MEMORY. */
pcct_status csv_open(struct base *base, const char *path, struct csv_reader **reader);

/* NULL and a pointer to NULL are allowed. */
void csv_close(struct csv_reader **reader);

/* Columns of the file, and the name of one of them (0 .. count-1); owned by the reader. */
int64_t csv_column_count(const struct csv_reader *reader);
const struct csv_field *csv_column_name(const struct csv_reader *reader, int64_t column);

/* The file as it was named. */
const char *csv_path(const struct csv_reader *reader);

/* Reads the next data row.
 *   row [out] row->fields is NULL after the last row
 * Errors, each naming the line: PCCT_INPUT (another number of fields than the header, a quote that
 * is not closed or stands inside an unquoted field, a row above CSV_ROW_BYTES_MAX, damaged gzip),
 * PCCT_FILE (read error), PCCT_MEMORY. */
pcct_status csv_next_row(struct base *base, struct csv_reader *reader, struct csv_row *row);

/* Goes back to before the first data row. Errors: PCCT_FILE, PCCT_INPUT. */
pcct_status csv_rewind(struct base *base, struct csv_reader *reader);

#endif
