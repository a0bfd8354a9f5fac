/*
 * Stored indexes as inputs: what the file says of them, and loading them.
 */
#ifndef APP_STORED_H
#define APP_STORED_H

#include "app/search.h"
#include "dist/restore.h"

/* What an index file says; equal on all ranks. */
struct stored {
  bool present;       /* the input is an index */
  char ordering[256]; /* as given when it was built */
  uint64_t seed;
  int64_t n, duplicates, pieces;
  int dimension, tree_dimension;
  int32_t leaf_size;
  int coordinates; /* enum pcct_coordinates */
  char metric[32];
  double scale[PCCT_DIMENSION_MAX];
  struct option_numbers rotation;
  int64_t *batches; /* [batch_count] first positions of the build and of what was appended */
  int64_t batch_count;
};

/* Looks whether an open input is an index, and adopts what it says: the command line may repeat it, but not say
 * otherwise.
 *   search   [in,out] coordinates, metric and scale become the stored ones
 *   ordering [in,out] likewise; NULL for a command that has none
 *   stored   [out]    freed with stored_free, on failure too
 * Collective. Errors: PCCT_USAGE (an option that contradicts the file), PCCT_INPUT (not what an index holds; duplicates
 * where the options refuse them), PCCT_MEMORY. */
pcct_status stored_adopt(struct app *app, struct input *input, struct search_options *search,
                         const char **ordering, struct stored *stored);

/* Loads the index.
 *   by_rows [in] the index is one of ordering none, whatever was stored: for nearest neighbours
 *   check   [in] checks the invariants of every piece
 * Collective. Errors: as dist_restore, PCCT_FILE. Cost: every rank reads its own pieces and rows. */
pcct_status stored_load(struct app *app, struct input *input, const struct search_options *search,
                        const struct stored *stored, bool by_rows, bool check, pcct_index **index);

/* NULL batches are fine. */
void stored_free(struct stored *stored);

#endif
