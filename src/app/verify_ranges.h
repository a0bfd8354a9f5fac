/*
 * Files of radius queries, checked against the definition: every row by itself,
 * and then by the independent search, which must find the same points and the
 * next one beyond the radius.
 */
#ifndef APP_VERIFY_RANGES_H
#define APP_VERIFY_RANGES_H

#include "app/verify_load.h"

/* Checks all rows, each rank a slab of them.
 * Collective.
 *   data     [in]  of kind ranges
 *   sample   [in]  rows that are searched again; all rows of files with counts
 * alone are checked by the search, and so only as many searched [out] rows of
 * all ranks that were Errors: PCCT_DIFFERENT (the message names the first wrong
 * row), PCCT_FILE, PCCT_MEMORY. Cost: one kernel value for each entry; a search
 * for the points of the longest row of a block, for each row searched. */
pcct_status verify_ranges_check(pcct_context *context, const struct verify_data *data,
                                int64_t sample, uint64_t seed, int64_t *searched);

#endif
