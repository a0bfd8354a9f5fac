/*
 * Everything in a file by name: its datasets, and the attributes of a group as text.
 */
#include "io/file.h"

#include "io/file_private.h"
#include "io/hdf5_access.h"
#include "io/hdf5_tools.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_ELEMENTS 16 /* of a longer array attribute */

/* ---- datasets */

struct list {
  struct base *base;
  hid_t file;
  struct file_dataset *datasets;
  int64_t count, capacity;
  pcct_status status;
};

static void describe_dataset(hid_t file, const char *path, struct file_dataset *entry) {
  memset(entry, 0, sizeof *entry);
  snprintf(entry->path, sizeof entry->path, "%s", path);
  snprintf(entry->type, sizeof entry->type, "unreadable");
  hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  if (dataset < 0) {
    return;
  }
  hid_t type = H5Dget_type(dataset);
  hid_t space = H5Dget_space(dataset);
  io_describe_type(type, entry->type, sizeof entry->type);
  io_describe_space(space, entry->shape, sizeof entry->shape);
  io_read_text(dataset, ".", "description", entry->description, sizeof entry->description);
  io_read_text(dataset, ".", "units", entry->units, sizeof entry->units);
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(dataset);
}

/* H5Ovisit's callback: 1 stops the visit. */
static herr_t add_dataset(hid_t root, const char *name, const H5O_info_t *info, void *user) {
  struct list *list = user;
  if (info->type != H5O_TYPE_DATASET) {
    return 0;
  }
  const int64_t size = (int64_t)strlen(name) + 2;
  char *path = base_allocate(list->base, size, 1);
  list->status = path ? base_grow(list->base, (void **)&list->datasets, &list->capacity,
                                  list->count, list->count + 1, sizeof *list->datasets)
                      : PCCT_MEMORY;
  if (list->status == PCCT_OK) {
    snprintf(path, (size_t)size, "/%s", name);
    describe_dataset(root, path, &list->datasets[list->count++]);
  }
  base_free(path);
  return list->status != PCCT_OK;
}

static int compare_paths(const void *a, const void *b) {
  return strcmp(((const struct file_dataset *)a)->path, ((const struct file_dataset *)b)->path);
}

pcct_status file_list_datasets(struct base *base, struct file *file, struct file_dataset **datasets,
                               int *count) {
  struct list list = {.base = base, .file = file->handle};
  *datasets = NULL;
  *count = 0;
  if (H5Ovisit2(file->handle, H5_INDEX_NAME, H5_ITER_INC, add_dataset, &list, H5O_INFO_BASIC) < 0) {
    list.status = base_fail(base, PCCT_INPUT,
                            "%s: its groups cannot be listed: the file is damaged", file->path);
  }
  if (list.status != PCCT_OK) {
    base_free(list.datasets);
    return list.status;
  }
  if (list.count > 0) { /* HDF5 sorts within each group: "/a/b" would come before "/a-b" */
    qsort(list.datasets, (size_t)list.count, sizeof *list.datasets, compare_paths);
  }
  *datasets = list.datasets;
  *count = (int)list.count;
  return PCCT_OK;
}

/* ---- attributes */

