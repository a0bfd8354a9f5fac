/*
 * Farthest-first selection as compiled for one instruction set. Private to walk: others use farthest.h.
 */
#ifndef WALK_FARTHEST_ENGINE_H
#define WALK_FARTHEST_ENGINE_H

#include "walk/engine.h"
#include "walk/farthest.h"

/* Where a subtree must be looked at. */
struct walk_farthest_task {
  int part;
  local_index decided;
};

/* Working memory of one thread. */
struct walk_farthest_thread {
  local_index *stack; /* [(depth + 2) VIEW_WIDTH] child codes */
  local_index *found; /* [blocks] free points */
  int64_t found_count;
  /* Lists of selected points, one for each node on the way down */
  int32_t *list;
  unsigned char *mask;
  int64_t list_capacity, mask_capacity;
  int64_t distances;
} __attribute__((aligned(BASE_APART)));

/* Selected points that may lower values below a node: places in the selection, and room for those of the nodes
 * below. */
struct walk_farthest_list {
  const struct walk_selected *selected;
  const int32_t *entry;
  int64_t count;
  int32_t *room;       /* [depth + 1][count] */
  unsigned char *mask; /* likewise */
};

struct walk_farthest_engine {
  /* The slot of an eligible point that blocks a point with this value and position; -1: none. */
  local_index (*blocker)(const struct walk_farthest *state, struct walk_farthest_thread *thread,
                         const double *point, double value, int64_t position);
  /* Appends free points below a code to the thread's.
   *   decided [in] the code's first point if it has been looked at; -1
   *   tasks   [in,out] NULL, or room for all parts: these are listed and not entered
   *   count   [in,out] how many */
  void (*look)(const struct walk_farthest *state, struct walk_farthest_thread *thread,
               local_index code, local_index decided, struct walk_farthest_task *tasks, int *count);
  /* Lowers values below a code and says what is there now. */
  struct walk_below (*lower)(struct walk_farthest *state, struct walk_farthest_thread *thread,
                             local_index code, const struct walk_farthest_list *list);
  /* Says what is below a code, all nodes with eligible points looked at. */
  struct walk_below (*scan)(struct walk_farthest *state, local_index code);
  /* Which children of a node a selected point comes near enough to lower a value. */
  unsigned (*near)(const struct walk_farthest *state, local_index node, const double *point);
};

extern const struct walk_farthest_engine walk_farthest_plain;
#if defined(__x86_64__)
extern const struct walk_farthest_engine walk_farthest_avx2;
extern const struct walk_farthest_engine walk_farthest_avx512;
#endif

/* What is below a node, from what is below its children. */
struct walk_below walk_farthest_join(const struct walk_farthest *state, local_index node);

/* Notes what is below a child. */
void walk_farthest_put(struct walk_farthest *state, int64_t place, const struct walk_below *below);

#endif
