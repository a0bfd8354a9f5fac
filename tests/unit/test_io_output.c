/* ranks: 1 2 3 */
/* threads: 1 */
/*
 * Output files: written collectively, read back by HDF5 alone. Runs on any number of ranks.
 */
#include "test_io_output_made.h"

#include <hdf5_hl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

struct variant {
  int64_t n, block_rows;
  int compress;
  enum output_distances distances;
  bool wide;       /* rows come with 64-bit indices */
  bool last_alone; /* the last rank has all rows */
  int64_t piece_bytes;
};

/* All datasets in blocks. */
static pcct_status write_all(pcct_context *context, struct output *output,
                             const struct variant *variant) {
  pcct_status status = PCCT_OK;
  bool collective = true;
  for (int64_t begin = 0; begin < variant->n && status == PCCT_OK; begin += variant->block_rows) {
    int64_t rest = variant->n - begin;
    int64_t rows = rest < variant->block_rows ? rest : variant->block_rows;
    int64_t first, count;
    pcct_slab(rows, context->rank, context->size, &first, &count);
    if (variant->last_alone) {
      first = 0;
      count = context->rank == context->size - 1 ? rows : 0;
    }
    first += begin;
    struct block block;
    make_block(&block, first, count, variant->wide);
    pcct_status results[7];
    results[0] = output_write_rows(context, output, &block.rows);
    collective &= was_collective(output);
    results[1] = output_write_permutation(context, output, first, count, block.numbers);
    results[2] = output_write_position(context, output, first, count, block.numbers);
    collective &= was_collective(output);
    results[3] = output_write_coordinates(context, output, first, count, block.coordinates);
    collective &= was_collective(output);
    results[4] = output_write_source_row(context, output, first, count, block.numbers);
    results[5] = output_write_column(context, output, "code", first, count, block.codes);
    collective &= was_collective(output);
    results[6] = output_write_column(context, output, "height", first, count, block.numbers);
    collective &= was_collective(output);
    for (int i = 0; i < 7; i++) {
      status = status == PCCT_OK ? results[i] : status;
    }
    drop_block(&block);
  }
  assert_true(on_all_ranks(context, collective));
  return status;
}

static pcct_status make_file(pcct_context *context, const char *path,
                             const struct variant *variant) {
  const struct output_header header = make_header(variant->n);
  const struct output_options options = {
      .overwrite = true, .compress = variant->compress, .distances = variant->distances};
  struct output *output = NULL;
  int64_t piece_bytes = context->piece_bytes;
  if (variant->piece_bytes > 0) {
    context->piece_bytes = variant->piece_bytes;
  }
  pcct_status status = output_create(context, path, &options, &header, &output);
  if (status == PCCT_OK) {
    status = output_add_column(context, output, "code", 2, "two letters", "");
  }
  if (status == PCCT_OK) {
    status = output_add_column(context, output, "height", -1, "height", "m");
  }
  if (status == PCCT_OK) {
    status = write_all(context, output, variant);
  }
  if (status == PCCT_OK) {
    status = output_commit(context, &output, &some_provenance);
  }
  output_discard(context, &output);
  context->piece_bytes = piece_bytes;
  return status;
}

/* ---- reading back, on rank 0 */

/* Reads a dataset after checking its type and extents. */
static void read_all(hid_t file, const char *path, hid_t type, int64_t rows, int64_t width,
                     void *out) {
  hsize_t extent[2] = {0, 1};
  const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  assert_true(dataset >= 0);
  const hid_t space = H5Dget_space(dataset);
  const hid_t found = H5Dget_type(dataset);
  assert_true(H5Tequal(found, type) > 0);
  assert_int_equal(H5Sget_simple_extent_ndims(space), width > 1 ? 2 : 1);
  H5Sget_simple_extent_dims(space, extent, NULL);
  assert_int_equal(extent[0], rows);
  assert_int_equal(extent[1], width);
  assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
  H5Tclose(found);
  H5Sclose(space);
  H5Dclose(dataset);
}

static void assert_text(hid_t file, const char *object, const char *name, const char *expected) {
  char text[256] = "";
  const hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(attribute >= 0);
  const hid_t type = H5Aget_type(attribute);
  assert_int_equal(H5Tget_class(type), H5T_STRING);
  assert_int_equal(H5Tis_variable_str(type), 0);
  assert_int_equal(H5Tget_cset(type), H5T_CSET_UTF8);
  assert_int_equal(H5Tget_size(type), expected[0] ? strlen(expected) : 1);
  assert_true(H5Aread(attribute, type, text) >= 0);
  assert_string_equal(text, expected);
  H5Tclose(type);
  H5Aclose(attribute);
}

