/*
 * The CSV reader, cells and tables, on files written here.
 */
#include "io/csv_cell.h"
#include "io/csv_table.h"
#include "io/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

static char path[] = "/tmp/test_csv_XXXXXX";

static void write_bytes(const char *bytes, size_t length, const char *mode) {
  FILE *file = fopen(path, mode);
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

static void write_text(const char *text) {
  write_bytes(text, strlen(text), "wb");
}

/* Appends one gzip member, or starts the file with it. */
static void write_gzip(const char *text, const char *mode) {
  gzFile file = gzopen(path, mode);
  assert_non_null(file);
  assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), strlen(text));
  assert_int_equal(gzclose(file), Z_OK);
}

static struct csv_reader *open_reader(struct base *base) {
  struct csv_reader *reader;
  assert_int_equal(csv_open(base, path, &reader), PCCT_OK);
  return reader;
}

/* Checks the next row: its line, and its fields, which are given joined by '|'. */
static void expect_row(struct base *base, struct csv_reader *reader, int64_t index, int64_t line,
                       const char *joined) {
  struct csv_row row;
  assert_int_equal(csv_next_row(base, reader, &row), PCCT_OK);
  assert_non_null(row.fields);
  assert_int_equal(row.index, index);
  assert_int_equal(row.line, line);
  char text[256] = "";
  for (int64_t i = 0; i < csv_column_count(reader); i++) {
    assert_int_equal(strlen(row.fields[i].text), row.fields[i].length);
    strcat(text, i > 0 ? "|" : "");
    strcat(text, row.fields[i].text);
  }
  assert_string_equal(text, joined);
}

static void expect_end(struct base *base, struct csv_reader *reader) {
  struct csv_row row;
  assert_int_equal(csv_next_row(base, reader, &row), PCCT_OK);
  assert_null(row.fields);
}

static void test_dialect(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  write_text("\xEF\xBB\xBF\"a\",b b , c\r\n"
             "1,\"x,\"\"y\"\"\",2\r\n"
             "\r\n"
             "\"two\nlines\r\nthree\",,\"\"\n"
             "  \t\n"
             " 3\t, 4 4 ,\" 5 \"\r"
             "6,7,8");
  struct csv_reader *reader = open_reader(&base);
  assert_int_equal(csv_column_count(reader), 3);
  assert_string_equal(csv_column_name(reader, 0)->text, "a");
  assert_string_equal(csv_column_name(reader, 1)->text, "b b");
  assert_string_equal(csv_column_name(reader, 2)->text, "c");
  assert_int_equal(csv_find_column(reader, "c"), 2);
  assert_int_equal(csv_find_column(reader, "C"), CSV_NONE);
  for (int pass = 0; pass < 2; pass++) {
    expect_row(&base, reader, 0, 2, "1|x,\"y\"|2");
    expect_row(&base, reader, 1, 4, "two\nlines\r\nthree||");
    expect_row(&base, reader, 2, 8, "3|4 4| 5 ");
    expect_row(&base, reader, 3, 9, "6|7|8");
    expect_end(&base, reader);
    expect_end(&base, reader);
    assert_int_equal(csv_rewind(&base, reader), PCCT_OK);
  }
  csv_close(&reader);
  assert_null(reader);
}

static void test_header_only(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  const char *texts[] = {"x,y", "x,y\n", "\n\nx,y\r\n\r\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    write_text(texts[i]);
    struct csv_reader *reader = open_reader(&base);
    assert_int_equal(csv_column_count(reader), 2);
    expect_end(&base, reader);
    csv_close(&reader);
  }
  write_text("x,y,x\n1,2,3\n");
  struct csv_reader *reader = open_reader(&base);
  assert_int_equal(csv_find_column(reader, "x"), CSV_SEVERAL);
  csv_close(&reader);
}

