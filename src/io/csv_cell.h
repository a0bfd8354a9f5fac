/*
 * What a CSV cell means: missing, an integer, a number, or text. Everything here is Local.
 */
#ifndef IO_CSV_CELL_H
#define IO_CSV_CELL_H

#include "io/csv_reader.h"

#include <stdbool.h>

enum csv_cell {
  CSV_CELL_MISSING, /* empty, NA, or nan in any case */
  CSV_CELL_INTEGER, /* decimal digits with a sign at most, within int64 */
  CSV_CELL_NUMBER,  /* any other decimal number that fits a double, or an infinity */
  CSV_CELL_TEXT     /* everything else, hexadecimal numbers and overflowing ones included */
};

/* Classifies a cell; blanks around numbers do not count.
 *   number  [out] the correctly rounded value of INTEGER and NUMBER, NaN otherwise
 *   integer [out] the value of INTEGER, 0 otherwise
 * Numbers are read by strtod in the C locale: a program that calls setlocale must leave LC_NUMERIC
 * alone. */
enum csv_cell csv_cell_parse(const struct csv_field *field, double *number, int64_t *integer);

/* Whether bytes are valid UTF-8 without NUL, checked by the C library's iconv. `converter` is that
 * of csv_text_open. */
bool csv_text_valid(void *converter, const struct csv_field *field);

/* A converter for csv_text_valid, or NULL; closed with csv_text_close. */
void *csv_text_open(void);
void csv_text_close(void *converter);

#endif
