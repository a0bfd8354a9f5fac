/*
 * The value of --ordering.
 */
#ifndef APP_ORDERING_H
#define APP_ORDERING_H

#include "pcct.h"

#include "base/context.h"

/* What --help and messages show. */
#define ORDERING_VALUES "none|random|coordinate[:AXIS]|middleout|hilbert|file:/DATASET"

struct ordering_choice {
  pcct_ordering ordering;
  int axis;            /* COORDINATE: from 0; whether the points have it, only the file knows */
  const char *dataset; /* GIVEN: path of the permutation, within `text`; else NULL */
};

/* Reads the value of --ordering. Local. Errors: PCCT_USAGE. */
pcct_status ordering_parse(struct base *base, const char *text, struct ordering_choice *choice);

#endif
