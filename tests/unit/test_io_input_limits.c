/* ranks: 1 2 3 */
/* threads: 1 */
/*
 * Reading at its limits: damage and failures while the ranks read, pieces smaller than a row, long paths, many
 * columns, values in other files, and what travels along or is left behind.
 */
#include "io/input_private.h"
#include "test_io_input_made.h"

#include <fcntl.h>
#include <sys/file.h>

/* ---- MPI's reads, counted, or made to fail */

static int64_t collective_reads;
static bool storage_fails;

int MPI_File_read_at_all(MPI_File file, MPI_Offset offset, void *bytes, int count,
                         MPI_Datatype type, MPI_Status *status) {
  collective_reads++;
  int result = PMPI_File_read_at_all(file, offset, bytes, count, type, status);
  return storage_fails ? MPI_ERR_IO : result;
}

/* Opens the test's file, which must go well. */
static struct input *open_input(const struct world *world, const struct input_options *options) {
  struct input *input = NULL;
  base_clear_message(&world->context->base);
  pcct_status status = input_open(world->context, world->path, options, &input);
  if (status != PCCT_OK && world->context->rank == 0) {
    print_message("%s\n", pcct_context_message(world->context));
  }
  assert_true(agreed_status(world->context, status, PCCT_OK));
  return input;
}

/* Whether reading all coordinates fails with a status and a fragment of the message. Collective. */
static bool read_fails(const struct world *world, pcct_status expected, const char *fragment) {
  pcct_context *context = world->context;
  struct input *input = open_input(world, NULL);
  int64_t first, count;
  share(context, input_count(input), &first, &count);
  double *rows = malloc((size_t)(count * input_dimension(input) + 1) * sizeof *rows);
  pcct_status status = input_read_coordinates(context, input, first, count, rows);
  bool right = agreed_status(context, status, expected) &&
               strstr(pcct_context_message(context), fragment) != NULL;
  free(rows);
  input_close(context, &input);
  return right;
}

/* ---- damage and failures */

enum { ROWS = 60, CHUNK = 10 };

static void put_values(hid_t file, const char *path, hid_t layout) {
  const hsize_t extent[2] = {ROWS, 2};
  double values[2 * ROWS];
  for (int i = 0; i < 2 * ROWS; i++) {
    values[i] = small_value(i / 2, i % 2);
  }
  hid_t space = H5Screate_simple(2, extent, NULL);
  hid_t dataset = H5Dcreate2(file, path, H5T_IEEE_F64LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  H5Dclose(dataset);
  H5Sclose(space);
}

/* Points in chunks with checksums; one chunk's bytes are changed, none if `chunk` is negative. */
static void make_checked(const struct world *world, int chunk) {
  const hsize_t chunks[2] = {CHUNK, 2};
  const char wrong[8] = "wrong...";
  hsize_t at[2], size = 0;
  unsigned mask;
  haddr_t offset = 0;
  hid_t file = create_file(world);
  hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(layout, 2, chunks);
  H5Pset_fletcher32(layout);
  put_values(file, "/points", layout);
  if (chunk >= 0) { /* chunks have their places once they are written */
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    hid_t dataset = H5Dopen2(file, "/points", H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    H5Dget_chunk_info(dataset, space, (hsize_t)chunk, at, &mask, &offset, &size);
    H5Sclose(space);
    H5Dclose(dataset);
  }
  H5Pclose(layout);
  H5Fclose(file);
  if (chunk >= 0) {
    assert_true(offset > 0 && size > sizeof wrong + 16);
    int descriptor = open(world->path, O_WRONLY);
    assert_int_equal(pwrite(descriptor, wrong, sizeof wrong, (off_t)offset + 16), sizeof wrong);
    close(descriptor);
  }
}

/* Wherever the damage is, and however many ranks it is far from. */
static void test_damaged_chunk(void **state) {
  const struct world *world = *state;
  const int64_t whole = world->context->piece_bytes;
  for (int chunk = 0; chunk < ROWS / CHUNK; chunk++) {
    if (world->context->rank == 0) {
      make_checked(world, chunk);
    }
    assert_true(read_fails(world, PCCT_INPUT, "damaged"));
    world->context->piece_bytes = 7 * 2 * (int64_t)sizeof(double);
    assert_true(read_fails(world, PCCT_INPUT, "damaged"));
    world->context->piece_bytes = whole;
  }
}

/* The storage is nobody's input. It fails for all ranks: where MPI tells one alone, HDF5 leaves the others
 * waiting within its own call. */
static void test_failing_storage(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  if (context->rank == 0) {
    hid_t file = create_file(world);
    put_values(file, "/points", H5P_DEFAULT);
    H5Fclose(file);
  }
  storage_fails = true;
  bool right = read_fails(world, PCCT_FILE, "storage");
  storage_fails = false;
  assert_true(right);
  struct input *input = open_input(world, NULL);
  assert_true(holds(context, input, small_value));
  input_close(context, &input);
}

/* Rank 0 keeps the file as a writer does. */
static void test_writer(void **state) {
  const struct world *world = *state;
  int descriptor = -1;
  if (world->context->rank == 0) {
    make_checked(world, -1);
    descriptor = open(world->path, O_RDWR);
    assert_int_equal(flock(descriptor, LOCK_EX), 0);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_FILE, "writing"));
  if (descriptor >= 0) {
    close(descriptor);
  }
  struct input *input = open_input(world, NULL);
  assert_true(holds(world->context, input, small_value));
  input_close(world->context, &input);
}

/* A writer that died leaves its mark in files of the newer format: the bytes as they are while it lives. */
static void test_dead_writer(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    char bytes[8192];
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(world->path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    put_doubles(file, "/points", 4, 2, four);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    int descriptor = open(world->path, O_RDWR);
    const ssize_t length = pread(descriptor, bytes, sizeof bytes, 0);
    assert_true(length > 0);
    H5Fclose(file);
    assert_int_equal(pwrite(descriptor, bytes, (size_t)length, 0), length);
    close(descriptor);
    H5Pclose(access);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_FILE, "h5clear"));
}

