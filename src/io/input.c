/* Collective reading of points. */
#include "io/input.h"

#include "io/hash.h"
#include "io/hdf5_access.h"
#include "io/hdf5_storage.h"
#include "io/hdf5_tools.h"
#include "io/input_private.h"

#include <stdio.h>
#include <string.h>

int64_t input_count(const struct input *input) {
  return input->description.count;
}

int input_dimension(const struct input *input) {
  return input->description.dimension;
}

const char *input_path(const struct input *input) {
  return input->path;
}

const char *input_dataset(const struct input *input) {
  return input->description.dataset;
}

const char *input_columns(const struct input *input) {
  return input->description.columns;
}

const char *input_units(const struct input *input) {
  return input->description.units;
}

int input_carried_count(const struct input *input) {
  return input->description.carried_count;
}

const char *input_carried_name(const struct input *input, int column) {
  return input->description.carried[column].name;
}

int64_t input_carried_size(const struct input *input, int column) {
  return input->description.carried[column].size;
}

bool input_has_source_row(const struct input *input) {
  return input->description.has_source_row;
}

void input_close(pcct_context *context, struct input **input) {
  (void)context;
  if (!input || !*input) {
    return;
  }
  if ((*input)->file >= 0) {
    H5Fclose((*input)->file);
  }
  base_free(*input);
  *input = NULL;
}

pcct_status input_open(pcct_context *context, const char *path, const struct input_options *options,
                       struct input **out) {
  struct base *base = &context->base;
  pcct_status status = PCCT_OK;
  *out = NULL;
  io_quiet();
  struct input *input = base_allocate_zero(base, 1, sizeof *input);
  if (input) {
    input->file = H5I_INVALID_HID;
    snprintf(input->path, sizeof input->path, "%s", path);
    if (context->rank == 0) {
      status = strlen(path) < sizeof input->path
                   ? input_describe(base, path, options, &input->description)
                   : base_fail(base, PCCT_FILE, "the input's path is too long");
    }
  } else {
    status = PCCT_MEMORY;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    comm_broadcast(context, &input->description, sizeof input->description);
    const hid_t access = io_parallel_access(context->comm);
    input->file = access >= 0 ? H5Fopen(path, H5F_ACC_RDONLY, access) : H5I_INVALID_HID;
    H5Pclose(access);
    if (input->file < 0) {
      status =
          base_fail(base, PCCT_FILE,
                    "%s: rank %d cannot open it though rank 0 can: every node must see the file",
                    path, context->rank);
    }
    status = comm_agree(context, status);
  }
  if (status != PCCT_OK) {
    input_close(context, &input);
  }
  *out = input;
  return status;
}

/* One dataset being read. */
struct reading {
  hid_t dataset, space;
  int rank;      /* 1 or 2 */
  int64_t width; /* elements of a row */
  hid_t stored;  /* the type in the file */
  size_t stored_size;
  bool complete; /* every element has its place in the file */
};

static pcct_status reading_open(pcct_context *context, const struct input *input, const char *path,
                                struct reading *reading) {
  hsize_t size[H5S_MAX_RANK] = {0};
  *reading = (struct reading){H5I_INVALID_HID, H5I_INVALID_HID, 1, 1, H5I_INVALID_HID, 0, true};
  reading->dataset = H5Dopen2(input->file, path, H5P_DEFAULT);
  if (reading->dataset >= 0) {
    reading->space = H5Dget_space(reading->dataset);
    reading->stored = H5Dget_type(reading->dataset);
    reading->stored_size = H5Tget_size(reading->stored);
    reading->rank = H5Sget_simple_extent_dims(reading->space, size, NULL);
    reading->width = reading->rank == 2 ? (int64_t)size[1] : 1;
  }
  if (reading->dataset >= 0 && context->rank == 0) {
    reading->complete = io_is_complete(reading->dataset);
  }
  comm_broadcast(context, &reading->complete, sizeof reading->complete);
  return comm_agree(context, reading->dataset >= 0
                                 ? PCCT_OK
                                 : base_fail(&context->base, PCCT_FILE, "%s: %s cannot be opened",
                                             input->path, path));
}

