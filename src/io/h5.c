/*
 * Serial opening with plain words, and small questions to HDF5.
 */
#include "io/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- errors */

void io_silence(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The walk upwards starts at the innermost entry. */
static herr_t keep_first(unsigned index, const H5E_error2_t *error, void *user) {
  struct io_text *reason = user;
  if (index == 0 && error->desc != NULL) {
    snprintf(reason->text, sizeof reason->text, "%s", error->desc);
  }
  return 0;
}

struct io_text io_reason(void) {
  struct io_text reason = {""};
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &reason);
  for (char *c = reason.text; *c != '\0'; c++) {
    if (*c == '\n') {
      *c = ' ';
    }
  }
  return reason;
}

static herr_t find_driver(unsigned index, const H5E_error2_t *error, void *user) {
  (void)index;
  *(bool *)user |= error->maj_num == H5E_VFL;
  return 0;
}

bool io_is_driver_failure(void) {
  bool found = false;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_driver, &found);
  return found;
}

/* ---- handles */

void io_close_file(hid_t *file) {
  if (*file >= 0) {
    H5Fclose(*file);
    *file = -1;
  }
}

void io_close_dataset(hid_t *dataset) {
  if (*dataset >= 0) {
    H5Dclose(*dataset);
    *dataset = -1;
  }
}

void io_close_type(hid_t *type) {
  if (*type >= 0) {
    H5Tclose(*type);
    *type = -1;
  }
}

void io_close_space(hid_t *space) {
  if (*space >= 0) {
    H5Sclose(*space);
    *space = -1;
  }
}

void io_close_list(hid_t *list) {
  if (*list >= 0) {
    H5Pclose(*list);
    *list = -1;
  }
}

void io_close_object(hid_t *object) {
  if (*object >= 0) {
    H5Oclose(*object);
    *object = -1;
  }
}

void io_close_attribute(hid_t *attribute) {
  if (*attribute >= 0) {
    H5Aclose(*attribute);
    *attribute = -1;
  }
}

/* ---- opening */

hid_t io_serial_access(void) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  /* file systems without locks are no obstacle */
  if (access >= 0 && (H5Pset_fapl_sec2(access) < 0 || H5Pset_file_locking(access, true, true) < 0)) {
    io_close_list(&access);
  }
  return access;
}

bool io_is_own(hid_t file) {
  char format[16];
  return io_read_text(file, "format", format, sizeof format) && strcmp(format, "pcct") == 0;
}

/* What the operating system says about a file that is to be read. */
static pcct_status check_readable(struct base *base, const char *path) {
  struct stat facts;
  if (path[0] == '\0') {
    return base_fail(base, PCCT_FILE, "expected the name of an HDF5 file, found an empty one");
  }
  if (stat(path, &facts) != 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  if (S_ISDIR(facts.st_mode)) {
    return base_fail(base, PCCT_FILE, "%s: expected an HDF5 file, found a directory", path);
  }
  if (!S_ISREG(facts.st_mode)) {
    return base_fail(base, PCCT_FILE,
                     "%s: expected an HDF5 file, found a device, pipe or socket", path);
  }
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  char byte;
  bool readable = read(descriptor, &byte, 1) >= 0;
  int reason = errno;
  (void)close(descriptor);
  if (!readable) {
    return base_fail(base, PCCT_FILE, "%s: cannot be read: %s", path, strerror(reason));
  }
  return PCCT_OK;
}

static pcct_status check_version(struct base *base, const char *path, hid_t file) {
  int64_t version[2] = {0, 0};
  if (!io_is_own(file)) {
    return PCCT_OK;
  }
  if (!io_read_numbers(file, "format_version", H5T_NATIVE_INT64, 2, version)) {
    return base_fail(base, PCCT_INPUT,
                     "%s: a pcct file without the attribute format_version (two integers)", path);
  }
  if (version[0] != IO_FORMAT_MAJOR) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected a pcct file of format version %d, found version %" PRId64
                     ".%" PRId64 "; read it with the pcct that wrote it, or a newer one",
                     path, IO_FORMAT_MAJOR, version[0], version[1]);
  }
  return PCCT_OK;
}

