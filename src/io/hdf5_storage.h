/*
 * How a dataset lies in its file, and what that means for reading it. Everything here is Local.
 */
#ifndef IO_HDF5_STORAGE_H
#define IO_HDF5_STORAGE_H

#include "base/context.h"

#include <hdf5.h>

/* Refuses a dataset that this HDF5 cannot read on several ranks: one that is compressed with a filter
 * that is not installed, or a virtual one.
 *   path    [in] of the file, for the message
 *   dataset [in] its path in the file
 * Errors: PCCT_INPUT. */
pcct_status io_check_storage(struct base *base, hid_t file, const char *path, const char *dataset);

/* Whether every element has its place in the file. Elements never written have none and read as the
 * fill value; HDF5 1.10 reads those on one rank alone, but collectively it fails, or waits for ever
 * where a rank asks for no rows. Cost: a walk over the chunk index. */
bool io_is_complete(hid_t dataset);

#endif
