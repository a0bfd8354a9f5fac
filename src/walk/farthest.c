/* Farthest-first selection: state, and work spread over threads. */
#include "walk/farthest_engine.h"

#include <omp.h>
#include <string.h>

enum {
  PARTS_PER_THREAD = 64, /* subtrees at least, if there are so many */
  FEW = 128              /* selected points that one thread sees to */
};

/* Whether a is first of both. */
static int comes_first(const struct walk_farthest *state, const struct walk_below *a,
                       const struct walk_below *b) {
  return b->first < 0 ||
         (state->rule == WALK_NET
              ? a->position < b->position
              : a->value > b->value || (a->value == b->value && a->position < b->position));
}

struct walk_below walk_farthest_join(const struct walk_farthest *state, local_index node) {
  struct walk_below below = {-1, -1, INT64_MAX, -1};
  for (int i = 0; i < VIEW_WIDTH; i++) {
    const int64_t place = (int64_t)node * VIEW_WIDTH + i;
    const struct walk_below child = {state->reach[place], state->first_value[place],
                                     state->first_position[place], state->first[place]};
    const double reach = child.reach > below.reach ? child.reach : below.reach;
    if (child.first >= 0 && comes_first(state, &child, &below)) {
      below = child;
    }
    below.reach = reach;
  }
  return below;
}

void walk_farthest_put(struct walk_farthest *state, int64_t place, const struct walk_below *below) {
  state->reach[place] = below->reach;
  state->first_value[place] = below->value;
  state->first_position[place] = below->position;
  state->first[place] = below->first;
}

void walk_farthest_point(const struct walk_farthest *state, local_index slot, double *point) {
  const int d = state->view->dimension;
  const double *block = state->view->coordinates + (int64_t)(slot / VIEW_WIDTH) * d * VIEW_WIDTH;
  for (int j = 0; j < d; j++) {
    point[j] = block[j * VIEW_WIDTH + slot % VIEW_WIDTH];
  }
}

static const struct walk_farthest_engine *choose_engine(const struct walk_engine *engine) {
#if defined(__x86_64__)
  if (engine == &walk_engine_avx512) {
    return &walk_farthest_avx512;
  }
  if (engine == &walk_engine_avx2) {
    return &walk_farthest_avx2;
  }
#endif
  (void)engine;
  return &walk_farthest_plain;
}

/* Goes down breadth first until there are subtrees enough. */
static void cut_parts(struct walk_farthest *state, int wanted) {
  enum { OPENED = -2 };
  const struct view *view = state->view;
  int leaves = 0;
  int known = 1; /* nodes known, of which the first `uppers` are opened */
  state->upper[0] = view->root;
  state->upper_place[0] = -1;
  while (state->uppers < known && known - state->uppers + leaves < wanted) {
    const int64_t place = (int64_t)state->upper[state->uppers++] * VIEW_WIDTH;
    for (int i = 0; i < VIEW_WIDTH; i++) {
      if (view->largest[place + i] >= 0 && view->child[place + i] >= 0) {
        state->upper[known] = view->child[place + i];
        state->upper_place[known++] = (local_index)(place + i);
      }
      leaves += view->largest[place + i] >= 0 && view->child[place + i] < 0;
    }
  }
  for (int u = 1; u < state->uppers; u++) {
    state->part_of[state->upper_place[u]] = OPENED;
  }
  for (int u = 0; u < state->uppers; u++) {
    const local_index place = state->upper[u] * VIEW_WIDTH;
    for (local_index i = place; i < place + VIEW_WIDTH; i++) {
      if (state->part_of[i] == OPENED) {
        state->part_of[i] = -1;
      } else if (view->largest[i] >= 0) {
        state->part_of[i] = state->parts;
        state->part[state->parts++] = i;
      }
    }
  }
}

static pcct_status create_threads(struct base *base, struct walk_farthest *state) {
  state->thread = base_allocate_zero(base, base->threads, sizeof *state->thread);
  for (int t = 0; state->thread && t < base->threads; t++) {
    state->thread[t].stack =
        base_allocate(base, (state->view->depth + 2) * VIEW_WIDTH, sizeof(local_index));
    state->thread[t].found = base_allocate(base, state->view->blocks, sizeof(local_index));
    if (!state->thread[t].stack || !state->thread[t].found) {
      return PCCT_MEMORY;
    }
  }
  return state->thread ? PCCT_OK : PCCT_MEMORY;
}

