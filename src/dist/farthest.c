/* Orderings by growing nets: rounds over all ranks, and the sort at their end. */
#include "dist/farthest.h"

#include "dist/farthest_regions.h"
#include "dist/farthest_settle.h"
#include "dist/order.h"
#include "dist/order_lookup.h"
#include "vecchia/ordering.h"

#include <string.h>

bool dist_is_farthest(pcct_ordering ordering) {
  return ordering == PCCT_ORDERING_MAXIMIN || ordering == PCCT_ORDERING_LEVEL ||
         ordering == PCCT_ORDERING_TIME_MAXIMIN;
}

pcct_ordering dist_preliminary(pcct_ordering ordering) {
  if (!dist_is_farthest(ordering)) {
    return ordering;
  }
  return ordering == PCCT_ORDERING_LEVEL ? PCCT_ORDERING_RANDOM : PCCT_ORDERING_NONE;
}

/* The rounds of one rank. */
struct rounds {
  pcct_index *index;
  pcct_context *context;
  int net;
  struct walk_farthest walk;
  struct farthest_regions regions;
  int64_t *group;            /* [slots] keys of groups, ascending; NULL: one group */
  int64_t *row_group;        /* [row_count] by preliminary positions */
  struct sort_pair *members; /* [index->count] groups with slots, ascending; NULL: one group */
  local_index *slots;        /* [index->count] of the members */
  int64_t running, member, member_end; /* the running group and its members */
  int64_t *counts;                     /* [2 * size] */
  unsigned char *refuse;               /* [found_count] */
  int64_t refuse_capacity;
  int64_t done; /* points selected, of this rank */
};

/* ---- talk between ranks */

/* Points shown to other ranks: records of coordinates, kernel value, position. */
struct outbox {
  double *record;
  int64_t *item; /* the found points they are of, in the order of the records */
  int64_t count, capacity, item_capacity;
};

static void outbox_free(struct outbox *outbox) {
  base_free(outbox->record);
  base_free(outbox->item);
}

static pcct_status outbox_put(struct base *base, struct outbox *outbox, int width, int64_t item) {
  const int64_t needed = outbox->count + 1;
  pcct_status status = base_grow(base, (void **)&outbox->record, &outbox->capacity, outbox->count,
                                 needed, (size_t)width * sizeof(double));
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&outbox->item, &outbox->item_capacity, outbox->count, needed,
                       sizeof *outbox->item);
  }
  if (status == PCCT_OK) {
    outbox->item[outbox->count++] = item;
  }
  return status;
}

/* Shows free points to the ranks that may hold something that blocks them, and keeps those that nothing blocks:
 * refuse[i] is 1 for the others. */
