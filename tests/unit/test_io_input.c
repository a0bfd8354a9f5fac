/* ranks: 1 2 3 */
/* threads: 1 */
/*
 * Reading points and what travels with them: types, layouts, the choice of datasets, carried columns,
 * and bad input, on any number of ranks. Rank 0 makes the files with HDF5 itself.
 */
#include "test_io_input_made.h"

#include <hdf5_hl.h>

/* ---- what HDF5 asks of MPI, seen in its place */

static int64_t collective_reads;    /* calls of this rank */
static int64_t independent_largest; /* bytes of the largest independent read, one of metadata */

int MPI_File_read_at_all(MPI_File file, MPI_Offset offset, void *bytes, int count,
                         MPI_Datatype type, MPI_Status *status) {
  collective_reads++;
  return PMPI_File_read_at_all(file, offset, bytes, count, type, status);
}

int MPI_File_read_at(MPI_File file, MPI_Offset offset, void *bytes, int count, MPI_Datatype type,
                     MPI_Status *status) {
  int size = 0;
  MPI_Type_size(type, &size);
  int64_t length = (int64_t)count * size;
  independent_largest = length > independent_largest ? length : independent_largest;
  return PMPI_File_read_at(file, offset, bytes, count, type, status);
}

/* ---- types and layouts */

/* Writes n x d numbers of a type and layout, and reads them back. Collective. */
static bool round_trip(const struct world *world, hid_t type, hsize_t n, hsize_t d, hsize_t chunk,
                       unsigned deflate) {
  struct input *input = NULL;
  if (world->context->rank == 0) {
    double *values = malloc((n * d + 1) * sizeof *values);
    for (hsize_t i = 0; i < n * d; i++) {
      values[i] = small_value((int64_t)(i / d), (int)(i % d));
    }
    const hsize_t extent[2] = {n, d};
    hid_t file = create_file(world);
    hid_t dataset = create_dataset(file, "/points", type, 2, extent, chunk, deflate);
    H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Fclose(file);
    free(values);
  }
  pcct_status status = input_open(world->context, world->path, NULL, &input);
  bool right = agreed_status(world->context, status, PCCT_OK) && input_count(input) == (int64_t)n &&
               input_dimension(input) == (int)d && strcmp(input_dataset(input), "/points") == 0 &&
               holds(world->context, input, small_value);
  input_close(world->context, &input);
  return right && input == NULL;
}

static void test_types(void **state) {
  const struct world *world = *state;
  const hid_t types[] = {H5T_STD_I8LE,      H5T_STD_U8BE,   H5T_STD_I16BE,  H5T_STD_U16LE,
                         H5T_STD_I32BE,     H5T_STD_U32LE,  H5T_STD_I64LE,  H5T_STD_U64BE,
                         H5T_IEEE_F32LE,    H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE,
                         H5T_NATIVE_LDOUBLE};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    assert_true(round_trip(world, types[i], 101, 3, 0, 0));
    assert_true(round_trip(world, types[i], 101, 3, 10, 0));
    assert_true(round_trip(world, types[i], 101, 3, 10, 4));
  }
}

static void test_shapes(void **state) {
  const struct world *world = *state;
  const hsize_t counts[] = {0, 1, 2, 3, 1000};
  const hsize_t dimensions[] = {1, 2, 64};
  for (int i = 0; i < 5; i++) {
    for (int j = 0; j < 3; j++) {
      assert_true(round_trip(world, H5T_IEEE_F64LE, counts[i], dimensions[j], 0, 0));
      hsize_t chunk = counts[i] > 0 && counts[i] < 7 ? counts[i] : 7;
      assert_true(round_trip(world, H5T_IEEE_F32BE, counts[i], dimensions[j], chunk, 1));
    }
  }
}

/* The ranks read together, whatever the type: HDF5 would silently read alone where it had to convert,
 * which is slow on parallel file systems. */
