/* Looking things up in the merged top. */
#include "dist/directory_private.h"

#include <stdlib.h>

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

double directory_value(const struct metric *metric, const double *centre, const double *box,
                       double radius, const double *point) {
  return metric->kind == METRIC_USER ? ball_value(metric, centre, radius, point)
                                     : box_value(metric, box, point);
}

static double region_value(const struct directory *directory, local_index i, const double *point) {
  const int64_t d = directory->dimension;
  return directory_value(directory->metric, directory->coordinates + i * d,
                         directory->box + 2 * i * d, directory->region[i].radius, point);
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

int64_t directory_width(const struct directory *directory) {
  return (int64_t)directory->ranks + directory->groups;
}

int *directory_places(struct base *base, const struct directory *directory, int threads) {
  const int64_t count = directory_width(directory) * threads;
  int *place = base_allocate(base, count, sizeof *place);
  for (int64_t i = 0; i < count && place; i++) {
    place[i] = -1;
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

/* What one looks for, and what was found. */
struct looking {
  const struct directory *directory;
  const double *point;
  int64_t limit;
  double bound;
  int64_t bound_position;
  int beyond, self;
  int *place;
  struct directory_reach *reach;
  int found;
};

/* The place of an owner in `place`: groups stand behind the ranks. */
static int *place_of(const struct looking *looking, int64_t owner) {
  return &looking->place[owner >= 0 ? owner : looking->directory->ranks - 1 - owner];
}

/* Adds a region within reach to what its owner has. */
static void reach_region(struct looking *looking, const struct region *region, int64_t owner,
                         double value) {
  const int64_t smallest = looking->beyond ? region->beyond : region->smallest;
  const struct directory_reach one = {owner, value, smallest};
  if ((owner >= 0 && owner == looking->self) || smallest >= looking->limit ||
      !directory_meets(&one, looking->bound, looking->bound_position)) {
    return;
  }
  int *place = place_of(looking, owner);
  if (*place < 0) {
    *place = looking->found;
    looking->reach[looking->found++] = one;
  } else {
    struct directory_reach *held = &looking->reach[*place];
    held->value = one.value < held->value ? one.value : held->value;
    held->smallest = one.smallest < held->smallest ? one.smallest : held->smallest;
  }
}

/* The ranks of a group that is known, once. */
static void reach_group(struct looking *looking, int64_t group) {
  const struct directory *directory = looking->directory;
  const struct directory_fine *fine = &directory->fine[group];
  const int d = directory->dimension;
  int *seen = &looking->place[directory->ranks + group];
  if (*seen >= 0) {
    return;
  }
  *seen = 0;
  for (int64_t i = 0; i < fine->count; i++) {
    const struct region *region = &directory_record_at(fine->records, d, i)->region;
    const double *point = directory_record_point(fine->records, d, i);
    reach_region(
        looking, region, region->owner,
        directory_value(directory->metric, point, point + d, region->radius, looking->point));
  }
}

int directory_find(const struct directory *directory, const double *point, int64_t limit,
                   double bound, int64_t bound_position, int beyond, int self, int *place,
                   struct directory_reach *reach) {
  const struct frame *frame = directory->frame;
  const int64_t *subtree = beyond ? directory->subtree_beyond : directory->subtree_smallest;
  struct looking looking = {directory, point, limit, bound, bound_position,
                            beyond,    self,  place, reach, 0};
  local_index t = 0;
  while (t < frame->count) {
    const int64_t below = subtree[t];
    const double value = subtree_value(directory, t, point);
    if (below >= limit || value > bound || (value == bound && below > bound_position)) {
      t = frame->node[t].end;
      continue;
    }
    for (local_index m = directory->first[t]; m < directory->first[t + 1]; m++) {
      const local_index i = directory->member[m];
      const int64_t owner = directory->region[i].owner;
      if (directory->groups == 0) {
        reach_region(&looking, &directory->region[i], owner, region_value(directory, i, point));
      } else if (directory->fine[owner].records) {
        reach_group(&looking, owner);
      } else {
        reach_region(&looking, &directory->region[i], -1 - owner,
                     region_value(directory, i, point));
      }
    }
    t++;
  }
  for (int i = 0; i < looking.found; i++) {
    *place_of(&looking, reach[i].owner) = -1;
  }
  for (int g = 0; g < directory->groups; g++) {
    place[directory->ranks + g] = -1;
  }
  sort_reach(reach, looking.found);
  return looking.found;
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
      const int64_t owner = directory->region[i].owner;
      const int own = directory->groups > 0 ? owner == self / directory->group_size : owner == self;
      if (!own && directory->region[i].smallest < limit &&
          region_value(directory, i, point) <= bound) {
        return 1;
      }
    }
    t++;
  }
  const struct directory_fine *group =
      directory->groups > 0 ? &directory->fine[self / directory->group_size] : NULL;
  for (int64_t i = 0; group && i < group->count; i++) {
    const int d = directory->dimension;
    const struct region *region = &directory_record_at(group->records, d, i)->region;
    const double *centre = directory_record_point(group->records, d, i);
    if (region->owner != self && region->smallest < limit &&
        directory_value(directory->metric, centre, centre + d, region->radius, point) <= bound) {
      return 1;
    }
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
  return (int)(directory->groups > 0 ? home * directory->group_size : home);
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
