/*
 * The tree of an index on its way to a file: what build and append have in common.
 */
#ifndef APP_FOREST_FILE_H
#define APP_FOREST_FILE_H

#include "app/app.h"
#include "dist/forest.h"
#include "io/output.h"

/* This rank's pieces and where they go. */
struct forest_file {
  struct forest forest;
  int64_t first_piece, first_point; /* counted over all ranks */
  struct output_tree tree;          /* for the header */
};

/* Cuts the index's tree into pieces.
 *   file [out] freed with forest_file_clear, on failure too
 * Collective. Errors: PCCT_MEMORY. */
pcct_status forest_file_cut(struct app *app, const pcct_index *index, struct forest_file *file);

/* Writes them. Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status forest_file_write(struct app *app, const struct forest_file *file,
                              struct output *output);

void forest_file_clear(struct forest_file *file);

#endif
