/*
 * The partition: every point goes to the rank whose part it lies in, and is kept there in spatial order.
 */
#ifndef DIST_PARTITION_H
#define DIST_PARTITION_H

#include "dist/index.h"

/* Sets the index's parts, and this rank's coordinates, positions, priorities and coincident points.
 * Collective.
 *   search [in] [row_count][dimension] search coordinates of the caller's rows
 * Errors: PCCT_MEMORY. Cost: every point sent once; sorts of the local points. */
pcct_status dist_partition(pcct_index *index, const double *search);

/* Sends points to their owners, as records of search coordinates and the position.
 * Collective.
 *   search, position, owner [in] [count] of this rank's points
 *   records [out] what arrived, freed with base_free; NULL on failure
 * Errors: PCCT_MEMORY. Cost: every point sent once. */
pcct_status dist_send_points(pcct_context *context, int dimension, const double *search,
                             const int64_t *position, int64_t count, const int *owner,
                             void **records, int64_t *received);

#endif
