/* Duplicates over all ranks. */
#include "dist/duplicates.h"

#include "walk/walk.h"

#include <string.h>

/* Duplicates of all ranks. Points of one location lie on several ranks only where a cut went through the
 * location; each further rank's node there repeats the first one's. */
pcct_status dist_count_duplicates(pcct_index *index, int64_t *duplicates) {
  pcct_context *context = index->context;
  const struct parts *parts = index->parts;
  const int d = parts->dimension;
  const size_t bytes = (size_t)d * sizeof(double);
  struct walk walk = {0};
  int *holders = base_allocate_zero(&context->base, parts->size - 1, sizeof *holders);
  pcct_status status =
      holders ? walk_create(&context->base, index->views.view[0], 1, &walk) : PCCT_MEMORY;
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  for (int cut = 0; cut < parts->size - 1; cut++) {
    const double *point = parts->point + (int64_t)cut * d;
    int seen = !isfinite(point[0]);
    for (int earlier = 0; earlier < cut && !seen; earlier++) {
      seen = memcmp(parts->point + (int64_t)earlier * d, point, bytes) == 0;
    }
    if (!seen) {
      walk_nearest(&walk, &(struct walk_query){point, INT64_MAX, -1}, 0, INT64_MAX);
      holders[cut] = walk.topk.count > 0;
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, holders, parts->size - 1, MPI_INT, MPI_SUM, context->comm);
  *duplicates = comm_sum(context, index->coincident.duplicates);
  for (int cut = 0; cut < parts->size - 1; cut++) {
    *duplicates += holders[cut] > 1 ? holders[cut] - 1 : 0;
  }
cleanup:
  walk_free(&context->base, &walk);
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
