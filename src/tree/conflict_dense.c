/* Conflict graphs by all pairs, block by block. */
#include "tree/conflict_private.h"

/* Segments tested by one thread at a time. */
enum { SLICE = 4 };

pcct_status conflict_dense(struct conflict_run *run) {
  pcct_status status = run->levels > 0 ? PCCT_OK : conflict_level_add(run);
  if (status != PCCT_OK) {
    return status;
  }
  const struct conflict_level *level = &run->level[0];
  const int64_t target = run->chunk / level->count;
  const local_index chunk = (local_index)(target < 1              ? 1
                                          : target < level->count ? target
                                                                  : level->count);
  status = conflict_reserve(run, run->member, chunk);
  if (status == PCCT_OK) {
    status = conflict_reserve(run, run->slice, chunk);
  }
  for (local_index at = 0; at < level->count && status == PCCT_OK && run->total <= run->budget;
       at += chunk) {
    const local_index nodes = level->count - at < chunk ? level->count - at : chunk;
    struct conflict_step step = {
        .points = run->points, .limit = run->limit, .level = level, .first = at, .count = nodes};
    int64_t slices = 0;
    for (local_index m = 0; m < nodes; m++) {
      run->member[m] = m;
      if (m % SLICE == 0) {
        run->slice[slices++] = (struct conflict_slice){m, nodes - m < SLICE ? nodes - m : SLICE};
      }
    }
    status = conflict_step_run(run, &step, slices, NULL);
  }
  run->graph->groups = level->count;
  run->graph->groups_unique = 1;
  run->graph->largest_group = run->points->count;
  return status;
}
