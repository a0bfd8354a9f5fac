/* Self queries, leaf by leaf. */
#include "walk/self.h"

#include "walk/engine.h"

#include <omp.h>

enum {
  CHUNK = 32,       /* leaves that a thread takes at a time: fixed, whatever the threads */
  REPORT = 1 << 12, /* leaves between two reports of progress */
  FEW = 4,          /* queries of a leaf that are not worth a group */
  FLOOR_SHARE = 8,  /* predecessors are answered in groups if all see this share of the view */
  PLACE_VIEW = 56   /* bit of a place from which on the view is told */
};

/* The queries of one view. */
struct part {
  const struct walk_self *self;
  const struct view *view;
  int64_t from, to;     /* positions */
  int groups;           /* whether leaves are answered as groups */
  const int64_t *first; /* [leaves + 1] ordinal of a leaf's first query; NULL: rows by position */
};

/* The queries that view number `number` of the set answers. */
static struct part part_of(const struct walk_self *self, int number) {
  const struct view_set *views = self->views;
  struct part part = {.self = self, .view = views->view[number], .groups = 1};
  part.from = self->first;
  part.to = self->first + self->count;
  if (self->predecessors) {
    const int64_t floor = number + 1 < views->count ? views->limit[number + 1] : 0;
    int64_t ceiling = views->limit[number];
    part.from = part.from > floor ? part.from : floor;
    part.to = part.to < ceiling ? part.to : ceiling;
    ceiling = 0;
    if (part.view->points > 0 && part.view->root >= 0) {
      for (int i = 0; i < VIEW_WIDTH; i++) {
        const int64_t largest = part.view->largest[(int64_t)part.view->root * VIEW_WIDTH + i];
        ceiling = largest + 1 > ceiling ? largest + 1 : ceiling;
      }
    }
    part.groups = part.from >= ceiling / FLOOR_SHARE;
  }
  part.groups &= part.view->metric.kind != METRIC_USER;
  return part;
}

static int parts_count(const struct walk_self *self) {
  return self->predecessors ? self->views->count : 1;
}

/* Bit i: point i of the leaf asks. */
static uint64_t leaf_asked(const struct part *part, local_index leaf) {
  const struct view *view = part->view;
  const int64_t *position = view->position + (int64_t)view->leaf_block[leaf] * VIEW_WIDTH;
  uint64_t asked = 0;
  for (local_index i = 0; i < view->leaf_points[leaf]; i++) {
    asked |= (uint64_t)(position[i] >= part->from && position[i] < part->to) << i;
  }
  return asked;
}

static void answer_leaf(struct walker *walker, const struct part *part, local_index leaf, int64_t k,
                        const struct walk_rows *rows) {
  const struct view *view = part->view;
  const struct walk_self *self = part->self;
  const int64_t block = view->leaf_block[leaf];
  const int64_t *position = view->position + block * VIEW_WIDTH;
  struct walk_group group;
  group.asked = leaf_asked(part, leaf);
  if (!group.asked) {
    return;
  }
  group.blocks = view->coordinates + block * view->dimension * VIEW_WIDTH;
  group.block_count = (int)(view->leaf_block[leaf + 1] - block);
  group.count = (int)view->leaf_points[leaf];
  group.leaf = leaf;
  group.predecessors = self->predecessors;
  group.limited = self->predecessors;
  group.floor = part->from;
  int64_t ordinal = part->first ? part->first[leaf] : 0;
  for (int i = 0; i < group.block_count * VIEW_WIDTH; i++) {
    group.cutoff[i] = INFINITY;
    group.cutoff_position[i] = INT64_MAX;
    group.limit[i] = self->predecessors ? position[i] : INT64_MAX;
    group.row[i] = position[i] - self->first;
    if (part->first && group.asked >> i & 1) {
      group.row[i] = self->row[ordinal++];
    }
  }
  if (part->groups && __builtin_popcountll(group.asked) >= FEW) {
    walker_answer_group(walker, &group, k, rows);
  } else {
    walker_answer_singly(walker, &group, k, rows);
  }
}

