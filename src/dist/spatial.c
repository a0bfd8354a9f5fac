/* Sorting points along a Hilbert curve. */
#include "dist/spatial.h"

#include "pcct.h"
#include "tree/cut.h"
#include "vecchia/hilbert.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* The grid of the curve: cells from the lower corner of the bounding cube. */
struct grid {
  int dimension, bits;
  double lower[PCCT_DIMENSION_MAX];
  double scale; /* cells a unit of length */
};

struct span {
  double lower, upper;
};

static struct span measure_axis(struct base *base, const double *coordinates, int64_t stride,
                                int64_t count) {
  double lower = INFINITY;
  double upper = -INFINITY;
#pragma omp parallel for schedule(static) reduction(min                                            \
                                                    : lower) reduction(max                         \
                                                                       : upper)                    \
    num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    const double x = coordinates[i * stride];
    lower = x < lower ? x : lower;
    upper = x > upper ? x : upper;
  }
  return (struct span){lower, upper};
}

/* The keys of up to eight points. */
static void curve_keys(const struct grid *grid, double cells, const double *points, int64_t stride,
                       int count, uint64_t *key) {
  uint64_t cell[PCCT_DIMENSION_MAX][VECCHIA_HILBERT_BLOCK];
  for (int j = 0; j < grid->dimension; j++) {
    for (int i = 0; i < VECCHIA_HILBERT_BLOCK; i++) {
      double at = (points[(i < count ? i : 0) * stride + j] - grid->lower[j]) * grid->scale;
      at = at < cells - 1 ? at : cells - 1; /* an extent so small that scale overflows included */
      cell[j][i] = (uint64_t)at;
    }
  }
  vecchia_hilbert_block(grid->dimension, grid->bits, cell, key);
}

/* Bits an axis for about a point a cell, as far as a key's 64 bits allow. */
static int grid_bits(int dimension, int64_t count) {
  const int most = vecchia_hilbert_bits(dimension) < 64 / dimension
                       ? vecchia_hilbert_bits(dimension)
                       : 64 / dimension;
  int bits = 2;
  for (int64_t cells = 1; cells < count && bits < most; bits++) {
    cells <<= dimension;
  }
  return bits < most ? bits : most;
}

/* Cells of more than CROWD points are ordered inside; those of more than BIG by all threads together. */
enum { CROWD = 32, BIG = 65536 };

struct crowd {
  int64_t first, count;
};

static pcct_status find_crowds(struct base *base, const struct sort_pair *pairs, int64_t count,
                               struct crowd **crowds, int64_t *found) {
  int64_t capacity = 0;
  pcct_status status = PCCT_OK;
  for (int64_t i = 0, end; i < count && status == PCCT_OK; i = end) {
    for (end = i + 1; end < count && pairs[end].key == pairs[i].key; end++) {
    }
    if (end - i > CROWD) {
      status = base_grow(base, (void **)crowds, &capacity, *found, *found + 1, sizeof **crowds);
      if (status == PCCT_OK) {
        (*crowds)[(*found)++] = (struct crowd){i, end - i};
      }
    }
  }
  return status;
}

/* What ordering a crowd needs to know. */
struct crowded {
  const double *coordinates;
  int64_t stride;
  struct sort_pair *pairs;
  int dimension;
};

/* Orders one crowd by recursive medians, which know no scale. Coincident points stay as they are.
 *   records [in,out] scratch, [count][dimension + 1] */
static void order_crowd(const struct crowded *all, const struct crowd *crowd, int threads,
                        double *records) {
  const int d = all->dimension;
  const int words = d + 1;
  struct sort_pair *pairs = all->pairs + crowd->first;
  int distinct = 0;
  for (int64_t i = 0; i < crowd->count; i++) {
    memcpy(records + i * words, all->coordinates + (int64_t)pairs[i].value * all->stride,
           (size_t)d * sizeof *records);
    cut_store_position(records + i * words, d, (int64_t)pairs[i].value);
    distinct |= memcmp(records, records + i * words, (size_t)d * sizeof *records) != 0;
  }
  if (distinct) {
    cut_order(records, d, crowd->count, CROWD, threads);
    for (int64_t i = 0; i < crowd->count; i++) {
      pairs[i].value = (uint64_t)cut_position(records + i * words, d);
    }
  }
}

static pcct_status order_crowds(struct base *base, const struct crowded *all,
                                const struct crowd *crowds, int64_t count) {
  const int words = all->dimension + 1;
  int64_t largest = 0; /* of those that one thread orders */
  int64_t room = 0;
  for (int64_t c = 0; c < count; c++) {
    largest = crowds[c].count <= BIG && crowds[c].count > largest ? crowds[c].count : largest;
    room = crowds[c].count > room ? crowds[c].count : room;
  }
  room = base->threads * largest > room ? base->threads * largest : room;
  double *records = base_allocate(base, room * words, sizeof *records);
  if (!records) {
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(dynamic, 8) num_threads(base->threads) if (count > CROWD)
  for (int64_t c = 0; c < count; c++) {
    if (crowds[c].count <= BIG) {
      order_crowd(all, &crowds[c], 1, records + omp_get_thread_num() * largest * words);
    }
  }
  for (int64_t c = 0; c < count; c++) {
    if (crowds[c].count > BIG) {
      order_crowd(all, &crowds[c], base->threads, records);
    }
  }
  base_free(records);
  return PCCT_OK;
}

pcct_status spatial_sort(struct base *base, int dimension, const double *coordinates,
                         int64_t stride, int64_t count, struct sort_pair *pairs) {
  struct grid grid = {.dimension = dimension, .bits = grid_bits(dimension, count)};
  const double cells = ldexp(1.0, grid.bits);
  const struct crowded all = {coordinates, stride, pairs, dimension};
  struct crowd *crowds = NULL;
  int64_t found = 0;
  double extent = 0;
  for (int j = 0; j < dimension; j++) {
    const struct span span = measure_axis(base, coordinates + j, stride, count);
    grid.lower[j] = span.lower;
    extent = span.upper - span.lower > extent ? span.upper - span.lower : extent;
  }
  grid.scale = extent > 0 ? cells / extent : 0;
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t first = 0; first < count; first += VECCHIA_HILBERT_BLOCK) {
    uint64_t key[VECCHIA_HILBERT_BLOCK];
    const int64_t left = count - first;
    const int number = left < VECCHIA_HILBERT_BLOCK ? (int)left : VECCHIA_HILBERT_BLOCK;
    curve_keys(&grid, cells, coordinates + first * stride, stride, number, key);
    for (int i = 0; i < number; i++) {
      pairs[first + i] = (struct sort_pair){key[i], (uint64_t)(first + i)};
    }
  }
  pcct_status status = sort_pairs(base, pairs, count);
  if (status == PCCT_OK) {
    status = find_crowds(base, pairs, count, &crowds, &found);
  }
  if (status == PCCT_OK && found > 0) {
    status = order_crowds(base, &all, crowds, found);
  }
  base_free(crowds);
  return status;
}
