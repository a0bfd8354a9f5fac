/* Walkers: working memory, choice of the engine, and how a group is best answered. */
#include "walk/engine.h"

#include <omp.h>
#include <string.h>

pcct_status walk_engine_choose(struct base *base, const struct walk_engine **engine) {
  const int wanted = base->settings.isa;
  *engine = &walk_engine_plain;
#if defined(__x86_64__)
  const int avx2 = __builtin_cpu_supports("avx2");
  const int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#else
  const int avx2 = 0;
  const int avx512 = 0;
#endif
  if ((wanted == SETTINGS_ISA_AVX2 && !avx2) || (wanted == SETTINGS_ISA_AVX512 && !avx512)) {
    return base_fail(base, PCCT_USAGE,
                     "setting isa: expected an instruction set of this machine (%s), found %s; use "
                     "auto",
                     avx512 ? "avx512, avx2, plain"
                     : avx2 ? "avx2, plain"
                            : "plain",
                     wanted == SETTINGS_ISA_AVX2 ? "avx2" : "avx512");
  }
#if defined(__x86_64__)
  if (wanted == SETTINGS_ISA_AVX2 || (wanted == SETTINGS_ISA_AUTO && avx2)) {
    *engine = &walk_engine_avx2;
  }
  if (wanted == SETTINGS_ISA_AVX512 || (wanted == SETTINGS_ISA_AUTO && avx512)) {
    *engine = &walk_engine_avx512;
  }
#endif
  return PCCT_OK;
}

static void leaves_free(struct walk_leaves *leaves) {
  base_free(leaves->box);
  base_free(leaves->near);
  base_free(leaves->code);
  base_free(leaves->first);
  base_free(leaves->blocks);
  base_free(leaves->position);
}

static int leaves_create(struct base *base, int dimension, struct walk_leaves *leaves) {
  const int64_t room = WALK_CANDIDATES + VIEW_WIDTH;
  leaves->box = base_allocate(base, 2 * room * dimension, sizeof *leaves->box);
  leaves->near = base_allocate(base, room, sizeof *leaves->near);
  leaves->code = base_allocate(base, room, sizeof *leaves->code);
  leaves->first = base_allocate(base, room, sizeof *leaves->first);
  leaves->blocks = base_allocate(base, room, sizeof *leaves->blocks);
  leaves->position = base_allocate(base, room * VIEW_WIDTH, sizeof *leaves->position);
  return leaves->box && leaves->near && leaves->code && leaves->first && leaves->blocks &&
         leaves->position;
}

static void walker_free(struct walker *walker) {
  base_free(walker->value);
  base_free(walker->slot);
  base_free(walker->best_value);
  base_free(walker->best_slot);
  base_free(walker->key);
  base_free(walker->place);
  base_free(walker->spare);
  base_free(walker->stack);
  leaves_free(&walker->collected);
  leaves_free(&walker->candidates);
  base_free(walker->distance);
  base_free(walker->order);
  base_free(walker->own);
  base_free(walker->made.pairs);
  base_free(walker->found);
}