static pcct_status show(struct rounds *rounds) {
  pcct_context *context = rounds->context;
  struct base *base = &context->base;
  const struct walk_farthest *walk = &rounds->walk;
  const struct view *view = walk->view;
  const int d = view->dimension;
  const int width = d + 2;
  struct outbox outbox = {0};
  void *shown = NULL, *answers = NULL;
  unsigned char *blocked = NULL;
  int64_t arrived = 0;
  double point[PCCT_DIMENSION_MAX];
  pcct_status status = base_grow(base, (void **)&rounds->refuse, &rounds->refuse_capacity, 0,
                                 walk->found_count, sizeof *rounds->refuse);
  for (int rank = 0; rank < context->size; rank++) {
    const int64_t before = outbox.count;
    for (int64_t i = 0; i < walk->found_count && rank != context->rank && status == PCCT_OK; i++) {
      const local_index slot = walk->found[i];
      walk_farthest_point(walk, slot, point);
      if (farthest_regions_blocks(&rounds->regions, rank, walk, point, walk->value[slot])) {
        status = outbox_put(base, &outbox, width, i);
        if (status == PCCT_OK) {
          double *record = outbox.record + (outbox.count - 1) * width;
          memcpy(record, point, (size_t)d * sizeof *record);
          record[d] = walk->value[slot];
          memcpy(&record[d + 1], &view->position[slot], sizeof *record);
        }
      }
    }
    rounds->counts[rank] = outbox.count - before;
  }
  if (status == PCCT_OK && walk->found_count > 0) {
    memset(rounds->refuse, 0, (size_t)walk->found_count);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status =
        comm_exchange_sparse(context, outbox.record, rounds->counts, (size_t)width * sizeof(double),
                             rounds->counts + context->size, &shown, &arrived, COUNTER_bytes_order);
  }
  if (status == PCCT_OK) {
    blocked = base_allocate(base, arrived, 1);
    status = comm_agree(context, blocked ? PCCT_OK : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < arrived; i++) {
      const double *record = (const double *)shown + i * width;
      int64_t position;
      memcpy(&position, &record[d + 1], sizeof position);
      blocked[i] = (unsigned char)walk_farthest_blocks(&rounds->walk, record, record[d], position);
    }
    status = comm_exchange_known(context, blocked, rounds->counts + context->size, 1,
                                 rounds->counts, &answers, COUNTER_bytes_order);
  }
  for (int64_t i = 0; i < outbox.count && status == PCCT_OK; i++) {
    rounds->refuse[outbox.item[i]] |= ((const unsigned char *)answers)[i];
  }
  outbox_free(&outbox);
  base_free(shown);
  base_free(blocked);
  base_free(answers);
  return status;
}

/* Sends selected points to the ranks whose points they may be nearest to.
 *   others [out] what comes from those */
static pcct_status tell(struct rounds *rounds, const struct walk_selected *selected, void **others,
                        int64_t *arrived) {
  pcct_context *context = rounds->context;
  const int d = rounds->walk.view->dimension;
  struct outbox outbox = {0};
  pcct_status status = PCCT_OK;
  for (int rank = 0; rank < context->size; rank++) {
    const int64_t before = outbox.count;
    for (int64_t i = 0; i < selected->count && rank != context->rank && status == PCCT_OK; i++) {
      const double *point = selected->points + i * d;
      if (farthest_regions_lowers(&rounds->regions, rank, point)) {
        status = outbox_put(&context->base, &outbox, d, i);
        if (status == PCCT_OK) {
          memcpy(outbox.record + (outbox.count - 1) * d, point, (size_t)d * sizeof *point);
        }
      }
    }
    rounds->counts[rank] = outbox.count - before;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status =
        comm_exchange_sparse(context, outbox.record, rounds->counts, (size_t)d * sizeof(double),
                             rounds->counts + context->size, others, arrived, COUNTER_bytes_order);
  }
  outbox_free(&outbox);
  return status;
}

/* ---- rounds */

/* Selects the points in `slots`, on all ranks at once, and lowers what they are nearest to. */
static pcct_status select_points(struct rounds *rounds, const local_index *slots, int64_t count) {
  pcct_context *context = rounds->context;
  struct base *base = &context->base;
  struct walk_farthest *walk = &rounds->walk;
  const int d = walk->view->dimension;
  void *others = NULL;
  int64_t arrived = 0;
  double *points = base_allocate(base, count * d, sizeof *points);
  pcct_status status = points ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
    for (int64_t i = 0; i < count; i++) {
      walk_farthest_select(walk, slots[i]);
      walk_farthest_point(walk, slots[i], points + i * d);
    }
  }
  struct walk_selected selected = {count, points};
  if (context->size > 1) {
    status = comm_agree(context, status);
    if (status == PCCT_OK) {
      status = tell(rounds, &selected, &others, &arrived);
    }
  }
  if (status == PCCT_OK) {
    status = walk_farthest_lower(base, walk, &selected);
  }
  if (status == PCCT_OK) {
    selected = (struct walk_selected){arrived, others};
    status = walk_farthest_lower(base, walk, &selected);
  }
  rounds->done += count;
  int64_t *most = &base->counters[COUNTER_ordering_selected_max];
  *most = count > *most ? count : *most;
  base->counters[COUNTER_ordering_rounds] += context->rank == 0;
  base_free(points);
  base_free(others);
  return comm_agree(context, status);
}

