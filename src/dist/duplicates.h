/*
 * Duplicates over all ranks.
 */
#ifndef DIST_DUPLICATES_H
#define DIST_DUPLICATES_H

#include "dist/index.h"

/* The number of rows that repeat an earlier row's location.
 * Collective. Errors: PCCT_MEMORY. Cost: one search for each cut of the partition, one reduction. */
pcct_status dist_count_duplicates(pcct_index *index, int64_t *duplicates);

/* PCCT_INPUT with a message that says how many duplicates there are and names two rows of one location, if a
 * rank holds two. Collective. */
pcct_status dist_refuse_duplicates(pcct_index *index);

#endif
