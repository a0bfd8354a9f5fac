/* A plain search, sharing nothing with the library, and what results add up to. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The k best so far, ascending by (value, row). */
struct best {
  int64_t k, count;
  double *value;
  int64_t *row;
};

static void best_add(struct best *best, double value, int64_t row) {
  if (best->count == best->k && !(value < best->value[best->k - 1])) {
    return; /* rows come in ascending order: an equal value loses */
  }
  int64_t at = best->count < best->k ? best->count++ : best->k - 1;
  for (; at > 0 && best->value[at - 1] > value; at--) {
    best->value[at] = best->value[at - 1];
    best->row[at] = best->row[at - 1];
  }
  best->value[at] = value;
  best->row[at] = row;
}

/* The answer to one row: `limit` rows may be in it, `self` may not. */
static void search_plainly(const double *points, int dimension, int64_t limit, int64_t self,
                           const double *query, struct best *best) {
  best->count = 0;
  for (int64_t p = 0; p < limit; p++) {
    double value = 0;
    for (int j = 0; j < dimension; j++) {
      const double difference = query[j] - points[p * dimension + j];
      value += difference * difference;
    }
    if (p != self) {
      best_add(best, value, p);
    }
  }
}

static int64_t rows_index(const pcct_rows *rows, int64_t entry) {
  return rows->index32 ? rows->index32[entry] : rows->index64[entry];
}

/* The first entry of row i that is not the plain search's, or -1. */
static int64_t first_difference(const pcct_rows *rows, int64_t i, const struct best *best) {
  for (int64_t e = 0; e < rows->width; e++) {
    const int64_t entry = i * rows->width + e;
    const int64_t row = e < best->count ? best->row[e] : -1;
    const double distance = e < best->count ? sqrt(best->value[e]) : INFINITY;
    if (rows_index(rows, entry) != row ||
        memcmp(&rows->distance[entry], &distance, sizeof distance) != 0) {
      return e;
    }
  }
  return rows->filled[i] == best->count ? -1 : rows->width;
}

int64_t bench_check(const struct bench_workload *workload, const double *points,
                    const double *queries, const pcct_rows *rows, int64_t sample) {
  const int d = workload->dimension;
  const int64_t k = rows->width;
  int64_t wrong = 0;
  sample = sample < rows->count ? sample : rows->count;
#pragma omp parallel for schedule(dynamic) reduction(+ : wrong)
  for (int64_t s = 0; s < sample; s++) {
    const int64_t i = (int64_t)((double)s / (double)sample * (double)rows->count);
    const int64_t row = rows->first + i;
    const int foreign = workload->ask == BENCH_ASK_FOREIGN;
    const int predecessors = workload->ask == BENCH_ASK_PREDECESSORS;
    struct best best = {.k = k,
                        .value = malloc((size_t)k * sizeof(double)),
                        .row = malloc((size_t)k * sizeof(int64_t))};
    if (!best.value || !best.row) {
      abort();
    }
    search_plainly(points, d, predecessors ? row : workload->points, foreign ? -1 : row,
                   (foreign ? queries : points) + row * d, &best);
    const int64_t entry = first_difference(rows, i, &best);
    if (entry >= 0) {
      wrong++;
#pragma omp critical
      fprintf(stderr, "pcct-bench: %s: row %lld differs from a plain search at entry %lld\n",
              workload->name, (long long)row, (long long)entry);
    }
    free(best.value);
    free(best.row);
  }
  return wrong;
}

double bench_checksum(const struct bench_workload *workload, const pcct_rows *rows) {
  const int64_t counted = rows->width - (workload->ask == BENCH_ASK_SELF);
  long double sum = 0;
  for (int64_t i = 0; i < rows->count; i++) {
    double row = 0;
    for (int64_t e = 0; e < counted && e < rows->filled[i]; e++) {
      row += rows->distance[i * rows->width + e];
    }
    sum += (long double)row;
  }
  return (double)sum;
}
