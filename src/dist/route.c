/* Forwarding queries to the ranks that can improve them. */
#include "dist/route.h"

#include "base/comm_talk.h"

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
  int64_t filled;            /* candidates */
  int64_t forward, forwards; /* its first forward, and how many there are */
  int64_t contacted;         /* ranks, this one included */
  int64_t second;            /* 1: the second round has been asked */
};

/* A query and a rank that may know better. */
struct forward {
  int64_t taken;
  struct directory_reach reach;
};

/* Questions to one rank that are still to be sent. */
struct queue {
  char *questions;  /* [count] */
  int64_t *forward; /* [count] of each question */
  int64_t count, capacity, forward_capacity;
  int open; /* 1: it is in the list of those with questions */
};

/* Questions that were sent in one message; by its label. */
struct batch {
  int64_t *forward;
  int64_t count;
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
  struct comm_talk *talk;
  int64_t most;        /* questions of a message */
  struct queue *queue; /* [ranks] */
  int *open;           /* [ranks] those that may have questions in their queue, each once */
  int open_count;
  struct batch *batches;
  int64_t batch_count, batch_capacity;
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

/* Bytes of the answer to so many questions: how many candidates each has, then the candidates. */
static int64_t answer_bytes(int64_t questions, int64_t candidates) {
  return (questions + 1) / 2 * 8 + candidates * (int64_t)sizeof(struct candidate);
}

static pcct_status answer_message(void *user, const void *questions, int64_t bytes, void **reply,
                                  int64_t *reply_bytes);
static pcct_status take_reply(void *user, int64_t label, const void *reply, int64_t bytes);

pcct_status route_create(pcct_index *index, int64_t k, struct route **route) {
  static const struct comm_talk_handlers handlers = {answer_message, take_reply};
  enum { MESSAGE_BYTES = 1 << 18, REPLY_BYTES = 1 << 20 };
  struct base *base = &index->context->base;
  const int ranks = index->context->size;
  struct route *made = base_allocate_zero(base, 1, sizeof *made);
  pcct_status status = made ? PCCT_OK : PCCT_MEMORY;
  *route = made;
  if (status == PCCT_OK) {
    made->index = index;
    made->k = k;
    made->merged = base_allocate(base, k, sizeof *made->merged);
    made->queue = base_allocate_zero(base, ranks, sizeof *made->queue);
    made->open = base_allocate(base, ranks, sizeof *made->open);
    status = made->merged && made->queue && made->open ? PCCT_OK : PCCT_MEMORY;
  }
  if (status == PCCT_OK) {
    const int64_t piece = index->context->piece_bytes;
    const int64_t asked =
        (piece < MESSAGE_BYTES ? piece : MESSAGE_BYTES) / (int64_t)question_size(made);
    const int64_t answered =
        (piece < REPLY_BYTES ? piece : REPLY_BYTES) / answer_bytes(2, 2 * k) * 2;
    made->most = asked < answered ? asked : answered;
    made->most = made->most > 1 ? made->most : 1;
    const int64_t question = made->most * (int64_t)question_size(made);
    const int64_t reply = answer_bytes(made->most, made->most * k);
    status =
        reply < INT32_MAX - 64
            ? comm_talk_create(index->context, &handlers, made, question > reply ? question : reply,
                               COUNTER_bytes_query, &made->talk)
            : base_fail(base, PCCT_USAGE,
                        "rows of %lld neighbours are too long to travel between ranks",
                        (long long)k);
  }
  status = comm_agree(index->context, status);
  if (status != PCCT_OK) {
    route_destroy(route);
  }
  return status;
}

void route_destroy(struct route **route) {
  if (!route || !*route) {
    return;
  }
  struct route *r = *route;
  for (int rank = 0; r->queue && rank < r->index->context->size; rank++) {
    base_free(r->queue[rank].questions);
    base_free(r->queue[rank].forward);
  }
  for (int64_t b = 0; b < r->batch_count; b++) {
    base_free(r->batches[b].forward);
  }
  comm_talk_destroy(&r->talk);
  base_free(r->queue);
  base_free(r->open);
  base_free(r->batches);
  base_free(r->taken);
  base_free(r->forwards);
  base_free(r->merged);
  base_free(r);
  *route = NULL;
}

/* ---- asking */

/* Sends the questions in a queue. */
static pcct_status send_queue(struct route *route, int rank) {
  struct base *base = &route->index->context->base;
  struct queue *queue = &route->queue[rank];
  pcct_status status =
      base_grow(base, (void **)&route->batches, &route->batch_capacity, route->batch_count,
                route->batch_count + 1, sizeof *route->batches);
  int64_t *forward = status == PCCT_OK ? base_allocate(base, queue->count, sizeof *forward) : NULL;
  if (!forward) {
    return PCCT_MEMORY;
  }
  memcpy(forward, queue->forward, (size_t)queue->count * sizeof *forward);
  route->batches[route->batch_count] = (struct batch){forward, queue->count};
  status = comm_talk_ask(route->talk, rank, queue->questions,
                         queue->count * (int64_t)question_size(route), route->batch_count++);
  queue->count = 0;
  return status;
}

/* Sends what is in the queues. */
static pcct_status send_queues(void *user) {
  struct route *route = user;
  pcct_status status = PCCT_OK;
  while (route->open_count > 0 && status == PCCT_OK) {
    const int rank = route->open[--route->open_count];
    route->queue[rank].open = 0;
    if (route->queue[rank].count > 0) {
      status = send_queue(route, rank);
    }
  }
  return status;
}

/* Puts a forward's question into the queue of the rank it goes to. */
static pcct_status ask(struct route *route, int64_t f) {
  struct base *base = &route->index->context->base;
  const size_t size = question_size(route);
  const struct forward *forward = &route->forwards[f];
  const int rank = (int)forward->reach.owner;
  struct queue *queue = &route->queue[rank];
  struct taken *taken = taken_at(route, forward->taken);
  int64_t *most = &base->counters[COUNTER_ranks_contacted_max];
  pcct_status status = base_grow(base, (void **)&queue->questions, &queue->capacity, queue->count,
                                 queue->count + 1, size);
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&queue->forward, &queue->forward_capacity, queue->count,
                       queue->count + 1, sizeof *queue->forward);
  }
  if (status != PCCT_OK) {
    return status;
  }
  char *to = queue->questions + (size_t)queue->count * size;
  memcpy(to, &taken->question, sizeof taken->question);
  memcpy(to + sizeof taken->question, taken_point(route, forward->taken),
         size - sizeof taken->question);
  queue->forward[queue->count++] = f;
  taken->contacted++;
  *most = taken->contacted > *most ? taken->contacted : *most;
  base->counters[COUNTER_forwards]++;
  if (!queue->open) {
    queue->open = 1;
    route->open[route->open_count++] = rank;
  }
  return queue->count == route->most ? send_queue(route, rank) : PCCT_OK;
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
  taken->forward = route->forward_count - found;
  taken->forwards = found;
  taken->contacted = 1;
  taken->second = 0;
  taken->filled = *walk_rows_filled(rows, row);
  memcpy(taken + 1, point, (size_t)d * sizeof(double));
  for (int64_t e = 0; e < taken->filled; e++) {
    candidates[e] =
        (struct candidate){walk_rows_value(rows, row)[e], walk_rows_index(rows, row, e)};
  }
  route->count++;
  /* groups are made out first */
  return index->directory->groups > 0 ? PCCT_OK : ask(route, taken->forward);
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
  if (status == PCCT_OK) {
    comm_talk_poll(route->talk);
  }
  base_free(places);
  base_free(reach);
  doubt_free(&doubt);
  return status;
}

