/* Forwarding queries to the ranks that can improve them. */
#include "dist/route.h"

#include <omp.h>
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
  int64_t filled;    /* candidates */
  int64_t contacted; /* ranks, this one included */
};

/* A query and a rank that may know better. */
struct forward {
  int64_t taken;
  struct directory_reach reach;
};

struct route {
  pcct_index *index;
  int64_t k;
  char *taken; /* [count][taken_size] */
  int64_t count, capacity;
  struct forward *forwards; /* in the order of what was taken over, the nearest ranks first */
  int64_t forward_count, forward_capacity;
  int beyond;               /* what the prefix holds is known to all queries */
  struct candidate *merged; /* [k] scratch */
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
  made->merged = base_allocate(base, k, sizeof *made->merged);
  if (!made->merged) {
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
  base_free((*route)->merged);
  base_free(*route);
  *route = NULL;
}

/* Takes a row over, and notes whom to ask.
 *   reach [in,out] [directory_width] scratch */
static pcct_status take(struct route *route, const struct doubt *doubt, int64_t f, int64_t query,
                        const struct walk_rows *rows, int *places, struct directory_reach *reach) {
  pcct_index *index = route->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const int64_t row = doubt->query[f];
  const int found = doubt->found[f];
  const double *point = doubt->points + f * d;
  const struct directory_reach *near = doubt->near + f * DOUBT_NEAR;
  pcct_status status = base_grow(base, (void **)&route->taken, &route->capacity, route->count,
                                 route->count + 1, (size_t)taken_size(route));
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&route->forwards, &route->forward_capacity,
                       route->forward_count, route->forward_count + found, sizeof *route->forwards);
  }
  if (status != PCCT_OK) {
    return status;
  }
  if (found > DOUBT_NEAR) { /* not all of them were kept */
    directory_find(index->directory, point, doubt->limit[f], doubt->bound[f],
                   doubt->bound_position[f], doubt->predecessors, index->context->rank, places,
                   reach);
    near = reach;
  }
  for (int i = 0; i < found; i++) {
    route->forwards[route->forward_count++] = (struct forward){route->count, near[i]};
  }
  struct taken *taken = taken_at(route, route->count);
  struct candidate *candidates = taken_candidates(route, route->count);
  taken->question = (struct question){doubt->limit[f], doubt->bound[f], doubt->bound_position[f]};
  taken->query = query;
  taken->contacted = 1;
  taken->filled = *walk_rows_filled(rows, row);
  memcpy(taken + 1, point, (size_t)d * sizeof(double));
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
  struct doubt doubt = {0};
  int *places = directory_places(base, index->directory, 1);
  struct directory_reach *reach =
      base_allocate(base, directory_width(index->directory), sizeof *reach);
  pcct_status status =
      places && reach ? doubt_create(index, route->k, queries, rows, &doubt) : PCCT_MEMORY;
  route->beyond = doubt.predecessors;
  if (status == PCCT_OK && queries->count > 0) {
    memset(taken, 0, (size_t)queries->count);
  }
  for (int64_t f = 0; f < doubt.count && status == PCCT_OK; f++) {
    const int64_t q = doubt.query[f];
    if (doubt.found[f] > 0) {
      taken[q] = 1;
      status = take(route, &doubt, f, doubt_query(queries, q), rows, places, reach);
    }
  }
  base_free(places);
  base_free(reach);
  doubt_free(&doubt);
  return status;
}

/* One round of questions. */
struct round {
  int64_t *order;          /* [asked] forwards by owner */
  int64_t *send_counts;    /* [ranks] questions to each rank */
  int64_t *receive_counts; /* [ranks] */
  int64_t *back_counts;    /* [ranks] candidates to each rank, then from each */
  int64_t *come_counts;
  char *questions;
  int64_t asked;
};

static void round_free(struct round *round) {
  base_free(round->order);
  base_free(round->send_counts);
  base_free(round->questions);
}

/* Whether a forward is asked in a round: the nearest rank first, then those that the new bound still meets. */
static int asks(const struct route *route, int64_t f, int first) {
  const struct forward *forward = &route->forwards[f];
  const int nearest = f == 0 || route->forwards[f - 1].taken != forward->taken;
  const struct question *question = &taken_at(route, forward->taken)->question;
  return first ? nearest
               : !nearest &&
                     directory_meets(&forward->reach, question->bound, question->bound_position);
}

