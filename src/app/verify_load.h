/*
 * What `verify` holds of the file it checks, and of the input that the file was made from.
 *
 * Every rank holds all points, once in user and once in search coordinates, and the ordering; the
 * search needs them. That is 8 (2 dimension + 2) bytes a point and rank (more for lonlat), and the
 * limit of what can be verified. Rows of neighbours are read block by block.
 */
#ifndef APP_VERIFY_LOAD_H
#define APP_VERIFY_LOAD_H

#include "app/ordering.h"
#include "app/verify_rows.h"
#include "base/comm.h"
#include "io/file.h"
#include "io/input.h"
#include "points/metric.h"

struct verify_data {
  const char *path;    /* of the file */
  const char *against; /* of the input; NULL: not given */
  struct file *file;
  const struct file_summary *summary;
  struct input *input; /* NULL without --against */
  enum verify_kind kind;
  bool ranges; /* rows are compressed, those of radius queries; kind is not VERIFY_SETS */
  bool
      index; /* a stored index: no rows; kind is VERIFY_SETS, points are brought into their ordering */
  struct metric metric;
  struct ordering_choice ordering;
  int64_t count; /* points that indices name */
  int64_t rows;  /* rows of neighbours */
  int64_t width;
  double *user;         /* [count][user_dimension] points by index */
  double *search;       /* [count][dimension] */
  int64_t *permutation; /* [count] position -> input row; NULL without /ordering */
  int64_t *position;    /* [count] input row -> position; NULL without /ordering */
  double *group; /* [count] by position: points of smaller ones come first; NULL: one group */
  double *length_scale; /* [count] by position; NULL without /ordering/length_scale */
};

/* Opens a file, and the input if it is given, and reads points and ordering.
 * Collective. Strings are borrowed until verify_unload.
 *   against [in] NULL: no input
 *   predict [in] the file that was joined to it; NULL: none
 *   options [in] what the coordinates of the input are; members that are NULL are taken from the file
 *   data    [out] owned by the caller, NULL on failure
 * Errors: as file_open and input_open; PCCT_INPUT (a kind without neighbours, attributes without meaning), PCCT_USAGE (no input for a
 * file whose points are elsewhere), PCCT_DIFFERENT (numbers of points or coordinates of file and
 * input differ, a coordinate of the file is not valid), PCCT_MEMORY. */
pcct_status verify_load(pcct_context *context, const char *path, const char *against,
                        const char *predict, const struct input_options *options,
                        struct verify_data **data);

/* Closes the files and frees everything. Collective. NULL and pointers to NULL are allowed. */
void verify_unload(pcct_context *context, struct verify_data **data);

#endif
