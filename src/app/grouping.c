/*
 * Groups of neighbouring points whose conditioning sets overlap: the likelihood of a group's points costs less, and is
 * nearer the exact one, than that of each by itself.
 *
 * Greedily, as Guinness (Technometrics 60, 2018): for the first, second, ... nearest predecessors, and for each point
 * in order, its group and that predecessor's become one if the square of the number of points in both together, sets
 * included, does not exceed the sum of their squares, or the largest number that is allowed. Groups never leave a
 * stretch of STRETCH points along a Hilbert curve, so that stretches are independent of each other.
 */
#include "app/extend.h"
#include "base/sort.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH_MOST = 16384, STRETCH_LEAST = 512, STRETCH_ENTRIES = 1 << 22 };

/* A stretch's groups, or a rank's. */
struct grouped {
  int64_t groups, points, members; /* filled */
  int64_t *last_member,
      *last_point;        /* [groups] ends, counted from the first member and point here */
  int64_t *member;        /* [members] positions, ascending within a group */
  int64_t *point, *place; /* [points] positions, and their places among the group's members */
};

struct grouping {
  struct grouped own;
  int64_t groups_before, members_before, points_before;
  int64_t groups, members; /* of all ranks */
  int64_t most_points, most_members;
  double cost; /* sum over groups of members^3, of all ranks */
};

/* ---- one stretch */

/* Records of points along the curve: position, entries, entries of the set. */
static int64_t record_words(const struct extend *run) {
  return 2 + run->sets.width;
}

/* What a thread works with. */
struct work {
  int64_t stretch; /* points at most */
  int64_t width;   /* of sets */
  int64_t largest;
  int64_t *position;    /* [stretch] ascending */
  int64_t *order;       /* [stretch] their places along the curve */
  int32_t *neighbor;    /* [stretch][width] points of this stretch; -1: elsewhere */
  int32_t *group;       /* [stretch] of each point: the first point that was in it */
  int32_t *next, *tail; /* [stretch] points of a group, ascending lists joined */
  int64_t *list_at;     /* [stretch] members of a group in the pool */
  int32_t *list_size;   /* [stretch] */
  int64_t *pool;        /* lists, and room for one more */
  int64_t pool_used;
};

static void work_free(struct work *work) {
  base_free(work->position);
  base_free(work->order);
  base_free(work->neighbor);
  base_free(work->group);
  base_free(work->next);
  base_free(work->tail);
  base_free(work->list_at);
  base_free(work->list_size);
  base_free(work->pool);
}

static pcct_status work_create(struct base *base, int64_t stretch, int64_t width, int64_t largest,
                               struct work *work) {
  *work = (struct work){.stretch = stretch, .width = width, .largest = largest};
  work->position = base_allocate(base, stretch, sizeof *work->position);
  work->order = base_allocate(base, stretch, sizeof *work->order);
  work->neighbor = base_allocate(base, stretch, (size_t)width * sizeof *work->neighbor);
  work->group = base_allocate(base, stretch, sizeof *work->group);
  work->next = base_allocate(base, stretch, sizeof *work->next);
  work->tail = base_allocate(base, stretch, sizeof *work->tail);
  work->list_at = base_allocate(base, stretch, sizeof *work->list_at);
  work->list_size = base_allocate(base, stretch, sizeof *work->list_size);
  work->pool =
      base_allocate(base, stretch * (width + 1 + largest) + 2 * largest, sizeof *work->pool);
  return work->position && work->order && work->neighbor && work->group && work->next &&
                 work->tail && work->list_at && work->list_size && work->pool
             ? PCCT_OK
             : PCCT_MEMORY;
}

/* The point of a position in this stretch; -1: none. */
static int32_t find_point(const struct work *work, int64_t count, int64_t position) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (work->position[middle] < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count && work->position[low] == position ? (int32_t)low : -1;
}

