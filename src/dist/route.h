/*
 * Routing: answers a set of queries at their home ranks, asking other ranks where needed.
 *
 * Bound, then local walk, then forward: each query is answered from its home's view; then it goes, with its
 * bound, to exactly those ranks that have a region within the bound which can hold an admissible position;
 * candidates that beat the bound come back and are reduced by (kernel value, position).
 */
#ifndef DIST_ROUTE_H
#define DIST_ROUTE_H

#include "dist/index.h"
#include "walk/self.h"
#include "walk/sweep.h"

/* The queries of a rank: points of its own views, or foreign ones. Borrowed. */
struct route_queries {
  int64_t count;
  const struct walk_self *self; /* own points; NULL: foreign ones */
  const int64_t *place;         /* [count] theirs, by walk_self_list; NULL on one rank alone */
  const struct walk_sweep
      *sweep; /* foreign points, each in this rank's part (parts_locate); no cut-offs */
};

/* Answers each rank's own queries with the k best each.
 * Collective.
 *   rows [out] filled; rows->width >= k; rows->units is NULL unless there is one rank alone
 * Errors: PCCT_USAGE (an instruction set some machine does not have), PCCT_MEMORY. Cost: one walk a query
 * and one for each rank it is forwarded to; one message to and one from each rank that gets any. */
pcct_status route_answer(pcct_index *index, const struct route_queries *queries, int64_t k,
                         const struct walk_rows *rows);

#endif
