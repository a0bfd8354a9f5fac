/* Building a compressed cover tree by prefix-doubling batches. */
#include "tree/batch.h"
#include "tree/check.h"

#include <string.h>

/* What a build keeps between batches. */
struct build {
  struct base *base;
  struct tree *tree;
  struct buckets buckets;
  local_index *members; /* [nodes] ascending local indices */
  local_index *moved;   /* points that the pairs budget moves to the next batch, ascending */
  local_index moved_count;
  local_index *sequence;  /* first points by insertion order; NULL: the tree was there before */
  local_index seen;       /* how many of them are in the tree */
  int again;              /* 1: the running batch is what the last one moved on */
  double pairs_per_point; /* of the last batch that had a graph */
};

static pcct_status build_create(struct base *base, struct tree *tree, struct build *build) {
  const int64_t count = tree->points.count;
  *build = (struct build){.base = base, .tree = tree};
  build->buckets.bucket = base_allocate(base, count, sizeof(struct bucket));
  build->members = base_allocate(base, count, sizeof *build->members);
  build->moved = base_allocate(base, count, sizeof *build->moved);
  if (!build->buckets.bucket || !build->members || !build->moved) {
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t p = 0; p < count; p++) {
    build->buckets.bucket[p] = (struct bucket){0};
  }
  return PCCT_OK;
}

static void build_free(struct build *build) {
  base_free(build->buckets.bucket);
  base_free(build->members);
  base_free(build->moved);
  base_free(build->sequence);
}

/* Adds the nodes that a batch appended to the log to the ascending members. */
static pcct_status merge_members(struct build *build, local_index before) {
  const struct tree *tree = build->tree;
  const local_index added = tree->nodes - before;
  local_index *fresh = base_allocate(build->base, added, sizeof *fresh);
  if (!fresh) {
    return PCCT_MEMORY;
  }
  memcpy(fresh, tree->log + before, (size_t)added * sizeof *fresh);
  pcct_status status = frame_sort_indices(build->base, fresh, added);
  local_index to = tree->nodes - 1;
  local_index a = before - 1;
  for (local_index b = added - 1; b >= 0; b--) {
    while (a >= 0 && build->members[a] > fresh[b]) {
      build->members[to--] = build->members[a--];
    }
    build->members[to--] = fresh[b];
  }
  base_free(fresh);
  return status;
}

/* Batch points that one thread looks at in a row. Neighbours often wait below the same node, so that counts are
 * added up over such runs, atomically because a node's points may be in several threads' shares; sums come out
 * the same in any order. */
enum { STRETCH = 4096 };

static void add_pending(struct build *build, local_index node, local_index number) {
  if (number > 0) {
    __atomic_fetch_add(&build->buckets.bucket[node].pending, number, __ATOMIC_RELAXED);
  }
}

static void count_stretch(struct build *build, struct batch *batch, local_index first,
                          local_index last) {
  struct tree *tree = build->tree;
  local_index node = -1;
  local_index run = 0;
  for (local_index q = first; q < last; q++) {
    if (batch->level[q] == LEVEL_DUPLICATE) {
      tree->parent[batch->point[q]] = batch->parent[q];
      tree->level[batch->point[q]] = LEVEL_DUPLICATE;
      batch->parent[q] = -1;
    } else if (batch->parent[q] == node) {
      run++;
    } else {
      add_pending(build, node, run);
      node = batch->parent[q];
      run = 1;
    }
  }
  add_pending(build, node, run);
}

/* Counts batch points first..count-1 as waiting below their nodes; duplicates leave for the tree at once, and
 * are marked by parent -1.
 * Returns whether a bucket has outgrown its capacity that had not before, and has points to hand over. */
static int count_pending(struct build *build, struct batch *batch, local_index first) {
  struct bucket *buckets = build->buckets.bucket;
  const local_index capacity = build->buckets.capacity;
  const int team = batch->count - first >= BASE_PARALLEL_MIN ? build->base->threads : 1;
  int grown = 0;
#pragma omp parallel num_threads(team)
  {
#pragma omp for schedule(static)
    for (local_index q = first; q < batch->count; q += STRETCH) {
      count_stretch(build, batch, q, batch->count - q < STRETCH ? batch->count : q + STRETCH);
    }
#pragma omp for schedule(static) reduction(| : grown)
    for (local_index q = first; q < batch->count; q++) {
      struct bucket *bucket = &buckets[batch->parent[q] < 0 ? 0 : batch->parent[q]];
      if (batch->parent[q] >= 0 && bucket->held + bucket->pending > capacity &&
          !__atomic_load_n(&bucket->outgrown, __ATOMIC_RELAXED)) {
        grown |= bucket->held > 0;
        __atomic_store_n(&bucket->outgrown, 1, __ATOMIC_RELAXED);
      }
    }
  }
  return grown;
}

