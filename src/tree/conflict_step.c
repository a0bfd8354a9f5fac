/* One step: the children of some nodes against the children of the nodes in their scopes. */
#include "tree/conflict_private.h"

/* Smaller loops take less time than waking a team: a word takes some 30 ns to find, an item 2 ns to write. */
enum { PARALLEL_WORDS = BASE_PARALLEL_MIN, PARALLEL_ITEMS = 16 * BASE_PARALLEL_MIN };

/* A point is not in conflict with itself. */
static void clear_own(const struct conflict_step *step, local_index node) {
  int64_t length;
  const local_index *scope = conflict_scope(step, node, &length);
  const local_index own = step->first + node;
  int64_t low = scope ? 0 : own;
  int64_t high = scope ? length - 1 : own;
  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (scope[middle] < own) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const int64_t words = conflict_blocks(length);
  const int children = step->level->first[own + 1] - step->level->first[own];
  uint64_t *word = step->word + step->start[node] + low / CONFLICT_WIDTH;
  for (int i = 0; i < children; i++, word += words) {
    *word &= ~(UINT64_C(1) << (low % CONFLICT_WIDTH * CONFLICT_WIDTH + i));
  }
}

/* The exclusive prefix sum of the tally, from `total` up. */
static int64_t prefix_sum(const local_index *tally, int64_t children, int64_t total,
                          int64_t *offset) {
  offset[0] = total;
  for (int64_t c = 0; c < children; c++) {
    total += tally[c];
    offset[c + 1] = total;
  }
  return total;
}

/* Room for the graph's neighbours up to `total`. Most graphs never need more than the first piece, of which
 * only what is written to is really there. */
static pcct_status reserve_neighbors(struct conflict_run *run, int64_t total) {
  const int64_t n = run->points->count;
  int64_t needed = total;
  if (run->neighbor_capacity == 0) {
    needed = 16 * n < run->budget ? 16 * n : run->budget;
    needed = needed < n * (n - 1) ? needed : n * (n - 1);
    needed = needed > total ? needed : total;
  }
  return base_grow(run->base, (void **)&run->graph->neighbor, &run->neighbor_capacity, run->total,
                   needed, sizeof *run->graph->neighbor);
}

/* Writes the children's numbers: `total` of them. */
static void fill(const struct conflict_run *run, const struct conflict_step *step,
                 const int64_t *offset, int64_t total, local_index *out) {
#pragma omp parallel for schedule(dynamic, 64)                                                     \
    num_threads(run->base->threads) if (total >= PARALLEL_ITEMS)
  for (local_index node = 0; node < step->count; node++) {
    run->kernel.fill(step, node, offset, out);
  }
}

/* The rows of the points of this step, after all rows before. */
static pcct_status finish_rows(struct conflict_run *run, const struct conflict_step *step,
                               int64_t children) {
  struct conflict_graph *graph = run->graph;
  const local_index first = step->level->first[step->first];
  pcct_status status = conflict_reserve(run, run->offset, children + 1);
  if (status != PCCT_OK) {
    return status;
  }
  const int64_t total = prefix_sum(run->tally, children, run->total, run->offset);
  if (total > run->budget) {
    run->total = total;
    return PCCT_OK;
  }
  status = reserve_neighbors(run, total);
  if (status != PCCT_OK) {
    return status;
  }
  for (int64_t c = 0; c <= children; c++) {
    graph->row[first + c] = (int32_t)run->offset[c];
  }
  fill(run, step, run->offset, total - run->total, graph->neighbor);
  run->total = total;
  return PCCT_OK;
}

/* The scopes of the children of this step. */
static pcct_status finish_lists(struct conflict_run *run, const struct conflict_step *step,
                                int64_t children, struct conflict_lists *lists) {
  pcct_status status = base_grow(run->base, (void **)&lists->offset, &lists->offset_capacity, 0,
                                 children + 1, sizeof *lists->offset);
  if (status != PCCT_OK) {
    return status;
  }
  const int64_t total = prefix_sum(run->tally, children, 0, lists->offset);
  status = base_grow(run->base, (void **)&lists->item, &lists->item_capacity, 0, total,
                     sizeof *lists->item);
  if (status == PCCT_OK) {
    fill(run, step, lists->offset, total, lists->item);
  }
  return status;
}

pcct_status conflict_step_run(struct conflict_run *run, struct conflict_step *step, int64_t slices,
                              struct conflict_lists *lists) {
  const local_index *first = step->level->first + step->first;
  const int64_t children = first[step->count] - first[0];
  int64_t evaluations = 0;
  int64_t length;
  pcct_status status = conflict_reserve(run, run->start, (int64_t)step->count + 1);
  if (status != PCCT_OK) {
    return status;
  }
  run->start[0] = 0;
  for (local_index node = 0; node < step->count; node++) {
    conflict_scope(step, node, &length);
    run->start[node + 1] =
        run->start[node] + (first[node + 1] - first[node]) * conflict_blocks(length);
  }
  status = conflict_reserve(run, run->word, run->start[step->count]);
  if (status == PCCT_OK) {
    status = conflict_reserve(run, run->tally, children);
  }
  if (status != PCCT_OK) {
    return status;
  }
  step->start = run->start;
  step->word = run->word;
  step->member = run->member;
  step->slice = run->slice;
  step->positions = run->positions;
#pragma omp parallel for schedule(dynamic, 4) num_threads(run->base->threads)                      \
    reduction(+ : evaluations) if (run->start[step->count] >= PARALLEL_WORDS)
  for (int64_t s = 0; s < slices; s++) {
    const struct conflict_slice slice = step->slice[s];
    evaluations += run->kernel.test(step, &slice);
    for (int m = 0; m < slice.members; m++) {
      const local_index node = step->member[slice.member + m];
      if (!step->below) {
        clear_own(step, node);
      }
      run->kernel.count(step, node, run->tally);
    }
  }
  run->evaluations += evaluations;
  if (step->below) {
    return finish_lists(run, step, children, lists);
  }
  const double clock = base_clock();
  status = finish_rows(run, step, children);
  run->graph->csr_seconds += base_clock() - clock;
  return status;
}