static void find_ways_up(struct walk_farthest *state) {
  const struct view *view = state->view;
  if (view->points > 0) {
    *(view->root >= 0 ? &state->node_place[view->root] : &state->leaf_place[~view->root]) = -1;
  }
  for (local_index i = 0; i < view->nodes * VIEW_WIDTH; i++) {
    if (view->largest[i] >= 0) {
      const local_index code = view->child[i];
      *(code >= 0 ? &state->node_place[code] : &state->leaf_place[~code]) = i;
    }
  }
  for (local_index leaf = 0; leaf < view->leaves; leaf++) {
    for (local_index b = view->leaf_block[leaf]; b < view->leaf_block[leaf + 1]; b++) {
      state->block_leaf[b] = leaf;
    }
  }
}

pcct_status walk_farthest_create(struct base *base, const struct view *view, const int64_t *group,
                                 struct walk_farthest *state) {
  const int64_t places = (int64_t)view->nodes * VIEW_WIDTH;
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  const int wanted = PARTS_PER_THREAD * base->threads;
  const struct walk_engine *engine;
  *state =
      (struct walk_farthest){.view = view, .group = group, .rule = WALK_NET, .radius = INFINITY};
  pcct_status status = walk_engine_choose(base, &engine);
  if (status != PCCT_OK) {
    return status;
  }
  if (slots > INT32_MAX) {
    return base_fail(base, PCCT_MEMORY,
                     "one rank would order %lld points; expected at most %d: use more ranks",
                     (long long)view->points, INT32_MAX / 2);
  }
  state->engine = choose_engine(engine);
  state->value = base_allocate(base, slots, sizeof *state->value);
  state->reach = base_allocate(base, places, sizeof *state->reach);
  state->first_value = base_allocate(base, places, sizeof *state->first_value);
  state->first_position = base_allocate(base, places, sizeof *state->first_position);
  state->first = base_allocate(base, places, sizeof *state->first);
  state->witness = base_allocate(base, view->blocks, sizeof *state->witness);
  state->part = base_allocate(base, (int64_t)wanted * VIEW_WIDTH, sizeof *state->part);
  state->upper = base_allocate(base, (int64_t)wanted * VIEW_WIDTH, sizeof *state->upper);
  state->upper_place =
      base_allocate(base, (int64_t)wanted * VIEW_WIDTH, sizeof *state->upper_place);
  state->part_of = base_allocate(base, places, sizeof *state->part_of);
  state->node_place = base_allocate(base, view->nodes, sizeof *state->node_place);
  state->leaf_place = base_allocate(base, view->leaves, sizeof *state->leaf_place);
  state->block_leaf = base_allocate(base, view->blocks, sizeof *state->block_leaf);
  status = create_threads(base, state);
  if (status != PCCT_OK || !state->value || !state->reach || !state->first_value ||
      !state->first_position || !state->first || !state->witness || !state->part || !state->upper ||
      !state->upper_place || !state->part_of || !state->node_place || !state->leaf_place ||
      !state->block_leaf) {
    return PCCT_MEMORY;
  }
  find_ways_up(state);
  for (int64_t s = 0; s < slots; s++) {
    state->value[s] = view->position[s] < INT64_MAX ? INFINITY : -1;
  }
  for (int64_t i = 0; i < places; i++) {
    const struct walk_below below = {view->largest[i] >= 0 ? INFINITY : -1, -1, INT64_MAX, -1};
    walk_farthest_put(state, i, &below);
    state->part_of[i] = -1;
  }
  for (int64_t b = 0; b < view->blocks; b++) {
    state->witness[b] = -1;
  }
  state->all = (struct walk_below){view->points > 0 ? INFINITY : -1, -1, INT64_MAX, -1};
  if (view->points > 0 && view->root >= 0) {
    cut_parts(state, wanted);
  }
  return PCCT_OK;
}

void walk_farthest_clear(struct base *base, struct walk_farthest *state) {
  for (int t = 0; state->thread && t < base->threads; t++) {
    state->distances += state->thread[t].distances;
    base_free(state->thread[t].stack);
    base_free(state->thread[t].found);
    base_free(state->thread[t].list);
    base_free(state->thread[t].mask);
  }
  base->counters[COUNTER_ordering_distances] += state->distances;
  base_free(state->thread);
  base_free(state->value);
  base_free(state->reach);
  base_free(state->first_value);
  base_free(state->first_position);
  base_free(state->first);
  base_free(state->witness);
  base_free(state->part);
  base_free(state->upper);
  base_free(state->upper_place);
  base_free(state->part_of);
  base_free(state->node_place);
  base_free(state->leaf_place);
  base_free(state->block_leaf);
  base_free(state->found);
  *state = (struct walk_farthest){0};
}

/* Joins the nodes above the parts. */
static void join_upper(struct walk_farthest *state) {
  for (int u = state->uppers - 1; u >= 0; u--) {
    state->all = walk_farthest_join(state, state->upper[u]);
    if (u > 0) {
      walk_farthest_put(state, state->upper_place[u], &state->all);
    }
  }
}

