/*
 * The prefix: the first positions of the ordering, held by every rank.
 *
 * Early positions have their nearest predecessors all over space: with the prefix they are answered at home, and
 * every later one starts from a bound that many points vouch for.
 */
#ifndef DIST_PREFIX_H
#define DIST_PREFIX_H

#include "base/comm.h"
#include "tree/view.h"

/* Positions below PREFIX_LEAST + PREFIX_RANK * ranks are replicated, PREFIX_MOST of them at most. A rank holds
 * the k nearest predecessors of a position beyond the prefix alone if its cell is wide against their distance:
 * the more cells, the longer the prefix. Of few points no more than one in PREFIX_SHARE is in it. */
enum { PREFIX_LEAST = 1024, PREFIX_RANK = 32, PREFIX_MOST = 1 << 18, PREFIX_SHARE = 16 };

struct prefix {
  local_index count; /* positions 0 .. count - 1 */
  struct view *view;
  struct comm_shared shared; /* the view's arrays, once a node */
};

/* How many positions are replicated among this many ranks: 0 on one. */
int64_t prefix_length(int ranks, int64_t total);

/* Gathers the first positions on every rank, builds their tree and keeps its view.
 * Collective.
 *   metric                [in]  of the points
 *   coordinates, position [in]  [count] this rank's part
 *   total                 [in]  positions of all ranks
 *   prefix                [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: one gather of the prefix; a tree of it built on every rank. */
pcct_status prefix_create(pcct_context *context, const struct metric *metric,
                          const double *coordinates, const int64_t *position, int64_t count,
                          int64_t total, struct prefix **prefix);

/* Collective. NULL and pointers to NULL are fine. */
void prefix_destroy(struct prefix **prefix);

#endif
