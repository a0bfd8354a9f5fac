/* Two files as one: the rows of one, then those of the other. */
#include "io/hash.h"
#include "io/input_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- joining */

/* The column of that name; -1: none. */
static int find_column(const struct input *input, const char *name) {
  for (int i = 0; i < input->description.carried_count; i++) {
    if (strcmp(input->description.carried[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

/* How a column goes on: 1 with the other's of the same type, 0 with missing values, -1 not at all. */
static int look_at_column(struct base *base, const struct input *input, const struct input *behind,
                          int column, int other) {
  struct input_facts facts, others = {.type = H5I_INVALID_HID};
  int result = -1;
  if (input_get_facts(base, input, column, &facts) == PCCT_OK) {
    if (other < 0) {
      result =
          H5Tequal(facts.type, H5T_NATIVE_DOUBLE) > 0 || H5Tequal(facts.type, H5T_NATIVE_FLOAT) > 0
              ? 0
              : -1;
    } else if (input_get_facts(base, behind, other, &others) == PCCT_OK) {
      result = H5Tequal(facts.type, others.type) > 0 ? 1 : -1;
    }
  }
  base_clear_message(base);
  if (facts.type >= 0) {
    H5Tclose(facts.type);
  }
  if (others.type >= 0) {
    H5Tclose(others.type);
  }
  return result;
}

/* Keeps the columns that both have, or that can have missing values. */
static void match_columns(struct base *base, struct input *input, const struct input *behind) {
  struct input_description *d = &input->description;
  int kept = 0;
  for (int i = 0; i < d->carried_count; i++) {
    const int other = find_column(behind, d->carried[i].name);
    const int how = look_at_column(base, input, behind, i, other);
    if (how >= 0) {
      d->carried[kept] = d->carried[i];
      input->match[kept++] = how > 0 ? other : -1;
    }
  }
  d->carried_count = kept;
  d->has_source_row = d->has_source_row && behind->description.has_source_row;
}

pcct_status input_join(pcct_context *context, struct input *input, const char *path,
                       const struct input_options *options) {
  struct base *base = &context->base;
  struct input *behind = NULL;
  pcct_status status = input_open(context, path, options, &behind);
  if (status == PCCT_OK && behind->description.dimension != input->description.dimension) {
    status =
        base_fail(base, PCCT_INPUT, "%s: expected points with %d coordinates, as in %s, found %d",
                  path, input->description.dimension, input->path, behind->description.dimension);
  }
  if (status == PCCT_OK) {
    input->match = base_allocate(base, input->description.carried_count, sizeof *input->match);
    status = comm_agree(context, input->match ? PCCT_OK : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    match_columns(base, input, behind);
    input->behind = behind;
    behind = NULL;
  }
  input_close(context, &behind);
  return status;
}

int64_t input_joined(const struct input *input) {
  return input->behind ? input->behind->description.count : 0;
}

/* ---- reading */

/* Rows first .. first+count-1 of both, as rows of each. */
struct spans {
  int64_t first, count;               /* of the first file */
  int64_t behind_first, behind_count; /* of the other */
};

static struct spans split(const struct input *input, int64_t first, int64_t count) {
  const int64_t n = input->description.count;
  struct spans spans = {.first = first < n ? first : n};
  spans.count = first + count < n ? count : n - spans.first;
  spans.behind_first = first > n ? first - n : 0;
  spans.behind_count = count - spans.count;
  return spans;
}

pcct_status input_read_coordinates(pcct_context *context, struct input *input, int64_t first,
                                   int64_t count, double *out) {
  if (!input->behind) {
    return input_read_own_coordinates(context, input, first, count, out);
  }
  const struct spans spans = split(input, first, count);
  pcct_status status = input_read_own_coordinates(context, input, spans.first, spans.count, out);
  return status == PCCT_OK
             ? input_read_own_coordinates(context, input->behind, spans.behind_first,
                                          spans.behind_count,
                                          out + spans.count * input->description.dimension)
             : status;
}

/* Missing values of a column of doubles or floats. */
static void fill_missing(int64_t size, int64_t count, char *out) {
  const double wide = NAN;
  const float narrow = NAN;
  for (int64_t i = 0; i < count; i++) {
    memcpy(out + i * size,
           size == (int64_t)sizeof wide ? (const void *)&wide : (const void *)&narrow,
           (size_t)size);
  }
}

pcct_status input_read_carried(pcct_context *context, struct input *input, int column,
                               int64_t first, int64_t count, void *out) {
  if (!input->behind) {
    return input_read_own_carried(context, input, column, first, count, out);
  }
  const struct spans spans = split(input, first, count);
  const int64_t size = input->description.carried[column].size;
  char *rest = (char *)out + spans.count * size;
  pcct_status status =
      input_read_own_carried(context, input, column, spans.first, spans.count, out);
  if (status == PCCT_OK && input->match[column] >= 0) {
    status = input_read_own_carried(context, input->behind, input->match[column],
                                    spans.behind_first, spans.behind_count, rest);
  } else if (status == PCCT_OK) {
    fill_missing(size, spans.behind_count, rest);
  }
  return status;
}

pcct_status input_read_indices(pcct_context *context, struct input *input, const char *dataset,
                               int64_t first, int64_t count, int64_t *out) {
  if (!input->behind) {
    return input_read_own_indices(context, input, dataset, first, count, out);
  }
  const struct spans spans = split(input, first, count);
  pcct_status status =
      input_read_own_indices(context, input, dataset, spans.first, spans.count, out);
  return status == PCCT_OK
             ? input_read_own_indices(context, input->behind, dataset, spans.behind_first,
                                      spans.behind_count, out + spans.count)
             : status;
}

pcct_status input_hash(pcct_context *context, const struct input *input, char hash[17]) {
  struct base *base = &context->base;
  char both[2][17] = {"", ""};
  pcct_status status = context->rank == 0 ? io_hash(base, input->path, both[0]) : PCCT_OK;
  memcpy(hash, both[0], sizeof both[0]);
  if (status == PCCT_OK && context->rank == 0 && input->behind) {
    status = io_hash(base, input->behind->path, both[1]);
    io_hash_bytes(both, sizeof both, hash);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    comm_broadcast(context, hash, 17);
  }
  return status;
}