/* Looks at all points again. */
static void scan_all(struct base *base, struct walk_farthest *state) {
  const double threshold = state->rule == WALK_NET ? state->radius : 0;
  if (state->parts == 0) {
    state->all = state->engine->scan(state, state->view->root);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(base->threads) if (state->view->points >= BASE_PARALLEL_MIN)
  for (int p = 0; p < state->parts; p++) {
    const local_index place = state->part[p];
    if (state->reach[place] > threshold) {
      const struct walk_below below = state->engine->scan(state, state->view->child[place]);
      walk_farthest_put(state, place, &below);
    }
  }
  join_upper(state);
}

/* Lets a leaf's first point be known all the way up, as far as it is first. */
static void announce(struct walk_farthest *state, local_index leaf) {
  struct walk_below below = state->engine->scan(state, ~leaf);
  local_index place = state->leaf_place[leaf];
  while (below.first >= 0 && place >= 0) {
    const struct walk_below there = {state->reach[place], state->first_value[place],
                                     state->first_position[place], state->first[place]};
    if (!comes_first(state, &below, &there)) {
      return;
    }
    below.reach = there.reach;
    walk_farthest_put(state, place, &below);
    place = state->node_place[place / VIEW_WIDTH];
  }
  if (below.first >= 0 && comes_first(state, &below, &state->all)) {
    below.reach = state->all.reach;
    state->all = below;
  }
}

void walk_farthest_begin(struct base *base, struct walk_farthest *state,
                         enum walk_farthest_rule rule, double radius, int64_t active,
                         const local_index *slots, int64_t count) {
  state->rule = rule;
  state->radius = radius;
  state->active = active;
  if (!slots) {
    if (state->view->points > 0) {
      scan_all(base, state);
    }
    return;
  }
  local_index last = -1;
  for (int64_t i = 0; i < count; i++) {
    const local_index leaf = state->block_leaf[slots[i] / VIEW_WIDTH];
    if (leaf != last) {
      announce(state, leaf);
      last = leaf;
    }
  }
}

pcct_status walk_farthest_free(struct base *base, struct walk_farthest *state) {
  const struct view *view = state->view;
  struct walk_farthest_task *tasks = NULL;
  int count = 0;
  state->found_count = 0;
  if (state->all.first < 0) {
    return PCCT_OK;
  }
  if (base->threads > 1 && state->parts > 0) {
    tasks = base_allocate(base, state->parts, sizeof *tasks);
    if (!tasks) {
      return PCCT_MEMORY;
    }
  }
  for (int t = 0; t < base->threads; t++) {
    state->thread[t].found_count = 0;
  }
  /* A root that is a node looks at its children's first points, one of which is its own. */
  state->engine->look(state, &state->thread[0], view->root, -1, tasks, &count);
#pragma omp parallel for schedule(dynamic, 1) num_threads(base->threads) if (count > 4)
  for (int i = 0; i < count; i++) {
    const local_index place = state->part[tasks[i].part];
    state->engine->look(state, &state->thread[omp_get_thread_num()], view->child[place],
                        tasks[i].decided, NULL, NULL);
  }
  base_free(tasks);
  int64_t total = 0;
  for (int t = 0; t < base->threads; t++) {
    total += state->thread[t].found_count;
  }
  pcct_status status = base_grow(base, (void **)&state->found, &state->found_capacity, 0, total,
                                 sizeof *state->found);
  for (int t = 0; t < base->threads && status == PCCT_OK; t++) {
    memcpy(state->found + state->found_count, state->thread[t].found,
           (size_t)state->thread[t].found_count * sizeof *state->found);
    state->found_count += state->thread[t].found_count;
  }
  return status;
}

int walk_farthest_blocks(struct walk_farthest *state, const double *point, double value,
                         int64_t position) {
  return state->engine->blocker(state, &state->thread[0], point, value, position) >= 0;
}

void walk_farthest_select(struct walk_farthest *state, local_index slot) {
  const double value = state->value[slot];
  state->value[slot] = state->rule == WALK_NET && value < INFINITY ? -state->radius : -value;
}

/* Room for lists of `count` selected points. */
static pcct_status grow_lists(struct base *base, const struct walk_farthest *state,
                              struct walk_farthest_thread *thread, int64_t count) {
  const int64_t needed = count * (state->view->depth + 2);
  pcct_status status = base_grow(base, (void **)&thread->list, &thread->list_capacity, 0, needed,
                                 sizeof *thread->list);
  return status == PCCT_OK ? base_grow(base, (void **)&thread->mask, &thread->mask_capacity, 0,
                                       needed, sizeof *thread->mask)
                           : status;
}

static pcct_status lower_serial(struct base *base, struct walk_farthest *state,
                                const struct walk_selected *selected) {
  struct walk_farthest_thread *thread = &state->thread[0];
  pcct_status status = grow_lists(base, state, thread, selected->count);
  if (status == PCCT_OK) {
    for (int64_t e = 0; e < selected->count; e++) {
      thread->list[e] = (int32_t)e;
    }
    const struct walk_farthest_list list = {selected, thread->list, selected->count,
                                            thread->list + selected->count, thread->mask};
    state->all = state->engine->lower(state, thread, state->view->root, &list);
  }
  return status;
}

/* Which parts a selected point may lower values of: calls counted[part]++, or puts it into entries. */
static void route(const struct walk_farthest *state, const struct walk_selected *selected,
                  int64_t e, local_index *stack, int32_t *next, int32_t *entries) {
  const struct view *view = state->view;
  int depth = 1;
  stack[0] = view->root;
  while (depth > 0) {
    const local_index node = stack[--depth];
    unsigned near = state->engine->near(state, node, selected->points + e * view->dimension);
    for (; near; near &= near - 1) {
      const int64_t place = (int64_t)node * VIEW_WIDTH + __builtin_ctz(near);
      const int part = state->part_of[place];
      if (part < 0) {
        stack[depth++] = view->child[place];
      } else if (entries) {
        entries[next[part]++] = (int32_t)e;
      } else {
        next[part]++;
      }
    }
  }
}

/* Routes all: entries of part p lie at first[p] .. first[p + 1] - 1, in order. */
static pcct_status route_all(struct base *base, const struct walk_farthest *state,
                             const struct walk_selected *selected, int32_t *first,
                             int32_t **entries) {
  const int threads = base->threads;
  const int parts = state->parts;
  int32_t *next = base_allocate_zero(base, (int64_t)threads * parts, sizeof *next);
  if (!next) {
    return PCCT_MEMORY;
  }
  for (int filling = 0; filling < 2; filling++) {
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
      const int64_t end = selected->count * (t + 1) / threads;
      for (int64_t e = selected->count * t / threads; e < end; e++) {
        route(state, selected, e, state->thread[t].stack, next + (int64_t)t * parts, *entries);
      }
    }
    int32_t total = 0;
    for (int p = 0; p < parts && !filling; p++) {
      first[p] = total;
      for (int t = 0; t < threads; t++) {
        const int32_t here = next[(int64_t)t * parts + p];
        next[(int64_t)t * parts + p] = total;
        total += here;
      }
    }
    if (!filling) {
      first[parts] = total;
      *entries = base_allocate(base, total, sizeof **entries);
      if (!*entries) {
        break;
      }
    }
  }
  base_free(next);
  return *entries ? PCCT_OK : PCCT_MEMORY;
}