static void assert_integer(hid_t file, const char *object, const char *name, int64_t expected) {
  int64_t value = 0;
  assert_true(H5LTget_attribute(file, object, name, H5T_NATIVE_INT64, &value) >= 0);
  assert_int_equal(value, expected);
}

static void check_attributes(hid_t file, const struct variant *variant) {
  int32_t version[2] = {0, 0};
  double scale[AXES], seconds;
  uint64_t seed;
  assert_text(file, "/", "format", "pcct");
  assert_text(file, "/", "kind", "conditioning-sets");
  assert_text(file, "/", "ordering", "coordinate:1");
  assert_text(file, "/", "metric", "euclidean");
  assert_text(file, "/", "coordinates", "cartesian");
  assert_text(file, "/", "dataset", "/points");
  assert_text(file, "/", "columns", "");
  assert_integer(file, "/", "n", variant->n);
  assert_integer(file, "/", "d", AXES);
  assert_integer(file, "/", "m", WIDTH);
  assert_integer(file, "/", "duplicates", 3);
  assert_integer(file, "/", "index_fill", -1);
  assert_true(H5LTget_attribute(file, "/", "format_version", H5T_NATIVE_INT32, version) >= 0);
  assert_true(version[0] == 1 && version[1] == 0);
  assert_true(H5LTget_attribute(file, "/", "seed", H5T_NATIVE_UINT64, &seed) >= 0);
  assert_true(seed == UINT64_MAX - 1);
  assert_true(H5LTget_attribute(file, "/", "scale", H5T_NATIVE_DOUBLE, scale) >= 0);
  assert_true(scale[0] == 1 && scale[1] == 0.5);
  assert_text(file, "/provenance", "command_line", "pcct test");
  assert_text(file, "/provenance", "version", pcct_version());
  assert_text(file, "/provenance", "input_path", "in.h5");
  assert_text(file, "/provenance", "input_hash", "0123456789abcdef");
  assert_integer(file, "/provenance", "threads", 3);
  int size;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  assert_integer(file, "/provenance", "ranks", size);
  assert_true(H5LTget_attribute_double(file, "/provenance", "seconds", &seconds) >= 0);
  assert_true(seconds == 1.5);
  static const char *const others[] = {"git_commit", "hdf5_version", "mpi_version", "host", "date"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_true(H5Aexists_by_name(file, "/provenance", others[i], H5P_DEFAULT) > 0);
  }
}

/* Every dataset says what it is; all but the scales have one scale for each dimension. */
static herr_t check_dataset(hid_t file, const char *name, const H5O_info_t *info, void *count) {
  if (info->type != H5O_TYPE_DATASET) {
    return 0;
  }
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  assert_true(H5Aexists(dataset, "description") > 0);
  assert_true(H5Aexists(dataset, "units") > 0);
  if (H5DSis_scale(dataset) > 0) {
    assert_true(H5Dget_storage_size(dataset) == (hsize_t)H5Sget_simple_extent_npoints(space));
  } else {
    for (int i = 0; i < H5Sget_simple_extent_ndims(space); i++) {
      char label[32] = "";
      assert_int_equal(H5DSget_num_scales(dataset, (unsigned)i), 1);
      assert_true(H5DSget_label(dataset, (unsigned)i, label, sizeof label) > 0);
    }
    ++*(int *)count;
  }
  H5Sclose(space);
  H5Dclose(dataset);
  return 0;
}