static void test_collective(void **state) {
  const struct world *world = *state;
  const hid_t types[] = {H5T_STD_I16BE, H5T_IEEE_F32LE, H5T_IEEE_F64LE};
  for (int i = 0; i < 3; i++) {
    for (hsize_t chunk = 0; chunk <= 5000; chunk += 5000) {
      collective_reads = 0;
      independent_largest = 0;
      assert_true(round_trip(world, types[i], 20000, 2, chunk, 0));
      int64_t calls = comm_max(world->context, collective_reads);
      assert_true(on_all_ranks(world->context, calls > 0 && collective_reads == calls));
      assert_true(on_all_ranks(world->context, independent_largest < 10000));
    }
  }
}

/* ---- the choice of datasets */

static void test_choice(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  static const struct {
    const char *datasets[3];
    const char *chosen;
  } cases[] = {{{"/other", "/points/coordinates", NULL}, "/points/coordinates"},
               {{"/a", "/points", NULL}, "/points"},
               {{"/deep/er/only", NULL}, "/deep/er/only"}};
  for (int i = 0; i < 3; i++) {
    struct input *input = NULL;
    if (context->rank == 0) {
      hid_t file = create_file(world);
      for (int j = 0; cases[i].datasets[j] != NULL; j++) {
        put_doubles(file, cases[i].datasets[j], 4, 2, four);
      }
      H5Fclose(file);
    }
    pcct_status status = input_open(context, world->path, NULL, &input);
    assert_true(agreed_status(context, status, PCCT_OK));
    assert_string_equal(input_dataset(input), cases[i].chosen);
    assert_string_equal(input_columns(input), "");
    assert_string_equal(input_path(input), world->path);
    assert_string_equal(input_units(input), "");
    assert_true(holds(context, input, small_value));
    input_close(context, &input);
  }
}

/* One-dimensional datasets at the top, in a group, and under /data; also a 1-D dataset as d = 1. */
static void test_columns(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  if (context->rank == 0) {
    double values[50];
    hid_t file = create_file(world);
    static const char *const paths[] = {"/lon", "/grid/lat", "/data/time"};
    for (int axis = 0; axis < 3; axis++) {
      for (int i = 0; i < 50; i++) {
        values[i] = column_value(i, axis);
      }
      put_doubles(file, paths[axis], 50, 0, values);
    }
    H5Fclose(file);
  }
  struct input *input = NULL;
  const struct input_options three = {.columns = "lon,/grid/lat,time"};
  pcct_status status = input_open(context, world->path, &three, &input);
  assert_true(agreed_status(context, status, PCCT_OK));
  assert_int_equal(input_count(input), 50);
  assert_int_equal(input_dimension(input), 3);
  assert_string_equal(input_columns(input), "lon,/grid/lat,time");
  assert_string_equal(input_dataset(input), "");
  assert_true(holds(context, input, column_value));
  input_close(context, &input);

  const struct input_options one = {.dataset = "/lon"};
  status = input_open(context, world->path, &one, &input);
  assert_true(agreed_status(context, status, PCCT_OK));
  assert_int_equal(input_dimension(input), 1);
  assert_true(holds(context, input, column_value));
  input_close(context, &input);
  input_close(context, &input);
  input_close(context, NULL);
}

