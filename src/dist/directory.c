/* The merged top on every rank. */
#include "dist/directory_private.h"

#include "base/random.h"
#include "tree/check.h"

#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 20 };

/* All arrays of a directory that is complete. */
static void list_arrays(struct directory *d, struct base_array *arrays) {
  const int64_t nodes = d->frame->count;
  const int64_t points = d->count;
  const int64_t bytes = (int64_t)sizeof(double);
  const int64_t small = (int64_t)sizeof(local_index);
  struct tree *tree = d->tree;
  struct frame *frame = d->frame;
  const struct base_array all[ARRAYS] = {
      {(void **)&d->coordinates, points * d->dimension * bytes},
      {(void **)&d->position, points * bytes},
      {(void **)&d->priority, points * bytes},
      {(void **)&d->region, points * (int64_t)sizeof *d->region},
      {(void **)&d->box, 2 * points * d->dimension * bytes},
      {(void **)&d->first, (nodes + 1) * small},
      {(void **)&d->member, points * small},
      {(void **)&d->subtree_box, 2 * nodes * d->dimension * bytes},
      {(void **)&d->subtree_radius, d->subtree_radius ? nodes * bytes : 0},
      {(void **)&d->subtree_smallest, nodes * bytes},
      {(void **)&d->subtree_beyond, nodes * bytes},
      {(void **)&tree->parent, points * small},
      {(void **)&tree->level, points * (int64_t)sizeof *tree->level},
      {(void **)&tree->log, points * small},
      {(void **)&frame->coordinates, nodes * d->dimension * bytes},
      {(void **)&frame->node, nodes * (int64_t)sizeof *frame->node},
      {(void **)&frame->point, nodes * small},
      {(void **)&frame->place, points * small},
      {(void **)&frame->first, (nodes + 1) * small},
      {(void **)&frame->member, points * small}};
  memcpy(arrays, all, sizeof all);
}

/* Puts the arrays where all ranks of the node have them. Collective. */
static void share(pcct_context *context, struct directory *directory) {
  struct base_array arrays[ARRAYS];
  list_arrays(directory, arrays);
  comm_share(context, arrays, ARRAYS, &directory->shared);
  directory->tree->points.coordinates = directory->coordinates;
  directory->tree->points.position = directory->position;
  directory->tree->points.priority = directory->priority;
}

void directory_destroy(struct directory **directory) {
  if (!directory || !*directory) {
    return;
  }
  struct directory *d = *directory;
  if (d->tree && d->frame) {
    struct base_array arrays[ARRAYS];
    list_arrays(d, arrays);
    comm_unshare(&d->shared, arrays, ARRAYS);
  }
  tree_destroy(&d->tree);
  frame_destroy(&d->frame);
  base_free(d->coordinates);
  base_free(d->position);
  base_free(d->priority);
  base_free(d->region);
  base_free(d->box);
  base_free(d->first);
  base_free(d->member);
  base_free(d->subtree_box);
  base_free(d->subtree_radius);
  base_free(d->subtree_smallest);
  base_free(d->subtree_beyond);
  for (int g = 0; d->fine && g < d->groups; g++) {
    base_free(d->fine[g].records);
  }
  base_free(d->fine);
  base_free(d);
  *directory = NULL;
}

/* The top of a local tree: places of the chosen nodes, and whether each stands for its subtree. */
struct top {
  local_index place[DIRECTORY_RANK_MOST];
  int whole[DIRECTORY_RANK_MOST];
  int count;
};

