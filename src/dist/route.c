/* Forwarding queries to the ranks that can improve them. */
#include "dist/route.h"

#include <string.h>

/* One query on its way: this header, then its point. */
struct question {
  int64_t limit;
  double bound;
  int64_t bound_position;
};

/* A query forwarded to a rank. */
struct forward {
  struct question question;
  int64_t query;
  int owner;
};

struct routing {
  pcct_index *index;
  const struct route_queries *queries;
  const struct walk_rows *rows;
  int64_t k;
  struct forward *forwards; /* in the order of the queries */
  int64_t count, capacity;
  int64_t *order;       /* [count] forwards by owner */
  int64_t *send_counts; /* [size] questions to each rank */
  int64_t *receive_counts;
};

static size_t question_size(const struct routing *routing) {
  return sizeof(struct question) + (size_t)routing->index->metric.dimension * sizeof(double);
}

/* One of this rank's queries. */
struct looked_at {
  double point[PCCT_DIMENSION_MAX];
  int64_t limit, row;
  int excludes; /* 1: itself */
};

static void look_at(const struct routing *routing, int64_t q, struct looked_at *query) {
  const struct walk_self *self = routing->queries->self;
  const struct walk_sweep *sweep = routing->queries->sweep;
  const int d = routing->index->metric.dimension;
  const int64_t *row = self ? self->row : sweep->row;
  query->limit = INT64_MAX;
  query->excludes = 0;
  if (self) {
    const int64_t position = walk_self_look(self, routing->queries->place[q], query->point);
    query->limit = self->predecessors ? position : INT64_MAX;
    query->excludes = !self->predecessors;
  } else {
    memcpy(query->point, sweep->points + q * d, (size_t)d * sizeof(double));
    query->limit = sweep->limit ? sweep->limit[q] : INT64_MAX;
  }
  query->row = row ? row[q] : q;
}

/* The k-th candidate of a row, or what regions vouch for if there are fewer. */
static struct question bound_of(const struct routing *routing, const struct looked_at *query,
                                struct vouched *scratch) {
  const int64_t k = routing->k;
  struct question question = {query->limit, INFINITY, INT64_MAX};
  if (*walk_rows_filled(routing->rows, query->row) >= k) {
    question.bound = walk_rows_value(routing->rows, query->row)[k - 1];
    question.bound_position = walk_rows_index(routing->rows, query->row, k - 1);
  } else {
    question.bound = directory_bound(routing->index->directory, query->point, query->limit,
                                     k + query->excludes, scratch);
  }
  return question;
}

/* Whether nothing outside this rank's cell can be within the bound. Rounding is monotone: a face's computed
 * value never exceeds that of a point beyond it. Of a user's metric coordinates tell nothing. */
static int stays_inside(const struct metric *metric, const double *lower, const double *upper,
                        const double *point, double bound) {
  if (metric->kind == METRIC_USER) {
    return 0;
  }
  for (int j = 0; j < metric->dimension; j++) {
    if (metric_add_axis(metric->kind, 0, point[j] - lower[j]) <= bound ||
        metric_add_axis(metric->kind, 0, upper[j] - point[j]) <= bound) {
      return 0;
    }
  }
  return 1;
}

/* Which query goes to which ranks. */
static pcct_status choose_forwards(struct routing *routing) {
  pcct_index *index = routing->index;
  struct base *base = &index->context->base;
  const int size = index->context->size;
  struct looked_at query;
  double lower[PCCT_DIMENSION_MAX];
  double upper[PCCT_DIMENSION_MAX];
  int64_t *marks = base_allocate_zero(base, size, sizeof *marks);
  int *owners = base_allocate(base, size, sizeof *owners);
  struct vouched *scratch = base_allocate(base, index->directory->count, sizeof *scratch);
  pcct_status status = marks && owners && scratch ? PCCT_OK : PCCT_MEMORY;
  parts_cell(index->parts, index->context->rank, lower, upper);
  for (int64_t q = 0; q < routing->queries->count && status == PCCT_OK; q++) {
    look_at(routing, q, &query);
    const struct question question = bound_of(routing, &query, scratch);
    if (stays_inside(&index->metric, lower, upper, query.point, question.bound)) {
      continue;
    }
    const int found =
        directory_find(index->directory, query.point, question.limit, question.bound,
                       question.bound_position, index->context->rank, marks, q + 1, owners);
    status = base_grow(base, (void **)&routing->forwards, &routing->capacity, routing->count,
                       routing->count + found, sizeof *routing->forwards);
    for (int i = 0; i < found && status == PCCT_OK; i++) {
      routing->forwards[routing->count++] = (struct forward){question, q, owners[i]};
      routing->send_counts[owners[i]]++;
    }
    base->counters[COUNTER_queries_forwarded] += found > 0;
  }
  base->counters[COUNTER_forwards] += routing->count;
  base_free(marks);
  base_free(owners);
  base_free(scratch);
  return status;
}