pcct_status io_open_serial(struct base *base, const char *path, hid_t *file) {
  *file = -1;
  io_silence();
  pcct_status status = check_readable(base, path);
  if (status != PCCT_OK) {
    return status;
  }
  if (H5Fis_hdf5(path) <= 0) {
    return base_fail(base, PCCT_INPUT, "%s: not an HDF5 file; tables in CSV go through pcct import",
                     path);
  }
  hid_t access = io_serial_access();
  hid_t opened = H5Fopen(path, H5F_ACC_RDONLY, access);
  if (opened < 0) {
    struct io_text reason = io_reason();
    bool locked = strstr(reason.text, "lock") != NULL;
    status = base_fail(base, locked ? PCCT_FILE : PCCT_INPUT, "%s: %s (%s)", path,
                       locked ? "cannot be opened; is a program still writing it?"
                              : "a truncated or damaged HDF5 file",
                       reason.text);
  } else {
    status = check_version(base, path, opened);
  }
  if (status != PCCT_OK) {
    io_close_file(&opened);
  }
  io_close_list(&access);
  *file = opened;
  return status;
}

/* ---- attributes */

bool io_read_text(hid_t object, const char *attribute, char *text, size_t size) {
  hid_t handle = -1, type = -1, space = -1, memory = -1;
  bool found = false;
  text[0] = '\0';
  if (H5Aexists(object, attribute) <= 0) {
    return false;
  }
  handle = H5Aopen(object, attribute, H5P_DEFAULT);
  type = H5Aget_type(handle);
  space = H5Aget_space(handle);
  if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) {
    goto cleanup;
  }
  memory = H5Tcopy(H5T_C_S1);
  if (H5Tset_cset(memory, H5Tget_cset(type)) < 0) {
    goto cleanup;
  }
  if (H5Tis_variable_str(type) > 0) {
    char *words = NULL;
    if (H5Tset_size(memory, H5T_VARIABLE) >= 0 && H5Aread(handle, memory, &words) >= 0) {
      found = true;
      snprintf(text, size, "%s", words != NULL ? words : "");
      H5Dvlen_reclaim(memory, space, H5P_DEFAULT, &words);
    }
  } else if (H5Tset_size(memory, size) >= 0) { /* cut or padded, NUL at the end */
    found = H5Aread(handle, memory, text) >= 0;
  }
cleanup:
  io_close_type(&memory);
  io_close_space(&space);
  io_close_type(&type);
  io_close_attribute(&handle);
  return found;
}

bool io_read_numbers(hid_t object, const char *attribute, hid_t memory_type, int64_t count,
                     void *numbers) {
  if (H5Aexists(object, attribute) <= 0) {
    return false;
  }
  hid_t handle = H5Aopen(object, attribute, H5P_DEFAULT);
  hid_t type = H5Aget_type(handle);
  hid_t space = H5Aget_space(handle);
  H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
  bool found = (class == H5T_INTEGER || class == H5T_FLOAT) &&
               H5Sget_simple_extent_npoints(space) == count &&
               H5Aread(handle, memory_type, numbers) >= 0;
  io_close_space(&space);
  io_close_type(&type);
  io_close_attribute(&handle);
  return found;
}

/* ---- datasets */

enum io_kind io_find(hid_t file, const char *path) {
  hid_t object = H5Oopen(file, path, H5P_DEFAULT);
  if (object < 0) {
    return IO_MISSING;
  }
  enum io_kind kind = H5Iget_type(object) == H5I_DATASET ? IO_DATASET : IO_OTHER;
  io_close_object(&object);
  return kind;
}

bool io_get_shape(hid_t dataset, struct io_shape *shape) {
  hid_t space = H5Dget_space(dataset);
  hid_t type = H5Dget_type(dataset);
  hsize_t extent[H5S_MAX_RANK] = {0};
  *shape = (struct io_shape){.extent = {1, 1}, .class = H5T_NO_CLASS};
  bool sound = space >= 0 && type >= 0 && H5Sget_simple_extent_dims(space, extent, NULL) >= 0;
  if (sound) {
    shape->rank = H5Sget_simple_extent_ndims(space);
    for (int j = 0; j < shape->rank && j < 2; j++) {
      shape->extent[j] = (int64_t)extent[j];
    }
    shape->class = H5Tget_class(type);
    shape->size = H5Tget_size(type);
  }
  io_close_type(&type);
  io_close_space(&space);
  return sound;
}

