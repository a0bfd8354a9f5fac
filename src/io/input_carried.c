/* What travels with the points: columns under /data and /points/source_row. */
#include "io/input_look.h"

#include "io/hdf5_access.h"

#include <stdio.h>
#include <string.h>

/* Whether all ranks can read a dataset. What travels along is left out where they cannot: it is no reason
 * to refuse the points. */
static bool is_readable(hid_t group, const char *name) {
  struct base unheard;
  base_init(&unheard, 1);
  return input_check_storage(&unheard, group, "", name) == PCCT_OK;
}

/* Collects the columns under /data. */
struct collect {
  struct base *base;
  const char *path; /* of the file, for messages */
  struct input_description *description;
  pcct_status status;
};

static herr_t collect_column(hid_t group, const char *name, const H5L_info_t *info, void *user) {
  struct collect *collect = user;
  struct input_description *d = collect->description;
  struct input_shape shape;
  (void)info;
  if (!input_look(group, name, &shape) || shape.rank != 1 || (int64_t)shape.size[0] != d->count ||
      !shape.portable || !is_readable(group, name)) {
    return 0;
  }
  if (strlen(name) >= INPUT_TEXT) {
    collect->status = base_fail(collect->base, PCCT_INPUT,
                                "%s: /data/%.40s...: expected a name of at most %d bytes, found "
                                "%zu; rename it",
                                collect->path, name, INPUT_PATH_MAX, strlen(name));
  } else if (shape.bytes > IO_PIECE_BYTES) {
    collect->status =
        base_fail(collect->base, PCCT_INPUT,
                  "%s: /data/%s: expected elements of at most %lld bytes to carry "
                  "along, found %lld; leave it out",
                  collect->path, name, (long long)IO_PIECE_BYTES, (long long)shape.bytes);
  } else if (d->carried_count == INPUT_CARRIED) {
    collect->status =
        base_fail(collect->base, PCCT_INPUT,
                  "%s: /data: expected at most %d columns to carry along, found more; "
                  "leave some out",
                  collect->path, INPUT_CARRIED);
  } else {
    struct input_column *column = &d->carried[d->carried_count++];
    snprintf(column->name, sizeof column->name, "%s", name);
    column->size = shape.bytes;
  }
  return collect->status != PCCT_OK;
}

pcct_status input_find_companions(struct base *base, hid_t file, const char *path,
                                  struct input_description *d) {
  struct collect collect = {.base = base, .path = path, .description = d, .status = PCCT_OK};
  struct input_shape shape;
  hsize_t at = 0;
  d->has_source_row = input_look(file, "/points/source_row", &shape) && shape.rank == 1 &&
                      shape.integer && (int64_t)shape.size[0] == d->count &&
                      is_readable(file, "/points/source_row");
  if (H5Lexists(file, "/data", H5P_DEFAULT) > 0) {
    H5Literate_by_name(file, "/data", H5_INDEX_NAME, H5_ITER_INC, &at, collect_column, &collect,
                       H5P_DEFAULT);
  }
  return collect.status;
}

pcct_status input_get_facts(struct base *base, const struct input *input, int column,
                            struct input_facts *facts) {
  char path[INPUT_TEXT + sizeof "/data/"];
  *facts = (struct input_facts){.type = H5I_INVALID_HID};
  snprintf(path, sizeof path, "/data/%s", input_carried_name(input, column));
  const hid_t dataset = H5Dopen2(input->file, path, H5P_DEFAULT);
  const hid_t found = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
  facts->type = found >= 0 ? H5Tcopy(found) : H5I_INVALID_HID;
  pcct_status status = PCCT_OK;
  if (facts->type < 0) {
    status =
        base_fail(base, io_get_failure() == IO_FAILURE_CONTENT ? PCCT_INPUT : PCCT_FILE,
                  "%s: the type of %s cannot be read: the file is damaged or the storage failed",
                  input->path, path);
  } else {
    io_read_text(dataset, ".", "description", facts->description, sizeof facts->description);
    io_read_text(dataset, ".", "units", facts->units, sizeof facts->units);
  }
  if (found >= 0) {
    H5Tclose(found);
  }
  if (dataset >= 0) {
    H5Dclose(dataset);
  }
  return status;
}

/* Whether a column has the same type in both. */
static pcct_status check_types(struct base *base, const struct input *input,
                               const struct input *other, int column) {
  struct input_facts facts;
  struct input_facts others = {.type = H5I_INVALID_HID};
  pcct_status status = input_get_facts(base, input, column, &facts);
  if (status == PCCT_OK) {
    status = input_get_facts(base, other, column, &others);
  }
  if (status == PCCT_OK && H5Tequal(facts.type, others.type) <= 0) {
    status = base_fail(base, PCCT_INPUT,
                       "%s: /data/%s: expected the type that it has in %s, found another one",
                       other->path, input_carried_name(other, column), input->path);
  }
  if (facts.type >= 0) {
    H5Tclose(facts.type);
  }
  if (others.type >= 0) {
    H5Tclose(others.type);
  }
  return status;
}

pcct_status input_check_same_columns(pcct_context *context, const struct input *input,
                                     const struct input *other) {
  struct base *base = &context->base;
  const struct input_description *a = &input->description;
  const struct input_description *b = &other->description;
  pcct_status status = PCCT_OK;
  if (a->has_source_row != b->has_source_row) {
    status = base_fail(base, PCCT_INPUT, "%s: expected %s /points/source_row, as in %s",
                       other->path, a->has_source_row ? "a" : "no", input->path);
  }
  /* both come in alphabetical order */
  for (int i = 0; i < a->carried_count && status == PCCT_OK; i++) {
    if (i >= b->carried_count || strcmp(a->carried[i].name, b->carried[i].name) != 0) {
      status =
          base_fail(base, PCCT_INPUT, "%s: expected the columns of %s, found others at /data/%s",
                    other->path, input->path, a->carried[i].name);
    } else {
      status = check_types(base, input, other, i);
    }
  }
  if (status == PCCT_OK && b->carried_count > a->carried_count) {
    status = base_fail(base, PCCT_INPUT, "%s: expected the columns of %s, found /data/%s too",
                       other->path, input->path, b->carried[a->carried_count].name);
  }
  return comm_agree(context, status);
}
