/*
 * Checks of rows. See verify_rows.h.
 */
#include "app/verify_rows.h"

#include "base/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_SIZE 512

/* Formats what is wrong, if anybody wants to know, and returns true. */
static bool fault(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(char *text, const char *format, ...) {
  if (text) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
  }
  return true;
}

/* What an index of the file names. */
static const char *index_name(const struct verify_points *points) {
  return points->kind == VERIFY_SETS ? "position" : "row";
}

/* Records a difference in one row. */
static pcct_status row_fail(struct base *base, const struct verify_points *points, int64_t row,
                            const char *text) {
  if (points->kind == VERIFY_SETS && points->permutation) {
    return base_fail(base, PCCT_DIFFERENT, "row %" PRId64 " (input row %" PRId64 "): %s", row,
                     points->permutation[row], text);
  }
  return base_fail(base, PCCT_DIFFERENT, "%s %" PRId64 ": %s",
                   points->kind == VERIFY_QUERIES ? "query" : "row", row, text);
}

double verify_rows_value(const struct metric *metric, const double *a, const double *b) {
  double value = 0;
  for (int j = 0; j < metric->dimension; j++) {
    double difference = a[j] - b[j];
    switch (metric->kind) {
    case METRIC_MANHATTAN:
      value += fabs(difference);
      break;
    case METRIC_CHEBYSHEV:
      value = fmax(value, fabs(difference));
      break;
    default:
      value += difference * difference;
      break;
    }
  }
  return value;
}

/* The kernel value between the point of row `i` of a block and a point. */
static double row_value(const struct verify_points *points, const struct verify_block *block,
                        int64_t i, int64_t index) {
  int dimension = points->metric->dimension;
  const double *from = points->kind == VERIFY_QUERIES
                           ? block->queries + i * dimension
                           : points->search + (block->first + i) * dimension;
  return verify_rows_value(points->metric, from, points->search + index * dimension);
}

/* Points that may be in a row. */
static int64_t row_admissible(const struct verify_points *points, int64_t row) {
  switch (points->kind) {
  case VERIFY_SETS:
    return row;
  case VERIFY_SELF:
    return points->count - 1;
  default:
    return points->count;
  }
}

/* Whether one index of a row is none of the admissible points, or one that was there before. */
static bool index_is_wrong(const struct verify_points *points, int64_t row, const int64_t *index,
                           int64_t entry, char *text) {
  const char *name = index_name(points);
  int64_t found = index[entry];
  if (found < 0 || found >= points->count) {
    return fault(text, "neighbor %" PRId64 " is %s %" PRId64 ", outside 0 to %" PRId64, entry, name,
                 found, points->count - 1);
  }
  if (points->kind == VERIFY_SETS && found >= row) {
    return fault(text, "neighbor %" PRId64 " is position %" PRId64 ", which is no predecessor",
                 entry, found);
  }
  if (points->kind == VERIFY_SELF && found == row) {
    return fault(text, "neighbor %" PRId64 " is the row itself", entry);
  }
  /* A repeated index breaks the strict order, which is tested anyway; it is looked for by name only
   * where a message is wanted. */
  for (int64_t before = 0; text && before < entry; before++) {
    if (index[before] == found) {
      return fault(text, "neighbors %" PRId64 " and %" PRId64 " are both %s %" PRId64, before,
                   entry, name, found);
    }
  }
  return false;
}

/* Whether anything in row `i` of a block contradicts its definition. */
static bool row_is_wrong(const struct verify_points *points, const struct verify_block *block,
                         int64_t i, char *text) {
  int64_t row = block->first + i;
  const int64_t *index = block->index + i * block->width;
  const double *distance = block->distance ? block->distance + i * block->width : NULL;
  int64_t admissible = row_admissible(points, row);
  int64_t filled = admissible < block->width ? admissible : block->width;
  if (block->filled[i] != filled) {
    return fault(text, "its count is %" PRId64 ", expected %" PRId64, block->filled[i], filled);
  }
  for (int64_t entry = 0; entry < filled; entry++) {
    if (index_is_wrong(points, row, index, entry, text)) {
      return true;
    }
  }
  double last = -1;
  for (int64_t entry = 0; entry < filled; entry++) {
    double value = row_value(points, block, i, index[entry]);
    double expected = metric_user_distance(points->metric, value);
    if (value < last || (value == last && index[entry] <= index[entry - 1])) {
      return fault(text,
                   "neighbors %" PRId64 " and %" PRId64 " are out of order: %s %" PRId64
                   " at %.17g, then %s %" PRId64 " at %.17g",
                   entry - 1, entry, index_name(points), index[entry - 1],
                   metric_user_distance(points->metric, last), index_name(points), index[entry],
                   expected);
    }
    last = value;
    expected = block->single_precision ? (double)(float)expected : expected;
    if (distance && !(distance[entry] == expected)) {
      return fault(text,
                   "the distance of neighbor %" PRId64 " (%s %" PRId64 ") is %.17g, expected %.17g",
                   entry, index_name(points), index[entry], distance[entry], expected);
    }
  }
  for (int64_t entry = filled; entry < block->width; entry++) {
    if (index[entry] != -1) {
      return fault(text, "entry %" PRId64 " is padding and holds index %" PRId64 ", expected -1",
                   entry, index[entry]);
    }
    if (distance && !(distance[entry] == INFINITY)) {
      return fault(text, "entry %" PRId64 " is padding and holds distance %.17g, expected +inf",
                   entry, distance[entry]);
    }
  }
  return false;
}

