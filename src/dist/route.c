/* Forwarding queries to the ranks that can improve them. */
#include "dist/route.h"

#include <string.h>

/* One query on its way: this header, then its point. */
struct question {
  int64_t limit;
  double bound;
  int64_t bound_position;
};

/* A query that was taken over: this header, then its point, and k candidates. */
struct taken {
  struct question question;
  int64_t query;
  int64_t filled; /* candidates */
};

/* A query forwarded to a rank. */
struct forward {
  int64_t taken;
  int64_t owner;
};

struct route {
  pcct_index *index;
  int64_t k;
  char *taken; /* [count][taken_size] */
  int64_t count, capacity;
  struct forward *forwards; /* in the order of what was taken over */
  int64_t forward_count, forward_capacity;
  int64_t *order;          /* [forward_count] forwards by owner */
  int64_t *send_counts;    /* [ranks] questions to each rank */
  int64_t *receive_counts; /* [ranks] */
};

static size_t question_size(const struct route *route) {
  return sizeof(struct question) + (size_t)route->index->metric.dimension * sizeof(double);
}

static int64_t taken_size(const struct route *route) {
  return (int64_t)sizeof(struct taken) + (route->index->metric.dimension + 2 * route->k) * 8;
}

static struct taken *taken_at(const struct route *route, int64_t i) {
  return (struct taken *)(void *)(route->taken + i * taken_size(route));
}

static const double *taken_point(const struct route *route, int64_t i) {
  return (const double *)(const void *)(taken_at(route, i) + 1);
}

static struct candidate *taken_candidates(const struct route *route, int64_t i) {
  return (struct candidate *)(void *)((double *)(void *)(taken_at(route, i) + 1) +
                                      route->index->metric.dimension);
}

int64_t route_count(const struct route *route) {
  return route->count;
}

int64_t route_query(const struct route *route, int64_t i) {
  return taken_at(route, i)->query;
}

void route_put(const struct route *route, int64_t i, const struct walk_rows *rows, int64_t row) {
  walk_rows_put(rows, row, taken_candidates(route, i), taken_at(route, i)->filled);
}

pcct_status route_create(pcct_index *index, int64_t k, struct route **route) {
  struct base *base = &index->context->base;
  struct route *made = base_allocate_zero(base, 1, sizeof *made);
  *route = made;
  if (!made) {
    return PCCT_MEMORY;
  }
  made->index = index;
  made->k = k;
  made->send_counts = base_allocate_zero(base, index->context->size, sizeof(int64_t));
  made->receive_counts = base_allocate_zero(base, index->context->size, sizeof(int64_t));
  if (!made->send_counts || !made->receive_counts) {
    route_destroy(route);
    return PCCT_MEMORY;
  }
  return PCCT_OK;
}

void route_destroy(struct route **route) {
  if (!route || !*route) {
    return;
  }
  base_free((*route)->taken);
  base_free((*route)->forwards);
  base_free((*route)->order);
  base_free((*route)->send_counts);
  base_free((*route)->receive_counts);
  base_free(*route);
  *route = NULL;
}

/* One of this rank's queries. */
struct looked_at {
  double point[PCCT_DIMENSION_MAX];
  int64_t limit, query;
  int excludes; /* 1: itself */
};

static void look_at(const struct route *route, const struct route_queries *queries, int64_t q,
                    struct looked_at *query) {
  const struct walk_self *self = queries->self;
  const struct walk_sweep *sweep = queries->sweep;
  const int d = route->index->metric.dimension;
  query->limit = INT64_MAX;
  query->excludes = 0;
  query->query = q;
  if (self) {
    query->query = walk_self_look(self, queries->place[q], query->point);
    query->limit = self->predecessors ? query->query : INT64_MAX;
    query->excludes = !self->predecessors;
  } else {
    memcpy(query->point, sweep->points + q * d, (size_t)d * sizeof(double));
    query->limit = sweep->limit ? sweep->limit[q] : INT64_MAX;
  }
}

