/*
 * Collective transfers between the ranks' memory and one dataset.
 *
 * HDF5 falls back to independent transfers, silently, where it would have to convert types. So all
 * transfers are in the file's own type, and conversion happens in a buffer before or after. Every
 * rank makes the same number of calls, each of at most 1 GiB, whatever its share.
 */
#ifndef IO_H5_PARALLEL_H
#define IO_H5_PARALLEL_H

#include "base/comm.h"
#include "io/h5.h"

/* Opens an existing file on all ranks; rank 0 has checked it before.
 * Collective.
 *   flags [in] H5F_ACC_RDONLY or H5F_ACC_RDWR
 *   file  [out] -1 on failure
 * Errors: PCCT_FILE. */
pcct_status io_open_parallel(pcct_context *context, const char *path, unsigned flags, hid_t *file);

/* An open dataset of one or two dimensions, ready for transfers. */
struct io_slab {
  hid_t dataset, type, space, list; /* list: of the transfers; it tells how they went */
  int rank;
  int64_t rows, width; /* width 1 for one dimension */
  size_t size;         /* bytes of an element in the file */
};

/* Handles that are not open. */
#define IO_SLAB_CLOSED                                                                             \
  (struct io_slab) {                                                                               \
    .dataset = -1, .type = -1, .space = -1, .list = -1                                             \
  }

/* Opens a dataset. Collective. Errors: PCCT_INPUT (damaged, or not of one or two dimensions). */
pcct_status io_slab_open(pcct_context *context, hid_t file, const char *file_path, const char *path,
                         struct io_slab *slab);
void io_slab_close(struct io_slab *slab);

/* What a transfer is called in messages. */
struct io_place {
  const char *file, *dataset;
};

/* Each rank's own rows as they are in the file, [count][width].
 * Collective. Errors: PCCT_FILE, PCCT_INPUT (damaged). */
pcct_status io_slab_read(pcct_context *context, const struct io_slab *slab, struct io_place place,
                         int64_t first, int64_t count, void *out);

/* Each rank's own rows converted to a type of 8 bytes (H5T_NATIVE_DOUBLE, H5T_NATIVE_INT64): row i
 * goes to out[i * stride], from the pointer on. Integers that do not fit are clamped.
 * Collective. Errors: also PCCT_MEMORY. */
pcct_status io_slab_read_as(pcct_context *context, const struct io_slab *slab,
                            struct io_place place, hid_t memory_type, int64_t first, int64_t count,
                            int64_t stride, void *out);

/* Writes each rank's own rows [count][width], converted from memory_type.
 * Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status io_slab_write(pcct_context *context, const struct io_slab *slab, struct io_place place,
                          hid_t memory_type, int64_t first, int64_t count, const void *elements);

#endif
