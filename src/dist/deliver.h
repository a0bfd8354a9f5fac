/*
 * Delivery: rows of the index's own points, answered piece by piece by the ranks that hold the points, each
 * sent to the rank whose slab of the output it is in.
 *
 * A piece travels while the next one is answered. Rows that other ranks may improve come last.
 */
#ifndef DIST_DELIVER_H
#define DIST_DELIVER_H

#include "dist/index.h"
#include "walk/self.h"

/* Answers the queries, k <= width candidates each, and delivers them.
 * Collective.
 *   rows [out] this rank's slab of rows self->first .. self->first + self->count - 1, as the user's
 *              distances; owned by the caller, cleared with pcct_rows_clear, on failure too
 * Errors: PCCT_USAGE (an instruction set some machine does not have), PCCT_MEMORY.
 * Memory: beyond rows, five pieces of 4 MiB for each thread (of 16 at most) and the rows that others may
 * improve. Messages: for every piece one to each rank at most. */
pcct_status deliver_rows(pcct_index *index, const struct walk_self *self, int64_t k, int64_t width,
                         pcct_rows *rows);

#endif
