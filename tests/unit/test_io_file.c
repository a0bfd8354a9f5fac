/* threads: 1 */
/*
 * Reading files back: small files are written here with HDF5 alone, then read, then spoilt one thing at a time.
 */
#include "io/file.h"
#include "test_io_file_made.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder for each test */

struct folder {
  struct base base;
  char name[64];
  char path[128]; /* of the test's file */
};

static int make_folder(void **state) {
  struct folder *folder = calloc(1, sizeof *folder);
  assert_non_null(folder);
  base_init(&folder->base, 1);
  snprintf(folder->name, sizeof folder->name, "/tmp/pcct_file_XXXXXX");
  assert_non_null(mkdtemp(folder->name));
  snprintf(folder->path, sizeof folder->path, "%s/file.h5", folder->name);
  *state = folder;
  return 0;
}

/* Also: nothing of HDF5 was left open. */
static int remove_folder(void **state) {
  struct folder *folder = *state;
  ssize_t open_objects = H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL);
  (void)unlink(folder->path);
  int failed = rmdir(folder->name);
  free(folder);
  return failed != 0 || open_objects != 0;
}

static struct file *open_fine(struct folder *folder) {
  struct file *file = NULL;
  if (file_open(&folder->base, folder->path, &file) != PCCT_OK) {
    fail_msg("%s", folder->base.message);
  }
  assert_non_null(file);
  return file;
}

static void refuse(struct folder *folder, const char *path, pcct_status expected,
                   const char *words) {
  struct file *file = (struct file *)folder;
  base_clear_message(&folder->base);
  assert_int_equal(file_open(&folder->base, path, &file), expected);
  assert_null(file);
  if (strstr(folder->base.message, words) == NULL || strchr(folder->base.message, '\n') != NULL ||
      strncmp(folder->base.message, path, strlen(path)) != 0) {
    fail_msg("expected one line from '%s' on with '%s', found '%s'", path, words,
             folder->base.message);
  }
}

/* ---- what is read back */

static void check_rows(struct base *base, struct file *file, int64_t rows, double tolerance) {
  int64_t index[N * M], count[N];
  double coordinates[N * D], distance[N * M];
  for (int64_t first = 0; first <= rows; first++) { /* every part, empty ones too */
    for (int64_t number = 0; first + number <= rows; number++) {
      assert_int_equal(file_read_coordinates(base, file, first, number, coordinates), PCCT_OK);
      assert_int_equal(file_read_index(base, file, first, number, index), PCCT_OK);
      assert_int_equal(file_read_count(base, file, first, number, count), PCCT_OK);
      if (tolerance >= 0) {
        assert_int_equal(file_read_distance(base, file, first, number, distance), PCCT_OK);
      }
      for (int64_t i = 0; i < number; i++) {
        assert_int_equal(count[i], filled[first + i]);
        for (int64_t j = 0; j < D; j++) {
          assert_true(coordinates[i * D + j] == coordinate_of(first + i, j));
        }
        for (int64_t k = 0; k < M; k++) {
          const double expected = distance_of(first + i, k);
          assert_int_equal(index[i * M + k], index_of(first + i, k));
          assert_true(tolerance < 0 || distance[i * M + k] == expected ||
                      fabs(distance[i * M + k] - expected) <= tolerance);
        }
      }
    }
  }
}

