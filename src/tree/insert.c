/* Insertion of a batch level by level: independent sets, redistribution and buckets. */
#include "tree/batch.h"

#include "base/sort.h"

#include <string.h>

/* Where a batch point stands. */
enum state { WAITING, UNDECIDED, WINNER, LOSER, INSERTED };

/* Rounds of selection after which the points still undecided go one by one: long chains of conflicts are
 * rare, and rounds over them would be quadratic. */
enum { ROUNDS = 12 };

/* Loops over so little work a point go to the team only when there are many. */
enum { PARALLEL_LEAST = 8 * BASE_PARALLEL_MIN };

struct insertion {
  struct base *base;
  struct tree *tree;
  struct batch *batch;
  const struct conflict_graph *graph;
  struct buckets *buckets;
  int dimension;
  local_index *rank;         /* [count] insertion rank of batch points */
  uint8_t *state;            /* [count] enum state */
  uint8_t *claimed;          /* [count] 1: already among the touched points of this level */
  local_index *next;         /* [count] list of points with one highest level */
  local_index *active;       /* [count] points of the level */
  local_index *undecided;    /* [count] those of them not decided yet */
  local_index *winners;      /* [count] */
  local_index *offset;       /* [count + 1] where a winner's neighbours go in touched */
  local_index *touched;      /* [edges] neighbours of winners, -1 where another claimed them */
  local_index *former;       /* [edges] their parents before */
  struct sort_pair *by_rank; /* [count] the one-by-one order */
  local_index head[LEVEL_MAX - LEVEL_MIN + 1];
  local_index active_count, winner_count;
  int level;
};

static void list_push(struct insertion *in, local_index q) {
  const int slot = in->batch->level[q] - LEVEL_MIN;
  in->next[q] = in->head[slot];
  in->head[slot] = q;
}

/* Whether a waiting point will stay in its node's bucket. */
static int is_settled(const struct insertion *in, local_index q) {
  return in->buckets->bucket[in->batch->parent[q]].closed;
}

/* Takes the points of the current level from its list. Points that sank since they were put there move
 * on to the list of their present level. */
static void collect_active(struct insertion *in) {
  local_index q = in->head[in->level - LEVEL_MIN];
  in->head[in->level - LEVEL_MIN] = -1;
  in->active_count = 0;
  while (q >= 0) {
    const local_index following = in->next[q];
    if (in->state[q] != INSERTED && !is_settled(in, q)) {
      if (in->batch->level[q] == in->level) {
        in->state[q] = UNDECIDED;
        in->active[in->active_count++] = q;
      } else {
        list_push(in, q);
      }
    }
    q = following;
  }
}

/* As conflict graphs see it: the smaller place first, should a user's distance differ in its last bit. */
static inline double pair_value(const struct insertion *in, local_index one, local_index other) {
  const double *coordinates = in->batch->coordinates;
  const local_index a = one < other ? one : other;
  const local_index b = one < other ? other : one;
  return metric_value(in->tree->points.metric, coordinates + (int64_t)a * in->dimension,
                      coordinates + (int64_t)b * in->dimension);
}

/* Decides an undecided point if all its conflicts of smaller rank are decided. The relaxed atomic reads
 * may see a state of this round or the last one: a decision, once made, is final and the same either way. */
static void decide(struct insertion *in, local_index q, double limit) {
  const struct conflict_graph *graph = in->graph;
  int blocked = 0;
  for (local_index e = graph->row[q]; e < graph->row[q + 1]; e++) {
    const local_index other = graph->neighbor[e];
    const uint8_t state = __atomic_load_n(&in->state[other], __ATOMIC_RELAXED);
    if ((state != UNDECIDED && state != WINNER) || in->rank[other] > in->rank[q] ||
        pair_value(in, q, other) > limit) {
      continue;
    }
    if (state == WINNER) {
      __atomic_store_n(&in->state[q], LOSER, __ATOMIC_RELAXED);
      return;
    }
    blocked = 1;
  }
  if (!blocked) {
    __atomic_store_n(&in->state[q], WINNER, __ATOMIC_RELAXED);
  }
}

/* Decides the rest one by one, smallest rank first: then nothing ever blocks. */
static pcct_status decide_rest(struct insertion *in, local_index left, double limit) {
  for (local_index i = 0; i < left; i++) {
    in->by_rank[i] =
        (struct sort_pair){(uint64_t)in->rank[in->undecided[i]], (uint64_t)in->undecided[i]};
  }
  pcct_status status = sort_pairs(in->base, in->by_rank, left);
  for (local_index i = 0; i < left && status == PCCT_OK; i++) {
    decide(in, (local_index)in->by_rank[i].value, limit);
  }
  return status;
}

/* The lexicographically first maximal independent set of the active points, smallest rank first: rounds in
 * which every point whose smaller-ranked conflicts are decided decides itself. */