/* Text that grows; the first failure stays. */
struct text {
  struct base *base;
  char *words; /* NUL at words[used] once anything was appended */
  int64_t used, capacity;
  pcct_status status;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format,
                                                         ...) {
  char small[1];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(small, sizeof small, format, arguments);
  va_end(arguments);
  if (text->status == PCCT_OK) {
    text->status = base_grow(text->base, (void **)&text->words, &text->capacity, text->used,
                             text->used + length + 1, 1);
  }
  if (text->status == PCCT_OK) {
    va_start(arguments, format);
    vsnprintf(text->words + text->used, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->used += length;
  }
}

/* A string on one line; HDF5 gives an empty one of variable length as NULL. */
static void append_words(struct text *text, const char *words) {
  const int64_t start = text->used;
  append(text, "%s", words ? words : "");
  for (int64_t i = start; i < text->used; i++) {
    if ((unsigned char)text->words[i] < ' ') {
      text->words[i] = ' ';
    }
  }
}

/* The shortest digits that give the same number again. */
static void append_float(struct text *text, double value, bool is_single) {
  char digits[32];
  for (int precision = is_single ? 6 : 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    const double again = strtod(digits, NULL);
    if (is_single ? (float)again == (float)value : again == value) {
      break;
    }
  }
  append(text, "%s", digits);
}

/* One way to read an attribute: the type in memory and how an element is written. */
struct reading {
  hid_t attribute, space, type;
  H5T_class_t class;
  bool is_variable, is_unsigned, is_single;
  size_t size; /* bytes of an element in memory */
};

static void append_element(struct text *text, const struct reading *reading, const char *element) {
  if (reading->class == H5T_STRING) {
    append_words(text, reading->is_variable ? *(const char *const *)element : element);
  } else if (reading->class == H5T_FLOAT) {
    append_float(text, *(const double *)element, reading->is_single);
  } else if (reading->is_unsigned) {
    append(text, "%" PRIu64, *(const uint64_t *)element);
  } else {
    append(text, "%" PRId64, *(const int64_t *)element);
  }
}

/* Opens a type in memory for the attribute's type; false for those that have no plain text. */
static bool choose_memory_type(hid_t stored, struct reading *reading) {
  reading->class = H5Tget_class(stored);
  reading->is_variable = H5Tis_variable_str(stored) > 0;
  if (reading->class == H5T_STRING) {
    reading->type = H5Tcopy(stored);
    if (!reading->is_variable) { /* room for a NUL */
      H5Tset_size(reading->type, H5Tget_size(stored) + 1);
      H5Tset_strpad(reading->type, H5T_STR_NULLTERM);
    }
  } else if (reading->class == H5T_FLOAT) {
    reading->is_single = H5Tget_size(stored) <= sizeof(float);
    reading->type = H5Tcopy(H5T_NATIVE_DOUBLE);
  } else if (reading->class == H5T_INTEGER) {
    reading->is_unsigned = H5Tget_sign(stored) == H5T_SGN_NONE;
    reading->type = H5Tcopy(reading->is_unsigned ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64);
  }
  reading->size = reading->type >= 0 ? H5Tget_size(reading->type) : 0;
  return reading->type >= 0;
}

static void append_elements(struct text *text, const struct reading *reading) {
  const int64_t count = H5Sget_simple_extent_npoints(reading->space);
  const bool is_list = H5Sget_simple_extent_type(reading->space) != H5S_SCALAR;
  char *elements = base_allocate_zero(text->base, count, reading->size);
  if (!elements) {
    text->status = PCCT_MEMORY;
    return;
  }
  if (count > 0 && H5Aread(reading->attribute, reading->type, elements) < 0) {
    append(text, "(unreadable)");
  } else {
    append(text, "%s", is_list ? "[" : "");
    for (int64_t i = 0; i < count && i < SHOWN_ELEMENTS; i++) {
      append(text, "%s", i > 0 ? ", " : "");
      append_element(text, reading, elements + (size_t)i * reading->size);
    }
    append(text, "%s%s", count > SHOWN_ELEMENTS ? ", ..." : "", is_list ? "]" : "");
    if (reading->is_variable && count > 0) {
      H5Dvlen_reclaim(reading->type, reading->space, H5P_DEFAULT, elements);
    }
  }
  base_free(elements);
}

/* H5Aiterate's callback: 1 stops. */
static herr_t add_attribute(hid_t group, const char *name, const H5A_info_t *info, void *user) {
  struct text *text = user;
  char words[32];
  (void)info;
  append(text, "%s", text->used > 0 ? "\n" : "");
  append_words(text, name);
  append(text, " = ");
  struct reading reading = {.type = H5I_INVALID_HID};
  reading.attribute = H5Aopen(group, name, H5P_DEFAULT);
  if (reading.attribute < 0) {
    append(text, "(unreadable)");
    return text->status != PCCT_OK;
  }
  hid_t stored = H5Aget_type(reading.attribute);
  reading.space = H5Aget_space(reading.attribute);
  if (choose_memory_type(stored, &reading)) {
    append_elements(text, &reading);
    H5Tclose(reading.type);
  } else {
    io_describe_type(stored, words, sizeof words);
    append(text, "(%s)", words);
  }
  H5Sclose(reading.space);
  H5Tclose(stored);
  H5Aclose(reading.attribute);
  return text->status != PCCT_OK;
}

pcct_status file_list_attributes(struct base *base, struct file *file, const char *group,
                                 char **text) {
  struct text made = {.base = base};
  *text = NULL;
  append(&made, "%s", ""); /* no attribute: an empty text, not NULL */
  hid_t handle = H5Gopen2(file->handle, group, H5P_DEFAULT);
  if (handle >= 0) {
    hsize_t from = 0;
    if (H5Aiterate2(handle, H5_INDEX_NAME, H5_ITER_INC, &from, add_attribute, &made) < 0) {
      made.status = base_fail(base, PCCT_INPUT,
                              "%s: the attributes of %s cannot be listed: the file is damaged",
                              file->path, group);
    }
    H5Gclose(handle);
  }
  if (made.status != PCCT_OK) {
    base_free(made.words);
    return made.status;
  }
  *text = made.words;
  return PCCT_OK;
}
