/*
 * Metrics: the one distance kernel, its levels, and the transformation from user coordinates.
 *
 * The kernel value of Euclidean data is the squared distance, summed from axis 0 upwards without FMA.
 * All comparisons of pcct are comparisons of kernel values as computed; pruning uses roots, rounded
 * outward by METRIC_SLACK. Every other implementation of the kernel (vectorised or not) must give the
 * same bits.
 */
#ifndef POINTS_METRIC_H
#define POINTS_METRIC_H

#include "base/context.h"

#include <math.h>

/* Local index of a point or node on one rank. */
typedef int32_t local_index;

/* Relative margin for distances computed from kernel values of up to 64 axes: the kernel's relative error
 * is below 67 * 2^-53 = 7.5e-15, its root's below 4e-15; a path of a few such steps stays below this. */
#define METRIC_SLACK 1e-13

/* Levels of nodes. The smallest kernel value allowed between distinct points is DBL_MIN = 4^-511. */
#define LEVEL_MIN (-512)
#define LEVEL_MAX 513
#define LEVEL_DUPLICATE INT16_MIN /* a point in a duplicate bucket has no level */

/* The kernel: squared Euclidean distance of two points of `dimension` search coordinates. */
static inline double metric_value(int dimension, const double *a, const double *b) {
  double value = 0;
  for (int j = 0; j < dimension; j++) {
    double difference = a[j] - b[j];
    value += difference * difference;
  }
  return value;
}

/* The smallest level l with kernel value <= 4^l, for a positive value. Exact. */
static inline int metric_level(double value) {
  int exponent;
  double fraction =
      frexp(value, &exponent); /* value = fraction * 2^exponent, 0.5 <= fraction < 1 */
  exponent -= fraction == 0.5; /* now 2^exponent is the smallest power >= value */
  return exponent >= 0 ? (exponent + 1) / 2 : -(-exponent / 2);
}

/* The kernel value of radius 2^level: 4^level. Exact; +inf above level 511. */
static inline double metric_level_value(int level) {
  return ldexp(1.0, 2 * level);
}

/* The distance of a kernel value, rounded outward: never below / never above the true distance. */
static inline double metric_root_up(double value) {
  return sqrt(value) * (1 + METRIC_SLACK);
}
static inline double metric_root_down(double value) {
  return sqrt(value) * (1 - METRIC_SLACK);
}

/* How user coordinates are searched. */
struct metric {
  int lonlat;         /* 1: unit sphere chords from degrees; 0: scaled Cartesian */
  int user_dimension; /* coordinates of a user's point */
  int dimension;      /* search coordinates: 3 for lonlat */
  double scale[64];   /* Cartesian length scales */
};

/* Transforms `count` user points into search coordinates [count][metric->dimension]. -0 becomes 0;
 * longitudes are reduced exactly into (-180, 180], and dropped at the poles.
 * Returns -1 if all values are fine, else the first bad point (not finite, |latitude| > 90, or a scaled
 * value beyond 2^500 in magnitude, whose square would overflow). */
int64_t metric_transform(const struct metric *metric, const double *user, int64_t count,
                         double *search, int threads);

/* A longitude reduced exactly into (-180, 180]. */
double metric_wrap_longitude(double degrees);

/* The user's distance of a kernel value: its root, or great-circle km; +inf (padding) stays. */
double metric_user_distance(const struct metric *metric, double value);

#endif