static pcct_status select_independent(struct insertion *in) {
  const double limit = metric_level_value(in->tree->points.metric->kind, in->level);
  local_index left = in->active_count;
  pcct_status status = PCCT_OK;
  memcpy(in->undecided, in->active, (size_t)left * sizeof *in->active);
  for (int round = 0; left > 0 && round < ROUNDS; round++) {
#pragma omp parallel for schedule(dynamic, 512)                                                    \
    num_threads(in->base->threads) if (left > PARALLEL_LEAST)
    for (local_index i = 0; i < left; i++) {
      decide(in, in->undecided[i], limit);
    }
    local_index kept = 0;
    for (local_index i = 0; i < left; i++) {
      if (in->state[in->undecided[i]] == UNDECIDED) {
        in->undecided[kept++] = in->undecided[i];
      }
    }
    left = kept;
    in->base->counters[COUNTER_mis_rounds]++;
  }
  if (left > 0) {
    status = decide_rest(in, left, limit);
  }
  in->winner_count = 0;
  for (local_index i = 0; i < in->active_count; i++) {
    if (in->state[in->active[i]] == WINNER) {
      in->winners[in->winner_count++] = in->active[i];
    }
  }
  return status;
}

/* Gathers every point in conflict with a winner once. The claim is atomic because two winners may share a
 * neighbour; which of them gets it changes only the place in the list, not what happens to the point. */
static local_index gather_touched(struct insertion *in) {
  const struct conflict_graph *graph = in->graph;
  in->offset[0] = 0;
  for (local_index w = 0; w < in->winner_count; w++) {
    const local_index q = in->winners[w];
    in->offset[w + 1] = in->offset[w] + graph->row[q + 1] - graph->row[q];
  }
#pragma omp parallel for schedule(dynamic, 512)                                                    \
    num_threads(in->base->threads) if (in->winner_count > PARALLEL_LEAST)
  for (local_index w = 0; w < in->winner_count; w++) {
    local_index to = in->offset[w];
    for (local_index e = graph->row[in->winners[w]]; e < graph->row[in->winners[w] + 1];
         e++, to++) {
      const local_index other = graph->neighbor[e];
      const int skip = in->state[other] == WINNER || in->state[other] == INSERTED ||
                       is_settled(in, other) ||
                       __atomic_exchange_n(&in->claimed[other], 1, __ATOMIC_RELAXED);
      in->touched[to] = skip ? -1 : other;
    }
  }
  return in->offset[in->winner_count];
}

/* Whether a winner at this kernel value keeps a waiting point from its highest level. */
static int conflicts(const struct insertion *in, local_index q, double value) {
  const enum metric_kind kind = in->tree->points.metric->kind;
  const int level = in->batch->level[q] < in->level ? in->batch->level[q] : in->level;
  return value <= metric_level_value(kind, level);
}

/* Sinks a point below the nearest of the winners it conflicts with, ties by rank. */
static void sink(struct insertion *in, local_index q, local_index winner, double value) {
  const enum metric_kind kind = in->tree->points.metric->kind;
  in->batch->parent[q] = in->batch->point[winner];
  in->batch->parent_value[q] = value;
  in->batch->level[q] =
      (int16_t)(value >= metric_least(kind) ? metric_level(kind, value) - 1 : LEVEL_DUPLICATE);
}

/* A touched point looks at the winners around it. */
static void redistribute(struct insertion *in, local_index q) {
  const struct conflict_graph *graph = in->graph;
  local_index nearest = -1;
  double nearest_value = INFINITY;
  for (local_index e = graph->row[q]; e < graph->row[q + 1]; e++) {
    const local_index winner = graph->neighbor[e];
    if (in->state[winner] != WINNER) {
      continue;
    }
    const double value = pair_value(in, q, winner);
    if (conflicts(in, q, value) &&
        (value < nearest_value ||
         (value == nearest_value && in->rank[winner] < in->rank[nearest]))) {
      nearest_value = value;
      nearest = winner;
    }
  }
  if (nearest >= 0) {
    sink(in, q, nearest, nearest_value);
  }
  in->claimed[q] = 0;
}

pcct_status batch_attach_duplicate(struct base *base, struct tree *tree, local_index point,
                                   local_index node) {
  const int d = tree->points.metric->dimension;
  if (memcmp(tree->points.coordinates + (int64_t)point * d,
             tree->points.coordinates + (int64_t)node * d, (size_t)d * sizeof(double)) != 0) {
    return tree_too_close(base, &tree->points, point, node);
  }
  tree->parent[point] = node;
  tree->level[point] = LEVEL_DUPLICATE;
  return PCCT_OK;
}

/* Books the move of a waiting point from one node to another; a point that coincides with its new node is
 * done. */
