/*
 * The end of an ordering by growing nets: its points sorted by the values they were selected with.
 */
#ifndef DIST_FARTHEST_SETTLE_H
#define DIST_FARTHEST_SETTLE_H

#include "dist/index.h"
#include "walk/farthest.h"

/* Replaces the index's preliminary positions by final ones: by group, value descending, preliminary position; and gives
 * its rows their length scales.
 *   walk      [in] of this rank's view, all points selected
 *   row_group [in] [row_count] groups by preliminary positions; NULL: one group
 * Collective. Errors: PCCT_MEMORY. Cost: a sample sort of records of two or three words, and four exchanges of 16 bytes a
 * point. */
pcct_status farthest_settle(pcct_index *index, const struct walk_farthest *walk,
                            const int64_t *row_group);

#endif
