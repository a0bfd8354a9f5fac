/* One round of questions and answers. */
#include "dist/range.h"

#include "walk/range.h"

#include <stdlib.h>
#include <string.h>

/* A query on its way: this header, then its point. */
struct question {
  int64_t excluded;
  int64_t row;
  int64_t destination;
};

/* What a rank found for a row; the candidates follow on their own. */
struct found {
  int64_t row;
  int64_t count;
};

/* One call. */
struct ranging {
  pcct_index *index;
  const pcct_range_options *options;
  double cutoff; /* no point at the radius or nearer has a larger kernel value */
  int exact;     /* all others do */
};

static size_t question_size(const struct ranging *ranging) {
  return sizeof(struct question) + (size_t)ranging->index->metric.dimension * sizeof(double);
}

/* ---- questions */

/* A query and a rank that it reaches. */
struct reached {
  int64_t query;
  int64_t owner;
};

/* Fetches what is not known of the groups that queries meet. Collective. */
static pcct_status fetch_groups(const struct ranging *ranging, const struct range_asked *asked) {
  pcct_index *index = ranging->index;
  struct base *base = &index->context->base;
  struct directory *directory = index->directory;
  unsigned char *needed = base_allocate_zero(base, directory->groups, 1);
  struct directory_reach *near = base_allocate(base, directory_width(directory), sizeof *near);
  int *place = directory_places(base, directory, 1);
  pcct_status status = comm_agree(index->context, needed && near && place ? PCCT_OK : PCCT_MEMORY);
  for (int64_t q = 0; q < asked->count && status == PCCT_OK; q++) {
    const int found = directory_find(directory, asked->points + q * index->metric.dimension,
                                     INT64_MAX, ranging->cutoff, INT64_MAX, 0, -1, place, near);
    for (int i = 0; i < found; i++) {
      if (near[i].owner < 0) {
        needed[-1 - near[i].owner] = 1;
      }
    }
  }
  if (status == PCCT_OK) {
    status = directory_fetch(index->context, directory, needed);
  }
  base_free(needed);
  base_free(near);
  base_free(place);
  return status;
}

/* Which query goes to which ranks, in the order of the queries. */
static pcct_status choose_reached(const struct ranging *ranging, const struct range_asked *asked,
                                  struct reached **reached, int64_t *count, int64_t *send_counts) {
  pcct_index *index = ranging->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  int64_t capacity = 0;
  struct directory_reach *near =
      base_allocate(base, directory_width(index->directory), sizeof *near);
  int *place = directory_places(base, index->directory, 1);
  pcct_status status = near && place ? PCCT_OK : PCCT_MEMORY;
  for (int64_t q = 0; q < asked->count && status == PCCT_OK; q++) {
    const int found = directory_find(index->directory, asked->points + q * d, INT64_MAX,
                                     ranging->cutoff, INT64_MAX, 0, -1, place, near);
    int elsewhere = 0;
    status = base_grow(base, (void **)reached, &capacity, *count, *count + found, sizeof **reached);
    for (int i = 0; i < found && status == PCCT_OK; i++) {
      (*reached)[(*count)++] = (struct reached){q, near[i].owner};
      send_counts[near[i].owner]++;
      elsewhere += near[i].owner != index->context->rank;
    }
    base->counters[COUNTER_forwards] += elsewhere;
    if (elsewhere + 1 > base->counters[COUNTER_ranks_contacted_max]) {
      base->counters[COUNTER_ranks_contacted_max] = elsewhere + 1;
    }
    base->counters[COUNTER_queries_forwarded] += elsewhere > 0;
  }
  base->counters[COUNTER_queries] += asked->count;
  base_free(near);
  base_free(place);
  return status;
}

/* Sends every query to the ranks that it reaches.
 *   questions [out] those that arrived, freed by the caller with base_free */
