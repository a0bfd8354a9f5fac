/*
 * Points spread over the ranks in slabs, column by column, and fetched by number.
 */
#ifndef APP_COLUMNS_H
#define APP_COLUMNS_H

#include "base/comm.h"

struct columns {
  int dimension;
  int64_t count;                      /* of this rank's slab */
  double *column[PCCT_DIMENSION_MAX]; /* [count] */
};

/* Makes columns of [count][dimension] points.
 * Collective. Errors: PCCT_MEMORY. */
pcct_status columns_create(pcct_context *context, int dimension, const double *points,
                           int64_t count, struct columns *columns);
void columns_free(struct columns *columns);

/* Fetches points by number.
 * Collective.
 *   item   [in]  [items] each rank's own
 *   points [out] [items][dimension]
 * Errors: PCCT_MEMORY. Cost: 16 bytes sent for each item and axis. */
pcct_status columns_fetch(pcct_context *context, const struct columns *columns, const int64_t *item,
                          int64_t items, double *points);

/* Fetches one number for each item: element i is that of item i in the slabs.
 *   out [out] [items][stride], the first of each */
pcct_status columns_fetch_one(pcct_context *context, const double *slab, int64_t count,
                              const int64_t *item, int64_t items, int stride, double *out);

#endif
