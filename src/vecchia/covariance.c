/* Covariance functions. */
#include "vecchia/covariance.h"

#include <math.h>

#ifdef PCCT_GSL
#include <gsl/gsl_sf_bessel.h>
#include <gsl/gsl_sf_gamma.h>

int covariance_has_gsl(void) {
  return 1;
}

static double general_matern(double smoothness, double r) {
  const double x = sqrt(2 * smoothness) * r;
  if (x == 0) {
    return 1;
  }
  const double log_value = M_LN2 * (1 - smoothness) - gsl_sf_lngamma(smoothness) +
                           smoothness * log(x) + gsl_sf_bessel_lnKnu(smoothness, x);
  return exp(log_value);
}
#else
int covariance_has_gsl(void) {
  return 0;
}

static double general_matern(double smoothness, double r) {
  (void)smoothness;
  (void)r;
  return NAN; /* refused by covariance_check */
}
#endif

pcct_status covariance_check(struct base *base, const struct covariance *covariance) {
  const double s = covariance->smoothness;
  const int closed = s == 0.5 || s == 1.5 || s == 2.5;
  if (covariance->kind == COVARIANCE_MATERN && !closed && (!covariance_has_gsl() || !(s > 0))) {
    return base_fail(base, PCCT_USAGE,
                     "a Matern covariance of smoothness %g: expected 0.5, 1.5 or 2.5%s", s,
                     covariance_has_gsl() ? ", or another positive number"
                                          : "; others need a build with -DPCCT_GSL=ON");
  }
  return PCCT_OK;
}

double covariance_value(const struct covariance *covariance, double square) {
  const double r = sqrt(square);
  const double s = covariance->smoothness;
  double value = 0;
  switch (covariance->kind) {
  case COVARIANCE_EXPONENTIAL:
    value = exp(-r);
    break;
  case COVARIANCE_MATERN:
    if (s == 0.5) {
      value = exp(-r);
    } else if (s == 1.5) {
      const double x = sqrt(3.0) * r;
      value = (1 + x) * exp(-x);
    } else if (s == 2.5) {
      const double x = sqrt(5.0) * r;
      value = (1 + x + x * x / 3) * exp(-x);
    } else {
      value = general_matern(s, r);
    }
    break;
  case COVARIANCE_SQUARED_EXPONENTIAL:
    value = exp(-square / 2);
    break;
  }
  return covariance->variance * value;
}
