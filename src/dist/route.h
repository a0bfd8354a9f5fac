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
#include "walk/sweep.h"

/* Answers each rank's own queries with the k best each.
 * Collective.
 *   sweep [in] queries whose points lie in this rank's part (parts_locate), in spatial order; no cut-offs
 *   rows  [out] filled; rows->width >= k
 * Errors: PCCT_MEMORY. Cost: one walk a query and one for each rank it is forwarded to; one message to and
 * one from each rank that gets any. */
pcct_status route_answer(pcct_index *index, const struct walk_sweep *sweep, int64_t k,
                         const struct walk_rows *rows);

#endif
