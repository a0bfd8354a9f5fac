/*
 * The version of the HDF5 library in use.
 */
#ifndef IO_HDF5_VERSION_H
#define IO_HDF5_VERSION_H

struct io_hdf5_version {
  char text[32]; /* e.g. "1.10.8" */
};

/* Local. */
struct io_hdf5_version io_hdf5_version(void);

#endif
