/* Covering orphans anew, from the bottom up. */
#include "base/sort.h"
#include "tree/batch.h"
#include "tree/delete.h"

#include <string.h>

/* No remaining node covers the orphan at any level. */
enum { NOWHERE = LEVEL_MAX + 1 };

/* The search for an orphan's cover: best so far. */
struct search {
  const struct tree *tree;
  const uint8_t *removed;
  struct orphan *orphan;
  double nearest; /* kernel value of the best */
  double reach;   /* 2^cover_level */
};

/* Takes a node for the cover if it is better than the best so far: open at a lower level, or nearer, or earlier in
 * the insertion order. */
static void consider(struct search *search, local_index p, double value) {
  const struct tree *tree = search->tree;
  struct orphan *orphan = search->orphan;
  if (search->removed[p] || p == orphan->point) {
    return;
  }
  const int highest = p == tree->root ? LEVEL_MAX : tree->level[p];
  int level = metric_level(tree->points.metric->kind, value);
  level = level > orphan->level ? level : orphan->level + 1;
  if (level <= highest && (level < orphan->cover_level ||
                           (level == orphan->cover_level &&
                            (value < search->nearest ||
                             (value == search->nearest && tree_before(tree, p, orphan->cover)))))) {
    orphan->cover = p;
    orphan->cover_level = level;
    search->nearest = value;
    search->reach = ldexp(1.0, level);
  }
}

/* Searches for the remaining node that covers an orphan at the lowest level; at that level the nearest, ties
 * by insertion order. A node is open to the levels up to its own whose radius reaches the orphan. The remaining
 * ancestors come first, as they are near. Returns the number of kernel evaluations. */
static int64_t search_cover(const struct tree *tree, const struct frame *frame,
                            const uint8_t *removed, struct orphan *orphan) {
  const struct metric *metric = frame->metric;
  const int d = metric->dimension;
  const double *point = tree->points.coordinates + (int64_t)orphan->point * d;
  const double least = ldexp(1.0, orphan->level + 1);
  struct search search = {tree, removed, orphan, INFINITY, INFINITY};
  int64_t evaluations = 0;
  orphan->cover = -1;
  orphan->cover_level = NOWHERE;
  for (local_index t = frame->node[frame->place[orphan->point]].parent; t >= 0;
       t = frame->node[t].parent) {
    consider(&search, frame->point[t],
             metric_value(metric, point, frame->coordinates + (int64_t)t * d));
    evaluations++;
  }
  for (local_index t = 0; t < frame->count;) {
    const struct frame_node *node = &frame->node[t];
    const double value = metric_value(metric, point, frame->coordinates + (int64_t)t * d);
    const double lower = metric_root_down(metric->kind, value);
    consider(&search, frame->point[t], value);
    evaluations++;
    /* Nodes below cover within the children's largest radius at most. */
    const double reach = node->child_radius < search.reach ? node->child_radius : search.reach;
    t = node->child_radius < least || lower > (node->radius + reach) * (1 + METRIC_SLACK)
            ? node->end
            : t + 1;
  }
  return evaluations;
}

/* The orphans that have reached one level and are without parent. */
struct recovery {
  struct base *base;
  struct tree *tree;
  struct orphan *orphans;
  int level;            /* of all active orphans */
  local_index count;    /* active orphans */
  local_index *active;  /* [orphans] places in orphans, ascending */
  local_index *merged;  /* [orphans] scratch */
  local_index *rank;    /* [orphans] insertion rank among the active ones */
  local_index *by_rank; /* [orphans] */
  local_index
      *point; /* [orphans] local indices; of the active ones, or of those looked at together */
  local_index *chosen;   /* [orphans] the active ones looked at together */
  local_index *inverse;  /* [orphans] where an active one is in chosen */
  uint8_t *promoted;     /* [orphans] by place in active */
  double *coordinates;   /* [orphans][dimension] of chosen ones */
  int16_t *level_column; /* [orphans] the level looked at */
};

