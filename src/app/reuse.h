/*
 * What an earlier output saves a new run: its ordering, where that would come out the same.
 */
#ifndef APP_REUSE_H
#define APP_REUSE_H

#include "app/ordered.h"

/* Takes the ordering of an earlier output of vecchia over, if it is that of this run: the same input by its hash,
 * the same ordering and seed, no groups, and either an ordering that does not depend on how distances are measured, or
 * the same scales, rotation, coordinates and metric. Says what is reused, and why not.
 * Between ordered_open and ordered_index.
 *   path    [in] the earlier output
 *   grouped [in] this run has groups or predictions
 * Collective. Errors: PCCT_FILE, PCCT_INPUT (no output of vecchia), PCCT_MEMORY. */
pcct_status reuse_ordering(struct ordered *ordered, const char *path, bool grouped);

#endif
