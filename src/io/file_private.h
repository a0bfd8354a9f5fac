/*
 * An open file, for the parts of io/file.h.
 */
#ifndef IO_FILE_PRIVATE_H
#define IO_FILE_PRIVATE_H

#include "io/file.h"

#include <hdf5.h>

struct file {
  hid_t handle;
  char *path; /* for messages */
  struct file_summary summary;
};

#endif
