/*
 * Orderings over all ranks: the position of every row, and rows moved into ordering order.
 */
#ifndef DIST_ORDER_H
#define DIST_ORDER_H

#include "base/comm.h"
#include "pcct.h"
#include "points/metric.h"
#include "vecchia/ordering.h"

#include <stdint.h>

/* The positions of each rank's own rows in the ordering that `options` asks for.
 * Collective.
 *   metric    [in] how `search` came from the points' coordinates
 *   points    [in] each rank's own rows
 *   search    [in] [points->count][metric->dimension] their search coordinates, without -0
 *   options   [in] ordering, axis, seed, permutation; arguments are valid, only the permutation is looked at here
 *   total     [in] n, all points
 *   positions [out] [points->count] positions 0..n-1, allocated by the caller; preliminary ones for orderings by
 *                   growing nets
 * Errors: PCCT_INPUT (the permutation repeats a row or has one out of range), PCCT_MEMORY.
 * Cost: NONE nothing; GIVEN one exchange of n pairs; the others a sample sort: n records of 2 to dimension + 1
 * words and n pairs exchanged, O(P) messages per rank, a sample of 256 P records on rank 0. On one rank nothing
 * is exchanged. Bytes are charged to COUNTER_bytes_order.
 * Source: Frazer and McKellar, Samplesort, JACM 17, 1970. */
pcct_status dist_order_positions(pcct_context *context, const struct metric *metric,
                                 const pcct_points *points, const double *search,
                                 const pcct_index_options *options, int64_t total,
                                 int64_t *positions);

/* Finds the mean or the box of all ranks' points, whichever the ordering needs, and sets it.
 * Collective.
 *   search [in] [count][dimension] of this rank's points
 *   total  [in] points of all ranks
 *   scan   [out] scratch */
void dist_order_scan(pcct_context *context, struct vecchia_ordering *ordering, const double *search,
                     int64_t count, int64_t total, struct vecchia_ordering_scan *scan);

/* Puts rows of smaller groups before those of larger ones, each group in the order of its positions.
 * Collective.
 *   group     [in] [count] of each rank's own rows, at least 0
 *   positions [in,out] [count]
 * Errors: PCCT_MEMORY. Cost: a sample sort of n records of three words. */
pcct_status dist_order_groups(pcct_context *context, const int32_t *group, int64_t first_row,
                              int64_t count, int64_t *positions);

/* Moves per-row data into ordering order: each rank gets the rows at the positions it wants.
 * Collective.
 *   positions    [in] [count] positions of this rank's own rows
 *   element_size [in] bytes of a row, at least 1, equal on all ranks
 *   rows         [in] [count][element_size] bytes, in the order of positions
 *   first,wanted [in] this rank's own range of positions; the ranges are in rank order and leave no gaps between
 *                them; together they may cover any part of 0..n-1
 *   out          [out] [wanted][element_size] bytes, allocated by the caller
 * Errors: PCCT_USAGE (ranges that overlap or leave gaps), PCCT_MEMORY.
 * Cost: every wanted row sent once, with its position; bytes are charged to COUNTER_bytes_reorder. Memory: the
 * rows sent and received. */
pcct_status dist_order_permute(pcct_context *context, const int64_t *positions, int64_t count,
                               int64_t element_size, const void *rows, int64_t first,
                               int64_t wanted, void *out);

#endif