/* Every point a group of its own, with its set. */
static void start_stretch(struct work *work, const int64_t *records, int64_t count) {
  const int64_t words = work->width + 2;
  work->pool_used = 0;
  for (int64_t i = 0; i < count; i++) {
    work->position[i] = records[i * words];
  }
  qsort(work->position, (size_t)count, sizeof *work->position, sort_compare_integers);
  for (int64_t i = 0; i < count; i++) {
    work->order[find_point(work, count, records[i * words])] = i;
  }
  for (int64_t p = 0; p < count; p++) {
    const int64_t *record = records + work->order[p] * words;
    int64_t *list = work->pool + work->pool_used;
    for (int64_t e = 0; e < work->width; e++) {
      work->neighbor[p * work->width + e] =
          e < record[1] ? find_point(work, count, record[2 + e]) : -1;
    }
    memcpy(list, record + 2, (size_t)record[1] * sizeof *list);
    list[record[1]] = record[0];
    qsort(list, (size_t)record[1] + 1, sizeof *list, sort_compare_integers);
    work->list_at[p] = work->pool_used;
    work->list_size[p] = (int32_t)record[1] + 1;
    work->pool_used += record[1] + 1;
    work->group[p] = (int32_t)p;
    work->next[p] = -1;
    work->tail[p] = (int32_t)p;
  }
}

/* Members of both groups, ascending, behind the pool's end; returns how many. */
static int64_t unite(const struct work *work, int32_t a, int32_t b) {
  const int64_t *x = work->pool + work->list_at[a], *x_end = x + work->list_size[a];
  const int64_t *y = work->pool + work->list_at[b], *y_end = y + work->list_size[b];
  int64_t *to = work->pool + work->pool_used;
  while (x < x_end && y < y_end) {
    const int64_t least = *x < *y ? *x : *y;
    x += *x == least;
    y += *y == least;
    *to++ = least;
  }
  while (x < x_end) {
    *to++ = *x++;
  }
  while (y < y_end) {
    *to++ = *y++;
  }
  return to - (work->pool + work->pool_used);
}

/* Makes one group of two if that is worth while. */
static void join(struct work *work, int32_t a, int32_t b) {
  const int64_t x = work->list_size[a], y = work->list_size[b];
  /* together they have at least as many as the larger one, so that much room is enough for a look */
  if (x + y > 2 * work->largest) {
    return;
  }
  const int64_t both = unite(work, a, b);
  if (both > work->largest || both * both > x * x + y * y) {
    return;
  }
  work->list_at[a] = work->pool_used;
  work->list_size[a] = (int32_t)both;
  work->pool_used += both;
  work->next[work->tail[a]] = b;
  work->tail[a] = work->tail[b];
  for (int32_t p = b; p >= 0; p = work->next[p]) {
    work->group[p] = a;
  }
}

/* Groups the points of one stretch, and appends them. */
static void group_stretch(struct work *work, const int64_t *records, int64_t count,
                          struct grouped *out) {
  start_stretch(work, records, count);
  for (int64_t e = 0; e < work->width; e++) {
    for (int64_t p = 0; p < count; p++) {
      const int32_t neighbor = work->neighbor[p * work->width + e];
      if (neighbor >= 0 && work->group[p] != work->group[neighbor]) {
        const int32_t a = work->group[p], b = work->group[neighbor];
        join(work, a < b ? a : b, a < b ? b : a);
      }
    }
  }
  for (int32_t p = 0; p < count; p++) { /* a group's name is its first point */
    if (work->group[p] != p) {
      continue;
    }
    const int64_t *list = work->pool + work->list_at[p];
    const int64_t first = out->points;
    memcpy(out->member + out->members, list, (size_t)work->list_size[p] * sizeof *list);
    for (int32_t q = p; q >= 0; q = work->next[q]) {
      out->point[out->points++] = work->position[q];
    }
    qsort(out->point + first, (size_t)(out->points - first), sizeof *out->point,
          sort_compare_integers);
    int64_t place = 0;
    for (int64_t i = first; i < out->points; i++) {
      while (list[place] != out->point[i]) {
        place++;
      }
      out->place[i] = place;
    }
    out->members += work->list_size[p];
    out->last_member[out->groups] = out->members;
    out->last_point[out->groups++] = out->points;
  }
}

