/*
 * Checks of stored trees. See verify_index.h.
 */
#include "app/verify_index.h"

#include "app/stored.h"

#include <inttypes.h>

/* This rank's points of the trees against those of the file.
 *   seen [in,out] [n] how often a position came */
static pcct_status compare_points(struct base *base, const struct verify_data *data,
                                  const pcct_index *index, unsigned char *seen) {
  const int d = data->metric.dimension;
  for (int64_t i = 0; i < index->count; i++) {
    const int64_t position = index->position[i];
    if (seen[position]++ > 0) {
      return base_fail(base, PCCT_DIFFERENT, "/tree/position has position %" PRId64 " twice",
                       position);
    }
    for (int j = 0; j < d; j++) {
      const double found = index->coordinates[i * d + j];
      const double expected = data->search[position * d + j];
      if (!(found == expected)) {
        return base_fail(base, PCCT_DIFFERENT,
                         "/tree/coordinates has %.17g as coordinate %d of position %" PRId64
                         ", expected %.17g",
                         found, j, position, expected);
      }
    }
  }
  return PCCT_OK;
}

/* Whether the ranks' trees have every position once. Collective. */
static pcct_status check_points(pcct_context *context, const struct verify_data *data,
                                const pcct_index *index) {
  enum { PIECE = 1 << 30 };
  unsigned char *seen = base_allocate_zero(&context->base, data->count, 1);
  pcct_status status = seen ? compare_points(&context->base, data, index, seen) : PCCT_MEMORY;
  status = comm_agree(context, status);
  for (int64_t first = 0; first < data->count && status == PCCT_OK; first += PIECE) {
    const int count = (int)(data->count - first < PIECE ? data->count - first : PIECE);
    MPI_Allreduce(MPI_IN_PLACE, seen + first, count, MPI_UNSIGNED_CHAR, MPI_SUM, context->comm);
  }
  for (int64_t p = 0; p < data->count && status == PCCT_OK; p++) {
    if (seen[p] != 1) {
      status =
          base_fail(&context->base, PCCT_DIFFERENT,
                    "/tree/position has position %" PRId64 " %d times, expected once", p, seen[p]);
    }
  }
  base_free(seen);
  return comm_agree(context, status);
}

pcct_status verify_index_trees(struct app *app, const struct verify_data *data, int64_t *pieces,
                               int64_t *directory_count) {
  pcct_context *context = app->context;
  struct search_options search = {.columns = NULL};
  struct stored stored = {.present = false};
  struct input *input = NULL;
  pcct_index *index = NULL;
  *pieces = 0;
  *directory_count = 0;
  pcct_status status = input_open(context, data->path, NULL, &input);
  if (status == PCCT_OK) {
    status = stored_adopt(app, input, &search, NULL, &stored);
  }
  if (status == PCCT_OK) {
    status = stored_load(app, input, &search, &stored, false, true, &index);
  }
  if (status == PCCT_OK) {
    status = check_points(context, data, index);
  }
  if (status == PCCT_OK) {
    status = pcct_index_check(index);
  }
  if (status == PCCT_OK) {
    *pieces = stored.pieces;
    *directory_count = pcct_index_get_info(index).directory_count;
  }
  pcct_index_destroy(&index);
  stored_free(&stored);
  input_close(context, &input);
  return status;
}
