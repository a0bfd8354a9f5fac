/*
 * The version of the HDF5 library in use.
 */
#include "io/hdf5_version.h"

#include <hdf5.h>
#include <stdio.h>

struct io_hdf5_version io_hdf5_version(void) {
  struct io_hdf5_version version = {.text = "unknown"};
  unsigned major, minor, release;
  if (H5get_libversion(&major, &minor, &release) >= 0) {
    snprintf(version.text, sizeof version.text, "%u.%u.%u", major, minor, release);
  }
  return version;
}
