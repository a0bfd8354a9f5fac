/* Insertion of a batch level by level: independent sets and redistribution. */
#include "tree/batch.h"

#include <float.h>
#include <string.h>

/* Where a batch point stands. */
enum state { WAITING, UNDECIDED, WINNER, LOSER, INSERTED };

struct insertion {
  struct base *base;
  struct tree *tree;
  struct batch *batch;
  int dimension;
  uint8_t *state;         /* [count] enum state */
  uint8_t *claimed;       /* [count] 1: already among the touched points of this level */
  local_index *next;      /* [count] list of points with one highest level */
  local_index *active;    /* [count] points of the level */
  local_index *undecided; /* [count] those of them not decided yet */
  local_index *winners;   /* [count] */
  int64_t *offset;        /* [count + 1] where a winner's neighbours go in touched */
  local_index *touched;   /* [edges] neighbours of winners, -1 where another claimed them */
  local_index head[LEVEL_MAX - LEVEL_MIN + 1];
  local_index active_count, winner_count;
  int level;
};

static void list_push(struct insertion *in, local_index q) {
  int slot = in->batch->level[q] - LEVEL_MIN;
  in->next[q] = in->head[slot];
  in->head[slot] = q;
}

/* Takes the points of the current level from its list. Points that sank since they were put there move
 * on to the list of their present level. */