pcct_status verify_rows_recompute(struct base *base, const struct verify_points *points,
                                  const struct verify_block *block) {
  int64_t first_wrong = block->rows;
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(min                                                                                  \
              : first_wrong)
  for (int64_t i = 0; i < block->rows; i++) {
    if (i < first_wrong && row_is_wrong(points, block, i, NULL)) {
      first_wrong = i;
    }
  }
  if (first_wrong == block->rows) {
    return PCCT_OK;
  }
  char text[TEXT_SIZE] = "";
  row_is_wrong(points, block, first_wrong, text);
  return row_fail(base, points, block->first + first_wrong, text);
}

/* ---------------------------------------------------------------- searching again */

struct comparison {
  const struct verify_points *points;
  const struct verify_block *block;
  const int64_t *chosen;
  int64_t first_wrong; /* place in `chosen` */
  char *text;          /* NULL while many threads compare */
};

/* Compares one row with what the search found. */
static void compare_row(void *user, int64_t query, int64_t count, const struct verify_near *near) {
  struct comparison *comparison = user;
  const struct verify_points *points = comparison->points;
  const struct verify_block *block = comparison->block;
  int64_t i = comparison->chosen[query] - block->first;
  const int64_t *index = block->index + i * block->width;
  int64_t entry = 0;
  while (entry < count && index[entry] == near[entry].index) {
    entry++;
  }
  if (entry == count && count == block->filled[i]) {
    return;
  }
  if (!comparison->text) {
#pragma omp critical(verify_first_wrong)
    comparison->first_wrong = query < comparison->first_wrong ? query : comparison->first_wrong;
  } else if (entry == count) {
    fault(comparison->text, "its count is %" PRId64 ", but %" PRId64 " neighbors were found",
          block->filled[i], count);
  } else {
    const char *name = index_name(points);
    double value = row_value(points, block, i, index[entry]);
    fault(comparison->text,
          "neighbor %" PRId64 " is %s %" PRId64 " at %.17g, nearest is %s %" PRId64 " at %.17g",
          entry, name, index[entry], metric_user_distance(points->metric, value), name,
          near[entry].index, metric_user_distance(points->metric, near[entry].value));
  }
}

pcct_status verify_rows_search(struct base *base, const struct verify_points *points,
                               const struct verify_search *search, const struct verify_block *block,
                               const int64_t *chosen, int64_t chosen_count) {
  static const enum verify_admission admissions[] = {[VERIFY_SETS] = VERIFY_PREDECESSORS,
                                                     [VERIFY_SELF] = VERIFY_OTHERS,
                                                     [VERIFY_QUERIES] = VERIFY_ALL};
  int dimension = points->metric->dimension;
  struct verify_queries queries = {admissions[points->kind], chosen_count, chosen, NULL};
  struct comparison comparison = {points, block, chosen, chosen_count, NULL};
  char text[TEXT_SIZE] = "";
  double *coordinates = NULL;
  pcct_status status = PCCT_OK;
  if (points->kind == VERIFY_QUERIES) {
    coordinates = base_allocate(base, chosen_count, (size_t)dimension * sizeof *coordinates);
    if (!coordinates) {
      status = PCCT_MEMORY;
      goto cleanup;
    }
    for (int64_t q = 0; q < chosen_count; q++) {
      for (int j = 0; j < dimension; j++) {
        coordinates[q * dimension + j] = block->queries[(chosen[q] - block->first) * dimension + j];
      }
    }
    queries.coordinates = coordinates;
  }
  status = verify_search_run(base, search, &queries, block->width, compare_row, &comparison);
  if (status != PCCT_OK || comparison.first_wrong == chosen_count) {
    goto cleanup;
  }
  /* The first wrong row is searched once more, alone, to say what is wrong. */
  int64_t wrong = comparison.first_wrong;
  comparison.text = text;
  comparison.chosen = queries.own = chosen + wrong;
  queries.coordinates = coordinates ? coordinates + wrong * dimension : NULL;
  queries.count = 1;
  status = verify_search_run(base, search, &queries, block->width, compare_row, &comparison);
  if (status == PCCT_OK) {
    status = row_fail(base, points, chosen[wrong], text);
  }
cleanup:
  base_free(coordinates);
  return status;
}

/* ---------------------------------------------------------------- samples */

/* First row of one of `sample` stretches whose lengths differ by at most one. */
static int64_t stretch_first(int64_t rows, int64_t sample, int64_t stretch) {
  int64_t longer = rows % sample;
  return stretch * (rows / sample) + (stretch < longer ? stretch : longer);
}

int64_t verify_rows_choose(uint64_t seed, int64_t rows, int64_t sample, int64_t first,
                           int64_t count, int64_t *chosen) {
  int64_t chosen_count = 0;
  if (sample >= rows) {
    for (int64_t i = 0; i < count; i++) {
      chosen[chosen_count++] = first + i;
    }
    return chosen_count;
  }
  if (sample < 1 || count < 1) {
    return 0;
  }
  /* The stretch of a row r is near r * sample / rows; walk back to be on the safe side. */
  int64_t stretch = (int64_t)((double)first / (double)rows * (double)sample);
  while (stretch > 0 && (stretch >= sample || stretch_first(rows, sample, stretch) > first)) {
    stretch--;
  }
  for (; stretch < sample; stretch++) {
    int64_t low = stretch_first(rows, sample, stretch);
    int64_t length = stretch_first(rows, sample, stretch + 1) - low;
    if (low >= first + count) {
      break;
    }
    uint64_t bits = random_bits(seed, RANDOM_SAMPLE, (uint64_t)stretch);
    int64_t row = low + (int64_t)(bits % (uint64_t)length);
    if (row >= first && row < first + count) {
      chosen[chosen_count++] = row;
    }
  }
  return chosen_count;
}