/* ---- answering */

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

static pcct_status answer_message(void *user, const void *questions, int64_t bytes, void **reply,
                                  int64_t *reply_bytes) {
  const struct route *route = user;
  struct answers answers = {0};
  const int64_t count = bytes / (int64_t)question_size(route);
  int64_t candidates = 0;
  pcct_status status = answer(route, questions, count, &answers);
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    candidates += answers.filled[i];
  }
  if (status == PCCT_OK) {
    *reply_bytes = answer_bytes(count, candidates);
    *reply = base_allocate_zero(&route->index->context->base, *reply_bytes, 1);
    status = *reply ? PCCT_OK : PCCT_MEMORY;
  }
  if (status == PCCT_OK) {
    char *to = *reply;
    memcpy(to, answers.filled, (size_t)count * sizeof *answers.filled);
    memcpy(to + answer_bytes(count, 0), answers.candidates,
           (size_t)candidates * sizeof *answers.candidates);
  }
  answers_free(&answers);
  return status;
}

/* Reduces an answer into its row; once the nearest rank has answered, those are asked that the new bound still
 * meets. */
static pcct_status reduce(struct route *route, int64_t f, const struct candidate *candidates,
                          int64_t count) {
  const int64_t at = route->forwards[f].taken;
  struct taken *taken = taken_at(route, at);
  struct candidate *held = taken_candidates(route, at);
  pcct_status status = PCCT_OK;
  taken->filled = candidates_merge(held, taken->filled, candidates, count, route->k, route->merged);
  memcpy(held, route->merged, (size_t)taken->filled * sizeof *held);
  if (taken->filled == route->k) {
    taken->question.bound = held[route->k - 1].value;
    taken->question.bound_position = held[route->k - 1].position;
  }
  if (!taken->second) {
    const struct question bound = taken->question; /* the same for all, whoever answers first */
    taken->second = 1;
    for (int64_t i = 1; i < taken->forwards && status == PCCT_OK; i++) {
      const struct forward *forward = &route->forwards[taken->forward + i];
      if (directory_meets(&forward->reach, bound.bound, bound.bound_position)) {
        status = ask(route, taken->forward + i);
      }
    }
  }
  return status;
}

static pcct_status take_reply(void *user, int64_t label, const void *reply, int64_t bytes) {
  struct route *route = user;
  struct batch *batch = &route->batches[label];
  const int64_t count = batch->count;
  int64_t *forward = batch->forward;
  const int32_t *filled = reply;
  const struct candidate *candidates =
      (const struct candidate *)(const void *)((const char *)reply + answer_bytes(count, 0));
  pcct_status status = PCCT_OK;
  batch->forward = NULL; /* asking may move the batches */
  (void)bytes;
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    status = reduce(route, forward[i], candidates, filled[i]);
    candidates += filled[i];
  }
  base_free(forward);
  return status;
}

/* ---- the end */

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
    taken_at(route, i)->forward = route->forward_count;
    taken_at(route, i)->forwards = found;
    for (int j = 0; j < found && status == PCCT_OK; j++) {
      route->forwards[route->forward_count++] = (struct forward){i, reach[j]};
    }
    if (found > 0 && status == PCCT_OK) {
      status = ask(route, taken_at(route, i)->forward);
    }
  }
  base_free(needed);
  base_free(places);
  base_free(reach);
  return status;
}

pcct_status route_finish(struct route *route, pcct_status status) {
  struct base *base = &route->index->context->base;
  status = comm_agree(route->index->context, status);
  if (status == PCCT_OK && route->index->directory->groups > 0) {
    status = resolve_groups(route);
  }
  for (int64_t i = 0; i < route->count && status == PCCT_OK; i++) {
    base->counters[COUNTER_queries_forwarded] += taken_at(route, i)->forwards > 0;
  }
  return comm_talk_finish(route->talk, status, send_queues);
}
