/*
 * Small files of pcct's layout, written with HDF5 alone.
 */
#ifndef TEST_IO_FILE_MADE_H
#define TEST_IO_FILE_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { N = 5, D = 2, M = 3, QUERIES = 4 };

static const int64_t permutation[N] = {3, 0, 4, 1, 2};
static const int64_t position[N] = {1, 3, 4, 0, 2};
static const int64_t filled[N] = {0, 1, 2, 3, 3};

static void put_text(hid_t at, const char *name, const char *text) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, strlen(text) + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Awrite(attribute, type, text) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

/* count 0: a scalar */
static void put_numbers(hid_t at, const char *name, hid_t stored, hid_t memory, hsize_t count,
                        const void *numbers) {
  hid_t space = count > 0 ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(at, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Awrite(attribute, memory, numbers) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
}

static void put_integer(hid_t at, const char *name, int64_t value) {
  put_numbers(at, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 0, &value);
}

/* width 0: one dimension. Filtered ones are chunked, with a check sum. */
static void put_dataset(hid_t file, const char *path, hid_t stored, hid_t memory, int64_t rows,
                        int64_t width, bool filtered, const void *elements) {
  const hsize_t extent[2] = {(hsize_t)rows, (hsize_t)width};
  const hsize_t chunk[2] = {2, extent[1]};
  hid_t links = H5Pcreate(H5P_LINK_CREATE);
  hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  hid_t space = H5Screate_simple(width > 0 ? 2 : 1, extent, NULL);
  H5Pset_create_intermediate_group(links, 1);
  if (filtered) {
    H5Pset_chunk(list, width > 0 ? 2 : 1, chunk);
    H5Pset_shuffle(list);
    H5Pset_deflate(list, 1);
    H5Pset_fletcher32(list);
  }
  hid_t dataset = H5Dcreate2(file, path, stored, space, links, list, H5P_DEFAULT);
  assert_true(dataset >= 0);
  if (elements != NULL) {
    assert_true(H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements) >= 0);
  }
  H5Dclose(dataset);
  H5Sclose(space);
  H5Pclose(list);
  H5Pclose(links);
}

static void put_integers(hid_t file, const char *path, int64_t rows, int64_t width) {
  put_dataset(file, path, H5T_STD_I32LE, H5T_NATIVE_INT64, rows, width, false, NULL);
}

static void put_doubles(hid_t file, const char *path, int64_t rows, int64_t width) {
  put_dataset(file, path, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, rows, width, false, NULL);
}

static double coordinate_of(int64_t row, int64_t axis) {
  return (double)row + 0.1 * (double)axis;
}

static int64_t index_of(int64_t row, int64_t k) {
  return k < filled[row] ? row - 1 - k : -1;
}

static double distance_of(int64_t row, int64_t k) {
  return k < filled[row] ? 0.1 + (double)k : INFINITY;
}

static hid_t create_file(const char *path) {
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(file >= 0);
  return file;
}

static hid_t create_own(const char *path, const char *kind, int64_t n, int64_t m) {
  const int64_t version[2] = {1, 0};
  const uint64_t seed = UINT64_MAX;
  const double scale[D] = {1, 0.2};
  hid_t file = create_file(path);
  put_text(file, "format", "pcct");
  put_text(file, "kind", kind);
  put_numbers(file, "format_version", H5T_STD_I32LE, H5T_NATIVE_INT64, 2, version);
  put_integer(file, "n", n);
  put_integer(file, "d", D);
  put_integer(file, "m", m);
  put_text(file, "ordering", m > 0 ? "coordinate:1" : "none");
  put_numbers(file, "seed", H5T_STD_U64LE, H5T_NATIVE_UINT64, 0, &seed);
  put_text(file, "metric", "euclidean");
  put_text(file, "coordinates", "cartesian");
  put_numbers(file, "scale", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, D, scale);
  if (strcmp(kind, "points") != 0) {
    put_integer(file, "duplicates", n > 0 ? 1 : 0);
  }
  if (strcmp(kind, "neighbors") == 0) {
    put_text(file, "queries", "file");
  }
  put_integer(file, "index_fill", -1);
  put_text(file, "dataset", "/points");
  put_text(file, "columns", "");
  return file;
}

static void put_rows(hid_t file, int64_t rows, hid_t index_type, hid_t distance_type,
                     bool filtered) {
  int64_t index[N * M];
  double coordinates[N * D], distance[N * M];
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < D; j++) {
      coordinates[i * D + j] = coordinate_of(i, j);
    }
    for (int64_t k = 0; k < M; k++) {
      index[i * M + k] = index_of(i, k);
      distance[i * M + k] = distance_of(i, k);
    }
  }
  put_dataset(file, "/points/coordinates", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, rows, D, filtered,
              coordinates);
  put_dataset(file, "/neighbors/index", index_type, H5T_NATIVE_INT64, rows, M, filtered, index);
  put_dataset(file, "/neighbors/count", H5T_STD_I32LE, H5T_NATIVE_INT64, rows, 0, filtered, filled);
  if (distance_type >= 0) {
    put_dataset(file, "/neighbors/distance", distance_type, H5T_NATIVE_DOUBLE, rows, M, filtered,
                distance);
  }
}

/* A complete file of conditioning sets, left open. */
static hid_t create_sets(const char *path, bool filtered) {
  hid_t file = create_own(path, "conditioning-sets", N, M);
  put_rows(file, N, H5T_STD_I32LE, H5T_IEEE_F64LE, filtered);
  put_dataset(file, "/ordering/permutation", H5T_STD_I32LE, H5T_NATIVE_INT64, N, 0, filtered,
              permutation);
  put_dataset(file, "/ordering/position", H5T_STD_I32LE, H5T_NATIVE_INT64, N, 0, filtered,
              position);
  return file;
}

#endif