/* Takes the points of outgrown buckets out of the tree.
 *   handed [out] owned by the caller: their local indices, ascending */
static pcct_status hand_over(struct build *build, local_index **handed, local_index *count) {
  struct tree *tree = build->tree;
  /* What the running batch has put into buckets already comes after the first `seen`. */
  const local_index *sequence = build->again ? NULL : build->sequence;
  const local_index candidates = sequence ? build->seen : tree->points.count;
  int64_t capacity = 0;
  pcct_status status = PCCT_OK;
  *handed = NULL;
  *count = 0;
  for (local_index i = 0; i < candidates && status == PCCT_OK; i++) {
    const local_index p = sequence ? sequence[i] : i;
    const local_index node = tree->parent[p];
    if (tree->level[p] == LEVEL_BUCKET && node >= 0 && build->buckets.bucket[node].outgrown) {
      status = base_grow(build->base, (void **)handed, &capacity, *count, (int64_t)*count + 1,
                         sizeof **handed);
      if (status == PCCT_OK) {
        (*handed)[(*count)++] = p;
        tree->parent[p] = -1;
        build->buckets.bucket[node].held = 0;
      }
    }
  }
  return status == PCCT_OK ? frame_sort_indices(build->base, *handed, *count) : status;
}

/* Buckets with room take their points; the others hand theirs over, which may outgrow further buckets. */
static pcct_status admit(struct build *build, const struct frame *frame, struct batch *batch) {
  struct base *base = build->base;
  pcct_status status = PCCT_OK;
  local_index first = 0;
  while (count_pending(build, batch, first)) {
    local_index *handed = NULL;
    local_index count = 0;
    status = hand_over(build, &handed, &count);
    first = batch->count;
    if (status == PCCT_OK) {
      status = batch_extend(base, batch, handed, count, build->tree->points.metric->dimension);
    }
    base_free(handed);
    if (status == PCCT_OK) {
      status = scope_find(base, build->tree, frame, batch, first);
    }
    if (status != PCCT_OK) {
      break;
    }
  }
  return status;
}

static void move_to_held(struct build *build, local_index node, local_index number) {
  if (number > 0) {
    __atomic_fetch_sub(&build->buckets.bucket[node].pending, number, __ATOMIC_RELAXED);
    __atomic_fetch_add(&build->buckets.bucket[node].held, number, __ATOMIC_RELAXED);
  }
}

/* Points of buckets with room stay there, and are marked by parent -1. */
static void settle_stretch(struct build *build, struct batch *batch, local_index first,
                           local_index last) {
  struct tree *tree = build->tree;
  local_index node = -1;
  local_index run = 0;
  for (local_index q = first; q < last; q++) {
    const local_index parent = batch->parent[q];
    if (parent < 0 || build->buckets.bucket[parent].outgrown) {
      continue;
    }
    if (parent != node) {
      move_to_held(build, node, run);
      node = parent;
      run = 0;
    }
    run++;
    tree->parent[batch->point[q]] = parent; /* new points are of LEVEL_BUCKET already */
    batch->parent[q] = -1;
  }
  move_to_held(build, node, run);
}

/* Settles the points of buckets with room and keeps the others, with coordinates. */
static pcct_status keep_waiting(struct build *build, const struct frame *frame,
                                struct batch *batch) {
  const struct tree_points *points = &build->tree->points;
  const int d = points->metric->dimension;
  local_index kept = 0;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(build->base->threads) if (batch->count >= BASE_PARALLEL_MIN)
  for (local_index q = 0; q < batch->count; q += STRETCH) {
    settle_stretch(build, batch, q, batch->count - q < STRETCH ? batch->count : q + STRETCH);
  }
  for (local_index q = 0; q < batch->count; q++) {
    if (batch->parent[q] >= 0) {
      batch_move(batch, kept++, q, 0);
    }
  }
  batch->count = kept;
  pcct_status status = batch_order(build->base, frame, d, batch);
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    memcpy(batch->coordinates + (int64_t)q * d, points->coordinates + (int64_t)batch->point[q] * d,
           (size_t)d * sizeof(double));
  }
  return status;
}

