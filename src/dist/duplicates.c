/* Duplicates over all ranks. */
#include "dist/duplicates.h"

#include "walk/sweep.h"

#include <string.h>

/* Duplicates of all ranks. Points of one location lie on several ranks only where a cut went through the
 * location; each further rank's node there repeats the first one's. */
pcct_status dist_count_duplicates(pcct_index *index, int64_t *duplicates) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const struct parts *parts = index->parts;
  const int d = parts->dimension;
  const int64_t cuts = parts->size - 1;
  const size_t bytes = (size_t)d * sizeof(double);
  double *points = base_allocate(base, cuts * d, sizeof *points);
  double *value = base_allocate_zero(base, 2 * cuts, sizeof *value); /* cut-offs, answers */
  int64_t *position = base_allocate(base, cuts, sizeof *position);
  int32_t *holders = base_allocate_zero(base, cuts, sizeof *holders);
  int64_t asked = 0;
  pcct_status status = points && value && position && holders ? PCCT_OK : PCCT_MEMORY;
  for (int64_t cut = 0; cut < cuts && status == PCCT_OK; cut++) {
    const double *point = parts->point + cut * d;
    int seen = !isfinite(point[0]);
    for (int64_t earlier = 0; earlier < asked && !seen; earlier++) {
      seen = memcmp(points + earlier * d, point, bytes) == 0;
    }
    if (!seen) {
      memcpy(points + asked * d, point, bytes);
      asked++;
    }
  }
  if (status == PCCT_OK) {
    const struct walk_sweep sweep = {.count = asked, .points = points, .cutoff = value};
    const struct walk_rows rows = {.value = (char *)(value + cuts),
                                   .index = (char *)position,
                                   .filled = (char *)holders,
                                   .value_stride = 8,
                                   .index_stride = 8,
                                   .filled_stride = 4,
                                   .width = 1,
                                   .index_size = 8};
    status = walk_sweep(base, index->views.view[0], &sweep, 1, &rows);
  }
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  MPI_Allreduce(MPI_IN_PLACE, holders, parts->size - 1, MPI_INT32_T, MPI_SUM, context->comm);
  *duplicates = comm_sum(context, index->coincident.duplicates);
  for (int64_t i = 0; i < asked; i++) {
    *duplicates += holders[i] > 1 ? holders[i] - 1 : 0;
  }
cleanup:
  base_free(points);
  base_free(value);
  base_free(position);
  base_free(holders);
  return status;
}

/* The row at a position. Collective. */
static int64_t row_of(const pcct_index *index, int64_t position) {
  int64_t row = -1;
  for (int64_t i = 0; i < index->row_count; i++) {
    row = index->row_position[i] == position ? index->first_row + i : row;
  }
  return comm_max(index->context, row);
}

pcct_status dist_refuse_duplicates(pcct_index *index) {
  pcct_context *context = index->context;
  const struct coincident *own = &index->coincident;
  const int64_t first = comm_min(context, own->repeated);
  const int64_t other = comm_max(context, first == own->repeated ? own->original : -1);
  if (first == INT64_MAX) {
    return base_fail(
        &context->base, PCCT_INPUT,
        "expected distinct locations, found %lld duplicates: rows at the location of an "
        "earlier row",
        (long long)index->duplicates);
  }
  const int64_t a = row_of(index, first);
  const int64_t b = row_of(index, other);
  return base_fail(
      &context->base, PCCT_INPUT,
      "expected distinct locations, found %lld duplicates, among them row %lld, which repeats the "
      "location of row %lld",
      (long long)index->duplicates, (long long)(a > b ? a : b), (long long)(a > b ? b : a));
}