static void check_contents(hid_t file, const struct variant *variant) {
  const int64_t n = variant->n;
  const size_t room = (size_t)n + 1;
  struct block block;
  make_block(&block, 0, n, false);
  void *found = calloc(room, WIDTH * sizeof(double));
  read_all(file, "/neighbors/index", H5T_NATIVE_INT32, n, WIDTH, found);
  assert_memory_equal(found, block.rows.index32, (size_t)n * WIDTH * sizeof(int32_t));
  read_all(file, "/neighbors/count", H5T_NATIVE_INT32, n, 1, found);
  assert_memory_equal(found, block.rows.filled, (size_t)n * sizeof(int32_t));
  if (variant->distances == OUTPUT_F8) {
    read_all(file, "/neighbors/distance", H5T_NATIVE_DOUBLE, n, WIDTH, found);
    assert_memory_equal(found, block.rows.distance, (size_t)n * WIDTH * sizeof(double));
  } else if (variant->distances == OUTPUT_F4) {
    read_all(file, "/neighbors/distance", H5T_NATIVE_FLOAT, n, WIDTH, found);
    for (int64_t i = 0; i < n * WIDTH; i++) {
      assert_true(((float *)found)[i] == (float)block.rows.distance[i]);
    }
  } else {
    assert_true(H5Lexists(file, "/neighbors/distance", H5P_DEFAULT) == 0);
  }
  read_all(file, "/points/coordinates", H5T_NATIVE_DOUBLE, n, AXES, found);
  assert_memory_equal(found, block.coordinates, (size_t)n * AXES * sizeof(double));
  static const char *const indices[] = {"/ordering/permutation", "/ordering/position"};
  for (int k = 0; k < 2; k++) {
    read_all(file, indices[k], H5T_NATIVE_INT32, n, 1, found);
    for (int64_t i = 0; i < n; i++) {
      assert_int_equal(((int32_t *)found)[i], block.numbers[i]);
    }
  }
  static const char *const numbers[] = {"/points/source_row", "/data/height"};
  for (int k = 0; k < 2; k++) {
    read_all(file, numbers[k], H5T_NATIVE_INT64, n, 1, found);
    assert_memory_equal(found, block.numbers, (size_t)n * sizeof(int64_t));
  }
  const hid_t code = H5Tcopy(H5T_C_S1);
  H5Tset_size(code, 2);
  H5Tset_strpad(code, H5T_STR_NULLPAD);
  H5Tset_cset(code, H5T_CSET_UTF8);
  read_all(file, "/data/code", code, n, 1, found);
  assert_memory_equal(found, block.codes, (size_t)n * 2);
  H5Tclose(code);
  free(found);
  drop_block(&block);
}

static void check_file(const char *path, const struct variant *variant) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  assert_true(file >= 0);
  int datasets = 0;
  check_attributes(file, variant);
  check_contents(file, variant);
  assert_true(
      H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, check_dataset, &datasets, H5O_INFO_BASIC) >= 0);
  assert_int_equal(datasets, variant->distances == OUTPUT_NONE ? 8 : 9);
  assert_text(file, "/points/coordinates", "units", "m");
  assert_text(file, "/neighbors/index", "units", "1");
  if (variant->distances != OUTPUT_NONE) {
    assert_text(file, "/neighbors/distance", "units", "1"); /* there is a scale */
  }
  const hid_t dataset = H5Dopen2(file, "/neighbors/index", H5P_DEFAULT);
  const hid_t list = H5Dget_create_plist(dataset);
  assert_int_equal(H5Pget_nfilters(list), variant->compress > 0 && variant->n > 0 ? 2 : 0);
  H5Pclose(list);
  H5Dclose(dataset);
  H5Fclose(file);
}

static void test_round_trip(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  static const struct variant variants[] = {
      {.n = 1000, .block_rows = 1000},
      {.n = 1000, .block_rows = 7, .last_alone = true},
      {.n = 1000, .block_rows = 300, .compress = 4},
      {.n = 1000, .block_rows = 999, .compress = 9, .last_alone = true, .distances = OUTPUT_F4},
      {.n = 1000, .block_rows = 400, .wide = true, .distances = OUTPUT_F4, .piece_bytes = 100},
      {.n = 60000, .block_rows = 25000, .compress = 1}, /* several chunks, cut anywhere */
      {.n = 60000, .block_rows = 60000, .piece_bytes = 100000},
      {.n = 1, .block_rows = 1, .distances = OUTPUT_NONE},
      {.n = 2, .block_rows = 1, .compress = 1},
      {.n = 0, .block_rows = 1},
      {.n = 0, .block_rows = 1, .compress = 1},
  };
  char path[PATH_BYTES], part[PATH_BYTES];
  name_of(fixture, "out.h5", path);
  name_of(fixture, "out.h5.part", part);
  for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
    pcct_status status = make_file(context, path, &variants[i]);
    assert_true(agreed_status(context, status, PCCT_OK));
    if (context->rank == 0) {
      check_file(path, &variants[i]);
      assert_false(exists(part));
    }
    comm_max(context, 0);
  }
  drop(fixture, path);
}