/* The later half of the waiting points, by insertion order, moves on to the next batch. */
static pcct_status halve(struct build *build, struct batch *batch) {
  local_index *rank = base_allocate(build->base, batch->count, sizeof *rank);
  const local_index half = (batch->count + 1) / 2;
  local_index kept = 0;
  pcct_status status = rank ? batch_rank(build->base, build->tree, batch, rank) : PCCT_MEMORY;
  for (local_index q = 0; q < batch->count && status == PCCT_OK; q++) {
    if (rank[q] >= half) {
      build->buckets.bucket[batch->parent[q]].pending--;
      build->moved[build->moved_count++] = batch->point[q];
    } else {
      batch_move(batch, kept++, q, build->tree->points.metric->dimension);
    }
  }
  batch->count = kept;
  base_free(rank);
  return status;
}

static void count_graph(struct base *base, const struct conflict_graph *graph) {
  int64_t *counters = base->counters;
  counters[COUNTER_batch_pairs] += graph->pairs;
  counters[COUNTER_scope_groups] += graph->groups;
  counters[COUNTER_scope_groups_unique] += graph->groups_unique;
  if (graph->pairs > counters[COUNTER_pairs_per_level_max]) {
    counters[COUNTER_pairs_per_level_max] = graph->pairs;
  }
  if (graph->largest_group > counters[COUNTER_scope_group_largest]) {
    counters[COUNTER_scope_group_largest] = graph->largest_group;
  }
}

/* Pairs that a batch's graph may have: the setting, or less where there are few points. Graphs of more pairs than
 * points cost more than halves of the batch do, one after the other. */
static int64_t allowed_pairs(const struct build *build) {
  enum { LEAST = 1 << 20, PER_POINT = 2 };
  const int64_t setting = build->base->settings.pairs_budget;
  const int64_t enough = PER_POINT * (int64_t)build->tree->points.count;
  const int64_t pairs = enough > LEAST ? enough : LEAST;
  return pairs < setting ? pairs : setting;
}

/* Inserts the waiting points: one by one as long as a graph would be nearly complete, then by a graph within
 * the pairs budget. */
static pcct_status insert_waiting(struct build *build, struct batch *batch) {
  struct base *base = build->base;
  struct tree *tree = build->tree;
  struct conflict_graph graph = {0};
  const struct conflict_settings settings = {
      .builder = (enum conflict_builder)base->settings.conflict_graph,
      .pairs_budget = allowed_pairs(build),
      .scope_chunk_target = base->settings.scope_chunk_target,
      .segment_dedup = base->settings.scope_segment_dedup == SETTINGS_ON};
  pcct_status status = PCCT_OK;
  while (status == PCCT_OK && insert_is_degenerate(tree, batch)) {
    status = insert_single(base, tree, batch, &build->buckets);
    base->counters[COUNTER_single_insertions]++;
  }
  while (status == PCCT_OK && batch->count > 0) {
    const struct conflict_points points = {batch->count, tree->points.metric, batch->coordinates,
                                           batch->level};
    double start = base_clock();
    conflict_clear(&graph);
    status = conflict_build(base, &points, &settings, &graph);
    base->stages[STAGE_adjacency] += base_clock() - start - graph.csr_seconds;
    base->stages[STAGE_csr] += graph.csr_seconds;
    if (status == PCCT_OK && graph.pairs > settings.pairs_budget && batch->count > 1) {
      status = halve(build, batch);
      base->counters[COUNTER_batches_halved]++;
      continue;
    }
    if (status == PCCT_OK) {
      count_graph(base, &graph);
      build->pairs_per_point = (double)graph.pairs / batch->count;
      start = base_clock();
      const double mis = base->stages[STAGE_mis];
      status = insert_levels(base, tree, batch, &graph, &build->buckets);
      base->stages[STAGE_insert] += base_clock() - start - (base->stages[STAGE_mis] - mis);
    }
    break;
  }
  conflict_clear(&graph);
  return status;
}

/* Clears what a batch left by node. */
static void clear_marks(struct build *build) {
  const struct tree *tree = build->tree;
  for (local_index i = 0; i < tree->nodes; i++) {
    struct bucket *bucket = &build->buckets.bucket[tree->log[i]];
    bucket->outgrown = 0;
    bucket->closed = 0;
    bucket->pending = 0;
  }
}

/* The root stands one level above all others. */
static void raise_root(struct tree *tree) {
  int highest = LEVEL_MIN;
  for (local_index i = 1; i < tree->nodes; i++) {
    int level = tree->level[tree->log[i]];
    highest = level > highest ? level : highest;
  }
  tree->level[tree->root] = (int16_t)(tree->nodes > 1 ? highest + 1 : 0);
}