/* Room beyond the flush: a run of blocks, and the whole vectors that appending writes. */
static pcct_status walker_create(struct base *base, const struct walk_engine *engine,
                                 const struct view *view, int64_t k, struct walker *walker) {
  const int64_t run = (WALK_RUN + VIEW_WIDTH - 1) * VIEW_WIDTH;
  const int64_t stack = (view->depth + 2) * VIEW_WIDTH;
  const int64_t leaves = WALK_CANDIDATES + 2 * VIEW_WIDTH;
  *walker = (struct walker){.engine = engine,
                            .view = view,
                            .most = k,
                            .dense = base->settings.frontier_dense_threshold,
                            .slot_bits = 8};
  walker->flush = k <= WALK_SMALL / 2 ? 48 : k <= WALK_SMALL ? 100 : k + k / 2 + 64;
  while ((INT64_C(1) << walker->slot_bits) <= walker->flush + run) {
    walker->slot_bits++;
  }
  walker->capacity = walker->flush + run + 64;
  const int64_t keys = INT64_C(2) << walker->slot_bits;
  walker->value = base_allocate_zero(base, keys, sizeof *walker->value);
  walker->slot = base_allocate(base, walker->capacity, sizeof *walker->slot);
  walker->best_value = base_allocate(base, walker->capacity, sizeof *walker->best_value);
  walker->best_slot = base_allocate(base, walker->capacity, sizeof *walker->best_slot);
  walker->key = base_allocate(base, keys, sizeof *walker->key);
  walker->place = base_allocate(base, walker->capacity, sizeof *walker->place);
  walker->spare = base_allocate(base, walker->capacity, sizeof *walker->spare);
  walker->stack = base_allocate(base, stack, sizeof *walker->stack);
  const int grouped = leaves_create(base, view->dimension, &walker->collected) &&
                      leaves_create(base, view->dimension, &walker->candidates);
  walker->distance = base_allocate_zero(base, leaves, sizeof *walker->distance);
  walker->order = base_allocate(base, leaves, sizeof *walker->order);
  walker->own = base_allocate(base, WALK_GROUP, sizeof *walker->own);
  walker->found = base_allocate(base, 2 * k, sizeof *walker->found);
  walker_restart(walker);
  return walker->value && walker->slot && walker->best_value && walker->best_slot && walker->key &&
                 walker->place && walker->spare && walker->stack && grouped && walker->distance &&
                 walker->order && walker->own && walker->found
             ? PCCT_OK
             : PCCT_MEMORY;
}

/* Bounds of all points of a view. */
static void view_extent(const struct view *view, double *lower, double *upper) {
  for (int j = 0; j < view->dimension; j++) {
    lower[j] = INFINITY;
    upper[j] = -INFINITY;
    if (view->root >= 0) {
      const double *box = view_box(view, view->root, j);
      for (int i = 0; i < VIEW_WIDTH; i++) {
        lower[j] = fmin(lower[j], box[i]);
        upper[j] = fmax(upper[j], box[VIEW_WIDTH + i]);
      }
    }
  }
}

/* Makes the shadow of a view where it pays. */
static pcct_status shadow_create(struct base *base, const struct view *view, int64_t queries,
                                 struct walk_shadow *shadow) {
  const int d = view->dimension;
  const int64_t pairs = ((int64_t)view->blocks + 1) / 2;
  const int64_t stride = (int64_t)d * VIEW_WIDTH;
  double lower[WALK_AXES];
  double upper[WALK_AXES];
  double extent = 0;
  int exponent = 0;
  if (view->metric.kind != METRIC_EUCLIDEAN || d < WALK_SPARSE || view->points == 0 ||
      view->root < 0 || queries < view->points / WALK_SHADOW_SHARE) {
    return PCCT_OK;
  }
  shadow->pairs = base_allocate(base, pairs * 2 * stride, sizeof *shadow->pairs);
  if (!shadow->pairs) {
    return PCCT_MEMORY;
  }
  view_extent(view, lower, upper);
  for (int j = 0; j < d; j++) {
    shadow->origin[j] = 0.5 * lower[j] + 0.5 * upper[j];
    extent = fmax(extent, fmax(upper[j] - shadow->origin[j], shadow->origin[j] - lower[j]));
  }
  frexp(extent, &exponent);
  shadow->scale = ldexp(1, exponent < -1000 ? 1000 : -exponent);
#pragma omp parallel for schedule(static)                                                          \
    num_threads(base->threads) if (view->points >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < 2 * pairs * d; i++) { /* by pair, axis, block */
    const int64_t block = i / (2 * d) * 2 + i % 2;
    const int64_t axis = i / 2 % d;
    for (int l = 0; l < VIEW_WIDTH; l++) {
      const double x = block < view->blocks
                           ? view->coordinates[block * stride + axis * VIEW_WIDTH + l]
                           : INFINITY;
      shadow->pairs[i * VIEW_WIDTH + l] = (float)((x - shadow->origin[axis]) * shadow->scale);
    }
  }
  return PCCT_OK;
}

