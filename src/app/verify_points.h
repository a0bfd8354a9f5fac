/*
 * The checks of `verify` that concern points and ordering, on all ranks together.
 */
#ifndef APP_VERIFY_POINTS_H
#define APP_VERIFY_POINTS_H

#include "app/verify_load.h"

/* Checks permutation and position, and that the ordering is obeyed. Without /ordering it does nothing.
 * Collective.
 *   obeyed   [out] false: the ordering is a dataset of an input that was not given
 *   followed [out] points of an ordering by growing nets that were followed through all selections
 * Errors: PCCT_DIFFERENT, PCCT_INPUT (the input has no such dataset), PCCT_MEMORY. */
pcct_status verify_points_order(pcct_context *context, const struct verify_data *data, bool *obeyed,
                                int64_t *followed);

/* Compares the points of the file with those of the input, value by value. Without input, and for queries,
 * it does nothing; verify_points_order must have passed.
 * Collective. Errors: PCCT_DIFFERENT, PCCT_FILE, PCCT_MEMORY. */
pcct_status verify_points_input(pcct_context *context, const struct verify_data *data);

/* Compares the attribute `duplicates` with a count, made by rank 0.
 * Collective. Errors: PCCT_DIFFERENT, PCCT_MEMORY. */
pcct_status verify_points_duplicates(pcct_context *context, const struct verify_data *data);

/* Builds the library's index of the points and runs its invariant checker.
 *   directory_count [out] nodes of the merged top
 * Collective. Errors: PCCT_DIFFERENT, and those of pcct_index_create. */
pcct_status verify_points_trees(pcct_context *context, const struct verify_data *data,
                                int64_t *directory_count);

#endif
