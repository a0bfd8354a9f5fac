/* Sorting points along a Hilbert curve. */
#include "dist/spatial.h"

#include "pcct.h"
#include "vecchia/hilbert.h"

#include <math.h>

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

static uint64_t curve_key(const struct grid *grid, int bits, const double *point) {
  const double cells = ldexp(1.0, grid->bits);
  uint64_t cell[PCCT_DIMENSION_MAX];
  uint64_t key[2];
  for (int j = 0; j < grid->dimension; j++) {
    double at = (point[j] - grid->lower[j]) * grid->scale;
    at = at < cells - 1 ? at : cells - 1; /* an extent so small that scale overflows included */
    cell[j] = (uint64_t)at >> (grid->bits - bits);
  }
  vecchia_hilbert_index(grid->dimension, bits, cell, key);
  return key[1];
}

/* Bits an axis for about a point a cell. */
static int coarse_bits(int dimension, int bits, int64_t count) {
  int wanted = 2;
  for (int64_t cells = 1; cells < count && wanted < bits; wanted++) {
    cells <<= dimension;
  }
  return wanted < bits ? wanted : bits;
}

/* Sorts the points of crowded cells by the fine grid. Other cells keep the coarse keys: no key decides about
 * points of different cells any more. */
static pcct_status refine(struct base *base, const struct grid *grid, const double *coordinates,
                          int64_t stride, int64_t count, struct sort_pair *pairs) {
  enum { CROWD = 16 };
  pcct_status status = PCCT_OK;
  for (int64_t i = 0, end; i < count && status == PCCT_OK; i = end) {
    for (end = i + 1; end < count && pairs[end].key == pairs[i].key; end++) {
    }
    if (end - i > CROWD) {
#pragma omp parallel for schedule(static)                                                          \
    num_threads(base->threads) if (end - i >= BASE_PARALLEL_MIN)
      for (int64_t q = i; q < end; q++) {
        pairs[q].key = curve_key(grid, grid->bits, coordinates + (int64_t)pairs[q].value * stride);
      }
      status = sort_pairs(base, pairs + i, end - i);
    }
  }
  return status;
}

pcct_status spatial_sort(struct base *base, int dimension, const double *coordinates,
                         int64_t stride, int64_t count, struct sort_pair *pairs) {
  struct grid grid = {.dimension = dimension, .bits = vecchia_hilbert_bits(dimension)};
  double extent = 0;
  grid.bits = grid.bits < 64 / dimension ? grid.bits : 64 / dimension;
  for (int j = 0; j < dimension; j++) {
    const struct span span = measure_axis(base, coordinates + j, stride, count);
    grid.lower[j] = span.lower;
    extent = span.upper - span.lower > extent ? span.upper - span.lower : extent;
  }
  grid.scale = extent > 0 ? ldexp(1.0, grid.bits) / extent : 0;
  const int bits = coarse_bits(dimension, grid.bits, count);
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    pairs[i] = (struct sort_pair){curve_key(&grid, bits, coordinates + i * stride), (uint64_t)i};
  }
  pcct_status status = sort_pairs(base, pairs, count);
  if (status == PCCT_OK && bits < grid.bits) {
    status = refine(base, &grid, coordinates, stride, count, pairs);
  }
  return status;
}
