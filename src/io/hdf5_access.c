/* HDF5 helpers that input and output share. */
#include "io/hdf5_access.h"

#include "io/hdf5_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void io_quiet(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The drivers' errors are those of the storage; they also lock files. A file that a writer left open says so
 * in its own first bytes. */
static herr_t classify(unsigned depth, const H5E_error2_t *error, void *user) {
  enum io_failure *failure = user;
  const char *words = error->desc ? error->desc : "";
  const bool of_driver = error->maj_num == H5E_VFL;
  (void)depth;
  if ((of_driver && strstr(words, " lock")) || strstr(words, "already open for write")) {
    *failure = IO_FAILURE_WRITER;
  } else if (of_driver && *failure == IO_FAILURE_CONTENT) {
    *failure = IO_FAILURE_STORAGE;
  }
  return 0;
}

enum io_failure io_get_failure(void) {
  enum io_failure failure = IO_FAILURE_CONTENT;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, classify, &failure);
  return failure;
}

static pcct_status check_version(struct base *base, const char *path, hid_t file) {
  char format[16];
  int version[2];
  io_read_text(file, "/", "format", format, sizeof format);
  if (strcmp(format, "pcct") != 0) {
    return PCCT_OK;
  }
  if (!io_get_numbers(file, "/", "format_version", H5T_NATIVE_INT, 2, version)) {
    return base_fail(base, PCCT_INPUT,
                     "%s: attribute format_version: expected two integers, found none", path);
  }
  return version[0] == 1 ? PCCT_OK
                         : base_fail(base, PCCT_INPUT,
                                     "%s: has format version %d.%d; this pcct reads version 1",
                                     path, version[0], version[1]);
}

/* What the operating system says about a file that is to be read. */
static pcct_status check_readable(struct base *base, const char *path) {
  struct stat info;
  char byte;
  if (stat(path, &info) != 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return base_fail(base, PCCT_FILE, "%s: expected a file, found %s", path,
                     S_ISDIR(info.st_mode) ? "a directory"
                                           : "something that is not a regular file");
  }
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  pcct_status status = PCCT_OK;
  if (read(descriptor, &byte, 1) < 0) {
    status = base_fail(base, PCCT_FILE, "%s: cannot be read: %s", path, strerror(errno));
  }
  close(descriptor);
  return status;
}

/* After H5Fopen or H5Fis_hdf5 on a file that the system can read. */
static pcct_status fail_to_open(struct base *base, const char *path) {
  switch (io_get_failure()) {
  case IO_FAILURE_WRITER:
    return base_fail(base, PCCT_FILE,
                     "%s: cannot be read while another program has it open for writing; wait for "
                     "that program, or, if it has crashed, try h5clear -s",
                     path);
  case IO_FAILURE_STORAGE:
    return base_fail(base, PCCT_FILE, "%s: cannot be read: the storage failed", path);
  case IO_FAILURE_CONTENT:
    break;
  }
  return base_fail(base, PCCT_INPUT, "%s: is an HDF5 file but truncated or damaged", path);
}

pcct_status io_open_file(struct base *base, const char *path, hid_t *file) {
  *file = H5I_INVALID_HID;
  io_quiet();
  pcct_status status = check_readable(base, path);
  if (status != PCCT_OK) {
    return status;
  }
  const htri_t is_hdf5 = H5Fis_hdf5(path);
  if (is_hdf5 < 0 && io_get_failure() != IO_FAILURE_CONTENT) {
    return fail_to_open(base, path);
  }
  if (is_hdf5 <= 0) {
    return base_fail(
        base, PCCT_INPUT,
        "%s: expected an HDF5 file, found another format; tables are read by `pcct import`", path);
  }
  *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (*file < 0) {
    return fail_to_open(base, path);
  }
  status = check_version(base, path, *file);
  if (status != PCCT_OK) {
    H5Fclose(*file);
    *file = H5I_INVALID_HID;
  }
  return status;
}

void io_read_text(hid_t file, const char *object, const char *attribute, char *text, size_t size) {
  text[0] = '\0';
  if (H5Aexists_by_name(file, object, attribute, H5P_DEFAULT) <= 0) {
    return;
  }
  const hid_t at = H5Aopen_by_name(file, object, attribute, H5P_DEFAULT, H5P_DEFAULT);
  if (at < 0) {
    return;
  }
  const hid_t type = H5Aget_type(at);
  const hid_t space = H5Aget_space(at);
  if (H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1) {
    const hid_t memory = H5Tcopy(type);
    if (H5Tis_variable_str(type) > 0) {
      char *value = NULL;
      if (H5Aread(at, memory, &value) >= 0 && value) {
        snprintf(text, size, "%s", value);
        H5free_memory(value);
      }
    } else {
      /* converted to a type that ends with NUL and fits */
      H5Tset_size(memory, size);
      H5Tset_strpad(memory, H5T_STR_NULLTERM);
      if (H5Aread(at, memory, text) < 0) {
        text[0] = '\0';
      }
    }
    H5Tclose(memory);
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(at);
}

hid_t io_parallel_access(MPI_Comm comm) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access >= 0) {
    H5Pset_fapl_mpio(access, comm, MPI_INFO_NULL);
  }
  return access;
}

hid_t io_collective_transfer(void) {
  const hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
  if (transfer >= 0) {
    H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
  }
  return transfer;
}

int64_t io_rows_per_call(int64_t row_bytes) {
  const int64_t rows = IO_PIECE_BYTES / (row_bytes > 0 ? row_bytes : 1);
  return rows > 0 ? rows : 1;
}

hid_t io_select_rows(hid_t space, int64_t first, int64_t count, int64_t width) {
  const hsize_t start[2] = {(hsize_t)first, 0};
  const hsize_t size[2] = {(hsize_t)count, (hsize_t)width};
  const hsize_t elements = (hsize_t)(count * width);
  const hsize_t none = 1;
  const hid_t memory = H5Screate_simple(1, elements > 0 ? &elements : &none, NULL);
  if (elements > 0) {
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
  } else {
    H5Sselect_none(space);
    H5Sselect_none(memory);
  }
  return memory;
}