/* Opens nodes of the largest radius first, as long as their children fit in. */
static void choose_top(const struct frame *frame, int limit, struct top *top) {
  int closed[DIRECTORY_RANK_MOST] = {0}; /* has no children, or too many */
  top->count = 0;
  if (frame->count > 0) {
    top->place[top->count] = 0;
    top->whole[top->count++] = 1;
  }
  for (;;) {
    int widest = -1;
    for (int i = 0; i < top->count; i++) {
      const local_index t = top->place[i];
      if (top->whole[i] && !closed[i] &&
          (widest < 0 || frame->node[t].radius > frame->node[top->place[widest]].radius)) {
        widest = i;
      }
    }
    if (widest < 0) {
      return;
    }
    const local_index t = top->place[widest];
    int children = 0;
    for (local_index c = t + 1; c < frame->node[t].end && children <= limit;
         c = frame->node[c].end) {
      children++;
    }
    if (children == 0 || top->count + children > limit) {
      closed[widest] = 1;
      continue;
    }
    top->whole[widest] = 0;
    for (local_index c = t + 1; c < frame->node[t].end; c = frame->node[c].end) {
      top->place[top->count] = c;
      top->whole[top->count++] = 1;
    }
  }
}

/* The chosen nodes' regions from all points of the tree.
 *   of_place [out] [frame->count] scratch: the region of a node */
static void measure_regions(const struct metric *metric, const struct tree *tree,
                            const struct frame *frame, const struct top *top, int owner,
                            int64_t prefix, local_index *of_place, void *records) {
  const int d = metric->dimension;
  for (int i = 0; i < top->count; i++) { /* parents come before children, which overwrite them */
    const local_index t = top->place[i];
    struct directory_record *record = directory_record_at(records, d, i);
    double *doubles = directory_record_point(records, d, i);
    *record = (struct directory_record){{0, INT64_MAX, -1, INT64_MAX, owner, 0},
                                        tree->points.position[frame->point[t]]};
    for (int j = 0; j < d; j++) {
      doubles[j] = frame->coordinates[(int64_t)t * d + j];
      doubles[d + j] = INFINITY;
      doubles[2 * d + j] = -INFINITY;
    }
    for (local_index u = t; u < (top->whole[i] ? frame->node[t].end : t + 1); u++) {
      of_place[u] = i;
    }
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    const local_index i = of_place[frame->place[p]];
    struct directory_record *record = directory_record_at(records, d, i);
    struct region *region = &record->region;
    double *doubles = directory_record_point(records, d, i);
    const double *x = tree->points.coordinates + (int64_t)p * d;
    const int64_t position = tree->points.position[p];
    const double distance = metric_root_up(metric->kind, metric_value(metric, doubles, x));
    region->count++;
    region->smallest = position < region->smallest ? position : region->smallest;
    region->largest = position > region->largest ? position : region->largest;
    if (position >= prefix && position < region->beyond) {
      region->beyond = position;
    }
    region->radius = distance > region->radius ? distance : region->radius;
    for (int j = 0; j < d; j++) {
      doubles[d + j] = x[j] < doubles[d + j] ? x[j] : doubles[d + j];
      doubles[2 * d + j] = x[j] > doubles[2 * d + j] ? x[j] : doubles[2 * d + j];
    }
  }
}

/* This rank's records. */
static pcct_status contribute(pcct_context *context, const struct directory *directory,
                              const struct tree *tree, const struct frame *frame, int64_t prefix,
                              int64_t limit, void **records, int64_t *count) {
  struct base *base = &context->base;
  const struct metric *metric = directory->metric;
  const int64_t share = directory->groups > 0 ? DIRECTORY_RANK_LEAST : limit / context->size;
  const int own = (int)(share < DIRECTORY_RANK_MOST ? share : DIRECTORY_RANK_MOST);
  struct top *top = base_allocate(base, 1, sizeof *top);
  local_index *of_place = base_allocate(base, frame->count, sizeof *of_place);
  *records = NULL;
  *count = 0;
  pcct_status status = PCCT_MEMORY;
  if (top && of_place) {
    choose_top(frame, own, top);
    *records = base_allocate(base, top->count, directory_record_size(metric->dimension));
    if (*records) {
      measure_regions(metric, tree, frame, top, context->rank, prefix, of_place, *records);
      *count = top->count;
      base->counters[COUNTER_directory_regions] += top->count;
      status = PCCT_OK;
    }
  }
  base_free(top);
  base_free(of_place);
  return status;
}