static pcct_status ask(const struct ranging *ranging, const struct range_asked *asked,
                       void **questions, int64_t *arrived) {
  pcct_context *context = ranging->index->context;
  struct base *base = &context->base;
  const int d = ranging->index->metric.dimension;
  const size_t size = question_size(ranging);
  struct reached *reached = NULL;
  int64_t count = 0;
  char *send = NULL;
  int64_t *counts = base_allocate_zero(base, 3 * (int64_t)context->size, sizeof *counts);
  pcct_status status =
      ranging->index->directory->groups > 0 ? fetch_groups(ranging, asked) : PCCT_OK;
  if (status == PCCT_OK) {
    status = counts ? choose_reached(ranging, asked, &reached, &count, counts) : PCCT_MEMORY;
  }
  if (status == PCCT_OK) {
    send = base_allocate(base, count, size);
    status = send ? PCCT_OK : PCCT_MEMORY;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    int64_t *next = counts + 2 * context->size;
    for (int r = 1; r < context->size; r++) {
      next[r] = next[r - 1] + counts[r - 1];
    }
    for (int64_t i = 0; i < count; i++) {
      const int64_t q = reached[i].query;
      const struct question question = {asked->excluded[q], asked->row[q], asked->destination[q]};
      char *to = send + (size_t)next[reached[i].owner]++ * size;
      memcpy(to, &question, sizeof question);
      memcpy(to + sizeof question, asked->points + q * d, (size_t)d * sizeof(double));
    }
    status = comm_exchange(context, send, counts, size, counts + context->size, questions, arrived,
                           COUNTER_bytes_query);
  }
  base_free(counts);
  base_free(reached);
  base_free(send);
  return status;
}

/* ---- answers */

/* What this rank holds for the questions. */
struct held {
  int64_t *offset;              /* [questions + 1] */
  struct candidate *candidates; /* [offset[questions]] of each question, sorted;
                                   NULL: counted alone */
};

static void held_free(struct held *held) {
  base_free(held->offset);
  base_free(held->candidates);
}

/* Drops candidates beyond the radius and, of those left, the ones after the
 * nearest `most`. */
static void trim(const struct ranging *ranging, int64_t count, struct held *held) {
  const struct metric *metric = &ranging->index->metric;
  const int64_t most = ranging->options->most;
  int64_t kept = 0;
  int64_t first = 0;
  for (int64_t q = 0; q < count; q++) {
    const int64_t last = held->offset[q + 1];
    const int64_t start = kept;
    for (int64_t e = first; e < last && (most == 0 || kept - start < most); e++) {
      const struct candidate candidate = held->candidates[e];
      if (ranging->exact ||
          metric_user_distance(metric, candidate.value) <= ranging->options->radius) {
        held->candidates[kept++] = candidate;
      }
    }
    first = last;
    held->offset[q + 1] = kept;
  }
}

/* Counts, and unless that is all that is wanted, finds what the view holds
 * within the cut-off. */
static pcct_status search(const struct ranging *ranging, const struct walk_range *range,
                          struct held *held) {
  struct base *base = &ranging->index->context->base;
  const struct view *view = ranging->index->views.view[0];
  held->offset = base_allocate_zero(base, range->count + 1, sizeof *held->offset);
  if (!held->offset) {
    return PCCT_MEMORY;
  }
  pcct_status status = walk_range_count(base, view, range, held->offset + 1);
  for (int64_t i = 0; i < range->count && status == PCCT_OK; i++) {
    held->offset[i + 1] += held->offset[i];
  }
  if (status != PCCT_OK || (ranging->options->count_only && ranging->exact)) {
    return status;
  }
  held->candidates = base_allocate(base, held->offset[range->count], sizeof *held->candidates);
  status = held->candidates ? walk_range_fill(base, view, range, held->offset, held->candidates)
                            : PCCT_MEMORY;
  if (status == PCCT_OK) {
    trim(ranging, range->count, held);
  }
  return status;
}

/* Finds what this rank holds for the questions, in their order.
 *   rows [out] [count] rows and numbers of candidates; destination [out]
 * [count] */
static pcct_status find_own(const struct ranging *ranging, const char *questions, int64_t count,
                            struct found *rows, int64_t *destination, struct held *held) {
  struct base *base = &ranging->index->context->base;
  const int d = ranging->index->metric.dimension;
  double *points = base_allocate(base, count * d, sizeof *points);
  double *radius = base_allocate(base, count, sizeof *radius);
  int64_t *excluded = base_allocate(base, count, sizeof *excluded);
  pcct_status status = points && radius && excluded ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < count; i++) {
      const char *from = questions + (size_t)i * question_size(ranging);
      struct question question;
      memcpy(&question, from, sizeof question);
      memcpy(points + i * d, from + sizeof question, (size_t)d * sizeof(double));
      radius[i] = ranging->cutoff;
      excluded[i] = question.excluded;
      rows[i].row = question.row;
      destination[i] = question.destination;
    }
    const struct walk_range range = {
        .count = count, .points = points, .radius = radius, .excluded = excluded};
    status = search(ranging, &range, held);
  }
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    rows[i].count = held->offset[i + 1] - held->offset[i];
  }
  base_free(points);
  base_free(radius);
  base_free(excluded);
  return status;
}

