/*
 * Input: points and per-row data from HDF5 files, NetCDF-4 files included.
 *
 * Rank 0 validates a file serially and broadcasts the verdict before any collective open, so that a bad file
 * never leaves ranks waiting for each other. Reads are collective, each rank its own range of rows, in pieces
 * of at most the context's piece_bytes (1 GiB), at least one element.
 */
#ifndef IO_INPUT_H
#define IO_INPUT_H

#include "base/comm.h"

enum {
  INPUT_PATH_MAX = 1023,    /* bytes of a dataset's path, or of the name of a carried column */
  INPUT_COLUMNS_MAX = 16383 /* bytes of `columns`, commas included; of names, PCCT_DIMENSION_MAX */
};

struct input;

struct input_options {
  const char *dataset; /* path of an n x d dataset, or of a 1-D one (d = 1); NULL: not given */
  const char
      *columns; /* comma-separated names of 1-D datasets of one length, each a path or a name at
                          the top, under /data or under /points; NULL: not given */
};

/* Opens the points of a file. Without dataset and columns: /points/coordinates, else /points, else the only
 * 2-D numeric dataset.
 * Collective.
 *   options [in] NULL means nothing given
 *   input   [out] owned by the caller; NULL on failure
 * Errors: PCCT_FILE (missing, a directory, unreadable, a writer has it), PCCT_INPUT (not HDF5, truncated, no
 * such dataset, a wrong type or shape, a filter that is missing, values in other files, several candidates,
 * a pcct file of a future major version or of none), PCCT_USAGE (dataset and columns both given, too long or
 * too many), PCCT_MEMORY. */
pcct_status input_open(pcct_context *context, const char *path, const struct input_options *options,
                       struct input **input);

/* Joins the points of another file: its rows follow those of `input`, which is read as if it held both. Columns that the
 * other lacks go on with missing values if they are floating-point numbers, and are left out otherwise, as are those
 * of another type there; columns of the other alone are left out.
 * Collective. Errors: as input_open; PCCT_INPUT (another dimension). */
pcct_status input_join(pcct_context *context, struct input *input, const char *path,
                       const struct input_options *options);

/* Rows that were joined. Local. */
int64_t input_joined(const struct input *input);

/* Closes the file. Collective. NULL and pointers to NULL are fine. */
void input_close(pcct_context *context, struct input **input);

/* Local, borrowed from the input. */
int64_t input_count(const struct input *input);
int input_dimension(const struct input *input);
const char *input_path(const struct input *input);
const char *input_dataset(const struct input *input); /* "" with columns */
const char *input_columns(const struct input *input); /* "" with a dataset */

/* Units of the coordinates, "" if the file names none. With columns that differ one each, in their order:
 * "degrees_east, degrees_north, 1", where 1 stands for a column without. Local, borrowed. */
const char *input_units(const struct input *input);

/* Reads each rank's own rows first..first+count-1 as doubles [count][dimension].
 * Collective. Errors: PCCT_FILE (the storage failed), PCCT_INPUT (damaged), PCCT_MEMORY. */
pcct_status input_read_coordinates(pcct_context *context, struct input *input, int64_t first,
                                   int64_t count, double *out);

/* Reads each rank's own part of a 1-D integer dataset of length n.
 * Collective. Errors: PCCT_INPUT (no such dataset, wrong type or length, not readable, damaged), PCCT_FILE,
 * PCCT_MEMORY. */
pcct_status input_read_indices(pcct_context *context, struct input *input, const char *dataset,
                               int64_t first, int64_t count, int64_t *out);

/* A numeric dataset of one or two dimensions. */
struct input_extent {
  int64_t rows, width; /* elements of a row; 1 for one dimension */
  int rank;
  bool integer;
};

/* Looks at one.
 * Collective. Errors: PCCT_INPUT (no such dataset, or of another shape or type). */
pcct_status input_look_at_dataset(pcct_context *context, struct input *input, const char *dataset,
                                  struct input_extent *extent);

enum input_type { INPUT_INT16, INPUT_INT32, INPUT_INT64, INPUT_DOUBLE };

/* Reads each rank's own rows of a dataset that is known to be there, converted to a type.
 *   out [out] [count] rows of as many elements as the dataset has
 * Collective. Errors: PCCT_INPUT (damaged), PCCT_FILE, PCCT_MEMORY. */
pcct_status input_read_dataset(pcct_context *context, struct input *input, const char *dataset,
                               enum input_type type, int64_t first, int64_t count, void *out);

/* The kind that a file of pcct says it is, e.g. "index"; "" for others. Local, borrowed. */
const char *input_kind(const struct input *input);

/* Columns that travel with the points: 1-D datasets of length n under /data/ of numbers, enums (the booleans
 * of h5py) or fixed-length strings, and /points/source_row. Those that the ranks cannot read, for want of a
 * filter or because their values lie in other files, are left out. Names are without the group. Local. */
int input_carried_count(const struct input *input);
const char *input_carried_name(const struct input *input, int column);
int64_t input_carried_size(const struct input *input, int column); /* bytes of an element */

/* Checks that two inputs carry the same columns with the same types, so that rows of one can stand behind the other's.
 * Collective. Errors: PCCT_INPUT (they differ, or damaged), PCCT_FILE. */
pcct_status input_check_same_columns(pcct_context *context, const struct input *input,
                                     const struct input *other);

/* Reads each rank's own part of a carried column, raw bytes in the file's own type.
 * Collective. Errors: PCCT_FILE (the storage failed), PCCT_INPUT (damaged). */
pcct_status input_read_carried(pcct_context *context, struct input *input, int column,
                               int64_t first, int64_t count, void *out);

/* Whether the file has /points/source_row of length n (rows of a table before an import). Local. */
bool input_has_source_row(const struct input *input);

/* XXH64 of the file's bytes as 16 hexadecimal digits, read by rank 0; of joined files, both as one number.
 * Collective. Errors: PCCT_FILE. */
pcct_status input_hash(pcct_context *context, const struct input *input, char hash[17]);

#endif
