/*
 * Collective reading of hyperslabs.
 *
 * HDF5 falls back to independent transfers, silently, where it would have to convert types. So everything is
 * read in the file's own type and converted afterwards.
 */
#include "io/hdf5_access.h"
#include "io/hdf5_storage.h"
#include "io/input_private.h"

#include <stdio.h>
#include <string.h>

/* One dataset being read. */
struct reading {
  hid_t dataset, space;
  hid_t stored; /* the type in the file */
  size_t stored_size;
  int rank;       /* 1 or 2 */
  int64_t width;  /* elements of a row */
  bool complete;  /* every element has its place in the file */
  hid_t transfer; /* collective where HDF5 can */
};

static pcct_status fail_to_read(struct base *base, const struct input *input, const char *path,
                                int64_t row) {
  const bool content = io_get_failure() == IO_FAILURE_CONTENT;
  return base_fail(base, content ? PCCT_INPUT : PCCT_FILE,
                   "%s: %s cannot be read from row %lld on: %s", input->path, path, (long long)row,
                   content ? "the file is damaged" : "the storage failed");
}

static void reading_close(struct reading *reading) {
  if (reading->transfer >= 0) {
    H5Pclose(reading->transfer);
  }
  if (reading->stored >= 0) {
    H5Tclose(reading->stored);
  }
  if (reading->space >= 0) {
    H5Sclose(reading->space);
  }
  if (reading->dataset >= 0) {
    H5Dclose(reading->dataset);
  }
}

/* Collective. To be closed after failures, too. */
static pcct_status reading_open(pcct_context *context, const struct input *input, const char *path,
                                struct reading *reading) {
  hsize_t size[H5S_MAX_RANK] = {0};
  pcct_status status = PCCT_OK;
  *reading = (struct reading){.dataset = H5Dopen2(input->file, path, H5P_DEFAULT),
                              .space = H5I_INVALID_HID,
                              .stored = H5I_INVALID_HID,
                              .transfer = H5I_INVALID_HID};
  if (reading->dataset >= 0) {
    reading->space = H5Dget_space(reading->dataset);
    reading->stored = H5Dget_type(reading->dataset);
  }
  if (reading->space >= 0 && reading->stored >= 0) {
    reading->stored_size = H5Tget_size(reading->stored);
    reading->rank = H5Sget_simple_extent_dims(reading->space, size, NULL);
    reading->width = reading->rank == 2 ? (int64_t)size[1] : 1;
  } else {
    status = fail_to_read(&context->base, input, path, 0);
  }
  if (status == PCCT_OK && context->rank == 0) {
    reading->complete = io_is_complete(reading->dataset);
  }
  comm_broadcast(context, &reading->complete, sizeof reading->complete);
  reading->transfer = reading->complete ? io_collective_transfer() : H5Pcreate(H5P_DATASET_XFER);
  if (status == PCCT_OK && reading->transfer < 0) {
    status = base_fail(&context->base, PCCT_MEMORY, "%s: no memory to read %s", input->path, path);
  }
  return comm_agree(context, status);
}

/* A piece of a rank's rows: all columns, unless one row is larger than a piece. */
struct piece {
  int64_t before, rows; /* the first row, from the rank's first, and how many */
  int64_t column, columns;
};

/* How rows are cut; the number of pieces is the same on all ranks. */
struct cut {
  int64_t rows, columns; /* of a full piece */
  int64_t row_pieces, column_pieces;
};

static int64_t pieces_of(int64_t whole, int64_t piece) {
  return whole / piece + (whole % piece > 0);
}

static struct cut make_cut(pcct_context *context, const struct reading *reading, int64_t count) {
  struct cut cut;
  const int64_t fitting = context->piece_bytes / (int64_t)reading->stored_size;
  const int64_t elements = fitting > 0 ? fitting : 1;
  cut.columns = reading->width < elements ? reading->width : elements;
  cut.rows = elements / cut.columns;
  cut.column_pieces = pieces_of(reading->width, cut.columns);
  cut.row_pieces = comm_max(context, pieces_of(count, cut.rows));
  return cut;
}

