/* Finding the points in a file. */
#include "io/input_private.h"

#include "io/hdf5_access.h"
#include "io/hdf5_storage.h"
#include "io/hdf5_tools.h"

#include <stdio.h>
#include <string.h>

/* A dataset's shape and whether it holds numbers. */
struct shape {
  int rank;
  hsize_t size[H5S_MAX_RANK];
  int numeric;
  int integer;
  int text; /* fixed-length strings */
  int64_t bytes;
  char type_words[32], size_words[64]; /* for messages */
};

static int look_at(hid_t file, const char *path, struct shape *shape) {
  hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  if (dataset < 0) {
    return -1;
  }
  hid_t space = H5Dget_space(dataset);
  hid_t type = H5Dget_type(dataset);
  H5T_class_t class = H5Tget_class(type);
  shape->rank = H5Sget_simple_extent_dims(space, shape->size, NULL);
  shape->integer = class == H5T_INTEGER;
  shape->numeric = class == H5T_INTEGER || class == H5T_FLOAT;
  shape->text = class == H5T_STRING && H5Tis_variable_str(type) == 0;
  shape->bytes = (int64_t)H5Tget_size(type);
  io_describe_type(type, shape->type_words, sizeof shape->type_words);
  io_describe_space(space, shape->size_words, sizeof shape->size_words);
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(dataset);
  return 0;
}

/* Paths that an error message lists. */
struct candidates {
  hid_t file;
  int rank; /* wanted number of dimensions */
  int count;
  char first[INPUT_TEXT];
  char list[600];
};

static void add_candidate(struct candidates *candidates, const char *path) {
  const size_t used = strlen(candidates->list);
  if (candidates->count == 0) {
    snprintf(candidates->first, sizeof candidates->first, "%s", path);
  }
  if (used + strlen(path) + 8 < sizeof candidates->list) {
    snprintf(candidates->list + used, sizeof candidates->list - used, "%s%s", used ? ", " : "",
             path);
  } else if (used && strcmp(candidates->list + used - 3, "...") != 0) {
    snprintf(candidates->list + used, sizeof candidates->list - used, ", ...");
  }
  candidates->count++;
}

static herr_t visit(hid_t group, const char *name, const H5O_info_t *info, void *user) {
  struct candidates *candidates = user;
  struct shape shape;
  char path[INPUT_TEXT];
  (void)group;
  if (info->type != H5O_TYPE_DATASET || strlen(name) + 2 > sizeof path) {
    return 0;
  }
  snprintf(path, sizeof path, "/%s", name);
  if (look_at(candidates->file, path, &shape) == 0 && shape.numeric &&
      shape.rank == candidates->rank) {
    add_candidate(candidates, path);
  }
  return 0;
}

/* All numeric datasets of so many dimensions. */
static struct candidates find_candidates(hid_t file, int rank) {
  struct candidates candidates = {.file = file, .rank = rank};
  H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, &candidates, H5O_INFO_BASIC);
  return candidates;
}

static pcct_status bad_shape(struct base *base, const char *path, const char *dataset,
                             const struct shape *shape) {
  if (!shape->numeric) {
    return base_fail(base, PCCT_INPUT,
                     "%s: %s: expected integers or floating-point numbers, found %s", path, dataset,
                     shape->type_words);
  }
  return base_fail(base, PCCT_INPUT,
                   "%s: %s: expected n points as n x d with d from 1 to %d, found %s", path,
                   dataset, PCCT_DIMENSION_MAX, shape->size_words);
}

/* Coordinates must be readable, and be what is stored: netCDF may pack them. */
static pcct_status check_coordinates(struct base *base, hid_t file, const char *path,
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
  return io_check_storage(base, file, path, dataset);
}

