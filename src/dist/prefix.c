/* The replicated prefix of the ordering. */
#include "dist/prefix.h"

#include "base/random.h"

#include <string.h>

void prefix_destroy(struct prefix **prefix) {
  if (!prefix || !*prefix) {
    return;
  }
  if ((*prefix)->view) {
    struct base_array arrays[VIEW_ARRAYS];
    view_list_arrays((*prefix)->view, arrays);
    comm_unshare(&(*prefix)->shared, arrays, VIEW_ARRAYS);
  }
  view_destroy(&(*prefix)->view);
  base_free(*prefix);
  *prefix = NULL;
}

int64_t prefix_length(int ranks, int64_t total) {
  int64_t length = ranks > 1 ? PREFIX_LEAST + (int64_t)PREFIX_RANK * ranks : 0;
  length = length < PREFIX_MOST ? length : PREFIX_MOST;
  return length < total / PREFIX_SHARE ? length : total / PREFIX_SHARE;
}

/* This rank's share of it: points and positions. */
static pcct_status choose(struct base *base, int d, const double *coordinates,
                          const int64_t *position, int64_t count, int64_t length, double **records,
                          int64_t *chosen) {
  *chosen = 0;
  for (int64_t i = 0; i < count; i++) {
    *chosen += position[i] < length;
  }
  *records = base_allocate(base, *chosen * (d + 1), sizeof(double));
  if (!*records) {
    return PCCT_MEMORY;
  }
  double *to = *records;
  for (int64_t i = 0; i < count; i++) {
    if (position[i] < length) {
      memcpy(to, coordinates + i * d, (size_t)d * sizeof(double));
      memcpy(to + d, &position[i], sizeof(int64_t));
      to += d + 1;
    }
  }
  return PCCT_OK;
}

/* The gathered points' view, by way of their tree. */
static pcct_status build(struct base *base, const struct metric *metric, const double *records,
                         int64_t count, struct view **view) {
  const int d = metric->dimension;
  double *coordinates = base_allocate(base, count * d, sizeof *coordinates);
  int64_t *position = base_allocate(base, count, sizeof *position);
  uint64_t *priority = base_allocate(base, count, sizeof *priority);
  struct tree *tree = NULL;
  struct frame *frame = NULL;
  pcct_status status = coordinates && position && priority ? PCCT_OK : PCCT_MEMORY;
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    const double *record = records + i * (d + 1);
    memcpy(coordinates + i * d, record, (size_t)d * sizeof(double));
    memcpy(&position[i], record + d, sizeof(int64_t));
    priority[i] = random_bits(0, RANDOM_INSERTION, (uint64_t)position[i]);
  }
  const struct tree_points points = {(local_index)count, metric,   coordinates,
                                     position,           priority, 0};
  if (status == PCCT_OK) {
    status = tree_build(base, &points, &tree);
  }
  if (status == PCCT_OK) {
    status = frame_create_whole(base, tree, &frame);
  }
  if (status == PCCT_OK) {
    status = view_create(base, tree, frame, INT64_MAX, view);
  }
  frame_destroy(&frame);
  tree_destroy(&tree);
  base_free(coordinates);
  base_free(position);
  base_free(priority);
  return status;
}

pcct_status prefix_create(pcct_context *context, const struct metric *metric,
                          const double *coordinates, const int64_t *position, int64_t count,
                          int64_t total, struct prefix **prefix) {
  struct base *base = &context->base;
  const int d = metric->dimension;
  double *own = NULL;
  void *records = NULL;
  int64_t chosen = 0;
  int64_t gathered = 0;
  struct prefix *made = base_allocate_zero(base, 1, sizeof *made);
  *prefix = made;
  pcct_status status = made ? choose(base, d, coordinates, position, count,
                                     prefix_length(context->size, total), &own, &chosen)
                            : PCCT_MEMORY;
  if (made) {
    made->shared.window = MPI_WIN_NULL;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_gather_all(context, own, chosen, (size_t)(d + 1) * sizeof(double), &records,
                             &gathered);
  }
  if (status == PCCT_OK) {
    made->count = (local_index)gathered;
    status = comm_agree(context, build(base, metric, records, gathered, &made->view));
  }
  if (status == PCCT_OK) {
    struct base_array arrays[VIEW_ARRAYS];
    view_list_arrays(made->view, arrays);
    comm_share(context, arrays, VIEW_ARRAYS, &made->shared);
  }
  base_free(own);
  base_free(records);
  if (status != PCCT_OK) {
    prefix_destroy(prefix);
  }
  return status;
}