/* Rows and candidates by destination. */
struct packet {
  struct found *rows;
  struct candidate *candidates;
  int64_t *row_counts, *candidate_counts; /* [size] to each rank */
  int64_t *receive;                       /* [size] room for comm_exchange */
};

static void packet_free(struct packet *packet) {
  base_free(packet->rows);
  base_free(packet->candidates);
  base_free(packet->row_counts);
}

static pcct_status packet_fill(const struct ranging *ranging, const struct found *rows,
                               const int64_t *destination, int64_t count, const struct held *held,
                               struct packet *packet) {
  pcct_context *context = ranging->index->context;
  struct base *base = &context->base;
  const int with_candidates = !ranging->options->count_only;
  const int size = context->size;
  packet->row_counts = base_allocate_zero(base, 5 * (int64_t)size, sizeof(int64_t));
  packet->rows = base_allocate(base, count, sizeof *packet->rows);
  packet->candidates =
      base_allocate(base, with_candidates ? held->offset[count] : 0, sizeof *packet->candidates);
  if (!packet->row_counts || !packet->rows || !packet->candidates) {
    return PCCT_MEMORY;
  }
  packet->candidate_counts = packet->row_counts + size;
  packet->receive = packet->row_counts + 2 * size;
  int64_t *next_row = packet->row_counts + 3 * size;
  int64_t *next = packet->row_counts + 4 * size;
  for (int64_t i = 0; i < count; i++) {
    packet->row_counts[destination[i]]++;
    packet->candidate_counts[destination[i]] += with_candidates ? rows[i].count : 0;
  }
  for (int r = 1; r < size; r++) {
    next_row[r] = next_row[r - 1] + packet->row_counts[r - 1];
    next[r] = next[r - 1] + packet->candidate_counts[r - 1];
  }
  for (int64_t i = 0; i < count; i++) {
    packet->rows[next_row[destination[i]]++] = rows[i];
    if (with_candidates && rows[i].count > 0) {
      memcpy(packet->candidates + next[destination[i]], held->candidates + held->offset[i],
             (size_t)rows[i].count * sizeof *packet->candidates);
      next[destination[i]] += rows[i].count;
    }
  }
  return PCCT_OK;
}

/* Answers the questions and sends what was found to where it is wanted.
 *   rows, candidates [out] what arrived, freed by the caller with base_free */
static pcct_status answer(const struct ranging *ranging, const char *questions, int64_t count,
                          void **rows, int64_t *row_count, void **candidates,
                          int64_t *candidate_count) {
  pcct_context *context = ranging->index->context;
  struct base *base = &context->base;
  struct held held = {0};
  struct packet packet = {0};
  struct found *own = base_allocate(base, count, sizeof *own);
  int64_t *destination = base_allocate(base, count, sizeof *destination);
  pcct_status status = own && destination ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = find_own(ranging, questions, count, own, destination, &held);
  }
  if (status == PCCT_OK) {
    status = packet_fill(ranging, own, destination, count, &held, &packet);
  }
  held_free(&held);
  base_free(own);
  base_free(destination);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_exchange(context, packet.rows, packet.row_counts, sizeof *packet.rows,
                           packet.receive, rows, row_count, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = comm_exchange(context, packet.candidates, packet.candidate_counts,
                           sizeof *packet.candidates, packet.receive, candidates, candidate_count,
                           COUNTER_bytes_reorder);
  }
  base->counters[COUNTER_candidates_returned] += status == PCCT_OK ? *candidate_count : 0;
  packet_free(&packet);
  return status;
}

/* ---- rows */

static int by_value(const void *a, const void *b) {
  const struct candidate *x = a;
  const struct candidate *y = b;
  if (x->value != y->value) {
    return x->value < y->value ? -1 : 1;
  }
  return (x->position > y->position) - (x->position < y->position);
}

/* Sorts a row that several ranks may have contributed to; what one rank sent is
 * sorted. */
static void sort_row(struct candidate *row, int64_t count) {
  int sorted = 1;
  for (int64_t e = 1; e < count && sorted; e++) {
    sorted = by_value(&row[e - 1], &row[e]) < 0;
  }
  if (!sorted) {
    qsort(row, (size_t)count, sizeof *row, by_value);
  }
}

/* How many candidates of a row of `count` are wanted. */
static int64_t wanted(const struct ranging *ranging, int64_t count) {
  const int64_t most = ranging->options->most;
  return most > 0 && count > most ? most : count;
}

/* The candidates of each row together, sorted: those of row r from start[r] on.
 */
