/*
 * What `extend` adds to conditioning sets, checked against the sets: the sparsity pattern entry by entry, reverse lists
 * and groups by what they must hold.
 */
#ifndef APP_VERIFY_EXTENDED_H
#define APP_VERIFY_EXTENDED_H

#include "app/verify_load.h"

/* Checks /pattern, /children and /grouping, where they are there. Reverse lists hold every entry of the sets once: their
 * number, their order and a sum of random numbers of the pairs agree. Groups hold every point once, where they say so,
 * and the members of their points' sets, for a sample of the points.
 *   sample [in]  points whose groups are looked at
 *   text   [out] [size] what was checked, "" if there is nothing
 * Collective. Errors: PCCT_DIFFERENT (the message names the first difference), PCCT_FILE, PCCT_MEMORY. */
pcct_status verify_extended(pcct_context *context, const struct verify_data *data, int64_t sample,
                            char *text, size_t size);

#endif
