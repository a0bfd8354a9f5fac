/*
 * A given ordering: a distributed permutation validated and inverted.
 */
#ifndef DIST_ORDER_GIVEN_H
#define DIST_ORDER_GIVEN_H

#include "base/comm.h"

#include <stdint.h>

/* The positions of each rank's own rows in a given permutation.
 * Collective.
 *   permutation [in] [count] rows at the positions first .. first+count-1
 *   first, count [in] each rank's own share, of positions and of rows alike, shares in rank order
 *   total       [in] n
 *   positions   [out] [count], allocated by the caller
 * Errors: PCCT_INPUT (names the first position whose row is out of range, or else the smallest row
 * that is repeated and its first two positions), PCCT_MEMORY. Cost: one exchange of n pairs (a copy
 * on one rank). */
pcct_status dist_order_given(pcct_context *context, const int64_t *permutation, int64_t first,
                             int64_t count, int64_t total, int64_t *positions);

#endif
