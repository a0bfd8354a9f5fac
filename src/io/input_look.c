/* Looking at the datasets of a file. See input_look.h. */
#include "io/input_look.h"

#include "io/hdf5_storage.h"
#include "io/hdf5_tools.h"

#include <stdio.h>
#include <string.h>

bool input_look(hid_t group, const char *path, struct input_shape *shape) {
  *shape = (struct input_shape){.rank = -1};
  const hid_t dataset = H5Dopen2(group, path, H5P_DEFAULT);
  if (dataset < 0) {
    return false;
  }
  const hid_t space = H5Dget_space(dataset);
  const hid_t type = H5Dget_type(dataset);
  if (space >= 0 && type >= 0) {
    const H5T_class_t class = H5Tget_class(type);
    shape->rank = H5Sget_simple_extent_dims(space, shape->size, NULL);
    shape->integer = class == H5T_INTEGER;
    shape->numeric = class == H5T_INTEGER || class == H5T_FLOAT;
    shape->portable = shape->numeric || class == H5T_ENUM ||
                      (class == H5T_STRING && H5Tis_variable_str(type) == 0);
    shape->bytes = (int64_t)H5Tget_size(type);
    io_describe_type(type, shape->type_words, sizeof shape->type_words);
    io_describe_space(space, shape->size_words, sizeof shape->size_words);
  }
  if (type >= 0) {
    H5Tclose(type);
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  H5Dclose(dataset);
  return shape->rank >= 0;
}

static void add_candidate(struct input_candidates *candidates, const char *name) {
  static const char more[] = ", ...";
  const size_t used = candidates->count > 0 ? strlen(candidates->list) : 0;
  const size_t room = sizeof candidates->list - used;
  if (candidates->count == 0) {
    const int length = snprintf(candidates->first, sizeof candidates->first, "/%s", name);
    candidates->too_long = length >= (int)sizeof candidates->first;
    snprintf(candidates->list, room, "/%.*s%s", (int)(room / 2), name,
             strlen(name) > room / 2 ? "..." : "");
  } else if (strlen(name) + sizeof ", /" + sizeof more <= room) {
    snprintf(candidates->list + used, room, ", /%s", name);
  } else if (used >= sizeof more && strcmp(candidates->list + used + 1 - sizeof more, more) != 0) {
    snprintf(candidates->list + used, room, "%s", more);
  }
  candidates->count++;
}

static herr_t visit(hid_t root, const char *name, const H5O_info_t *info, void *user) {
  struct input_candidates *candidates = user;
  struct input_shape shape;
  if (info->type == H5O_TYPE_DATASET && input_look(root, name, &shape) && shape.numeric &&
      shape.rank == candidates->rank) {
    add_candidate(candidates, name);
  }
  return 0;
}

struct input_candidates input_find_candidates(hid_t file, int rank) {
  struct input_candidates candidates = {.rank = rank, .list = "none"};
  H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, &candidates, H5O_INFO_BASIC);
  return candidates;
}

pcct_status input_check_storage(struct base *base, hid_t group, const char *path,
                                const char *dataset) {
  const hid_t set = H5Dopen2(group, dataset, H5P_DEFAULT);
  const hid_t layout = set >= 0 ? H5Dget_create_plist(set) : H5I_INVALID_HID;
  const int others = layout >= 0 ? H5Pget_external_count(layout) : 0;
  if (layout >= 0) {
    H5Pclose(layout);
  }
  if (set >= 0) {
    H5Dclose(set);
  }
  if (others > 0) {
    return base_fail(base, PCCT_INPUT,
                     "%s: %s: expected stored values, found an external dataset, whose values lie "
                     "in %d other file(s), which HDF5 cannot read on several ranks; store a copy: "
                     "h5repack -l %s:CONTI %s copy.h5",
                     path, dataset, others, dataset, path);
  }
  return io_check_storage(base, group, path, dataset);
}

pcct_status input_check_coordinates(struct base *base, hid_t file, const char *path,
                                    const char *dataset) {
  double factor, offset;
  if (!io_get_numbers(file, dataset, "scale_factor", H5T_NATIVE_DOUBLE, 1, &factor)) {
    factor = 1;
  }
  if (!io_get_numbers(file, dataset, "add_offset", H5T_NATIVE_DOUBLE, 1, &offset)) {
    offset = 0;
  }
  if (factor != 1 || offset != 0) {
    return base_fail(base, PCCT_INPUT,
                     "%s: %s: expected plain coordinates, found packed ones (scale_factor %g, "
                     "add_offset %g); unpack them first, for example with ncpdq -U",
                     path, dataset, factor, offset);
  }
  return input_check_storage(base, file, path, dataset);
}