/* ---- all of a rank */

static void grouped_free(struct grouped *grouped) {
  base_free(grouped->last_member);
  base_free(grouped->last_point);
  base_free(grouped->member);
  base_free(grouped->point);
  base_free(grouped->place);
}

/* Room for groups of `points` points with sets of `width`: joining makes fewer members. */
static pcct_status grouped_create(struct base *base, int64_t points, int64_t width,
                                  struct grouped *grouped) {
  *grouped = (struct grouped){.groups = 0};
  grouped->last_member = base_allocate(base, points, sizeof *grouped->last_member);
  grouped->last_point = base_allocate(base, points, sizeof *grouped->last_point);
  grouped->member = base_allocate(base, points * (width + 1), sizeof *grouped->member);
  grouped->point = base_allocate(base, points, sizeof *grouped->point);
  grouped->place = base_allocate(base, points, sizeof *grouped->place);
  return grouped->last_member && grouped->last_point && grouped->member && grouped->point &&
                 grouped->place
             ? PCCT_OK
             : PCCT_MEMORY;
}

/* Appends the groups of a stretch. */
static void append(struct grouped *to, const struct grouped *from) {
  for (int64_t g = 0; g < from->groups; g++) {
    to->last_member[to->groups] = to->members + from->last_member[g];
    to->last_point[to->groups++] = to->points + from->last_point[g];
  }
  memcpy(to->member + to->members, from->member, (size_t)from->members * sizeof *to->member);
  memcpy(to->point + to->points, from->point, (size_t)from->points * sizeof *to->point);
  memcpy(to->place + to->points, from->place, (size_t)from->points * sizeof *to->place);
  to->members += from->members;
  to->points += from->points;
}

/* Groups this rank's stretches: as many at a time as there are threads. */
static pcct_status group_all(struct extend *run, const int64_t *records, int64_t count,
                             int64_t stretch, int64_t largest, struct grouped *out) {
  struct base *base = &run->app->context->base;
  const int64_t width = run->sets.width, words = record_words(run);
  const int threads = base->threads;
  struct work *work = base_allocate_zero(base, threads, sizeof *work);
  struct grouped *part = base_allocate_zero(base, threads, sizeof *part);
  pcct_status status = work && part ? grouped_create(base, count, width, out) : PCCT_MEMORY;
  for (int t = 0; t < threads && status == PCCT_OK; t++) {
    status = work_create(base, stretch, width, largest, &work[t]);
    if (status == PCCT_OK) {
      status = grouped_create(base, stretch, width, &part[t]);
    }
  }
  for (int64_t at = 0; at < count && status == PCCT_OK; at += threads * stretch) {
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
      const int64_t from = at + t * stretch;
      const int64_t own = count - from < stretch ? count - from : stretch;
      part[t].groups = part[t].points = part[t].members = 0;
      if (own > 0) {
        group_stretch(&work[t], records + from * words, own, &part[t]);
      }
    }
    for (int t = 0; t < threads; t++) {
      append(out, &part[t]);
    }
  }
  for (int t = 0; t < threads && work && part; t++) {
    work_free(&work[t]);
    grouped_free(&part[t]);
  }
  base_free(work);
  base_free(part);
  return status;
}

/* ---- along the curve */

