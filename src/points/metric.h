/*
 * Metrics: the distance kernels, their levels, and the transformation from user coordinates.
 *
 * The kernel value of Euclidean data is the squared distance, summed from axis 0 upwards without FMA; that
 * of every other metric is the distance itself. All comparisons of pcct are comparisons of kernel values as
 * computed; pruning uses distances, rounded outward by METRIC_SLACK. Every other implementation of a kernel
 * (vectorised or not) must give the same bits.
 */
#ifndef POINTS_METRIC_H
#define POINTS_METRIC_H

#include "base/context.h"

#include <float.h>
#include <math.h>

/* Local index of a point or node on one rank. */
typedef int32_t local_index;

/* Relative margin for distances computed from kernel values of up to 64 axes: the kernel's relative error
 * is below 67 * 2^-53 = 7.5e-15, its root's below 4e-15; a path of a few such steps stays below this. */
#define METRIC_SLACK 1e-13

/* Levels of nodes. Distances between distinct points reach from 2^-511, whose square is DBL_MIN, to below
 * 2^511. */
#define LEVEL_MIN (-512)
#define LEVEL_MAX 513
#define LEVEL_DUPLICATE INT16_MIN /* a point in a duplicate bucket has no level */

enum metric_kind {
  METRIC_EUCLIDEAN = 0, /* kernel: sum of squared differences */
  METRIC_MANHATTAN,     /* kernel: sum of absolute differences, from axis 0 upwards */
  METRIC_CHEBYSHEV,     /* kernel: largest absolute difference */
  METRIC_USER           /* kernel: the caller's distance; no boxes, balls only */
};

/* Most coordinates that a rotation may have. */
enum { METRIC_ROTATED_MAX = 8 };

/* How user coordinates are searched. */
struct metric {
  int lonlat;         /* 1: unit sphere chords from degrees, reported as great circles */
  int lonlat_time;    /* 1: chords in km, over scale[0], and time, over scale[2] */
  int rotated;        /* Cartesian: scaled coordinates times a matrix */
  int user_dimension; /* coordinates of a user's point */
  int dimension;      /* search coordinates: 3 for lonlat, 4 with time */
  double scale[64];   /* length scales; not for lonlat */
  double rotation[METRIC_ROTATED_MAX * METRIC_ROTATED_MAX]; /* [dimension][dimension] by rows */
  enum metric_kind kind;
  /* METRIC_USER: a metric of two points of `dimension` search coordinates; called by several threads */
  double (*distance)(const double *a, const double *b, int dimension, void *user);
  void *user;
};

/* Whether the first two coordinates are longitude and latitude. */
static inline int metric_on_globe(const struct metric *metric) {
  return metric->lonlat || metric->lonlat_time;
}

/* The squared Euclidean distance of two points of `dimension` search coordinates. */
static inline double metric_square(int dimension, const double *a, const double *b) {
  double value = 0;
  for (int j = 0; j < dimension; j++) {
    double difference = a[j] - b[j];
    value += difference * difference;
  }
  return value;
}

/* The kernel with kind and dimension as arguments of their own, which callers make constants. */
static inline __attribute__((always_inline)) double
metric_kernel(const enum metric_kind kind, const int dimension, const struct metric *metric,
              const double *a, const double *b) {
  double value = 0;
  switch (kind) {
  case METRIC_EUCLIDEAN:
    value = metric_square(dimension, a, b);
    break;
  case METRIC_MANHATTAN:
    for (int j = 0; j < dimension; j++) {
      value += fabs(a[j] - b[j]);
    }
    break;
  case METRIC_CHEBYSHEV:
    for (int j = 0; j < dimension; j++) {
      double difference = fabs(a[j] - b[j]);
      value = difference > value ? difference : value;
    }
    break;
  case METRIC_USER:
    value = metric->distance(a, b, dimension, metric->user);
    break;
  }
  return value;
}

/* The kernel value of two points. */
static inline double metric_value(const struct metric *metric, const double *a, const double *b) {
  return metric_kernel(metric->kind, metric->dimension, metric, a, b);
}

/* The kernel value after one more axis, on which two points differ by `difference`: from axis 0 upwards, starting
 * with 0, it gives the kernel's own bits. Not for METRIC_USER. As computed, the result never falls when value or
 * |difference| grows: boxes bound the values of their points, and one axis those of all, without a margin. */
