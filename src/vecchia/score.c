/* Rows of Vecchia approximations. */
#include "vecchia/score.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

pcct_status score_work_create(struct base *base, int most, struct score_work *work) {
  work->most = most;
  work->matrix = base_allocate(base, (int64_t)most * most, sizeof *work->matrix);
  work->vector = base_allocate(base, most, sizeof *work->vector);
  return work->matrix && work->vector ? PCCT_OK : PCCT_MEMORY;
}

void score_work_free(struct score_work *work) {
  base_free(work->matrix);
  base_free(work->vector);
  *work = (struct score_work){0};
}

/* The lower triangle of the covariance, by columns. */
static void fill(const struct covariance *covariance, int dimension, int count,
                 const double *points, double *matrix) {
  for (int j = 0; j < count; j++) {
    matrix[(int64_t)j * count + j] = covariance->variance + covariance->nugget;
    for (int i = j + 1; i < count; i++) {
      double square = 0;
      for (int axis = 0; axis < dimension; axis++) {
        const double difference = points[i * dimension + axis] - points[j * dimension + axis];
        square += difference * difference;
      }
      matrix[(int64_t)j * count + i] = covariance_value(covariance, square);
    }
  }
}

/* Covariance, factored; and L^-1 y into the vector, if there is a y. */
static int factor(const struct covariance *covariance, int dimension, int count,
                  const double *points, const double *response, struct score_work *work) {
  fill(covariance, dimension, count, points, work->matrix);
  if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', count, work->matrix, count) != 0) {
    return 1;
  }
  if (response) {
    memcpy(work->vector, response, (size_t)count * sizeof *response);
    LAPACKE_dtrtrs_work(LAPACK_COL_MAJOR, 'L', 'N', 'N', count, 1, work->matrix, count,
                        work->vector, count);
  }
  return 0;
}

int score_row(const struct covariance *covariance, int dimension, int count, const double *points,
              const double *response, struct score_work *work, struct score_row *row,
              double *column) {
  if (factor(covariance, dimension, count, points, response, work) != 0) {
    return 1;
  }
  const double root = work->matrix[(int64_t)count * count - 1];
  *row = (struct score_row){root * root, response ? work->vector[count - 1] : 0};
  if (column) {
    memset(column, 0, (size_t)count * sizeof *column);
    column[count - 1] = 1;
    LAPACKE_dtrtrs_work(LAPACK_COL_MAJOR, 'L', 'T', 'N', count, 1, work->matrix, count, column,
                        count);
  }
  return 0;
}

int score_all(const struct covariance *covariance, int dimension, int count, const double *points,
              const double *response, struct score_work *work, double *log_determinant,
              double *square) {
  *log_determinant = 0;
  *square = 0;
  if (factor(covariance, dimension, count, points, response, work) != 0) {
    return 1;
  }
  for (int i = 0; i < count; i++) {
    *log_determinant += 2 * log(work->matrix[(int64_t)i * count + i]);
    *square += response ? work->vector[i] * work->vector[i] : 0;
  }
  return 0;
}
