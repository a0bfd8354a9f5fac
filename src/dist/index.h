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
  int64_t total;                /* points of all ranks */
  int64_t duplicates;           /* rows that repeat an earlier row's location */
  struct coincident coincident; /* those of this rank's part */
  /* the caller's rows */
  int64_t first_row, row_count;
  int64_t *row_position; /* [row_count] */
  /* this rank's part, in spatial order */
  local_index count;
  double *coordinates; /* [count][metric.dimension] search coordinates */
  int64_t *position;   /* [count] */
  uint64_t *priority;  /* [count] */
  struct tree *tree;
  struct frame *frame;
  struct view_set views;
  int has_prefixes; /* views of prefixes are there too, and the replicated one */
  /* the same on every rank */
  struct parts *parts;
  struct directory *directory;
  struct prefix *prefix; /* NULL on one rank, and before predecessors are asked for */
};

/* Makes the views of prefixes and, on several ranks, the replicated prefix, once they are needed.
 * Collective. Errors: PCCT_MEMORY. Cost: a third of the first view's, and prefix_create's. */
pcct_status dist_prepare_predecessors(pcct_index *index);

#endif