/* Writes of no rows at all, by every rank. */
static void test_nothing_written(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  const struct output_header header = make_header(0);
  const struct output_options options = {.distances = OUTPUT_F8};
  char path[PATH_BYTES];
  struct output *output;
  struct block block;
  name_of(fixture, "out.h5", path);
  assert_int_equal(output_create(context, path, &options, &header, &output), PCCT_OK);
  make_block(&block, 0, 0, false);
  assert_int_equal(output_write_rows(context, output, &block.rows), PCCT_OK);
  assert_int_equal(output_write_permutation(context, output, 0, 0, NULL), PCCT_OK);
  drop_block(&block);
  assert_int_equal(output_commit(context, &output, &some_provenance), PCCT_OK);
  assert_null(output);
  drop(fixture, path);
}

/* Neighbours and points: what they have and what they have not. */
static void test_kinds(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  const struct output_options options = {.distances = OUTPUT_F8};
  char path[PATH_BYTES];
  name_of(fixture, "out.h5", path);
  for (int kind = OUTPUT_NEIGHBORS; kind <= OUTPUT_POINTS; kind++) {
    struct output_header header = make_header(40);
    struct output *output;
    header.kind = (enum output_kind)kind;
    header.queries = "file";
    header.rows = 7;
    header.has_ordering = false;
    header.has_source_row = false;
    header.scale = NULL;
    header.units = "";
    header.coordinates = kind == OUTPUT_NEIGHBORS ? "lonlat" : "cartesian";
    assert_int_equal(output_create(context, path, &options, &header, &output), PCCT_OK);
    assert_int_equal(output_commit(context, &output, &some_provenance), PCCT_OK);
    if (context->rank == 0) {
      const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
      double scale[AXES] = {0, 0};
      bool neighbors = kind == OUTPUT_NEIGHBORS;
      assert_text(file, "/", "kind", neighbors ? "neighbors" : "points");
      assert_text(file, "/points/coordinates", "units", neighbors ? "degrees" : "1");
      assert_true(H5LTget_attribute_double(file, "/", "scale", scale) >= 0);
      assert_true(scale[0] == 1 && scale[1] == 1);
      assert_int_equal(H5Lexists(file, "/ordering", H5P_DEFAULT), 0);
      assert_int_equal(H5Lexists(file, "/points/source_row", H5P_DEFAULT), 0);
      assert_int_equal(H5Lexists(file, "/neighbors", H5P_DEFAULT), neighbors);
      assert_int_equal(H5Aexists_by_name(file, "/", "duplicates", H5P_DEFAULT) > 0, neighbors);
      assert_int_equal(H5Aexists_by_name(file, "/", "queries", H5P_DEFAULT) > 0, neighbors);
      if (neighbors) {
        assert_text(file, "/", "queries", "file");
        assert_text(file, "/neighbors/distance", "units", "km");
      }
      H5Fclose(file);
    }
    drop(fixture, path);
  }
}

/* Indices of more than 2^31 points, whether they come as 32 or 64 bits. */
static void test_wide(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  const struct output_options options = {.distances = OUTPUT_NONE};
  struct output_header header = make_header(INT64_C(3000000000));
  char path[PATH_BYTES];
  name_of(fixture, "out.h5", path);
  header.kind = OUTPUT_NEIGHBORS;
  header.queries = "file";
  header.rows = 2 * context->size;
  header.has_ordering = false;
  for (int wide = 0; wide < 2; wide++) {
    struct output *output;
    struct block block;
    assert_int_equal(output_create(context, path, &options, &header, &output), PCCT_OK);
    make_block(&block, 2 * context->rank, 2, wide);
    if (wide) {
      block.rows.index64[0] = header.n - 1;
    }
    assert_int_equal(output_write_rows(context, output, &block.rows), PCCT_OK);
    assert_true(on_all_ranks(context, was_collective(output)));
    drop_block(&block);
    assert_int_equal(output_commit(context, &output, &some_provenance), PCCT_OK);
    if (context->rank == 0) {
      const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
      int64_t *found = calloc((size_t)header.rows, WIDTH * sizeof *found);
      read_all(file, "/neighbors/index", H5T_NATIVE_INT64, header.rows, WIDTH, found);
      assert_int_equal(found[0], wide ? header.n - 1 : -1);
      for (int64_t i = 1; i < header.rows * WIDTH; i++) {
        assert_true(found[i] == index_at(i / WIDTH, i % WIDTH) ||
                    (wide && i % (2 * WIDTH) == 0 && found[i] == header.n - 1));
      }
      read_all(file, "/neighbors/count", H5T_NATIVE_INT64, header.rows, 1, found);
      assert_int_equal(found[1], 1);
      free(found);
      H5Fclose(file);
    }
    drop(fixture, path);
  }
}