static pcct_status book_move(struct insertion *in, local_index q, local_index former) {
  const struct batch *batch = in->batch;
  pcct_status status = PCCT_OK;
  in->base->counters[COUNTER_redistributions]++;
  in->buckets->bucket[former].pending--;
  if (batch->level[q] == LEVEL_DUPLICATE) {
    status = batch_attach_duplicate(in->base, in->tree, batch->point[q], batch->parent[q]);
    in->state[q] = INSERTED;
  } else {
    in->buckets->bucket[batch->parent[q]].pending++;
  }
  return status;
}

/* Closes a node if its bucket has room for all that wait below it. */
static void close_if_fits(struct buckets *buckets, local_index node) {
  buckets->bucket[node].closed = buckets->bucket[node].pending <= buckets->capacity;
}

/* A winner becomes a node. */
static void insert_node(struct insertion *in, local_index q) {
  struct tree *tree = in->tree;
  const local_index p = in->batch->point[q];
  in->state[q] = INSERTED;
  in->buckets->bucket[in->batch->parent[q]].pending--;
  tree->parent[p] = in->batch->parent[q];
  tree->level[p] = in->batch->level[q];
  tree->log[tree->nodes++] = p;
}

/* Inserts the winners and sinks everything near them. */
static pcct_status insert_winners(struct insertion *in) {
  struct batch *batch = in->batch;
  const local_index touched = gather_touched(in);
  pcct_status status = PCCT_OK;
#pragma omp parallel for schedule(dynamic, 512)                                                    \
    num_threads(in->base->threads) if (touched > PARALLEL_LEAST)
  for (local_index i = 0; i < touched; i++) {
    if (in->touched[i] >= 0) {
      in->former[i] = batch->parent[in->touched[i]];
      redistribute(in, in->touched[i]);
    }
  }
  for (local_index w = 0; w < in->winner_count; w++) {
    insert_node(in, in->winners[w]);
  }
  for (local_index i = 0; i < touched && status == PCCT_OK; i++) {
    const local_index q = in->touched[i];
    if (q >= 0 && batch->parent[q] != in->former[i]) {
      status = book_move(in, q, in->former[i]);
    }
  }
  for (local_index w = 0; w < in->winner_count; w++) {
    close_if_fits(in->buckets, batch->parent[in->winners[w]]);
    close_if_fits(in->buckets, batch->point[in->winners[w]]);
  }
  for (local_index i = 0; i < touched; i++) {
    if (in->touched[i] >= 0 && batch->parent[in->touched[i]] != in->former[i]) {
      close_if_fits(in->buckets, in->former[i]);
    }
  }
  for (local_index i = 0; i < in->active_count; i++) {
    const local_index q = in->active[i];
    if (in->state[q] == LOSER) {
      in->state[q] = WAITING;
      list_push(in, q);
    }
  }
  return status;
}

/* Every point still waiting stays in the bucket of its node. */
static void settle_rest(struct insertion *in) {
  for (local_index q = 0; q < in->batch->count; q++) {
    if (in->state[q] != INSERTED) {
      batch_settle(in->tree, in->batch, q, in->buckets);
    }
  }
}

void batch_settle(struct tree *tree, const struct batch *batch, local_index q,
                  struct buckets *buckets) {
  const local_index p = batch->point[q];
  tree->parent[p] = batch->parent[q];
  tree->level[p] = LEVEL_BUCKET;
  buckets->bucket[batch->parent[q]].held++;
}

static pcct_status insertion_create(struct base *base, struct tree *tree, struct batch *batch,
                                    const struct conflict_graph *graph, struct buckets *buckets,
                                    struct insertion **out) {
  const int64_t count = batch->count;
  const int64_t edges = graph->row[batch->count];
  struct insertion *in = base_allocate_zero(base, 1, sizeof *in);
  *out = in;
  if (!in) {
    return PCCT_MEMORY;
  }
  in->base = base;
  in->tree = tree;
  in->batch = batch;
  in->graph = graph;
  in->buckets = buckets;
  in->dimension = tree->points.metric->dimension;
  in->rank = base_allocate(base, count, sizeof *in->rank);
  in->state = base_allocate_zero(base, count, sizeof *in->state);
  in->claimed = base_allocate_zero(base, count, sizeof *in->claimed);
  in->next = base_allocate(base, count, sizeof *in->next);
  in->active = base_allocate(base, count, sizeof *in->active);
  in->undecided = base_allocate(base, count, sizeof *in->undecided);
  in->winners = base_allocate(base, count, sizeof *in->winners);
  in->offset = base_allocate(base, count + 1, sizeof *in->offset);
  in->touched = base_allocate(base, edges, sizeof *in->touched);
  in->former = base_allocate(base, edges, sizeof *in->former);
  in->by_rank = base_allocate(base, count, sizeof *in->by_rank);
  return in->rank && in->state && in->claimed && in->next && in->active && in->undecided &&
                 in->winners && in->offset && in->touched && in->former && in->by_rank
             ? PCCT_OK
             : PCCT_MEMORY;
}