static pcct_status use_dataset(struct base *base, hid_t file, const char *path, const char *dataset,
                               struct input_description *d) {
  struct shape shape;
  if (strlen(dataset) >= sizeof d->dataset) {
    return base_fail(base, PCCT_USAGE, "the dataset's name is longer than %zu characters",
                     sizeof d->dataset - 1);
  }
  if (look_at(file, dataset, &shape) != 0) {
    struct candidates candidates = find_candidates(file, 2);
    return base_fail(base, PCCT_INPUT, "%s: no dataset %s; 2-D numeric datasets here: %s", path,
                     dataset, candidates.count ? candidates.list : "none");
  }
  if (!shape.numeric || shape.rank < 1 || shape.rank > 2 ||
      (shape.rank == 2 && (shape.size[1] < 1 || shape.size[1] > PCCT_DIMENSION_MAX))) {
    return bad_shape(base, path, dataset, &shape);
  }
  snprintf(d->dataset, sizeof d->dataset, "%s", dataset);
  d->count = (int64_t)shape.size[0];
  d->dimension = shape.rank == 2 ? (int)shape.size[1] : 1;
  return check_coordinates(base, file, path, dataset);
}

static pcct_status choose_dataset(struct base *base, hid_t file, const char *path,
                                  struct input_description *d) {
  struct shape shape;
  if (look_at(file, "/points/coordinates", &shape) == 0) {
    return use_dataset(base, file, path, "/points/coordinates", d);
  }
  if (look_at(file, "/points", &shape) == 0) {
    return use_dataset(base, file, path, "/points", d);
  }
  struct candidates candidates = find_candidates(file, 2);
  if (candidates.count == 1) {
    return use_dataset(base, file, path, candidates.first, d);
  }
  if (candidates.count > 1) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected /points/coordinates, /points or one 2-D numeric dataset, found "
                     "several: %s; choose one with --dataset",
                     path, candidates.list);
  }
  candidates = find_candidates(file, 1);
  return base_fail(
      base, PCCT_INPUT,
      "%s: expected /points/coordinates, /points or a 2-D numeric dataset, found none; "
      "1-D datasets for --columns: %s",
      path, candidates.count ? candidates.list : "none");
}

/* A column by its path as given, at the top, under /data or under /points. */
static int find_column(hid_t file, const char *name, char path[INPUT_TEXT], struct shape *shape) {
  const char *const folders[] = {"/", "/data/", "/points/"};
  for (int f = name[0] == '/' ? 2 : 0; f < 3; f++) {
    const int length = snprintf(path, INPUT_TEXT, "%s%s", name[0] == '/' ? "" : folders[f], name);
    if (length < INPUT_TEXT && look_at(file, path, shape) == 0) {
      return 0;
    }
  }
  return -1;
}

static pcct_status use_column(struct base *base, hid_t file, const char *path, const char *name,
                              struct input_description *d) {
  struct shape shape;
  if (d->dimension == PCCT_DIMENSION_MAX) {
    return base_fail(base, PCCT_USAGE, "--columns names more than %d columns", PCCT_DIMENSION_MAX);
  }
  char *axis = d->axis_path[d->dimension];
  if (find_column(file, name, axis, &shape) != 0) {
    struct candidates candidates = find_candidates(file, 1);
    return base_fail(base, PCCT_INPUT, "%s: no column %s; 1-D numeric datasets here: %s", path,
                     name, candidates.count ? candidates.list : "none");
  }
  if (!shape.numeric || shape.rank != 1) {
    return base_fail(base, PCCT_INPUT,
                     "%s: column %s: expected a 1-D dataset of numbers, found %s of shape %s", path,
                     axis, shape.type_words, shape.size_words);
  }
  if (d->dimension > 0 && (int64_t)shape.size[0] != d->count) {
    return base_fail(base, PCCT_INPUT,
                     "%s: columns must have one length: %s has %lld values, %s has %lld", path,
                     d->axis_path[0], (long long)d->count, axis, (long long)shape.size[0]);
  }
  d->count = (int64_t)shape.size[0];
  d->dimension++;
  return check_coordinates(base, file, path, axis);
}