static void collect_active(struct insertion *in) {
  local_index q = in->head[in->level - LEVEL_MIN];
  in->head[in->level - LEVEL_MIN] = -1;
  in->active_count = 0;
  while (q >= 0) {
    local_index following = in->next[q];
    if (in->state[q] != INSERTED) {
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

static inline double pair_value(const struct insertion *in, local_index a, local_index b) {
  const double *coordinates = in->batch->coordinates;
  return metric_square(in->dimension, coordinates + (int64_t)a * in->dimension,
                       coordinates + (int64_t)b * in->dimension);
}

static inline local_index rank_of(const struct insertion *in, local_index q) {
  return in->tree->rank[in->batch->point[q]];
}

/* Decides an undecided point if all its conflicts of smaller rank are decided. The relaxed atomic reads
 * may see a state of this round or the last one: a decision, once made, is final and the same either way. */
static void decide(struct insertion *in, local_index q) {
  const struct batch *batch = in->batch;
  const double limit = metric_level_value(METRIC_EUCLIDEAN, in->level);
  const local_index rank = rank_of(in, q);
  int blocked = 0;
  for (int64_t e = batch->row[q]; e < batch->row[q + 1]; e++) {
    local_index other = batch->neighbor[e];
    uint8_t state = __atomic_load_n(&in->state[other], __ATOMIC_RELAXED);
    if ((state != UNDECIDED && state != WINNER) || rank_of(in, other) > rank ||
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

/* The lexicographically first maximal independent set of the active points, smallest rank first: rounds in
 * which every point whose smaller-ranked conflicts are decided decides itself. */
static void select_independent(struct insertion *in) {
  local_index left = in->active_count;
  memcpy(in->undecided, in->active, (size_t)left * sizeof *in->active);
  while (left > 0) {
#pragma omp parallel for schedule(dynamic, 512)                                                    \
    num_threads(in->base->threads) if (left > BASE_PARALLEL_MIN)
    for (local_index i = 0; i < left; i++) {
      decide(in, in->undecided[i]);
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
  in->winner_count = 0;
  for (local_index i = 0; i < in->active_count; i++) {
    if (in->state[in->active[i]] == WINNER) {
      in->winners[in->winner_count++] = in->active[i];
    }
  }
}

/* Gathers every point in conflict with a winner once. The claim is atomic because two winners may share a
 * neighbour; which of them gets it changes only the place in the list, not what happens to the point. */
static int64_t gather_touched(struct insertion *in) {
  const struct batch *batch = in->batch;
  in->offset[0] = 0;
  for (local_index w = 0; w < in->winner_count; w++) {
    local_index q = in->winners[w];
    in->offset[w + 1] = in->offset[w] + batch->row[q + 1] - batch->row[q];
  }
#pragma omp parallel for schedule(dynamic, 512)                                                    \
    num_threads(in->base->threads) if (in->winner_count > BASE_PARALLEL_MIN)
  for (local_index w = 0; w < in->winner_count; w++) {
    int64_t to = in->offset[w];
    for (int64_t e = batch->row[in->winners[w]]; e < batch->row[in->winners[w] + 1]; e++, to++) {
      local_index other = batch->neighbor[e];
      int skip = in->state[other] == WINNER || in->state[other] == INSERTED ||
                 __atomic_exchange_n(&in->claimed[other], 1, __ATOMIC_RELAXED);
      in->touched[to] = skip ? -1 : other;
    }
  }
  return in->offset[in->winner_count];
}

/* A touched point looks at the winners around it: the nearest of them and its parent so far (ties by
 * rank) becomes its parent, and its highest level sinks below it. */
static void redistribute(struct insertion *in, local_index q) {
  struct batch *batch = in->batch;
  const double limit = metric_level_value(METRIC_EUCLIDEAN, in->level);
  for (int64_t e = batch->row[q]; e < batch->row[q + 1]; e++) {
    local_index winner = batch->neighbor[e];
    if (in->state[winner] != WINNER) {
      continue;
    }
    double value = pair_value(in, q, winner);
    local_index point = batch->point[winner];
    if (value <= limit && (value < batch->parent_value[q] ||
                           (value == batch->parent_value[q] &&
                            in->tree->rank[point] < in->tree->rank[batch->parent[q]]))) {
      batch->parent_value[q] = value;
      batch->parent[q] = point;
    }
  }
  double value = batch->parent_value[q];
  batch->level[q] =
      (int16_t)(value >= DBL_MIN ? metric_level(METRIC_EUCLIDEAN, value) - 1 : LEVEL_DUPLICATE);
  in->claimed[q] = 0;
}

/* Inserts the winners and sinks everything near them. */
static pcct_status insert_winners(struct insertion *in) {
  struct tree *tree = in->tree;
  struct batch *batch = in->batch;
  int64_t touched = gather_touched(in);
#pragma omp parallel for schedule(dynamic, 512)                                                    \
    num_threads(in->base->threads) if (touched > BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < touched; i++) {
    if (in->touched[i] >= 0) {
      redistribute(in, in->touched[i]);
    }
  }
  for (local_index w = 0; w < in->winner_count; w++) {
    local_index q = in->winners[w];
    in->state[q] = INSERTED;
    tree->parent[batch->point[q]] = batch->parent[q];
    tree->level[batch->point[q]] = batch->level[q];
    tree->log[tree->nodes++] = batch->point[q];
  }
  for (int64_t i = 0; i < touched; i++) {
    local_index q = in->touched[i];
    if (q >= 0 && batch->level[q] == LEVEL_DUPLICATE) {
      local_index point = batch->point[q];
      if (memcmp(tree->points.coordinates + (int64_t)point * in->dimension,
                 tree->points.coordinates + (int64_t)batch->parent[q] * in->dimension,
                 (size_t)in->dimension * sizeof(double)) != 0) {
        return batch_too_close(in->base, tree, point, batch->parent[q]);
      }
      in->state[q] = INSERTED;
      tree->parent[point] = batch->parent[q];
      tree->level[point] = LEVEL_DUPLICATE;
    }
  }
  for (local_index i = 0; i < in->active_count; i++) {
    local_index q = in->active[i];
    if (in->state[q] == LOSER) {
      in->state[q] = WAITING;
      list_push(in, q);
    }
  }
  return PCCT_OK;
}

pcct_status batch_insert(struct base *base, struct tree *tree, struct batch *batch) {
  pcct_status status = PCCT_MEMORY;
  const int64_t count = batch->count;
  struct insertion *in = base_allocate_zero(base, 1, sizeof *in);
  if (!in) {
    return PCCT_MEMORY;
  }
  in->base = base;
  in->tree = tree;
  in->batch = batch;
  in->dimension = tree->points.dimension;
  in->state = base_allocate_zero(base, count, sizeof *in->state);
  in->claimed = base_allocate_zero(base, count, sizeof *in->claimed);
  in->next = base_allocate(base, count, sizeof *in->next);
  in->active = base_allocate(base, count, sizeof *in->active);
  in->undecided = base_allocate(base, count, sizeof *in->undecided);
  in->winners = base_allocate(base, count, sizeof *in->winners);
  in->offset = base_allocate(base, count + 1, sizeof *in->offset);
  in->touched = base_allocate(base, batch->row[count], sizeof *in->touched);
  if (!in->state || !in->claimed || !in->next || !in->active || !in->undecided || !in->winners ||
      !in->offset || !in->touched) {
    goto cleanup;
  }
  memset(in->head, -1, sizeof in->head);
  for (local_index q = 0; q < batch->count; q++) {
    list_push(in, q);
  }
  status = PCCT_OK;
  for (in->level = LEVEL_MAX; in->level >= LEVEL_MIN && status == PCCT_OK; in->level--) {
    if (in->head[in->level - LEVEL_MIN] >= 0) {
      collect_active(in);
    } else {
      in->active_count = 0;
    }
    if (in->active_count > 0) {
      select_independent(in);
      status = insert_winners(in);
    }
  }
cleanup:
  base_free(in->state);
  base_free(in->claimed);
  base_free(in->next);
  base_free(in->active);
  base_free(in->undecided);
  base_free(in->winners);
  base_free(in->offset);
  base_free(in->touched);
  base_free(in);
  return status;
}