static pcct_status gather(struct base *base, const struct found *rows, int64_t row_count,
                          const struct candidate *candidates, int64_t candidate_count,
                          int64_t first, int64_t count, int64_t *start,
                          struct candidate **gathered) {
  int64_t *next = base_allocate(base, count, sizeof *next);
  *gathered = base_allocate(base, candidate_count, sizeof **gathered);
  if (!next || !*gathered) {
    base_free(next);
    return PCCT_MEMORY;
  }
  if (count > 0) {
    memcpy(next, start, (size_t)count * sizeof *next);
  }
  for (int64_t i = 0; i < row_count; i++) {
    if (rows[i].count > 0) {
      memcpy(*gathered + next[rows[i].row - first], candidates,
             (size_t)rows[i].count * sizeof *candidates);
      next[rows[i].row - first] += rows[i].count;
      candidates += rows[i].count;
    }
  }
  base_free(next);
#pragma omp parallel for schedule(dynamic, 64) num_threads(base->threads) if (count >= 64)
  for (int64_t r = 0; r < count; r++) {
    sort_row(*gathered + start[r], start[r + 1] - start[r]);
  }
  return PCCT_OK;
}

/* Indices and distances of the rows, at the offsets that are final. */
static pcct_status fill(const struct ranging *ranging, const int64_t *start,
                        const struct candidate *gathered, pcct_ranges *ranges) {
  const pcct_index *index = ranging->index;
  struct base *base = &index->context->base;
  const int64_t total = ranges->offset[ranges->count];
  if (index->total <= INT32_MAX) {
    ranges->index32 = base_allocate(base, total, sizeof(int32_t));
  } else {
    ranges->index64 = base_allocate(base, total, sizeof(int64_t));
  }
  ranges->distance = base_allocate(base, total, sizeof(double));
  if (!(ranges->index32 || ranges->index64) || !ranges->distance) {
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(dynamic, 64) num_threads(base->threads) if (ranges->count >= 64)
  for (int64_t r = 0; r < ranges->count; r++) {
    const struct candidate *from = gathered + start[r];
    for (int64_t to = ranges->offset[r]; to < ranges->offset[r + 1]; to++, from++) {
      ranges->distance[to] = metric_user_distance(&index->metric, from->value);
      if (ranges->index32) {
        ranges->index32[to] = (int32_t)from->position;
      } else {
        ranges->index64[to] = from->position;
      }
    }
  }
  return PCCT_OK;
}

/* The rows of this rank from what arrived. */
static pcct_status combine(const struct ranging *ranging, const struct found *rows,
                           int64_t row_count, const struct candidate *candidates,
                           int64_t candidate_count, pcct_ranges *ranges) {
  struct base *base = &ranging->index->context->base;
  const int64_t count = ranges->count;
  struct candidate *gathered = NULL;
  int64_t *start = base_allocate_zero(base, count + 1, sizeof *start);
  ranges->offset = base_allocate_zero(base, count + 1, sizeof *ranges->offset);
  pcct_status status = start && ranges->offset ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < row_count; i++) {
      start[rows[i].row - ranges->first + 1] += rows[i].count;
    }
    for (int64_t r = 0; r < count; r++) {
      ranges->offset[r + 1] = ranges->offset[r] + wanted(ranging, start[r + 1]);
      start[r + 1] += start[r];
    }
  }
  if (status == PCCT_OK && !ranging->options->count_only) {
    status = gather(base, rows, row_count, candidates, candidate_count, ranges->first, count, start,
                    &gathered);
    if (status == PCCT_OK) {
      status = fill(ranging, start, gathered, ranges);
    }
  }
  base_free(start);
  base_free(gathered);
  return status;
}

pcct_status range_answer(pcct_index *index, const pcct_range_options *options,
                         const struct range_asked *asked, int64_t first, int64_t count,
                         pcct_ranges *ranges) {
  pcct_context *context = index->context;
  struct ranging ranging = {.index = index, .options = options};
  void *questions = NULL;
  void *rows = NULL;
  void *candidates = NULL;
  int64_t arrived = 0;
  int64_t row_count = 0;
  int64_t candidate_count = 0;
  ranging.cutoff = metric_radius_value(&index->metric, options->radius, &ranging.exact);
  *ranges = (pcct_ranges){.first = first, .count = count};
  pcct_status status = ask(&ranging, asked, &questions, &arrived);
  if (status == PCCT_OK) {
    status = answer(&ranging, questions, arrived, &rows, &row_count, &candidates, &candidate_count);
  }
  base_free(questions);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_reorder);
    status = comm_agree(context,
                        combine(&ranging, rows, row_count, candidates, candidate_count, ranges));
  }
  base_free(rows);
  base_free(candidates);
  return status;
}