/* The points by position in a Hilbert order. */
static pcct_status make_curve(struct extend *run, pcct_index **curve) {
  pcct_context *context = run->app->context;
  const struct columns *columns = &run->sets.columns;
  const int d = columns->dimension;
  pcct_index_options options = pcct_index_options_default();
  double *points = base_allocate(&context->base, run->count, (size_t)d * sizeof *points);
  pcct_status status = comm_agree(context, points ? PCCT_OK : PCCT_MEMORY);
  for (int64_t i = 0; i < run->count * d && status == PCCT_OK; i++) {
    points[i] = columns->column[i % d][i / d];
  }
  if (status == PCCT_OK) {
    const pcct_points given = {run->first, run->count, d, points};
    options.ordering = PCCT_ORDERING_HILBERT;
    status = pcct_index_create(context, &given, &options, curve);
  }
  base_free(points);
  return status;
}

/* Records of this rank's positions. */
static pcct_status read_records(struct extend *run, int64_t *records) {
  const int64_t words = record_words(run);
  struct sets_rows rows = {.count = 0};
  pcct_status status = sets_read(&run->sets, run->first, run->count, &rows);
  for (int64_t i = 0; i < run->count && status == PCCT_OK; i++) {
    records[i * words] = run->first + i;
    records[i * words + 1] = rows.filled[i];
    memcpy(records + i * words + 2, rows.index + i * run->sets.width,
           (size_t)run->sets.width * sizeof *records);
  }
  sets_rows_clear(&rows);
  return status;
}

/* This rank's stretches of the curve. */
static pcct_status take_stretches(struct extend *run, int64_t stretch, int64_t **records,
                                  int64_t *count) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  const int64_t words = record_words(run), n = run->sets.n;
  const int64_t bytes = words * (int64_t)sizeof **records;
  int64_t first, stretches;
  pcct_slab(n / stretch + (n % stretch > 0), context->rank, context->size, &first, &stretches);
  first = first * stretch < n ? first * stretch : n;
  *count = n - first < stretches * stretch ? n - first : stretches * stretch;
  pcct_index *curve = NULL;
  int64_t *own = base_allocate(base, run->count, (size_t)bytes);
  *records = base_allocate(base, *count, (size_t)bytes);
  pcct_status status = comm_agree(context, own && *records ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = make_curve(run, &curve);
  }
  if (status == PCCT_OK) {
    status = read_records(run, own);
  }
  if (status == PCCT_OK) {
    status = pcct_index_permute(curve, bytes, own, first, *count, *records);
  }
  pcct_index_destroy(&curve);
  base_free(own);
  return status;
}

static void measure(struct extend *run, struct grouping *grouping) {
  pcct_context *context = run->app->context;
  const struct grouped *own = &grouping->own;
  grouping->groups_before = comm_scan_before(context, own->groups);
  grouping->members_before = comm_scan_before(context, own->members);
  grouping->points_before = comm_scan_before(context, own->points);
  grouping->groups = comm_sum(context, own->groups);
  grouping->members = comm_sum(context, own->members);
  for (int64_t g = 0; g < own->groups; g++) {
    const int64_t members = own->last_member[g] - (g > 0 ? own->last_member[g - 1] : 0);
    const int64_t points = own->last_point[g] - (g > 0 ? own->last_point[g - 1] : 0);
    grouping->most_members = members > grouping->most_members ? members : grouping->most_members;
    grouping->most_points = points > grouping->most_points ? points : grouping->most_points;
    grouping->cost += pow((double)members, 3);
  }
  grouping->most_members = comm_max(context, grouping->most_members);
  grouping->most_points = comm_max(context, grouping->most_points);
  MPI_Allreduce(MPI_IN_PLACE, &grouping->cost, 1, MPI_DOUBLE, MPI_SUM, context->comm);
}

