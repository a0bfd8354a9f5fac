/*
 * Small questions to HDF5. See hdf5_tools.h.
 */
#include "io/hdf5_tools.h"

#include <inttypes.h>
#include <stdio.h>

static const char *other_type(H5T_class_t class) {
  switch (class) {
  case H5T_TIME:
    return "time";
  case H5T_BITFIELD:
    return "bitfield";
  case H5T_OPAQUE:
    return "opaque";
  case H5T_COMPOUND:
    return "compound";
  case H5T_REFERENCE:
    return "reference";
  case H5T_ENUM:
    return "enum";
  case H5T_VLEN:
    return "list";
  case H5T_ARRAY:
    return "array";
  default:
    return "unknown";
  }
}

void io_describe_type(hid_t type, char *text, size_t size) {
  H5T_class_t class = H5Tget_class(type);
  size_t bytes = H5Tget_size(type);
  if (class == H5T_INTEGER) {
    bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
    snprintf(text, size, "%sint%zu", is_signed ? "" : "u", 8 * bytes);
  } else if (class == H5T_FLOAT) {
    snprintf(text, size, "float%zu", 8 * bytes);
  } else if (class == H5T_STRING && H5Tis_variable_str(type) > 0) {
    snprintf(text, size, "string");
  } else if (class == H5T_STRING) {
    snprintf(text, size, "string[%zu]", bytes);
  } else {
    snprintf(text, size, "%s", other_type(class));
  }
}

void io_describe_space(hid_t space, char *text, size_t size) {
  hsize_t extent[H5S_MAX_RANK];
  size_t used = 0;
  int rank = H5Sget_simple_extent_dims(space, extent, NULL);
  if (rank <= 0) {
    bool scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    snprintf(text, size, "%s", scalar ? "scalar" : "empty");
  }
  for (int j = 0; j < rank && used < size; j++) {
    const char *between = j > 0 ? " x " : "";
    used += (size_t)snprintf(text + used, size - used, "%s%" PRIuHSIZE, between, extent[j]);
  }
}

bool io_get_numbers(hid_t file, const char *object, const char *attribute, hid_t memory_type,
                    int64_t count, void *numbers) {
  if (H5Aexists_by_name(file, object, attribute, H5P_DEFAULT) <= 0) {
    return false;
  }
  hid_t handle = H5Aopen_by_name(file, object, attribute, H5P_DEFAULT, H5P_DEFAULT);
  if (handle < 0) {
    return false;
  }
  hid_t type = H5Aget_type(handle);
  hid_t space = H5Aget_space(handle);
  H5T_class_t class = H5Tget_class(type);
  bool convertible =
      class == H5T_INTEGER || (class == H5T_FLOAT && H5Tget_class(memory_type) == H5T_FLOAT);
  bool found = convertible && H5Sget_simple_extent_npoints(space) == count &&
               H5Aread(handle, memory_type, numbers) >= 0;
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(handle);
  return found;
}
