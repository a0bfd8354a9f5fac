/*
 * Positions of rows: nothing to do, a permutation to invert, or records to sort.
 */
#include "dist/order.h"

#include "dist/farthest.h"
#include "dist/order_given.h"
#include "dist/order_sort.h"
#include "vecchia/ordering.h"

void dist_order_scan(pcct_context *context, struct vecchia_ordering *ordering, const double *search,
                     int64_t count, int64_t total, struct vecchia_ordering_scan *scan) {
  int dimension = ordering->metric->dimension;
  vecchia_ordering_scan(ordering, search, count, context->base.threads, scan);
  if (ordering->kind == VECCHIA_ORDERING_MIDDLEOUT ||
      ordering->kind == VECCHIA_ORDERING_OUTSIDEIN) {
    /* integers all through: the sum does not depend on the order in which ranks are added */
    int words = dimension * (int)(sizeof scan->sum[0] / sizeof(int64_t));
    MPI_Allreduce(MPI_IN_PLACE, scan->sum, words, MPI_INT64_T, MPI_SUM, context->comm);
  } else if (ordering->kind == VECCHIA_ORDERING_HILBERT) {
    MPI_Allreduce(MPI_IN_PLACE, scan->minimum, dimension, MPI_DOUBLE, MPI_MIN, context->comm);
    MPI_Allreduce(MPI_IN_PLACE, scan->maximum, dimension, MPI_DOUBLE, MPI_MAX, context->comm);
  }
  vecchia_ordering_finish(ordering, scan, total);
}

static pcct_status sorted_positions(pcct_context *context, struct vecchia_ordering *ordering,
                                    const pcct_points *points, const double *search, int64_t total,
                                    int64_t *positions) {
  struct base *base = &context->base;
  int words = vecchia_ordering_words(ordering);
  uint64_t *records = base_allocate(base, points->count, (size_t)words * sizeof *records);
  struct vecchia_ordering_scan *scan = base_allocate_zero(base, 1, sizeof *scan);
  pcct_status status = comm_agree(context, records && scan ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  dist_order_scan(context, ordering, search, points->count, total, scan);
  vecchia_ordering_records(ordering, points->coordinates, search, points->first_row, points->count,
                           base->threads, records);
  status = dist_order_sort(context, &records, words, points->first_row, points->count, positions);

cleanup:
  base_free(records);
  base_free(scan);
  return status;
}

pcct_status dist_order_positions(pcct_context *context, const struct metric *metric,
                                 const pcct_points *points, const double *search,
                                 const pcct_index_options *options, int64_t total,
                                 int64_t *positions) {
  struct vecchia_ordering ordering = {
      .metric = metric, .axis = options->axis, .seed = options->seed};
  switch (dist_preliminary(options->ordering)) {
  case PCCT_ORDERING_NONE:
    for (int64_t i = 0; i < points->count; i++) {
      positions[i] = points->first_row + i;
    }
    return PCCT_OK;
  case PCCT_ORDERING_GIVEN:
    return dist_order_given(context, options->permutation, points->first_row, points->count, total,
                            positions);
  case PCCT_ORDERING_RANDOM:
    ordering.kind = VECCHIA_ORDERING_RANDOM;
    break;
  case PCCT_ORDERING_COORDINATE:
    ordering.kind = VECCHIA_ORDERING_COORDINATE;
    break;
  case PCCT_ORDERING_MIDDLEOUT:
    ordering.kind = VECCHIA_ORDERING_MIDDLEOUT;
    break;
  case PCCT_ORDERING_HILBERT:
    ordering.kind = VECCHIA_ORDERING_HILBERT;
    break;
  case PCCT_ORDERING_OUTSIDEIN:
    ordering.kind = VECCHIA_ORDERING_OUTSIDEIN;
    break;
  case PCCT_ORDERING_TIME:
    ordering.kind = VECCHIA_ORDERING_TIME;
    break;
  case PCCT_ORDERING_TIME_RANDOM:
    ordering.kind = VECCHIA_ORDERING_TIME_RANDOM;
    break;
  default:
    return base_fail(&context->base, PCCT_USAGE,
                     "unknown ordering %d, expected one of enum pcct_ordering",
                     (int)options->ordering);
  }
  return sorted_positions(context, &ordering, points, search, total, positions);
}

pcct_status dist_order_groups(pcct_context *context, const int32_t *group, int64_t first_row,
                              int64_t count, int64_t *positions) {
  enum { WORDS = 3 };
  uint64_t *records = base_allocate(&context->base, count, WORDS * sizeof *records);
  pcct_status status = comm_agree(context, records ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < count; i++) {
      records[i * WORDS] = (uint64_t)group[i];
      records[i * WORDS + 1] = (uint64_t)positions[i];
      records[i * WORDS + 2] = (uint64_t)(first_row + i);
    }
    status = dist_order_sort(context, &records, WORDS, first_row, count, positions);
  }
  base_free(records);
  return status;
}
