/*
 * Datasets under /data/: copies of the input's, or new ones.
 */
#include "io/input_private.h"
#include "io/output_private.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES (INPUT_PATH_MAX + (int)sizeof "/data/")

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
  } else if (length >= PATH_BYTES || name[0] == '\0' || strchr(name, '/')) {
    status = base_fail(base, PCCT_USAGE,
                       "a column cannot be called '%.64s': expected 1 to %d bytes without '/'",
                       name, INPUT_PATH_MAX);
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

static pcct_status add_carried(pcct_context *context, struct output *output,
                               const struct input *input, int column) {
  struct input_facts facts;
  pcct_status status = comm_agree(context, input_get_facts(&context->base, input, column, &facts));
  if (status == PCCT_OK) {
    status = add(context, output, input_carried_name(input, column), facts.type,
                 facts.description[0] ? facts.description : "carried from the input",
                 facts.units[0] ? facts.units : "1");
  }
  if (facts.type >= 0) {
    H5Tclose(facts.type);
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