pcct_status walkers_look_at(struct base *base, struct walker *walkers, const struct view *view,
                            int64_t queries) {
  struct walk_shadow *shadow = &walkers[0].made;
  base_free(shadow->pairs);
  *shadow = (struct walk_shadow){0};
  const pcct_status status = shadow_create(base, view, queries, shadow);
  for (int t = 0; t < base->threads; t++) {
    walkers[t].view = view;
    walkers[t].shadow = shadow->pairs ? shadow : NULL;
    walker_restart(&walkers[t]);
  }
  return status;
}

pcct_status walkers_create(struct base *base, const struct view *view, int64_t queries, int64_t k,
                           struct walker **walkers) {
  const struct walk_engine *engine;
  pcct_status status = walk_engine_choose(base, &engine);
  *walkers = NULL;
  if (status != PCCT_OK) {
    return status;
  }
  *walkers = base_allocate_zero(base, base->threads, sizeof **walkers);
  status = *walkers ? PCCT_OK : PCCT_MEMORY;
  for (int t = 0; t < base->threads && status == PCCT_OK; t++) {
    status = walker_create(base, engine, view, k + 1, &(*walkers)[t]);
  }
  if (status == PCCT_OK) {
    status = walkers_look_at(base, *walkers, view, queries);
  }
  if (status != PCCT_OK) {
    walkers_destroy(base, walkers);
  }
  return status;
}

void walkers_destroy(struct base *base, struct walker **walkers) {
  if (!walkers || !*walkers) {
    return;
  }
  for (int t = 0; t < base->threads; t++) {
    struct walker *walker = &(*walkers)[t];
    base->counters[COUNTER_query_distances] += walker->distances;
    base->counters[COUNTER_query_nodes] += walker->nodes;
    base->counters[COUNTER_query_leaves] += walker->leaves;
    walker_free(walker);
  }
  base_free(*walkers);
  *walkers = NULL;
}

void walker_restart(struct walker *walker) {
  walker->solved_count = 0;
  walker->solved_next = 0;
  walker->previous_radius = INFINITY;
  walker->previous_floor = INT64_MIN;
}

/* A bound by the triangle inequality. A solved query of no larger limit had k points that are admissible
 * here too, except perhaps the excluded one; then the solved point itself takes its place. */
static double first_bound(const struct walker *walker, const struct walk_query *query) {
  const struct metric *metric = &walker->view->metric;
  double best = INFINITY;
  for (int i = 0; i < walker->solved_count; i++) {
    const struct walk_solved *solved = &walker->solved[i];
    if (solved->limit <= query->limit) {
      const double value = metric_value(metric, query->point, solved->point);
      const double reach = metric_root_up(metric->kind, value + 0x1p-1067) + solved->radius;
      best = reach < best ? reach : best;
    }
  }
  return metric_power_up(metric->kind, best * (1 + METRIC_SLACK)) + 0x1p-1067;
}

void walker_answer(struct walker *walker, const struct walk_query *query, int64_t k,
                   const struct walk_rows *rows, int64_t row) {
  const double bound = first_bound(walker, query);
  struct walk_query bounded = *query;
  if (bound < query->cutoff) {
    bounded.cutoff = bound;
    bounded.cutoff_position = INT64_MAX;
  }
  walker->engine->nearest(walker, &bounded, k);
  walker->engine->put(walker, rows, row);
  if (walker->best_count == k) {
    const struct metric *metric = &walker->view->metric;
    struct walk_solved *solved = &walker->solved[walker->solved_next];
    memcpy(solved->point, query->point, (size_t)walker->view->dimension * sizeof(double));
    solved->limit = query->limit;
    solved->radius = metric_root_up(metric->kind, walker->best_value[k - 1] + 0x1p-1067);
    walker->solved_next = (walker->solved_next + 1) % WALK_WINDOW;
    walker->solved_count += walker->solved_count < WALK_WINDOW;
  }
}