static pcct_status lower_parallel(struct base *base, struct walk_farthest *state,
                                  const struct walk_selected *selected) {
  int32_t *entries = NULL;
  int32_t *first = base_allocate(base, state->parts + 1, sizeof *first);
  pcct_status status = first ? route_all(base, state, selected, first, &entries) : PCCT_MEMORY;
  int64_t most = 0;
  for (int p = 0; p < state->parts && status == PCCT_OK; p++) {
    most = first[p + 1] - first[p] > most ? first[p + 1] - first[p] : most;
  }
  for (int t = 0; t < base->threads && status == PCCT_OK; t++) {
    status = grow_lists(base, state, &state->thread[t], most);
  }
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(base->threads)
    for (int p = 0; p < state->parts; p++) {
      struct walk_farthest_thread *thread = &state->thread[omp_get_thread_num()];
      const struct walk_farthest_list list = {selected, entries + first[p], first[p + 1] - first[p],
                                              thread->list, thread->mask};
      if (list.count > 0) {
        const local_index place = state->part[p];
        const struct walk_below below =
            state->engine->lower(state, thread, state->view->child[place], &list);
        walk_farthest_put(state, place, &below);
      }
    }
    join_upper(state);
  }
  base_free(entries);
  base_free(first);
  return status;
}

pcct_status walk_farthest_lower(struct base *base, struct walk_farthest *state,
                                const struct walk_selected *selected) {
  enum { PIECE = 1 << 22 }; /* entries of lists are 32 bits wide */
  const int d = state->view->dimension;
  pcct_status status = PCCT_OK;
  for (int64_t at = 0; at < selected->count && state->all.reach > 0 && status == PCCT_OK;
       at += PIECE) {
    const int64_t left = selected->count - at;
    const struct walk_selected piece = {left < PIECE ? left : PIECE, selected->points + at * d};
    status = base->threads > 1 && piece.count > FEW && state->parts > 0
                 ? lower_parallel(base, state, &piece)
                 : lower_serial(base, state, &piece);
  }
  return status;
}
