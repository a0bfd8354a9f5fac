/* ranks: 1 2 3 */
/* threads: 1 */
/*
 * Datasets that lie in their file in unusual ways: never or partly written, with a filter that is not
 * there, virtual, packed, or too many. Rank 0 makes the files with HDF5 itself.
 */
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
#include <unistd.h>

#include <cmocka.h>

enum { POINTS = 1000, WRITTEN_FIRST = 200, WRITTEN = 300 };

/* Whether opening fails with PCCT_INPUT and one line that has a fragment. Collective. */
static bool refuses(const struct world *world, const char *fragment) {
  struct input *input = NULL;
  base_clear_message(&world->context->base);
  pcct_status status = input_open(world->context, world->path, NULL, &input);
  const char *message = pcct_context_message(world->context);
  bool right = agreed_status(world->context, status, PCCT_INPUT) && input == NULL &&
               strstr(message, fragment) != NULL && strchr(message, '\n') == NULL;
  input_close(world->context, &input);
  return right;
}

/* /points, rows x 2; rows from `first` on are written as 1, 2, 3, ...; chunk 0: contiguous. */
static void make_points(const struct world *world, hsize_t rows, hsize_t chunk, bool deflated,
                        hsize_t first, hsize_t written) {
  const hsize_t extent[2] = {rows, 2}, chunks[2] = {chunk, 2};
  const hsize_t start[2] = {first, 0}, size[2] = {written, 2};
  const double fill = -7;
  double values[2 * WRITTEN];
  for (int i = 0; i < 2 * WRITTEN; i++) {
    values[i] = i + 1;
  }
  hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t space = H5Screate_simple(2, extent, NULL);
  hid_t memory = H5Screate_simple(2, size, NULL);
  hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_fill_value(layout, H5T_NATIVE_DOUBLE, &fill);
  if (chunk > 0) {
    H5Pset_chunk(layout, 2, chunks);
  }
  if (deflated) {
    H5Pset_deflate(layout, 1);
  }
  hid_t dataset =
      H5Dcreate2(file, "/points", H5T_IEEE_F64LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  if (written > 0) {
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
    H5Dwrite(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values);
  }
  H5Dclose(dataset);
  H5Pclose(layout);
  H5Sclose(memory);
  H5Sclose(space);
  H5Fclose(file);
}

/* Whether every rank reads its share, all but rank 0 none if `lonely`. Collective. */
static bool reads(const struct world *world, int64_t written_first, int64_t written, bool lonely) {
  pcct_context *context = world->context;
  struct input *input = NULL;
  int64_t first, count;
  pcct_status status = input_open(context, world->path, NULL, &input);
  if (!agreed_status(context, status, PCCT_OK)) {
    return false;
  }
  pcct_slab(input_count(input), context->rank, context->size, &first, &count);
  if (lonely) {
    first = 0;
    count = context->rank == 0 ? input_count(input) : 0;
  }
  double *rows = malloc((size_t)(2 * count + 1) * sizeof *rows);
  bool right = input_read_coordinates(context, input, first, count, rows) == PCCT_OK;
  for (int64_t i = 0; i < 2 * count && right; i++) {
    int64_t place = 2 * (first - written_first) + i;
    right = rows[i] == (place >= 0 && place < 2 * written ? (double)(place + 1) : -7);
  }
  free(rows);
  right = on_all_ranks(context, right);
  input_close(context, &input);
  return right;
}

/* What was never written reads as the fill value, on any share of the rows. */
static void test_sparse(void **state) {
  const struct world *world = *state;
  static const struct {
    hsize_t rows, chunk, first, written;
    bool deflated;
  } cases[] = {{2, 0, 0, 0, false},
               {2, 1, 0, 0, false},
               {2, 1, 0, 0, true},
               {POINTS, 0, 0, 0, false},
               {POINTS, 70, 0, 0, false},
               {POINTS, 70, WRITTEN_FIRST, WRITTEN, false},
               {POINTS, 70, WRITTEN_FIRST, WRITTEN, true},
               {WRITTEN, 70, 0, WRITTEN, true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (world->context->rank == 0) {
      make_points(world, cases[i].rows, cases[i].chunk, cases[i].deflated, cases[i].first,
                  cases[i].written);
    }
    assert_true(reads(world, (int64_t)cases[i].first, (int64_t)cases[i].written, false));
    assert_true(reads(world, (int64_t)cases[i].first, (int64_t)cases[i].written, true));
  }
}

/* ---- what is refused */

static void put_row(hid_t file, const char *path, hid_t layout, const double *values) {
  const hsize_t extent[2] = {4, 1};
  hid_t space = H5Screate_simple(2, extent, NULL);
  hid_t dataset = H5Dcreate2(file, path, H5T_IEEE_F64LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  if (values != NULL) {
    H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  }
  H5Dclose(dataset);
  H5Sclose(space);
}

static const double four[4] = {1, 2, 3, 4};

/* A filter that leaves the bytes alone. */
static size_t pass(unsigned flags, size_t values, const unsigned value[], size_t bytes,
                   size_t *capacity, void **buffer) {
  (void)flags, (void)values, (void)value, (void)capacity, (void)buffer;
  return bytes;
}

static void test_missing_filter(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                 .id = 300,
                                 .encoder_present = 1,
                                 .decoder_present = 1,
                                 .name = "unheard-of",
                                 .filter = pass};
    const hsize_t chunk[2] = {2, 1};
    H5Zregister(&filter);
    hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(layout, 2, chunk);
    H5Pset_filter(layout, 300, H5Z_FLAG_MANDATORY, 0, NULL);
    put_row(file, "/points", layout, four);
    H5Pclose(layout);
    H5Fclose(file);
    H5Zunregister(300);
  }
  assert_true(refuses(world, "unheard-of"));
}

static void test_virtual(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    const hsize_t extent[2] = {4, 1};
    hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, extent, NULL);
    put_row(file, "/stored", H5P_DEFAULT, four);
    H5Pset_virtual(layout, space, ".", "/stored", space);
    put_row(file, "/points", layout, NULL);
    H5Sclose(space);
    H5Pclose(layout);
    H5Fclose(file);
  }
  assert_true(refuses(world, "virtual"));
}

