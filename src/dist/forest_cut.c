/* Cutting a local tree into pieces. */
#include "dist/forest.h"

#include "dist/spatial.h"

#include <string.h>

struct cutting {
  const struct tree *tree;
  const struct frame *frame;
  int64_t most;
  local_index *held;  /* [nodes] points at and below a node in its piece, as far as cut */
  uint8_t *root;      /* [nodes] 1: a piece starts here */
  local_index *piece; /* [nodes] piece of the node */
  local_index
      *run; /* [nodes] piece of the first run of the node's points that are too many for its own */
  local_index *slot;       /* [points] place within the piece */
  struct sort_pair *below; /* [nodes] scratch: children */
};

void forest_clear(struct forest *forest) {
  base_free(forest->first);
  base_free(forest->coordinates);
  base_free(forest->position);
  base_free(forest->parent);
  base_free(forest->level);
  *forest = (struct forest){0};
}

pcct_status forest_create(struct base *base, int dimension, local_index pieces, int64_t count,
                          struct forest *forest) {
  *forest = (struct forest){.count = count, .pieces = pieces};
  forest->first = base_allocate_zero(base, (int64_t)pieces + 1, sizeof *forest->first);
  forest->coordinates = base_allocate(base, count * dimension, sizeof *forest->coordinates);
  forest->position = base_allocate(base, count, sizeof *forest->position);
  forest->parent = base_allocate(base, count, sizeof *forest->parent);
  forest->level = base_allocate(base, count, sizeof *forest->level);
  if (!forest->first || !forest->coordinates || !forest->position || !forest->parent ||
      !forest->level) {
    forest_clear(forest);
    return PCCT_MEMORY;
  }
  return PCCT_OK;
}

int64_t forest_piece_points(int64_t total, int ranks) {
  const int64_t pieces =
      (int64_t)FOREST_RANK * ranks > FOREST_PIECES ? (int64_t)FOREST_RANK * ranks : FOREST_PIECES;
  const int64_t share = total / pieces + (total % pieces > 0);
  return share > FOREST_LEAST ? share : FOREST_LEAST;
}

void forest_share(const int64_t *first, int64_t pieces, int rank, int size, int64_t *first_piece,
                  int64_t *count) {
  int64_t from, share;
  pcct_slab(first[pieces], rank, size, &from, &share);
  *first_piece = 0;
  *count = 0;
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t middle = first[i] + (first[i + 1] - first[i]) / 2;
    *first_piece += middle < from;
    *count += middle >= from && middle < from + share;
  }
}

static int64_t own_points(const struct cutting *cutting, local_index t) {
  return cutting->frame->first[t + 1] - cutting->frame->first[t];
}

/* Cuts off the largest of a node's children until the rest fits. */
static pcct_status cut_children(struct base *base, const struct cutting *cutting, local_index t) {
  const struct frame *frame = cutting->frame;
  int64_t held = cutting->held[t];
  local_index children = 0;
  for (local_index c = t + 1; c < frame->node[t].end; c = frame->node[c].end) {
    if (!cutting->root[c]) {
      held += cutting->held[c];
      cutting->below[children++] =
          (struct sort_pair){(uint64_t)(cutting->most - cutting->held[c]), (uint64_t)c};
    }
  }
  pcct_status status = held > cutting->most ? sort_pairs(base, cutting->below, children) : PCCT_OK;
  for (local_index i = 0; i < children && held > cutting->most; i++) {
    const local_index c = (local_index)cutting->below[i].value;
    cutting->root[c] = 1;
    held -= cutting->held[c];
  }
  cutting->held[t] = (local_index)held;
  return status;
}

/* Numbers the pieces in depth-first order. Returns how many there are. */
static local_index number_pieces(const struct cutting *cutting) {
  const struct frame *frame = cutting->frame;
  local_index pieces = 0;
  for (local_index t = 0; t < frame->count; t++) {
    const int64_t own = own_points(cutting, t);
    cutting->piece[t] = cutting->root[t] ? pieces++ : cutting->piece[frame->node[t].parent];
    cutting->run[t] = pieces;
    pieces += (local_index)((own - 1) / cutting->most); /* those beyond the first `most` */
  }
  return pieces;
}

/* The piece of a node's i-th point. */
static local_index piece_of(const struct cutting *cutting, local_index t, int64_t i) {
  const int64_t run = i / cutting->most;
  return run == 0 ? cutting->piece[t] : cutting->run[t] + (local_index)run - 1;
}

/* Renumbers the pieces along a curve through their roots, so that pieces that follow each other are neighbours. */
static pcct_status sort_pieces(struct base *base, const struct cutting *cutting, local_index pieces,
                               local_index *number) {
  const struct frame *frame = cutting->frame;
  const struct tree_points *points = &cutting->tree->points;
  const int d = frame->metric->dimension;
  double *roots = base_allocate(base, (int64_t)pieces * d, sizeof *roots);
  struct sort_pair *order = base_allocate(base, pieces, sizeof *order);
  pcct_status status = roots && order ? PCCT_OK : PCCT_MEMORY;
  for (local_index t = 0; t < frame->count && status == PCCT_OK; t++) {
    const int64_t own = own_points(cutting, t);
    for (int64_t i = cutting->root[t] ? 0 : cutting->most; i < own; i += cutting->most) {
      memcpy(roots + (int64_t)piece_of(cutting, t, i) * d,
             points->coordinates + (int64_t)frame->member[frame->first[t] + i] * d,
             (size_t)d * sizeof *roots);
    }
  }
  if (status == PCCT_OK) {
    status = spatial_sort(base, d, roots, d, pieces, order);
  }
  for (local_index i = 0; i < pieces && status == PCCT_OK; i++) {
    number[order[i].value] = i;
  }
  base_free(roots);
  base_free(order);
  return status;
}

