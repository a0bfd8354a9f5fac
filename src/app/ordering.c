/*
 * The value of --ordering.
 */
#include "app/ordering.h"

#include "dist/farthest.h"

#include "app/options.h"

#include <stdlib.h>
#include <string.h>

/* Names, without parameters. */
#define ORDERING_NAMES                                                                             \
  "none|random|coordinate|middleout|outsidein|hilbert|maximin|level|time|time-random|"             \
  "time-maximin|file"

enum parameter { NONE, AXIS, START };

static const struct {
  const char *name;
  pcct_ordering ordering;
  enum parameter parameter; /* behind a colon; it may be left out */
  int axis;                 /* without it */
} known[] = {{"none", PCCT_ORDERING_NONE, NONE, 0},
             {"random", PCCT_ORDERING_RANDOM, NONE, 0},
             {"coordinate", PCCT_ORDERING_COORDINATE, AXIS, 0},
             {"middleout", PCCT_ORDERING_MIDDLEOUT, NONE, 0},
             {"outsidein", PCCT_ORDERING_OUTSIDEIN, NONE, 0},
             {"hilbert", PCCT_ORDERING_HILBERT, NONE, 0},
             {"maximin", PCCT_ORDERING_MAXIMIN, START, 0},
             {"level", PCCT_ORDERING_LEVEL, NONE, 0},
             {"time", PCCT_ORDERING_TIME, AXIS, ORDERING_LAST},
             {"time-random", PCCT_ORDERING_TIME_RANDOM, AXIS, ORDERING_LAST},
             {"time-maximin", PCCT_ORDERING_TIME_MAXIMIN, AXIS, ORDERING_LAST}};

/* The axis of "NAME:AXIS": one or two digits. */
static pcct_status parse_axis(struct base *base, const char *text, const char *axis, int *value) {
  size_t digits = strspn(axis, "0123456789");
  if (digits == 0 || digits > 2 || axis[digits] != '\0') {
    return base_fail(base, PCCT_USAGE,
                     "--ordering %.*s:AXIS expects an axis from 0 to %d, found '%s'",
                     (int)(axis - text - 1), text, PCCT_DIMENSION_MAX - 1, text);
  }
  *value = axis[0] - '0';
  if (digits == 2) {
    *value = 10 * *value + axis[1] - '0';
  }
  return PCCT_OK;
}

/* The start of "maximin:first" or "maximin:ROW". */
static pcct_status parse_start(struct base *base, const char *text, const char *start,
                               struct ordering_choice *choice) {
  const size_t digits = strspn(start, "0123456789");
  choice->start = PCCT_START_ROW;
  if (strcmp(start, "first") == 0) {
    choice->start = PCCT_START_FIRST;
  } else if (digits == 0 || digits > 18 || start[digits] != '\0') {
    return base_fail(
        base, PCCT_USAGE,
        "--ordering maximin:START expects 'first' or a row, counted from 0, found '%s'", text);
  } else {
    choice->start_row = strtoll(start, NULL, 10);
  }
  return PCCT_OK;
}

pcct_status ordering_parse(struct base *base, const char *text, struct ordering_choice *choice) {
  *choice = (struct ordering_choice){.ordering = PCCT_ORDERING_NONE};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const size_t length = strlen(known[i].name);
    if (strncmp(text, known[i].name, length) != 0) {
      continue;
    }
    const bool more = text[length] == ':' && known[i].parameter != NONE;
    if (text[length] == '\0' || more) {
      choice->ordering = known[i].ordering;
      choice->axis = known[i].axis;
      return !more                        ? PCCT_OK
             : known[i].parameter == AXIS ? parse_axis(base, text, text + length + 1, &choice->axis)
                                          : parse_start(base, text, text + length + 1, choice);
    }
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

int ordering_axis(const struct ordering_choice *choice, int dimension) {
  return choice->axis == ORDERING_LAST ? dimension - 1 : choice->axis;
}

bool ordering_has_length_scale(const struct ordering_choice *choice) {
  return dist_is_farthest(choice->ordering);
}

void ordering_set(const struct ordering_choice *choice, int dimension, uint64_t seed,
                  pcct_index_options *options) {
  options->ordering = choice->ordering;
  options->axis = ordering_axis(choice, dimension);
  options->start = choice->start;
  options->start_row = choice->start_row;
  options->seed = seed;
}
