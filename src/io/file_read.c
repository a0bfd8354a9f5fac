/*
 * Reading rows of pcct's own datasets.
 */
#include "io/file.h"

#include "io/file_private.h"
#include "io/hdf5_access.h"

#include <inttypes.h>
#include <stdio.h>

/* Rows first..first+count-1 of a dataset, `width` elements of 8 bytes each. */
static pcct_status read_rows(struct base *base, const struct file *file, const char *path,
                             int64_t width, hid_t memory_type, int64_t first, int64_t count,
                             void *out) {
  const int64_t row_bytes = width * (int64_t)sizeof(int64_t);
  const int64_t rows_per_call = io_rows_per_call(row_bytes);
  pcct_status status = PCCT_OK;
  hid_t dataset = H5Dopen2(file->handle, path, H5P_DEFAULT);
  hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
  if (space < 0) {
    status = base_fail(base, PCCT_FILE, "%s: %s cannot be opened", file->path, path);
  }
  for (int64_t done = 0; done < count && status == PCCT_OK; done += rows_per_call) {
    const int64_t rows = count - done < rows_per_call ? count - done : rows_per_call;
    char *const to = (char *)out + done * row_bytes;
    hid_t memory = io_select_rows(space, first + done, rows, width);
    if (H5Dread(dataset, memory_type, memory, space, H5P_DEFAULT, to) < 0) {
      status =
          base_fail(base, PCCT_FILE,
                    "%s: rows %" PRId64 " to %" PRId64 " of %s cannot be read: the file is damaged "
                    "or the storage failed",
                    file->path, first + done, first + done + rows - 1, path);
    }
    H5Sclose(memory);
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  if (dataset >= 0) {
    H5Dclose(dataset);
  }
  return status;
}

pcct_status file_read_permutation(struct base *base, struct file *file, int64_t first,
                                  int64_t count, int64_t *rows) {
  return read_rows(base, file, "/ordering/permutation", 1, H5T_NATIVE_INT64, first, count, rows);
}

pcct_status file_read_position(struct base *base, struct file *file, int64_t first, int64_t count,
                               int64_t *positions) {
  return read_rows(base, file, "/ordering/position", 1, H5T_NATIVE_INT64, first, count, positions);
}

int64_t file_length(const struct file *file, const char *path) {
  hsize_t size = 0;
  bool good = false;
  H5E_BEGIN_TRY {
    const hid_t dataset = H5Dopen2(file->handle, path, H5P_DEFAULT);
    const hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
    good = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 &&
           H5Sget_simple_extent_dims(space, &size, NULL) == 1;
    H5Sclose(space);
    H5Dclose(dataset);
  }
  H5E_END_TRY
  return good ? (int64_t)size : -1;
}

pcct_status file_read_integers(struct base *base, struct file *file, const char *path,
                               int64_t first, int64_t count, int64_t *numbers) {
  return read_rows(base, file, path, 1, H5T_NATIVE_INT64, first, count, numbers);
}

pcct_status file_read_data(struct base *base, struct file *file, const char *name, int64_t first,
                           int64_t count, double *values) {
  char path[512];
  snprintf(path, sizeof path, "/data/%.480s", name);
  return read_rows(base, file, path, 1, H5T_NATIVE_DOUBLE, first, count, values);
}

pcct_status file_read_length_scale(struct base *base, struct file *file, int64_t first,
                                   int64_t count, double *lengths) {
  return read_rows(base, file, "/ordering/length_scale", 1, H5T_NATIVE_DOUBLE, first, count,
                   lengths);
}

pcct_status file_read_coordinates(struct base *base, struct file *file, int64_t first,
                                  int64_t count, double *coordinates) {
  return read_rows(base, file, "/points/coordinates", file->summary.dimension, H5T_NATIVE_DOUBLE,
                   first, count, coordinates);
}

pcct_status file_read_index(struct base *base, struct file *file, int64_t first, int64_t count,
                            int64_t *index) {
  return read_rows(base, file, "/neighbors/index", file->summary.width, H5T_NATIVE_INT64, first,
                   count, index);
}

pcct_status file_read_distance(struct base *base, struct file *file, int64_t first, int64_t count,
                               double *distance) {
  return read_rows(base, file, "/neighbors/distance", file->summary.width, H5T_NATIVE_DOUBLE, first,
                   count, distance);
}

pcct_status file_read_count(struct base *base, struct file *file, int64_t first, int64_t count,
                            int64_t *number) {
  return read_rows(base, file, "/neighbors/count", 1, H5T_NATIVE_INT64, first, count, number);
}

pcct_status file_read_offset(struct base *base, struct file *file, int64_t first, int64_t count,
                             int64_t *offset) {
  return read_rows(base, file, "/neighbors/offset", 1, H5T_NATIVE_INT64, first, count, offset);
}

pcct_status file_read_entries(struct base *base, struct file *file, int64_t first, int64_t count,
                              int64_t *index) {
  return read_rows(base, file, "/neighbors/index", 1, H5T_NATIVE_INT64, first, count, index);
}

pcct_status file_read_entry_distances(struct base *base, struct file *file, int64_t first,
                                      int64_t count, double *distance) {
  return read_rows(base, file, "/neighbors/distance", 1, H5T_NATIVE_DOUBLE, first, count, distance);
}
