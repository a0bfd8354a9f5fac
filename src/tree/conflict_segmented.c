/* Conflict graphs by segments: scopes from the top of the hierarchy down, in chunks. */
#include "tree/conflict_private.h"

#include <string.h>

/* Nodes of one scope that are tested by one thread. */
enum { SLICE = 8 };

static uint64_t hash_scope(const local_index *scope, int64_t length) {
  uint64_t hash = (uint64_t)length;
  for (int64_t i = 0; i < length; i++) {
    hash = (hash ^ (uint64_t)scope[i]) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
  }
  return hash;
}

/* Whether two nodes of a step have the same scope. */
static int same_scope(const struct conflict_step *step, local_index a, local_index b) {
  int64_t length_a, length_b;
  const local_index *scope_a = conflict_scope(step, a, &length_a);
  const local_index *scope_b = conflict_scope(step, b, &length_b);
  return length_a == length_b && memcmp(scope_a, scope_b, (size_t)length_a * sizeof *scope_a) == 0;
}

/* Numbers the distinct scopes of a step in the order in which they appear: run->group of each node.
 * Returns through *groups how many there are. */
static pcct_status number_scopes(struct conflict_run *run, const struct conflict_step *step,
                                 local_index *groups) {
  int64_t places = 16;
  while (places < 2 * (int64_t)step->count) {
    places *= 2;
  }
  pcct_status status = conflict_reserve(run, run->hash, step->count);
  if (status == PCCT_OK) {
    status = conflict_reserve(run, run->table, places);
  }
  if (status != PCCT_OK) {
    return status;
  }
#pragma omp parallel for schedule(static)                                                          \
    num_threads(run->base->threads) if (step->count >= BASE_PARALLEL_MIN)
  for (local_index node = 0; node < step->count; node++) {
    run->hash[node] =
        hash_scope(step->item + step->offset[node], step->offset[node + 1] - step->offset[node]);
  }
  memset(run->table, -1, (size_t)places * sizeof *run->table);
  *groups = 0;
  for (local_index node = 0; node < step->count; node++) {
    int64_t place = (int64_t)(run->hash[node] >> 20) & (places - 1);
    local_index other = run->table[place];
    while (other >= 0 && (run->hash[other] != run->hash[node] || !same_scope(step, other, node))) {
      place = (place + 1) & (places - 1);
      other = run->table[place];
    }
    if (other < 0) {
      run->table[place] = node;
      run->group[node] = (*groups)++;
    } else {
      run->group[node] = run->group[other];
    }
  }
  return PCCT_OK;
}

/* Counting sort of the nodes by scope into run->member, cut into slices. */
static pcct_status make_slices(struct conflict_run *run, const struct conflict_step *step,
                               int64_t *slices) {
  const local_index *first = step->level->first + step->first;
  local_index groups = step->count;
  pcct_status status = conflict_reserve(run, run->member, step->count);
  if (status == PCCT_OK) {
    status = conflict_reserve(run, run->slice, step->count);
  }
  if (status == PCCT_OK) {
    status = conflict_reserve(run, run->group, step->count);
  }
  if (status == PCCT_OK) {
    status = conflict_reserve(run, run->group_start, (int64_t)step->count + 1);
  }
  if (status != PCCT_OK) {
    return status;
  }
  if (run->settings->segment_dedup) {
    status = number_scopes(run, step, &groups);
    if (status != PCCT_OK) {
      return status;
    }
  } else {
    for (local_index node = 0; node < step->count; node++) {
      run->group[node] = node;
    }
  }
  memset(run->group_start, 0, ((size_t)groups + 1) * sizeof *run->group_start);
  for (local_index node = 0; node < step->count; node++) {
    run->group_start[run->group[node] + 1]++;
  }
  for (local_index g = 0; g < groups; g++) {
    run->group_start[g + 1] += run->group_start[g];
  }
  for (local_index node = 0; node < step->count; node++) {
    run->member[run->group_start[run->group[node]]++] = node;
  }
  /* Every start has moved to its group's end. */
  *slices = 0;
  local_index from = 0;
  for (local_index g = 0; g < groups; g++) {
    const local_index end = run->group_start[g];
    int64_t points = 0;
    for (local_index m = from; m < end; m += SLICE) {
      run->slice[(*slices)++] = (struct conflict_slice){m, end - m < SLICE ? end - m : SLICE};
    }
    for (local_index m = from; m < end; m++) {
      points += first[run->member[m] + 1] - first[run->member[m]];
    }
    if (!step->below && points > run->graph->largest_group) {
      run->graph->largest_group = points;
    }
    from = end;
  }
  if (!step->below) {
    run->graph->groups += step->count;
    run->graph->groups_unique += groups;
  }
  return PCCT_OK;
}

/* How many of the nodes from `at` on make a chunk. Above the segments chunks are smaller by the fan-out, so
 * that the scopes of their children come to about one chunk. */
static local_index chunk_nodes(const struct conflict_run *run, int h, const int64_t *offset,
                               local_index at, local_index count) {
  const int64_t target = h > 0 ? run->chunk / CONFLICT_WIDTH : run->chunk;
  local_index nodes = 1;
  while (at + nodes < count && offset[at + nodes + 1] - offset[at] <= target) {
    nodes++;
  }
  return nodes;
}

/* Everything below the nodes first .. first + count - 1 of level h, whose scopes are run->lists[h]. */
static pcct_status descend(struct conflict_run *run, int h, local_index first, local_index count) {
  const struct conflict_level *level = &run->level[h];
  const struct conflict_level *below = h > 0 ? level - 1 : NULL;
  struct conflict_lists *lists = h > 0 ? &run->lists[h - 1] : NULL;
  const int64_t *offset = run->lists[h].offset;
  pcct_status status = PCCT_OK;
  local_index nodes;
  for (local_index at = 0; at < count && run->total <= run->budget; at += nodes) {
    int64_t slices;
    nodes = chunk_nodes(run, h, offset, at, count);
    struct conflict_step step = {.points = run->points,
                                 .limit = run->limit,
                                 .level = level,
                                 .below = below,
                                 .first = first + at,
                                 .count = nodes,
                                 .offset = offset + at,
                                 .item = run->lists[h].item};
    status = make_slices(run, &step, &slices);
    if (status == PCCT_OK) {
      status = conflict_step_run(run, &step, slices, lists);
    }
    if (status == PCCT_OK && below) {
      const local_index child = level->first[first + at];
      status = descend(run, h - 1, child, level->first[first + at + nodes] - child);
    }
    if (status != PCCT_OK) {
      return status;
    }
  }
  return status;
}

pcct_status conflict_segmented(struct conflict_run *run) {
  pcct_status status;
  while (run->levels == 0 || run->level[run->levels - 1].count > 1) {
    status = conflict_level_add(run);
    if (status != PCCT_OK) {
      return status;
    }
  }
  const int top = run->levels - 1;
  struct conflict_lists *lists = &run->lists[top];
  status = base_grow(run->base, (void **)&lists->offset, &lists->offset_capacity, 0, 2,
                     sizeof *lists->offset);
  if (status == PCCT_OK) {
    status = base_grow(run->base, (void **)&lists->item, &lists->item_capacity, 0, 1,
                       sizeof *lists->item);
  }
  if (status == PCCT_OK) {
    lists->offset[0] = 0;
    lists->offset[1] = 1;
    lists->item[0] = 0;
    status = descend(run, top, 0, 1);
  }
  return status;
}
