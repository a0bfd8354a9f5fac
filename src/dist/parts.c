/*
 * Recursive bisection of space over the ranks, in two steps: the first cuts, down to groups of about the square
 * root of all ranks, are made by everybody from one sample; the others by the first rank of each group from a
 * sample of the group's points. No rank sees more than O(sqrt(ranks)) samples.
 */
#include "dist/parts.h"

#include "base/random.h"
#include "base/sort.h"

#include <string.h>

/* Points of the samples: for each part, shares off by about 3 %, and for each group, off by half of that. */
enum { SAMPLE = 1024, SAMPLE_GROUP = 4 * SAMPLE };

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

/* Ranks of a group at most: the smallest number whose square is not below `ranks`. */
static int group_size(int ranks) {
  int size = 1;
  while (size * size < ranks) {
    size++;
  }
  return size;
}

/* Ranks that bisection has not parted yet, and the first of the cuts among them. */
struct span {
  int first, last, cut;
};

/* The span of at most `least` ranks with a given rank. The cuts of ranks first..last-1 are last - first - 1 in
 * preorder: the cut itself, those of the lower half of the ranks, those of the upper half. */
static struct span span_of(int ranks, int least, int rank) {
  struct span span = {0, ranks, 0};
  while (span.last - span.first > least) {
    const int middle = span.first + (span.last - span.first) / 2;
    if (rank < middle) {
      span.last = middle;
      span.cut++;
    } else {
      span.cut += middle - span.first;
      span.first = middle;
    }
  }
  return span;
}

/* The first rank of the span of at most `least` ranks that a point belongs to. */
static int locate(const struct parts *parts, int least, const double *point, int64_t position) {
  struct span span = {0, parts->size, 0};
  while (span.last - span.first > least) {
    const int middle = span.first + (span.last - span.first) / 2;
    if (before_cut(parts, span.cut, point, position)) {
      span.last = middle;
      span.cut++;
    } else {
      span.cut += middle - span.first;
      span.first = middle;
    }
  }
  return span.first;
}

int parts_locate(const struct parts *parts, const double *point, int64_t position) {
  return locate(parts, 1, point, position);
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

/* Cuts the chosen points first..last-1 among `ranks` ranks, down to spans of at most `least`; the first cut is
 * number `cut`. */
static pcct_status bisect(struct base *base, struct parts *parts, struct sample *sample, int ranks,
                          int least, int cut, int64_t first, int64_t last) {
  if (ranks <= least) {
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
  status = bisect(base, parts, sample, lower, least, cut + 1, first, middle);
  if (status == PCCT_OK) {
    status = bisect(base, parts, sample, ranks - lower, least, cut + lower, middle, last);
  }
  return status;
}

/* Cuts a sample of `count` points among a span's ranks, down to spans of at most `least`. */
static pcct_status cut_sample(struct base *base, struct parts *parts, const void *words,
                              int64_t count, struct span span, int least) {
  struct sample sample = {words, base_allocate(base, count, sizeof(int64_t)),
                          base_allocate(base, count * (parts->dimension + 3), sizeof(uint64_t))};
  pcct_status status = sample.chosen && sample.records ? PCCT_OK : PCCT_MEMORY;
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    sample.chosen[i] = i;
  }
  if (status == PCCT_OK) {
    status = bisect(base, parts, &sample, span.last - span.first, least, span.cut, 0, count);
  }
  base_free(sample.chosen);
  base_free(sample.records);
  return status;
}

/* The points to part. */
struct source {
  const double *points;
  const int64_t *position;
  int64_t count, total;
};

/* This rank's share of a sample of about `wanted` points, chosen by their positions alone. */
static pcct_status draw_sample(pcct_context *context, int dimension, const struct source *source,
                               double wanted, double **words, int64_t *drawn) {
  const uint64_t threshold = wanted >= (double)source->total
                                 ? UINT64_MAX
                                 : (uint64_t)(wanted / (double)source->total * 0x1p64);
  int64_t capacity = 0;
  pcct_status status = PCCT_OK;
  *words = NULL;
  *drawn = 0;
  for (int64_t i = 0; i < source->count && status == PCCT_OK; i++) {
    if (random_bits(0, RANDOM_SAMPLE, (uint64_t)source->position[i]) > threshold) {
      continue;
    }
    status = base_grow(&context->base, (void **)words, &capacity, *drawn, *drawn + 1,
                       (size_t)(dimension + 1) * sizeof(double));
    if (status == PCCT_OK) {
      double *to = *words + *drawn * (dimension + 1);
      memcpy(to, source->points + i * dimension, (size_t)dimension * sizeof(double));
      memcpy(to + dimension, &source->position[i], sizeof(int64_t));
      (*drawn)++;
    }
  }
  return status;
}

/* The cuts down to groups, by everybody. Collective. */
static pcct_status cut_groups(pcct_context *context, struct parts *parts,
                              const struct source *source, int least) {
  const size_t size = (size_t)(parts->dimension + 1) * sizeof(double);
  double *drawn_words = NULL;
  void *words = NULL;
  int64_t drawn = 0;
  int64_t sampled = 0;
  int groups = 0;
  for (int rank = 0; rank < parts->size; groups++) {
    rank = span_of(parts->size, least, rank).last;
  }
  pcct_status status = draw_sample(context, parts->dimension, source, (double)SAMPLE_GROUP * groups,
                                   &drawn_words, &drawn);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_gather_all(context, drawn_words, drawn, size, &words, &sampled);
  }
  if (status == PCCT_OK) {
    const struct span all = {0, parts->size, 0};
    status = comm_agree(context, cut_sample(&context->base, parts, words, sampled, all, least));
  }
  base_free(drawn_words);
  base_free(words);
  return status;
}

