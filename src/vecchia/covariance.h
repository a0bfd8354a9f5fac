/*
 * Covariance functions of distances, for scores and for values of inverse factors.
 *
 * With r the Euclidean distance of two points whose coordinates are divided by their ranges:
 *
 *   exponential          v exp(-r)
 *   matern, smoothness s v 2^(1-s) / Gamma(s) (sqrt(2 s) r)^s K_s(sqrt(2 s) r); closed forms for 1/2, 3/2, 5/2
 *   squared-exponential  v exp(-r^2 / 2), the limit of large s
 *
 * and the nugget on the diagonal alone: two points at one location have covariance v.
 */
#ifndef VECCHIA_COVARIANCE_H
#define VECCHIA_COVARIANCE_H

#include "base/context.h"

enum covariance_kind { COVARIANCE_EXPONENTIAL, COVARIANCE_MATERN, COVARIANCE_SQUARED_EXPONENTIAL };

struct covariance {
  enum covariance_kind kind;
  double smoothness; /* MATERN */
  double variance;   /* v, positive */
  double nugget;     /* at least 0 */
};

/* Refuses a smoothness that this build has no function for. Local. Errors: PCCT_USAGE. */
pcct_status covariance_check(struct base *base, const struct covariance *covariance);

/* Whether this build has every smoothness, by GSL. Local. */
int covariance_has_gsl(void);

/* The covariance of two different points whose scaled squared distance is given. Local. */
double covariance_value(const struct covariance *covariance, double square);

#endif
