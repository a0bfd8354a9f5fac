/*
 * For tests of output files: a folder for one test, and contents that are a function of the row alone.
 */
#ifndef TEST_IO_OUTPUT_MADE_H
#define TEST_IO_OUTPUT_MADE_H

#include "io/output_private.h"
#include "test_base_ranks.h"

#include <math.h>
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

enum { WIDTH = 5, AXES = 2, PATH_BYTES = 256 };

struct fixture {
  pcct_context *context;
  char folder[64];
};

static inline int make_fixture(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  *state = fixture;
  if (!fixture || pcct_context_create(MPI_COMM_WORLD, 1, &fixture->context) != PCCT_OK) {
    return -1;
  }
  snprintf(fixture->folder, sizeof fixture->folder, "/tmp/pcct-output-XXXXXX");
  bool made = fixture->context->rank != 0 || mkdtemp(fixture->folder);
  comm_broadcast(fixture->context, fixture->folder, sizeof fixture->folder);
  return on_all_ranks(fixture->context, made) ? 0 : -1;
}

/* The folder must be empty: whatever a test left fails here. */
static inline int drop_fixture(void **state) {
  struct fixture *fixture = *state;
  bool empty = fixture->context->rank != 0 || rmdir(fixture->folder) == 0;
  empty = on_all_ranks(fixture->context, empty);
  pcct_context_destroy(&fixture->context);
  free(fixture);
  return empty ? 0 : -1;
}

static inline const char *name_of(const struct fixture *fixture, const char *name, char *path) {
  snprintf(path, PATH_BYTES, "%s/%s", fixture->folder, name);
  return path;
}

static inline bool exists(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0;
}

/* Rank 0 makes a file of one byte, or looks whether it is still that. */
static inline void touch(const struct fixture *fixture, const char *path) {
  if (fixture->context->rank == 0) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputc('x', file);
    assert_int_equal(fclose(file), 0);
  }
  comm_max(fixture->context, 0);
}
static inline bool is_touched(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && info.st_size == 1;
}

/* Rank 0 removes a file that must be there. */
static inline void drop(const struct fixture *fixture, const char *path) {
  bool gone = fixture->context->rank != 0 || unlink(path) == 0;
  assert_true(on_all_ranks(fixture->context, gone));
}

static const struct provenance some_provenance = {.command_line = "pcct test",
                                                  .input_path = "in.h5",
                                                  .input_hash = "0123456789abcdef",
                                                  .threads = 3,
                                                  .seconds = 1.5};

static inline struct output_header make_header(int64_t n) {
  static const double scale[AXES] = {1, 0.5};
  return (struct output_header){.kind = OUTPUT_CONDITIONING_SETS,
                                .n = n,
                                .rows = n,
                                .dimension = AXES,
                                .width = WIDTH,
                                .ordering = "coordinate:1",
                                .seed = UINT64_MAX - 1,
                                .metric = "euclidean",
                                .coordinates = "cartesian",
                                .scale = scale,
                                .duplicates = 3,
                                .dataset = "/points",
                                .columns = "",
                                .units = "m",
                                .has_ordering = true,
                                .has_source_row = true};
}

/* ---- made-up contents, a function of the row alone */

static inline int64_t index_at(int64_t row, int64_t place) {
  return place < row ? (row * 7 + place) % (row + 1) : -1;
}
static inline double distance_at(int64_t row, int64_t place) {
  return place < row ? (double)row / 3 + (double)place : INFINITY;
}
static inline double coordinate_at(int64_t row, int axis) {
  return (double)row * 0.1 - axis;
}

struct block {
  pcct_rows rows;
  int64_t *numbers;
  double *coordinates;
  char *codes;
};

static inline void make_block(struct block *block, int64_t first, int64_t count, bool wide) {
  size_t room = (size_t)count + 1;
  block->rows = (pcct_rows){.first = first,
                            .count = count,
                            .width = WIDTH,
                            .index32 = wide ? NULL : calloc(room, WIDTH * sizeof(int32_t)),
                            .index64 = wide ? calloc(room, WIDTH * sizeof(int64_t)) : NULL,
                            .distance = calloc(room, WIDTH * sizeof(double)),
                            .filled = calloc(room, sizeof(int32_t))};
  block->numbers = calloc(room, sizeof(int64_t));
  block->coordinates = calloc(room, AXES * sizeof(double));
  block->codes = calloc(room, 2);
  for (int64_t i = 0; i < count; i++) {
    int64_t row = first + i;
    for (int64_t j = 0; j < WIDTH; j++) {
      if (wide) {
        block->rows.index64[i * WIDTH + j] = index_at(row, j);
      } else {
        block->rows.index32[i * WIDTH + j] = (int32_t)index_at(row, j);
      }
      block->rows.distance[i * WIDTH + j] = distance_at(row, j);
    }
    for (int axis = 0; axis < AXES; axis++) {
      block->coordinates[i * AXES + axis] = coordinate_at(row, axis);
    }
    block->rows.filled[i] = (int32_t)(row < WIDTH ? row : WIDTH);
    block->numbers[i] = row * 3;
    block->codes[2 * i] = (char)('A' + row % 26);
    block->codes[2 * i + 1] = row % 2 ? '\0' : 'z';
  }
}

static inline void drop_block(struct block *block) {
  free(block->rows.index32);
  free(block->rows.index64);
  free(block->rows.distance);
  free(block->rows.filled);
  free(block->numbers);
  free(block->coordinates);
  free(block->codes);
}

/* Whether the last write was. */
static inline bool was_collective(const struct output *output) {
  uint32_t local, global;
  return H5Pget_mpio_no_collective_cause(output->transfer, &local, &global) >= 0 && local == 0 &&
         global == 0;
}

#endif