/* A disk of 2 MB: outputs that do not fit fail with one message, and whoever can have the disk
 * afterwards has all of it. Needs the right to mount. */
static void test_full_disk(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  char path[PATH_BYTES], part[PATH_BYTES];
  bool mounted = context->rank != 0 || mount("tmpfs", fixture->folder, "tmpfs", 0, "size=2m") == 0;
  if (!on_all_ranks(context, mounted)) {
    skip();
  }
  static const struct variant variants[] = {
      {.n = 30000, .block_rows = 10000},
      {.n = 60000, .block_rows = 30000, .compress = 1},
      {.n = 5000, .block_rows = 5000},
      {.n = 5000, .block_rows = 5000, .compress = 1},
  };
  bool agreed = true, clean = true;
  name_of(fixture, "out.h5", path);
  name_of(fixture, "out.h5.part", part);
  for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
    base_clear_message(&context->base);
    pcct_status status = make_file(context, path, &variants[i]);
    pcct_status expected = i < 2 ? PCCT_FILE : PCCT_OK;
    agreed &= agreed_status(context, status, expected);
    agreed &= expected == PCCT_OK || strstr(pcct_context_message(context), "no room");
    comm_max(context, 0);
    if (context->rank == 0) {
      struct statvfs system;
      clean &= !exists(part) && exists(path) == (expected == PCCT_OK);
      unlink(path);
      clean &= statvfs(fixture->folder, &system) == 0 && system.f_bfree == system.f_blocks;
    }
    comm_max(context, 0);
  }
  if (context->rank == 0) {
    umount2(fixture->folder, MNT_DETACH);
  }
  assert_true(on_all_ranks(context, agreed));
  assert_true(on_all_ranks(context, clean));
}

/* The status of checking a path and of creating there, which must be the same. */
static void assert_refused(pcct_context *context, const char *path, bool overwrite,
                           pcct_status expected, const char *words) {
  const struct output_header header = make_header(5);
  const struct output_options options = {.overwrite = overwrite};
  struct output *output = NULL;
  base_clear_message(&context->base);
  pcct_status status = output_check_path(context, path, overwrite, false);
  assert_true(agreed_status(context, status, expected));
  assert_non_null(strstr(pcct_context_message(context), words));
  base_clear_message(&context->base);
  status = output_create(context, path, &options, &header, &output);
  assert_true(agreed_status(context, status, expected));
  assert_non_null(strstr(pcct_context_message(context), words));
  assert_null(output);
}

static void test_refused(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  char path[PATH_BYTES], part[PATH_BYTES], other[PATH_BYTES];
  name_of(fixture, "out.h5", path);
  name_of(fixture, "out.h5.part", part);
  assert_int_equal(output_check_path(context, path, false, false), PCCT_OK);
  assert_true(on_all_ranks(context, !exists(part) && !exists(path)));

  touch(fixture, path);
  assert_refused(context, path, false, PCCT_USAGE, "--overwrite");
  assert_int_equal(output_check_path(context, path, true, false), PCCT_OK);
  assert_true(on_all_ranks(context, is_touched(path) && !exists(part)));
  drop(fixture, path);

  touch(fixture, part);
  assert_refused(context, path, false, PCCT_USAGE, "out.h5.part");
  assert_int_equal(output_check_path(context, path, true, false), PCCT_OK);
  assert_true(on_all_ranks(context, is_touched(part) && !exists(path)));
  drop(fixture, part);

  assert_refused(context, fixture->folder, true, PCCT_FILE, "a directory");
  assert_refused(context, "/dev/full", true, PCCT_FILE, "no regular file");
  assert_refused(context, "/dev/full/out.h5", false, PCCT_FILE, "cannot be written");
  assert_refused(context, "", false, PCCT_FILE, "empty");
  assert_refused(context, name_of(fixture, "missing/out.h5", other), false, PCCT_FILE,
                 "missing/out.h5");
  assert_refused(context, "/proc/out.h5", false, PCCT_FILE, "/proc/out.h5.part");
}

