/* Parallel sweeps over queries. */
#include "walk/sweep.h"

#include <omp.h>

enum {
  CHUNK = 256, /* queries that share a window of solved neighbours: fixed, whatever the threads */
  WINDOW = 12, /* solved neighbours looked at for a first cut-off */
  REPORT = 1 << 17 /* queries between two reports of progress */
};

/* A solved query: k admissible points lie within radius of it. */
struct solved {
  const double *point;
  int64_t limit;
  double radius;
};

struct window {
  struct solved solved[WINDOW];
  int count, next;
};

void walk_rows_put(const struct walk_rows *rows, int64_t row, const struct candidate *candidates,
                   int64_t count) {
  double *value = walk_rows_value(rows, row);
  char *index = rows->index + row * rows->index_stride;
  for (int64_t e = 0; e < rows->width; e++) {
    const int held = e < count;
    const int64_t position = held ? candidates[e].position : -1;
    value[e] = held ? candidates[e].value : INFINITY;
    if (rows->index_size == 4) {
      ((int32_t *)(void *)index)[e] = (int32_t)position;
    } else {
      ((int64_t *)(void *)index)[e] = position;
    }
  }
  *walk_rows_filled(rows, row) = (int32_t)count;
}

/* A cut-off by the triangle inequality. A solved query of no larger limit had k points that are admissible
 * here too, except perhaps the excluded one; then the solved point itself takes its place. */
static double first_cutoff(int d, const struct window *window, const double *point, int64_t limit) {
  double best = INFINITY;
  for (int i = 0; i < window->count; i++) {
    const struct solved *solved = &window->solved[i];
    if (solved->limit <= limit) {
      double reach =
          metric_root_up(METRIC_EUCLIDEAN, metric_square(d, point, solved->point)) + solved->radius;
      best = reach < best ? reach : best;
    }
  }
  best *= 1 + METRIC_SLACK;
  return best * best * (1 + METRIC_SLACK);
}

static void run_chunk(struct walk *walk, const struct walk_sweep *sweep, int64_t first,
                      int64_t last, const struct walk_rows *rows) {
  const int d = walk->view->dimension;
  struct window window = {.count = 0, .next = 0};
  for (int64_t q = first; q < last; q++) {
    const struct walk_query query = {sweep->points + q * d, sweep->limit[q],
                                     sweep->excluded ? sweep->excluded[q] : -1};
    double cutoff = first_cutoff(d, &window, query.point, query.limit);
    int64_t cutoff_position = INT64_MAX;
    if (sweep->cutoff && sweep->cutoff[q] <= cutoff) {
      cutoff = sweep->cutoff[q];
      cutoff_position = sweep->cutoff_position[q];
    }
    walk_nearest(walk, &query, cutoff, cutoff_position);
    walk_rows_put(rows, sweep->row ? sweep->row[q] : q, walk->topk.candidates, walk->topk.count);
    if (walk->topk.count == walk->topk.k) {
      double radius =
          metric_root_up(METRIC_EUCLIDEAN, walk->topk.candidates[walk->topk.k - 1].value);
      window.solved[window.next] = (struct solved){query.point, query.limit, radius};
      window.next = (window.next + 1) % WINDOW;
      window.count += window.count < WINDOW;
    }
  }
}

pcct_status walk_run(struct base *base, const struct view *view, const struct walk_sweep *sweep,
                     int64_t k, const struct walk_rows *rows) {
  struct walk *walks = base_allocate_zero(base, base->threads, sizeof *walks);
  int created = 0;
  pcct_status status = walks ? PCCT_OK : PCCT_MEMORY;
  for (; status == PCCT_OK && created < base->threads; created++) {
    status = walk_create(base, view, k, &walks[created]);
    if (status != PCCT_OK) {
      break;
    }
  }
  for (int64_t start = 0; status == PCCT_OK && start < sweep->count; start += REPORT) {
    const int64_t end = start + REPORT < sweep->count ? start + REPORT : sweep->count;
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(base->threads) if (end - start >= BASE_PARALLEL_MIN)
    for (int64_t first = start; first < end; first += CHUNK) {
      run_chunk(&walks[omp_get_thread_num()], sweep, first,
                first + CHUNK < end ? first + CHUNK : end, rows);
    }
    base_progress(base, end, sweep->count);
  }
  for (int t = 0; t < created; t++) {
    walk_free(base, &walks[t]);
  }
  base_free(walks);
  return status;
}