/* Also where the tests run as root, who may read everything. */
static void test_permission(void **state) {
  const struct world *world = *state;
  const uid_t user = geteuid();
  if (world->context->rank == 0) {
    make_checked(world, -1);
    chmod(world->folder, 0711);
    chmod(world->path, 0);
    assert_int_equal(user == 0 ? seteuid(65534) : 0, 0);
  }
  bool right = refuses(world, world->path, NULL, PCCT_FILE, "ermission");
  if (world->context->rank == 0) {
    assert_int_equal(user == 0 ? seteuid(user) : 0, 0);
  }
  assert_true(right);
}

static void test_no_version(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    hid_t file = create_file(world);
    put_text(file, "format", "pcct");
    put_doubles(file, "/points/coordinates", 4, 2, four);
    H5Fclose(file);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "format_version"));
}

/* ---- pieces */

/* Rows, parts of rows, and single elements at a time. */
static void test_pieces(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  const int64_t whole = context->piece_bytes;
  const struct {
    int64_t bytes, rows, parts; /* of a piece: how many rows, or of a row: how many pieces */
  } cases[] = {{1, 1, 5},  {8, 1, 5},   {17, 1, 3},  {39, 1, 2},
               {40, 1, 1}, {119, 2, 1}, {120, 3, 1}, {1 << 20, 1 << 14, 1}};
  const hsize_t extent[2] = {ROWS, 5};
  double(*values)[5] = malloc(ROWS * sizeof *values);
  int64_t first, count, numbers[ROWS], found[ROWS];
  for (int i = 0; i < ROWS; i++) {
    numbers[i] = i * INT64_C(5000000000);
    for (int j = 0; j < 5; j++) {
      values[i][j] = small_value(i, j);
    }
  }
  if (context->rank == 0) {
    hid_t file = create_file(world);
    put(file, "/points", H5T_IEEE_F64LE, 2, extent, H5T_NATIVE_DOUBLE, values);
    put(file, "/data/number", H5T_STD_I64LE, 1, extent, H5T_NATIVE_INT64, numbers);
    H5Fclose(file);
  }
  free(values);
  share(context, ROWS, &first, &count);
  struct input *input = open_input(world, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    context->piece_bytes = cases[i].bytes;
    int64_t pieces = comm_max(context, (count + cases[i].rows - 1) / cases[i].rows);
    collective_reads = 0;
    assert_true(holds(context, input, small_value));
    assert_true(on_all_ranks(context, collective_reads == pieces * cases[i].parts));

    memset(found, 0, sizeof found);
    pcct_status status = input_read_indices(context, input, "/data/number", first, count, found);
    assert_true(agreed_status(context, status, PCCT_OK));
    assert_true(on_all_ranks(context, memcmp(found, numbers + first, (size_t)count * 8) == 0));
    memset(found, 0, sizeof found);
    status = input_read_carried(context, input, 0, first, count, found);
    assert_true(agreed_status(context, status, PCCT_OK));
    assert_true(on_all_ranks(context, memcmp(found, numbers + first, (size_t)count * 8) == 0));
  }
  context->piece_bytes = whole;
  input_close(context, &input);
}

