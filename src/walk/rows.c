/* Rows of answers. */
#include "walk/rows.h"

void walk_rows_put(const struct walk_rows *rows, int64_t row, const struct candidate *candidates,
                   int64_t count) {
  double *value = walk_rows_value(rows, row);
  char *index = rows->index + row * rows->index_stride;
  for (int64_t e = 0; e < rows->width; e++) {
    const int held = e < count;
    const int64_t position = held ? candidates[e].position : -1;
    const double kernel = held ? candidates[e].value : INFINITY;
    value[e] = rows->units ? metric_user_distance(rows->units, kernel) : kernel;
    if (rows->index_size == 4) {
      ((int32_t *)(void *)index)[e] = (int32_t)position;
    } else {
      ((int64_t *)(void *)index)[e] = position;
    }
  }
  *walk_rows_filled(rows, row) = (int32_t)count;
}
