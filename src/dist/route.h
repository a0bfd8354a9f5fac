/*
 * Routing: what other ranks may know better.
 *
 * Bound, then local walk, then forward: queries are answered from their homes' views, in as many pieces as one
 * likes. Each is then looked at: if some other rank has a region within its bound which can hold an
 * admissible position, its row is taken over and sent, with its bound, to the nearest of those ranks, while the
 * next piece is answered; candidates that beat the bound come back and are reduced by (kernel value, position). What
 * other ranks the new bound still meets are asked in a second round, the last. Whom one asks depends on bounds
 * alone, never on the order of messages.
 */
#ifndef DIST_ROUTE_H
#define DIST_ROUTE_H

#include "dist/doubt.h"

struct route;

/* Starts with nothing taken over.
 *   k     [in]  candidates of a row
 *   route [out] freed with route_destroy; NULL on failure
 * Collective. Errors: PCCT_MEMORY, PCCT_USAGE (rows of gigabytes). */
pcct_status route_create(pcct_index *index, int64_t k, struct route **route);

/* Looks at queries that were answered at home.
 *   rows  [in,out] row i: query i's; kernel values, width >= k; what the prefix knows is brought in
 *   taken [out] [count] 1: its row was taken over
 * Local, and answers what others have asked meanwhile; OpenMP inside. Errors: PCCT_MEMORY. Cost: O(1) for a query far inside its rank's cell, otherwise a
 * search of the directory. */
pcct_status route_take(struct route *route, const struct route_queries *queries,
                       const struct walk_rows *rows, unsigned char *taken);

/* Improves all rows that were taken over, on every rank; to be called after failures, too.
 *   status [in] of this rank so far; a failure of any is what comes back
 * Collective. Errors: PCCT_USAGE (an instruction set some machine does not have), PCCT_MEMORY. Cost: one walk
 * for each rank that a query is forwarded to; a message there and one back for every 256 KiB of questions to a rank
 * that gets any; nothing to others. */
pcct_status route_finish(struct route *route, pcct_status status);

/* How many rows were taken over; the query of row i (position of an own point, number of a foreign one); and
 * its candidates, written into row `row`. Local. */
int64_t route_count(const struct route *route);
int64_t route_query(const struct route *route, int64_t i);
void route_put(const struct route *route, int64_t i, const struct walk_rows *rows, int64_t row);

/* NULL and pointers to NULL are fine. */
void route_destroy(struct route **route);

#endif
