/*
 * Sample sort of records over all ranks.
 */
#ifndef DIST_ORDER_SORT_H
#define DIST_ORDER_SORT_H

#include "base/comm.h"

#include <stdint.h>

/* The positions of each rank's own rows in the ascending lexicographic order of all ranks' records.
 * Whole records are compared, so that the parts stay balanced whatever ties the first words have.
 * Collective.
 *   records          [in,out] [count][words], *records allocated with base_allocate; freed here, as early
 *                    as possible, and nulled. The last word is the row, first_row + i
 *   words            [in] at least 2
 *   first_row, count [in] each rank's own rows, shares in rank order
 *   positions        [out] [count], allocated by the caller
 * Errors: PCCT_MEMORY. Cost: see dist_order_positions. */
pcct_status dist_order_sort(pcct_context *context, uint64_t **records, int words, int64_t first_row,
                            int64_t count, int64_t *positions);

#endif