static void check_sets(struct folder *folder) {
  int64_t rows[N];
  struct file *file = open_fine(folder);
  const struct file_summary *summary = file_get_summary(file);
  assert_string_equal(summary->kind, "conditioning-sets");
  assert_int_equal(summary->version_major, 1);
  assert_int_equal(summary->version_minor, 0);
  assert_int_equal(summary->n, N);
  assert_int_equal(summary->rows, N);
  assert_int_equal(summary->width, M);
  assert_int_equal(summary->dimension, D);
  assert_string_equal(summary->ordering, "coordinate:1");
  assert_true(summary->seed == UINT64_MAX);
  assert_string_equal(summary->metric, "euclidean");
  assert_string_equal(summary->coordinates, "cartesian");
  assert_true(summary->scale[0] == 1 && summary->scale[1] == 0.2);
  assert_string_equal(summary->dataset, "/points");
  assert_string_equal(summary->columns, "");
  assert_int_equal(summary->duplicates, 1);
  assert_int_equal(summary->distance_size, 8);
  assert_true(summary->has_ordering);
  assert_false(summary->has_source_row);
  check_rows(&folder->base, file, N, 0);
  assert_int_equal(file_read_permutation(&folder->base, file, 0, N, rows), PCCT_OK);
  assert_memory_equal(rows, permutation, sizeof permutation);
  assert_int_equal(file_read_position(&folder->base, file, 1, N - 1, rows), PCCT_OK);
  assert_memory_equal(rows, position + 1, sizeof position - sizeof position[0]);
  file_close(&file);
  assert_null(file);
}

static void test_sets(void **state) {
  struct folder *folder = *state;
  H5Fclose(create_sets(folder->path, false));
  check_sets(folder);
}

static void test_compressed(void **state) {
  struct folder *folder = *state;
  H5Fclose(create_sets(folder->path, true));
  check_sets(folder);
}

/* Rows of queries: another number than n, no ordering; single distances, or none. */
static void test_queries(void **state) {
  struct folder *folder = *state;
  for (int single = 0; single <= 1; single++) {
    hid_t handle = create_own(folder->path, "neighbors", N, M);
    put_rows(handle, QUERIES, H5T_STD_I64LE, single ? H5T_IEEE_F32LE : H5I_INVALID_HID, false);
    H5Fclose(handle);
    struct file *file = open_fine(folder);
    const struct file_summary *summary = file_get_summary(file);
    assert_string_equal(summary->kind, "neighbors");
    assert_int_equal(summary->n, N);
    assert_int_equal(summary->rows, QUERIES);
    assert_int_equal(summary->distance_size, single ? 4 : 0);
    assert_false(summary->has_ordering);
    assert_true(summary->foreign_queries);
    check_rows(&folder->base, file, QUERIES, single ? 1e-6 : -1);
    file_close(&file);
  }
}

static void test_points(void **state) {
  struct folder *folder = *state;
  for (int64_t n = 0; n <= N; n += N) {
    double coordinates[N * D];
    hid_t handle = create_own(folder->path, "points", n, 0);
    put_doubles(handle, "/points/coordinates", n, D);
    put_integers(handle, "/points/source_row", n, 0);
    H5Fclose(handle);
    struct file *file = open_fine(folder);
    const struct file_summary *summary = file_get_summary(file);
    assert_string_equal(summary->kind, "points");
    assert_int_equal(summary->n, n);
    assert_int_equal(summary->rows, n);
    assert_int_equal(summary->width, 0);
    assert_true(summary->has_source_row);
    assert_false(summary->has_ordering);
    assert_int_equal(file_read_coordinates(&folder->base, file, 0, n, coordinates), PCCT_OK);
    file_close(&file);
  }
}

/* ---- files that contradict themselves */

/* What is wrong with a file of conditioning sets, and words of the message. */
struct fault {
  void (*spoil)(hid_t file);
  const char *words;
};

