/*
 * What knn and range have in common: the points, who asks, and the index.
 */
#ifndef APP_ASKING_H
#define APP_ASKING_H

#include "app/stored.h"

struct asking {
  struct app *app;
  struct search_options search; /* as given, or as a stored index says */
  struct stored stored;
  struct input *input;
  struct input *queries; /* NULL: every row asks */
  char hash[17];         /* of the input */
  pcct_index *index;
};

/* Opens the points and, unless its path is NULL, the query file, and checks
 * that they fit the options and each other. Collective. Errors: as search_open,
 * stored_adopt and search_check_dimension; PCCT_INPUT (different numbers of coordinates). */
pcct_status asking_open(struct asking *asking, const char *path, const char *query_path);

/* The file whose rows the output has. Local. */
struct input *asking_rows(const struct asking *asking);

/* Reads the points and makes the index, or loads it. Collective. Errors: as
 * pcct_index_create and stored_load, PCCT_FILE. */
pcct_status asking_index(struct asking *asking);

/* Reads this rank's slab of rows first .. first+count-1 of the query file.
 * Collective.
 *   queries [out] freed with search_release by the caller
 * Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status asking_read(const struct asking *asking, int64_t first, int64_t count,
                        pcct_points *queries);

/* Declares and writes coordinates and carried columns of the rows.
 * Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status asking_transfer(const struct asking *asking, struct output *output);

/* Closes and frees everything. Collective. */
void asking_close(struct asking *asking);

#endif
