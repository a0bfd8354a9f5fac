/*
 * What a file's points are and where: found out by one rank, sent to all. Private to io.
 */
#ifndef IO_INPUT_PRIVATE_H
#define IO_INPUT_PRIVATE_H

#include "io/input.h"

#include <hdf5.h>

enum {
  INPUT_TEXT = INPUT_PATH_MAX + 1,
  INPUT_COLUMNS_TEXT = INPUT_COLUMNS_MAX + 1,
  INPUT_CARRIED = 1024,
  INPUT_AXES = PCCT_DIMENSION_MAX,
  INPUT_UNIT = 256,  /* of one column */
  INPUT_WORDS = 4096 /* an attribute that travels along */
};

/* A 1-D dataset under /data/ that travels with the points. */
struct input_column {
  char name[INPUT_TEXT];
  int64_t size; /* bytes of an element in the file */
};

/* Plain data: may be broadcast as bytes. */
struct input_description {
  int64_t count;
  int dimension;
  int by_columns;                         /* 1: one dataset an axis */
  char dataset[INPUT_TEXT];               /* "" by columns */
  char columns[INPUT_COLUMNS_TEXT];       /* as the user gave them, "" by dataset */
  char axis_path[INPUT_AXES][INPUT_TEXT]; /* by columns: their datasets */
  char units[INPUT_AXES * (INPUT_UNIT + 2)];
  int has_source_row;
  char kind[32];
  int carried_count;
  struct input_column carried[INPUT_CARRIED];
};

struct input {
  char path[4096];
  struct input_description description;
  hid_t file;           /* opened collectively */
  struct input *behind; /* its rows follow these; NULL: none */
  int *
      match; /* [carried_count] the same columns of `behind`; -1: it has none, and missing values stand for them */
};

/* The functions of input.h for one file's own rows. */
pcct_status input_read_own_coordinates(pcct_context *context, struct input *input, int64_t first,
                                       int64_t count, double *out);
pcct_status input_read_own_carried(pcct_context *context, struct input *input, int column,
                                   int64_t first, int64_t count, void *out);
pcct_status input_read_own_indices(pcct_context *context, struct input *input, const char *dataset,
                                   int64_t first, int64_t count, int64_t *out);

/* Looks at a file serially and fills the description.
 * Local: one rank does it. Errors: PCCT_FILE, PCCT_INPUT, PCCT_USAGE. */
pcct_status input_describe(struct base *base, const char *path, const struct input_options *options,
                           struct input_description *description);

/* Checks serially that a dataset of a file is `count` integers that all ranks can read.
 * Local: one rank does it. Errors: PCCT_FILE, PCCT_INPUT. */
pcct_status input_check_indices(struct base *base, const char *path, const char *dataset,
                                int64_t count);

/* What a carried column is besides its name and size. */
struct input_facts {
  hid_t type; /* in the file; a named one has become plain. Closed by the caller. */
  char description[INPUT_WORDS], units[INPUT_WORDS]; /* "" if there are none */
};

/* Local, but every rank calls it: they have the file open together.
 *   facts [out] the type is invalid on failure
 * Errors: PCCT_FILE, PCCT_INPUT. */
pcct_status input_get_facts(struct base *base, const struct input *input, int column,
                            struct input_facts *facts);

#endif