/* The k-th candidate of a row; none if there are fewer. */
static struct question bound_of(const struct route *route, const struct looked_at *query,
                                const struct walk_rows *rows, int64_t row) {
  struct question question = {query->limit, INFINITY, INT64_MAX};
  if (*walk_rows_filled(rows, row) >= route->k) {
    question.bound = walk_rows_value(rows, row)[route->k - 1];
    question.bound_position = walk_rows_index(rows, row, route->k - 1);
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

static pcct_status take(struct route *route, const struct looked_at *query,
                        const struct question *question, const struct walk_rows *rows,
                        int64_t row) {
  const int d = route->index->metric.dimension;
  const pcct_status status =
      base_grow(&route->index->context->base, (void **)&route->taken, &route->capacity,
                route->count, route->count + 1, (size_t)taken_size(route));
  if (status != PCCT_OK) {
    return status;
  }
  struct taken *taken = taken_at(route, route->count);
  struct candidate *candidates = taken_candidates(route, route->count);
  taken->question = *question;
  taken->query = query->query;
  taken->filled = *walk_rows_filled(rows, row);
  memcpy(taken + 1, query->point, (size_t)d * sizeof(double));
  for (int64_t e = 0; e < taken->filled; e++) {
    candidates[e] =
        (struct candidate){walk_rows_value(rows, row)[e], walk_rows_index(rows, row, e)};
  }
  route->count++;
  return PCCT_OK;
}

pcct_status route_take(struct route *route, const struct route_queries *queries,
                       const struct walk_rows *rows, unsigned char *taken) {
  pcct_index *index = route->index;
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
#pragma omp parallel for schedule(static) private(query)                                           \
    num_threads(base->threads) if (queries->count >= BASE_PARALLEL_MIN)
  for (int64_t q = 0; q < queries->count; q++) {
    look_at(route, queries, q, &query);
    taken[q] = !stays_inside(&index->metric, lower, upper, query.point,
                             bound_of(route, &query, rows, q).bound);
  }
  for (int64_t q = 0; q < queries->count && status == PCCT_OK; q++) {
    if (!taken[q]) {
      continue;
    }
    look_at(route, queries, q, &query);
    struct question question = bound_of(route, &query, rows, q);
    if (question.bound_position == INT64_MAX) { /* what regions vouch for */
      question.bound = directory_bound(index->directory, query.point, query.limit,
                                       route->k + query.excludes, scratch);
    }
    const int found =
        directory_find(index->directory, query.point, question.limit, question.bound,
                       question.bound_position, index->context->rank, marks, q + 1, owners);
    taken[q] = found > 0;
    if (found > 0) {
      status =
          base_grow(base, (void **)&route->forwards, &route->forward_capacity, route->forward_count,
                    route->forward_count + found, sizeof *route->forwards);
      for (int i = 0; i < found && status == PCCT_OK; i++) {
        route->forwards[route->forward_count++] = (struct forward){route->count, owners[i]};
        route->send_counts[owners[i]]++;
      }
      status = status == PCCT_OK ? take(route, &query, &question, rows, q) : status;
      base->counters[COUNTER_queries_forwarded]++;
      base->counters[COUNTER_forwards] += found;
    }
  }
  base_free(marks);
  base_free(owners);
  base_free(scratch);
  return status;
}

/* Questions by owner, in the order of the queries within each. */
static pcct_status pack_questions(struct route *route, char **questions) {
  pcct_index *index = route->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const size_t size = question_size(route);
  int64_t *next = base_allocate_zero(base, index->context->size, sizeof *next);
  *questions = base_allocate(base, route->forward_count, size);
  route->order = base_allocate(base, route->forward_count, sizeof *route->order);
  pcct_status status = next && *questions && route->order ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    for (int r = 1; r < index->context->size; r++) {
      next[r] = next[r - 1] + route->send_counts[r - 1];
    }
    for (int64_t f = 0; f < route->forward_count; f++) {
      const struct forward *forward = &route->forwards[f];
      const int64_t at = next[forward->owner]++;
      char *to = *questions + (size_t)at * size;
      route->order[at] = f;
      memcpy(to, &taken_at(route, forward->taken)->question, sizeof(struct question));
      memcpy(to + sizeof(struct question), taken_point(route, forward->taken),
             (size_t)d * sizeof(double));
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
static pcct_status answer(const struct route *route, const char *questions, int64_t count,
                          struct answers *answers) {
  pcct_index *index = route->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const int64_t k = route->k;
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
    memcpy(&question, questions + (size_t)i * question_size(route), sizeof question);
    memcpy(answers->points + i * d, questions + (size_t)i * question_size(route) + sizeof question,
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
static pcct_status reduce(struct route *route, const int32_t *filled,
                          const struct candidate *candidates) {
  struct topk topk;
  pcct_status status = topk_create(&route->index->context->base, route->k, &topk);
  for (int64_t i = 0; i < route->forward_count && status == PCCT_OK; i++) {
    struct taken *taken = taken_at(route, route->forwards[route->order[i]].taken);
    struct candidate *held = taken_candidates(route, route->forwards[route->order[i]].taken);
    topk_start(&topk, INFINITY, INT64_MAX);
    for (int64_t e = 0; e < taken->filled; e++) {
      topk_append(&topk, held[e].value, held[e].position);
    }
    for (int32_t e = 0; e < filled[i]; e++, candidates++) {
      topk_append(&topk, candidates->value, candidates->position);
    }
    topk_finish(&topk);
    memcpy(held, topk.candidates, (size_t)topk.count * sizeof *held);
    taken->filled = topk.count;
  }
  topk_free(&topk);
  return status;
}

pcct_status route_finish(struct route *route) {
  pcct_context *context = route->index->context;
  struct base *base = &context->base;
  struct answers answers = {0};
  char *questions = NULL;
  void *received = NULL;
  void *filled = NULL;
  void *candidates = NULL;
  int64_t asked = 0;
  int64_t total = 0;
  int64_t *back = base_allocate_zero(base, 2 * (int64_t)context->size, sizeof *back);
  pcct_status status = back ? pack_questions(route, &questions) : PCCT_MEMORY;
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_exchange(context, questions, route->send_counts, question_size(route),
                           route->receive_counts, &received, &asked, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, answer(route, received, asked, &answers));
  }
  if (status == PCCT_OK) {
    status = comm_exchange(context, answers.filled, route->receive_counts, sizeof(int32_t), back,
                           &filled, &total, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    const int32_t *number = answers.filled;
    for (int r = 0; r < context->size; r++) {
      back[r] = 0;
      for (int64_t i = 0; i < route->receive_counts[r]; i++) {
        back[r] += *number++;
      }
    }
    status = comm_exchange(context, answers.candidates, back, sizeof(struct candidate),
                           back + context->size, &candidates, &total, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, reduce(route, filled, candidates));
  }
  answers_free(&answers);
  base_free(back);
  base_free(questions);
  base_free(received);
  base_free(filled);
  base_free(candidates);
  return status;
}
