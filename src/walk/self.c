/* Self queries, leaf by leaf. */
#include "walk/self.h"

#include "walk/engine.h"

#include <omp.h>

enum {
  CHUNK = 32,      /* leaves that a thread takes at a time: fixed, whatever the threads */
  REPORT = 128,    /* chunks between two reports of progress */
  FEW = 4,         /* queries of a leaf that are not worth a group */
  FLOOR_SHARE = 8, /* predecessors are answered in groups if all see this share of the view */
  PLACE_VIEW = 56  /* bit of a place from which on the view is told */
};

/* The queries of one view. */
struct part {
  const struct walk_self *self;
  const struct view *view;
  int number;       /* of the view */
  int groups;       /* whether leaves are answered as groups */
  int64_t from, to; /* positions */
  int64_t chunk;    /* number of its first chunk: chunks are counted through all parts */
};

/* Parts that have queries, all their chunks, and the piece to come. */
struct walk_pieces {
  struct base *base;
  const struct walk_self *self;
  int64_t k, most;
  struct walker *walkers;
  const struct view *looked; /* what the walkers look at */
  struct part part[VIEW_PREFIXES + 1];
  int parts;
  int64_t chunks, next;
  int64_t *ordinal; /* [chunks + 1] number of a chunk's first query; NULL: not listed */
  int64_t *place;   /* [largest piece] */
};

/* The queries that view number `number` of the set answers. */
static void part_of(const struct walk_self *self, int number, struct part *part) {
  const struct view_set *views = self->views;
  part->self = self;
  part->view = views->view[number];
  part->number = number;
  part->groups = 1;
  part->from = self->first;
  part->to = self->first + self->count;
  if (self->predecessors) {
    const int64_t floor = number + 1 < views->count ? views->limit[number + 1] : 0;
    int64_t ceiling = views->limit[number];
    part->from = part->from > floor ? part->from : floor;
    part->to = part->to < ceiling ? part->to : ceiling;
    ceiling = 0;
    if (part->view->points > 0 && part->view->root >= 0) {
      for (int i = 0; i < VIEW_WIDTH; i++) {
        const int64_t largest = part->view->largest[(int64_t)part->view->root * VIEW_WIDTH + i];
        ceiling = largest + 1 > ceiling ? largest + 1 : ceiling;
      }
    }
    part->groups = part->from >= ceiling / FLOOR_SHARE;
  }
  part->groups &= part->view->metric.kind != METRIC_USER;
}

