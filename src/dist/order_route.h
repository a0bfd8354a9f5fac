/*
 * Routing of single items: who owns an item, and where in a send buffer it goes.
 */
#ifndef DIST_ORDER_ROUTE_H
#define DIST_ORDER_ROUTE_H

#include "base/comm.h"

#include <stdint.h>

/* Where every rank's share of a global range starts: starts[r], and starts[size] behind the last.
 * Collective.
 *   count  [in] each rank's own share, shares in rank order from 0 on
 *   starts [out] [size + 1], allocated by the caller */
void dist_order_starts(pcct_context *context, int64_t count, int64_t *starts);

/* The rank whose share holds `item`, starts[0] <= item < starts[size]. Local. */
int dist_order_owner(const int64_t *starts, int size, int64_t item);

/* A send buffer's layout for comm_exchange. */
struct dist_order_route {
  int64_t *send_counts;    /* [size] */
  int64_t *receive_counts; /* [size] room for comm_exchange */
  int64_t *slots; /* [count] first the destination of an item, or -1 for an item that stays;
                     after dist_order_route_layout its place in the send buffer, or -1 */
};

/* Allocates the arrays of a route of `count` items. Local. Errors: PCCT_MEMORY; the route can be
 * cleared in any case. */
pcct_status dist_order_route_create(pcct_context *context, int64_t count,
                                    struct dist_order_route *route);

/* Turns destinations into slots, in the items' order for each destination, and counts them. Local.
 * Returns the number of items to send. */
int64_t dist_order_route_layout(const pcct_context *context, int64_t count,
                                struct dist_order_route *route);

/* Frees the arrays. Local. */
void dist_order_route_clear(struct dist_order_route *route);

#endif
