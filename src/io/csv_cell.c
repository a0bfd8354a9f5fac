/*
 * What a CSV cell means.
 */
#include "io/csv_cell.h"

#include <errno.h>
#include <iconv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char byte) {
  return byte == ' ' || byte == '\t';
}

/* The part of a field without blanks around it. */
static struct csv_field trim(const struct csv_field *field) {
  struct csv_field part = *field;
  while (part.length > 0 && is_space(part.text[0])) {
    part.text++;
    part.length--;
  }
  while (part.length > 0 && is_space(part.text[part.length - 1])) {
    part.length--;
  }
  return part;
}

static bool is_integer(const struct csv_field *part) {
  int64_t first = part->text[0] == '+' || part->text[0] == '-';
  for (int64_t i = first; i < part->length; i++) {
    if (part->text[i] < '0' || part->text[i] > '9') {
      return false;
    }
  }
  return part->length > first;
}

enum csv_cell csv_cell_parse(const struct csv_field *field, double *number, int64_t *integer) {
  *number = NAN;
  *integer = 0;
  struct csv_field part = trim(field);
  if (part.length == 0 || (part.length == 2 && memcmp(part.text, "NA", 2) == 0)) {
    return CSV_CELL_MISSING;
  }
  /* strtod would skip further white space and read hexadecimal numbers */
  if (part.text[0] == '\n' || part.text[0] == '\r' || part.text[0] == '\v' ||
      part.text[0] == '\f' || memchr(part.text, 'x', (size_t)part.length) != NULL ||
      memchr(part.text, 'X', (size_t)part.length) != NULL) {
    return CSV_CELL_TEXT;
  }
  char *end;
  errno = 0;
  double value = strtod(part.text, &end);
  bool overflow = errno == ERANGE && isinf(value);
  if (end != part.text + part.length || overflow) {
    return CSV_CELL_TEXT;
  }
  if (isnan(value)) {
    return CSV_CELL_MISSING;
  }
  *number = value;
  if (is_integer(&part)) {
    errno = 0;
    long long whole = strtoll(part.text, NULL, 10);
    if (errno == 0) {
      *integer = whole;
      return CSV_CELL_INTEGER;
    }
  }
  return CSV_CELL_NUMBER;
}

void *csv_text_open(void) {
  iconv_t converter = iconv_open("UCS-4", "UTF-8");
  return converter == (iconv_t)-1 ? NULL : converter;
}

void csv_text_close(void *converter) {
  if (converter != NULL) {
    (void)iconv_close(converter);
  }
}

bool csv_text_valid(void *converter, const struct csv_field *field) {
  if (memchr(field->text, '\0', (size_t)field->length) != NULL) {
    return false;
  }
  char *text = (char *)field->text; /* iconv reads only, but takes no const */
  size_t left = (size_t)field->length;
  (void)iconv(converter, NULL, NULL, NULL, NULL);
  while (left > 0) {
    char scratch[1024];
    char *out = scratch;
    size_t room = sizeof scratch;
    if (iconv(converter, &text, &left, &out, &room) == (size_t)-1 && errno != E2BIG) {
      return false;
    }
  }
  return true;
}