/* First leaf of a chunk, or one past the last leaf. */
static int64_t chunk_leaf(const struct part *part, int64_t chunk) {
  const int64_t leaf = (chunk - part->chunk) * CHUNK;
  return leaf < part->view->leaves ? leaf : part->view->leaves;
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

/* Answers a leaf's queries into rows *ordinal and following, if *ordinal is not negative. */
static void answer_leaf(struct walker *walker, const struct part *part, local_index leaf, int64_t k,
                        int64_t *ordinal, const struct walk_rows *rows) {
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
  for (int i = 0; i < group.block_count * VIEW_WIDTH; i++) {
    group.cutoff[i] = INFINITY;
    group.cutoff_position[i] = INT64_MAX;
    group.limit[i] = self->predecessors ? position[i] : INT64_MAX;
    group.row[i] = position[i] - self->first;
    if (*ordinal >= 0 && group.asked >> i & 1) {
      group.row[i] = (*ordinal)++;
    }
  }
  if (part->groups && __builtin_popcountll(group.asked) >= FEW) {
    walker_answer_group(walker, &group, k, rows);
  } else {
    walker_answer_singly(walker, &group, k, rows);
  }
}

/* Answers chunks `from` to `to` - 1. Row of a query: its position's, or if `listed` its number among theirs. */
static pcct_status answer_chunks(struct walk_pieces *pieces, int64_t from, int64_t to, int listed,
                                 const struct walk_rows *rows) {
  struct base *base = pieces->base;
  pcct_status status = PCCT_OK;
  for (int i = 0; i < pieces->parts && status == PCCT_OK; i++) {
    const struct part *part = &pieces->part[i];
    const int64_t start = from > part->chunk ? from : part->chunk;
    const int64_t end = to < part[1].chunk ? to : part[1].chunk;
    if (start >= end) {
      continue;
    }
    if (pieces->looked != part->view) {
      status = walkers_look_at(base, pieces->walkers, part->view, part->to - part->from);
      pieces->looked = part->view;
    }
    if (status != PCCT_OK) {
      break;
    }
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(base->threads) if (part->view->points >= BASE_PARALLEL_MIN)
    for (int64_t c = start; c < end; c++) {
      struct walker *walker = &pieces->walkers[omp_get_thread_num()];
      int64_t ordinal = listed ? pieces->ordinal[c] - pieces->ordinal[from] : -1;
      walker_restart(walker);
      for (int64_t leaf = chunk_leaf(part, c); leaf < chunk_leaf(part, c + 1); leaf++) {
        answer_leaf(walker, part, (local_index)leaf, pieces->k, &ordinal, rows);
      }
    }
  }
  return status;
}

/* Everything but what listing needs. */
static pcct_status pieces_start(struct base *base, const struct walk_self *self, int64_t k,
                                struct walk_pieces *pieces) {
  *pieces = (struct walk_pieces){.base = base, .self = self, .k = k};
  const int parts = self->predecessors ? self->views->count : 1;
  for (int i = 0; i < parts; i++) {
    struct part *part = &pieces->part[pieces->parts];
    part_of(self, i, part);
    if (part->from < part->to && part->view->points > 0) {
      part[1].chunk = part->chunk + (part->view->leaves + CHUNK - 1) / CHUNK;
      pieces->parts++;
    }
  }
  pieces->chunks = pieces->part[pieces->parts].chunk;
  return walkers_create(base, self->views->view[0], 0, k, &pieces->walkers);
}

pcct_status walk_self(struct base *base, const struct walk_self *self, int64_t k,
                      const struct walk_rows *rows) {
  struct walk_pieces pieces;
  pcct_status status = pieces_start(base, self, k, &pieces);
  for (int64_t from = 0; from < pieces.chunks && status == PCCT_OK; from += REPORT) {
    const int64_t to = from + REPORT < pieces.chunks ? from + REPORT : pieces.chunks;
    status = answer_chunks(&pieces, from, to, 0, rows);
    base_progress(base, self->count * to / pieces.chunks, self->count);
  }
  walkers_destroy(base, &pieces.walkers);
  return status;
}

/* Bit i: point i of the leaf asks; in the order of the places. */
static int64_t list_leaf(const struct part *part, local_index leaf, int64_t *place) {
  int64_t count = 0;
  for (uint64_t asked = leaf_asked(part, leaf); asked; asked &= asked - 1) {
    if (place) {
      place[count] = (int64_t)part->number << PLACE_VIEW |
                     ((int64_t)part->view->leaf_block[leaf] * VIEW_WIDTH + __builtin_ctzll(asked));
    }
    count++;
  }
  return count;
}

/* The places of chunks `from` to `to` - 1, chunk c's at place + ordinal[c] - ordinal[from]; or if `place` is
 * NULL their numbers, into ordinal[c]. */
static void list_chunks(struct walk_pieces *pieces, int64_t from, int64_t to, int64_t *place) {
  for (int i = 0; i < pieces->parts; i++) {
    const struct part *part = &pieces->part[i];
    const int64_t start = from > part->chunk ? from : part->chunk;
    const int64_t end = to < part[1].chunk ? to : part[1].chunk;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(pieces->base->threads) if (part->view->points >= BASE_PARALLEL_MIN)
    for (int64_t c = start; c < end; c++) {
      int64_t count = place ? pieces->ordinal[c] - pieces->ordinal[from] : 0;
      for (int64_t leaf = chunk_leaf(part, c); leaf < chunk_leaf(part, c + 1); leaf++) {
        count += list_leaf(part, (local_index)leaf, place ? place + count : NULL);
      }
      if (!place) {
        pieces->ordinal[c] = count;
      }
    }
  }
}

/* The end of the piece that starts at chunk `from`. */
static int64_t piece_end(const struct walk_pieces *pieces, int64_t from) {
  int64_t to = from < pieces->chunks ? from + 1 : from;
  while (to < pieces->chunks && pieces->ordinal[to + 1] - pieces->ordinal[from] <= pieces->most) {
    to++;
  }
  return to;
}

int64_t walk_pieces_count(const struct walk_pieces *pieces, int64_t *largest) {
  int64_t count = 0;
  *largest = 0;
  for (int64_t from = 0; from < pieces->chunks; count++) {
    const int64_t to = piece_end(pieces, from);
    const int64_t queries = pieces->ordinal[to] - pieces->ordinal[from];
    *largest = queries > *largest ? queries : *largest;
    from = to;
  }
  return count;
}

pcct_status walk_pieces_create(struct base *base, const struct walk_self *self, int64_t k,
                               int64_t most, struct walk_pieces **pieces) {
  int64_t largest = 0;
  *pieces = base_allocate(base, 1, sizeof **pieces);
  if (!*pieces) {
    return PCCT_MEMORY;
  }
  struct walk_pieces *made = *pieces;
  pcct_status status = pieces_start(base, self, k, made);
  made->most = most;
  if (status == PCCT_OK) {
    made->ordinal = base_allocate(base, made->chunks + 1, sizeof *made->ordinal);
    status = made->ordinal ? PCCT_OK : PCCT_MEMORY;
  }
  if (status == PCCT_OK) {
    int64_t total = 0;
    list_chunks(made, 0, made->chunks, NULL);
    for (int64_t c = 0; c < made->chunks; c++) {
      const int64_t here = made->ordinal[c];
      made->ordinal[c] = total;
      total += here;
    }
    made->ordinal[made->chunks] = total;
    walk_pieces_count(made, &largest);
    made->place = base_allocate(base, largest, sizeof *made->place);
    status = made->place ? PCCT_OK : PCCT_MEMORY;
  }
  if (status != PCCT_OK) {
    walk_pieces_destroy(pieces);
  }
  return status;
}

pcct_status walk_pieces_next(struct walk_pieces *pieces, const struct walk_rows *rows,
                             const int64_t **place, int64_t *count) {
  const int64_t from = pieces->next;
  const int64_t to = piece_end(pieces, from);
  const int64_t total = pieces->ordinal[pieces->chunks];
  pieces->next = to;
  *count = pieces->ordinal[to] - pieces->ordinal[from];
  *place = pieces->place;
  if (from == to) {
    return PCCT_OK;
  }
  list_chunks(pieces, from, to, pieces->place);
  const pcct_status status = answer_chunks(pieces, from, to, 1, rows);
  base_progress(pieces->base, pieces->ordinal[to], total);
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

void walk_pieces_destroy(struct walk_pieces **pieces) {
  if (!pieces || !*pieces) {
    return;
  }
  walkers_destroy((*pieces)->base, &(*pieces)->walkers);
  base_free((*pieces)->ordinal);
  base_free((*pieces)->place);
  base_free(*pieces);
  *pieces = NULL;
}