/* One round: what is free on all ranks is selected. */
static pcct_status run_round(struct rounds *rounds) {
  pcct_context *context = rounds->context;
  struct walk_farthest *walk = &rounds->walk;
  pcct_status status = walk_farthest_free(&context->base, walk);
  if (context->size == 1) {
    return status == PCCT_OK ? select_points(rounds, walk->found, walk->found_count) : status;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = show(rounds);
  }
  if (status != PCCT_OK) {
    return status;
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < walk->found_count; i++) {
    walk->found[kept] = walk->found[i];
    kept += !rounds->refuse[i];
  }
  return select_points(rounds, walk->found, kept);
}

static void begin(struct rounds *rounds, enum walk_farthest_rule rule, double radius) {
  const int64_t first = rounds->member;
  walk_farthest_begin(&rounds->context->base, &rounds->walk, rule, radius,
                      rounds->group ? rounds->running : 0,
                      rounds->group ? rounds->slots + first : NULL, rounds->member_end - first);
}

/* Largest value of any point of the running group that is not selected; not positive: there is none. */
static double largest_value(const struct rounds *rounds) {
  double most = rounds->group ? -1 : rounds->walk.all.reach;
  for (int64_t i = rounds->member; i < rounds->member_end && rounds->group; i++) {
    most = fmax(most, rounds->walk.value[rounds->slots[i]]);
  }
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, rounds->context->comm);
  return most;
}

/* Goes on to the next smaller scale of a net at which there are eligible points; false: there is none. */
static bool next_scale(struct rounds *rounds) {
  const enum metric_kind kind = rounds->index->metric.kind;
  const double most = largest_value(rounds);
  if (most > 0) {
    begin(rounds, WALK_NET, metric_level_value(kind, metric_level(kind, most) - 1));
    farthest_regions_refresh(rounds->context, &rounds->walk, &rounds->regions);
  }
  return most > 0;
}

/* All rounds of the running group. */
static pcct_status run_group(struct rounds *rounds) {
  pcct_context *context = rounds->context;
  pcct_status status = PCCT_OK;
  bool more = true;
  if (rounds->net) {
    more = next_scale(rounds);
  } else {
    begin(rounds, WALK_FARTHEST, 0);
  }
  while (more && status == PCCT_OK) {
    if (farthest_regions_refresh(context, &rounds->walk, &rounds->regions) > 0) {
      status = run_round(rounds);
      base_progress(&context->base, rounds->done, rounds->index->count);
    } else {
      more = rounds->net && next_scale(rounds);
    }
  }
  return status;
}

/* ---- the start */

/* A candidate for the first point: smaller ones are better. */
struct start {
  double value;
  int64_t position;
};

/* The best of all ranks' candidates. */
static struct start best_start(pcct_context *context, struct start own) {
  struct start best = own;
  MPI_Allreduce(&own.value, &best.value, 1, MPI_DOUBLE, MPI_MIN, context->comm);
  best.position = comm_min(context, own.value == best.value ? own.position : INT64_MAX);
  return best;
}

/* Coordinates of the running group's points: this rank's, or a copy of some of them.
 *   copy [out] freed by the caller; NULL: there is none */
static const double *group_points(struct rounds *rounds, int64_t *count, double **copy) {
  const int d = rounds->index->metric.dimension;
  *copy = NULL;
  *count = rounds->index->count;
  if (!rounds->group) {
    return rounds->index->coordinates;
  }
  *count = rounds->member_end - rounds->member;
  *copy = base_allocate(&rounds->context->base, *count * d, sizeof **copy);
  for (int64_t i = 0; *copy && i < *count; i++) {
    walk_farthest_point(&rounds->walk, rounds->slots[rounds->member + i], *copy + i * d);
  }
  return *copy;
}

