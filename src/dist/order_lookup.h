/*
 * Values that lie in slabs over the ranks, looked up by their number.
 */
#ifndef DIST_ORDER_LOOKUP_H
#define DIST_ORDER_LOOKUP_H

#include "base/comm.h"

/* Looks up what each rank wants to know.
 * Collective.
 *   slab  [in]  [count] this rank's values; slabs in rank order, numbered from 0 on
 *   item  [in]  [items] each rank's own numbers, all of them below the slabs' total, in any order
 *   out   [out] [items] their values, allocated by the caller; may be `item` itself
 * Errors: PCCT_MEMORY. Cost: 16 bytes an item in two exchanges. */
pcct_status dist_order_lookup(pcct_context *context, const int64_t *slab, int64_t count,
                              const int64_t *item, int64_t items, int64_t *out);

#endif
