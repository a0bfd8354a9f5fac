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

/* Why HDF5's last call failed. */
enum io_failure {
  IO_FAILURE_CONTENT, /* what is in the file is damaged, or this HDF5 cannot decode it */
  IO_FAILURE_STORAGE, /* the file system did not deliver */
  IO_FAILURE_WRITER   /* a writer has the file, or did not close it */
};
enum io_failure io_get_failure(void);

/* Opens a file for reading on one rank, after looking at it: errors are PCCT_FILE (missing, a directory, no
 * permission, the storage failed, a writer has it) and PCCT_INPUT (not HDF5, truncated, a pcct file of
 * another major version or of none). */
pcct_status io_open_file(struct base *base, const char *path, hid_t *file);

/* Reads a fixed-length or variable string attribute of an object into text, "" if there is none.
 *   file   [in] a file, group or dataset
 *   object [in] its path from there; "." for itself */
void io_read_text(hid_t file, const char *object, const char *attribute, char *text, size_t size);

/* File access through MPI-IO on this communicator; closed by the caller. */
hid_t io_parallel_access(MPI_Comm comm);

/* Collective transfers; closed by the caller. */
hid_t io_collective_transfer(void);

/* The most that one call moves where no context says less. */
#define IO_PIECE_BYTES (INT64_C(1) << 30)

/* Rows that one call of a reader without a context moves: at most IO_PIECE_BYTES, at least one. */
int64_t io_rows_per_call(int64_t row_bytes);

/* Selects rows first..first+count-1 of a space of 1 or 2 dimensions and returns a memory space of as many
 * elements, all selected; with no rows both selections are empty. Closed by the caller. */
hid_t io_select_rows(hid_t space, int64_t first, int64_t count, int64_t width);

#endif
