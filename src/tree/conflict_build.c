/* Building conflict graphs: what all builders have in common. */
#include "tree/conflict_private.h"

#include <string.h>

/* Up to so many points all pairs are cheaper than bounds. */
enum { DENSE_POINTS = 128 };

/* Segments and points that auto looks at, each with each. */
enum { SAMPLE = 16 };

/* Small budgets do not make chunks smaller than this. */
enum { CHUNK_LEAST = 4096 };

/* The kernel value of every point's radius. */
static pcct_status fill_limits(struct conflict_run *run) {
  const local_index count = run->points->count;
  const int16_t *level = run->points->level;
  const enum metric_kind kind = run->points->metric->kind;
  int lowest = INT16_MAX;
  int highest = INT16_MIN;
  run->limit = base_allocate(run->base, count, sizeof *run->limit);
  for (local_index i = 0; i < count; i++) {
    lowest = level[i] < lowest ? level[i] : lowest;
    highest = level[i] > highest ? level[i] : highest;
  }
  double *value = base_allocate(run->base, (int64_t)highest - lowest + 1, sizeof *value);
  if (!run->limit || !value) {
    base_free(value);
    return PCCT_MEMORY;
  }
  for (int l = lowest; l <= highest; l++) {
    value[l - lowest] = metric_level_value(kind, l);
  }
#pragma omp parallel for schedule(static)                                                          \
    num_threads(run->base->threads) if (count >= BASE_PARALLEL_MIN)
  for (local_index i = 0; i < count; i++) {
    run->limit[i] = value[level[i] - lowest];
  }
  base_free(value);
  return PCCT_OK;
}

/* The set bits of every byte. */
static void fill_positions(struct conflict_run *run) {
  for (int byte = 0; byte < 1 << CONFLICT_WIDTH; byte++) {
    int count = 0;
    for (int bit = 0; bit < CONFLICT_WIDTH; bit++) {
      if (byte >> bit & 1) {
        run->positions[byte][count++] = (uint8_t)bit;
      }
    }
  }
}

/* The builder that auto stands for: all pairs if there are few, or if bounds would rule out hardly any. Looks at
 * some pairs of a segment and a point, evenly spread. */
static pcct_status choose(struct conflict_run *run, enum conflict_builder *builder) {
  *builder = CONFLICT_DENSE;
  if (run->points->count <= DENSE_POINTS) {
    return PCCT_OK;
  }
  pcct_status status = conflict_level_add(run);
  if (status != PCCT_OK) {
    return status;
  }
  const int64_t points = run->points->count;
  const int64_t segments = run->level[0].count;
  int near = 0;
  for (int64_t i = 0; i < SAMPLE; i++) {
    for (int64_t j = 0; j < SAMPLE; j++) {
      near += conflict_point_near(run, (local_index)(i * segments / SAMPLE),
                                  (local_index)(j * points / SAMPLE));
    }
  }
  if (near < SAMPLE * SAMPLE * 7 / 8) {
    *builder = CONFLICT_SEGMENTED;
  }
  return PCCT_OK;
}

/* An entry of a scope can give 64 pairs: a chunk that alone may reach the budget is large enough. */
static int64_t chunk_entries(int64_t target, int64_t budget) {
  const int64_t most = budget / (CONFLICT_WIDTH * CONFLICT_WIDTH);
  const int64_t capped = most < CHUNK_LEAST ? CHUNK_LEAST : most;
  return target < capped ? target : capped;
}

static void free_run(struct conflict_run *run) {
  for (int h = 0; h < run->levels; h++) {
    base_free(run->level[h].first);
    base_free(run->level[h].bounds);
    base_free(run->level[h].block);
    base_free(run->level[h].centre);
    base_free(run->level[h].radius);
    base_free(run->level[h].limit);
    base_free(run->lists[h].offset);
    base_free(run->lists[h].item);
  }
  base_free(run->limit);
  base_free(run->start);
  base_free(run->offset);
  base_free(run->word);
  base_free(run->hash);
  base_free(run->member);
  base_free(run->tally);
  base_free(run->table);
  base_free(run->group);
  base_free(run->group_start);
  base_free(run->slice);
}

static pcct_status run_builder(struct conflict_run *run) {
  enum conflict_builder builder = run->settings->builder;
  fill_positions(run);
  pcct_status status = fill_limits(run);
  if (status == PCCT_OK && builder == CONFLICT_AUTO) {
    status = choose(run, &builder);
  }
  if (status != PCCT_OK) {
    return status;
  }
  switch (builder) {
  case CONFLICT_DENSE:
    return conflict_dense(run);
  case CONFLICT_GRID:
    return conflict_grid(run);
  default:
    return conflict_segmented(run);
  }
}

pcct_status conflict_build(struct base *base, const struct conflict_points *points,
                           const struct conflict_settings *settings, struct conflict_graph *graph) {
  const int64_t count = points->count;
  pcct_status status;
  memset(graph, 0, sizeof *graph);
  if (settings->builder == CONFLICT_GRID && points->metric->kind == METRIC_USER) {
    return base_fail(base, PCCT_USAGE,
                     "the conflict graph builder `grid` needs coordinates, and a user metric has "
                     "none it may use; take auto, segmented or dense");
  }
  struct conflict_run *run = base_allocate_zero(base, 1, sizeof *run);
  if (!run) {
    return PCCT_MEMORY;
  }
  run->base = base;
  run->points = points;
  run->settings = settings;
  run->graph = graph;
  run->budget =
      settings->pairs_budget < INT32_MAX - 1 ? settings->pairs_budget : (int64_t)INT32_MAX - 1;
  run->chunk = chunk_entries(settings->scope_chunk_target, run->budget);
  run->kernel = conflict_kernel_choose(points->metric, base->settings.isa);
  graph->count = points->count;
  graph->row = base_allocate_zero(base, count + 1, sizeof *graph->row);
  status = graph->row ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK && count > 0) {
    status = run_builder(run);
  }
  if (status == PCCT_OK && !graph->neighbor && run->total <= run->budget) {
    graph->neighbor = base_allocate(base, 0, sizeof *graph->neighbor);
    status = graph->neighbor ? PCCT_OK : PCCT_MEMORY;
  }
  base->counters[COUNTER_build_distances] += run->evaluations;
  graph->pairs = run->total;
  if (status != PCCT_OK) {
    conflict_clear(graph);
  } else if (run->total > run->budget) {
    graph->pairs = settings->pairs_budget + 1;
    base_free(graph->row);
    base_free(graph->neighbor);
    graph->row = NULL;
    graph->neighbor = NULL;
  }
  free_run(run);
  base_free(run);
  return status;
}

void conflict_clear(struct conflict_graph *graph) {
  base_free(graph->row);
  base_free(graph->neighbor);
  memset(graph, 0, sizeof *graph);
}