static void drop_index(hid_t file) {
  H5Ldelete(file, "/neighbors/index", H5P_DEFAULT);
}
static void drop_points(hid_t file) {
  H5Ldelete(file, "/points", H5P_DEFAULT);
}
static void drop_ordering(hid_t file) {
  H5Ldelete(file, "/ordering", H5P_DEFAULT);
}
static void narrow_index(hid_t file) {
  drop_index(file);
  put_integers(file, "/neighbors/index", N, M - 1);
}
static void flat_index(hid_t file) {
  drop_index(file);
  put_integers(file, "/neighbors/index", N * M, 0);
}
static void real_index(hid_t file) {
  drop_index(file);
  put_doubles(file, "/neighbors/index", N, M);
}
static void narrow_distance(hid_t file) {
  H5Ldelete(file, "/neighbors/distance", H5P_DEFAULT);
  put_doubles(file, "/neighbors/distance", N, 1);
}
static void short_count(hid_t file) {
  H5Ldelete(file, "/neighbors/count", H5P_DEFAULT);
  put_integers(file, "/neighbors/count", N - 1, 0);
}
static void long_permutation(hid_t file) {
  H5Ldelete(file, "/ordering/permutation", H5P_DEFAULT);
  put_integers(file, "/ordering/permutation", N + 1, 0);
}
static void drop_position(hid_t file) {
  H5Ldelete(file, "/ordering/position", H5P_DEFAULT);
}
static void fewer_points(hid_t file) {
  drop_points(file);
  put_doubles(file, "/points/coordinates", N - 1, D);
}
static void more_axes(hid_t file) {
  drop_points(file);
  put_doubles(file, "/points/coordinates", N, D + 1);
}
static void short_source_row(hid_t file) {
  put_integers(file, "/points/source_row", 1, 0);
}
static void drop_n(hid_t file) {
  H5Adelete(file, "n");
}
static void negative_n(hid_t file) {
  H5Adelete(file, "n");
  put_integer(file, "n", -1);
}
static void text_n(hid_t file) {
  H5Adelete(file, "n");
  put_text(file, "n", "5");
}
static void no_axes(hid_t file) {
  H5Adelete(file, "d");
  put_integer(file, "d", 0);
}
static void many_axes(hid_t file) {
  H5Adelete(file, "d");
  put_integer(file, "d", 65);
}
static void no_width(hid_t file) {
  H5Adelete(file, "m");
  put_integer(file, "m", 0);
}
static void one_scale(hid_t file) {
  const double scale = 1;
  H5Adelete(file, "scale");
  put_numbers(file, "scale", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, &scale);
}
static void drop_seed(hid_t file) {
  H5Adelete(file, "seed");
}
static void drop_metric(hid_t file) {
  H5Adelete(file, "metric");
}
static void drop_kind(hid_t file) {
  H5Adelete(file, "kind");
}
static void drop_version(hid_t file) {
  H5Adelete(file, "format_version");
}
static void put_version(hid_t file, int64_t major) {
  const int64_t version[2] = {major, 7};
  H5Adelete(file, "format_version");
  put_numbers(file, "format_version", H5T_STD_I32LE, H5T_NATIVE_INT64, 2, version);
}
static void future_version(hid_t file) {
  put_version(file, 2);
}
static void past_version(hid_t file) {
  put_version(file, 0);
}

static void test_faults(void **state) {
  static const struct fault faults[] = {
      {drop_index, "/neighbors/index: expected a dataset of shape 5 x 3 (rows x m), found none"},
      {drop_points, "/points/coordinates: expected a dataset of shape 5 x 2 (n x d), found none"},
      {drop_ordering, "/ordering/permutation: expected a dataset of shape 5 (n), found none"},
      {narrow_index, "/neighbors/index: expected shape 5 x 3 (rows x m), found 5 x 2"},
      {flat_index, "/neighbors/index: expected shape 5 x 3 (rows x m), found 15"},
      {real_index, "/neighbors/index: expected integers of 4 or 8 bytes, found float64"},
      {narrow_distance, "/neighbors/distance: expected shape 5 x 3 (rows x m), found 5 x 1"},
      {short_count, "/neighbors/count: expected shape 5 (rows), found 4"},
      {long_permutation, "/ordering/permutation: expected shape 5 (n), found 6"},
      {drop_position, "/ordering/position: expected a dataset of shape 5 (n), found none"},
      {fewer_points, "/points/coordinates: expected shape 5 x 2 (n x d), found 4 x 2"},
      {more_axes, "/points/coordinates: expected shape 5 x 2 (n x d), found 5 x 3"},
      {short_source_row, "/points/source_row: expected shape 5 "},
      {drop_n, "attribute n: expected one integer, found none"},
      {negative_n, "attribute n: expected 0 to "},
      {text_n, "attribute n: expected one integer"},
      {no_axes, "attribute d: expected 1 to 64, found 0"},
      {many_axes, "attribute d: expected 1 to 64, found 65"},
      {no_width, "attribute m: expected 1 to "},
      {one_scale, "attribute scale: expected d = 2 numbers"},
      {drop_seed, "attribute seed"},
      {drop_metric, "attribute metric"},
      {drop_kind, "attribute kind"},
      {drop_version, "attribute format_version"},
      {future_version, "2.7"},
      {past_version, "0.7"},
  };
  struct folder *folder = *state;
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    hid_t file = create_sets(folder->path, false);
    faults[i].spoil(file);
    H5Fclose(file);
    refuse(folder, folder->path, PCCT_INPUT, faults[i].words);
  }
}

