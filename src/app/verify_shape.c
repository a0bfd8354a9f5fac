/* Checks of shaped conditioning sets. See verify_shape.h. */
#include "app/verify_shape.h"

#include "app/shape.h"
#include "app/verify_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS INT64_C(4000000000) /* rows times points */

/* What rows are checked with. */
struct shaped {
  const struct verify_data *data;
  const double *cluster; /* [n] by position; NULL: none */
  struct shape_rule rule;
  uint64_t seed; /* of the mix */
};

struct found {
  double value; /* kernel value */
  int64_t position;
};

/* One thread's room. */
struct scratch {
  struct found *all;     /* [n] */
  struct found *row;     /* [m] */
  int64_t *near, *other; /* [m] */
};

bool verify_has_shape(const struct file_summary *summary) {
  return summary->condition[0] != '\0' || summary->mix[0] != '\0' || summary->clusters[0] != '\0' ||
         summary->radius_factor > 0;
}

static int compare_values(const void *a, const void *b) {
  const struct found *x = a, *y = b;
  return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                              : (x->position > y->position) - (x->position < y->position);
}

static double distance_of(const struct shaped *shaped, const struct found *found) {
  return metric_user_distance(&shaped->data->metric, found->value);
}

/* The nearest of the positions from `begin` to `end` that may be in the row.
 * Returns how many. */
static int64_t nearest(const struct shaped *shaped, int64_t p, int64_t begin, int64_t end,
                       int64_t wanted, struct scratch *scratch, struct found *row) {
  const struct verify_data *data = shaped->data;
  const int d = data->metric.dimension;
  int64_t count = 0;
  for (int64_t q = begin; q < end; q++) {
    if (shaped->cluster == NULL || shaped->cluster[q] == shaped->cluster[p]) {
      scratch->all[count++] = (struct found){
          verify_rows_value(&data->metric, data->search + p * d, data->search + q * d), q};
    }
  }
  qsort(scratch->all, (size_t)count, sizeof *scratch->all, compare_values);
  count = count < wanted ? count : wanted;
  memcpy(row, scratch->all, (size_t)count * sizeof *row);
  return count;
}

/* Orders by distance as written, then position. */
static void sort_by_distance(const struct shaped *shaped, struct found *row, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    const struct found moved = row[i];
    const double distance = distance_of(shaped, &moved);
    int64_t to = i;
    while (to > 0 && (distance_of(shaped, &row[to - 1]) > distance ||
                      (distance_of(shaped, &row[to - 1]) == distance &&
                       row[to - 1].position > moved.position))) {
      row[to] = row[to - 1];
      to--;
    }
    row[to] = moved;
  }
}

/* The row of a predicted point. */
static int64_t predicted_row(const struct shaped *shaped, int64_t p, int64_t m,
                             struct scratch *scratch) {
  const int64_t observed = shaped->data->summary->observed;
  struct found *row = scratch->row;
  if (shaped->rule.condition == SHAPE_OBSERVED) {
    return nearest(shaped, p, 0, observed, m, scratch, row);
  }
  const int64_t count = nearest(shaped, p, 0, p, m, scratch, row);
  const int64_t needed =
      shaped->rule.observed_least < observed ? shaped->rule.observed_least : observed;
  int64_t have = 0;
  for (int64_t e = 0; e < count; e++) {
    have += row[e].position < observed;
  }
  if (have >= needed) {
    return count;
  }
  nearest(shaped, p, 0, observed, needed, scratch, row);
  const int64_t rest = nearest(shaped, p, observed, p, m - needed, scratch, row + needed);
  sort_by_distance(shaped, row, needed + rest);
  return needed + rest;
}

/* The row by its definition; returns its length. */
static int64_t expected_row(const struct shaped *shaped, int64_t p, struct scratch *scratch) {
  const struct file_summary *summary = shaped->data->summary;
  const int64_t m = shaped->data->width, mixed = shaped->rule.mixed;
  struct found *row = scratch->row;
  int64_t count = p >= summary->observed ? predicted_row(shaped, p, m, scratch)
                                         : nearest(shaped, p, 0, p, m, scratch, row);
  if (mixed > 0 && p > m) {
    for (int64_t e = 0; e < m - mixed; e++) {
      scratch->near[e] = row[e].position;
    }
    shape_choose(&shaped->rule, shaped->seed, p, scratch->near, m - mixed, scratch->other);
    for (int64_t e = 0; e < mixed; e++) {
      nearest(shaped, p, scratch->other[e], scratch->other[e] + 1, 1, scratch, row + m - mixed + e);
    }
    qsort(row + m - mixed, (size_t)mixed, sizeof *row, compare_values);
  }
  if (summary->radius_factor > 0) {
    const double radius = count > 0 ? summary->radius_factor * distance_of(shaped, &row[0]) : 0;
    int64_t kept = 0;
    while (kept < count && (kept < summary->least || distance_of(shaped, &row[kept]) <= radius)) {
      kept++;
    }
    count = kept;
  }
  return count;
}

/* Rows of the file. */
struct slab {
  int64_t first, count;
  int64_t *index, *filled, *chosen;
  double *distance; /* NULL: the file has none */
};