static struct piece get_piece(const struct cut *cut, int64_t count, int64_t width, int64_t index) {
  struct piece piece = {.before = index / cut->column_pieces * cut->rows,
                        .column = index % cut->column_pieces * cut->columns};
  piece.before = piece.before < count ? piece.before : count; /* this rank may be done */
  piece.rows = cut->rows < count - piece.before ? cut->rows : count - piece.before;
  piece.columns = cut->columns < width - piece.column ? cut->columns : width - piece.column;
  return piece;
}

/* Selects a piece in the file and returns a memory space of whole rows with the same selected; invalid on
 * failure. */
static hid_t select_piece(const struct reading *reading, const struct piece *piece, int64_t first) {
  const hsize_t start[2] = {(hsize_t)(first + piece->before), (hsize_t)piece->column};
  const hsize_t count[2] = {(hsize_t)piece->rows, (hsize_t)piece->columns};
  const hsize_t extent[2] = {(hsize_t)(piece->rows > 0 ? piece->rows : 1), (hsize_t)reading->width};
  const hsize_t memory_start[2] = {0, (hsize_t)piece->column};
  herr_t result;
  const hid_t memory = H5Screate_simple(reading->rank, extent, NULL);
  if (memory < 0) {
    return memory;
  }
  if (piece->rows > 0) {
    result = H5Sselect_hyperslab(reading->space, H5S_SELECT_SET, start, NULL, count, NULL);
    result |= H5Sselect_hyperslab(memory, H5S_SELECT_SET, memory_start, NULL, count, NULL);
  } else {
    result = H5Sselect_none(reading->space);
    result |= H5Sselect_none(memory);
  }
  if (result < 0) {
    H5Sclose(memory);
    return H5I_INVALID_HID;
  }
  return memory;
}

/* Reads rows in the stored type. Collective. */
static pcct_status read_stored(pcct_context *context, const struct input *input, const char *path,
                               const struct reading *reading, int64_t first, int64_t count,
                               char *out) {
  const int64_t row_bytes = (int64_t)reading->stored_size * reading->width;
  const struct cut cut = make_cut(context, reading, count);
  pcct_status status = PCCT_OK;
  for (int64_t i = 0; i < cut.row_pieces * cut.column_pieces && status == PCCT_OK; i++) {
    const struct piece piece = get_piece(&cut, count, reading->width, i);
    const hid_t memory = select_piece(reading, &piece, first);
    if (memory < 0) {
      status = base_fail(&context->base, PCCT_MEMORY, "%s: no memory to select rows of %s",
                         input->path, path);
    }
    status = comm_agree(context, status);
    if (status == PCCT_OK && H5Dread(reading->dataset, reading->stored, memory, reading->space,
                                     reading->transfer, out + piece.before * row_bytes) < 0) {
      status = fail_to_read(&context->base, input, path, first + piece.before);
    }
    if (memory >= 0) {
      H5Sclose(memory);
    }
    status = comm_agree(context, status);
  }
  return status;
}

/* Reads rows and converts them to `type`, of `size` bytes. Collective. */
static pcct_status read_converted(pcct_context *context, const struct input *input,
                                  const char *path, int64_t first, int64_t count, hid_t type,
                                  size_t size, void *out) {
  struct base *base = &context->base;
  struct reading reading;
  void *buffer = NULL;
  void *to = out;
  pcct_status status = reading_open(context, input, path, &reading);
  if (status == PCCT_OK && reading.stored_size > size) {
    to = buffer = base_allocate(base, count * reading.width, reading.stored_size);
    status = buffer ? PCCT_OK : PCCT_MEMORY;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = read_stored(context, input, path, &reading, first, count, to);
  }
  if (status == PCCT_OK && count > 0) {
    if (H5Tconvert(reading.stored, type, (size_t)(count * reading.width), to, NULL, H5P_DEFAULT) <
        0) {
      status =
          base_fail(base, PCCT_INPUT, "%s: %s cannot be converted to numbers", input->path, path);
    } else if (buffer) {
      memcpy(out, buffer, (size_t)(count * reading.width) * size);
    }
  }
  base_free(buffer);
  reading_close(&reading);
  return comm_agree(context, status);
}

