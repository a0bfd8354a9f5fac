/*
 * The stored trees of an index file.
 */
#ifndef APP_VERIFY_INDEX_H
#define APP_VERIFY_INDEX_H

#include "app/app.h"
#include "app/verify_load.h"

/* Checks that the pieces hold every position once, with the coordinates of the points; every invariant of every piece;
 * and, loaded on these ranks, views and merged top.
 *   pieces          [out] how many there are
 *   directory_count [out] nodes of the merged top
 * Collective. Errors: PCCT_DIFFERENT (the message names the first difference), PCCT_INPUT (a checksum is wrong),
 * PCCT_FILE, PCCT_MEMORY. */
pcct_status verify_index_trees(struct app *app, const struct verify_data *data, int64_t *pieces,
                               int64_t *directory_count);

#endif
