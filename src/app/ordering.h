/*
 * The value of --ordering.
 */
#ifndef APP_ORDERING_H
#define APP_ORDERING_H

#include "pcct.h"

#include "base/context.h"

/* What --help and messages show. */
#define ORDERING_VALUES                                                                            \
  "none|random|coordinate[:AXIS]|middleout|outsidein|hilbert|maximin[:first|:ROW]|level|"          \
  "time[:AXIS]|time-random[:AXIS]|time-maximin[:AXIS]|file:/DATASET"

struct ordering_choice {
  pcct_ordering ordering;
  int axis;          /* COORDINATE, TIME..: from 0; whether the points have it, only the file knows;
                          ORDERING_LAST: the last one */
  pcct_start start;  /* MAXIMIN */
  int64_t start_row; /* PCCT_START_ROW */
  const char *dataset; /* GIVEN: path of the permutation, within `text`; else NULL */
};
#define ORDERING_LAST (-1)

/* Reads the value of --ordering. Local. Errors: PCCT_USAGE. */
pcct_status ordering_parse(struct base *base, const char *text, struct ordering_choice *choice);

/* The axis for points of this dimension. Local. */
int ordering_axis(const struct ordering_choice *choice, int dimension);

/* Whether the ordering gives its points length scales. Local. */
bool ordering_has_length_scale(const struct ordering_choice *choice);

/* Sets what an index needs of it, but for a permutation. Local. */
void ordering_set(const struct ordering_choice *choice, int dimension, uint64_t seed,
                  pcct_index_options *options);

#endif
