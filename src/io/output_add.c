/* Datasets that are added to a copy of another file. */
#include "io/output_private.h"

#include <stdio.h>
#include <string.h>

pcct_status output_schema_copy(pcct_context *context, struct output *output, const char *source) {
  struct base *base = &context->base;
  const hid_t access = output_serial_access();
  pcct_status status = output_place_open(base, &output->place);
  if (status == PCCT_OK) {
    status = output_place_copy(base, &output->place, source);
  }
  if (status == PCCT_OK) {
    output->file = access >= 0 ? H5Fopen(output->place.part, H5F_ACC_RDWR, access) : -1;
    status = output->file >= 0 ? PCCT_OK : output_fail_create(context, output, "a copy");
  }
  if (access >= 0) {
    H5Pclose(access);
  }
  return status;
}

/* Makes what a dataset stands on. Rank 0. */
static pcct_status prepare(pcct_context *context, struct output *output, const char *path,
                           int64_t rows, const char *scale, const char *description) {
  char group[256];
  snprintf(group, sizeof group, "%.*s", (int)(strrchr(path, '/') - path), path);
  const bool has_group = H5Lexists(output->file, group, H5P_DEFAULT) > 0;
  if (has_group && H5Lexists(output->file, path, H5P_DEFAULT) > 0) {
    return base_fail(&context->base, PCCT_USAGE,
                     "%s: expected a file without %s, found one that has it", output->place.path,
                     path);
  }
  bool good = has_group || output_put_group(output->file, group);
  if (good && scale && H5Lexists(output->file, scale, H5P_DEFAULT) <= 0) {
    good = output_put_scale(output->file, scale, rows, description);
  }
  return good ? PCCT_OK : output_fail_create(context, output, path);
}

pcct_status output_add_dataset(pcct_context *context, struct output *output, const char *path,
                               enum output_element element, int64_t rows, const char *scale,
                               const char *description, const char *units) {
  const struct output_plan plan = {.path = path,
                                   .type = element == OUTPUT_DOUBLES ? H5T_NATIVE_DOUBLE
                                           : element == OUTPUT_INTEGERS || output->wide
                                               ? H5T_NATIVE_INT64
                                               : H5T_NATIVE_INT32,
                                   .rank = 1,
                                   .rows = rows,
                                   .width = 1,
                                   .scales = {scale},
                                   .description = description,
                                   .units = units};
  pcct_status status = PCCT_OK;
  H5E_BEGIN_TRY {
    if (context->rank == 0) {
      status = prepare(context, output, path, rows, scale, description);
    }
    if (status == PCCT_OK) {
      status = output_schema_add(context, output, &plan);
    }
  }
  H5E_END_TRY
  return comm_agree(context, status);
}
