/*
 * The value of --ordering.
 */
#include "app/ordering.h"

#include "app/options.h"

#include <string.h>

/* Names without parameter, then those with one. */
#define ORDERING_NAMES "none|random|coordinate|middleout|hilbert|file"

static const struct {
  const char *name;
  pcct_ordering ordering;
} plain[] = {{"none", PCCT_ORDERING_NONE},
             {"random", PCCT_ORDERING_RANDOM},
             {"coordinate", PCCT_ORDERING_COORDINATE},
             {"middleout", PCCT_ORDERING_MIDDLEOUT},
             {"hilbert", PCCT_ORDERING_HILBERT}};

/* The axis of "coordinate:AXIS": one or two digits. */
static pcct_status parse_axis(struct base *base, const char *text, const char *axis, int *value) {
  size_t digits = strspn(axis, "0123456789");
  if (digits == 0 || digits > 2 || axis[digits] != '\0') {
    return base_fail(base, PCCT_USAGE,
                     "--ordering coordinate:AXIS expects an axis from 0 to %d, found '%s'",
                     PCCT_DIMENSION_MAX - 1, text);
  }
  *value = axis[0] - '0';
  if (digits == 2) {
    *value = 10 * *value + axis[1] - '0';
  }
  return PCCT_OK;
}

pcct_status ordering_parse(struct base *base, const char *text, struct ordering_choice *choice) {
  *choice = (struct ordering_choice){.ordering = PCCT_ORDERING_NONE};
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    if (strcmp(text, plain[i].name) == 0) {
      choice->ordering = plain[i].ordering;
      return PCCT_OK;
    }
  }
  if (strncmp(text, "coordinate:", strlen("coordinate:")) == 0) {
    choice->ordering = PCCT_ORDERING_COORDINATE;
    return parse_axis(base, text, text + strlen("coordinate:"), &choice->axis);
  }
  if (strncmp(text, "file:", strlen("file:")) == 0) {
    choice->ordering = PCCT_ORDERING_GIVEN;
    choice->dataset = text + strlen("file:");
    return choice->dataset[0] != '\0'
               ? PCCT_OK
               : base_fail(base, PCCT_USAGE,
                           "--ordering file:/DATASET expects a dataset of the input, found '%s'",
                           text);
  }
  char message[OPTIONS_MESSAGE_SIZE];
  options_unknown("value of --ordering", text, ORDERING_NAMES, ORDERING_VALUES, message,
                  sizeof message);
  return base_fail(base, PCCT_USAGE, "%s", message);
}
