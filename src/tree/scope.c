/* Scopes: where the tree so far stops batch points from taking a level. */
#include "tree/batch.h"

#include <omp.h>

#include <string.h>

/* Neighbouring points that share one search, the candidates they may have together, and the groups that one
 * thread takes at a time. */
enum { GROUP = 32, CANDIDATES = 256, CHUNK = 32 };

/* Working memory of one thread. */
struct scope {
  const struct tree *tree;
  const struct frame *frame;
  struct batch *batch;
  double *coordinates; /* [dimension][CANDIDATES] of the candidates */
  double *cover_value; /* [CANDIDATES] kernel value within which a candidate covers; -1: padding */
  double *value;       /* [CANDIDATES] */
  double *lower;       /* [CANDIDATES] no point of the group is nearer */
  double *centre;      /* [dimension] */
  local_index place[CANDIDATES];
  int candidates;
  local_index hint; /* a node near the last group */
  int64_t evaluations;
} __attribute__((aligned(BASE_APART)));

static double cover_value(const struct scope *scope, local_index place) {
  const struct tree *tree = scope->tree;
  const local_index p = scope->frame->point[place];
  return p == tree->root ? INFINITY : metric_level_value(tree->points.metric->kind, tree->level[p]);
}

/* Centre and radius of batch points first..last-1; rounded outward. */
static inline __attribute__((always_inline)) double measure_group(const enum metric_kind kind,
                                                                  const int d, struct scope *scope,
                                                                  local_index first,
                                                                  local_index last) {
  const struct tree_points *points = &scope->tree->points;
  double largest = 0;
  if (kind == METRIC_USER) {
    memcpy(scope->centre,
           points->coordinates + (int64_t)scope->batch->point[(first + last) / 2] * d,
           (size_t)d * sizeof(double));
  } else {
    for (int j = 0; j < d; j++) {
      double lower = INFINITY;
      double upper = -INFINITY;
      for (local_index q = first; q < last; q++) {
        const double x = points->coordinates[(int64_t)scope->batch->point[q] * d + j];
        lower = x < lower ? x : lower;
        upper = x > upper ? x : upper;
      }
      scope->centre[j] = 0.5 * lower + 0.5 * upper;
    }
  }
  for (local_index q = first; q < last; q++) {
    const double value = metric_kernel(kind, d, points->metric, scope->centre,
                                       points->coordinates + (int64_t)scope->batch->point[q] * d);
    largest = value > largest ? value : largest;
  }
  scope->evaluations += last - first;
  return metric_root_up(kind, largest);
}

/* Collects every node that may be the nearest covering one of a point within `radius` of the centre: a scan
 * of the frame that skips subtrees too far to cover or to improve on a node that covers the whole group.
 * Returns 0 if there are too many. */
static inline __attribute__((always_inline)) int
collect_candidates(const enum metric_kind kind, const int d, struct scope *scope, double radius) {
  const struct frame *frame = scope->frame;
  const struct metric *metric = scope->tree->points.metric;
  double bound = INFINITY; /* some node covers every point of the group within this distance */
  local_index t = 0;
  scope->candidates = 0;
  if (scope->hint >= 0) {
    const double value = metric_kernel(kind, d, metric, scope->centre,
                                       frame->coordinates + (int64_t)scope->hint * d);
    const double upper = (metric_root_up(kind, value) + radius) * (1 + METRIC_SLACK);
    bound = upper <= frame->node[scope->hint].cover ? upper : INFINITY;
  }
  while (t < frame->count) {
    const struct frame_node node = frame->node[t];
    const double value =
        metric_kernel(kind, d, metric, scope->centre, frame->coordinates + (int64_t)t * d);
    const double root = kind == METRIC_EUCLIDEAN ? sqrt(value) : value;
    const double lower = (root - radius) - root * (2 * METRIC_SLACK);
    scope->evaluations++;
    if (lower <= node.cover && lower <= bound) {
      if (scope->candidates == CANDIDATES) {
        return 0;
      }
      const double upper = (root + radius) * (1 + 2 * METRIC_SLACK);
      scope->place[scope->candidates] = t;
      scope->lower[scope->candidates++] = lower;
      bound = upper <= node.cover && upper < bound ? upper : bound;
    }
    const double reach = node.child_radius < bound ? node.child_radius : bound;
    t = lower > (node.radius + reach) * (1 + METRIC_SLACK) ? node.end : t + 1;
  }
  int kept = 0;
  for (int c = 0; c < scope->candidates; c++) {
    if (scope->lower[c] <= bound) {
      scope->place[kept++] = scope->place[c];
    }
  }
  scope->candidates = kept;
  return 1;
}