static void reading_close(struct reading *reading) {
  if (reading->dataset >= 0) {
    H5Tclose(reading->stored);
    H5Sclose(reading->space);
    H5Dclose(reading->dataset);
  }
}

/* Reads rows in the stored type, collectively where HDF5 can. Conversion comes later: HDF5 would give up
 * collective transfers for it. */
static pcct_status read_stored(pcct_context *context, const struct input *input, const char *path,
                               struct reading *reading, int64_t first, int64_t count, char *out) {
  const int64_t row_bytes = (int64_t)reading->stored_size * reading->width;
  const int64_t rows = io_rows_per_call(row_bytes);
  const int64_t calls = comm_max(context, (count + rows - 1) / rows);
  const hid_t transfer = reading->complete ? io_collective_transfer() : H5Pcreate(H5P_DATASET_XFER);
  pcct_status status = PCCT_OK;
  for (int64_t call = 0; call < calls && status == PCCT_OK; call++) {
    const int64_t done = call * rows < count ? call * rows : count;
    const int64_t now = rows < count - done ? rows : count - done;
    const hid_t memory = io_select_rows(reading->space, first + done, now, reading->width);
    if (H5Dread(reading->dataset, reading->stored, memory, reading->space, transfer,
                out + done * row_bytes) < 0) {
      status = base_fail(&context->base, PCCT_FILE,
                         "%s: rows %lld to %lld of %s cannot be read: the file is damaged or the "
                         "storage failed",
                         input->path, (long long)(first + done),
                         (long long)(first + done + now - 1), path);
    }
    H5Sclose(memory);
    status = comm_agree(context, status);
  }
  H5Pclose(transfer);
  return status;
}

/* Reads rows and converts them to `type`, of `size` bytes. */
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

pcct_status input_read_coordinates(pcct_context *context, struct input *input, int64_t first,
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

/* Whether a dataset is n integers. */
static pcct_status check_indices(struct base *base, const struct input *input,
                                 const char *dataset) {
  char type_text[32], space_text[64];
  pcct_status status = PCCT_OK;
  hsize_t size[H5S_MAX_RANK] = {0};
  const hid_t set = H5Dopen2(input->file, dataset, H5P_DEFAULT);
  if (set < 0) {
    return base_fail(base, PCCT_INPUT, "%s: no dataset %s", input->path, dataset);
  }
  const hid_t space = H5Dget_space(set);
  const hid_t type = H5Dget_type(set);
  if (H5Tget_class(type) != H5T_INTEGER || H5Sget_simple_extent_dims(space, size, NULL) != 1 ||
      (int64_t)size[0] != input->description.count) {
    io_describe_type(type, type_text, sizeof type_text);
    io_describe_space(space, space_text, sizeof space_text);
    status =
        base_fail(base, PCCT_INPUT, "%s: %s: expected integers of shape %lld, found %s of shape %s",
                  input->path, dataset, (long long)input->description.count, type_text, space_text);
  }
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(set);
  return status == PCCT_OK ? io_check_storage(base, input->file, input->path, dataset) : status;
}

pcct_status input_read_indices(pcct_context *context, struct input *input, const char *dataset,
                               int64_t first, int64_t count, int64_t *out) {
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = check_indices(&context->base, input, dataset);
  }
  status = comm_agree(context, status);
  return status == PCCT_OK ? read_converted(context, input, dataset, first, count, H5T_NATIVE_INT64,
                                            sizeof(int64_t), out)
                           : status;
}

pcct_status input_read_carried(pcct_context *context, struct input *input, int column,
                               int64_t first, int64_t count, void *out) {
  char path[INPUT_TEXT + 8];
  struct reading reading;
  snprintf(path, sizeof path, "/data/%s", input_carried_name(input, column));
  pcct_status status = reading_open(context, input, path, &reading);
  if (status == PCCT_OK) {
    status = read_stored(context, input, path, &reading, first, count, out);
  }
  reading_close(&reading);
  return status;
}

pcct_status input_hash(pcct_context *context, const struct input *input, char hash[17]) {
  pcct_status status = context->rank == 0 ? io_hash(&context->base, input->path, hash) : PCCT_OK;
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    comm_broadcast(context, hash, 17);
  }
  return status;
}