pcct_status input_read_own_coordinates(pcct_context *context, struct input *input, int64_t first,
                                       int64_t count, double *out) {
  const struct input_description *d = &input->description;
  if (!d->by_columns) {
    return read_converted(context, input, d->dataset, first, count, H5T_NATIVE_DOUBLE,
                          sizeof(double), out);
  }
  double *column = base_allocate(&context->base, count, sizeof *column);
  pcct_status status = comm_agree(context, column ? PCCT_OK : PCCT_MEMORY);
  for (int j = 0; j < d->dimension && status == PCCT_OK; j++) {
    status = read_converted(context, input, d->axis_path[j], first, count, H5T_NATIVE_DOUBLE,
                            sizeof(double), column);
    for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
      out[i * d->dimension + j] = column[i];
    }
  }
  base_free(column);
  return status;
}

pcct_status input_read_own_indices(pcct_context *context, struct input *input, const char *dataset,
                                   int64_t first, int64_t count, int64_t *out) {
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = input_check_indices(&context->base, input->path, dataset, input->description.count);
  }
  status = comm_agree(context, status);
  return status == PCCT_OK ? read_converted(context, input, dataset, first, count, H5T_NATIVE_INT64,
                                            sizeof(int64_t), out)
                           : status;
}

/* Rank 0's look at a dataset. */
static pcct_status look_at_extent(struct base *base, const struct input *input, const char *dataset,
                                  struct input_extent *extent) {
  hsize_t size[H5S_MAX_RANK] = {0};
  int rank = 0;
  bool integer = false, numeric = false;
  H5E_BEGIN_TRY {
    const hid_t handle = H5Dopen2(input->file, dataset, H5P_DEFAULT);
    const hid_t space = handle >= 0 ? H5Dget_space(handle) : H5I_INVALID_HID;
    const hid_t type = handle >= 0 ? H5Dget_type(handle) : H5I_INVALID_HID;
    rank = space >= 0 ? H5Sget_simple_extent_dims(space, size, NULL) : 0;
    integer = type >= 0 && H5Tget_class(type) == H5T_INTEGER;
    numeric = integer || (type >= 0 && H5Tget_class(type) == H5T_FLOAT);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(handle);
  }
  H5E_END_TRY
  if (!numeric || rank < 1 || rank > 2) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected a dataset %s of numbers with one or two dimensions, found %s",
                     input->path, dataset, numeric ? "another shape" : "none");
  }
  *extent =
      (struct input_extent){(int64_t)size[0], rank == 2 ? (int64_t)size[1] : 1, rank, integer};
  return PCCT_OK;
}

pcct_status input_look_at_dataset(pcct_context *context, struct input *input, const char *dataset,
                                  struct input_extent *extent) {
  memset(extent, 0, sizeof *extent);
  pcct_status status =
      context->rank == 0 ? look_at_extent(&context->base, input, dataset, extent) : PCCT_OK;
  status = comm_agree(context, status);
  comm_broadcast(context, extent, sizeof *extent);
  return status;
}

pcct_status input_read_dataset(pcct_context *context, struct input *input, const char *dataset,
                               enum input_type type, int64_t first, int64_t count, void *out) {
  const struct {
    hid_t type;
    size_t size;
  } types[] = {[INPUT_INT16] = {H5T_NATIVE_INT16, sizeof(int16_t)},
               [INPUT_INT32] = {H5T_NATIVE_INT32, sizeof(int32_t)},
               [INPUT_INT64] = {H5T_NATIVE_INT64, sizeof(int64_t)},
               [INPUT_DOUBLE] = {H5T_NATIVE_DOUBLE, sizeof(double)}};
  return read_converted(context, input, dataset, first, count, types[type].type, types[type].size,
                        out);
}

pcct_status input_read_own_carried(pcct_context *context, struct input *input, int column,
                                   int64_t first, int64_t count, void *out) {
  char path[INPUT_TEXT + sizeof "/data/"];
  struct reading reading;
  snprintf(path, sizeof path, "/data/%s", input->description.carried[column].name);
  pcct_status status = reading_open(context, input, path, &reading);
  if (status == PCCT_OK) {
    status = read_stored(context, input, path, &reading, first, count, out);
  }
  reading_close(&reading);
  return status;
}