/* Coordinate variables as netCDF-4 writes them: dimension scales, compressed, with units. */
static void test_netcdf(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  const hsize_t n = 40;
  if (context->rank == 0) {
    hid_t file = create_file(world);
    hid_t obs = create_dataset(file, "/obs", H5T_IEEE_F32BE, 1, &n, 0, 0);
    H5DSset_scale(obs, "This is a netCDF dimension but not a netCDF variable.        40");
    static const char *const names[] = {"lon", "lat"};
    for (int axis = 0; axis < 2; axis++) {
      float values[40];
      for (int i = 0; i < 40; i++) {
        values[i] = (float)column_value(i, axis);
      }
      hid_t variable = create_dataset(file, names[axis], H5T_IEEE_F32LE, 1, &n, n, 4);
      H5Dwrite(variable, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
      H5DSattach_scale(variable, obs, 0);
      put_text(variable, "units", "degrees");
      H5Dclose(variable);
    }
    H5Dclose(obs);
    H5Fclose(file);
  }
  struct input *input = NULL;
  const struct input_options options = {.columns = "lon,lat"};
  pcct_status status = input_open(context, world->path, &options, &input);
  assert_true(agreed_status(context, status, PCCT_OK));
  assert_string_equal(input_units(input), "degrees");
  assert_true(holds(context, input, column_value));
  input_close(context, &input);
}

/* ---- what travels along */

static void test_carried(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  const hsize_t n = 4, other = 5;
  const unsigned char shorts[8] = {0, 1, 0, 2, 0, 3, 255, 252}; /* big-endian 1, 2, 3, -4 */
  const char names[] = "abc\0de\0\0f\0\0\0xyzw";
  const int64_t rows[] = {8, 6, 4, INT64_C(5000000000)};
  if (context->rank == 0) {
    hid_t file = create_file(world);
    hid_t text = H5Tcopy(H5T_C_S1), loose = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 4);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    H5Tset_size(loose, H5T_VARIABLE);
    const char *const words[] = {"p", "q", "r", "s"};
    const double unrelated[5] = {0};
    put_doubles(file, "/points/coordinates", 4, 2, four);
    put(file, "/points/source_row", H5T_STD_I64LE, 1, &n, H5T_NATIVE_INT64, rows);
    put(file, "/data/depth", H5T_STD_I16BE, 1, &n, H5T_STD_I16BE, shorts);
    put(file, "/data/name", text, 1, &n, text, names);
    put(file, "/data/loose", loose, 1, &n, loose, words);
    put(file, "/data/longer", H5T_IEEE_F64LE, 1, &other, H5T_NATIVE_DOUBLE, unrelated);
    put_doubles(file, "/data/table", 4, 2, four);
    H5Tclose(loose);
    H5Tclose(text);
    H5Fclose(file);
  }
  struct input *input = NULL;
  pcct_status status = input_open(context, world->path, NULL, &input);
  assert_true(agreed_status(context, status, PCCT_OK));
  assert_int_equal(input_carried_count(input), 2);
  assert_true(carries(context, input, "depth", 2, shorts));
  assert_true(carries(context, input, "name", 4, names));
  assert_true(input_has_source_row(input));

  int64_t first, count, found[4];
  share(context, 4, &first, &count);
  status = input_read_indices(context, input, "/points/source_row", first, count, found);
  assert_true(agreed_status(context, status, PCCT_OK));
  assert_true(
      on_all_ranks(context, memcmp(found, rows + first, (size_t)count * sizeof rows[0]) == 0));

  static const char *const wrong[] = {"/data/longer", "/data/table", "/data/name", "/data/none",
                                      "/data"};
  for (int i = 0; i < 5; i++) {
    base_clear_message(&context->base);
    status = input_read_indices(context, input, wrong[i], first, count, found);
    assert_true(agreed_status(context, status, PCCT_INPUT));
    assert_non_null(strstr(pcct_context_message(context), wrong[i]));
  }
  input_close(context, &input);
}

/* ---- bad input */

static void test_no_file(void **state) {
  const struct world *world = *state;
  char missing[128];
  snprintf(missing, sizeof missing, "%s/missing.h5", world->folder);
  assert_true(refuses(world, missing, NULL, PCCT_FILE, "missing.h5"));
  assert_true(refuses(world, world->folder, NULL, PCCT_FILE, "directory"));
  assert_true(refuses(world, "/dev/null", NULL, PCCT_FILE, "/dev/null"));
}

static void test_no_hdf5(void **state) {
  const struct world *world = *state;
  bool first = world->context->rank == 0;
  if (first) {
    FILE *file = fopen(world->path, "w");
    fclose(file);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "HDF5"));
  if (first) {
    FILE *file = fopen(world->path, "w");
    fputs("lon,lat\n1,2\n", file);
    fclose(file);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "HDF5"));
  if (first) {
    double values[2000] = {0};
    hid_t file = create_file(world);
    put_doubles(file, "/points", 1000, 2, values);
    H5Fclose(file);
    struct stat facts;
    stat(world->path, &facts);
    assert_int_equal(truncate(world->path, facts.st_size - 100), 0);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "truncated"));
  if (first) {
    assert_int_equal(truncate(world->path, 600), 0);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "truncated"));
}