/* Ordinals of the leaves' first queries, from `before` on; the last one is one past all. */
static pcct_status number_leaves(struct base *base, struct part *part, int64_t before,
                                 int64_t **first) {
  const local_index leaves = part->view->leaves;
  *first = base_allocate(base, (int64_t)leaves + 1, sizeof **first);
  if (!*first) {
    return PCCT_MEMORY;
  }
  int64_t *number = *first;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(base->threads) if (part->view->points >= BASE_PARALLEL_MIN)
  for (local_index leaf = 0; leaf < leaves; leaf++) {
    number[leaf] = __builtin_popcountll(leaf_asked(part, leaf));
  }
  for (local_index leaf = 0; leaf < leaves; leaf++) {
    const int64_t here = number[leaf];
    number[leaf] = before;
    before += here;
  }
  number[leaves] = before;
  part->first = number;
  return PCCT_OK;
}

static void answer_part(struct base *base, struct walker *walkers, const struct part *part,
                        int64_t k, const struct walk_rows *rows, int64_t done) {
  const int64_t leaves = part->view->leaves;
  const int64_t total = part->self->count;
  for (int64_t start = 0; start < leaves; start += REPORT) {
    const int64_t end = start + REPORT < leaves ? start + REPORT : leaves;
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(base->threads) if (part->view->points >= BASE_PARALLEL_MIN)
    for (int64_t first = start; first < end; first += CHUNK) {
      struct walker *walker = &walkers[omp_get_thread_num()];
      walker_restart(walker);
      for (int64_t leaf = first; leaf < first + CHUNK && leaf < end; leaf++) {
        answer_leaf(walker, part, (local_index)leaf, k, rows);
      }
    }
    base_progress(base, done + (total - done) * end / leaves, total);
  }
}

pcct_status walk_self(struct base *base, const struct walk_self *self, int64_t k,
                      const struct walk_rows *rows) {
  struct walker *walkers = NULL;
  int64_t *first = NULL;
  int64_t ordinal = 0;
  pcct_status status = walkers_create(base, self->views->view[0], k, &walkers);
  for (int i = 0; i < parts_count(self) && status == PCCT_OK; i++) {
    struct part part = part_of(self, i);
    if (part.from >= part.to || part.view->points == 0) {
      continue;
    }
    walkers_look_at(base, walkers, part.view);
    if (self->row) {
      status = number_leaves(base, &part, ordinal, &first);
    }
    if (status == PCCT_OK) {
      answer_part(base, walkers, &part, k, rows, ordinal);
      ordinal = first ? first[part.view->leaves] : ordinal;
    }
    base_free(first);
    first = NULL;
  }
  walkers_destroy(base, &walkers);
  return status;
}

pcct_status walk_self_list(struct base *base, const struct walk_self *self, int64_t **place,
                           int64_t *count) {
  pcct_status status = PCCT_OK;
  int64_t *first[VIEW_PREFIXES] = {NULL};
  struct part part[VIEW_PREFIXES];
  *place = NULL;
  *count = 0;
  for (int i = 0; i < parts_count(self) && status == PCCT_OK; i++) {
    part[i] = part_of(self, i);
    status = number_leaves(base, &part[i], *count, &first[i]);
    *count = status == PCCT_OK ? first[i][part[i].view->leaves] : 0;
  }
  if (status == PCCT_OK) {
    *place = base_allocate(base, *count, sizeof **place);
    status = *place ? PCCT_OK : PCCT_MEMORY;
  }
  for (int i = 0; i < parts_count(self) && status == PCCT_OK; i++) {
    for (local_index leaf = 0; leaf < part[i].view->leaves; leaf++) {
      int64_t *to = *place + first[i][leaf];
      for (uint64_t asked = leaf_asked(&part[i], leaf); asked; asked &= asked - 1) {
        *to++ = (int64_t)i << PLACE_VIEW |
                ((int64_t)part[i].view->leaf_block[leaf] * VIEW_WIDTH + __builtin_ctzll(asked));
      }
    }
  }
  for (int i = 0; i < VIEW_PREFIXES; i++) {
    base_free(first[i]);
  }
  return status;
}

int64_t walk_self_look(const struct walk_self *self, int64_t place, double *point) {
  const struct view *view = self->views->view[place >> PLACE_VIEW];
  const int64_t slot = place & ((INT64_C(1) << PLACE_VIEW) - 1);
  const int64_t block = slot / VIEW_WIDTH;
  if (point) {
    for (int j = 0; j < view->dimension; j++) {
      point[j] = view->coordinates[(block * view->dimension + j) * VIEW_WIDTH + slot % VIEW_WIDTH];
    }
  }
  return view->position[slot];
}