/* Lays the candidates out axis by axis, padded to whole vectors by ones that cover nothing. */
static void gather_candidates(struct scope *scope) {
  const int d = scope->tree->points.metric->dimension;
  const int padded = (scope->candidates + 7) / 8 * 8;
  for (int c = 0; c < padded; c++) {
    const local_index place = scope->place[c < scope->candidates ? c : 0];
    scope->cover_value[c] = c < scope->candidates ? cover_value(scope, place) : -1;
    for (int j = 0; j < d; j++) {
      scope->coordinates[j * CANDIDATES + c] = scope->frame->coordinates[(int64_t)place * d + j];
    }
  }
}

/* Kernel values of all candidates; the same operations in the same order as metric_kernel. */
static inline __attribute__((always_inline)) void candidate_values(const enum metric_kind kind,
                                                                   const int d, struct scope *scope,
                                                                   const double *point) {
  const int padded = (scope->candidates + 7) / 8 * 8;
  double *value = scope->value;
  for (int c = 0; c < padded; c++) {
    value[c] = 0;
  }
  if (kind == METRIC_USER) {
    for (int c = 0; c < scope->candidates; c++) {
      value[c] = metric_kernel(kind, d, scope->tree->points.metric, point,
                               scope->frame->coordinates + (int64_t)scope->place[c] * d);
    }
    return;
  }
  for (int j = 0; j < d; j++) {
    const double *axis = scope->coordinates + j * CANDIDATES;
    const double x = point[j];
    for (int c = 0; c < padded; c++) {
      const double difference = x - axis[c];
      if (kind == METRIC_EUCLIDEAN) {
        value[c] += difference * difference;
      } else if (kind == METRIC_MANHATTAN) {
        value[c] += fabs(difference);
      } else {
        value[c] = fabs(difference) > value[c] ? fabs(difference) : value[c];
      }
    }
  }
}

static void set_answer(const struct scope *scope, local_index q, local_index place, double value) {
  const struct metric *metric = scope->tree->points.metric;
  scope->batch->parent[q] = scope->frame->point[place];
  scope->batch->parent_value[q] = value;
  scope->batch->level[q] =
      (int16_t)(value >= metric_least(metric->kind) ? metric_level(metric->kind, value) - 1
                                                    : LEVEL_DUPLICATE);
}

/* The nearest covering candidate of one point: smallest kernel value, ties by insertion rank. */
static inline __attribute__((always_inline)) void
answer_point(const enum metric_kind kind, const int d, struct scope *scope, local_index q) {
  const struct tree *tree = scope->tree;
  const int padded = (scope->candidates + 7) / 8 * 8;
  const double *point = tree->points.coordinates + (int64_t)scope->batch->point[q] * d;
  double nearest = INFINITY;
  double lane[8]; /* the nearest of every eighth candidate */
  local_index best = -1;
  candidate_values(kind, d, scope, point);
  for (int i = 0; i < 8; i++) {
    lane[i] = INFINITY;
  }
  for (int c = 0; c < padded; c += 8) {
    for (int i = 0; i < 8; i++) {
      const double value = scope->value[c + i];
      const double covering = value <= scope->cover_value[c + i] ? value : INFINITY;
      lane[i] = covering < lane[i] ? covering : lane[i];
    }
  }
  for (int i = 0; i < 8; i++) {
    nearest = lane[i] < nearest ? lane[i] : nearest;
  }
  for (int c = 0; c < scope->candidates; c++) {
    if (scope->value[c] == nearest && nearest <= scope->cover_value[c]) {
      const local_index place = scope->place[c];
      if (best < 0 || tree_before(tree, scope->frame->point[place], scope->frame->point[best])) {
        best = place;
      }
    }
  }
  scope->evaluations += scope->candidates;
  scope->hint = best;
  set_answer(scope, q, best, nearest);
}

/* One point on its own, where a group has too many candidates: the same scan for radius 0 that keeps the
 * best node alone. */