static pcct_status recovery_create(struct base *base, struct tree *tree, struct orphan *orphans,
                                   int64_t count, struct recovery *recovery) {
  const int d = tree->points.metric->dimension;
  *recovery = (struct recovery){.base = base, .tree = tree, .orphans = orphans};
  recovery->active = base_allocate(base, count, sizeof(local_index));
  recovery->merged = base_allocate(base, count, sizeof(local_index));
  recovery->rank = base_allocate(base, count, sizeof(local_index));
  recovery->by_rank = base_allocate(base, count, sizeof(local_index));
  recovery->point = base_allocate(base, count, sizeof(local_index));
  recovery->chosen = base_allocate(base, count, sizeof(local_index));
  recovery->inverse = base_allocate(base, count, sizeof(local_index));
  recovery->promoted = base_allocate(base, count, 1);
  recovery->coordinates = base_allocate(base, count * d, sizeof(double));
  recovery->level_column = base_allocate(base, count, sizeof(int16_t));
  return recovery->active && recovery->merged && recovery->rank && recovery->by_rank &&
                 recovery->point && recovery->chosen && recovery->inverse && recovery->promoted &&
                 recovery->coordinates && recovery->level_column
             ? PCCT_OK
             : PCCT_MEMORY;
}

static void recovery_free(struct recovery *recovery) {
  base_free(recovery->active);
  base_free(recovery->merged);
  base_free(recovery->rank);
  base_free(recovery->by_rank);
  base_free(recovery->point);
  base_free(recovery->chosen);
  base_free(recovery->inverse);
  base_free(recovery->promoted);
  base_free(recovery->coordinates);
  base_free(recovery->level_column);
}

/* Adds the orphans of the current level to the active ones; both ascend. */
static void join(struct recovery *recovery, const local_index *joining, local_index count) {
  local_index a = 0;
  local_index b = 0;
  local_index to = 0;
  while (a < recovery->count || b < count) {
    const int take_active = b == count || (a < recovery->count && recovery->active[a] < joining[b]);
    recovery->merged[to++] = take_active ? recovery->active[a++] : joining[b++];
  }
  memcpy(recovery->active, recovery->merged, (size_t)to * sizeof *recovery->active);
  recovery->count = to;
}

/* The conflict graph of chosen active orphans at one level. */
static pcct_status build_graph(struct recovery *recovery, local_index count, int level,
                               int64_t pairs_budget, struct conflict_graph *graph) {
  const struct tree_points *points = &recovery->tree->points;
  const struct settings *settings = &recovery->base->settings;
  const int d = points->metric->dimension;
  for (local_index i = 0; i < count; i++) {
    const local_index p = recovery->orphans[recovery->active[recovery->chosen[i]]].point;
    memcpy(recovery->coordinates + (int64_t)i * d, points->coordinates + (int64_t)p * d,
           (size_t)d * sizeof(double));
    recovery->level_column[i] = (int16_t)level;
  }
  const struct conflict_points looked_at = {count, points->metric, recovery->coordinates,
                                            recovery->level_column};
  const struct conflict_settings how = {.builder = (enum conflict_builder)settings->conflict_graph,
                                        .pairs_budget = pairs_budget,
                                        .scope_chunk_target = settings->scope_chunk_target,
                                        .segment_dedup =
                                            settings->scope_segment_dedup == SETTINGS_ON};
  conflict_clear(graph);
  return conflict_build(recovery->base, &looked_at, &how, graph);
}

/* Whether two active orphans are within 2^level. */
static pcct_status find_conflict(struct recovery *recovery, int level, int *found) {
  struct conflict_graph graph = {0};
  for (local_index i = 0; i < recovery->count; i++) {
    recovery->chosen[i] = i;
  }
  pcct_status status = build_graph(recovery, recovery->count, level, 1, &graph);
  *found = graph.pairs > 0;
  conflict_clear(&graph);
  return status;
}

