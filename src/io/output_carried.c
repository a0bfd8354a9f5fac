/*
 * Datasets under /data/: copies of the input's, or new ones.
 */
#include "io/input_private.h"
#include "io/output_private.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 1024
#define TEXT_BYTES 4096

/* Adds /data/NAME on all ranks and agrees. */
static pcct_status add(pcct_context *context, struct output *output, const char *name, hid_t type,
                       const char *description, const char *units) {
  struct base *base = &context->base;
  char path[PATH_BYTES];
  int length = snprintf(path, sizeof path, "/data/%s", name);
  pcct_status status = PCCT_OK;
  if (output->writing) {
    status = base_fail(base, PCCT_INTERNAL, "%s: column '%s' comes after the first write",
                       output->place.path, name);
  } else if (length >= (int)sizeof path || name[0] == '\0' || strchr(name, '/')) {
    status = base_fail(base, PCCT_USAGE,
                       "a column cannot be called '%.64s': expected 1 to %d bytes without '/'",
                       name, PATH_BYTES - (int)sizeof "/data/");
  }
  for (int64_t i = 0; i < output->count && status == PCCT_OK; i++) {
    if (strcmp(output->datasets[i].path, path) == 0) {
      status =
          base_fail(base, PCCT_USAGE, "%s: column '%s' is there twice", output->place.path, name);
    }
  }
  if (status == PCCT_OK) {
    const struct output_plan plan = {.path = path,
                                     .type = type,
                                     .rank = 1,
                                     .rows = output->rows,
                                     .width = 1,
                                     .scales = {output->row_scale},
                                     .description = description,
                                     .units = units};
    status = output_schema_add(context, output, &plan);
  }
  return comm_agree(context, status);
}

/* A text attribute of one element, of fixed or variable length; `otherwise` if there is none. */
static void read_text(hid_t dataset, const char *name, const char *otherwise, char *text) {
  snprintf(text, TEXT_BYTES, "%s", otherwise);
  if (H5Aexists(dataset, name) <= 0) {
    return;
  }
  const hid_t attribute = H5Aopen(dataset, name, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  const hid_t space = H5Aget_space(attribute);
  if (H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1) {
    char *variable = NULL;
    if (H5Tis_variable_str(type) > 0) {
      if (H5Aread(attribute, type, &variable) >= 0 && variable) {
        snprintf(text, TEXT_BYTES, "%s", variable);
        H5free_memory(variable);
      }
    } else if (H5Tget_size(type) < TEXT_BYTES) {
      memset(text, 0, TEXT_BYTES);
      H5Aread(attribute, type, text);
    }
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(attribute);
}

static pcct_status add_carried(pcct_context *context, struct output *output,
                               const struct input *input, int column) {
  const char *name = input_carried_name(input, column);
  char path[PATH_BYTES], description[TEXT_BYTES], units[TEXT_BYTES];
  hid_t type = -1;
  pcct_status status;
  snprintf(path, sizeof path, "/data/%s", name);
  const hid_t dataset = H5Dopen2(input->file, path, H5P_DEFAULT);
  if (dataset >= 0) {
    read_text(dataset, "description", "carried from the input", description);
    read_text(dataset, "units", "1", units);
    const hid_t found = H5Dget_type(dataset);
    type = H5Tcopy(found); /* a named type of the input becomes a plain one */
    H5Tclose(found);
    H5Dclose(dataset);
  }
  status =
      comm_agree(context, type >= 0 ? PCCT_OK
                                    : base_fail(&context->base, PCCT_FILE,
                                                "%s: cannot read the type of %s: %s",
                                                input_path(input), path, output_get_reason().text));
  if (status == PCCT_OK) {
    status = add(context, output, name, type, description, units);
  }
  if (type >= 0) {
    H5Tclose(type);
  }
  return status;
}

pcct_status output_add_carried(pcct_context *context, struct output *output,
                               const struct input *input, int column) {
  pcct_status status;
  H5E_BEGIN_TRY {
    status = add_carried(context, output, input, column);
  }
  H5E_END_TRY
  return status;
}

/* The type of a new column, -1 on failure. */
static hid_t column_type(int64_t string_size) {
  if (string_size <= 0) {
    return H5Tcopy(string_size == 0 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64);
  }
  const hid_t type = H5Tcopy(H5T_C_S1);
  if (type >= 0 &&
      (H5Tset_size(type, (size_t)string_size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
       H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
    H5Tclose(type);
    return -1;
  }
  return type;
}

pcct_status output_add_column(pcct_context *context, struct output *output, const char *name,
                              int64_t string_size, const char *description, const char *units) {
  pcct_status status;
  H5E_BEGIN_TRY {
    const hid_t type = column_type(string_size);
    status = add(context, output, name, type, description, units[0] != '\0' ? units : "1");
    if (type >= 0) {
      H5Tclose(type);
    }
  }
  H5E_END_TRY
  return status;
}