static void insertion_destroy(struct insertion *in) {
  if (in) {
    base_free(in->rank);
    base_free(in->state);
    base_free(in->claimed);
    base_free(in->next);
    base_free(in->active);
    base_free(in->undecided);
    base_free(in->winners);
    base_free(in->offset);
    base_free(in->touched);
    base_free(in->former);
    base_free(in->by_rank);
    base_free(in);
  }
}

pcct_status insert_levels(struct base *base, struct tree *tree, struct batch *batch,
                          const struct conflict_graph *graph, struct buckets *buckets) {
  struct insertion *in = NULL;
  pcct_status status = insertion_create(base, tree, batch, graph, buckets, &in);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  memset(in->head, -1, sizeof in->head);
  status = batch_rank(base, tree, batch, in->rank);
  for (local_index q = 0; q < batch->count; q++) {
    list_push(in, q);
  }
  for (in->level = LEVEL_MAX; in->level >= LEVEL_MIN && status == PCCT_OK; in->level--) {
    if (in->head[in->level - LEVEL_MIN] < 0) {
      continue;
    }
    collect_active(in);
    if (in->active_count > 0) {
      const double start = base_clock();
      status = select_independent(in);
      base->stages[STAGE_mis] += base_clock() - start;
      if (status == PCCT_OK) {
        status = insert_winners(in);
      }
    }
  }
  if (status == PCCT_OK) {
    settle_rest(in);
  }
cleanup:
  insertion_destroy(in);
  return status;
}

/* The smallest-ranked of the batch points that may take the highest level, and that level. */
static local_index highest_first(const struct tree *tree, const struct batch *batch, int *level,
                                 local_index *count) {
  local_index first = -1;
  *level = LEVEL_MIN - 1;
  *count = 0;
  for (local_index q = 0; q < batch->count; q++) {
    if (batch->level[q] > *level) {
      *level = batch->level[q];
      *count = 0;
      first = -1;
    }
    if (batch->level[q] == *level) {
      ++*count;
      if (first < 0 || tree_before(tree, batch->point[q], batch->point[first])) {
        first = q;
      }
    }
  }
  return first;
}

int insert_is_degenerate(const struct tree *tree, const struct batch *batch) {
  enum { LEAST = 64 };
  const struct metric *metric = tree->points.metric;
  const int d = metric->dimension;
  int level;
  local_index count;
  if (batch->count < LEAST) {
    return 0;
  }
  const local_index first = highest_first(tree, batch, &level, &count);
  if (count < batch->count - count) {
    return 0;
  }
  const double limit = metric_level_value(metric->kind, level);
  for (local_index q = 0; q < batch->count; q++) {
    if (batch->level[q] == level && metric_value(metric, batch->coordinates + (int64_t)first * d,
                                                 batch->coordinates + (int64_t)q * d) > limit) {
      return 0;
    }
  }
  return 1;
}

pcct_status insert_single(struct base *base, struct tree *tree, struct batch *batch,
                          struct buckets *buckets) {
  int level;
  local_index count;
  const local_index winner = highest_first(tree, batch, &level, &count);
  struct insertion in = {.base = base,
                         .tree = tree,
                         .batch = batch,
                         .buckets = buckets,
                         .dimension = tree->points.metric->dimension,
                         .level = level};
  pcct_status status = PCCT_OK;
  in.state = base_allocate_zero(base, batch->count, sizeof *in.state);
  in.former = base_allocate(base, batch->count, sizeof *in.former);
  if (!in.state || !in.former) {
    base_free(in.state);
    base_free(in.former);
    return PCCT_MEMORY;
  }
  insert_node(&in, winner);
  const local_index parent = batch->parent[winner];
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    const double value = q == winner ? INFINITY : pair_value(&in, q, winner);
    in.former[q] = -1;
    if (conflicts(&in, q, value)) {
      in.former[q] = batch->parent[q];
      sink(&in, q, winner, value);
      status = book_move(&in, q, in.former[q]);
    }
  }
  base->counters[COUNTER_build_distances] += batch->count - 1;
  close_if_fits(buckets, parent);
  close_if_fits(buckets, batch->point[winner]);
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    if (in.former[q] >= 0) {
      close_if_fits(buckets, in.former[q]);
    }
  }
  local_index kept = 0;
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    if (in.state[q] == INSERTED) {
      continue;
    }
    if (buckets->bucket[batch->parent[q]].closed) {
      batch_settle(tree, batch, q, buckets);
      continue;
    }
    batch_move(batch, kept++, q, in.dimension);
  }
  batch->count = kept;
  base_free(in.state);
  base_free(in.former);
  return status;
}