static inline double metric_add_axis(enum metric_kind kind, double value, double difference) {
  const double size = fabs(difference);
  if (kind == METRIC_EUCLIDEAN) {
    return value + size * size;
  }
  return kind == METRIC_MANHATTAN ? value + size : size > value ? size : value;
}

/* Expands CALL(kind, dimension) for the metric at hand, with constants where that makes kernels fast. */
#define METRIC_SPECIALISE(metric, CALL)                                                            \
  do {                                                                                             \
    const int specialised_ = (metric)->dimension;                                                  \
    if ((metric)->kind == METRIC_EUCLIDEAN && specialised_ == 2) {                                 \
      CALL(METRIC_EUCLIDEAN, 2);                                                                   \
    } else if ((metric)->kind == METRIC_EUCLIDEAN && specialised_ == 3) {                          \
      CALL(METRIC_EUCLIDEAN, 3);                                                                   \
    } else if ((metric)->kind == METRIC_EUCLIDEAN) {                                               \
      CALL(METRIC_EUCLIDEAN, specialised_);                                                        \
    } else if ((metric)->kind == METRIC_MANHATTAN) {                                               \
      CALL(METRIC_MANHATTAN, specialised_);                                                        \
    } else if ((metric)->kind == METRIC_CHEBYSHEV) {                                               \
      CALL(METRIC_CHEBYSHEV, specialised_);                                                        \
    } else {                                                                                       \
      CALL(METRIC_USER, specialised_);                                                             \
    }                                                                                              \
  } while (0)

/* The smallest kernel value that distinct points may have; smaller ones are bad values. */
static inline double metric_least(enum metric_kind kind) {
  return kind == METRIC_EUCLIDEAN ? DBL_MIN : 0x1p-511;
}

/* The smallest level l with distance <= 2^l, for a positive kernel value. Exact. */
static inline int metric_level(enum metric_kind kind, double value) {
  union {
    double number;
    uint64_t bits;
  } of = {.number = value};
  int exponent =
      (int)(of.bits >> 52) - 1022;  /* value = fraction * 2^exponent, 0.5 <= fraction < 1 */
  int power = (of.bits << 12) == 0; /* fraction is 0.5 */
  if (of.bits >> 52 == 0) {         /* subnormal */
    power = frexp(value, &exponent) == 0.5;
  }
  exponent -= power; /* now 2^exponent is the smallest power of two >= value */
  if (kind != METRIC_EUCLIDEAN) {
    return exponent;
  }
  return exponent >= 0 ? (exponent + 1) / 2 : -(-exponent / 2);
}

/* The kernel value of radius 2^level. Exact; +inf where it overflows. */
static inline double metric_level_value(enum metric_kind kind, int level) {
  return ldexp(1.0, kind == METRIC_EUCLIDEAN ? 2 * level : level);
}

/* The distance of a kernel value, rounded outward: never below / never above the true distance. */
static inline double metric_root_up(enum metric_kind kind, double value) {
  return (kind == METRIC_EUCLIDEAN ? sqrt(value) : value) * (1 + METRIC_SLACK);
}
static inline double metric_root_down(enum metric_kind kind, double value) {
  return (kind == METRIC_EUCLIDEAN ? sqrt(value) : value) * (1 - METRIC_SLACK);
}

/* A kernel value that no pair of points at most `distance` apart exceeds. */
static inline double metric_power_up(enum metric_kind kind, double distance) {
  return (kind == METRIC_EUCLIDEAN ? distance * distance : distance) * (1 + METRIC_SLACK);
}

/* Transforms `count` user points into search coordinates [count][metric->dimension]. -0 becomes 0;
 * longitudes are reduced exactly into (-180, 180], and dropped at the poles.
 * Returns -1 if all values are fine, else the first bad point (not finite, |latitude| > 90, or a scaled
 * value beyond 2^500 in magnitude, whose square would overflow). */
int64_t metric_transform(const struct metric *metric, const double *user, int64_t count,
                         double *search, int threads);

/* A longitude reduced exactly into (-180, 180]. */
double metric_wrap_longitude(double degrees);

/* A kernel value that no two points at most `radius` apart, by the user's distance, exceed.
 *   exact [out] 1: and all others do; 0 (lonlat): others can be below it too, by rounding */
double metric_radius_value(const struct metric *metric, double radius, int *exact);

/* The user's distance of a kernel value whose root (Euclidean), or itself, is given. */
double metric_root_distance(const struct metric *metric, double root);

/* The user's distance of a kernel value: the distance, or great-circle km; +inf (padding) stays. */
double metric_user_distance(const struct metric *metric, double value);

#endif
