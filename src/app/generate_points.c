/*
 * Generated points. Every row, every cluster and every track has its own range of random counters.
 */
#include "app/generate_points.h"

#include "base/random.h"

#include <math.h>
#include <stdbool.h>

/* Counters of one row, cluster or track: enough for 64 axes. */
#define COUNTERS 512

/* Clusters and tracks use the counters from here on, rows those below. */
#define SHARED_COUNTERS ((uint64_t)1 << 63)

#define PI 3.14159265358979323846

static double row_uniform(const struct generate *set, int64_t row, int slot) {
  return random_uniform(set->seed, RANDOM_GENERATE, (uint64_t)row * COUNTERS + (uint64_t)slot);
}

static double shared_uniform(const struct generate *set, int64_t id, int slot) {
  return random_uniform(set->seed, RANDOM_GENERATE,
                        SHARED_COUNTERS + (uint64_t)id * COUNTERS + (uint64_t)slot);
}

/* A standard normal number of a row (Box and Muller); uses slots slot and slot + 1. */
static double row_normal(const struct generate *set, int64_t row, int slot) {
  double radius = sqrt(-2 * log(row_uniform(set, row, slot)));
  return radius * cos(2 * PI * row_uniform(set, row, slot + 1));
}

static void uniform_point(const struct generate *set, int64_t row, double *point) {
  for (int j = 0; j < set->dimension; j++) {
    point[j] = row_uniform(set, row, j);
  }
}

static void clustered_point(const struct generate *set, int64_t row, double *point) {
  int choice = 2 * set->dimension; /* the slots before are for the coordinates */
  if (row_uniform(set, row, choice) < GENERATE_BACKGROUND) {
    uniform_point(set, row, point);
    return;
  }
  int64_t cluster = (int64_t)(row_uniform(set, row, choice + 1) * GENERATE_CLUSTERS);
  double decades = log(GENERATE_WIDTH_MAX / GENERATE_WIDTH_MIN);
  double width = GENERATE_WIDTH_MIN * exp(decades * shared_uniform(set, cluster, set->dimension));
  for (int j = 0; j < set->dimension; j++) {
    point[j] = shared_uniform(set, cluster, j) + width * row_normal(set, row, 2 * j);
  }
}

static void sphere_point(const struct generate *set, int64_t row, double *point) {
  point[0] = 360 * row_uniform(set, row, 0) - 180;
  double latitude = asin(2 * row_uniform(set, row, 1) - 1) * (180 / PI);
  point[1] = fmax(-90, fmin(90, latitude));
}

/* Whether side^dimension >= count, for side >= 1, without overflow. */
static bool lattice_holds(int64_t side, int dimension, int64_t count) {
  int64_t points = 1;
  for (int j = 0; j < dimension; j++) {
    if (points > count / side) {
      return true; /* points * side > count */
    }
    points *= side;
  }
  return points >= count;
}

/* The smallest side with side^dimension >= count. */
static int64_t lattice_side(int dimension, int64_t count) {
  int64_t low = 1;
  int64_t high = count > 1 ? count : 1; /* always enough */
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (lattice_holds(middle, dimension, count)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

static void grid_point(int dimension, int64_t side, double spacing, int64_t row, double *point) {
  for (int j = dimension - 1; j >= 0; j--) {
    point[j] = (double)(row % side) * spacing;
    row /= side;
  }
}

static void tracks_point(const struct generate *set, int64_t row, double *point) {
  int64_t track = row / GENERATE_TRACK_POINTS;
  int d = set->dimension;
  double step = (double)(row % GENERATE_TRACK_POINTS) + row_uniform(set, row, 2 * d);
  double along = step / GENERATE_TRACK_POINTS;
  for (int j = 0; j < d; j++) {
    double from = shared_uniform(set, track, 2 * j);
    double to = shared_uniform(set, track, 2 * j + 1);
    double value = from + (to - from) * along;
    for (int wave = 1; wave <= GENERATE_TRACK_WAVES; wave++) {
      int slot = 2 * d + 2 * (j * GENERATE_TRACK_WAVES + wave - 1);
      double amplitude = GENERATE_TRACK_AMPLITUDE / wave * shared_uniform(set, track, slot);
      value += amplitude * sin(2 * PI * (wave * along + shared_uniform(set, track, slot + 1)));
    }
    point[j] = value + GENERATE_TRACK_NOISE * row_normal(set, row, 2 * j);
  }
}

void generate_rows(const struct generate *set, int64_t first, int64_t count, int threads,
                   double *coordinates) {
  int d = set->dimension;
  int64_t side = set->kind == GENERATE_GRID ? lattice_side(d, set->count) : 1;
  double spacing = 1;
  while (spacing * (double)side > 1) {
    spacing /= 2;
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < count; i++) {
    double *point = coordinates + i * d;
    switch (set->kind) {
    case GENERATE_UNIFORM:
      uniform_point(set, first + i, point);
      break;
    case GENERATE_CLUSTERED:
      clustered_point(set, first + i, point);
      break;
    case GENERATE_SPHERE:
      sphere_point(set, first + i, point);
      break;
    case GENERATE_GRID:
      grid_point(d, side, spacing, first + i, point);
      break;
    case GENERATE_TRACKS:
      tracks_point(set, first + i, point);
      break;
    }
  }
}
