/*
 * What vecchia and knn have in common.
 */
#include "app/search.h"

pcct_status search_check_options(struct app *app, const struct search_options *options) {
  struct base *base = &app->context->base;
  if (options->dataset != NULL && options->columns != NULL) {
    return base_fail(base, PCCT_USAGE,
                     "--dataset and --columns both name the coordinates; give one of them");
  }
  if (options->coordinates == PCCT_LONLAT && options->scale.count > 0) {
    return base_fail(base, PCCT_USAGE,
                     "--scale has no meaning with --coordinates lonlat; leave it out");
  }
  return PCCT_OK;
}

pcct_status search_check_dimension(struct app *app, const struct search_options *options,
                                   int dimension, int axis) {
  struct base *base = &app->context->base;
  if (options->coordinates == PCCT_LONLAT && dimension != 2) {
    return base_fail(base, PCCT_USAGE,
                     "--coordinates lonlat expects two coordinates, longitude and latitude, found "
                     "points with %d; choose them with --columns",
                     dimension);
  }
  if (options->scale.count > 0 && options->scale.count != dimension) {
    return base_fail(base, PCCT_USAGE,
                     "--scale expects one number for each of the %d coordinates, found %d",
                     dimension, options->scale.count);
  }
  if (axis >= dimension) {
    return base_fail(base, PCCT_USAGE,
                     "--ordering coordinate:AXIS expects an axis from 0 to %d for these points, "
                     "found %d",
                     dimension - 1, axis);
  }
  return PCCT_OK;
}

pcct_index_options search_index_options(const struct search_options *options) {
  pcct_index_options index_options = pcct_index_options_default();
  index_options.coordinates = (pcct_coordinates)options->coordinates;
  index_options.scale = options->scale.count > 0 ? options->scale.value : NULL;
  index_options.refuse_duplicates = options->duplicates == SEARCH_DUPLICATES_ERROR;
  return index_options;
}

int64_t search_row_bytes(int64_t n, int64_t width) {
  int64_t index_bytes = n <= INT32_MAX ? 4 : 8;
  int64_t entry_bytes = index_bytes + (int64_t)sizeof(double);
  return width < INT64_MAX / 64 ? width * entry_bytes + (int64_t)sizeof(int32_t) : INT64_MAX / 4;
}

int64_t search_block_rows(const struct app *app, const struct search_options *options, int64_t rows,
                          int64_t n, int64_t width) {
  if (options->block_rows > 0) {
    return options->block_rows;
  }
  int64_t per_rank = SEARCH_BLOCK_BYTES / (2 * search_row_bytes(n, width));
  int64_t most = (per_rank > 1 ? per_rank : 1) * app->context->size;
  int64_t blocks = rows / most + (rows % most > 0);
  return blocks > 0 ? rows / blocks + (rows % blocks > 0) : 1;
}
