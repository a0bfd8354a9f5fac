/*
 * Opening a file and checking that it holds what its attributes promise.
 */
#include "io/file.h"

#include "io/file_private.h"
#include "io/hdf5_access.h"
#include "io/hdf5_tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANY_EXTENT ((int64_t)-1)

/* ---- attributes */

static pcct_status read_integer(struct base *base, const struct file *file, const char *name,
                                int64_t smallest, int64_t largest, int64_t *value) {
  if (!io_get_numbers(file->handle, "/", name, H5T_NATIVE_INT64, 1, value)) {
    return base_fail(base, PCCT_INPUT, "%s: attribute %s: expected one integer, found none",
                     file->path, name);
  }
  if (*value < smallest || *value > largest) {
    return base_fail(base, PCCT_INPUT,
                     "%s: attribute %s: expected %" PRId64 " to %" PRId64 ", found %" PRId64,
                     file->path, name, smallest, largest, *value);
  }
  return PCCT_OK;
}

static pcct_status read_text(struct base *base, const struct file *file, const char *name,
                             char *text, size_t size) {
  io_read_text(file->handle, "/", name, text, size);
  return text[0] != '\0'
             ? PCCT_OK
             : base_fail(base, PCCT_INPUT, "%s: attribute %s: expected a text, found none",
                         file->path, name);
}

static bool is_points(const struct file *file) {
  return strcmp(file->summary.kind, "points") == 0;
}

static bool is_sets(const struct file *file) {
  return strcmp(file->summary.kind, "conditioning-sets") == 0;
}

static bool is_ranges(const struct file *file) {
  return strcmp(file->summary.kind, "ranges") == 0;
}

static bool is_index(const struct file *file) {
  return strcmp(file->summary.kind, "index") == 0;
}

/* Kinds with rows of neighbours. */
static bool has_neighbors(const struct file *file) {
  return is_sets(file) || is_ranges(file) || strcmp(file->summary.kind, "neighbors") == 0;
}

/* A kind that this version knows to check. */
static bool is_known(const struct file *file) {
  return is_points(file) || is_index(file) || has_neighbors(file);
}

/* How many there are, and the width of their rows. */
static pcct_status read_sizes(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  const int64_t most_axes = (int64_t)(sizeof summary->scale / sizeof summary->scale[0]);
  int64_t dimension = 0;
  pcct_status status = read_integer(base, file, "n", 0, INT64_MAX, &summary->n);
  if (status == PCCT_OK) {
    status = read_integer(base, file, "d", 1, most_axes, &dimension);
    summary->dimension = (int)dimension;
  }
  if (status == PCCT_OK && has_neighbors(file)) {
    status = read_integer(base, file, "m", !is_ranges(file), INT64_MAX, &summary->width);
  }
  if (status == PCCT_OK && !is_points(file)) {
    status = read_integer(base, file, "duplicates", 0, summary->n, &summary->duplicates);
  }
  return status;
}

/* Who asked in a file of neighbours. */
static pcct_status read_queries(struct base *base, struct file *file) {
  char text[16];
  pcct_status status = read_text(base, file, "queries", text, sizeof text);
  file->summary.foreign_queries = strcmp(text, "file") == 0;
  if (status == PCCT_OK && strcmp(text, "file") != 0 && strcmp(text, "rows") != 0) {
    status = base_fail(base, PCCT_INPUT,
                       "%s: attribute queries: expected \"rows\" or \"file\", found \"%s\"",
                       file->path, text);
  }
  return status;
}

