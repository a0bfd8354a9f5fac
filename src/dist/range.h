/*
 * Radius queries over ranks.
 *
 * How far a query reaches is known beforehand, so there is one round: each
 * query goes to exactly those ranks that have a region within its reach, and
 * what they find goes straight to the rank that gets the row. Work at home is
 * not needed first, and no rank has to hold more than the rows that it gets.
 */
#ifndef DIST_RANGE_H
#define DIST_RANGE_H

#include "dist/index.h"

/* Queries of this rank. Borrowed. */
struct range_asked {
  int64_t count;
  double *points;       /* [count][dimension] search coordinates */
  int64_t *excluded;    /* [count] positions that do not count; -1: none */
  int64_t *row;         /* [count] rows, numbered from the first row of all ranks */
  int64_t *destination; /* [count] the ranks that get them */
};

/* Answers each rank's queries.
 * Collective.
 *   options [in]  valid
 *   first, count  [in]  rows that this rank gets
 *   ranges  [out] ranges->first is `first`; freed with pcct_ranges_clear, also
 * after a failure Errors: PCCT_MEMORY. Cost: one search a query and rank that
 * it reaches; one message to and two from each. */
pcct_status range_answer(pcct_index *index, const pcct_range_options *options,
                         const struct range_asked *asked, int64_t first, int64_t count,
                         pcct_ranges *ranges);

#endif
