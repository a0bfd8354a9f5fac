/*
 * Generated points, for tests and measurements: pure functions of (seed, kind, dimension, n, row).
 *
 * Row i is the same for any number of ranks and threads and any block of rows; of all kinds but the
 * grid, whose lattice depends on n, the first rows of a longer set are the shorter set. All kinds
 * use the counter-based numbers of base/random.h. Everything here is Local.
 *
 *   uniform    independent in the open unit cube
 *
 *   clustered  GENERATE_CLUSTERS normal clusters, equally likely: centres uniform in the unit cube,
 *              standard deviation along every axis log-uniform in
 *              GENERATE_WIDTH_MIN .. GENERATE_WIDTH_MAX; a share GENERATE_BACKGROUND of the points
 *              is uniform instead. Clusters at the border reach beyond the cube.
 *
 *   sphere     uniform on the sphere: longitude in (-180, 180), latitude in [-90, 90] degrees
 *
 *   grid       the first n points, last axis fastest, of the lattice of s points along every axis,
 *              s the smallest with s^dimension >= n; spacing 2^-k, k the smallest with 2^k >= s, so
 *              that coordinates and their differences are exact and equal distances abound
 *
 *   tracks     runs of GENERATE_TRACK_POINTS rows, each along one smooth curve as from a ship or an
 *              aircraft: a line between two uniform points of the unit cube, per axis plus
 *              GENERATE_TRACK_WAVES sine waves of amplitudes up to GENERATE_TRACK_AMPLITUDE / wave
 *              number, at jittered equal steps, with normal noise of GENERATE_TRACK_NOISE
 */
#ifndef APP_GENERATE_POINTS_H
#define APP_GENERATE_POINTS_H

#include <stdint.h>

#define GENERATE_CLUSTERS 256
#define GENERATE_WIDTH_MIN 1e-6
#define GENERATE_WIDTH_MAX 1e-2
#define GENERATE_BACKGROUND 0.01
#define GENERATE_TRACK_POINTS 1024
#define GENERATE_TRACK_WAVES 3
#define GENERATE_TRACK_AMPLITUDE 0.05
#define GENERATE_TRACK_NOISE 1e-5

/* The most points: row numbers are exact doubles, and their random counters stay below 2^63. */
#define GENERATE_COUNT_MAX ((int64_t)1 << 53)
#define GENERATE_DIMENSION_MAX 64

enum generate_kind {
  GENERATE_UNIFORM,
  GENERATE_CLUSTERED,
  GENERATE_SPHERE,
  GENERATE_GRID,
  GENERATE_TRACKS
};

/* The names in the order of the values. */
#define GENERATE_KINDS "uniform|clustered|sphere|grid|tracks"

/* A set of points. */
struct generate {
  enum generate_kind kind;
  int64_t count; /* n, 0 .. GENERATE_COUNT_MAX */
  int dimension; /* 1 .. GENERATE_DIMENSION_MAX; sphere: 2; tracks: at least 2 */
  uint64_t seed;
};

/* Rows first .. first+count-1 of a set.
 *   threads     [in] OpenMP threads
 *   coordinates [out] [count][dimension], the caller's */
void generate_rows(const struct generate *set, int64_t first, int64_t count, int threads,
                   double *coordinates);

#endif