static pcct_status unpack(struct base *base, void *records, local_index count,
                          struct directory *d) {
  const int dimension = d->dimension;
  d->count = count;
  d->coordinates = base_allocate(base, (int64_t)count * dimension, sizeof(double));
  d->position = base_allocate(base, count, sizeof *d->position);
  d->priority = base_allocate(base, count, sizeof *d->priority);
  d->region = base_allocate(base, count, sizeof *d->region);
  d->box = base_allocate(base, 2 * (int64_t)count * dimension, sizeof(double));
  if (!d->coordinates || !d->position || !d->priority || !d->region || !d->box) {
    return PCCT_MEMORY;
  }
  const size_t point_bytes = (size_t)dimension * sizeof(double);
  for (local_index i = 0; i < count; i++) {
    const struct directory_record *record = directory_record_at(records, dimension, i);
    const double *doubles = directory_record_point(records, dimension, i);
    d->region[i] = record->region;
    d->position[i] = record->position;
    d->priority[i] = random_bits(0, RANDOM_INSERTION, (uint64_t)record->position);
    memcpy(d->coordinates + (int64_t)i * dimension, doubles, point_bytes);
    memcpy(d->box + 2 * (int64_t)i * dimension, doubles + dimension, 2 * point_bytes);
  }
  return PCCT_OK;
}

/* Subtree boxes and positions, and which regions stand at a node. Children stand behind their parents. */
static pcct_status summarise(struct base *base, struct directory *directory) {
  const struct frame *frame = directory->frame;
  const int d = directory->dimension;
  directory->first = base_allocate_zero(base, (int64_t)frame->count + 1, sizeof *directory->first);
  directory->member = base_allocate(base, directory->count, sizeof *directory->member);
  directory->subtree_box = base_allocate(base, 2 * (int64_t)frame->count * d, sizeof(double));
  directory->subtree_smallest = base_allocate(base, frame->count, sizeof(int64_t));
  directory->subtree_beyond = base_allocate(base, frame->count, sizeof(int64_t));
  if (!directory->first || !directory->member || !directory->subtree_box ||
      !directory->subtree_smallest || !directory->subtree_beyond) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < directory->count; i++) {
    directory->first[frame->place[i] + 1]++;
  }
  for (local_index t = 0; t < frame->count; t++) {
    directory->first[t + 1] += directory->first[t];
  }
  for (local_index i = directory->count - 1; i >= 0; i--) {
    /* first[place + 1] still is the end of the place's own range: fill from the back, then restore */
    directory->member[--directory->first[frame->place[i] + 1]] = i;
  }
  for (local_index t = 0; t < frame->count; t++) {
    directory->first[t] = directory->first[t + 1];
  }
  directory->first[frame->count] = directory->count;
  for (local_index t = frame->count - 1; t >= 0; t--) {
    double *box = directory->subtree_box + 2 * (int64_t)t * d;
    int64_t smallest = INT64_MAX;
    int64_t beyond = INT64_MAX;
    for (int j = 0; j < d; j++) {
      box[j] = INFINITY;
      box[d + j] = -INFINITY;
    }
    for (local_index m = directory->first[t]; m < directory->first[t + 1]; m++) {
      const local_index i = directory->member[m];
      const double *own = directory->box + 2 * (int64_t)i * d;
      smallest =
          directory->region[i].smallest < smallest ? directory->region[i].smallest : smallest;
      beyond = directory->region[i].beyond < beyond ? directory->region[i].beyond : beyond;
      for (int j = 0; j < d; j++) {
        box[j] = own[j] < box[j] ? own[j] : box[j];
        box[d + j] = own[d + j] > box[d + j] ? own[d + j] : box[d + j];
      }
    }
    for (local_index c = t + 1; c < frame->node[t].end; c = frame->node[c].end) {
      const double *below = directory->subtree_box + 2 * (int64_t)c * d;
      smallest =
          directory->subtree_smallest[c] < smallest ? directory->subtree_smallest[c] : smallest;
      beyond = directory->subtree_beyond[c] < beyond ? directory->subtree_beyond[c] : beyond;
      for (int j = 0; j < d; j++) {
        box[j] = below[j] < box[j] ? below[j] : box[j];
        box[d + j] = below[d + j] > box[d + j] ? below[d + j] : box[d + j];
      }
    }
    directory->subtree_smallest[t] = smallest;
    directory->subtree_beyond[t] = beyond;
  }
  return PCCT_OK;
}

