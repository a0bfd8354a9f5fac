/* Collective reading of points. */
#include "io/input.h"

#include "io/hdf5_access.h"
#include "io/input_private.h"

#include <stdio.h>
#include <string.h>

int64_t input_count(const struct input *input) {
  return input->description.count + input_joined(input);
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

const char *input_kind(const struct input *input) {
  return input->description.kind;
}

bool input_has_source_row(const struct input *input) {
  return input->description.has_source_row;
}

void input_close(pcct_context *context, struct input **input) {
  if (!input || !*input) {
    return;
  }
  if ((*input)->file >= 0) {
    H5Fclose((*input)->file);
  }
  input_close(context, &(*input)->behind);
  base_free((*input)->match);
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