/* What was asked for. */
static pcct_status read_parameters(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  pcct_status status =
      read_text(base, file, "ordering", summary->ordering, sizeof summary->ordering);
  if (status == PCCT_OK) {
    status = read_text(base, file, "metric", summary->metric, sizeof summary->metric);
  }
  if (status == PCCT_OK) {
    status =
        read_text(base, file, "coordinates", summary->coordinates, sizeof summary->coordinates);
  }
  if (status == PCCT_OK && has_neighbors(file) && !is_sets(file)) {
    status = read_queries(base, file);
  }
  if (status == PCCT_OK && is_ranges(file) &&
      (!io_get_numbers(file->handle, "/", "radius", H5T_NATIVE_DOUBLE, 1, &summary->radius) ||
       !(summary->radius >= 0))) {
    status = base_fail(base, PCCT_INPUT,
                       "%s: attribute radius: expected one number of at least 0, found none",
                       file->path);
  }
  if (status != PCCT_OK) {
    return status;
  }
  /* either may be empty */
  io_read_text(file->handle, "/", "dataset", summary->dataset, sizeof summary->dataset);
  io_read_text(file->handle, "/", "columns", summary->columns, sizeof summary->columns);
  if (!io_get_numbers(file->handle, "/", "seed", H5T_NATIVE_UINT64, 1, &summary->seed)) {
    return base_fail(base, PCCT_INPUT, "%s: attribute seed: expected one integer, found none",
                     file->path);
  }
  if (!io_get_numbers(file->handle, "/", "scale", H5T_NATIVE_DOUBLE, summary->dimension,
                      summary->scale)) {
    return base_fail(base, PCCT_INPUT,
                     "%s: attribute scale: expected d = %d numbers, found none or another number "
                     "of them",
                     file->path, summary->dimension);
  }
  io_read_text(file->handle, "/", "condition", summary->condition, sizeof summary->condition);
  io_read_text(file->handle, "/", "group", summary->group, sizeof summary->group);
  io_read_text(file->handle, "/", "mix", summary->mix, sizeof summary->mix);
  io_read_text(file->handle, "/", "clusters", summary->clusters, sizeof summary->clusters);
  summary->observed = summary->n;
  if ((summary->condition[0] != '\0' &&
       (!io_get_numbers(file->handle, "/", "observed", H5T_NATIVE_INT64, 1, &summary->observed) ||
        summary->observed < 0 || summary->observed > summary->n)) ||
      (H5Aexists(file->handle, "radius_factor") > 0 &&
       (!io_get_numbers(file->handle, "/", "radius_factor", H5T_NATIVE_DOUBLE, 1,
                        &summary->radius_factor) ||
        !io_get_numbers(file->handle, "/", "least", H5T_NATIVE_INT64, 1, &summary->least)))) {
    return base_fail(base, PCCT_INPUT,
                     "%s: attributes observed, radius_factor and least: expected numbers, found "
                     "others or none",
                     file->path);
  }
  const int square = summary->dimension * summary->dimension;
  if (H5Aexists(file->handle, "rotation") > 0) {
    if (square > 64 || !io_get_numbers(file->handle, "/", "rotation", H5T_NATIVE_DOUBLE, square,
                                       summary->rotation)) {
      return base_fail(base, PCCT_INPUT,
                       "%s: attribute rotation: expected d x d = %d numbers of at most 64, found "
                       "another number of them",
                       file->path, square);
    }
    summary->rotation_count = square;
  }
  return PCCT_OK;
}

/* ---- datasets */

/* What the attributes promise of a dataset. */
struct promise {
  const char *path;
  H5T_class_t class;
  int rank;
  int64_t extent[2];   /* ANY_EXTENT: filled in with what is there */
  const char *meaning; /* of the extents, e.g. "n x d" */
};

static void describe_promise(const struct promise *promise, char *text, size_t size) {
  char extent[2][24];
  for (int j = 0; j < promise->rank; j++) {
    if (promise->extent[j] == ANY_EXTENT) {
      snprintf(extent[j], sizeof extent[j], "any");
    } else {
      snprintf(extent[j], sizeof extent[j], "%" PRId64, promise->extent[j]);
    }
  }
  snprintf(text, size, "%s%s%s", extent[0], promise->rank > 1 ? " x " : "",
           promise->rank > 1 ? extent[1] : "");
}