/* The mean of the running group's points, as search coordinates. */
static pcct_status find_mean(struct rounds *rounds, double *mean) {
  pcct_context *context = rounds->context;
  struct vecchia_ordering ordering = {.kind = VECCHIA_ORDERING_MIDDLEOUT,
                                      .metric = &rounds->index->metric};
  double *copy;
  int64_t count;
  struct vecchia_ordering_scan *scan = base_allocate_zero(&context->base, 1, sizeof *scan);
  const double *points = group_points(rounds, &count, &copy);
  pcct_status status = comm_agree(context, scan && points ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    dist_order_scan(context, &ordering, points, count, comm_sum(context, count), scan);
    memcpy(mean, ordering.mean, (size_t)ordering.metric->dimension * sizeof *mean);
  }
  base_free(scan);
  base_free(copy);
  return status;
}

/* Selects the first point. */
static pcct_status start(struct rounds *rounds, const pcct_index_options *options) {
  pcct_context *context = rounds->context;
  const struct view *view = rounds->walk.view;
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  const bool central = !rounds->net && options->start == PCCT_START_CENTRE;
  struct start own = {INFINITY, INT64_MAX};
  local_index first = -1;
  double mean[PCCT_DIMENSION_MAX], point[PCCT_DIMENSION_MAX];
  pcct_status status = central ? find_mean(rounds, mean) : PCCT_OK;
  for (local_index s = 0; s < slots && status == PCCT_OK; s++) {
    const int64_t position = view->position[s];
    double value = 0;
    if (position == INT64_MAX || (rounds->group && rounds->group[s] != rounds->running)) {
      continue;
    }
    if (central) {
      walk_farthest_point(&rounds->walk, s, point);
      value = metric_square(view->dimension, point, mean);
    } else if (!rounds->net && options->start == PCCT_START_ROW) {
      value = position != options->start_row;
    }
    if (value < own.value || (value == own.value && position < own.position)) {
      own = (struct start){value, position};
      first = s;
    }
  }
  if (status != PCCT_OK) {
    return status;
  }
  const struct start best = best_start(context, own);
  if (!rounds->net && options->start == PCCT_START_ROW && best.value > 0) {
    return base_fail(&context->base, PCCT_USAGE,
                     "the ordering shall start at row %lld; expected a row of the first group, "
                     "found one of another",
                     (long long)options->start_row);
  }
  farthest_regions_refresh(context, &rounds->walk, &rounds->regions);
  return select_points(rounds, &first, own.position == best.position && first >= 0);
}

/* ---- groups */

/* Groups come in ascending order of these keys, by rows. */
static void group_keys(const pcct_index *index, const pcct_index_options *options,
                       const pcct_points *points, int64_t *key) {
  for (int64_t i = 0; i < index->row_count; i++) {
    if (options->ordering == PCCT_ORDERING_TIME_MAXIMIN) {
      /* ascending as signed integers too */
      const uint64_t bits = sort_key(points->coordinates[i * points->dimension + options->axis]);
      key[i] = (int64_t)(bits ^ (UINT64_C(1) << 63));
    } else {
      key[i] = options->group[i];
    }
  }
}

