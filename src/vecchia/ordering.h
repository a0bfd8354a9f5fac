/*
 * Orderings that are defined by keys: the ascending lexicographic order of one record per row,
 * whose last word is the row, so that no two records are equal.
 *
 *   RANDOM      64 random bits of (seed, row)
 *   COORDINATE  the user's coordinate of one axis, then the other axes in order; a longitude is wrapped into
 *               (-180, 180] first, and 0 at the poles
 *   MIDDLEOUT   the kernel value between the search point and the mean of all search points
 *   HILBERT     the place on the Hilbert curve through the bounding box of all search points, every axis
 *               scaled by the box's largest extent
 *   OUTSIDEIN   as MIDDLEOUT, the largest first
 *   TIME        the user's coordinate of one axis
 *   TIME_RANDOM the user's coordinate of one axis, then as RANDOM
 *
 * The records need facts about all points (mean, box): the caller combines vecchia_ordering_scan's
 * results of all parts, exactly, and sets them with vecchia_ordering_finish. Nothing communicates
 * here.
 */
#ifndef VECCHIA_ORDERING_H
#define VECCHIA_ORDERING_H

#include "base/exact_sum.h"
#include "points/metric.h"

#include <stdint.h>

enum vecchia_ordering_kind {
  VECCHIA_ORDERING_RANDOM,
  VECCHIA_ORDERING_COORDINATE,
  VECCHIA_ORDERING_MIDDLEOUT,
  VECCHIA_ORDERING_HILBERT,
  VECCHIA_ORDERING_OUTSIDEIN,
  VECCHIA_ORDERING_TIME,
  VECCHIA_ORDERING_TIME_RANDOM
};

#define VECCHIA_ORDERING_AXES 64

struct vecchia_ordering {
  enum vecchia_ordering_kind kind;
  const struct metric *metric; /* borrowed */
  int axis;                    /* COORDINATE, TIME, TIME_RANDOM */
  uint64_t seed;               /* RANDOM, TIME_RANDOM */
  /* set by vecchia_ordering_finish */
  double mean[VECCHIA_ORDERING_AXES];    /* MIDDLEOUT, OUTSIDEIN */
  double minimum[VECCHIA_ORDERING_AXES]; /* HILBERT: corner of the box */
  double extent;                         /* HILBERT: largest side of the box */
};

/* What is known of a part of the points; parts are combined by minimum, maximum and sum. */
struct vecchia_ordering_scan {
  double minimum[VECCHIA_ORDERING_AXES]; /* HILBERT; +inf without points */
  double maximum[VECCHIA_ORDERING_AXES]; /* HILBERT; -inf without points */
  struct exact_sum
      sum[VECCHIA_ORDERING_AXES]; /* MIDDLEOUT, OUTSIDEIN; normalised, to be added limb by limb */
};

/* 64-bit words of a record. Local. */
int vecchia_ordering_words(const struct vecchia_ordering *ordering);

/* Looks at `count` search points [count][metric->dimension] and fills what the kind needs. Local.
 */
void vecchia_ordering_scan(const struct vecchia_ordering *ordering, const double *search,
                           int64_t count, int threads, struct vecchia_ordering_scan *scan);

/* Sets mean, corner and extent from the scan of all `total` points. Local. */
void vecchia_ordering_finish(struct vecchia_ordering *ordering, struct vecchia_ordering_scan *scan,
                             int64_t total);

/* The records of `count` rows from `first_row` on. Local.
 *   user, search [in] their coordinates, [count][user_dimension] and [count][dimension]
 *   records      [out] [count][vecchia_ordering_words] */
void vecchia_ordering_records(const struct vecchia_ordering *ordering, const double *user,
                              const double *search, int64_t first_row, int64_t count, int threads,
                              uint64_t *records);

#endif
