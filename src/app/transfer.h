/*
 * Per-row data on its way from the input to the output: coordinates, source rows, carried columns.
 */
#ifndef APP_TRANSFER_H
#define APP_TRANSFER_H

#include "app/app.h"
#include "io/output.h"

/* Adds the carried columns of the input to the output. Before any write.
 * Collective. Errors: PCCT_FILE. */
pcct_status transfer_declare(struct app *app, const struct input *input, struct output *output);

/* Writes the coordinates.
 * Collective.
 *   index       [in] writes in its ordering; NULL: in the order of the input
 *   coordinates [in] with an index: this rank's share as read from the input, its pcct_slab of all rows;
 *               without one NULL: they are read again, block by block
 * Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status transfer_coordinates(struct app *app, struct input *input, pcct_index *index,
                                 const double *coordinates, struct output *output);

/* Reads and writes source rows and carried columns, one at a time.
 * Collective.
 *   index [in] as above
 * Errors: PCCT_FILE, PCCT_MEMORY. Memory: with an index this rank's share of one column and a block of it,
 * else a block. */
pcct_status transfer_carried(struct app *app, struct input *input, pcct_index *index,
                             struct output *output);

/* Writes all rows of the input, as they are, behind `before` others: coordinates, source rows, carried columns.
 * Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status transfer_rows(struct app *app, struct input *input, int64_t before,
                          struct output *output);

/* Writes /ordering: each rank's share of both directions of the permutation, and the length scales of an
 * ordering that has some.
 * Collective.
 *   n     [in] all rows
 *   input [in] an index with length scales, which come from there; NULL: from `index`, if it has any
 * Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status transfer_ordering(struct app *app, int64_t n, struct input *input, pcct_index *index,
                              struct output *output);

#endif