static void test_gzip_members(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  write_gzip("x,y\n1,\"2", "wb");
  write_gzip("3\"\n4,5\n", "ab");
  struct csv_reader *reader = open_reader(&base);
  for (int pass = 0; pass < 2; pass++) {
    expect_row(&base, reader, 0, 2, "1|23");
    expect_row(&base, reader, 1, 3, "4|5");
    expect_end(&base, reader);
    assert_int_equal(csv_rewind(&base, reader), PCCT_OK);
  }
  csv_close(&reader);
}

/* A file of many read buffers: no row is lost or cut where one buffer ends. */
static void test_long_file(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  const int rows = 60000;
  for (int gzip = 0; gzip < 2; gzip++) {
    gzFile file = gzopen(path, gzip ? "wb" : "wbT");
    assert_non_null(file);
    assert_true(gzprintf(file, "row,text\r\n") > 0);
    for (int i = 0; i < rows; i++) {
      assert_true(gzprintf(file, "%d,\"%0*d\n\"\r\n", i, i % 13 + 1, i) > 0);
    }
    assert_int_equal(gzclose(file), Z_OK);
    struct csv_reader *reader = open_reader(&base);
    for (int i = 0; i < rows; i++) {
      char joined[64];
      snprintf(joined, sizeof joined, "%d|%0*d\n", i, i % 13 + 1, i);
      expect_row(&base, reader, i, 2 + 2 * i, joined);
    }
    expect_end(&base, reader);
    csv_close(&reader);
  }
}

/* Reads all rows of a text that is not CSV, and wants the parts in the message. */
static void expect_refusal(const char *text, size_t length, const char *part,
                           const char *other_part) {
  struct base base;
  base_init(&base, 1);
  write_bytes(text, length, "wb");
  struct csv_reader *reader;
  pcct_status status = csv_open(&base, path, &reader);
  struct csv_row row = {0};
  bool more = status == PCCT_OK;
  while (more) {
    status = csv_next_row(&base, reader, &row);
    more = status == PCCT_OK && row.fields != NULL;
  }
  assert_int_equal(status, PCCT_INPUT);
  if (strstr(base.message, part) == NULL || strstr(base.message, other_part) == NULL ||
      strstr(base.message, path) == NULL || strchr(base.message, '\n') != NULL) {
    fail_msg("'%s' lacks '%s', '%s' or the path, or is not one line", base.message, part,
             other_part);
  }
  csv_close(&reader);
}