/* The first level of recovery->level + 1 .. last at which something happens to an active orphan: two of them are
 * in conflict, or it is the last, where one finds its cover or others join. Conflicts at a level are
 * conflicts at every higher one: steps that double, then bisection. */
static pcct_status next_level(struct recovery *recovery, int last, int *next) {
  int quiet = recovery->level; /* no conflicts here */
  int step = 1;
  int found = 0;
  pcct_status status = PCCT_OK;
  if (recovery->count < 2) {
    quiet = last - 1;
  }
  while (quiet < last - 1 && !found && status == PCCT_OK) {
    const int level = quiet + step < last - 1 ? quiet + step : last - 1;
    status = find_conflict(recovery, level, &found);
    if (found) {
      last = level;
    } else {
      quiet = level;
      step *= 2;
    }
  }
  while (quiet < last - 1 && status == PCCT_OK) {
    const int level = quiet + (last - quiet) / 2;
    status = find_conflict(recovery, level, &found);
    if (found) {
      last = level;
    } else {
      quiet = level;
    }
  }
  *next = last;
  return status;
}

/* Insertion ranks of the active orphans. */
static pcct_status rank_active(struct recovery *recovery) {
  for (local_index i = 0; i < recovery->count; i++) {
    recovery->point[i] = recovery->orphans[recovery->active[i]].point;
  }
  const struct batch batch = {.count = recovery->count, .point = recovery->point};
  pcct_status status = batch_rank(recovery->base, recovery->tree, &batch, recovery->rank);
  for (local_index i = 0; i < recovery->count && status == PCCT_OK; i++) {
    recovery->by_rank[recovery->rank[i]] = i;
  }
  return status;
}

/* Promotes an active orphan, or covers it by the nearest orphan promoted before it. */
static void decide(struct recovery *recovery, const struct conflict_graph *graph, local_index i) {
  const struct metric *metric = recovery->tree->points.metric;
  const int d = metric->dimension;
  const local_index own = recovery->inverse[i];
  double nearest = INFINITY;
  local_index best = -1;
  for (local_index e = graph->row[own]; e < graph->row[own + 1]; e++) {
    const local_index other = recovery->chosen[graph->neighbor[e]];
    if (recovery->rank[other] < recovery->rank[i] && recovery->promoted[other]) {
      const double value = metric_value(metric, recovery->coordinates + (int64_t)own * d,
                                        recovery->coordinates + (int64_t)graph->neighbor[e] * d);
      if (best < 0 || value < nearest ||
          (value == nearest && recovery->rank[other] < recovery->rank[best])) {
        nearest = value;
        best = other;
      }
    }
  }
  recovery->promoted[i] = best < 0;
  if (best >= 0) {
    recovery->tree->parent[recovery->orphans[recovery->active[i]].point] =
        recovery->orphans[recovery->active[best]].point;
  }
}

/* The lexicographically first maximal independent set of the active orphans is promoted. Where the graph of all
 * exceeds the pairs budget, runs of ranks are decided one after the other, together with those promoted before:
 * the outcome is the same. */
static pcct_status promote(struct recovery *recovery, int level) {
  struct conflict_graph graph = {0};
  local_index done = 0;
  local_index size = recovery->count;
  pcct_status status = rank_active(recovery);
  memset(recovery->promoted, 0, (size_t)recovery->count);
  while (done < recovery->count && status == PCCT_OK) {
    local_index chosen = 0;
    size = size < recovery->count - done ? size : recovery->count - done;
    for (local_index i = 0; i < recovery->count; i++) {
      if (recovery->promoted[i] || (recovery->rank[i] >= done && recovery->rank[i] < done + size)) {
        recovery->inverse[i] = chosen;
        recovery->chosen[chosen++] = i;
      }
    }
    const int64_t budget = size > 1 ? recovery->base->settings.pairs_budget : INT32_MAX - 1;
    status = build_graph(recovery, chosen, level, budget, &graph);
    if (status == PCCT_OK && graph.pairs > budget) {
      size = (size + 1) / 2;
      continue;
    }
    for (local_index r = done; r < done + size && status == PCCT_OK; r++) {
      decide(recovery, &graph, recovery->by_rank[r]);
    }
    done += size;
  }
  conflict_clear(&graph);
  return status;
}