static void test_packed(void **state) {
  const struct world *world = *state;
  static const char *const names[] = {"scale_factor", "add_offset"};
  for (int i = 0; i < 2; i++) {
    if (world->context->rank == 0) {
      const float value = 0.5f;
      hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
      hid_t space = H5Screate(H5S_SCALAR);
      put_row(file, "/points", H5P_DEFAULT, four);
      hid_t attribute = H5Acreate_by_name(file, "/points", names[i], H5T_IEEE_F32LE, space,
                                          H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      H5Awrite(attribute, H5T_NATIVE_FLOAT, &value);
      H5Aclose(attribute);
      H5Sclose(space);
      H5Fclose(file);
    }
    assert_true(refuses(world, i == 0 ? "scale_factor 0.5, add_offset 0" : "add_offset 0.5"));
  }
}

/* Columns are carried or refused, never lost. */
static void test_many_columns(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  static const int counts[] = {1024, 1025};
  for (int i = 0; i < 2; i++) {
    if (context->rank == 0) {
      const hsize_t n = 4;
      hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
      hid_t group = H5Gcreate2(file, "/data", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      hid_t space = H5Screate_simple(1, &n, NULL);
      put_row(file, "/points", H5P_DEFAULT, four);
      for (int j = 0; j < counts[i]; j++) {
        char name[16];
        snprintf(name, sizeof name, "c%04d", j);
        H5Dclose(
            H5Dcreate2(group, name, H5T_STD_I8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      }
      H5Sclose(space);
      H5Gclose(group);
      H5Fclose(file);
    }
    if (counts[i] > 1024) {
      assert_true(refuses(world, "1024"));
      continue;
    }
    struct input *input = NULL;
    pcct_status status = input_open(context, world->path, NULL, &input);
    assert_true(agreed_status(context, status, PCCT_OK));
    assert_int_equal(input_carried_count(input), counts[i]);
    for (int j = 1; j < counts[i]; j++) {
      assert_true(strcmp(input_carried_name(input, j - 1), input_carried_name(input, j)) < 0);
    }
    input_close(context, &input);
  }
}

/* A version that is no pair of integers is not taken for the known one. */
static void test_odd_version(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    const hsize_t three = 3;
    const int version[3] = {2, 0, 0};
    hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t text = H5Tcopy(H5T_C_S1);
    hid_t scalar = H5Screate(H5S_SCALAR), triple = H5Screate_simple(1, &three, NULL);
    H5Tset_size(text, 4);
    hid_t attribute = H5Acreate2(file, "format", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, text, "pcct");
    H5Aclose(attribute);
    attribute = H5Acreate2(file, "format_version", H5T_STD_I32LE, triple, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT, version);
    H5Aclose(attribute);
    put_row(file, "/points", H5P_DEFAULT, four);
    H5Sclose(triple);
    H5Sclose(scalar);
    H5Tclose(text);
    H5Fclose(file);
  }
  assert_true(refuses(world, "format_version"));
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
  const struct CMUnitTest tests[] = {
      TEST(test_sparse), TEST(test_missing_filter), TEST(test_virtual),
      TEST(test_packed), TEST(test_many_columns),   TEST(test_odd_version),
  };
  int failures = cmocka_run_group_tests_name("storage", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
