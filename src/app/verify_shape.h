/*
 * Conditioning sets of another shape than the nearest predecessors, checked row by row against their definition by
 * brute force.
 */
#ifndef APP_VERIFY_SHAPE_H
#define APP_VERIFY_SHAPE_H

#include "app/verify_load.h"

/* Whether a file's sets have another shape. Local. */
bool verify_has_shape(const struct file_summary *summary);

/* Checks a sample of the rows.
 *   sample   [in]  rows wanted; fewer are checked if that would take too long
 *   searched [out] rows that were checked
 * Collective. Errors: PCCT_DIFFERENT (the message names the first wrong row), PCCT_FILE, PCCT_MEMORY. Cost: n kernel
 * evaluations a row, up to some 10^9 shared by the ranks. */
pcct_status verify_shape_check(pcct_context *context, const struct verify_data *data,
                               int64_t sample, uint64_t seed, int64_t *searched);

#endif
