/*
 * What a file's points are and where: found out by one rank, sent to all. Private to io.
 */
#ifndef IO_INPUT_PRIVATE_H
#define IO_INPUT_PRIVATE_H

#include "io/input.h"

#include <hdf5.h>

enum { INPUT_TEXT = 256, INPUT_CARRIED = 1024, INPUT_AXES = PCCT_DIMENSION_MAX };

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
  char columns[INPUT_AXES * 32];          /* as the user gave them, "" by dataset */
  char axis_path[INPUT_AXES][INPUT_TEXT]; /* by columns: their datasets */
  char units[64];
  int has_source_row;
  int carried_count;
  struct input_column carried[INPUT_CARRIED];
};

struct input {
  char path[4096];
  struct input_description description;
  hid_t file; /* opened collectively */
};

/* Looks at a file serially and fills the description.
 * Local: one rank does it. Errors: PCCT_FILE, PCCT_INPUT, PCCT_USAGE. */
pcct_status input_describe(struct base *base, const char *path, const struct input_options *options,
                           struct input_description *description);

#endif
