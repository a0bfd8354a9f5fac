/* Sweeps over queries, leaf by leaf. */
#include "walk/sweep.h"

#include "base/sort.h"
#include "walk/engine.h"

#include <omp.h>
#include <string.h>

enum {
  CHUNK = 8,        /* bundles that a thread takes at a time: fixed, whatever the threads */
  REPORT = 1 << 12, /* bundles between two reports of progress */
  FEW = 8           /* queries that are not worth a group */
};

/* How far a point is outside the eight boxes, or balls, of a node's children. */
static inline __attribute__((always_inline)) void
outside_values(const struct view *view, local_index node, const double *point, double *value) {
  const int d = view->dimension;
  if (view->metric.kind == METRIC_USER) {
    for (int i = 0; i < VIEW_WIDTH; i++) {
      const int64_t child = (int64_t)node * VIEW_WIDTH + i;
      value[i] =
          view->child[child] == INT32_MIN
              ? INFINITY
              : view->metric.distance(point, view->centre + child * d, d, view->metric.user) -
                    view->radius[child];
    }
    return;
  }
  for (int i = 0; i < VIEW_WIDTH; i++) {
    value[i] = view->child[(int64_t)node * VIEW_WIDTH + i] == INT32_MIN ? INFINITY : 0;
  }
  for (int j = 0; j < d; j++) {
    const double *box = view_box(view, node, j);
    for (int i = 0; i < VIEW_WIDTH; i++) {
      const double below = box[i] - point[j];
      const double above = point[j] - box[VIEW_WIDTH + i];
      const double outside = below > above ? below : above;
      value[i] += outside > 0 ? outside * outside : 0;
    }
  }
}

/* The leaf a point falls into: of the nearest boxes or balls all the way down. */
__attribute__((target_clones("avx512f", "avx2", "default"))) static local_index
find_leaf(const struct view *view, const double *point) {
  local_index code = view->root;
  while (code >= 0) {
    double value[VIEW_WIDTH];
    int next = 0;
    outside_values(view, code, point, value);
    for (int i = 1; i < VIEW_WIDTH; i++) {
      next = value[i] < value[next] ? i : next;
    }
    code = view->child[(int64_t)code * VIEW_WIDTH + next];
  }
  return ~code;
}

/* Up to WALK_GROUP queries of one leaf: entries first..last-1 of the visiting order. */
struct bundle {
  int64_t first, last;
};

/* Queries by leaf, and bundled. */
struct visits {
  struct sort_pair *order; /* [count] leaf, query */
  struct bundle *bundles;
  int64_t count;
};

