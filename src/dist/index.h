/*
 * What a pcct_index is made of. Private to dist.
 */
#ifndef DIST_INDEX_H
#define DIST_INDEX_H

#include "dist/coincident.h"
#include "dist/directory.h"
#include "dist/parts.h"
#include "dist/prefix.h"
#include "tree/view.h"

struct pcct_index {
  pcct_context *context;
  struct metric metric;
  pcct_ordering ordering;
  int grouped;                  /* rows have groups */
  int64_t total;                /* points of all ranks */
  int64_t duplicates;           /* rows that repeat an earlier row's location */
  struct coincident coincident; /* those of this rank's part */
  /* the caller's rows */
  int64_t first_row, row_count;
  int64_t *row_position; /* [row_count] */
  double *length_scale;  /* [row_count] of an ordering by growing nets; NULL: another */
  /* this rank's part, in spatial order */
  local_index count;
  double *coordinates; /* [count][metric.dimension] search coordinates */
  int64_t *position;   /* [count] */
  uint64_t *priority;  /* [count] */
  struct tree *tree;
  struct frame *frame;
  struct view_set views;
  /* a stored index: pieces joined into the tree, with their roots; otherwise none */
  local_index joined;
  local_index *joint; /* [joined] */
  int has_prefixes;   /* views of prefixes are there too, and the replicated one */
  /* the same on every rank */
  struct parts *parts; /* NULL for a stored index: its ranks have no cells */
  struct directory *directory;
  struct prefix *prefix; /* NULL on one rank, and before predecessors are asked for */
};

/* The insertion priority of a position: the ordering where that is random, otherwise a random number: a spatial
 * insertion order would pile up conflicts. Local. */
uint64_t dist_priority(pcct_ordering ordering, int64_t position);

/* Finalises the local tree: frame, unless there is one, and view of all points. Local. Errors: PCCT_MEMORY. */
pcct_status dist_finalise(pcct_index *index);

/* Merges the tops of the local trees into the directory. Collective. Errors: PCCT_MEMORY. */
pcct_status dist_merge(pcct_index *index);

/* Makes the views of prefixes and, on several ranks, the replicated prefix, once they are needed.
 * Collective. Errors: PCCT_MEMORY. Cost: a third of the first view's, and prefix_create's. */
pcct_status dist_prepare_predecessors(pcct_index *index);

#endif