/* Takes active orphans to a level: those covered there are done, promoted ones stay active, the others are done
 * too. */
static pcct_status rise(struct recovery *recovery, int level) {
  struct tree *tree = recovery->tree;
  local_index kept = 0;
  for (local_index i = 0; i < recovery->count; i++) {
    const struct orphan *orphan = &recovery->orphans[recovery->active[i]];
    tree->level[orphan->point] = (int16_t)(level - 1);
    if (orphan->cover_level == level) {
      tree->parent[orphan->point] = orphan->cover;
    } else {
      recovery->active[kept++] = recovery->active[i];
    }
  }
  recovery->count = kept;
  pcct_status status = promote(recovery, level);
  kept = 0;
  for (local_index i = 0; i < recovery->count && status == PCCT_OK; i++) {
    if (recovery->promoted[i]) {
      tree->level[recovery->orphans[recovery->active[i]].point] = (int16_t)level;
      recovery->active[kept++] = recovery->active[i];
    }
  }
  recovery->count = kept;
  recovery->level = level;
  return status;
}

/* Level by level; by_level are the orphans by rising level. */
static pcct_status rise_all(struct recovery *recovery, const local_index *by_level,
                            local_index count) {
  const struct orphan *orphans = recovery->orphans;
  pcct_status status = PCCT_OK;
  local_index joined = 0;
  while (status == PCCT_OK && (joined < count || recovery->count > 0)) {
    if (recovery->count == 0) {
      recovery->level = orphans[by_level[joined]].level;
    }
    local_index end = joined;
    while (end < count && orphans[by_level[end]].level == recovery->level) {
      end++;
    }
    join(recovery, by_level + joined, end - joined);
    joined = end;
    int next = joined < count ? orphans[by_level[joined]].level : NOWHERE;
    for (local_index i = 0; i < recovery->count; i++) {
      const int cover_level = orphans[recovery->active[i]].cover_level;
      next = cover_level < next ? cover_level : next;
    }
    if (next == NOWHERE && recovery->count == 1) {
      recovery->tree->root = orphans[recovery->active[0]].point;
      break;
    }
    status = next_level(recovery, next, &next);
    if (status == PCCT_OK) {
      status = rise(recovery, next);
    }
  }
  return status;
}

pcct_status recover_orphans(struct base *base, struct tree *tree, const struct frame *frame,
                            const uint8_t *removed, struct orphan *orphans, local_index count) {
  struct recovery recovery = {0};
  int64_t evaluations = 0;
  local_index *by_level = base_allocate(base, count, sizeof *by_level);
  struct sort_pair *pairs = base_allocate(base, count, sizeof *pairs);
  pcct_status status =
      by_level && pairs ? recovery_create(base, tree, orphans, count, &recovery) : PCCT_MEMORY;
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(dynamic, 64) num_threads(base->threads)                          \
    reduction(+ : evaluations) if (count >= BASE_PARALLEL_MIN)
    for (local_index i = 0; i < count; i++) {
      evaluations += search_cover(tree, frame, removed, &orphans[i]);
      pairs[i] = (struct sort_pair){(uint64_t)(orphans[i].level - LEVEL_MIN), (uint64_t)i};
    }
    base->counters[COUNTER_build_distances] += evaluations;
    status = sort_pairs(base, pairs, count);
  }
  for (local_index i = 0; i < count && status == PCCT_OK; i++) {
    by_level[i] = (local_index)pairs[i].value;
  }
  if (status == PCCT_OK) {
    status = rise_all(&recovery, by_level, count);
  }
  recovery_free(&recovery);
  base_free(pairs);
  base_free(by_level);
  return status;
}