static void test_discard(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  char path[PATH_BYTES], part[PATH_BYTES];
  const struct variant variant = {.n = 100, .block_rows = 50};
  const struct output_header header = make_header(variant.n);
  const struct output_options options = {.overwrite = true};
  name_of(fixture, "out.h5", path);
  name_of(fixture, "out.h5.part", part);
  output_discard(context, NULL);
  touch(fixture, path);
  for (int written = 0; written < 2; written++) {
    struct output *output;
    assert_int_equal(output_create(context, path, &options, &header, &output), PCCT_OK);
    assert_true(on_all_ranks(context, exists(part) && is_touched(path)));
    assert_int_equal(output_add_column(context, output, "code", 2, "", ""), PCCT_OK);
    assert_int_equal(output_add_column(context, output, "height", -1, "", ""), PCCT_OK);
    if (written) {
      assert_int_equal(write_all(context, output, &variant), PCCT_OK);
    }
    output_discard(context, &output);
    assert_null(output);
    output_discard(context, &output);
    assert_true(on_all_ranks(context, !exists(part) && is_touched(path)));
  }
  /* replaced by the last step alone */
  assert_int_equal(make_file(context, path, &variant), PCCT_OK);
  assert_true(on_all_ranks(context, !is_touched(path)));
  drop(fixture, path);
}

/* A name that somebody takes meanwhile is left alone. */
static void test_failed_commit(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  char path[PATH_BYTES], part[PATH_BYTES];
  const struct output_header header = make_header(10);
  const struct output_options options = {.overwrite = false};
  struct output *output;
  name_of(fixture, "out.h5", path);
  name_of(fixture, "out.h5.part", part);
  assert_int_equal(output_create(context, path, &options, &header, &output), PCCT_OK);
  touch(fixture, path);
  pcct_status status = output_commit(context, &output, &some_provenance);
  assert_true(agreed_status(context, status, PCCT_USAGE));
  assert_null(output);
  assert_true(on_all_ranks(context, is_touched(path) && !exists(part)));
  drop(fixture, path);
}

static void test_misuse(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  char path[PATH_BYTES];
  const struct output_header header = make_header(10);
  const struct output_options options = {.overwrite = false};
  struct output *output;
  double numbers[20] = {0};
  name_of(fixture, "out.h5", path);
  assert_int_equal(output_create(context, path, &options, &header, &output), PCCT_OK);
  assert_int_equal(output_add_column(context, output, "a", 0, "", ""), PCCT_OK);
  assert_int_equal(output_add_column(context, output, "a", 0, "", ""), PCCT_USAGE);
  assert_int_equal(output_add_column(context, output, "a/b", 0, "", ""), PCCT_USAGE);
  base_clear_message(&context->base);
  pcct_status status = output_write_coordinates(context, output, context->rank == 0 ? 8 : 0,
                                                context->rank == 0 ? 3 : 0, numbers);
  assert_true(agreed_status(context, status, PCCT_INTERNAL));
  status = output_write_column(context, output, "b", 0, 0, numbers);
  assert_int_equal(status, PCCT_INTERNAL);
  status = output_add_column(context, output, "b", 0, "", "");
  assert_int_equal(status, PCCT_INTERNAL);
  output_discard(context, &output);
}

/* Allocations that fail one after the other: an agreed failure, nothing left. */
static void test_memory(void **state) {
  const struct fixture *fixture = *state;
  pcct_context *context = fixture->context;
  char path[PATH_BYTES], part[PATH_BYTES];
  const struct variant variant = {.n = 20, .block_rows = 20, .compress = 1, .distances = OUTPUT_F4};
  name_of(fixture, "out.h5", path);
  name_of(fixture, "out.h5.part", part);
  pcct_status status = PCCT_MEMORY;
  for (int allowed = 0; status != PCCT_OK; allowed++) {
    assert_true(allowed < 200);
    base_clear_message(&context->base);
    context->base.allocations_left = context->rank == context->size - 1 ? allowed : -1;
    status = make_file(context, path, &variant);
    context->base.allocations_left = -1;
    assert_true(agreed_status(context, status, status == PCCT_OK ? PCCT_OK : PCCT_MEMORY));
    assert_true(on_all_ranks(context, !exists(part) && exists(path) == (status == PCCT_OK)));
  }
  drop(fixture, path);
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_round_trip, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_nothing_written, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_kinds, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_wide, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_full_disk, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_refused, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_discard, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_failed_commit, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_misuse, make_fixture, drop_fixture),
      cmocka_unit_test_setup_teardown(test_memory, make_fixture, drop_fixture),
  };
  int failures = cmocka_run_group_tests_name("output", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
