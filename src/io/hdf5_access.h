/*
 * Small HDF5 helpers that input and output share: checked opening, parallel access, rows in hyperslabs.
 */
#ifndef IO_HDF5_ACCESS_H
#define IO_HDF5_ACCESS_H

#include "base/context.h"

#include <hdf5.h>
#include <mpi.h>

#ifndef H5_HAVE_PARALLEL
#error "pcct needs a parallel HDF5"
#endif

/* Stops HDF5 from printing its error stack: pcct reports failures itself. */
void io_quiet(void);

/* Opens a file for reading on one rank, after looking at it: errors are PCCT_FILE (missing, a directory, no
 * permission) and PCCT_INPUT (not HDF5, truncated, a pcct file of another major version). */
pcct_status io_open_file(struct base *base, const char *path, hid_t *file);

/* Reads a fixed-length or variable string attribute of an object into text, "" if there is none. */
void io_read_text(hid_t file, const char *object, const char *attribute, char *text, size_t size);

/* File access through MPI-IO on this communicator; closed by the caller. */
hid_t io_parallel_access(MPI_Comm comm);

/* Collective transfers; closed by the caller. */
hid_t io_collective_transfer(void);

/* Rows that one collective call may move: at most 1 GiB, at least one. */
int64_t io_rows_per_call(int64_t row_bytes);

/* Selects rows first..first+count-1 of a space of 1 or 2 dimensions and returns a memory space of as many
 * elements, all selected; with no rows both selections are empty. Closed by the caller. */
hid_t io_select_rows(hid_t space, int64_t first, int64_t count, int64_t width);

#endif
