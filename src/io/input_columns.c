/* Points from one dataset an axis. */
#include "io/input_look.h"

#include "io/hdf5_access.h"

#include <stdio.h>
#include <string.h>

/* A column by its path as given, at the top, under /data or under /points; false if there is none. A path
 * that is too long has been refused before. */
static bool find_column(hid_t file, const char *name, char path[INPUT_TEXT],
                        struct input_shape *shape) {
  const char *const folders[] = {"/", "/data/", "/points/"};
  for (int f = name[0] == '/' ? 2 : 0; f < 3; f++) {
    const int length = snprintf(path, INPUT_TEXT, "%s%s", name[0] == '/' ? "" : folders[f], name);
    if (length < INPUT_TEXT && input_look(file, path, shape)) {
      return true;
    }
  }
  return false;
}

static pcct_status use_column(struct base *base, hid_t file, const char *path, const char *name,
                              struct input_description *d) {
  struct input_shape shape;
  if (name[0] == '\0') {
    return base_fail(base, PCCT_USAGE, "--columns %.200s names an empty column", d->columns);
  }
  if (d->dimension == INPUT_AXES) {
    return base_fail(base, PCCT_USAGE, "--columns names more than %d columns", INPUT_AXES);
  }
  if (strlen(name) + sizeof "/points/" > INPUT_TEXT && name[0] != '/') {
    return base_fail(base, PCCT_USAGE,
                     "--columns: expected names of at most %zu bytes, found '%.40s...' of %zu",
                     INPUT_TEXT - sizeof "/points/", name, strlen(name));
  }
  if (strlen(name) >= INPUT_TEXT) {
    return base_fail(base, PCCT_USAGE,
                     "--columns: expected paths of at most %d bytes, found '%.40s...' of %zu",
                     INPUT_PATH_MAX, name, strlen(name));
  }
  char *axis = d->axis_path[d->dimension];
  if (!find_column(file, name, axis, &shape)) {
    const struct input_candidates candidates = input_find_candidates(file, 1);
    return base_fail(base, PCCT_INPUT, "%s: no column %s; 1-D numeric datasets here: %s", path,
                     name, candidates.list);
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
  return input_check_coordinates(base, file, path, axis);
}

/* The columns' units: one for all where they agree, else one each. */
static void join_units(hid_t file, struct input_description *d) {
  char first[INPUT_UNIT], unit[INPUT_UNIT];
  bool same = true, any = false;
  size_t used = 0;
  for (int j = 0; j < d->dimension; j++) {
    io_read_text(file, d->axis_path[j], "units", unit, sizeof unit);
    if (j == 0) {
      memcpy(first, unit, sizeof first);
    }
    same = same && strcmp(unit, first) == 0;
    any = any || unit[0] != '\0';
    used += (size_t)snprintf(d->units + used, sizeof d->units - used, "%s%s", j > 0 ? ", " : "",
                             unit[0] != '\0' ? unit : "1");
  }
  if (same || !any) {
    snprintf(d->units, sizeof d->units, "%s", first);
  }
}

pcct_status input_use_columns(struct base *base, hid_t file, const char *path, const char *columns,
                              struct input_description *d) {
  char names[INPUT_COLUMNS_TEXT];
  if (strlen(columns) >= sizeof names) {
    return base_fail(base, PCCT_USAGE,
                     "--columns: expected at most %d bytes in all, found %zu; give the datasets "
                     "shorter paths",
                     INPUT_COLUMNS_MAX, strlen(columns));
  }
  snprintf(names, sizeof names, "%s", columns);
  snprintf(d->columns, sizeof d->columns, "%s", columns);
  d->by_columns = 1;
  pcct_status status = PCCT_OK;
  char *rest = names;
  while (rest && status == PCCT_OK) {
    status = use_column(base, file, path, strsep(&rest, ","), d);
  }
  if (status == PCCT_OK) {
    join_units(file, d);
  }
  return status;
}
