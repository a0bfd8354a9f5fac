/*
 * The rows of an output file, checked one by one against the definition of a right row.
 *
 * First everything that a row says about itself is recomputed; then the independent search finds
 * the row again, and both must agree entry for entry. The first wrong row (of this rank's block) is
 * named.
 */
#ifndef APP_VERIFY_ROWS_H
#define APP_VERIFY_ROWS_H

#include "app/verify_search.h"
#include "base/context.h"
#include "points/metric.h"

#include <stdbool.h>

enum verify_kind {
  VERIFY_SETS,   /* conditioning sets: row i belongs to position i; indices are positions below i */
  VERIFY_SELF,   /* neighbours of the rows themselves: indices are other rows */
  VERIFY_QUERIES /* neighbours of foreign queries: indices are rows of the data */
};

/* What the rows refer to. All borrowed. */
struct verify_points {
  enum verify_kind kind;
  const struct metric *metric;
  int64_t count;              /* points that indices can name */
  const double *search;       /* [count][metric->dimension] their search coordinates, by index */
  const int64_t *permutation; /* [count] position -> input row, for messages; NULL: none */
};

/* Consecutive rows of a file. All borrowed. */
struct verify_block {
  int64_t first;          /* number of the first row in the file */
  int64_t rows;           /* number of rows */
  int64_t width;          /* m or k */
  const int64_t *index;   /* [rows][width] */
  const double *distance; /* [rows][width], NULL: the file has none */
  bool single_precision;  /* the file's distances were stored as 32-bit floats */
  const int64_t *filled;  /* [rows] the file's counts */
  const double *queries;  /* [rows][metric->dimension] search coordinates; VERIFY_QUERIES alone */
};

/* The kernel value of two points of search coordinates, by its definition. Local. Not for METRIC_USER. */
double verify_rows_value(const struct metric *metric, const double *a, const double *b);

/* Checks count, range, admissibility, repeats, order by (kernel value, index), distances and padding of
 * every row of a block.
 * Local. Errors: PCCT_DIFFERENT (the message names the first wrong row). Cost: rows * width kernel
 * values. */
pcct_status verify_rows_recompute(struct base *base, const struct verify_points *points,
                                  const struct verify_block *block);

/* Finds rows of a block again and compares them entry for entry. The block has passed
 * verify_rows_recompute.
 * Local.
 *   search        [in] of points->search
 *   chosen        [in] [chosen_count] rows of the file, ascending, all in the block
 * Errors: PCCT_DIFFERENT (the message names the first wrong row), PCCT_MEMORY. */
pcct_status verify_rows_search(struct base *base, const struct verify_points *points,
                               const struct verify_search *search, const struct verify_block *block,
                               const int64_t *chosen, int64_t chosen_count);

/* Chooses rows for the search: one at random from each of `sample` consecutive stretches of all
 * rows, the same ones whatever block is asked for.
 * Local.
 *   seed         [in] of the choice
 *   rows         [in] rows of the file
 *   sample       [in] rows to choose of them; rows or more: all
 *   first, count [in] the block of rows asked for
 *   chosen       [out] [count] the chosen rows in the block, ascending
 * Returns how many were chosen in the block. Cost: O(count). */
int64_t verify_rows_choose(uint64_t seed, int64_t rows, int64_t sample, int64_t first,
                           int64_t count, int64_t *chosen);

#endif