bool io_is_numeric(const struct io_shape *shape) {
  return shape->class == H5T_INTEGER || shape->class == H5T_FLOAT;
}

struct io_text io_obstacle(hid_t dataset) {
  struct io_text obstacle = {""};
  hid_t list = H5Dget_create_plist(dataset);
  if (list < 0) {
    snprintf(obstacle.text, sizeof obstacle.text, "its header is damaged");
    return obstacle;
  }
  if (H5Pget_layout(list) == H5D_VIRTUAL || H5Pget_external_count(list) > 0) {
    snprintf(obstacle.text, sizeof obstacle.text,
             "its values lie in other files; copy them into one with h5repack");
  }
  int filters = H5Pget_nfilters(list);
  for (int i = 0; i < filters && obstacle.text[0] == '\0'; i++) {
    unsigned flags;
    size_t values = 0;
    char name[64] = "";
    H5Z_filter_t filter =
        H5Pget_filter2(list, (unsigned)i, &flags, &values, NULL, sizeof name, name, NULL);
    if (filter >= 0 && H5Zfilter_avail(filter) <= 0) {
      snprintf(obstacle.text, sizeof obstacle.text,
               "this HDF5 lacks the compression filter %d '%s'; repack it with h5repack -f GZIP=1",
               (int)filter, name);
    }
  }
  io_close_list(&list);
  return obstacle;
}

struct io_text io_type_text(hid_t dataset) {
  struct io_text text = {"other"};
  hid_t type = H5Dget_type(dataset);
  H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
  size_t size = type >= 0 ? H5Tget_size(type) : 0;
  switch (class) {
  case H5T_INTEGER:
    snprintf(text.text, sizeof text.text, "%sint%zu", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "",
             8 * size);
    break;
  case H5T_FLOAT:
    snprintf(text.text, sizeof text.text, "float%zu", 8 * size);
    break;
  case H5T_STRING:
    if (H5Tis_variable_str(type) > 0) {
      snprintf(text.text, sizeof text.text, "string");
    } else {
      snprintf(text.text, sizeof text.text, "string[%zu]", size);
    }
    break;
  case H5T_ENUM:
    snprintf(text.text, sizeof text.text, "enum");
    break;
  case H5T_COMPOUND:
    snprintf(text.text, sizeof text.text, "compound");
    break;
  default:
    break;
  }
  io_close_type(&type);
  return text;
}

struct io_text io_shape_text(hid_t dataset) {
  struct io_text text = {"empty"};
  hid_t space = H5Dget_space(dataset);
  hsize_t extent[H5S_MAX_RANK];
  H5S_class_t class = space >= 0 ? H5Sget_simple_extent_type(space) : H5S_NO_CLASS;
  if (class == H5S_SCALAR) {
    snprintf(text.text, sizeof text.text, "scalar");
  } else if (class == H5S_SIMPLE) {
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    size_t used = 0;
    for (int j = 0; j < rank && used < sizeof text.text - 24; j++) {
      used += (size_t)snprintf(text.text + used, sizeof text.text - used, "%s%" PRIu64,
                               j > 0 ? " x " : "", (uint64_t)extent[j]);
    }
  }
  io_close_space(&space);
  return text;
}

struct visit {
  hid_t file;
  io_visitor visitor;
  void *user;
};

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *facts, void *user) {
  const struct visit *visit = user;
  (void)root;
  if (facts->type != H5O_TYPE_DATASET) {
    return 0;
  }
  char path[1024];
  if (snprintf(path, sizeof path, "/%s", name) >= (int)sizeof path) {
    return 0;
  }
  hid_t dataset = H5Dopen2(visit->file, path, H5P_DEFAULT);
  if (dataset < 0) {
    return -1;
  }
  bool more = visit->visitor(visit->user, path, dataset);
  io_close_dataset(&dataset);
  return more ? 0 : 1;
}

bool io_visit_datasets(hid_t file, io_visitor visit, void *user) {
  struct visit state = {.file = file, .visitor = visit, .user = user};
  return H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &state, H5O_INFO_BASIC) >= 0;
}