static void drop_queries(hid_t file) {
  H5Adelete(file, "queries");
}
static void odd_queries(hid_t file) {
  drop_queries(file);
  put_text(file, "queries", "rowsandmore");
}
static void number_queries(hid_t file) {
  drop_queries(file);
  put_integer(file, "queries", 1);
}
static void own_queries(hid_t file) { /* which are as many as the points */
  drop_queries(file);
  put_text(file, "queries", "rows");
}
static void drop_duplicates(hid_t file) {
  H5Adelete(file, "duplicates");
}

static void test_neighbor_faults(void **state) {
  static const struct fault faults[] = {
      {drop_queries, "attribute queries: expected a text, found none"},
      {odd_queries, "attribute queries: expected \"rows\" or \"file\", found \"rowsandmore\""},
      {number_queries, "attribute queries: expected a text, found none"},
      {own_queries, "/points/coordinates: expected shape 5 x 2 (n x d), found 4 x 2"},
      {drop_duplicates, "attribute duplicates: expected one integer, found none"},
  };
  struct folder *folder = *state;
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    hid_t file = create_own(folder->path, "neighbors", N, M);
    put_rows(file, QUERIES, H5T_STD_I32LE, H5T_IEEE_F64LE, false);
    faults[i].spoil(file);
    H5Fclose(file);
    refuse(folder, folder->path, PCCT_INPUT, faults[i].words);
  }
}

/* Rows that are the points themselves. */
static void test_own_queries(void **state) {
  struct folder *folder = *state;
  hid_t handle = create_own(folder->path, "neighbors", N, M);
  put_rows(handle, N, H5T_STD_I32LE, H5T_IEEE_F64LE, false);
  own_queries(handle);
  H5Fclose(handle);
  struct file *file = open_fine(folder);
  assert_false(file_get_summary(file)->foreign_queries);
  assert_int_equal(file_get_summary(file)->rows, N);
  file_close(&file);
}

/* A later minor version may add kinds: they can be listed. */
static void test_unknown_kind(void **state) {
  struct folder *folder = *state;
  H5Fclose(create_own(folder->path, "something-new", N, M));
  struct file *file = open_fine(folder);
  assert_string_equal(file_get_summary(file)->kind, "something-new");
  assert_int_equal(file_get_summary(file)->version_major, 1);
  file_close(&file);
}

/* ---- files that are none */