static pcct_status use_columns(struct base *base, hid_t file, const char *path, const char *columns,
                               struct input_description *d) {
  char names[sizeof d->columns];
  if (strlen(columns) >= sizeof names) {
    return base_fail(base, PCCT_USAGE, "--columns is longer than %zu characters", sizeof names - 1);
  }
  snprintf(names, sizeof names, "%s", columns);
  snprintf(d->columns, sizeof d->columns, "%s", columns);
  d->by_columns = 1;
  pcct_status status = PCCT_OK;
  char *rest = names;
  while (rest && status == PCCT_OK) {
    char *name = strsep(&rest, ",");
    status = name[0] ? use_column(base, file, path, name, d)
                     : base_fail(base, PCCT_USAGE, "--columns %s names an empty column", columns);
  }
  return status;
}

/* Collects the columns under /data. */
struct collect {
  struct base *base;
  hid_t file;
  const char *path; /* of the file, for messages */
  struct input_description *description;
  pcct_status status;
};

static herr_t collect_column(hid_t group, const char *name, const H5L_info_t *info, void *user) {
  struct collect *collect = user;
  struct input_description *d = collect->description;
  struct shape shape;
  char path[INPUT_TEXT + 8];
  (void)group;
  (void)info;
  if (strlen(name) >= INPUT_TEXT) {
    collect->status = base_fail(collect->base, PCCT_INPUT,
                                "%s: /data/%.40s...: expected a name of at most %d bytes, found "
                                "%zu; rename it",
                                collect->path, name, INPUT_TEXT - 1, strlen(name));
    return 1;
  }
  snprintf(path, sizeof path, "/data/%s", name);
  if (look_at(collect->file, path, &shape) != 0 || shape.rank != 1 ||
      (int64_t)shape.size[0] != d->count || (!shape.numeric && !shape.text)) {
    return 0;
  }
  if (d->carried_count == INPUT_CARRIED) {
    collect->status =
        base_fail(collect->base, PCCT_INPUT,
                  "%s: /data: expected at most %d columns to carry along, found more; "
                  "leave some out",
                  collect->path, INPUT_CARRIED);
    return 1;
  }
  struct input_column *column = &d->carried[d->carried_count++];
  snprintf(column->name, sizeof column->name, "%s", name);
  column->size = shape.bytes;
  collect->status = io_check_storage(collect->base, collect->file, collect->path, path);
  return collect->status != PCCT_OK;
}

static pcct_status find_companions(struct base *base, hid_t file, const char *path,
                                   struct input_description *d) {
  struct collect collect = {
      .base = base, .file = file, .path = path, .description = d, .status = PCCT_OK};
  struct shape shape;
  hsize_t at = 0;
  d->has_source_row = look_at(file, "/points/source_row", &shape) == 0 && shape.rank == 1 &&
                      shape.integer && (int64_t)shape.size[0] == d->count;
  if (H5Lexists(file, "/data", H5P_DEFAULT) > 0) {
    H5Literate_by_name(file, "/data", H5_INDEX_NAME, H5_ITER_INC, &at, collect_column, &collect,
                       H5P_DEFAULT);
  }
  io_read_text(file, d->by_columns ? d->axis_path[0] : d->dataset, "units", d->units,
               sizeof d->units);
  return collect.status;
}

pcct_status input_describe(struct base *base, const char *path, const struct input_options *options,
                           struct input_description *description) {
  const char *dataset = options ? options->dataset : NULL;
  const char *columns = options ? options->columns : NULL;
  hid_t file = H5I_INVALID_HID;
  memset(description, 0, sizeof *description);
  if (dataset && columns) {
    return base_fail(base, PCCT_USAGE, "expected --dataset or --columns, found both");
  }
  pcct_status status = io_open_file(base, path, &file);
  if (status != PCCT_OK) {
    return status;
  }
  if (columns) {
    status = use_columns(base, file, path, columns, description);
  } else if (dataset) {
    status = use_dataset(base, file, path, dataset, description);
  } else {
    status = choose_dataset(base, file, path, description);
  }
  if (status == PCCT_OK) {
    status = find_companions(base, file, path, description);
  }
  H5Fclose(file);
  return status;
}
