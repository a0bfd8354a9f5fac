/*
 * Self queries: nearest neighbours or nearest predecessors of the points of a view themselves.
 *
 * Points are answered leaf by leaf: a leaf's points share one look at the tree and bound each other.
 */
#ifndef WALK_SELF_H
#define WALK_SELF_H

#include "tree/view.h"
#include "walk/rows.h"

/* Which points ask. Borrowed. */
struct walk_self {
  const struct view_set
      *views;           /* predecessors use the smallest view that holds enough; others view 0 */
  int64_t first, count; /* the points with positions in first .. first + count - 1 */
  int predecessors;     /* 1: those of smaller position are seen, 0: all but the point itself */
  const int64_t *row;   /* [queries] row of each query, in the order of walk_self_list; NULL:
                                   position - first */
};

/* Answers all queries with the k best each, k <= rows->width.
 * Local; OpenMP inside. The rows do not depend on threads or instruction sets.
 * Errors: PCCT_USAGE (an instruction set this machine does not have), PCCT_MEMORY. */
pcct_status walk_self(struct base *base, const struct walk_self *self, int64_t k,
                      const struct walk_rows *rows);

/* Places of the queries, in the order in which rows are taken from self->row.
 *   self  [in]  row is not looked at
 *   place [out] [*count], owned by the caller, freed with base_free; NULL on failure
 * Local. Errors: PCCT_MEMORY. */
pcct_status walk_self_list(struct base *base, const struct walk_self *self, int64_t **place,
                           int64_t *count);

/* Position and search coordinates of the query at a place.
 *   point [out] [dimension]; NULL: not wanted
 * Local. */
int64_t walk_self_look(const struct walk_self *self, int64_t place, double *point);

#endif