/* Questions by owner, in the order of the queries within each. */
static pcct_status pack_questions(struct routing *routing, char **questions) {
  pcct_index *index = routing->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const size_t size = question_size(routing);
  struct looked_at query;
  int64_t *next = base_allocate_zero(base, index->context->size, sizeof *next);
  *questions = base_allocate(base, routing->count, size);
  routing->order = base_allocate(base, routing->count, sizeof *routing->order);
  pcct_status status = next && *questions && routing->order ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    for (int r = 1; r < index->context->size; r++) {
      next[r] = next[r - 1] + routing->send_counts[r - 1];
    }
    for (int64_t f = 0; f < routing->count; f++) {
      const struct forward *forward = &routing->forwards[f];
      const int64_t at = next[forward->owner]++;
      char *to = *questions + (size_t)at * size;
      routing->order[at] = f;
      look_at(routing, forward->query, &query);
      memcpy(to, &forward->question, sizeof forward->question);
      memcpy(to + sizeof forward->question, query.point, (size_t)d * sizeof(double));
    }
  }
  base_free(next);
  return status;
}

/* Working arrays of a rank that answers others. */
struct answers {
  double *points, *cutoff, *value;
  int64_t *limit, *cutoff_position, *position;
  int32_t *filled;
  struct candidate *candidates;
};

static void answers_free(struct answers *answers) {
  base_free(answers->points);
  base_free(answers->cutoff);
  base_free(answers->value);
  base_free(answers->limit);
  base_free(answers->cutoff_position);
  base_free(answers->position);
  base_free(answers->filled);
  base_free(answers->candidates);
}

/* Answers the questions received; candidates end up without gaps, with how many for each question. */
static pcct_status answer(struct routing *routing, const char *questions, int64_t count,
                          struct answers *answers) {
  pcct_index *index = routing->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const int64_t k = routing->k;
  answers->points = base_allocate(base, count * d, sizeof(double));
  answers->cutoff = base_allocate(base, count, sizeof(double));
  answers->limit = base_allocate(base, count, sizeof(int64_t));
  answers->cutoff_position = base_allocate(base, count, sizeof(int64_t));
  answers->value = base_allocate(base, count * k, sizeof(double));
  answers->position = base_allocate(base, count * k, sizeof(int64_t));
  answers->filled = base_allocate(base, count, sizeof(int32_t));
  if (!answers->points || !answers->cutoff || !answers->limit || !answers->cutoff_position ||
      !answers->value || !answers->position || !answers->filled) {
    return PCCT_MEMORY;
  }
  for (int64_t i = 0; i < count; i++) {
    struct question question;
    memcpy(&question, questions + (size_t)i * question_size(routing), sizeof question);
    memcpy(answers->points + i * d,
           questions + (size_t)i * question_size(routing) + sizeof question,
           (size_t)d * sizeof(double));
    answers->limit[i] = question.limit;
    answers->cutoff[i] = question.bound;
    answers->cutoff_position[i] = question.bound_position;
  }
  const struct walk_sweep sweep = {.count = count,
                                   .points = answers->points,
                                   .limit = answers->limit,
                                   .cutoff = answers->cutoff,
                                   .cutoff_position = answers->cutoff_position};
  const int64_t width = k * 8;
  const struct walk_rows rows = {.value = (char *)answers->value,
                                 .index = (char *)answers->position,
                                 .filled = (char *)answers->filled,
                                 .value_stride = width,
                                 .index_stride = width,
                                 .filled_stride = 4,
                                 .width = k,
                                 .index_size = 8};
  pcct_status status = walk_sweep(base, index->views.view[0], &sweep, k, &rows);
  int64_t total = 0;
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    total += answers->filled[i];
  }
  answers->candidates =
      status == PCCT_OK ? base_allocate(base, total, sizeof(struct candidate)) : NULL;
  if (!answers->candidates) {
    return status == PCCT_OK ? PCCT_MEMORY : status;
  }
  total = 0;
  for (int64_t i = 0; i < count; i++) {
    for (int32_t e = 0; e < answers->filled[i]; e++) {
      answers->candidates[total++] =
          (struct candidate){answers->value[i * k + e], answers->position[i * k + e]};
    }
  }
  base->counters[COUNTER_candidates_returned] += total;
  return PCCT_OK;
}