/* Whether the extents are as promised. */
static bool keeps_shape(hid_t space, struct promise *promise) {
  hsize_t extent[H5S_MAX_RANK];
  if (H5Sget_simple_extent_dims(space, extent, NULL) != promise->rank) {
    return false;
  }
  for (int j = 0; j < promise->rank; j++) {
    if (promise->extent[j] == ANY_EXTENT && extent[j] <= INT64_MAX) {
      promise->extent[j] = (int64_t)extent[j];
    } else if (promise->extent[j] < 0 || extent[j] != (hsize_t)promise->extent[j]) {
      return false;
    }
  }
  return true;
}

static pcct_status check_dataset(struct base *base, const struct file *file,
                                 struct promise *promise, size_t *type_size) {
  const char *const kind = promise->class == H5T_FLOAT ? "floating-point numbers" : "integers";
  char expected[64], found[64];
  pcct_status status = PCCT_OK;
  hid_t dataset = H5Dopen2(file->handle, promise->path, H5P_DEFAULT);
  describe_promise(promise, expected, sizeof expected);
  if (dataset < 0) {
    return base_fail(base, PCCT_INPUT, "%s: %s: expected a dataset of shape %s (%s), found none",
                     file->path, promise->path, expected, promise->meaning);
  }
  hid_t space = H5Dget_space(dataset);
  hid_t type = H5Dget_type(dataset);
  *type_size = H5Tget_size(type);
  const bool fits =
      *type_size == 4 || *type_size == 8 || (*type_size == 2 && promise->class == H5T_INTEGER);
  if (H5Tget_class(type) != promise->class || !fits) {
    io_describe_type(type, found, sizeof found);
    status = base_fail(base, PCCT_INPUT, "%s: %s: expected %s of 4 or 8 bytes, found %s",
                       file->path, promise->path, kind, found);
  } else if (!keeps_shape(space, promise)) {
    io_describe_space(space, found, sizeof found);
    status = base_fail(base, PCCT_INPUT, "%s: %s: expected shape %s (%s), found %s", file->path,
                       promise->path, expected, promise->meaning, found);
  }
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(dataset);
  return status;
}

static pcct_status check_points(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  const bool queries = summary->foreign_queries; /* may be more or fewer than the points */
  struct promise coordinates = {.path = "/points/coordinates",
                                .class = H5T_FLOAT,
                                .rank = 2,
                                .extent = {queries ? ANY_EXTENT : summary->n, summary->dimension},
                                .meaning = queries ? "queries x d" : "n x d"};
  size_t type_size;
  pcct_status status = check_dataset(base, file, &coordinates, &type_size);
  summary->rows = coordinates.extent[0];
  summary->has_source_row = H5Lexists(file->handle, "/points", H5P_DEFAULT) > 0 &&
                            H5Lexists(file->handle, "/points/source_row", H5P_DEFAULT) > 0;
  if (status == PCCT_OK && summary->has_source_row) {
    struct promise source_row = {.path = "/points/source_row",
                                 .class = H5T_INTEGER,
                                 .rank = 1,
                                 .extent = {summary->rows},
                                 .meaning = "the rows of /points/coordinates"};
    status = check_dataset(base, file, &source_row, &type_size);
  }
  return status;
}

static pcct_status check_ordering(struct base *base, struct file *file) {
  const int64_t n = file->summary.n;
  struct promise promises[] = {
      {"/ordering/permutation", H5T_INTEGER, 1, {n}, "n"},
      {"/ordering/position", H5T_INTEGER, 1, {n}, "n"},
  };
  size_t type_size;
  pcct_status status = check_dataset(base, file, &promises[0], &type_size);
  if (status == PCCT_OK) {
    status = check_dataset(base, file, &promises[1], &type_size);
  }
  file->summary.has_length_scale =
      status == PCCT_OK && H5Lexists(file->handle, "/ordering/length_scale", H5P_DEFAULT) > 0;
  if (file->summary.has_length_scale) {
    struct promise lengths = {"/ordering/length_scale", H5T_FLOAT, 1, {n}, "n"};
    status = check_dataset(base, file, &lengths, &type_size);
  }
  return status;
}

