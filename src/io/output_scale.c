/*
 * Dimension scales say which extents belong together. The short ones number their items. Those as long
 * as there are rows would only repeat the row: they hold zeros, a byte an item, and are named as netCDF
 * names dimensions without a variable, so that its readers show dimensions and no zeros. All hold
 * storage because h5diff calls datasets without any, and all that refer to them, not comparable.
 */
#include "io/output_private.h"

#include <hdf5_hl.h>
#include <stdio.h>

/* Creates a scale with its storage; -1 on failure.
 *   name [in] as netCDF knows it */
static hid_t create(hid_t file, const char *path, hid_t type, hid_t space, const char *name,
                    const char *description) {
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  hid_t scale = -1;
  if (list >= 0 && H5Pset_obj_track_times(list, false) >= 0 &&
      H5Pset_layout(list, H5D_CONTIGUOUS) >= 0 &&
      H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) >= 0 &&
      H5Pset_fill_time(list, H5D_FILL_TIME_ALLOC) >= 0) {
    scale = H5Dcreate2(file, path, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
  }
  if (list >= 0) {
    H5Pclose(list);
  }
  if (scale >= 0 &&
      (H5DSset_scale(scale, name) < 0 || !output_put_text(scale, "description", description) ||
       !output_put_text(scale, "units", "1"))) {
    H5Dclose(scale);
    scale = -1;
  }
  return scale;
}

bool output_scale_put(hid_t file, const char *path, int64_t extent, const char *description) {
  const hsize_t size = (hsize_t)extent;
  const hid_t space = H5Screate_simple(1, &size, NULL);
  char name[96];
  snprintf(name, sizeof name, "This is a netCDF dimension but not a netCDF variable.%10lld",
           (long long)extent);
  const hid_t scale =
      space >= 0 ? create(file, path, H5T_NATIVE_INT8, space, name, description) : -1;
  if (space >= 0) {
    H5Sclose(space);
  }
  return scale >= 0 && H5Dclose(scale) >= 0;
}

static bool write_numbers(hid_t scale, hid_t space, int64_t extent, int32_t first) {
  int32_t numbers[4096];
  const int64_t most = (int64_t)(sizeof numbers / sizeof numbers[0]);
  bool good = true;
  for (int64_t done = 0; good && done < extent; done += most) {
    const hsize_t start = (hsize_t)done;
    const hsize_t count = (hsize_t)(extent - done < most ? extent - done : most);
    for (hsize_t i = 0; i < count; i++) {
      numbers[i] = (int32_t)(first + done + (int64_t)i);
    }
    const hid_t memory = H5Screate_simple(1, &count, NULL);
    good = memory >= 0 &&
           H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0 &&
           H5Dwrite(scale, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, numbers) >= 0;
    if (memory >= 0) {
      H5Sclose(memory);
    }
  }
  return good;
}

bool output_scale_put_numbers(hid_t file, const char *path, int64_t extent, int32_t first,
                              const char *description) {
  const hsize_t size = (hsize_t)extent;
  const hid_t space = H5Screate_simple(1, &size, NULL);
  hid_t scale = -1;
  bool good = false;
  if (space >= 0) {
    scale = create(file, path, H5T_NATIVE_INT32, space, path + 1, description);
    good = scale >= 0 && write_numbers(scale, space, extent, first);
    H5Sclose(space);
  }
  if (scale >= 0) {
    good &= H5Dclose(scale) >= 0;
  }
  return good;
}

bool output_scale_attach(hid_t file, hid_t dataset, unsigned dimension, const char *path) {
  const hid_t scale = H5Dopen2(file, path, H5P_DEFAULT);
  if (scale < 0) {
    return false;
  }
  bool good = H5DSattach_scale(dataset, scale, dimension) >= 0 &&
              H5DSset_label(dataset, dimension, path + 1) >= 0;
  return H5Dclose(scale) >= 0 && good;
}
