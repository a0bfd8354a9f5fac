/*
 * Orderings by growing nets, checked against their definition: maximin, level and time-maximin.
 *
 * Every length scale is computed anew by the search behind `verify`, every point is compared with the one before
 * it, and points are followed through all selections before their own: at none of them must they have come first.
 */
#ifndef APP_VERIFY_FARTHEST_H
#define APP_VERIFY_FARTHEST_H

#include "app/verify_order.h"
#include "base/comm.h"

/* Checks it.
 * Collective; the arrays of `order` are held in full by every rank, and must be permutations.
 *   followed [out] points that were followed: all, if there are not too many
 * Errors: PCCT_DIFFERENT (the message names the first wrong position), PCCT_MEMORY. Cost: one search a point, and up
 * to some 10^9 kernel evaluations shared by the ranks. */
pcct_status verify_farthest(pcct_context *context, const struct verify_order *order,
                            int64_t *followed);

#endif