static void test_malformed(void **state) {
  (void)state;
  struct {
    const char *text, *part, *other_part;
  } cases[] = {
      {"", "empty", "header"},
      {"\n \n", "empty", "header"},
      {"x,y\n1,2\n\n3\n", "line 4", "column 'y' is missing"},
      {"x,y\n1,2\n1,2,3\n", "line 3", "has 3 field"},
      {"x,y\n\"1\n2\",3\n4\n", "line 4", "has 1 field"},
      {"x,y\n1,2\n3,\"4\n5,6\n", "line 3", "column 'y'"},
      {"x,y\n1,2\n3,\"4", "line 3", "never closed"},
      {"x,y\n1,2\n3,4\"5\"\n", "line 3", "column 'y'"},
      {"x,y\n1,2\n\"3\"4,5\n", "line 3", "column 'x'"},
      {"\"x,y\n1,2\n", "line 1", "header"},
      {"x\"y,z\n1,2\n", "line 1", "header"},
      {"\"x\ny\",z\n1\n", "line 3", "column 'z'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    expect_refusal(cases[i].text, strlen(cases[i].text), cases[i].part, cases[i].other_part);
  }
  const char utf16[] = "x\0,\0y\0\n\0";
  expect_refusal(utf16, sizeof utf16 - 1, "NUL", "UTF-8");
}

static void test_damaged_gzip(void **state) {
  (void)state;
  char text[20000] = "x,y\n";
  for (int i = 0; i < 1000; i++) {
    sprintf(text + strlen(text), "%d,%d\n", i, i * i % 1009);
  }
  write_gzip(text, "wb");
  char bytes[20000];
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t length = fread(bytes, 1, sizeof bytes, file);
  assert_int_equal(fclose(file), 0);
  assert_in_range(length, 1000, sizeof bytes - 1);
  expect_refusal(bytes, length - 1, "gzip", "truncated");
  expect_refusal(bytes, length / 2, "gzip", "truncated");
  bytes[length - 6] ^= 1; /* in the checksum */
  expect_refusal(bytes, length, "gzip", "damaged");
}

static void test_missing_file(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  struct csv_reader *reader;
  assert_int_equal(csv_open(&base, "/nonexistent/table.csv", &reader), PCCT_FILE);
  assert_null(reader);
  assert_non_null(strstr(base.message, "/nonexistent/table.csv"));
  base_clear_message(&base);
  assert_int_equal(csv_open(&base, "/tmp", &reader), PCCT_FILE);
  assert_non_null(strstr(base.message, "directory"));
}

/* Known values of XXH64: of nothing, and of more than one read buffer by the library's one call. */
static void test_hash(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  char hash[17], expected[17];
  write_text("");
  assert_int_equal(io_hash(&base, path, hash), PCCT_OK);
  assert_string_equal(hash, "ef46db3751d8e999");
  size_t length = 1000003;
  char *bytes = malloc(length);
  assert_non_null(bytes);
  for (size_t i = 0; i < length; i++) {
    bytes[i] = (char)(i * i % 251);
  }
  write_bytes(bytes, length, "wb");
  assert_int_equal(io_hash(&base, path, hash), PCCT_OK);
  snprintf(expected, sizeof expected, "%016llx", (unsigned long long)XXH64(bytes, length, 0));
  assert_string_equal(hash, expected);
  free(bytes);
  assert_int_equal(io_hash(&base, "/nonexistent/table.csv", hash), PCCT_FILE);
}

static void test_cells(void **state) {
  (void)state;
  struct {
    const char *text;
    enum csv_cell cell;
    double number;
    int64_t integer;
  } cases[] = {
      {"", CSV_CELL_MISSING, 0, 0},
      {"  ", CSV_CELL_MISSING, 0, 0},
      {"NA", CSV_CELL_MISSING, 0, 0},
      {"nan", CSV_CELL_MISSING, 0, 0},
      {"-NaN", CSV_CELL_MISSING, 0, 0},
      {"0", CSV_CELL_INTEGER, 0, 0},
      {"-17", CSV_CELL_INTEGER, -17, -17},
      {" +17 ", CSV_CELL_INTEGER, 17, 17},
      {"9223372036854775807", CSV_CELL_INTEGER, 0x1p63, INT64_MAX},
      {"9223372036854775808", CSV_CELL_NUMBER, 0x1p63, 0},
      {"0.1", CSV_CELL_NUMBER, 0.1, 0},
      {"1e3", CSV_CELL_NUMBER, 1000, 0},
      {"4.9e-324", CSV_CELL_NUMBER, 0x1p-1074, 0},
      {"736339.335428251", CSV_CELL_NUMBER, 736339.335428251, 0},
      {"-inf", CSV_CELL_NUMBER, -INFINITY, 0},
      {"1e999", CSV_CELL_TEXT, 0, 0},
      {"0x10", CSV_CELL_TEXT, 0, 0},
      {"1,5", CSV_CELL_TEXT, 0, 0},
      {"12 m", CSV_CELL_TEXT, 0, 0},
      {"\n1", CSV_CELL_TEXT, 0, 0},
      {"-", CSV_CELL_TEXT, 0, 0},
      {"N/A", CSV_CELL_TEXT, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct csv_field field = {cases[i].text, (int64_t)strlen(cases[i].text)};
    double number;
    int64_t integer;
    enum csv_cell cell = csv_cell_parse(&field, &number, &integer);
    if (cell != cases[i].cell) {
      fail_msg("'%s' is %d, expected %d", field.text, (int)cell, (int)cases[i].cell);
    }
    if (cell == CSV_CELL_INTEGER || cell == CSV_CELL_NUMBER) {
      assert_true(number == cases[i].number);
    } else {
      assert_true(isnan(number));
    }
    assert_int_equal(integer, cases[i].integer);
  }
  struct csv_field nul = {"1\0", 2};
  double number;
  int64_t integer;
  assert_int_equal(csv_cell_parse(&nul, &number, &integer), CSV_CELL_TEXT);
}

static void test_utf8(void **state) {
  (void)state;
  void *converter = csv_text_open();
  assert_non_null(converter);
  struct {
    const char *text;
    bool valid;
  } cases[] = {{"", true},          {"plain", true},        {"S\xC3\xA3o", true},
               {"S\xE3o", false},   {"cut \xC3", false},    {"\xF0\x9F\x8C\x8D", true},
               {"\xC0\x80", false}, {"\xED\xA0\x80", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct csv_field field = {cases[i].text, (int64_t)strlen(cases[i].text)};
    assert_int_equal(csv_text_valid(converter, &field), cases[i].valid);
  }
  struct csv_field nul = {"a\0b", 3};
  assert_false(csv_text_valid(converter, &nul));
  char *long_text = malloc(5001);
  assert_non_null(long_text);
  memset(long_text, 'a', 5000);
  long_text[5000] = '\0';
  struct csv_field field = {long_text, 5000};
  assert_true(csv_text_valid(converter, &field));
  long_text[4999] = '\x80';
  assert_false(csv_text_valid(converter, &field));
  free(long_text);
  csv_text_close(converter);
}

enum { WHOLE, PARTIAL, FRACTION, NAME, NOTHING, CARRIED };

static const char table_text[] = "whole,lon,partial,lat,fraction,name,nothing\n"
                                 "1,10.5,1,-1,1,NA,\n"
                                 "x,,2,0,hexa,a name much longer than the others,y\n"
                                 "2,11,,0.25,2.5,S\xC3\xA3o,NA\n"
                                 "3,nan,3,3,3,c,z\n"
                                 "-4,12,3,4,nan,,nan\n";

/* Surveys and reads the table in blocks of `capacity` rows; any failure comes back. */
static pcct_status read_table(struct base *base, int64_t capacity, double *coordinates,
                              int64_t *source_row, struct csv_table *table, void **carried) {
  struct csv_reader *reader = NULL;
  pcct_status status = csv_open(base, path, &reader);
  if (status == PCCT_OK) {
    status = csv_survey(base, reader, table);
  }
  int64_t done = 0;
  struct csv_block block = {.capacity = capacity, .count = capacity};
  while (status == PCCT_OK && block.count == capacity) {
    void *shifted[CARRIED];
    for (int c = 0; c < CARRIED; c++) {
      shifted[c] = (char *)carried[c] + (size_t)done * csv_element_size(&table->carried[c]);
    }
    block.carried = shifted;
    block.coordinates = coordinates + 2 * done;
    block.source_row = source_row + done;
    status = csv_read_block(base, reader, table, &block);
    done += block.count;
  }
  csv_close(&reader);
  if (status == PCCT_OK) {
    assert_int_equal(done, table->rows - table->dropped);
  }
  return status;
}

static void test_table(void **state) {
  (void)state;
  write_text(table_text);
  for (int64_t capacity = 1; capacity < 6; capacity++) {
    /* every allocation is made to fail once, then none */
    pcct_status status = PCCT_MEMORY;
    for (int64_t allowed = 0; status != PCCT_OK; allowed++) {
      struct base base;
      base_init(&base, 1);
      base.allocations_left = allowed;
      struct csv_column columns[CARRIED] = {
          {.field = 0}, {.field = 2}, {.field = 4}, {.field = 5}, {.field = 6}};
      struct csv_table table = {
          .dimension = 2, .coordinates = {1, 3}, .carried_count = CARRIED, .carried = columns};
      double coordinates[2 * 6];
      int64_t source_row[6], whole[6];
      double partial[6], fraction[6], nothing[6];
      char name[6][4];
      void *carried[CARRIED] = {whole, partial, fraction, name, nothing};
      status = read_table(&base, capacity, coordinates, source_row, &table, carried);
      if (status != PCCT_OK) {
        assert_int_equal(status, PCCT_MEMORY);
        assert_in_range(allowed, 0, 100);
        continue;
      }
      assert_int_equal(table.rows, 5);
      assert_int_equal(table.dropped, 2);
      const double expected[] = {10.5, -1, 11, 0.25, 12, 4};
      assert_memory_equal(coordinates, expected, sizeof expected);
      assert_int_equal(source_row[0], 0);
      assert_int_equal(source_row[1], 2);
      assert_int_equal(source_row[2], 4);
      assert_int_equal(columns[WHOLE].kind, CSV_INTEGERS);
      assert_int_equal(whole[0], 1);
      assert_int_equal(whole[1], 2);
      assert_int_equal(whole[2], -4);
      assert_int_equal(columns[PARTIAL].kind, CSV_NUMBERS);
      assert_int_equal(columns[PARTIAL].missing, 1);
      assert_true(partial[0] == 1 && isnan(partial[1]) && partial[2] == 3);
      assert_int_equal(columns[FRACTION].kind, CSV_NUMBERS);
      assert_true(fraction[0] == 1 && fraction[1] == 2.5 && isnan(fraction[2]));
      assert_int_equal(columns[NAME].kind, CSV_TEXTS);
      assert_int_equal(columns[NAME].length, 4);
      assert_memory_equal(name, "NA\0\0S\xC3\xA3o\0\0\0\0", 12);
      assert_int_equal(columns[NOTHING].kind, CSV_NUMBERS);
      assert_int_equal(columns[NOTHING].missing, 3);
      assert_true(isnan(nothing[0]) && isnan(nothing[1]) && isnan(nothing[2]));
    }
  }
}

static void test_bad_cells(void **state) {
  (void)state;
  struct {
    const char *text, *part, *other_part;
  } cases[] = {
      {"x,name\n1,a\n2;5,b\n", "line 3", "column 'x'"},
      {"x,name\n1,a\ninf,b\n", "line 3", "'inf'"},
      {"x,name\n1,a\n\n\"\n7\",b\n", "line 4", "'?7'"},
      {"x,name\n1,a\n2,S\xE3o\n", "line 3", "column 'name'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct base base;
    base_init(&base, 1);
    write_text(cases[i].text);
    struct csv_reader *reader = open_reader(&base);
    struct csv_column column = {.field = 1};
    struct csv_table table = {.dimension = 1, .carried_count = 1, .carried = &column};
    assert_int_equal(csv_survey(&base, reader, &table), PCCT_INPUT);
    if (strstr(base.message, cases[i].part) == NULL ||
        strstr(base.message, cases[i].other_part) == NULL || strchr(base.message, '\n') != NULL) {
      fail_msg("'%s' lacks '%s' or '%s'", base.message, cases[i].part, cases[i].other_part);
    }
    csv_close(&reader);
  }
}

int main(void) {
  int file = mkstemp(path);
  if (file < 0 || close(file) != 0) {
    return 1;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dialect),      cmocka_unit_test(test_header_only),
      cmocka_unit_test(test_gzip_members), cmocka_unit_test(test_long_file),
      cmocka_unit_test(test_malformed),    cmocka_unit_test(test_damaged_gzip),
      cmocka_unit_test(test_missing_file), cmocka_unit_test(test_hash),
      cmocka_unit_test(test_cells),        cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_table),        cmocka_unit_test(test_bad_cells),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(path);
  return failures;
}