/* The first entry of a row that is not what it should be; -1: none; m: their number. */
static int64_t compare_row(const struct shaped *shaped, const struct slab *slab, int64_t i,
                           struct scratch *scratch) {
  const int64_t m = shaped->data->width;
  const int64_t count = expected_row(shaped, slab->first + i, scratch);
  const bool single = shaped->data->summary->distance_size == 4;
  if (slab->filled[i] != count) {
    return m;
  }
  for (int64_t e = 0; e < m; e++) {
    const double value = e < count ? distance_of(shaped, &scratch->row[e]) : INFINITY;
    const double distance = single ? (double)(float)value : value;
    if (slab->index[i * m + e] != (e < count ? scratch->row[e].position : -1) ||
        (slab->distance != NULL && slab->distance[i * m + e] != distance)) {
      return e;
    }
  }
  return -1;
}

static pcct_status compare_rows(pcct_context *context, const struct shaped *shaped,
                                const struct slab *slab, int64_t chosen, struct scratch *scratch) {
  struct base *base = &context->base;
  for (int64_t c = 0; c < chosen; c++) {
    const int64_t i = slab->chosen[c] - slab->first;
    const int64_t wrong = compare_row(shaped, slab, i, scratch);
    if (wrong == shaped->data->width) {
      return base_fail(base, PCCT_DIFFERENT,
                       "position %" PRId64 ": /neighbors/count is %" PRId64
                       ", but its set has another number of points",
                       slab->chosen[c], slab->filled[i]);
    }
    if (wrong >= 0) {
      return base_fail(base, PCCT_DIFFERENT,
                       "position %" PRId64 ": neighbor %" PRId64 " is position %" PRId64
                       ", expected %" PRId64 " at distance %.17g",
                       slab->chosen[c], wrong, slab->index[i * shaped->data->width + wrong],
                       scratch->row[wrong].position, distance_of(shaped, &scratch->row[wrong]));
    }
  }
  return PCCT_OK;
}

/* Reads the slab's rows. Local. */
static pcct_status read_slab(struct base *base, const struct verify_data *data, struct slab *slab) {
  const size_t width = (size_t)data->width;
  slab->index = base_allocate(base, slab->count, width * sizeof *slab->index);
  slab->filled = base_allocate(base, slab->count, sizeof *slab->filled);
  slab->chosen = base_allocate(base, slab->count, sizeof *slab->chosen);
  slab->distance = data->summary->distance_size > 0
                       ? base_allocate(base, slab->count, width * sizeof *slab->distance)
                       : NULL;
  pcct_status status = slab->index && slab->filled && slab->chosen &&
                               (slab->distance || data->summary->distance_size == 0)
                           ? PCCT_OK
                           : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = file_read_index(base, data->file, slab->first, slab->count, slab->index);
  }
  if (status == PCCT_OK) {
    status = file_read_count(base, data->file, slab->first, slab->count, slab->filled);
  }
  if (status == PCCT_OK && slab->distance) {
    status = file_read_distance(base, data->file, slab->first, slab->count, slab->distance);
  }
  return status;
}

pcct_status verify_shape_check(pcct_context *context, const struct verify_data *data,
                               int64_t sample, uint64_t seed, int64_t *searched) {
  struct base *base = &context->base;
  const struct file_summary *summary = data->summary;
  const int64_t n = data->count, m = data->width;
  const int64_t most = n > 0 ? PAIRS / n + 1 : 0;
  struct shaped shaped = {.data = data, .seed = summary->seed};
  struct slab slab = {.count = 0};
  double *cluster = NULL;
  int64_t chosen = 0;
  struct scratch scratch = {
      base_allocate(base, n, sizeof *scratch.all), base_allocate(base, 2 * m, sizeof *scratch.row),
      base_allocate(base, m, sizeof *scratch.near), base_allocate(base, m, sizeof *scratch.other)};
  pcct_status status =
      scratch.all && scratch.row && scratch.near && scratch.other ? PCCT_OK : PCCT_MEMORY;
  base_enter_phase(base, PCCT_PHASE_query);
  pcct_slab(n, context->rank, context->size, &slab.first, &slab.count);
  if (status == PCCT_OK) {
    status = shape_parse(base, summary->condition[0] ? summary->condition : NULL,
                         summary->mix[0] ? summary->mix : NULL, &shaped.rule);
  }
  if (status == PCCT_OK && summary->clusters[0] != '\0') {
    cluster = base_allocate(base, n, sizeof *cluster);
    status =
        cluster ? file_read_data(base, data->file, summary->clusters, 0, n, cluster) : PCCT_MEMORY;
    shaped.cluster = cluster;
  }
  if (status == PCCT_OK) {
    status = read_slab(base, data, &slab);
  }
  if (status == PCCT_OK) {
    chosen = verify_rows_choose(seed, n, sample < most ? sample : most, slab.first, slab.count,
                                slab.chosen);
    status = compare_rows(context, &shaped, &slab, chosen, &scratch);
  }
  status = comm_agree(context, status);
  *searched = comm_sum(context, chosen);
  base_free(cluster);
  base_free(scratch.all);
  base_free(scratch.row);
  base_free(scratch.near);
  base_free(scratch.other);
  base_free(slab.index);
  base_free(slab.filled);
  base_free(slab.chosen);
  base_free(slab.distance);
  return status;
}
