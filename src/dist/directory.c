/* The merged top on every rank. */
#include "dist/directory.h"

#include "base/random.h"
#include "tree/check.h"

#include <stdlib.h>
#include <string.h>

void directory_destroy(struct directory **directory) {
  if (!directory || !*directory) {
    return;
  }
  struct directory *d = *directory;
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
  base_free(d);
  *directory = NULL;
}

/* One region on its way: this header, then point, lower and upper ([dimension] each). */
struct record {
  struct region region;
  int64_t position;
};

static size_t record_size(int dimension) {
  return sizeof(struct record) + 3 * (size_t)dimension * sizeof(double);
}

static double *record_doubles(void *records, int dimension, int64_t i) {
  return (double *)(void *)((char *)records + (size_t)i * record_size(dimension) +
                            sizeof(struct record));
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
    struct record *record = (struct record *)(void *)((char *)records + (size_t)i * record_size(d));
    double *doubles = record_doubles(records, d, i);
    *record = (struct record){{0, INT64_MAX, -1, INT64_MAX, owner, 0},
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
    struct record *record = (struct record *)(void *)((char *)records + (size_t)i * record_size(d));
    struct region *region = &record->region;
    double *doubles = record_doubles(records, d, i);
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
static pcct_status contribute(pcct_context *context, const struct metric *metric,
                              const struct tree *tree, const struct frame *frame, int64_t prefix,
                              void **records, int64_t *count) {
  struct base *base = &context->base;
  int limit = DIRECTORY_REGIONS / context->size;
  limit = limit < DIRECTORY_RANK_LEAST ? DIRECTORY_RANK_LEAST : limit;
  limit = limit > DIRECTORY_RANK_MOST ? DIRECTORY_RANK_MOST : limit;
  struct top *top = base_allocate(base, 1, sizeof *top);
  local_index *of_place = base_allocate(base, frame->count, sizeof *of_place);
  *records = NULL;
  *count = 0;
  pcct_status status = PCCT_MEMORY;
  if (top && of_place) {
    choose_top(frame, limit, top);
    *records = base_allocate(base, top->count, record_size(metric->dimension));
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

static pcct_status unpack(struct base *base, const struct metric *metric, void *records,
                          local_index count, struct directory **out) {
  const int dimension = metric->dimension;
  struct directory *d = base_allocate_zero(base, 1, sizeof *d);
  *out = d;
  if (!d) {
    return PCCT_MEMORY;
  }
  d->metric = metric;
  d->dimension = dimension;
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
    struct record record;
    memcpy(&record, (char *)records + (size_t)i * record_size(dimension), sizeof record);
    const double *doubles = record_doubles(records, dimension, i);
    d->region[i] = record.region;
    d->position[i] = record.position;
    d->priority[i] = random_bits(0, RANDOM_INSERTION, (uint64_t)record.position);
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

pcct_status directory_create(pcct_context *context, const struct metric *metric,
                             const struct tree *tree, const struct frame *frame, int64_t prefix,
                             struct directory **out) {
  struct base *base = &context->base;
  const int dimension = metric->dimension;
  struct directory *directory = NULL;
  void *own = NULL;
  void *records = NULL;
  local_index *parent = NULL;
  int16_t *level = NULL;
  int64_t count = 0;
  *out = NULL;
  pcct_status status = contribute(context, metric, tree, frame, prefix, &own, &count);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = comm_gather_root(context, own, count, record_size(dimension), &records, &count);
  }
  if (status != PCCT_OK) {
    goto cleanup;
  }
  comm_broadcast(context, &count, sizeof count);
  if (context->rank != 0) {
    base_free(records);
    records = base_allocate(base, count, record_size(dimension));
  }
  parent = base_allocate(base, count, sizeof *parent);
  level = base_allocate(base, count, sizeof *level);
  status = comm_agree(context, records && parent && level ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  comm_broadcast(context, records, count * (int64_t)record_size(dimension));
  status = unpack(base, metric, records, (local_index)count, &directory);
  struct tree_points points = {0};
  if (status == PCCT_OK) {
    points = (struct tree_points){(local_index)count,     metric,
                                  directory->coordinates, directory->position,
                                  directory->priority,    1};
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
  if (status == PCCT_OK && metric->kind == METRIC_USER) {
    status = enclose(base, directory);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    *out = directory;
    directory = NULL;
  }
cleanup:
  base_free(own);
  base_free(records);
  base_free(parent);
  base_free(level);
  directory_destroy(&directory);
  return status;
}

/* Smallest kernel value a point of a box can have; the kernel's own order of summation. */
static double box_value(const struct metric *metric, const double *box, const double *point) {
  const int dimension = metric->dimension;
  double value = 0;
  for (int j = 0; j < dimension; j++) {
    double below = box[j] - point[j];
    double above = point[j] - box[dimension + j];
    double outside = below > above ? below : above;
    value = metric_add_axis(metric->kind, value, outside > 0 ? outside : 0);
  }
  return value;
}

/* A kernel value of a user's metric that no point of a ball is below. */
static double ball_value(const struct metric *metric, const double *centre, double radius,
                         const double *point) {
  const double value = metric_root_down(METRIC_USER, metric_value(metric, point, centre)) -
                       radius * (1 + METRIC_SLACK);
  return value > 0 ? value : 0;
}

static double subtree_value(const struct directory *directory, local_index t, const double *point) {
  const int d = directory->dimension;
  return directory->subtree_radius
             ? ball_value(directory->metric, directory->frame->coordinates + (int64_t)t * d,
                          directory->subtree_radius[t], point)
             : box_value(directory->metric, directory->subtree_box + 2 * (int64_t)t * d, point);
}

static double region_value(const struct directory *directory, local_index i, const double *point) {
  const int d = directory->dimension;
  return directory->metric->kind == METRIC_USER
             ? ball_value(directory->metric, directory->coordinates + (int64_t)i * d,
                          directory->region[i].radius, point)
             : box_value(directory->metric, directory->box + 2 * (int64_t)i * d, point);
}

/* A kernel value that no point of a region exceeds: of the box's farthest corner, whose rounding is monotone, or of
 * the ball's far side. */
static double region_farthest(const struct directory *directory, local_index i,
                              const double *point) {
  const struct metric *metric = directory->metric;
  const int d = directory->dimension;
  const double *box = directory->box + 2 * (int64_t)i * d;
  double value = 0;
  if (metric->kind == METRIC_USER) {
    value = metric_value(metric, point, directory->coordinates + (int64_t)i * d);
    return metric_root_up(METRIC_USER,
                          metric_root_up(METRIC_USER, value) + directory->region[i].radius);
  }
  for (int j = 0; j < d; j++) {
    double below = fabs(point[j] - box[j]);
    double above = fabs(point[j] - box[d + j]);
    value = metric_add_axis(metric->kind, value, below > above ? below : above);
  }
  return value;
}

int *directory_places(struct base *base, int64_t ranks) {
  int *place = base_allocate(base, ranks, sizeof *place);
  for (int64_t r = 0; r < ranks && place; r++) {
    place[r] = -1;
  }
  return place;
}

/* Sorts what was found by (value, owner); there are few. */
static void sort_reach(struct directory_reach *reach, int count) {
  for (int i = 1; i < count; i++) {
    const struct directory_reach one = reach[i];
    int j = i;
    for (; j > 0 && (one.value < reach[j - 1].value ||
                     (one.value == reach[j - 1].value && one.owner < reach[j - 1].owner));
         j--) {
      reach[j] = reach[j - 1];
    }
    reach[j] = one;
  }
}

int directory_find(const struct directory *directory, const double *point, int64_t limit,
                   double bound, int64_t bound_position, int beyond, int self, int *place,
                   struct directory_reach *reach) {
  const struct frame *frame = directory->frame;
  const int64_t *subtree = beyond ? directory->subtree_beyond : directory->subtree_smallest;
  int found = 0;
  local_index t = 0;
  while (t < frame->count) {
    const int64_t below = subtree[t];
    const double value = subtree_value(directory, t, point);
    if (below >= limit || value > bound || (value == bound && below > bound_position)) {
      t = frame->node[t].end;
      continue;
    }
    for (local_index m = directory->first[t]; m < directory->first[t + 1]; m++) {
      const struct region *region = &directory->region[directory->member[m]];
      const int64_t smallest = beyond ? region->beyond : region->smallest;
      if (region->owner == self || smallest >= limit) {
        continue;
      }
      const struct directory_reach one = {
          region->owner, region_value(directory, directory->member[m], point), smallest};
      if (!directory_meets(&one, bound, bound_position)) {
        continue;
      }
      if (place[one.owner] < 0) {
        place[one.owner] = found;
        reach[found++] = one;
      } else {
        struct directory_reach *held = &reach[place[one.owner]];
        held->value = one.value < held->value ? one.value : held->value;
        held->smallest = one.smallest < held->smallest ? one.smallest : held->smallest;
      }
    }
    t++;
  }
  for (int i = 0; i < found; i++) {
    place[reach[i].owner] = -1;
  }
  sort_reach(reach, found);
  return found;
}

int directory_reaches(const struct directory *directory, const double *point, int64_t limit,
                      double bound, int self) {
  const struct frame *frame = directory->frame;
  local_index t = 0;
  while (t < frame->count) {
    if (directory->subtree_smallest[t] >= limit || subtree_value(directory, t, point) > bound) {
      t = frame->node[t].end;
      continue;
    }
    for (local_index m = directory->first[t]; m < directory->first[t + 1]; m++) {
      const local_index i = directory->member[m];
      if (directory->region[i].owner != self && directory->region[i].smallest < limit &&
          region_value(directory, i, point) <= bound) {
        return 1;
      }
    }
    t++;
  }
  return 0;
}

int directory_home(const struct directory *directory, const double *point) {
  const struct frame *frame = directory->frame;
  double nearest = INFINITY;
  int64_t home = 0;
  local_index t = 0;
  while (t < frame->count) {
    if (subtree_value(directory, t, point) > nearest) {
      t = frame->node[t].end;
      continue;
    }
    for (local_index m = directory->first[t]; m < directory->first[t + 1]; m++) {
      const local_index i = directory->member[m];
      const double value = region_value(directory, i, point);
      if (value < nearest || (value == nearest && directory->region[i].owner < home)) {
        nearest = value;
        home = directory->region[i].owner;
      }
    }
    t++;
  }
  return (int)home;
}

static int by_value(const void *a, const void *b) {
  const double x = ((const struct vouched *)a)->value;
  const double y = ((const struct vouched *)b)->value;
  return (x > y) - (x < y);
}

double directory_bound(const struct directory *directory, const double *point, int64_t limit,
                       int64_t needed, struct vouched *scratch) {
  size_t count = 0;
  int64_t vouched = 0;
  for (local_index i = 0; i < directory->count; i++) {
    const struct region *region = &directory->region[i];
    if (region->smallest >= limit) {
      continue;
    }
    const double value = region_farthest(directory, i, point);
    scratch[count++] = (struct vouched){value, region->largest < limit ? region->count : 1};
  }
  qsort(scratch, count, sizeof *scratch, by_value);
  for (size_t i = 0; i < count; i++) {
    vouched += scratch[i].count;
    if (vouched >= needed) {
      return scratch[i].value;
    }
  }
  return INFINITY;
}

/* Whether a point lies in a region's ball, and in its box where the metric has coordinates. */
static int region_holds(const struct directory *directory, local_index i, const double *point) {
  const struct metric *metric = directory->metric;
  const double value =
      metric_value(metric, directory->coordinates + (int64_t)i * directory->dimension, point);
  return region_value(directory, i, point) == 0 &&
         metric_root_down(metric->kind, value) <= directory->region[i].radius;
}

pcct_status directory_check(pcct_context *context, const struct directory *directory,
                            const struct tree *tree, int64_t total) {
  const int d = directory->dimension;
  int64_t all = 0;
  int64_t own = 0;
  pcct_status status = tree_check(&context->base, directory->tree, directory->frame);
  for (local_index i = 0; i < directory->count; i++) {
    all += directory->region[i].count;
    own += directory->region[i].owner == context->rank ? directory->region[i].count : 0;
  }
  if (status == PCCT_OK && (all != total || own != tree->points.count)) {
    status =
        base_fail(&context->base, PCCT_DIFFERENT,
                  "the regions of rank %d hold %lld points and those of all ranks %lld; expected "
                  "%lld and %lld",
                  context->rank, (long long)own, (long long)all, (long long)tree->points.count,
                  (long long)total);
  }
  for (local_index p = 0; p < tree->points.count && status == PCCT_OK; p++) {
    const double *x = tree->points.coordinates + (int64_t)p * d;
    const int64_t position = tree->points.position[p];
    int inside = 0;
    for (local_index i = 0; i < directory->count && !inside; i++) {
      const struct region *region = &directory->region[i];
      inside = region->owner == context->rank && position >= region->smallest &&
               position <= region->largest && region_holds(directory, i, x);
    }
    if (!inside) {
      status = base_fail(&context->base, PCCT_DIFFERENT,
                         "position %lld of rank %d lies in none of the rank's regions",
                         (long long)position, context->rank);
    }
  }
  return status;
}
