/*
 * Rows: where walkers put answers, in any layout.
 */
#ifndef WALK_ROWS_H
#define WALK_ROWS_H

#include "walk/topk.h"

/* Row r, entry e: value at value + r * value_stride + 8 e, index likewise with index_size bytes an entry
 * (4 or 8), number of entries at filled + r * filled_stride (int32). Strides in bytes. */
struct walk_rows {
  char *value, *index, *filled;
  int64_t value_stride, index_stride, filled_stride;
  int64_t width; /* entries a row has room for, padded with +inf and -1 */
  int index_size;
  const struct metric *units; /* not NULL: values become the user's distances in this metric */
};

/* Writes the at most width best, sorted candidates into a row and pads it.
 * Local. */
void walk_rows_put(const struct walk_rows *rows, int64_t row, const struct candidate *candidates,
                   int64_t count);

/* Rows of k entries without gaps. */
static inline struct walk_rows walk_rows_plain(double *value, int64_t *position, int32_t *filled,
                                               int64_t k) {
  return (struct walk_rows){.value = (char *)value,
                            .index = (char *)position,
                            .filled = (char *)filled,
                            .value_stride = k * 8,
                            .index_stride = k * 8,
                            .filled_stride = 4,
                            .width = k,
                            .index_size = 8};
}

static inline double *walk_rows_value(const struct walk_rows *rows, int64_t row) {
  return (double *)(void *)(rows->value + row * rows->value_stride);
}

static inline int32_t *walk_rows_filled(const struct walk_rows *rows, int64_t row) {
  return (int32_t *)(void *)(rows->filled + row * rows->filled_stride);
}

/* Entry of a row as a position. */
static inline int64_t walk_rows_index(const struct walk_rows *rows, int64_t row, int64_t entry) {
  const char *index = rows->index + row * rows->index_stride;
  return rows->index_size == 4 ? ((const int32_t *)(const void *)index)[entry]
                               : ((const int64_t *)(const void *)index)[entry];
}

#endif
