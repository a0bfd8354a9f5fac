/* Recursive bisection of space over the ranks. */
#include "dist/parts.h"

#include "base/random.h"
#include "base/sort.h"

#include <string.h>

enum { SAMPLE = 1024 }; /* points of the sample for each part: shares off by about 3 % */

void parts_destroy(struct parts **parts) {
  if (!parts || !*parts) {
    return;
  }
  base_free((*parts)->axis);
  base_free((*parts)->point);
  base_free((*parts)->position);
  base_free(*parts);
  *parts = NULL;
}

/* Whether a point comes before a cut. */
static int before_cut(const struct parts *parts, int cut, const double *point, int64_t position) {
  const double *at = parts->point + (int64_t)cut * parts->dimension;
  const int axis = parts->axis[cut];
  if (point[axis] != at[axis]) {
    return point[axis] < at[axis];
  }
  for (int j = 0; j < parts->dimension; j++) {
    if (point[j] != at[j]) {
      return point[j] < at[j];
    }
  }
  return position < parts->position[cut];
}

/* The cuts of ranks first..last-1 are last - first - 1 in preorder: the cut itself, those of the lower half of
 * the ranks, those of the upper half. */
int parts_locate(const struct parts *parts, const double *point, int64_t position) {
  int first = 0;
  int last = parts->size;
  int cut = 0;
  while (last - first > 1) {
    const int middle = first + (last - first) / 2;
    if (before_cut(parts, cut, point, position)) {
      last = middle;
      cut++;
    } else {
      cut += middle - first;
      first = middle;
    }
  }
  return first;
}

void parts_cell(const struct parts *parts, int rank, double *lower, double *upper) {
  int first = 0;
  int last = parts->size;
  int cut = 0;
  for (int j = 0; j < parts->dimension; j++) {
    lower[j] = -INFINITY;
    upper[j] = INFINITY;
  }
  while (last - first > 1) {
    const int middle = first + (last - first) / 2;
    const int axis = parts->axis[cut];
    const double value = parts->point[(int64_t)cut * parts->dimension + axis];
    if (rank < middle) {
      upper[axis] = value < upper[axis] ? value : upper[axis];
      last = middle;
      cut++;
    } else {
      lower[axis] = value > lower[axis] ? value : lower[axis];
      cut += middle - first;
      first = middle;
    }
  }
}

/* The sample: words of a point's search coordinates and its position. */
struct sample {
  const double *words; /* [count][dimension + 1], the last word an int64_t position */
  int64_t *chosen;     /* indices of the points still together, permuted */
  uint64_t *records;   /* scratch: [count][dimension + 3] */
};

static const double *sample_point(const struct parts *parts, const struct sample *sample,
                                  int64_t i) {
  return sample->words + sample->chosen[i] * (parts->dimension + 1);
}

static int widest_axis(const struct parts *parts, const struct sample *sample, int64_t first,
                       int64_t last) {
  int widest = 0;
  double width = -1;
  for (int j = 0; j < parts->dimension; j++) {
    double lower = INFINITY;
    double upper = -INFINITY;
    for (int64_t i = first; i < last; i++) {
      double x = sample_point(parts, sample, i)[j];
      lower = x < lower ? x : lower;
      upper = x > upper ? x : upper;
    }
    if (upper - lower > width) {
      width = upper - lower;
      widest = j;
    }
  }
  return widest;
}

/* Sorts the chosen points first..last-1 in the order of a cut of this axis. */
static pcct_status sort_chosen(struct base *base, const struct parts *parts, struct sample *sample,
                               int axis, int64_t first, int64_t last) {
  const int d = parts->dimension;
  const int words = d + 3;
  for (int64_t i = first; i < last; i++) {
    uint64_t *record = sample->records + (i - first) * words;
    const double *point = sample_point(parts, sample, i);
    record[0] = sort_key(point[axis]);
    for (int j = 0; j < d; j++) {
      record[1 + j] = sort_key(point[j]);
    }
    memcpy(&record[d + 1], &point[d], sizeof(double));
    record[d + 2] = (uint64_t)sample->chosen[i];
  }
  pcct_status status = sort_records(base, sample->records, last - first, words);
  for (int64_t i = first; i < last && status == PCCT_OK; i++) {
    sample->chosen[i] = (int64_t)sample->records[(i - first) * words + d + 2];
  }
  return status;
}