/* Balls around all regions of a subtree, for a metric without boxes. */
static pcct_status enclose(struct base *base, struct directory *directory) {
  const struct frame *frame = directory->frame;
  const struct metric *metric = directory->metric;
  const int d = directory->dimension;
  directory->subtree_radius = base_allocate_zero(base, frame->count, sizeof(double));
  if (!directory->subtree_radius) {
    return PCCT_MEMORY;
  }
  for (local_index t = 0; t < frame->count; t++) {
    const double *centre = frame->coordinates + (int64_t)t * d;
    double *radius = &directory->subtree_radius[t];
    for (local_index m = directory->first[t]; m < directory->first[frame->node[t].end]; m++) {
      const local_index i = directory->member[m];
      const double *other = directory->coordinates + (int64_t)i * d;
      const double farthest = metric_root_up(metric->kind, metric_value(metric, centre, other)) +
                              directory->region[i].radius;
      *radius = farthest > *radius ? farthest : *radius;
    }
    *radius *= 1 + METRIC_SLACK;
  }
  return PCCT_OK;
}

/* Rank 0's links of the merged top. */
static pcct_status reconcile(struct base *base, const struct tree_points *points,
                             local_index *parent, int16_t *level) {
  struct tree *merged = NULL;
  pcct_status status = tree_build(base, points, &merged);
  if (status == PCCT_OK && points->count > 0) {
    memcpy(parent, merged->parent, (size_t)points->count * sizeof *parent);
    memcpy(level, merged->level, (size_t)points->count * sizeof *level);
  }
  tree_destroy(&merged);
  return status;
}

