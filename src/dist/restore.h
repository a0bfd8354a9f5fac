/*
 * Stored indexes: an index from the pieces that this rank was dealt, and points appended to it.
 */
#ifndef DIST_RESTORE_H
#define DIST_RESTORE_H

#include "dist/forest.h"

/* What a file says. The options' strings and numbers are borrowed during the call. */
struct dist_stored {
  const pcct_index_options *options; /* coordinates, scale, metric, ordering */
  int dimension;                     /* of a user's point */
  int64_t total, duplicates;
  int64_t first_row, row_count; /* each rank's own rows: its pcct_slab */
  int64_t *row_position;        /* [row_count] their positions; taken over */
  const int64_t *
      permutation; /* NULL, or [row_count] the rows at the positions of the same numbers: then the index
                                 is one of ordering none, whose positions are the rows */
  struct forest forest; /* each rank's own pieces; taken over, position and coordinates */
};

/* Makes an index of stored pieces: joins, finalises and merges; no point moves.
 * Collective.
 *   stored [in,out] row_position and the forest's coordinates and positions are NULL afterwards
 *   check  [in]     checks the pieces first: forest_check
 *   index  [out]    as from pcct_index_create, but for its tree, which keeps apart the nodes of each piece alone
 * Errors: PCCT_USAGE, PCCT_INPUT (positions or links out of range), PCCT_DIFFERENT (check), PCCT_MEMORY.
 * Cost: O(n/P) per rank and the merge; with a permutation one exchange there and back. */
pcct_status dist_restore(pcct_context *context, struct dist_stored *stored, int check,
                         pcct_index **index);

/* Appends points: they come last in the ordering, among themselves by the options' rule, as if they were alone.
 * Rows of earlier positions stay as they were. Afterwards the index serves to be stored: its positions are those of
 * all points, but rows and permutations are the caller's to keep.
 * Collective.
 *   index    [in,out] from dist_restore, without a permutation; useless after a failure
 *   points   [in]  each rank's own share of the new points
 *   options  [in]  the index's own, with axis, seed, and for GIVEN the share of the permutation
 *   position [out] [points->count] the new points' positions
 * Errors: PCCT_INPUT (bad values), PCCT_MEMORY.
 * Cost: new points are sent to the rank with the nearest region and inserted in batches; linear for the rest. */
pcct_status dist_append(pcct_index *index, const pcct_points *points,
                        const pcct_index_options *options, int64_t *position);

#endif