/* Cuts the chosen points first..last-1 among `ranks` ranks; the first cut is number `cut`. */
static pcct_status bisect(struct base *base, struct parts *parts, struct sample *sample, int ranks,
                          int cut, int64_t first, int64_t last) {
  if (ranks < 2) {
    return PCCT_OK;
  }
  const int d = parts->dimension;
  const int lower = ranks / 2;
  const int64_t middle = first + (last - first) * lower / ranks;
  pcct_status status = PCCT_OK;
  parts->axis[cut] = last > first ? widest_axis(parts, sample, first, last) : 0;
  if (middle < last) {
    status = sort_chosen(base, parts, sample, parts->axis[cut], first, last);
    if (status != PCCT_OK) {
      return status;
    }
    memcpy(parts->point + (int64_t)cut * d, sample_point(parts, sample, middle),
           (size_t)d * sizeof(double));
    memcpy(&parts->position[cut], sample_point(parts, sample, middle) + d, sizeof(int64_t));
  } else { /* nothing left to cut: the lower ranks get what there is */
    for (int j = 0; j < d; j++) {
      parts->point[(int64_t)cut * d + j] = INFINITY;
    }
    parts->position[cut] = INT64_MAX;
  }
  status = bisect(base, parts, sample, lower, cut + 1, first, middle);
  if (status == PCCT_OK) {
    status = bisect(base, parts, sample, ranks - lower, cut + lower, middle, last);
  }
  return status;
}

/* This rank's share of the sample: points chosen by their position alone. */
static pcct_status draw_sample(pcct_context *context, int dimension, const double *points,
                               const int64_t *position, int64_t count, int64_t total,
                               double **words, int64_t *drawn) {
  const double wanted = (double)SAMPLE * context->size;
  const uint64_t threshold =
      wanted >= (double)total ? UINT64_MAX : (uint64_t)(wanted / (double)total * 0x1p64);
  int64_t capacity = 0;
  pcct_status status = PCCT_OK;
  *words = NULL;
  *drawn = 0;
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    if (random_bits(0, RANDOM_SAMPLE, (uint64_t)position[i]) > threshold) {
      continue;
    }
    status = base_grow(&context->base, (void **)words, &capacity, *drawn, *drawn + 1,
                       (size_t)(dimension + 1) * sizeof(double));
    if (status == PCCT_OK) {
      double *to = *words + *drawn * (dimension + 1);
      memcpy(to, points + i * dimension, (size_t)dimension * sizeof(double));
      memcpy(to + dimension, &position[i], sizeof(int64_t));
      (*drawn)++;
    }
  }
  return status;
}

pcct_status parts_create(pcct_context *context, int dimension, const double *points,
                         const int64_t *position, int64_t count, int64_t total,
                         struct parts **out) {
  struct base *base = &context->base;
  struct parts *parts = NULL;
  struct sample sample = {NULL, NULL, NULL};
  double *drawn_words = NULL;
  void *words = NULL;
  int64_t drawn = 0;
  int64_t sampled = 0;
  pcct_status status = PCCT_OK;
  *out = NULL;
  if (context->size > 1) {
    status = draw_sample(context, dimension, points, position, count, total, &drawn_words, &drawn);
    status = comm_agree(context, status);
    if (status == PCCT_OK) {
      status = comm_gather_all(context, drawn_words, drawn,
                               (size_t)(dimension + 1) * sizeof(double), &words, &sampled);
    }
    if (status != PCCT_OK) {
      goto cleanup;
    }
  }
  status = PCCT_MEMORY;
  parts = base_allocate_zero(base, 1, sizeof *parts);
  sample.words = words;
  sample.chosen = base_allocate(base, sampled, sizeof *sample.chosen);
  sample.records = base_allocate(base, sampled * (dimension + 3), sizeof *sample.records);
  if (!parts || !sample.chosen || !sample.records) {
    goto agree;
  }
  parts->size = context->size;
  parts->dimension = dimension;
  parts->axis = base_allocate(base, context->size - 1, sizeof *parts->axis);
  parts->point = base_allocate(base, (int64_t)(context->size - 1) * dimension, sizeof(double));
  parts->position = base_allocate(base, context->size - 1, sizeof *parts->position);
  if (!parts->axis || !parts->point || !parts->position) {
    goto agree;
  }
  for (int64_t i = 0; i < sampled; i++) {
    sample.chosen[i] = i;
  }
  status = bisect(base, parts, &sample, context->size, 0, 0, sampled);
agree:
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    *out = parts;
    parts = NULL;
  }
cleanup:
  base_free(drawn_words);
  base_free(words);
  base_free(sample.chosen);
  base_free(sample.records);
  parts_destroy(&parts);
  return status;
}