static inline __attribute__((always_inline)) void
search_point(const enum metric_kind kind, const int d, struct scope *scope, local_index q) {
  const struct frame *frame = scope->frame;
  const struct tree *tree = scope->tree;
  const double *point = tree->points.coordinates + (int64_t)scope->batch->point[q] * d;
  double nearest = INFINITY;
  double distance = INFINITY;
  local_index best = -1;
  local_index t = 0;
  while (t < frame->count) {
    const struct frame_node node = frame->node[t];
    const double value =
        metric_kernel(kind, d, tree->points.metric, point, frame->coordinates + (int64_t)t * d);
    const double lower = metric_root_down(kind, value);
    scope->evaluations++;
    if (value <= nearest && lower <= node.cover && value <= cover_value(scope, t) &&
        (best < 0 || value < nearest || tree_before(tree, frame->point[t], frame->point[best]))) {
      nearest = value;
      distance = metric_root_up(kind, value);
      best = t;
    }
    const double reach = node.child_radius < distance ? node.child_radius : distance;
    t = lower > (node.radius + reach) * (1 + METRIC_SLACK) ? node.end : t + 1;
  }
  scope->hint = best;
  set_answer(scope, q, best, nearest);
}

static inline __attribute__((always_inline)) void answer_group(const enum metric_kind kind,
                                                               const int d, struct scope *scope,
                                                               local_index first,
                                                               local_index last) {
  const double radius = measure_group(kind, d, scope, first, last);
  if (collect_candidates(kind, d, scope, radius)) {
    gather_candidates(scope);
    for (local_index q = first; q < last; q++) {
      answer_point(kind, d, scope, q);
    }
  } else {
    for (local_index q = first; q < last; q++) {
      search_point(kind, d, scope, q);
    }
  }
}

__attribute__((target_clones("avx512f", "avx2", "default"))) static void
answer_groups(struct scope *scope, local_index first, local_index last) {
  for (local_index q = first; q < last; q += GROUP) {
    const local_index end = q + GROUP < last ? q + GROUP : last;
#define ANSWER(kind, d) answer_group(kind, d, scope, q, end)
    METRIC_SPECIALISE(scope->tree->points.metric, ANSWER);
#undef ANSWER
  }
}

static int is_wrong_duplicate(const struct tree *tree, const struct batch *batch, local_index q) {
  const int d = tree->points.metric->dimension;
  return batch->level[q] == LEVEL_DUPLICATE &&
         (batch->parent_value[q] > 0 ||
          memcmp(tree->points.coordinates + (int64_t)batch->point[q] * d,
                 tree->points.coordinates + (int64_t)batch->parent[q] * d,
                 (size_t)d * sizeof(double)) != 0);
}

pcct_status scope_find(struct base *base, const struct tree *tree, const struct frame *frame,
                       struct batch *batch, local_index first) {
  const int d = tree->points.metric->dimension;
  const int64_t apart = BASE_APART / (int64_t)sizeof(double);
  const int64_t doubles = ((int64_t)(d + 3) * CANDIDATES + d + apart - 1) / apart * apart + apart;
  const local_index step = GROUP * CHUNK;
  const local_index chunks = (batch->count - first + step - 1) / step;
  const int team = batch->count - first >= BASE_PARALLEL_MIN ? base->threads : 1;
  local_index bad = batch->count;
  int64_t evaluations = 0;
  struct scope *scopes = base_allocate(base, team, sizeof *scopes);
  double *memory = base_allocate(base, team * doubles, sizeof *memory);
  if (!scopes || !memory) {
    base_free(scopes);
    base_free(memory);
    return PCCT_MEMORY;
  }
  /* New memory is handed out page by page, and a page holds many chunks: threads that take turns at chunks would
   * wait for each other. */
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
  for (local_index q = first; q < batch->count; q++) {
    batch->parent[q] = -1;
    batch->parent_value[q] = 0;
    batch->level[q] = 0;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(team) reduction(+ : evaluations)         \
    reduction(min : bad)
  for (local_index c = 0; c < chunks; c++) {
    const local_index from = first + c * step;
    const local_index to = batch->count - from < step ? batch->count : from + step;
    const int thread = omp_get_thread_num();
    double *own = memory + thread * doubles;
    struct scope *scope = &scopes[thread];
    scope->tree = tree;
    scope->frame = frame;
    scope->batch = batch;
    scope->coordinates = own;
    scope->cover_value = own + d * CANDIDATES;
    scope->value = scope->cover_value + CANDIDATES;
    scope->lower = scope->value + CANDIDATES;
    scope->centre = scope->lower + CANDIDATES;
    scope->hint = -1;
    scope->evaluations = 0;
    answer_groups(scope, from, to);
    evaluations += scope->evaluations;
    for (local_index q = from; q < to; q++) {
      bad = q < bad && is_wrong_duplicate(tree, batch, q) ? q : bad;
    }
  }
  base->counters[COUNTER_build_distances] += evaluations;
  base_free(scopes);
  base_free(memory);
  return bad < batch->count
             ? tree_too_close(base, &tree->points, batch->point[bad], batch->parent[bad])
             : PCCT_OK;
}
