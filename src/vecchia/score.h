/*
 * One row of a Vecchia approximation: a point given its conditioning set, under a covariance.
 *
 * With Sigma the covariance of the set's points and, last, the point itself, and L its Cholesky factor: the last
 * diagonal entry squared is the conditional variance, the last entry of L^-1 y the standardised residual, and
 * L^-T e_last the point's column of the inverse factor U of the approximation's precision U U'.
 *
 * Source: Vecchia, JRSS B 50, 1988; Guinness, Technometrics 60, 2018.
 */
#ifndef VECCHIA_SCORE_H
#define VECCHIA_SCORE_H

#include "vecchia/covariance.h"

/* Working memory of one thread, for rows of up to `most` points, the point itself included. */
struct score_work {
  double *matrix; /* [most][most], by columns */
  double *vector; /* [most] */
  int most;
};

/* Errors: PCCT_MEMORY. */
pcct_status score_work_create(struct base *base, int most, struct score_work *work);
void score_work_free(struct score_work *work);

/* A row's answer. */
struct score_row {
  double variance; /* conditional */
  double residual; /* (y - conditional mean) / root of the variance; 0 without response */
};

/* Computes one row.
 * Local; no communication, no OpenMP: one thread's work.
 *   points   [in] [count][dimension] scaled coordinates: the conditioning set, then the point
 *   response [in] [count] likewise; NULL: none
 *   column   [out] [count] the point's column of U, in the order of the points; NULL: not wanted
 * Returns 0, or 1 if the covariance of the points is not positive definite.
 * Cost: count^3 / 3 operations. */
int score_row(const struct covariance *covariance, int dimension, int count, const double *points,
              const double *response, struct score_work *work, struct score_row *row,
              double *column);

/* All points at once, without approximation.
 * Local.
 *   work            [in] for `count` points
 *   log_determinant [out] of the covariance
 *   square          [out] y' Sigma^-1 y; 0 without response
 * Returns as score_row. */
int score_all(const struct covariance *covariance, int dimension, int count, const double *points,
              const double *response, struct score_work *work, double *log_determinant,
              double *square);

#endif