/* ---- long paths, many columns */

/* "/xxx", `length` bytes in all, with a number in front of the x. */
static char *make_path(char *path, int length, int number) {
  int used = snprintf(path, (size_t)length + 1, "/%02d", number);
  memset(path + used, 'x', (size_t)(length - used));
  path[length] = '\0';
  return path;
}

static void test_long_paths(void **state) {
  const struct world *world = *state;
  for (int length = INPUT_PATH_MAX; length <= INPUT_PATH_MAX + 1; length++) {
    char path[INPUT_PATH_MAX + 2], name[INPUT_PATH_MAX + 16];
    make_path(path, length, 1);
    const struct input_options options = {.dataset = path}, columns = {.columns = path};
    if (world->context->rank == 0) {
      hid_t file = create_file(world);
      put_doubles(file, path, 4, 2, four);
      H5Fclose(file);
    }
    if (length > INPUT_PATH_MAX) {
      assert_true(refuses(world, world->path, &options, PCCT_USAGE, "1023"));
      assert_true(refuses(world, world->path, &columns, PCCT_USAGE, "1023"));
      assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "1023"));
    } else {
      struct input *input = open_input(world, &options);
      assert_string_equal(input_dataset(input), path);
      input_close(world->context, &input);
      input = open_input(world, NULL);
      assert_string_equal(input_dataset(input), path);
      assert_true(holds(world->context, input, small_value));
      input_close(world->context, &input);
    }
    /* the names of carried columns */
    make_path(path, length, 2);
    path[0] = 'c';
    snprintf(name, sizeof name, "/data/%s", path);
    if (world->context->rank == 0) {
      hid_t file = create_file(world);
      put_doubles(file, "/points", 4, 2, four);
      put_doubles(file, name, 4, 0, four);
      H5Fclose(file);
    }
    if (length > INPUT_PATH_MAX) {
      assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "1023"));
    } else {
      struct input *input = open_input(world, NULL);
      assert_true(carries(world->context, input, path, sizeof(double), four));
      input_close(world->context, &input);
    }
  }
}

/* As many columns as there may be, with paths that fill the limit. */
static void test_many_columns(void **state) {
  const struct world *world = *state;
  enum { LENGTH = (INPUT_COLUMNS_MAX - (PCCT_DIMENSION_MAX - 1)) / PCCT_DIMENSION_MAX };
  char columns[INPUT_COLUMNS_MAX + 8] = "", path[LENGTH + 1];
  size_t used = 0;
  hid_t file = world->context->rank == 0 ? create_file(world) : H5I_INVALID_HID;
  for (int axis = 0; axis < PCCT_DIMENSION_MAX; axis++) {
    double values[5];
    for (int i = 0; i < 5; i++) {
      values[i] = column_value(i, axis);
    }
    make_path(path, LENGTH, axis);
    used +=
        (size_t)snprintf(columns + used, sizeof columns - used, "%s%s", axis > 0 ? "," : "", path);
    if (file >= 0) {
      put_doubles(file, path, 5, 0, values);
    }
  }
  if (file >= 0) {
    put_doubles(file, "/y", 5, 0, (const double[5]){0});
    H5Fclose(file);
  }
  assert_int_equal(used, INPUT_COLUMNS_MAX);
  const struct input_options options = {.columns = columns};
  struct input *input = open_input(world, &options);
  assert_int_equal(input_dimension(input), PCCT_DIMENSION_MAX);
  assert_string_equal(input_columns(input), columns);
  assert_true(holds(world->context, input, column_value));
  input_close(world->context, &input);

  strcpy(columns + used, "x");
  assert_true(refuses(world, world->path, &options, PCCT_USAGE, "16383"));
  char many[2 * PCCT_DIMENSION_MAX + 2];
  for (int i = 0; i <= PCCT_DIMENSION_MAX; i++) {
    memcpy(many + (ptrdiff_t)2 * i, "y,", 2);
  }
  many[2 * PCCT_DIMENSION_MAX + 1] = '\0';
  const struct input_options too_many = {.columns = many};
  assert_true(refuses(world, world->path, &too_many, PCCT_USAGE, "64 columns"));
}