static pcct_status plan_visits(struct base *base, const struct view *view,
                               const struct walk_sweep *sweep, struct visits *visits) {
  visits->order = base_allocate(base, sweep->count, sizeof *visits->order);
  visits->bundles = base_allocate(base, sweep->count, sizeof *visits->bundles);
  if (!visits->order || !visits->bundles) {
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(dynamic, 256)                                                    \
    num_threads(base->threads) if (sweep->count >= BASE_PARALLEL_MIN)
  for (int64_t q = 0; q < sweep->count; q++) {
    const uint64_t leaf =
        view->points > 0 ? (uint64_t)find_leaf(view, sweep->points + q * view->dimension) : 0;
    visits->order[q] = (struct sort_pair){leaf, (uint64_t)q};
  }
  const pcct_status status = sort_pairs(base, visits->order, sweep->count);
  for (int64_t q = 0; q < sweep->count && status == PCCT_OK;) {
    int64_t end = q + 1;
    while (end < sweep->count && end - q < WALK_GROUP &&
           visits->order[end].key == visits->order[q].key) {
      end++;
    }
    visits->bundles[visits->count++] = (struct bundle){q, end};
    q = end;
  }
  return status;
}

static void visits_free(struct visits *visits) {
  base_free(visits->order);
  base_free(visits->bundles);
}

static struct walk_query query_of(const struct walk_sweep *sweep, int dimension, int64_t q) {
  return (struct walk_query){sweep->points + q * dimension,
                             sweep->limit ? sweep->limit[q] : INT64_MAX, -1,
                             sweep->cutoff ? sweep->cutoff[q] : INFINITY,
                             sweep->cutoff_position ? sweep->cutoff_position[q] : INT64_MAX};
}

/* Whether the queries of a bundle are near each other compared with the leaf they fall into. */
static int worth_group(const struct view *view, local_index leaf, const double *lower,
                       const double *upper) {
  double across = 0;
  double leaf_across = 0;
  const double *first =
      view->coordinates + (int64_t)view->leaf_block[leaf] * view->dimension * VIEW_WIDTH;
  for (int j = 0; j < view->dimension; j++) {
    double low = INFINITY;
    double high = -INFINITY;
    for (local_index p = 0; p < view->leaf_points[leaf]; p++) {
      const double x =
          first[((int64_t)(p / VIEW_WIDTH) * view->dimension + j) * VIEW_WIDTH + p % VIEW_WIDTH];
      low = x < low ? x : low;
      high = x > high ? x : high;
    }
    across += upper[j] - lower[j];
    leaf_across += high - low;
  }
  return across <= 2 * leaf_across;
}

static void answer_bundle(struct walker *walker, const struct walk_sweep *sweep,
                          const struct visits *visits, struct bundle bundle, double *blocks,
                          int64_t k, const struct walk_rows *rows) {
  const struct view *view = walker->view;
  const int d = view->dimension;
  const int number = (int)(bundle.last - bundle.first);
  struct sort_pair *order = visits->order + bundle.first;
  struct walk_group group = {.blocks = blocks, .count = number, .leaf = -1, .floor = INT64_MAX};
  double lower[WALK_AXES];
  double upper[WALK_AXES];
  int grouped = number >= (d < WALK_SPARSE ? FEW : 4 * FEW) && view->points > 0 &&
                view->metric.kind != METRIC_USER;
  for (int j = 0; j < d && grouped; j++) {
    lower[j] = INFINITY;
    upper[j] = -INFINITY;
    for (int i = 0; i < number; i++) {
      const double x = sweep->points[(int64_t)order[i].value * d + j];
      lower[j] = x < lower[j] ? x : lower[j];
      upper[j] = x > upper[j] ? x : upper[j];
    }
  }
  if (!grouped || !worth_group(view, (local_index)order[0].key, lower, upper)) {
    for (int i = 0; i < number; i++) {
      const int64_t q = (int64_t)order[i].value;
      const struct walk_query query = query_of(sweep, d, q);
      walker_answer(walker, &query, k, rows, q);
    }
    return;
  }
  for (int i = 1; i < number && sweep->limit; i++) { /* ascending limits */
    const struct sort_pair x = order[i];
    int at = i;
    for (; at > 0 && sweep->limit[order[at - 1].value] > sweep->limit[x.value]; at--) {
      order[at] = order[at - 1];
    }
    order[at] = x;
  }
  group.block_count = (number + VIEW_WIDTH - 1) / VIEW_WIDTH;
  group.asked = ~UINT64_C(0) >> (WALK_GROUP - number);
  for (int i = 0; i < group.block_count * VIEW_WIDTH; i++) {
    const int64_t q = (int64_t)order[i < number ? i : number - 1].value;
    const struct walk_query query = query_of(sweep, d, q);
    group.limit[i] = query.limit;
    group.cutoff[i] = query.cutoff;
    group.cutoff_position[i] = query.cutoff_position;
    group.row[i] = q;
    group.floor = query.limit < group.floor ? query.limit : group.floor;
    for (int j = 0; j < d; j++) {
      blocks[((int64_t)(i / VIEW_WIDTH) * d + j) * VIEW_WIDTH + i % VIEW_WIDTH] =
          i < number ? query.point[j] : INFINITY;
    }
  }
  group.limited = sweep->limit != NULL;
  walker_answer_group(walker, &group, k, rows);
}

pcct_status walk_sweep(struct base *base, const struct view *view, const struct walk_sweep *sweep,
                       int64_t k, const struct walk_rows *rows) {
  struct walker *walkers = NULL;
  struct visits visits = {0};
  const int64_t room = (int64_t)WALK_GROUP * view->dimension;
  double *blocks = base_allocate(base, base->threads * room, sizeof *blocks);
  pcct_status status = blocks ? walkers_create(base, view, sweep->count, k, &walkers) : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = plan_visits(base, view, sweep, &visits);
  }
  for (int64_t start = 0; status == PCCT_OK && start < visits.count; start += REPORT) {
    const int64_t end = start + REPORT < visits.count ? start + REPORT : visits.count;
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(base->threads) if (sweep->count >= WALK_PARALLEL)
    for (int64_t first = start; first < end; first += CHUNK) {
      struct walker *walker = &walkers[omp_get_thread_num()];
      walker_restart(walker);
      for (int64_t b = first; b < first + CHUNK && b < end; b++) {
        answer_bundle(walker, sweep, &visits, visits.bundles[b],
                      blocks + omp_get_thread_num() * room, k, rows);
      }
    }
    base_progress(base, visits.bundles[end - 1].last, sweep->count);
  }
  walkers_destroy(base, &walkers);
  visits_free(&visits);
  base_free(blocks);
  return status;
}