/* One after the other. */
void walker_answer_singly(struct walker *walker, const struct walk_group *group, int64_t k,
                          const struct walk_rows *rows) {
  const int d = walker->view->dimension;
  double point[WALK_AXES];
  for (uint64_t asked = group->asked; asked; asked &= asked - 1) {
    const int i = __builtin_ctzll(asked);
    for (int j = 0; j < d; j++) {
      point[j] = group->blocks[((int64_t)(i / VIEW_WIDTH) * d + j) * VIEW_WIDTH + i % VIEW_WIDTH];
    }
    struct walk_query query = {point, group->limit[i], -1, group->cutoff[i],
                               group->cutoff_position[i]};
    if (group->leaf >= 0 && !group->predecessors) {
      query.excluded =
          walker->view->position[(int64_t)walker->view->leaf_block[group->leaf] * VIEW_WIDTH + i];
    }
    walker_answer(walker, &query, k, rows, group->row[i]);
  }
}

static int64_t slot_position(const struct walker *walker, int64_t slot) {
  return walker->view->position[slot];
}

/* A leaf whose points are all at one location: they see the same distances, so that one search serves them
 * all. Its k + 1 best less the query itself are the query's answer; for predecessors its k best, if they are
 * all at this location and come before the query. */
static void answer_coincident(struct walker *walker, const struct walk_group *group, int64_t k,
                              const struct walk_rows *rows) {
  const struct view *view = walker->view;
  const int d = view->dimension;
  const int64_t first = (int64_t)view->leaf_block[group->leaf] * VIEW_WIDTH;
  struct candidate *found = walker->found;
  struct walk_group alone = *group;
  double point[WALK_AXES];
  for (int j = 0; j < d; j++) {
    point[j] = group->blocks[(int64_t)j * VIEW_WIDTH];
  }
  const struct walk_query query = {point, INT64_MAX, -1, INFINITY, INT64_MAX};
  walker->engine->nearest(walker, &query, k + !group->predecessors);
  const int64_t count = walker->best_count;
  for (int64_t e = 0; e < count; e++) {
    found[e] =
        (struct candidate){walker->best_value[e], slot_position(walker, walker->best_slot[e])};
  }
  const struct candidate last = found[count - 1];
  const int all_here = count == k && last.value == found[0].value;
  for (uint64_t asked = group->asked; asked; asked &= asked - 1) {
    const int i = __builtin_ctzll(asked);
    const int64_t self = slot_position(walker, first + i);
    if (!group->predecessors) {
      int64_t e = 0;
      while (e < count && found[e].position != self) {
        e++;
      }
      struct candidate *rest = found + walker->most;
      memcpy(rest, found, (size_t)e * sizeof *rest);
      if (e < count) {
        memcpy(rest + e, found + e + 1, (size_t)(count - 1 - e) * sizeof *rest);
      }
      walk_rows_put(rows, group->row[i], rest, count < k + 1 ? count - 1 : k);
    } else if (all_here && self > last.position) {
      walk_rows_put(rows, group->row[i], found, k);
    } else {
      alone.asked = UINT64_C(1) << i;
      walker_answer_singly(walker, &alone, k, rows);
    }
  }
}

void walker_answer_group(struct walker *walker, const struct walk_group *group, int64_t k,
                         const struct walk_rows *rows) {
  enum walk_group_result result = walker->engine->group(walker, group, k, rows);
  if (result == WALK_GROUP_COINCIDENT && group->leaf >= 0) {
    answer_coincident(walker, group, k, rows);
  } else if (result != WALK_GROUP_DONE) {
    walker_answer_singly(walker, group, k, rows);
  }
}