/* The profile `audit`: every invariant after every batch. */
static pcct_status audit(struct base *base, struct tree *tree) {
  struct frame *frame = NULL;
  const int16_t level = tree->level[tree->root];
  raise_root(tree);
  pcct_status status = frame_create_whole(base, tree, &frame);
  if (status == PCCT_OK) {
    status = tree_check(base, tree, frame);
  }
  tree->level[tree->root] = level;
  frame_destroy(&frame);
  return status;
}

/* One batch of ascending points. */
static pcct_status run_batch(struct build *build, const local_index *points, local_index count) {
  struct base *base = build->base;
  struct tree *tree = build->tree;
  const local_index before = tree->nodes;
  struct frame *frame = NULL;
  struct batch batch = {0};
  double start = base_clock();
  build->moved_count = 0;
  pcct_status status = frame_create(base, tree, tree->nodes, build->members, &frame);
  base->stages[STAGE_frame] += base_clock() - start;
  if (status == PCCT_OK) {
    status = batch_create(base, count, tree->points.metric->dimension, &batch);
  }
  start = base_clock();
  if (status == PCCT_OK) {
    memcpy(batch.point, points, (size_t)count * sizeof *points);
    status = scope_find(base, tree, frame, &batch, 0);
  }
  if (status == PCCT_OK) {
    status = admit(build, frame, &batch);
  }
  if (status == PCCT_OK) {
    status = keep_waiting(build, frame, &batch);
  }
  base->stages[STAGE_scope] += base_clock() - start;
  if (status == PCCT_OK) {
    status = insert_waiting(build, &batch);
  }
  if (status == PCCT_OK) {
    clear_marks(build);
    status = merge_members(build, before);
  }
  if (status == PCCT_OK && base->settings.profile == SETTINGS_PROFILE_AUDIT) {
    status = audit(base, tree);
  }
  if (status == PCCT_OK) {
    base_diagnose(base, "batch %lld: %lld points, %lld nodes more, %lld points for the next batch",
                  (long long)base->counters[COUNTER_batches], (long long)count,
                  (long long)(tree->nodes - before), (long long)build->moved_count);
  }
  base->counters[COUNTER_batches]++;
  batch_free(&batch);
  frame_destroy(&frame);
  return status;
}

/* Runs a batch, and what the pairs budget moved out of it, until nothing is left. */
static pcct_status run_batches(struct build *build, const local_index *points, local_index count) {
  build->again = 0;
  pcct_status status = run_batch(build, points, count);
  build->again = 1;
  while (status == PCCT_OK && build->moved_count > 0) {
    const local_index left = build->moved_count;
    local_index *again = base_allocate(build->base, left, sizeof *again);
    if (!again) {
      return PCCT_MEMORY;
    }
    memcpy(again, build->moved, (size_t)left * sizeof *again);
    status = frame_sort_indices(build->base, again, left);
    if (status == PCCT_OK) {
      status = run_batch(build, again, left);
    }
    base_free(again);
  }
  return status;
}

/* The points of the next batch as ascending local indices: places seen..seen+size-1 of the sequence, or, for
 * the last batch, every point that is not in the tree. */
static pcct_status take_points(struct build *build, local_index size, local_index *points) {
  enum { SLABS = 64 };
  const struct tree *tree = build->tree;
  const int64_t count = tree->points.count;
  local_index start[SLABS + 1] = {0};
  if (size < count - build->seen) {
    memcpy(points, build->sequence + build->seen, (size_t)size * sizeof *points);
    return frame_sort_indices(build->base, points, size);
  }
  const int team = count >= BASE_PARALLEL_MIN ? build->base->threads : 1;
#pragma omp parallel num_threads(team)
  {
#pragma omp for schedule(static)
    for (int s = 0; s < SLABS; s++) {
      for (int64_t p = count * s / SLABS; p < count * (s + 1) / SLABS; p++) {
        start[s + 1] += tree->parent[p] < 0 && p != tree->root;
      }
    }
#pragma omp single
    for (int s = 0; s < SLABS; s++) {
      start[s + 1] += start[s];
    }
#pragma omp for schedule(static)
    for (int s = 0; s < SLABS; s++) {
      local_index at = start[s];
      for (int64_t p = count * s / SLABS; p < count * (s + 1) / SLABS; p++) {
        if (tree->parent[p] < 0 && p != tree->root) {
          points[at++] = (local_index)p;
        }
      }
    }
  }
  return PCCT_OK;
}

/* Expected points a bucket at which the last batch may come: a sample has shown where buckets are needed. */
enum { BUCKET_SAMPLE = 8 };