static void write_bytes(const char *path, const char *bytes, size_t count) {
  FILE *out = fopen(path, "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, count, out), count);
  assert_int_equal(fclose(out), 0);
}

/* Nothing may appear on stderr meanwhile, where HDF5 prints. */
static void test_not_files(void **state) {
  struct folder *folder = *state;
  char printed[160], missing[160];
  struct stat facts;
  snprintf(printed, sizeof printed, "%s/printed", folder->name);
  snprintf(missing, sizeof missing, "%s/missing.h5", folder->name);
  int descriptor = open(printed, O_CREAT | O_RDWR, 0600);
  int kept = dup(STDERR_FILENO);
  assert_true(descriptor >= 0 && kept >= 0);
  (void)dup2(descriptor, STDERR_FILENO);

  refuse(folder, missing, PCCT_FILE, "No such file");
  refuse(folder, folder->name, PCCT_FILE, "directory");
  refuse(folder, "/dev/null", PCCT_FILE, "regular file");
  write_bytes(folder->path, "", 0);
  refuse(folder, folder->path, PCCT_INPUT, "HDF5");
  write_bytes(folder->path, "lon,lat\n1,2\n", 12);
  refuse(folder, folder->path, PCCT_INPUT, "HDF5");
  H5Fclose(create_sets(folder->path, false));
  assert_int_equal(stat(folder->path, &facts), 0);
  assert_int_equal(truncate(folder->path, facts.st_size / 2), 0);
  refuse(folder, folder->path, PCCT_INPUT, "truncated");

  (void)dup2(kept, STDERR_FILENO);
  (void)close(kept);
  assert_int_equal(fstat(descriptor, &facts), 0);
  (void)close(descriptor);
  (void)unlink(printed);
  assert_int_equal(facts.st_size, 0);
}

/* A damaged chunk shows when it is read, not before. */
static void test_damaged_rows(void **state) {
  struct folder *folder = *state;
  int64_t index[N * M];
  hid_t handle = create_sets(folder->path, true);
  hid_t dataset = H5Dopen2(handle, "/neighbors/index", H5P_DEFAULT);
  const hsize_t second[2] = {2, 0};
  haddr_t address = 0;
  hsize_t size = 0;
  unsigned mask;
  H5Fflush(handle, H5F_SCOPE_GLOBAL);
  assert_true(H5Dget_chunk_info_by_coord(dataset, second, &mask, &address, &size) >= 0);
  H5Dclose(dataset);
  H5Fclose(handle);
  FILE *spoil = fopen(folder->path, "r+b");
  assert_non_null(spoil);
  assert_int_equal(fseek(spoil, (long)(address + size / 2), SEEK_SET), 0);
  assert_int_equal(fwrite("????", 1, 4, spoil), 4);
  assert_int_equal(fclose(spoil), 0);

  struct file *file = open_fine(folder);
  assert_int_equal(file_read_index(&folder->base, file, 0, 2, index), PCCT_OK);
  assert_int_equal(file_read_index(&folder->base, file, 1, 3, index), PCCT_FILE);
  assert_non_null(strstr(folder->base.message, "rows 1 to 3 of /neighbors/index"));
  base_clear_message(&folder->base);
  assert_int_equal(file_read_count(&folder->base, file, 2, N, index), PCCT_FILE);
  file_close(&file);
}

/* ---- listings */

static void put_described(hid_t file, const char *path) {
  hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  put_text(dataset, "description", "a test's values");
  put_text(dataset, "units", "km");
  H5Dclose(dataset);
}

static hid_t create_foreign(const char *path) {
  const char *const words[2] = {"one\ntwo", NULL};
  const float single[2] = {0.2F, 1.5F};
  const double real = 0.1;
  const int many[20] = {7};
  const uint64_t large = UINT64_MAX;
  hid_t file = create_file(path);
  hid_t string = H5Tcopy(H5T_C_S1), pair = H5Tcopy(H5T_C_S1);
  H5Tset_size(string, H5T_VARIABLE);
  H5Tset_size(pair, 2);
  put_dataset(file, "/b/x", pair, pair, 3, 0, false, NULL);
  put_dataset(file, "/b-b", H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, 3, 2, false, NULL);
  put_dataset(file, "/a", H5T_STD_U8LE, H5T_NATIVE_UINT8, 0, 0, false, NULL);
  put_dataset(file, "/c", string, string, 1, 0, false, NULL);
  put_described(file, "/b-b");
  put_text(file, "title", "Erdvermessung \xc3\xbc");
  put_numbers(file, "words", string, string, 2, words);
  put_numbers(file, "single", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, single);
  put_numbers(file, "real", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 0, &real);
  put_numbers(file, "many", H5T_STD_I16LE, H5T_NATIVE_INT, 20, many);
  put_numbers(file, "large", H5T_STD_U64LE, H5T_NATIVE_UINT64, 0, &large);
  put_numbers(file, "pointer", H5T_STD_REF_OBJ, H5T_STD_REF_OBJ, 0, &large);
  H5Tclose(pair);
  H5Tclose(string);
  return file;
}

static void test_listing(void **state) {
  static const struct file_dataset expected[] = {
      {"/a", "uint8", "0", "", ""},
      {"/b-b", "float32", "3 x 2", "a test's values", "km"},
      {"/b/x", "string[2]", "3", "", ""},
      {"/c", "string", "1", "", ""},
  };
  struct folder *folder = *state;
  struct file_dataset *datasets = NULL;
  int count = 0;
  char *text = NULL;
  H5Fclose(create_foreign(folder->path));
  struct file *file = open_fine(folder);
  assert_string_equal(file_get_summary(file)->kind, "");
  assert_int_equal(file_list_datasets(&folder->base, file, &datasets, &count), PCCT_OK);
  assert_int_equal(count, 4);
  for (int i = 0; i < count; i++) {
    assert_string_equal(datasets[i].path, expected[i].path);
    assert_string_equal(datasets[i].type, expected[i].type);
    assert_string_equal(datasets[i].shape, expected[i].shape);
    assert_string_equal(datasets[i].description, expected[i].description);
    assert_string_equal(datasets[i].units, expected[i].units);
  }
  base_free(datasets);
  assert_int_equal(file_list_attributes(&folder->base, file, "/", &text), PCCT_OK);
  assert_string_equal(text, "large = 18446744073709551615\n"
                            "many = [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...]\n"
                            "pointer = (reference)\n"
                            "real = 0.1\n"
                            "single = [0.2, 1.5]\n"
                            "title = Erdvermessung \xc3\xbc\n"
                            "words = [one two, ]");
  base_free(text);
  assert_int_equal(file_list_attributes(&folder->base, file, "/provenance", &text), PCCT_OK);
  assert_string_equal(text, "");
  base_free(text);
  file_close(&file);
}

/* ---- memory */

/* Everything with 0, 1, 2, ... allocations allowed; the checkers of memory see what is left. */
static pcct_status use_all(struct folder *folder) {
  struct base *base = &folder->base;
  struct file *file = NULL;
  struct file_dataset *datasets = NULL;
  char *text = NULL;
  int count = 0;
  pcct_status status = file_open(base, folder->path, &file);
  if (status == PCCT_OK) {
    status = file_list_datasets(base, file, &datasets, &count);
  }
  if (status == PCCT_OK) {
    status = file_list_attributes(base, file, "/", &text);
  }
  base_free(text);
  base_free(datasets);
  file_close(&file);
  return status;
}

static void test_allocations(void **state) {
  struct folder *folder = *state;
  pcct_status status = PCCT_MEMORY;
  int64_t allowed = 0;
  H5Fclose(create_sets(folder->path, false));
  for (; status != PCCT_OK && allowed < 1000; allowed++) {
    base_clear_message(&folder->base);
    folder->base.allocations_left = allowed;
    status = use_all(folder);
    assert_true(status == PCCT_OK || status == PCCT_MEMORY);
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
  }
  assert_int_equal(status, PCCT_OK);
  assert_true(allowed > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_sets, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_compressed, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_queries, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_points, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_faults, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_neighbor_faults, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_own_queries, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_unknown_kind, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_not_files, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_damaged_rows, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_listing, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_allocations, make_folder, remove_folder),
  };
  return cmocka_run_group_tests_name("io_file", tests, NULL, NULL);
}