static void test_units(void **state) {
  const struct world *world = *state;
  static const struct {
    const char *units[3];
    const char *joined;
  } cases[] = {{{"degrees_east", "degrees_north", NULL}, "degrees_east, degrees_north, 1"},
               {{NULL, "m", "s"}, "1, m, s"},
               {{"m", "m", "m"}, "m"},
               {{NULL, NULL, NULL}, ""}};
  static const char *const paths[] = {"/a", "/b", "/c"};
  const struct input_options options = {.columns = "a,b,c"};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (world->context->rank == 0) {
      hid_t file = create_file(world);
      for (int j = 0; j < 3; j++) {
        put_doubles(file, paths[j], 4, 0, four);
        hid_t dataset = H5Dopen2(file, paths[j], H5P_DEFAULT);
        if (cases[i].units[j] != NULL) {
          put_text(dataset, "units", cases[i].units[j]);
        }
        H5Dclose(dataset);
      }
      H5Fclose(file);
    }
    struct input *input = open_input(world, &options);
    assert_string_equal(input_units(input), cases[i].joined);
    input_close(world->context, &input);
  }
}

/* ---- what the ranks cannot read, and what travels along */

/* A filter that leaves the bytes alone. */
static size_t pass(unsigned flags, size_t values, const unsigned value[], size_t bytes,
                   size_t *capacity, void **buffer) {
  (void)flags, (void)values, (void)value, (void)capacity, (void)buffer;
  return bytes;
}

enum obstacle { FILTER, VIRTUAL, EXTERNAL, OBSTACLES };

/* How a dataset of n elements must lie to be unreadable; the filter must be registered. */
static hid_t make_layout(const struct world *world, enum obstacle obstacle, hsize_t n) {
  char other[sizeof world->path + 8];
  hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  hid_t space = H5Screate_simple(1, &n, NULL);
  switch (obstacle) {
  case FILTER:
    H5Pset_chunk(layout, 1, &n);
    H5Pset_filter(layout, 300, H5Z_FLAG_MANDATORY, 0, NULL);
    break;
  case VIRTUAL:
    H5Pset_virtual(layout, space, ".", "/stored", space);
    break;
  default:
    snprintf(other, sizeof other, "%s.raw", world->path);
    H5Pset_external(layout, other, 0, H5F_UNLIMITED);
    break;
  }
  H5Sclose(space);
  return layout;
}

static void put_laid_out(hid_t file, const char *path, hid_t layout, bool writes) {
  const hsize_t n = 4;
  hid_t space = H5Screate_simple(1, &n, NULL);
  hid_t dataset = H5Dcreate2(file, path, H5T_IEEE_F64LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  assert_true(dataset >= 0);
  if (writes) {
    H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, four);
  }
  H5Dclose(dataset);
  H5Sclose(space);
}