static int is_sampled(const struct tree *tree, int64_t seen) {
  return tree->leaf_size > 1 &&
         seen * tree->leaf_size >= BUCKET_SAMPLE * (int64_t)tree->points.count;
}

/* Points that the next batch takes: as many as are in, but no more than the cap and the pairs budget let
 * expect; all the rest once the sample is in. */
static int64_t next_size(const struct build *build) {
  const struct settings *settings = &build->base->settings;
  const int64_t left = build->tree->points.count - build->seen;
  int64_t size = is_sampled(build->tree, build->seen) ? left : build->seen;
  const double budget = 0.7 * (double)allowed_pairs(build);
  if (build->tree->leaf_size <= 1 && build->pairs_per_point * (double)size > budget) {
    size = (int64_t)(budget / build->pairs_per_point) + 1;
  }
  size = settings->batch_cap > 0 && size > settings->batch_cap ? settings->batch_cap : size;
  return size < left ? size : left;
}

/* Points that must be known in insertion order: all that come before the last batch. */
static local_index sequence_needed(const struct base *base, const struct tree *tree) {
  int64_t needed = 1;
  while (needed < tree->points.count && !is_sampled(tree, needed)) {
    needed *= 2;
  }
  return base->settings.batch_cap > 0 || needed > tree->points.count ? tree->points.count
                                                                     : (local_index)needed;
}

/* What a bucket may hold when `seen` of all points are in: its share of the leaf size, with room to spare so
 * that few buckets outgrow it later; all of it in the end. */
static local_index bucket_capacity(const struct tree *tree, int64_t seen) {
  const int64_t count = tree->points.count;
  if (tree->leaf_size <= 1) {
    return 0;
  }
  return seen >= count ? tree->leaf_size : (local_index)(tree->leaf_size * seen / (2 * count));
}

static pcct_status insert_all(struct build *build) {
  struct base *base = build->base;
  struct tree *tree = build->tree;
  const local_index count = tree->points.count;
  const double start = base_clock();
  local_index *points = base_allocate(base, count, sizeof *points);
  pcct_status status =
      points ? sequence_create(base, &tree->points, sequence_needed(base, tree), &build->sequence)
             : PCCT_MEMORY;
  base->stages[STAGE_order] += base_clock() - start;
  if (status == PCCT_OK) {
    tree->root = build->sequence[0];
    tree->level[tree->root] = LEVEL_MAX;
    tree->log[tree->nodes++] = tree->root;
    build->members[0] = tree->root;
    build->seen = 1;
  }
  while (status == PCCT_OK && build->seen < count) {
    const local_index size = (local_index)next_size(build);
    build->buckets.capacity = bucket_capacity(tree, (int64_t)build->seen + size);
    status = take_points(build, size, points);
    if (status == PCCT_OK) {
      status = run_batches(build, points, size);
    }
    build->seen += size;
    base_progress(base, build->seen, count);
  }
  base_free(points);
  return status;
}

pcct_status batch_build(struct base *base, const struct tree_points *points, struct tree **out) {
  struct tree *tree = NULL;
  struct build build = {0};
  pcct_status status = tree_create(base, points, &tree);
  if (status == PCCT_OK && points->count > 0) {
    status = build_create(base, tree, &build);
    if (status == PCCT_OK) {
      status = insert_all(&build);
    }
    if (status == PCCT_OK) {
      raise_root(tree);
    }
    build_free(&build);
  }
  if (status != PCCT_OK) {
    tree_destroy(&tree);
  }
  *out = tree;
  return status;
}

/* What the build of a tree that exists already would have kept. */
static void resume(struct build *build) {
  const struct tree *tree = build->tree;
  local_index members = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree_is_node(tree, p)) {
      build->members[members++] = p;
    } else if (tree->level[p] == LEVEL_BUCKET && tree->parent[p] >= 0) {
      build->buckets.bucket[tree->parent[p]].held++;
    }
  }
  build->buckets.capacity = tree->leaf_size <= 1 ? 0 : tree->leaf_size;
}

pcct_status tree_insert(struct base *base, struct tree *tree, const local_index *insert,
                        local_index count) {
  struct build build;
  pcct_status status = build_create(base, tree, &build);
  if (status == PCCT_OK && count > 0) {
    resume(&build);
    if (tree->nodes == 0) {
      status =
          base_fail(base, PCCT_USAGE, "expected a tree with points to insert into, found none");
    }
  }
  if (status == PCCT_OK && count > 0) {
    tree->level[tree->root] = LEVEL_MAX;
    status = run_batches(&build, insert, count);
    raise_root(tree);
  }
  build_free(&build);
  return status;
}
