/*
 * Point sets that tests share: each point a function of its row, so that any rank can make any of them.
 */
#ifndef TEST_POINTS_MADE_H
#define TEST_POINTS_MADE_H

#include "base/random.h"

#include <math.h>

enum points_made {
  MADE_UNIFORM,
  MADE_LATTICE,    /* 6 values an axis: ties and duplicates */
  MADE_COINCIDENT, /* one location */
  MADE_REPEATED,   /* two thirds on few locations, the others uniform */
  MADE_COLLINEAR,  /* on one line along axis 0 */
  MADE_LOPSIDED,   /* one far outlier, the rest in a tiny cluster */
  MADE_NESTED,     /* distances to the origin over 2^-300 .. 1 */
  MADE_TINY,       /* uniform, scaled by 1e-12 */
  MADE_HUGE,       /* uniform, scaled by 1e12, far from the origin */
  MADE_KINDS
};

static inline double made_uniform(int64_t row, int axis) {
  return random_uniform(11, RANDOM_GENERATE, (uint64_t)row * 64 + (uint64_t)axis);
}

/* Coordinates of one row, [dimension]. */
static inline void made_point(enum points_made kind, int64_t row, int dimension, double *x) {
  for (int j = 0; j < dimension; j++) {
    const double u = made_uniform(row, j);
    switch (kind) {
    case MADE_LATTICE:
      x[j] = floor(6 * u);
      break;
    case MADE_COINCIDENT:
      x[j] = 0.1;
      break;
    case MADE_REPEATED:
      x[j] = row % 3 ? floor(2 * u) + 0.5 : 3 * u;
      break;
    case MADE_COLLINEAR:
      x[j] = j == 0 ? u : 0.25;
      break;
    case MADE_LOPSIDED:
      x[j] = row == 7 ? 1e3 : 1e-3 * u;
      break;
    case MADE_NESTED:
      x[j] = ldexp(1 + u, -(int)(row % 300));
      break;
    case MADE_TINY:
      x[j] = 1e-12 * u;
      break;
    case MADE_HUGE:
      x[j] = 1e12 * (u + 3);
      break;
    default:
      x[j] = u;
      break;
    }
  }
}

#endif
