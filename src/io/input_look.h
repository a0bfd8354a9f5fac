/*
 * Looking at the datasets of a file that one rank has opened serially. Everything here is Local. Private to io.
 */
#ifndef IO_INPUT_LOOK_H
#define IO_INPUT_LOOK_H

#include "io/input_private.h"

/* A dataset's shape and kind. */
struct input_shape {
  int rank;
  hsize_t size[H5S_MAX_RANK];
  bool integer, numeric;
  bool
      portable; /* elements of a fixed size that copy as bytes: numbers, enums, fixed-length strings */
  int64_t bytes;                       /* of an element */
  char type_words[32], size_words[64]; /* for messages */
};

/* Returns false if there is no such dataset or its header is damaged.
 *   group [in] what the path starts from */
bool input_look(hid_t group, const char *path, struct input_shape *shape);

/* Datasets that could be meant, for messages. */
struct input_candidates {
  int rank; /* wanted number of dimensions */
  int count;
  char first[INPUT_TEXT]; /* path, cut if `too_long` */
  bool too_long;
  char list[600]; /* "none" if there are none */
};

/* All numeric datasets of so many dimensions. Cost: opens every dataset of the file. */
struct input_candidates input_find_candidates(hid_t file, int rank);

/* Refuses a dataset that several ranks cannot read together: a filter that is missing, values in other
 * files.
 *   path [in] of the file, for the message
 * Errors: PCCT_INPUT. */
pcct_status input_check_storage(struct base *base, hid_t group, const char *path,
                                const char *dataset);

/* The same, and coordinates must be what is stored: netCDF may pack them. Errors: PCCT_INPUT. */
pcct_status input_check_coordinates(struct base *base, hid_t file, const char *path,
                                    const char *dataset);

/* Fills the description from --columns. Errors: PCCT_INPUT, PCCT_USAGE. */
pcct_status input_use_columns(struct base *base, hid_t file, const char *path, const char *columns,
                              struct input_description *description);

/* Finds what travels with the points. Errors: PCCT_INPUT. */
pcct_status input_find_companions(struct base *base, hid_t file, const char *path,
                                  struct input_description *description);

#endif
