/*
 * Sweeps: many queries in spatial order, answered in parallel, into rows of any layout.
 */
#ifndef WALK_SWEEP_H
#define WALK_SWEEP_H

#include "walk/walk.h"

/* Where rows go. Row r, entry e: value at value + r * value_stride + 8 e, index likewise with index_size
 * bytes an entry (4 or 8), number of entries at filled + r * filled_stride (int32). Strides in bytes. */
struct walk_rows {
  char *value, *index, *filled;
  int64_t value_stride, index_stride, filled_stride;
  int64_t width; /* entries a row has room for, padded with +inf and -1 */
  int index_size;
};

/* Queries in an order in which neighbours are near each other: answers of the last ones give the next one
 * its first cut-off. Borrowed. */
struct walk_sweep {
  int64_t count;
  const double *points;    /* [count][dimension] */
  const int64_t *limit;    /* [count] */
  const int64_t *excluded; /* [count], or NULL: none */
  const double *cutoff;    /* [count] inclusive kernel values, or NULL: none */
  const int64_t
      *cutoff_position; /* [count] with cutoff: largest position that counts at that value */
  const int64_t *row;   /* [count] the row that gets the answer, or NULL: row i for query i */
};

/* Answers all queries with the k best each, k <= rows->width.
 * Local; OpenMP inside. The rows do not depend on threads.
 * Errors: PCCT_MEMORY. */
pcct_status walk_run(struct base *base, const struct view *view, const struct walk_sweep *sweep,
                     int64_t k, const struct walk_rows *rows);

/* Writes the at most width best, sorted candidates into a row and pads it. */
void walk_rows_put(const struct walk_rows *rows, int64_t row, const struct candidate *candidates,
                   int64_t count);

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