/* Questions by owner, in the order of the queries within each. */
static pcct_status pack_questions(struct route *route, int first, struct round *round) {
  pcct_index *index = route->index;
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const int ranks = index->context->size;
  const size_t size = question_size(route);
  round->send_counts = base_allocate_zero(base, 5 * (int64_t)ranks, sizeof(int64_t));
  if (!round->send_counts) {
    return PCCT_MEMORY;
  }
  round->receive_counts = round->send_counts + ranks;
  round->back_counts = round->send_counts + 2 * ranks;
  round->come_counts = round->send_counts + 3 * ranks;
  int64_t *next = round->send_counts + 4 * ranks;
  int64_t *most = &base->counters[COUNTER_ranks_contacted_max];
  for (int64_t f = 0; f < route->forward_count; f++) {
    if (asks(route, f, first)) {
      round->send_counts[route->forwards[f].reach.owner]++;
      round->asked++;
    }
  }
  for (int r = 1; r < ranks; r++) {
    next[r] = next[r - 1] + round->send_counts[r - 1];
  }
  round->questions = base_allocate(base, round->asked, size);
  round->order = base_allocate(base, round->asked, sizeof *round->order);
  if (!round->questions || !round->order) {
    return PCCT_MEMORY;
  }
  for (int64_t f = 0; f < route->forward_count; f++) {
    if (asks(route, f, first)) {
      const struct forward *forward = &route->forwards[f];
      struct taken *taken = taken_at(route, forward->taken);
      const int64_t at = next[forward->reach.owner]++;
      char *to = round->questions + (size_t)at * size;
      round->order[at] = f;
      taken->contacted++;
      if (taken->contacted > *most) {
        *most = taken->contacted;
      }
      memcpy(to, &taken->question, sizeof(struct question));
      memcpy(to + sizeof(struct question), taken_point(route, forward->taken),
             (size_t)d * sizeof(double));
    }
  }
  base->counters[COUNTER_forwards] += round->asked;
  return PCCT_OK;
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
  const struct walk_rows rows =
      walk_rows_plain(answers->value, answers->position, answers->filled, k);
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
static void reduce(struct route *route, const struct round *round, const int32_t *filled,
                   const struct candidate *candidates) {
  for (int64_t i = 0; i < round->asked; i++) {
    const int64_t at = route->forwards[round->order[i]].taken;
    struct taken *taken = taken_at(route, at);
    struct candidate *held = taken_candidates(route, at);
    taken->filled =
        candidates_merge(held, taken->filled, candidates, filled[i], route->k, route->merged);
    memcpy(held, route->merged, (size_t)taken->filled * sizeof *held);
    if (taken->filled == route->k) {
      taken->question.bound = held[route->k - 1].value;
      taken->question.bound_position = held[route->k - 1].position;
    }
    candidates += filled[i];
  }
}

/* Candidates that belong to counts[r] questions each. */
static void count_candidates(int ranks, const int64_t *counts, const int32_t *filled,
                             int64_t *candidates) {
  for (int r = 0; r < ranks; r++) {
    candidates[r] = 0;
    for (int64_t i = 0; i < counts[r]; i++) {
      candidates[r] += *filled++;
    }
  }
}

/* Asks and answers. Collective. */
static pcct_status ask(struct route *route, int first) {
  pcct_context *context = route->index->context;
  struct round round = {0};
  struct answers answers = {0};
  void *received = NULL;
  void *filled = NULL;
  void *candidates = NULL;
  int64_t asked = 0;
  pcct_status status = comm_agree(context, pack_questions(route, first, &round));
  if (status == PCCT_OK) {
    status = comm_exchange_sparse(context, round.questions, round.send_counts, question_size(route),
                                  round.receive_counts, &received, &asked, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, answer(route, received, asked, &answers));
  }
  if (status == PCCT_OK) {
    status = comm_exchange_known(context, answers.filled, round.receive_counts, sizeof(int32_t),
                                 round.send_counts, &filled, COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    count_candidates(context->size, round.receive_counts, answers.filled, round.back_counts);
    count_candidates(context->size, round.send_counts, filled, round.come_counts);
    status = comm_exchange_known(context, answers.candidates, round.back_counts,
                                 sizeof(struct candidate), round.come_counts, &candidates,
                                 COUNTER_bytes_query);
  }
  if (status == PCCT_OK) {
    reduce(route, &round, filled, candidates);
  }
  answers_free(&answers);
  round_free(&round);
  base_free(received);
  base_free(filled);
  base_free(candidates);
  return status;
}

/* Fetches what is not known of the groups that queries met, and notes their ranks instead. Collective. */
static pcct_status resolve_groups(struct route *route) {
  pcct_index *index = route->index;
  struct base *base = &index->context->base;
  struct directory *directory = index->directory;
  unsigned char *needed = base_allocate_zero(base, directory->groups, 1);
  int *places = directory_places(base, directory, 1);
  struct directory_reach *reach = base_allocate(base, directory_width(directory), sizeof *reach);
  pcct_status status =
      comm_agree(index->context, needed && places && reach ? PCCT_OK : PCCT_MEMORY);
  for (int64_t f = 0; f < route->forward_count && status == PCCT_OK; f++) {
    if (route->forwards[f].reach.owner < 0) {
      needed[-1 - route->forwards[f].reach.owner] = 1;
    }
  }
  if (status == PCCT_OK) {
    status = directory_fetch(index->context, directory, needed);
  }
  route->forward_count = status == PCCT_OK ? 0 : route->forward_count;
  for (int64_t i = 0; i < route->count && status == PCCT_OK; i++) {
    const struct question *question = &taken_at(route, i)->question;
    const int found = directory_find(directory, taken_point(route, i), question->limit,
                                     question->bound, question->bound_position, route->beyond,
                                     index->context->rank, places, reach);
    status = base_grow(base, (void **)&route->forwards, &route->forward_capacity,
                       route->forward_count, route->forward_count + found, sizeof *route->forwards);
    for (int j = 0; j < found && status == PCCT_OK; j++) {
      route->forwards[route->forward_count++] = (struct forward){i, reach[j]};
    }
  }
  base_free(needed);
  base_free(places);
  base_free(reach);
  return comm_agree(index->context, status);
}

pcct_status route_finish(struct route *route) {
  pcct_context *context = route->index->context;
  int64_t later = 0;
  pcct_status status = route->index->directory->groups > 0 ? resolve_groups(route) : PCCT_OK;
  for (int64_t f = 0; f < route->forward_count && status == PCCT_OK; f++) {
    context->base.counters[COUNTER_queries_forwarded] +=
        f == 0 || route->forwards[f - 1].taken != route->forwards[f].taken;
  }
  if (status == PCCT_OK) {
    status = ask(route, 1);
  }
  for (int64_t f = 0; f < route->forward_count && status == PCCT_OK; f++) {
    later += asks(route, f, 0);
  }
  return status == PCCT_OK && comm_max(context, later) > 0 ? ask(route, 0) : status;
}