static void test_wrong_dataset(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    static const double values[4 * 65] = {0};
    const hsize_t cube[3] = {2, 2, 2}, pair = 2;
    hid_t text = H5Tcopy(H5T_C_S1);
    hid_t file = create_file(world);
    put_doubles(file, "/first", 4, 2, four);
    put_doubles(file, "/group/second", 4, 2, four);
    put_doubles(file, "/wide", 4, 65, values);
    put_doubles(file, "/x", 4, 0, values);
    put_doubles(file, "/y", 5, 0, values);
    put(file, "/cube", H5T_IEEE_F64LE, 3, cube, H5T_NATIVE_DOUBLE, values);
    put(file, "/scalar", H5T_IEEE_F64LE, 0, NULL, H5T_NATIVE_DOUBLE, values);
    put(file, "/text", text, 1, &pair, text, "ab");
    H5Tclose(text);
    H5Fclose(file);
  }
  static const char *const datasets[] = {"/none", "/group", "/wide", "/cube", "/scalar", "/text"};
  for (int i = 0; i < 6; i++) {
    const struct input_options options = {.dataset = datasets[i]};
    assert_true(refuses(world, world->path, &options, PCCT_INPUT, datasets[i]));
  }
  static const char *const columns[][2] = {{"x,none", "none"},
                                           {"x,y", "y"},
                                           {"x,first", "first"},
                                           {"x,text", "text"},
                                           {"x,group", "group"}};
  for (int i = 0; i < 5; i++) {
    const struct input_options options = {.columns = columns[i][0]};
    assert_true(refuses(world, world->path, &options, PCCT_INPUT, columns[i][1]));
  }
  const struct input_options both = {.dataset = "/first", .columns = "x"},
                             gap = {.columns = "x,,x"};
  assert_true(refuses(world, world->path, &both, PCCT_USAGE, "columns"));
  assert_true(refuses(world, world->path, &gap, PCCT_USAGE, "column"));
  /* what could be meant is listed */
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "/first"));
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "/group/second"));
}

static void test_version(void **state) {
  const struct world *world = *state;
  for (int major = 1; major <= 2; major++) {
    if (world->context->rank == 0) {
      hid_t file = create_file(world);
      put_version(file, major);
      put_doubles(file, "/points/coordinates", 4, 2, four);
      H5Fclose(file);
    }
    if (major > 1) {
      assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "version"));
    } else {
      struct input *input = NULL;
      pcct_status status = input_open(world->context, world->path, NULL, &input);
      assert_true(agreed_status(world->context, status, PCCT_OK));
      input_close(world->context, &input);
    }
  }
}

/* Text of a known hash. */
static void test_hash(void **state) {
  const struct world *world = *state;
  char hash[17] = "", again[17] = "";
  struct input *input = NULL;
  if (world->context->rank == 0) {
    hid_t file = create_file(world);
    put_doubles(file, "/points", 4, 2, four);
    H5Fclose(file);
  }
  pcct_status status = input_open(world->context, world->path, NULL, &input);
  assert_true(agreed_status(world->context, status, PCCT_OK));
  status = input_hash(world->context, input, hash);
  assert_true(agreed_status(world->context, status, PCCT_OK));
  assert_int_equal(strspn(hash, "0123456789abcdef"), 16);
  memcpy(again, hash, sizeof again);
  comm_broadcast(world->context, again, sizeof again);
  assert_true(on_all_ranks(world->context, strcmp(hash, again) == 0));
  input_close(world->context, &input);
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
  const struct CMUnitTest tests[] = {
      TEST(test_types),   TEST(test_shapes),  TEST(test_collective), TEST(test_choice),
      TEST(test_columns), TEST(test_netcdf),  TEST(test_carried),    TEST(test_no_file),
      TEST(test_no_hdf5), TEST(test_version), TEST(test_hash),       TEST(test_wrong_dataset),
  };
  int failures = cmocka_run_group_tests_name("input", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