/* As coordinates and as an ordering they are refused, as company they stay behind. */
static void test_obstacles(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  static const char *const paths[] = {"/data/filtered", "/data/virtual", "/data/external"};
  static const char *const words[] = {"unheard-of", "virtual", "external"};
  char other[sizeof world->path + 8];
  snprintf(other, sizeof other, "%s.raw", world->path);
  if (context->rank == 0) {
    const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                 .id = 300,
                                 .encoder_present = 1,
                                 .decoder_present = 1,
                                 .name = "unheard-of",
                                 .filter = pass};
    H5Zregister(&filter);
    hid_t file = create_file(world);
    put_doubles(file, "/points", 4, 2, four);
    put_doubles(file, "/stored", 4, 0, four);
    put_doubles(file, "/data/fine", 4, 0, four);
    for (int i = 0; i < OBSTACLES; i++) {
      hid_t layout = make_layout(world, (enum obstacle)i, 4);
      put_laid_out(file, paths[i], layout, i != VIRTUAL);
      H5Pclose(layout);
    }
    H5Fclose(file);
    H5Zunregister(300);
  }
  for (int i = 0; i < OBSTACLES; i++) {
    const struct input_options dataset = {.dataset = paths[i]}, columns = {.columns = paths[i]};
    assert_true(refuses(world, world->path, &dataset, PCCT_INPUT, words[i]));
    assert_true(refuses(world, world->path, &columns, PCCT_INPUT, paths[i]));
  }
  struct input *input = open_input(world, NULL);
  assert_int_equal(input_carried_count(input), 1);
  assert_true(carries(context, input, "fine", sizeof(double), four));
  input_close(context, &input);
  if (context->rank == 0) {
    unlink(other);
  }
}

/* Booleans as h5py writes them, and other enums, with their names. */
static void test_enums(void **state) {
  const struct world *world = *state;
  pcct_context *context = world->context;
  const hsize_t n = 4;
  const signed char values[] = {0, 1, 1, 0}, no = 0, yes = 1;
  hid_t type = H5Tenum_create(H5T_STD_I8LE);
  H5Tenum_insert(type, "FALSE", &no);
  H5Tenum_insert(type, "TRUE", &yes);
  if (context->rank == 0) {
    hid_t file = create_file(world);
    hid_t named = H5Tcopy(type);
    H5Tcommit2(file, "/boolean", named, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_doubles(file, "/points", 4, 2, four);
    put(file, "/data/land", type, 1, &n, type, values);
    put(file, "/data/sea", named, 1, &n, named, values);
    hid_t land = H5Dopen2(file, "/data/land", H5P_DEFAULT);
    put_text(land, "description", "whether it is land");
    put_text(land, "units", "yes or no");
    H5Dclose(land);
    H5Tclose(named);
    H5Fclose(file);
  }
  struct input *input = open_input(world, NULL);
  assert_int_equal(input_carried_count(input), 2);
  for (int i = 0; i < 2; i++) {
    struct input_facts facts;
    assert_true(carries(context, input, i == 0 ? "land" : "sea", 1, values));
    pcct_status status = input_get_facts(&context->base, input, i, &facts);
    assert_true(agreed_status(context, status, PCCT_OK));
    assert_true(H5Tequal(facts.type, type) > 0);
    assert_int_equal(H5Tcommitted(facts.type), 0);
    assert_string_equal(facts.description, i == 0 ? "whether it is land" : "");
    assert_string_equal(facts.units, i == 0 ? "yes or no" : "");
    H5Tclose(facts.type);
  }
  H5Tclose(type);
  input_close(context, &input);
}

/* An element cannot be cut. */
static void test_huge_element(void **state) {
  const struct world *world = *state;
  if (world->context->rank == 0) {
    const hsize_t n = 4;
    hid_t file = create_file(world);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, ((size_t)1 << 30) + 1);
    put_doubles(file, "/points", 4, 2, four);
    H5Dclose(create_dataset(file, "/data/text", text, 1, &n, 0, 0));
    H5Tclose(text);
    H5Fclose(file);
  }
  assert_true(refuses(world, world->path, NULL, PCCT_INPUT, "1073741824"));
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
  const struct CMUnitTest tests[] = {
      TEST(test_damaged_chunk), TEST(test_failing_storage), TEST(test_writer),
      TEST(test_dead_writer),   TEST(test_permission),      TEST(test_no_version),
      TEST(test_pieces),        TEST(test_long_paths),      TEST(test_many_columns),
      TEST(test_units),         TEST(test_obstacles),       TEST(test_enums),
      TEST(test_huge_element),
  };
  int failures = cmocka_run_group_tests_name("input limits", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
