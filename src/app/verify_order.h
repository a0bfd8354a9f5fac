/*
 * The ordering of an output file, checked against the definition of its name.
 *
 * The arrays are held in full by every rank; each rank checks the positions or rows of its own
 * slab.
 */
#ifndef APP_VERIFY_ORDER_H
#define APP_VERIFY_ORDER_H

#include "base/context.h"
#include "pcct.h"
#include "points/metric.h"

/* A file's ordering. All borrowed. */
struct verify_order {
  pcct_ordering ordering;
  int axis;         /* COORDINATE, TIME.. */
  uint64_t seed;    /* RANDOM, LEVEL, TIME_RANDOM */
  pcct_start start; /* MAXIMIN, TIME_MAXIMIN */
  int64_t start_row;
  const double *group;  /* [n] by position: smaller ones come first; NULL: none */
  const int64_t *given; /* GIVEN: [count of the slab] the rows that the slab must hold */
  const struct metric *metric;
  int64_t count;              /* n */
  const int64_t *permutation; /* [n] position -> input row */
  const int64_t *position;    /* [n] input row -> position */
  const double *user;         /* [n][user_dimension] coordinates by position */
  const double *search;       /* [n][dimension] search coordinates by position */
  const double *length_scale; /* [n] by position; NULL: the file has none */
};

/* Checks that permutation and position are permutations and inverse to each other.
 * Local.
 *   first, count [in] the slab of positions to check; all slabs together prove it
 * Errors: PCCT_DIFFERENT (the message names the first wrong position). */
pcct_status verify_order_inverse(struct base *base, const struct verify_order *order, int64_t first,
                                 int64_t count);

/* Checks that the permutation obeys the ordering (verify_farthest does so for those by growing nets): each position of the slab follows the one before.
 * Local; verify_order_inverse must have passed on all slabs.
 * Errors: PCCT_DIFFERENT (the message names the first wrong position), PCCT_MEMORY. */
pcct_status verify_order_obeyed(struct base *base, const struct verify_order *order, int64_t first,
                                int64_t count);

/* Counts the points that repeat the location (the search coordinates) of an earlier one.
 * Local. Errors: PCCT_MEMORY (8 * dimension bytes a point, twice). */
pcct_status verify_order_duplicates(struct base *base, int dimension, const double *search,
                                    int64_t count, int64_t *duplicates);

#endif