/* Reduces what came back into the rows. */
static pcct_status reduce(struct routing *routing, const int32_t *filled,
                          const struct candidate *candidates) {
  const struct walk_rows *rows = routing->rows;
  struct looked_at query;
  struct topk topk;
  pcct_status status = topk_create(&routing->index->context->base, routing->k, &topk);
  for (int64_t i = 0; i < routing->count && status == PCCT_OK; i++) {
    look_at(routing, routing->forwards[routing->order[i]].query, &query);
    const int64_t row = query.row;
    topk_start(&topk, INFINITY, INT64_MAX);
    for (int32_t e = 0; e < *walk_rows_filled(rows, row); e++) {
      topk_append(&topk, walk_rows_value(rows, row)[e], walk_rows_index(rows, row, e));
    }
    for (int32_t e = 0; e < filled[i]; e++, candidates++) {
      topk_append(&topk, candidates->value, candidates->position);
    }
    topk_finish(&topk);
    walk_rows_put(rows, row, topk.candidates, topk.count);
  }
  topk_free(&topk);
  return status;
}

/* Sends questions out, answers those received, and takes the answers back. */
static pcct_status exchange(struct routing *routing) {
  pcct_context *context = routing->index->context;
  struct base *base = &context->base;
  struct answers answers = {0};
  char *questions = NULL;
  void *received = NULL;
  void *filled = NULL;
  void *candidates = NULL;
  int64_t asked = 0;
  int64_t total = 0;
  int64_t *back = base_allocate_zero(base, 2 * (int64_t)context->size, sizeof *back);
  pcct_status status = back ? pack_questions(routing, &questions) : PCCT_MEMORY;
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_exchange(context, questions, routing->send_counts, question_size(routing),
                           routing->receive_counts, &received, &asked, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, answer(routing, received, asked, &answers));
  }
  if (status == PCCT_OK) {
    status = comm_exchange(context, answers.filled, routing->receive_counts, sizeof(int32_t), back,
                           &filled, &total, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    const int32_t *number = answers.filled;
    for (int r = 0; r < context->size; r++) {
      back[r] = 0;
      for (int64_t i = 0; i < routing->receive_counts[r]; i++) {
        back[r] += *number++;
      }
    }
    status = comm_exchange(context, answers.candidates, back, sizeof(struct candidate),
                           back + context->size, &candidates, &total, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, reduce(routing, filled, candidates));
  }
  answers_free(&answers);
  base_free(back);
  base_free(questions);
  base_free(received);
  base_free(filled);
  base_free(candidates);
  return status;
}

pcct_status route_answer(pcct_index *index, const struct route_queries *queries, int64_t k,
                         const struct walk_rows *rows) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  struct routing routing = {.index = index, .queries = queries, .rows = rows, .k = k};
  base->counters[COUNTER_queries] += queries->count;
  pcct_status status = comm_agree(
      context, queries->self ? walk_self(base, queries->self, k, rows)
                             : walk_sweep(base, index->views.view[0], queries->sweep, k, rows));
  if (status != PCCT_OK || context->size == 1) {
    return status;
  }
  routing.send_counts = base_allocate_zero(base, context->size, sizeof(int64_t));
  routing.receive_counts = base_allocate_zero(base, context->size, sizeof(int64_t));
  status = routing.send_counts && routing.receive_counts ? choose_forwards(&routing) : PCCT_MEMORY;
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = exchange(&routing);
  }
  base_free(routing.forwards);
  base_free(routing.order);
  base_free(routing.send_counts);
  base_free(routing.receive_counts);
  return status;
}