/* The sample by groups, each for its first rank.
 *   words [in,out] reordered */
static pcct_status address_sample(pcct_context *context, const struct parts *parts, int least,
                                  double **words, int64_t drawn, int64_t *counts) {
  struct base *base = &context->base;
  const int64_t stride = parts->dimension + 1;
  double *sorted = base_allocate(base, drawn * stride, sizeof *sorted);
  int *leader = base_allocate(base, drawn, sizeof *leader);
  int64_t *next = base_allocate_zero(base, context->size, sizeof *next);
  const pcct_status status = sorted && leader && next ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < drawn; i++) {
      int64_t position;
      memcpy(&position, *words + i * stride + parts->dimension, sizeof position);
      leader[i] = locate(parts, least, *words + i * stride, position);
      counts[leader[i]]++;
    }
    for (int r = 1; r < context->size; r++) {
      next[r] = next[r - 1] + counts[r - 1];
    }
    for (int64_t i = 0; i < drawn; i++) {
      memcpy(sorted + next[leader[i]]++ * stride, *words + i * stride,
             (size_t)stride * sizeof(double));
    }
    base_free(*words);
    *words = sorted;
    sorted = NULL;
  }
  base_free(sorted);
  base_free(leader);
  base_free(next);
  return status;
}

/* A cut on its way: axis and position, then the point. */
static void pack_cut(const struct parts *parts, int cut, int64_t *record) {
  record[0] = parts->axis[cut];
  record[1] = parts->position[cut];
  memcpy(record + 2, parts->point + (int64_t)cut * parts->dimension,
         (size_t)parts->dimension * sizeof(double));
}

static void unpack_cut(struct parts *parts, int cut, const int64_t *record) {
  parts->axis[cut] = (int)record[0];
  parts->position[cut] = record[1];
  memcpy(parts->point + (int64_t)cut * parts->dimension, record + 2,
         (size_t)parts->dimension * sizeof(double));
}

/* Gives the cuts within groups, known to their first ranks, to everybody. Collective. */
static pcct_status share_cuts(pcct_context *context, struct parts *parts, int least) {
  const int64_t stride = parts->dimension + 2;
  const struct span own = span_of(parts->size, least, context->rank);
  const int cuts = own.first == context->rank ? own.last - own.first - 1 : 0;
  int64_t *records = base_allocate(&context->base, cuts * stride, sizeof *records);
  void *gathered = NULL;
  int64_t total = 0;
  pcct_status status = comm_agree(context, records ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int i = 0; i < cuts; i++) {
      pack_cut(parts, own.cut + i, records + i * stride);
    }
    status = comm_gather_all(context, records, cuts, (size_t)stride * sizeof *records, &gathered,
                             &total);
  }
  if (status == PCCT_OK) { /* groups come in the order of their first ranks */
    const int64_t *from = gathered;
    struct span span;
    for (int rank = 0; rank < parts->size; rank = span.last) {
      span = span_of(parts->size, least, rank);
      for (int i = 0; i < span.last - span.first - 1; i++, from += stride) {
        unpack_cut(parts, span.cut + i, from);
      }
    }
  }
  base_free(records);
  base_free(gathered);
  return status;
}

/* The cuts within groups, by the first rank of each. Collective. */
static pcct_status cut_parts(pcct_context *context, struct parts *parts,
                             const struct source *source, int least) {
  struct base *base = &context->base;
  const size_t size = (size_t)(parts->dimension + 1) * sizeof(double);
  double *words = NULL;
  void *received = NULL;
  int64_t drawn = 0;
  int64_t sampled = 0;
  int64_t *counts = base_allocate_zero(base, 2 * (int64_t)context->size, sizeof *counts);
  pcct_status status = counts ? draw_sample(context, parts->dimension, source,
                                            (double)SAMPLE * parts->size, &words, &drawn)
                              : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = address_sample(context, parts, least, &words, drawn, counts);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_exchange_sparse(context, words, counts, size, counts + context->size, &received,
                                  &sampled, COUNTER_bytes_partition);
  }
  if (status == PCCT_OK) {
    const struct span span = span_of(parts->size, least, context->rank);
    if (span.first == context->rank) {
      status = cut_sample(base, parts, received, sampled, span, 1);
    }
    status = comm_agree(context, status);
  }
  if (status == PCCT_OK) {
    status = share_cuts(context, parts, least);
  }
  base_free(counts);
  base_free(words);
  base_free(received);
  return status;
}

static pcct_status allocate_parts(struct base *base, int size, int dimension, struct parts **out) {
  struct parts *parts = base_allocate_zero(base, 1, sizeof *parts);
  *out = parts;
  if (!parts) {
    return PCCT_MEMORY;
  }
  parts->size = size;
  parts->dimension = dimension;
  parts->axis = base_allocate(base, size - 1, sizeof *parts->axis);
  parts->point = base_allocate(base, (int64_t)(size - 1) * dimension, sizeof(double));
  parts->position = base_allocate(base, size - 1, sizeof *parts->position);
  return parts->axis && parts->point && parts->position ? PCCT_OK : PCCT_MEMORY;
}

pcct_status parts_create(pcct_context *context, int dimension, const double *points,
                         const int64_t *position, int64_t count, int64_t total,
                         struct parts **parts) {
  const struct source source = {points, position, count, total};
  const int least = group_size(context->size);
  pcct_status status =
      comm_agree(context, allocate_parts(&context->base, context->size, dimension, parts));
  if (status == PCCT_OK && context->size > 1) {
    status = cut_groups(context, *parts, &source, least);
  }
  if (status == PCCT_OK && least > 1) {
    status = cut_parts(context, *parts, &source, least);
  }
  if (status != PCCT_OK) {
    parts_destroy(parts);
  }
  return status;
}
