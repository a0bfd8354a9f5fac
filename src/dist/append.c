/* Points appended to a stored index. */
#include "dist/farthest.h"
#include "dist/order.h"
#include "dist/partition.h"
#include "dist/restore.h"
#include "dist/spatial.h"
#include "dist/transform.h"

#include <string.h>

/* Sends new points to the ranks with the nearest regions. */
static pcct_status send_home(pcct_index *index, const double *search, const int64_t *position,
                             int64_t count, void **records, int64_t *received) {
  pcct_context *context = index->context;
  const int d = index->metric.dimension;
  int *home = base_allocate(&context->base, count, sizeof *home);
  pcct_status status = comm_agree(context, home ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < count; i++) {
      home[i] = directory_home(index->directory, search + i * d);
    }
    status = dist_send_points(context, d, search, position, count, home, records, received);
  }
  base_free(home);
  return status;
}

/* Arrays of the old points and the new ones behind them. */
struct grown {
  double *coordinates;
  int64_t *position;
  uint64_t *priority;
  local_index *parent, *insert;
  int16_t *level;
  struct sort_pair *pairs;
};

static void grown_free(struct grown *grown) {
  base_free(grown->coordinates);
  base_free(grown->position);
  base_free(grown->priority);
  base_free(grown->parent);
  base_free(grown->insert);
  base_free(grown->level);
  base_free(grown->pairs);
}

static pcct_status grow(pcct_index *index, const double *records, local_index more,
                        struct grown *grown) {
  struct base *base = &index->context->base;
  const int d = index->metric.dimension;
  const local_index old = index->count;
  const int64_t count = (int64_t)old + more;
  grown->coordinates = base_allocate(base, count * d, sizeof(double));
  grown->position = base_allocate(base, count, sizeof *grown->position);
  grown->priority = base_allocate(base, count, sizeof *grown->priority);
  grown->parent = base_allocate(base, count, sizeof *grown->parent);
  grown->level = base_allocate(base, count, sizeof *grown->level);
  grown->insert = base_allocate(base, more, sizeof *grown->insert);
  grown->pairs = base_allocate(base, more, sizeof *grown->pairs);
  if (!grown->coordinates || !grown->position || !grown->priority || !grown->parent ||
      !grown->level || !grown->insert || !grown->pairs) {
    return PCCT_MEMORY;
  }
  if (old > 0) {
    memcpy(grown->coordinates, index->coordinates, (size_t)old * (size_t)d * sizeof(double));
    memcpy(grown->position, index->position, (size_t)old * sizeof *grown->position);
    memcpy(grown->priority, index->priority, (size_t)old * sizeof *grown->priority);
    memcpy(grown->parent, index->tree->parent, (size_t)old * sizeof *grown->parent);
    memcpy(grown->level, index->tree->level, (size_t)old * sizeof *grown->level);
  }
  pcct_status status = spatial_sort(base, d, records, d + 1, more, grown->pairs);
  for (local_index i = 0; i < more && status == PCCT_OK; i++) {
    const double *from = records + (int64_t)grown->pairs[i].value * (d + 1);
    const int64_t p = (int64_t)old + i;
    memcpy(grown->coordinates + p * d, from, (size_t)d * sizeof(double));
    memcpy(&grown->position[p], from + d, sizeof(int64_t));
    grown->priority[p] = dist_priority(index->ordering, grown->position[p]);
    grown->parent[p] = -1;
    grown->level[p] = LEVEL_BUCKET;
    grown->insert[i] = (local_index)p;
  }
  return status;
}

/* Inserts what arrived into the local tree. */
static pcct_status insert(pcct_index *index, const double *records, int64_t more) {
  struct base *base = &index->context->base;
  struct grown grown = {0};
  struct tree *tree = NULL;
  if (more > INT32_MAX - VIEW_WIDTH - index->count) {
    return base_fail(
        base, PCCT_MEMORY, "rank %d would own %lld points; expected at most %d: use more ranks",
        index->context->rank, (long long)(more + index->count), INT32_MAX - VIEW_WIDTH);
  }
  pcct_status status = grow(index, records, (local_index)more, &grown);
  if (status == PCCT_OK) {
    const local_index leaf_size = index->count > 0 ? index->tree->leaf_size : 0;
    const struct tree_points points = {(local_index)(index->count + more),
                                       &index->metric,
                                       grown.coordinates,
                                       grown.position,
                                       grown.priority,
                                       leaf_size};
    if (index->count == 0 || tree_may_be_close(base, grown.coordinates, points.count)) {
      index->joined = 0; /* one tree: nothing is joined any more */
      status = tree_build(base, &points, &tree);
    } else {
      status = tree_restore(base, &points, grown.parent, grown.level, &tree);
      if (status == PCCT_OK) {
        status = tree_insert(base, tree, grown.insert, (local_index)more);
      }
    }
  }
  if (status == PCCT_OK) {
    tree_destroy(&index->tree);
    base_free(index->coordinates);
    base_free(index->position);
    base_free(index->priority);
    index->tree = tree;
    index->coordinates = grown.coordinates;
    index->position = grown.position;
    index->priority = grown.priority;
    index->count += (local_index)more;
    base->counters[COUNTER_points] += more;
    tree = NULL;
    grown.coordinates = NULL;
    grown.position = NULL;
    grown.priority = NULL;
  }
  tree_destroy(&tree);
  grown_free(&grown);
  return status;
}

/* Frame, view and directory anew, and those for predecessors when they are asked for. Collective. */
static pcct_status renew(pcct_index *index) {
  view_set_clear(&index->views);
  frame_destroy(&index->frame);
  directory_destroy(&index->directory);
  prefix_destroy(&index->prefix);
  index->has_prefixes = 0;
  pcct_context_enter_phase(index->context, PCCT_PHASE_finalise);
  pcct_status status = comm_agree(index->context, dist_finalise(index));
  return status == PCCT_OK ? dist_merge(index) : status;
}

pcct_status dist_append(pcct_index *index, const pcct_points *points,
                        const pcct_index_options *options, int64_t *position) {
  pcct_context *context = index->context;
  double *search = NULL;
  void *records = NULL;
  int64_t received = 0;
  const int64_t more = comm_sum(context, points->count);
  pcct_status status = PCCT_OK;
  if (dist_is_farthest(options->ordering)) {
    status = base_fail(&context->base, PCCT_USAGE,
                       "points cannot be appended in an ordering by growing nets (maximin, level, "
                       "time-maximin): it would not be one of all points; build anew");
  }
  if (status == PCCT_OK) {
    status = dist_transform(context, &index->metric, points, "row", &search);
  }
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_order);
    status = dist_order_positions(context, &index->metric, points, search, options, more, position);
  }
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < points->count; i++) {
      position[i] += index->total;
    }
    pcct_context_enter_phase(context, PCCT_PHASE_partition);
    status = send_home(index, search, position, points->count, &records, &received);
  }
  base_free(search);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_build);
    status = comm_agree(context, insert(index, records, received));
  }
  base_free(records);
  if (status == PCCT_OK) {
    index->total += more;
    status = renew(index);
  }
  return status;
}