/* Puts a node's i-th point at a place in the forest. */
static void put_point(const struct cutting *cutting, local_index t, int64_t i, int64_t first,
                      int64_t at, struct forest *forest) {
  const struct frame *frame = cutting->frame;
  const struct tree *tree = cutting->tree;
  const size_t size = (size_t)frame->metric->dimension * sizeof(double);
  const local_index p = frame->member[frame->first[t] + i];
  double *point = forest->coordinates + at * frame->metric->dimension;
  memcpy(point, tree->points.coordinates + (int64_t)p * frame->metric->dimension, size);
  forest->position[at] = tree->points.position[p];
  forest->level[at] = tree->level[p];
  cutting->slot[p] = (local_index)(at - first);
  if (at == first) {
    forest->parent[at] = -1;
    forest->level[at] = i == 0 ? tree->level[p] : 0;
  } else if (i >= cutting->most) { /* in a run, whose first point is the root */
    const double *root = forest->coordinates + first * frame->metric->dimension;
    forest->parent[at] = 0;
    forest->level[at] = memcmp(root, point, size) == 0 ? LEVEL_DUPLICATE : LEVEL_BUCKET;
  } else {
    forest->parent[at] =
        cutting->slot[i == 0 ? frame->point[frame->node[t].parent] : tree->parent[p]];
  }
}

static pcct_status fill(struct base *base, const struct cutting *cutting, local_index pieces,
                        struct forest *forest) {
  const struct frame *frame = cutting->frame;
  const int64_t count = frame->count > 0 ? frame->first[frame->count] : 0;
  int64_t *next = base_allocate(base, pieces, sizeof *next);
  local_index *number = base_allocate(base, pieces, sizeof *number);
  pcct_status status = next && number ? sort_pieces(base, cutting, pieces, number) : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = forest_create(base, frame->metric->dimension, pieces, count, forest);
  }
  if (status == PCCT_OK) {
    for (local_index t = 0; t < frame->count; t++) {
      for (int64_t i = 0; i < own_points(cutting, t); i++) {
        forest->first[number[piece_of(cutting, t, i)] + 1]++;
      }
    }
    for (local_index i = 0; i < pieces; i++) {
      forest->first[i + 1] += forest->first[i];
      next[i] = forest->first[i];
    }
    for (local_index t = 0; t < frame->count; t++) {
      for (int64_t i = 0; i < own_points(cutting, t); i++) {
        const local_index piece = number[piece_of(cutting, t, i)];
        put_point(cutting, t, i, forest->first[piece], next[piece]++, forest);
      }
    }
    forest->leaf_size = cutting->tree->leaf_size;
  }
  base_free(next);
  base_free(number);
  return status;
}

pcct_status forest_cut(struct base *base, const pcct_index *index, int64_t most,
                       struct forest *forest) {
  const local_index nodes = index->frame->count;
  struct cutting cutting = {.tree = index->tree, .frame = index->frame, .most = most};
  *forest = (struct forest){0};
  cutting.held = base_allocate(base, nodes, sizeof *cutting.held);
  cutting.root = base_allocate_zero(base, nodes, sizeof *cutting.root);
  cutting.piece = base_allocate(base, nodes, sizeof *cutting.piece);
  cutting.run = base_allocate(base, nodes, sizeof *cutting.run);
  cutting.slot = base_allocate(base, index->tree->points.count, sizeof *cutting.slot);
  cutting.below = base_allocate(base, nodes, sizeof *cutting.below);
  pcct_status status =
      cutting.held && cutting.root && cutting.piece && cutting.run && cutting.slot && cutting.below
          ? PCCT_OK
          : PCCT_MEMORY;
  if (status == PCCT_OK && nodes > 0) {
    cutting.root[0] = 1;
    for (local_index i = 0; i < index->joined; i++) { /* pieces may be cut further, not joined */
      cutting.root[index->frame->place[index->joint[i]]] = 1;
    }
  }
  for (local_index t = nodes - 1; t >= 0 && status == PCCT_OK; t--) {
    const int64_t own = own_points(&cutting, t);
    cutting.held[t] = (local_index)(own < most ? own : most);
    status = cut_children(base, &cutting, t);
  }
  if (status == PCCT_OK) {
    status = fill(base, &cutting, number_pieces(&cutting), forest);
  }
  base_free(cutting.held);
  base_free(cutting.root);
  base_free(cutting.piece);
  base_free(cutting.run);
  base_free(cutting.slot);
  base_free(cutting.below);
  return status;
}
