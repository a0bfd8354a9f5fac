/* Finding the points in a file. */
#include "io/input_look.h"

#include "io/hdf5_access.h"

#include <stdio.h>
#include <string.h>

static pcct_status bad_shape(struct base *base, const char *path, const char *dataset,
                             const struct input_shape *shape) {
  if (!shape->numeric) {
    return base_fail(base, PCCT_INPUT,
                     "%s: %s: expected integers or floating-point numbers, found %s", path, dataset,
                     shape->type_words);
  }
  return base_fail(base, PCCT_INPUT,
                   "%s: %s: expected n points as n x d with d from 1 to %d, found %s", path,
                   dataset, PCCT_DIMENSION_MAX, shape->size_words);
}

static pcct_status use_dataset(struct base *base, hid_t file, const char *path, const char *dataset,
                               struct input_description *d) {
  struct input_shape shape;
  if (strlen(dataset) >= sizeof d->dataset) {
    return base_fail(base, PCCT_USAGE,
                     "expected a dataset's path of at most %d bytes, found '%.40s...' of %zu",
                     INPUT_PATH_MAX, dataset, strlen(dataset));
  }
  if (!input_look(file, dataset, &shape)) {
    struct input_candidates candidates = input_find_candidates(file, 2);
    return base_fail(base, PCCT_INPUT, "%s: no dataset %s; 2-D numeric datasets here: %s", path,
                     dataset, candidates.list);
  }
  if (!shape.numeric || shape.rank < 1 || shape.rank > 2 ||
      (shape.rank == 2 && (shape.size[1] < 1 || shape.size[1] > PCCT_DIMENSION_MAX))) {
    return bad_shape(base, path, dataset, &shape);
  }
  snprintf(d->dataset, sizeof d->dataset, "%s", dataset);
  d->count = (int64_t)shape.size[0];
  d->dimension = shape.rank == 2 ? (int)shape.size[1] : 1;
  io_read_text(file, dataset, "units", d->units, sizeof d->units);
  return input_check_coordinates(base, file, path, dataset);
}

static pcct_status choose_dataset(struct base *base, hid_t file, const char *path,
                                  struct input_description *d) {
  struct input_shape shape;
  if (input_look(file, "/points/coordinates", &shape)) {
    return use_dataset(base, file, path, "/points/coordinates", d);
  }
  if (input_look(file, "/points", &shape)) {
    return use_dataset(base, file, path, "/points", d);
  }
  struct input_candidates candidates = input_find_candidates(file, 2);
  if (candidates.count == 1 && candidates.too_long) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected a dataset whose path has at most %d bytes, found %.40s...; link "
                     "it to a shorter one",
                     path, INPUT_PATH_MAX, candidates.first);
  }
  if (candidates.count == 1) {
    return use_dataset(base, file, path, candidates.first, d);
  }
  if (candidates.count > 1) {
    return base_fail(base, PCCT_INPUT,
                     "%s: expected /points/coordinates, /points or one 2-D numeric dataset, found "
                     "several: %s; choose one with --dataset",
                     path, candidates.list);
  }
  candidates = input_find_candidates(file, 1);
  return base_fail(
      base, PCCT_INPUT,
      "%s: expected /points/coordinates, /points or a 2-D numeric dataset, found none; "
      "1-D datasets for --columns: %s",
      path, candidates.list);
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
    status = input_use_columns(base, file, path, columns, description);
  } else if (dataset) {
    status = use_dataset(base, file, path, dataset, description);
  } else {
    status = choose_dataset(base, file, path, description);
  }
  if (status == PCCT_OK) {
    status = input_find_companions(base, file, path, description);
  }
  io_read_text(file, ".", "format", description->kind, sizeof description->kind);
  if (strcmp(description->kind, "pcct") == 0) {
    io_read_text(file, ".", "kind", description->kind, sizeof description->kind);
  } else {
    description->kind[0] = '\0';
  }
  H5Fclose(file);
  return status;
}

pcct_status input_check_indices(struct base *base, const char *path, const char *dataset,
                                int64_t count) {
  struct input_shape shape;
  hid_t file = H5I_INVALID_HID;
  pcct_status status = io_open_file(base, path, &file);
  if (status != PCCT_OK) {
    return status;
  }
  if (!input_look(file, dataset, &shape)) {
    status = base_fail(base, PCCT_INPUT, "%s: no dataset %s", path, dataset);
  } else if (!shape.integer || shape.rank != 1 || (int64_t)shape.size[0] != count) {
    status =
        base_fail(base, PCCT_INPUT, "%s: %s: expected integers of shape %lld, found %s of shape %s",
                  path, dataset, (long long)count, shape.type_words, shape.size_words);
  } else {
    status = input_check_storage(base, file, path, dataset);
  }
  H5Fclose(file);
  return status;
}
