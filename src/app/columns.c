/* Points by columns. */
#include "app/columns.h"

#include "dist/order_lookup.h"

#include <string.h>

pcct_status columns_create(pcct_context *context, int dimension, const double *points,
                           int64_t count, struct columns *columns) {
  bool good = true;
  *columns = (struct columns){.dimension = dimension, .count = count};
  for (int j = 0; j < dimension; j++) {
    columns->column[j] = base_allocate(&context->base, count, sizeof *columns->column[j]);
    good = good && columns->column[j] != NULL;
    for (int64_t i = 0; good && i < count; i++) {
      columns->column[j][i] = points[i * dimension + j];
    }
  }
  return comm_agree(context, good ? PCCT_OK : PCCT_MEMORY);
}

void columns_free(struct columns *columns) {
  for (int j = 0; j < columns->dimension; j++) {
    base_free(columns->column[j]);
  }
  *columns = (struct columns){.count = 0};
}

pcct_status columns_fetch_one(pcct_context *context, const double *slab, int64_t count,
                              const int64_t *item, int64_t items, int stride, double *out) {
  int64_t *bits = base_allocate(&context->base, items, sizeof *bits); /* lookups carry words */
  pcct_status status = comm_agree(context, bits != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status =
        dist_order_lookup(context, (const int64_t *)(const void *)slab, count, item, items, bits);
  }
  for (int64_t i = 0; i < items && status == PCCT_OK; i++) {
    memcpy(&out[i * stride], &bits[i], sizeof *out);
  }
  base_free(bits);
  return status;
}

pcct_status columns_fetch(pcct_context *context, const struct columns *columns, const int64_t *item,
                          int64_t items, double *points) {
  pcct_status status = PCCT_OK;
  for (int j = 0; j < columns->dimension && status == PCCT_OK; j++) {
    status = columns_fetch_one(context, columns->column[j], columns->count, item, items,
                               columns->dimension, points + j);
  }
  return status;
}
