/* The replicated prefix of the ordering. */
#include "dist/prefix.h"

#include "base/random.h"

#include <string.h>

void prefix_destroy(struct prefix **prefix) {
  if (!prefix || !*prefix) {
    return;
  }
  struct prefix *p = *prefix;
  view_destroy(&p->view);
  frame_destroy(&p->frame);
  tree_destroy(&p->tree);
  base_free(p->coordinates);
  base_free(p->position);
  base_free(p->priority);
  base_free(p);
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

static pcct_status build(struct base *base, const struct metric *metric, const double *records,
                         int64_t count, struct prefix **out) {
  const int d = metric->dimension;
  struct prefix *prefix = base_allocate_zero(base, 1, sizeof *prefix);
  *out = prefix;
  if (!prefix) {
    return PCCT_MEMORY;
  }
  prefix->count = (local_index)count;
  prefix->coordinates = base_allocate(base, count * d, sizeof(double));
  prefix->position = base_allocate(base, count, sizeof *prefix->position);
  prefix->priority = base_allocate(base, count, sizeof *prefix->priority);
  if (!prefix->coordinates || !prefix->position || !prefix->priority) {
    return PCCT_MEMORY;
  }
  for (int64_t i = 0; i < count; i++) {
    const double *record = records + i * (d + 1);
    memcpy(prefix->coordinates + i * d, record, (size_t)d * sizeof(double));
    memcpy(&prefix->position[i], record + d, sizeof(int64_t));
    prefix->priority[i] = random_bits(0, RANDOM_INSERTION, (uint64_t)prefix->position[i]);
  }
  const struct tree_points points = {prefix->count,    metric,           prefix->coordinates,
                                     prefix->position, prefix->priority, 0};
  pcct_status status = tree_build(base, &points, &prefix->tree);
  if (status == PCCT_OK) {
    status = frame_create_whole(base, prefix->tree, &prefix->frame);
  }
  if (status == PCCT_OK) {
    status = view_create(base, prefix->tree, prefix->frame, INT64_MAX, &prefix->view);
  }
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
  *prefix = NULL;
  pcct_status status = choose(base, d, coordinates, position, count,
                              prefix_length(context->size, total), &own, &chosen);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_gather_all(context, own, chosen, (size_t)(d + 1) * sizeof(double), &records,
                             &gathered);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, build(base, metric, records, gathered, prefix));
  }
  base_free(own);
  base_free(records);
  if (status != PCCT_OK) {
    prefix_destroy(prefix);
  }
  return status;
}
