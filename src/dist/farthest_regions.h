/*
 * What the ranks know of each other while points are selected: regions of their parts, and what is still there.
 */
#ifndef DIST_FARTHEST_REGIONS_H
#define DIST_FARTHEST_REGIONS_H

#include "base/comm.h"
#include "walk/farthest.h"

/* What a region holds at the moment. */
struct farthest_state {
  double reach;    /* largest value of a point not selected; not positive: none */
  double eligible; /* largest value of an eligible point; for a net, of the first one */
};

struct farthest_regions {
  const struct metric *metric; /* borrowed */
  int ranks, each;             /* regions are [ranks][each]; missing ones hold nothing */
  int own;
  int64_t place[64];            /* [own] places in this rank's view; -1: all of it */
  double *shape;                /* [ranks][each][2][dimension] boxes; METRIC_USER: centre, radius */
  struct farthest_state *state; /* [ranks][each] */
  struct farthest_state *best;  /* [ranks] largest of each rank */
};

/* Cuts this rank's points into regions and gathers those of all ranks. Nothing is known of what they hold.
 * Collective. Errors: PCCT_MEMORY. On one rank there are none. */
pcct_status farthest_regions_create(pcct_context *context, const struct view *view,
                                    struct farthest_regions *regions);
void farthest_regions_free(struct farthest_regions *regions);

/* Gathers what they hold. Collective.
 * Returns the largest `eligible` of all ranks. */
double farthest_regions_refresh(pcct_context *context, const struct walk_farthest *walk,
                                struct farthest_regions *regions);

/* Whether a rank may hold a point whose value a selected point lowers. Local. */
bool farthest_regions_lowers(const struct farthest_regions *regions, int rank, const double *point);

/* Whether a rank may hold an eligible point that blocks one of this value. Local. */
bool farthest_regions_blocks(const struct farthest_regions *regions, int rank,
                             const struct walk_farthest *walk, const double *point, double value);

#endif