/* The merged top of all records that were contributed. Collective. */
static pcct_status merge(pcct_context *context, struct directory *directory, const void *own,
                         int64_t count) {
  struct base *base = &context->base;
  const size_t size = directory_record_size(directory->dimension);
  struct tree_points points = {0};
  void *records = NULL;
  local_index *parent = NULL;
  int16_t *level = NULL;
  pcct_status status = comm_gather_root(context, own, count, size, &records, &count);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  comm_broadcast(context, &count, sizeof count);
  if (context->rank != 0) {
    base_free(records);
    records = base_allocate(base, count, size);
  }
  parent = base_allocate(base, count, sizeof *parent);
  level = base_allocate(base, count, sizeof *level);
  status = comm_agree(context, records && parent && level ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  comm_broadcast(context, records, count * (int64_t)size);
  status = unpack(base, records, (local_index)count, directory);
  if (status == PCCT_OK) {
    points = (struct tree_points){(local_index)count,  directory->metric,   directory->coordinates,
                                  directory->position, directory->priority, 1};
    if (context->rank == 0) {
      status = reconcile(base, &points, parent, level);
    }
  }
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  comm_broadcast(context, parent, count * (int64_t)sizeof *parent);
  comm_broadcast(context, level, count * (int64_t)sizeof *level);
  status = tree_restore(base, &points, parent, level, &directory->tree);
  if (status == PCCT_OK) {
    status = frame_create_whole(base, directory->tree, &directory->frame);
  }
  if (status == PCCT_OK) {
    status = summarise(base, directory);
  }
  if (status == PCCT_OK && directory->metric->kind == METRIC_USER) {
    status = enclose(base, directory);
  }
  status = comm_agree(context, status);
cleanup:
  base_free(records);
  base_free(parent);
  base_free(level);
  return status;
}

pcct_status directory_create(pcct_context *context, const struct metric *metric,
                             const struct tree *tree, const struct frame *frame, int64_t prefix,
                             struct directory **out) {
  const int64_t limit = context->base.settings.directory_regions;
  struct directory *directory = base_allocate_zero(&context->base, 1, sizeof *directory);
  void *own = NULL;
  int64_t count = 0;
  pcct_status status = PCCT_MEMORY;
  *out = NULL;
  if (directory) {
    directory->metric = metric;
    directory->dimension = metric->dimension;
    directory->ranks = context->size;
    directory->shared.window = MPI_WIN_NULL;
    directory_group(directory, context->size, limit);
    status = contribute(context, directory, tree, frame, prefix, limit, &own, &count);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK && directory->groups > 0) {
    status = directory_join_group(context, directory, limit, &own, &count);
  }
  if (status == PCCT_OK) {
    status = merge(context, directory, own, count);
  }
  if (status == PCCT_OK) {
    share(context, directory);
  }
  base_free(own);
  if (status != PCCT_OK) {
    directory_destroy(&directory);
  }
  *out = directory;
  return status;
}

/* A region of the merged top, or of this rank's own group. */
struct shown {
  const struct region *region;
  const double *centre, *box;
};

static struct shown show(const struct directory *directory, int rank, int64_t i) {
  const int d = directory->dimension;
  if (directory->groups == 0) {
    return (struct shown){&directory->region[i], directory->coordinates + i * d,
                          directory->box + 2 * i * d};
  }
  const void *records = directory->fine[rank / directory->group_size].records;
  const double *point = directory_record_point(records, d, i);
  return (struct shown){&directory_record_at(records, d, i)->region, point, point + d};
}

/* Whether a point lies in a region's ball, and in its box where the metric has coordinates. */
static int region_holds(const struct metric *metric, const struct shown *shown,
                        const double *point) {
  const double value = metric_value(metric, shown->centre, point);
  return directory_value(metric, shown->centre, shown->box, shown->region->radius, point) == 0 &&
         metric_root_down(metric->kind, value) <= shown->region->radius;
}

pcct_status directory_check(pcct_context *context, const struct directory *directory,
                            const struct tree *tree, int64_t total) {
  const int d = directory->dimension;
  int64_t all = 0;
  int64_t own = 0;
  pcct_status status = tree_check(&context->base, directory->tree, directory->frame);
  const int rank = context->rank;
  const int64_t known = directory->groups > 0 ? directory->fine[rank / directory->group_size].count
                                              : directory->count;
  for (local_index i = 0; i < directory->count; i++) {
    all += directory->region[i].count;
  }
  for (int64_t i = 0; i < known; i++) {
    const struct shown shown = show(directory, rank, i);
    own += shown.region->owner == rank ? shown.region->count : 0;
  }
  if (status == PCCT_OK && (all != total || own != tree->points.count)) {
    status = base_fail(
        &context->base, PCCT_DIFFERENT,
        "the regions of rank %d hold %lld points and those of all ranks %lld; expected "
        "%lld and %lld",
        rank, (long long)own, (long long)all, (long long)tree->points.count, (long long)total);
  }
  for (local_index p = 0; p < tree->points.count && status == PCCT_OK; p++) {
    const double *x = tree->points.coordinates + (int64_t)p * d;
    const int64_t position = tree->points.position[p];
    int inside = 0;
    for (int64_t i = 0; i < known && !inside; i++) {
      const struct shown shown = show(directory, rank, i);
      inside = shown.region->owner == rank && position >= shown.region->smallest &&
               position <= shown.region->largest && region_holds(directory->metric, &shown, x);
    }
    if (!inside) {
      status = base_fail(&context->base, PCCT_DIFFERENT,
                         "position %lld of rank %d lies in none of the rank's regions",
                         (long long)position, rank);
    }
  }
  return status;
}