static pcct_status check_neighbors(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  const int64_t rows = summary->rows, width = summary->width;
  struct promise index = {"/neighbors/index", H5T_INTEGER, 2, {rows, width}, "rows x m"};
  struct promise count = {"/neighbors/count", H5T_INTEGER, 1, {rows}, "rows"};
  struct promise distance = {"/neighbors/distance", H5T_FLOAT, 2, {rows, width}, "rows x m"};
  size_t type_size = 0;
  pcct_status status = check_dataset(base, file, &index, &type_size);
  if (status == PCCT_OK) {
    status = check_dataset(base, file, &count, &type_size);
  }
  if (status == PCCT_OK && H5Lexists(file->handle, distance.path, H5P_DEFAULT) > 0) {
    status = check_dataset(base, file, &distance, &type_size);
    summary->distance_size = (int)type_size;
  }
  return status;
}

static pcct_status check_ranges(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  struct promise count = {"/neighbors/count", H5T_INTEGER, 1, {summary->rows}, "rows"};
  struct promise offset = {"/neighbors/offset", H5T_INTEGER, 1, {summary->rows + 1}, "rows + 1"};
  struct promise index = {"/neighbors/index", H5T_INTEGER, 1, {ANY_EXTENT}, "all entries"};
  size_t type_size = 0;
  summary->counts_alone = H5Lexists(file->handle, "/neighbors", H5P_DEFAULT) > 0 &&
                          H5Lexists(file->handle, "/neighbors/offset", H5P_DEFAULT) <= 0;
  if (summary->counts_alone) {
    return check_dataset(base, file, &count, &type_size);
  }
  pcct_status status = check_dataset(base, file, &offset, &type_size);
  if (status == PCCT_OK) {
    status = check_dataset(base, file, &index, &type_size);
    summary->entries = index.extent[0];
  }
  struct promise distance = {
      "/neighbors/distance", H5T_FLOAT, 1, {summary->entries}, "as many as in /neighbors/index"};
  if (status == PCCT_OK && H5Lexists(file->handle, distance.path, H5P_DEFAULT) > 0) {
    status = check_dataset(base, file, &distance, &type_size);
    summary->distance_size = (int)type_size;
  }
  return status;
}

