/*
 * Questions about a dataset's storage. See hdf5_storage.h.
 */
#include "io/hdf5_storage.h"

#if !H5_VERSION_GE(1, 10, 5)
#error "pcct needs HDF5 1.10.5 or later"
#endif

static pcct_status check_filters(struct base *base, hid_t layout, const char *path,
                                 const char *dataset) {
  const int count = H5Pget_nfilters(layout);
  for (int i = 0; i < count; i++) {
    char name[64] = "";
    unsigned flags = 0;
    size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(layout, (unsigned)i, &flags, &values, NULL, sizeof name, name, NULL);
    if (filter >= 0 && H5Zfilter_avail(filter) <= 0) {
      name[sizeof name - 1] = '\0';
      return base_fail(base, PCCT_INPUT,
                       "%s: %s: expected a filter that the HDF5 library here has, found filter %d "
                       "(%s); compress with gzip, which every HDF5 reads",
                       path, dataset, (int)filter, name[0] ? name : "unnamed");
    }
  }
  return PCCT_OK;
}

pcct_status io_check_storage(struct base *base, hid_t file, const char *path, const char *dataset) {
  pcct_status status = PCCT_OK;
  const hid_t set = H5Dopen2(file, dataset, H5P_DEFAULT);
  const hid_t layout = set >= 0 ? H5Dget_create_plist(set) : H5I_INVALID_HID;
  if (layout < 0) {
    status =
        base_fail(base, PCCT_INPUT, "%s: %s cannot be opened: the file is damaged", path, dataset);
  } else if (H5Pget_layout(layout) == H5D_VIRTUAL) {
    status = base_fail(base, PCCT_INPUT,
                       "%s: %s: expected stored values, found a virtual dataset, which HDF5 cannot "
                       "read on several ranks; store a copy: h5repack -l %s:CONTI %s copy.h5",
                       path, dataset, dataset, path);
  } else {
    status = check_filters(base, layout, path, dataset);
  }
  if (layout >= 0) {
    H5Pclose(layout);
  }
  if (set >= 0) {
    H5Dclose(set);
  }
  return status;
}

static bool has_all_chunks(hid_t dataset, hid_t layout) {
  hsize_t extent[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
  hsize_t expected = 1, found = 0;
  const hid_t space = H5Dget_space(dataset);
  const int rank = H5Sget_simple_extent_dims(space, extent, NULL);
  bool known = rank >= 1 && H5Pget_chunk(layout, rank, chunk) == rank &&
               H5Dget_num_chunks(dataset, space, &found) >= 0;
  for (int j = 0; j < rank && known; j++) {
    expected *= extent[j] / chunk[j] + (extent[j] % chunk[j] > 0);
  }
  H5Sclose(space);
  return known && found == expected;
}

bool io_is_complete(hid_t dataset) {
  H5D_space_status_t space = H5D_SPACE_STATUS_NOT_ALLOCATED;
  bool complete = false;
  const hid_t layout = H5Dget_create_plist(dataset);
  if (layout < 0) {
    return false;
  }
  if (H5Pget_layout(layout) ==
      H5D_CHUNKED) { /* the status would take compressed data for incomplete */
    complete = has_all_chunks(dataset, layout);
  } else {
    complete = H5Dget_space_status(dataset, &space) >= 0 && space == H5D_SPACE_STATUS_ALLOCATED;
  }
  H5Pclose(layout);
  return complete;
}