static pcct_status declare(struct extend *run, const struct grouping *grouping) {
  const int64_t n = run->sets.n;
  const struct {
    const char *path;
    enum output_element element;
    int64_t rows;
    const char *scale, *description;
  } plans[] = {{"/grouping/all_inds", OUTPUT_INDICES, grouping->members, "/grouping_member",
                "positions of each group's points and the members of their sets, ascending"},
               {"/grouping/last_ind_of_block", OUTPUT_INTEGERS, grouping->groups, "/group",
                "where each group ends in all_inds"},
               {"/grouping/global_resp_inds", OUTPUT_INDICES, n, "/grouping_point",
                "positions of each group's own points, ascending"},
               {"/grouping/local_resp_inds", OUTPUT_INDICES, n, "/grouping_point",
                "places of these among the group's part of all_inds"},
               {"/grouping/last_resp_of_block", OUTPUT_INTEGERS, grouping->groups, "/group",
                "where each group ends in global_resp_inds"}};
  pcct_status status = PCCT_OK;
  for (size_t i = 0; i < sizeof plans / sizeof plans[0] && status == PCCT_OK; i++) {
    status = output_add_dataset(run->app->context, run->output, plans[i].path, plans[i].element,
                                plans[i].rows, plans[i].scale, plans[i].description, "1");
  }
  return status;
}

pcct_status grouping_make(struct extend *run, int64_t largest, struct grouping **out) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  int64_t *records = NULL;
  int64_t count = 0;
  largest = largest > 0 ? largest : 10 * (run->sets.width + 1);
  largest = largest > run->sets.width ? largest : run->sets.width + 1;
  int64_t stretch = STRETCH_ENTRIES / largest;
  stretch = stretch < STRETCH_LEAST  ? STRETCH_LEAST
            : stretch > STRETCH_MOST ? STRETCH_MOST
                                     : stretch;
  struct grouping *grouping = base_allocate_zero(base, 1, sizeof *grouping);
  *out = grouping;
  pcct_status status = comm_agree(context, grouping ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = take_stretches(run, stretch, &records, &count);
  }
  pcct_context_enter_phase(context, PCCT_PHASE_score);
  if (status == PCCT_OK) {
    status = comm_agree(context, group_all(run, records, count, stretch, largest, &grouping->own));
  }
  base_free(records);
  if (status == PCCT_OK) {
    measure(run, grouping);
    status = declare(run, grouping);
  }
  return status;
}

pcct_status grouping_write(struct extend *run, const struct grouping *grouping) {
  pcct_context *context = run->app->context;
  const struct grouped *own = &grouping->own;
  for (int64_t g = 0; g < own->groups; g++) { /* ends count from the file's beginning */
    own->last_member[g] += grouping->members_before;
    own->last_point[g] += grouping->points_before;
  }
  const struct {
    const char *path;
    int64_t first, count;
    const int64_t *elements;
  } parts[] = {
      {"/grouping/all_inds", grouping->members_before, own->members, own->member},
      {"/grouping/last_ind_of_block", grouping->groups_before, own->groups, own->last_member},
      {"/grouping/global_resp_inds", grouping->points_before, own->points, own->point},
      {"/grouping/local_resp_inds", grouping->points_before, own->points, own->place},
      {"/grouping/last_resp_of_block", grouping->groups_before, own->groups, own->last_point}};
  pcct_status status = PCCT_OK;
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0] && status == PCCT_OK; i++) {
    status = output_write_dataset(context, run->output, parts[i].path, parts[i].first,
                                  parts[i].count, parts[i].elements);
  }
  return status;
}

void grouping_print(const struct extend *run, const struct grouping *grouping) {
  const double n = (double)run->sets.n, groups = (double)grouping->groups;
  if (grouping->groups > 0) {
    app_print(run->app,
              "grouping: %" PRId64 " groups; %.2f points each, at most %" PRId64
              "; with their sets %.2f, at most %" PRId64 "; cost of factors %.2f times that of "
              "single sets\n",
              grouping->groups, n / groups, grouping->most_points,
              (double)grouping->members / groups, grouping->most_members,
              grouping->cost / (n * pow((double)run->entries / n + 1, 3)));
  }
}

void grouping_free(struct grouping **grouping) {
  if (*grouping != NULL) {
    grouped_free(&(*grouping)->own);
    base_free(*grouping);
    *grouping = NULL;
  }
}