/* The groups of this rank's points. */
static pcct_status place_groups(struct rounds *rounds, const pcct_index_options *options,
                                const pcct_points *points) {
  pcct_index *index = rounds->index;
  pcct_context *context = rounds->context;
  struct base *base = &context->base;
  const struct view *view = index->views.view[0];
  const int64_t slots = (int64_t)view->blocks * VIEW_WIDTH;
  int64_t *key = base_allocate(base, index->row_count, sizeof *key);
  int64_t *item = base_allocate(base, index->count, sizeof *item);
  rounds->row_group = base_allocate(base, index->row_count, sizeof *rounds->row_group);
  rounds->group = base_allocate(base, slots, sizeof *rounds->group);
  rounds->members = base_allocate(base, index->count, sizeof *rounds->members);
  rounds->slots = base_allocate(base, index->count, sizeof *rounds->slots);
  pcct_status status = comm_agree(context, key && item && rounds->row_group && rounds->group &&
                                                   rounds->members && rounds->slots
                                               ? PCCT_OK
                                               : PCCT_MEMORY);
  if (status == PCCT_OK) {
    group_keys(index, options, points, key);
    status = dist_order_permute(context, index->row_position, index->row_count, sizeof *key, key,
                                index->first_row, index->row_count, rounds->row_group);
  }
  int64_t next = 0;
  if (status == PCCT_OK) {
    for (int64_t s = 0; s < slots; s++) {
      if (view->position[s] < INT64_MAX) {
        rounds->slots[next] = (local_index)s;
        item[next++] = view->position[s];
      }
    }
    base_free(key);
    key = base_allocate(base, next, sizeof *key);
    status = comm_agree(context, key ? PCCT_OK : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    status = dist_order_lookup(context, rounds->row_group, index->row_count, item, next, key);
  }
  if (status == PCCT_OK) {
    for (int64_t s = 0; s < slots; s++) {
      rounds->group[s] = INT64_MIN;
    }
    for (int64_t i = 0; i < next; i++) {
      rounds->group[rounds->slots[i]] = key[i];
      rounds->members[i] =
          (struct sort_pair){(uint64_t)key[i] ^ (UINT64_C(1) << 63), (uint64_t)rounds->slots[i]};
    }
    status = comm_agree(context, sort_pairs(base, rounds->members, next));
  }
  for (int64_t i = 0; i < next && status == PCCT_OK; i++) {
    rounds->slots[i] = (local_index)rounds->members[i].value;
  }
  base_free(key);
  base_free(item);
  return status;
}

/* Goes on to the next group; false: there is none. Collective. */
static bool next_group(struct rounds *rounds) {
  const int64_t count = rounds->index->count;
  int64_t at = rounds->member_end;
  int64_t next = at < count ? rounds->group[rounds->slots[at]] : INT64_MAX;
  next = comm_min(rounds->context, next);
  rounds->running = next;
  rounds->member = at;
  while (at < count && rounds->group[rounds->slots[at]] == next) {
    at++;
  }
  rounds->member_end = at;
  return next < INT64_MAX;
}

static pcct_status run_groups(struct rounds *rounds, const pcct_index_options *options) {
  bool more = rounds->group ? next_group(rounds) : rounds->index->total > 0;
  pcct_status status = more ? start(rounds, options) : PCCT_OK;
  while (more && status == PCCT_OK) {
    status = run_group(rounds);
    more = rounds->group && status == PCCT_OK && next_group(rounds);
  }
  return status;
}

pcct_status dist_farthest(pcct_index *index, const pcct_index_options *options,
                          const pcct_points *points) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  const struct view *view = index->views.view[0];
  struct rounds rounds = {
      .index = index, .context = context, .net = index->ordering == PCCT_ORDERING_LEVEL};
  pcct_context_enter_phase(context, PCCT_PHASE_order);
  const bool grouped = index->grouped || options->ordering == PCCT_ORDERING_TIME_MAXIMIN;
  pcct_status status = grouped ? place_groups(&rounds, options, points) : PCCT_OK;
  if (status == PCCT_OK) {
    rounds.counts = base_allocate(base, 2 * (int64_t)context->size, sizeof *rounds.counts);
    status = walk_farthest_create(base, view, rounds.group, &rounds.walk);
    status = comm_agree(context, rounds.counts ? status : PCCT_MEMORY);
  }
  if (status == PCCT_OK) {
    status = farthest_regions_create(context, view, &rounds.regions);
  }
  if (status == PCCT_OK) {
    status = run_groups(&rounds, options);
  }
  if (status == PCCT_OK) {
    status = farthest_settle(index, &rounds.walk, rounds.row_group);
  }
  walk_farthest_clear(base, &rounds.walk);
  farthest_regions_free(&rounds.regions);
  base_free(rounds.group);
  base_free(rounds.row_group);
  base_free(rounds.members);
  base_free(rounds.slots);
  base_free(rounds.counts);
  base_free(rounds.refuse);
  return status;
}