/* First positions of what was built and appended: 0 first, and rising. Without the attribute there is one part. */
static pcct_status read_batches(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  const bool told = H5Aexists(file->handle, "batches") > 0;
  const hid_t attribute = told ? H5Aopen(file->handle, "batches", H5P_DEFAULT) : H5I_INVALID_HID;
  const hid_t space = attribute >= 0 ? H5Aget_space(attribute) : H5I_INVALID_HID;
  summary->batch_count = space >= 0 ? (int64_t)H5Sget_simple_extent_npoints(space) : !told;
  summary->batches = base_allocate_zero(base, summary->batch_count, sizeof *summary->batches);
  bool good = summary->batches && summary->batch_count > 0;
  if (good && told) {
    good = H5Aread(attribute, H5T_NATIVE_INT64, summary->batches) >= 0 && summary->batches[0] == 0;
  }
  for (int64_t i = 1; i < summary->batch_count && good; i++) {
    good = summary->batches[i] >= summary->batches[i - 1] && summary->batches[i] <= summary->n;
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  if (attribute >= 0) {
    H5Aclose(attribute);
  }
  if (!summary->batches) {
    return PCCT_MEMORY;
  }
  return good ? PCCT_OK
              : base_fail(base, PCCT_INPUT,
                          "%s: attribute batches: expected rising integers from 0 on, found none",
                          file->path);
}

static pcct_status check_tree(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  const int64_t n = summary->n;
  struct promise promises[] = {
      {"/tree/first", H5T_INTEGER, 1, {ANY_EXTENT}, "pieces + 1"},
      {"/tree/coordinates", H5T_FLOAT, 2, {n, ANY_EXTENT}, "n x search coordinates"},
      {"/tree/position", H5T_INTEGER, 1, {n}, "n"},
      {"/tree/parent", H5T_INTEGER, 1, {n}, "n"},
      {"/tree/level", H5T_INTEGER, 1, {n}, "n"}};
  size_t type_size;
  pcct_status status = PCCT_OK;
  for (size_t i = 0; i < sizeof promises / sizeof promises[0] && status == PCCT_OK; i++) {
    status = check_dataset(base, file, &promises[i], &type_size);
  }
  if (status == PCCT_OK && (promises[0].extent[0] < 1 ||
                            !io_get_numbers(file->handle, "/tree", "leaf_size", H5T_NATIVE_INT32, 1,
                                            &summary->leaf_size) ||
                            summary->leaf_size < 1)) {
    status =
        base_fail(base, PCCT_INPUT,
                  "%s: /tree: expected a leaf size and where pieces begin, found none", file->path);
  }
  summary->pieces = promises[0].extent[0] - 1;
  summary->tree_dimension = (int)promises[1].extent[1];
  return status;
}

static pcct_status check_datasets(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  summary->has_ordering =
      is_sets(file) || is_index(file) || H5Lexists(file->handle, "/ordering", H5P_DEFAULT) > 0;
  pcct_status status = check_points(base, file);
  if (status == PCCT_OK && summary->has_ordering) {
    status = check_ordering(base, file);
  }
  if (status == PCCT_OK && summary->has_ordering) {
    status = read_batches(base, file);
  }
  if (status == PCCT_OK && is_ranges(file)) {
    status = check_ranges(base, file);
  } else if (status == PCCT_OK && is_index(file)) {
    status = check_tree(base, file);
  } else if (status == PCCT_OK && !is_points(file)) {
    status = check_neighbors(base, file);
  }
  return status;
}

/* ---- the file */

/* Fills the summary; files that pcct did not write keep an empty one. */
static pcct_status understand(struct base *base, struct file *file) {
  struct file_summary *summary = &file->summary;
  char format[16];
  int version[2];
  io_read_text(file->handle, "/", "format", format, sizeof format);
  if (strcmp(format, "pcct") != 0) {
    return PCCT_OK;
  }
  if (!io_get_numbers(file->handle, "/", "format_version", H5T_NATIVE_INT, 2, version)) {
    return base_fail(base, PCCT_INPUT,
                     "%s: attribute format_version: expected two integers, found none", file->path);
  }
  summary->version_major = version[0];
  summary->version_minor = version[1];
  pcct_status status = read_text(base, file, "kind", summary->kind, sizeof summary->kind);
  if (status != PCCT_OK || !is_known(file)) {
    return status;
  }
  status = read_sizes(base, file);
  if (status == PCCT_OK) {
    status = read_parameters(base, file);
  }
  return status == PCCT_OK ? check_datasets(base, file) : status;
}

pcct_status file_open(struct base *base, const char *path, struct file **file) {
  *file = NULL;
  pcct_status status = PCCT_MEMORY;
  struct file *opened = base_allocate_zero(base, 1, sizeof *opened);
  if (!opened) {
    return status;
  }
  opened->handle = H5I_INVALID_HID;
  opened->path = base_allocate(base, (int64_t)strlen(path) + 1, 1);
  if (opened->path) {
    strcpy(opened->path, path);
    status = io_open_file(base, path, &opened->handle);
  }
  if (status == PCCT_OK) {
    status = understand(base, opened);
  }
  if (status == PCCT_OK) {
    *file = opened;
    opened = NULL;
  }
  file_close(&opened);
  return status;
}

void file_close(struct file **file) {
  struct file *old = file ? *file : NULL;
  if (old) {
    if (old->handle >= 0) {
      H5Fclose(old->handle);
    }
    base_free(old->summary.batches);
    base_free(old->path);
    base_free(old);
    *file = NULL;
  }
}

const struct file_summary *file_get_summary(const struct file *file) {
  return &file->summary;
}
