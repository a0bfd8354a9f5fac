/*
 * For tests of input files: files that rank 0 makes with HDF5 itself, and checks that every rank makes
 * together.
 */
#ifndef TEST_IO_INPUT_MADE_H
#define TEST_IO_INPUT_MADE_H

#include "io/input.h"
#include "test_base_ranks.h"
#include "test_io_world.h"

#include <hdf5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- files made by rank 0 */

static inline hid_t create_file(const struct world *world) {
  return H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

/* A dataset; groups on the way are made. chunk 0: contiguous; deflate as level, 0: none. */
static inline hid_t create_dataset(hid_t file, const char *path, hid_t type, int rank,
                                   const hsize_t *extent, hsize_t chunk, unsigned deflate) {
  hid_t space = H5Screate_simple(rank, extent, NULL);
  hid_t links = H5Pcreate(H5P_LINK_CREATE);
  hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  if (chunk > 0) {
    const hsize_t chunks[2] = {chunk, rank > 1 ? extent[1] : 0};
    H5Pset_chunk(layout, rank, chunks);
  }
  if (deflate > 0) {
    H5Pset_shuffle(layout);
    H5Pset_deflate(layout, deflate);
  }
  hid_t dataset = H5Dcreate2(file, path, type, space, links, layout, H5P_DEFAULT);
  H5Pclose(layout);
  H5Pclose(links);
  H5Sclose(space);
  return dataset;
}

static inline void put(hid_t file, const char *path, hid_t type, int rank, const hsize_t *extent,
                       hid_t memory_type, const void *values) {
  hid_t dataset = create_dataset(file, path, type, rank, extent, 0, 0);
  H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  H5Dclose(dataset);
}

static inline void put_doubles(hid_t file, const char *path, hsize_t n, hsize_t d,
                               const double *values) {
  const hsize_t extent[2] = {n, d};
  put(file, path, H5T_IEEE_F64LE, d > 0 ? 2 : 1, extent, H5T_NATIVE_DOUBLE, values);
}

static inline void put_text(hid_t object, const char *name, const char *text) {
  hid_t type = H5Tcopy(H5T_C_S1);
  hid_t space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, strlen(text));
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, text);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

static inline void put_version(hid_t file, int major) {
  const hsize_t extent = 2;
  const int version[2] = {major, 0};
  hid_t space = H5Screate_simple(1, &extent, NULL);
  hid_t attribute =
      H5Acreate2(file, "format_version", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, H5T_NATIVE_INT, version);
  H5Aclose(attribute);
  H5Sclose(space);
  put_text(file, "format", "pcct");
}

/* ---- checks that every rank makes together */

/* Uneven shares: rank 1 of several has none. */
static inline void share(const pcct_context *context, int64_t n, int64_t *first, int64_t *count) {
  int64_t begin = 0, end = n;
  if (context->size > 1) {
    int holders = context->size - 1;
    int holder = context->rank > 1 ? context->rank - 1 : context->rank;
    begin = n * holder / holders;
    end = context->rank == 1 ? begin : n * (holder + 1) / holders;
  }
  *first = begin;
  *count = end - begin;
}

/* Whether the open file has value(row, axis) everywhere. Collective. */
static inline bool holds(pcct_context *context, struct input *input,
                         double (*value)(int64_t, int)) {
  int64_t first, count;
  int d = input_dimension(input);
  share(context, input_count(input), &first, &count);
  double *rows = malloc((size_t)(count * d + 1) * sizeof *rows);
  bool right = input_read_coordinates(context, input, first, count, rows) == PCCT_OK;
  for (int64_t i = 0; i < count * d && right; i++) {
    right = rows[i] == value(first + i / d, (int)(i % d));
  }
  free(rows);
  return on_all_ranks(context, right);
}

/* Whether opening fails with a status and one message that has a fragment. Collective. */
static inline bool refuses(const struct world *world, const char *path,
                           const struct input_options *options, pcct_status expected,
                           const char *fragment) {
  struct input *input = NULL;
  base_clear_message(&world->context->base);
  pcct_status status = input_open(world->context, path, options, &input);
  const char *message = pcct_context_message(world->context);
  bool right = agreed_status(world->context, status, expected) && input == NULL &&
               strstr(message, fragment) != NULL && strchr(message, '\n') == NULL;
  if (!right && world->context->rank == 0) {
    print_message("expected %d with '%s', found %d '%s'\n", expected, fragment, status, message);
  }
  input_close(world->context, &input);
  return right;
}

/* ---- contents */

static inline double small_value(int64_t row, int axis) {
  return (double)((row * 7 + axis * 3) % 101);
}

static const double four[8] = {0, 3, 7, 10, 14, 17, 21, 24}; /* small_value, 4 x 2 */

static inline double column_value(int64_t row, int axis) {
  return (double)row + 100.0 * axis;
}

/* ---- what travels along */

/* The place of a carried column, -1 if there is none. */
static inline int find_carried(const struct input *input, const char *name) {
  for (int i = 0; i < input_carried_count(input); i++) {
    if (strcmp(input_carried_name(input, i), name) == 0) {
      return i;
    }
  }
  return -1;
}

/* Whether a carried column is `expected` [n] elements of `size` bytes. Collective. */
static inline bool carries(pcct_context *context, struct input *input, const char *name,
                           int64_t size, const void *expected) {
  char bytes[256];
  int64_t first, count;
  int column = find_carried(input, name);
  if (column < 0 || input_carried_size(input, column) != size) {
    return false;
  }
  share(context, input_count(input), &first, &count);
  bool right = input_read_carried(context, input, column, first, count, bytes) == PCCT_OK &&
               memcmp(bytes, (const char *)expected + first * size, (size_t)(count * size)) == 0;
  return on_all_ranks(context, right);
}

#endif
