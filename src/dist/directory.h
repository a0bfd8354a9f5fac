/*
 * The directory: the merged top as every rank holds it, to bound and route queries.
 *
 * Each rank contributes the top nodes of its local tree, each with one region: a box and a ball around the
 * points it stands for, their count, smallest and largest position, and the owner. Regions are disjoint: a
 * node whose children are contributed too stands for itself (and its duplicates) alone, all others for
 * their whole subtree, so that counts add up to n. Rank 0 reconciles them: it builds one cover tree of all
 * top nodes by the same pipeline as local trees, so that nodes of different ranks too close at a level end
 * up one below the other. Local trees stay as they are.
 *
 * How near a region is, its box tells where the metric has coordinates, and its ball for a user's metric.
 */
#ifndef DIST_DIRECTORY_H
#define DIST_DIRECTORY_H

#include "base/comm.h"
#include "tree/frame.h"

/* Of the regions that the setting directory-regions allows, each rank contributes its share, at most
 * DIRECTORY_RANK_MOST. Where that is less than DIRECTORY_RANK_LEAST, ranks that follow each other form groups: the
 * merged top then has regions of groups, each made of some that ranks contribute; those of its own group a rank
 * holds, those of others it fetches when a query first meets them. */
enum { DIRECTORY_RANK_LEAST = 8, DIRECTORY_RANK_MOST = 512 };

/* What a top node stands for. */
struct region {
  int64_t count, smallest, largest; /* of positions */
  int64_t beyond; /* smallest one beyond the replicated prefix; INT64_MAX if none */
  int64_t owner;  /* rank; in the merged top of groups: group */
  double radius;  /* no point of it is farther from the node, rounded outward */
};

/* The regions of a group's ranks. */
struct directory_fine {
  void *records; /* [count]; NULL: not fetched */
  int64_t count;
};

struct directory {
  const struct metric *metric; /* borrowed */
  int dimension, ranks;
  int groups, group_size;      /* 0: one level */
  struct directory_fine *fine; /* [groups] */
  local_index count;           /* regions */
  double *coordinates;         /* [count][dimension] of the top nodes */
  int64_t *position;           /* [count] */
  uint64_t *priority;          /* [count] */
  struct region *region;       /* [count] */
  double *box;       /* [count][2][dimension] lower, upper; METRIC_USER makes no use of it */
  struct tree *tree; /* the merged top over these points */
  struct frame *frame;
  local_index
      *first; /* [frame->count + 1] regions of a frame node (its duplicates' too) in member */
  local_index *member; /* [count] */
  double *subtree_box; /* [frame->count][2][dimension] boxes of all regions of a subtree */
  double *
      subtree_radius; /* [frame->count] METRIC_USER: no point of a subtree's regions is farther from
                                its node, rounded outward */
  int64_t *subtree_smallest; /* [frame->count] smallest position of a subtree's regions */
  int64_t *subtree_beyond;   /* [frame->count] smallest one beyond the prefix */
  struct comm_shared shared; /* all of these arrays, those of tree and frame too, once a node */
};

/* Merges the tops of all local trees and gives the result to every rank.
 * Collective.
 *   metric      [in] borrowed as long as the directory lives
 *   tree, frame [in] this rank's local tree; both without points on an empty rank
 *   prefix      [in] how many positions every rank holds
 *   directory   [out] owned by the caller; NULL on failure
 * Errors: PCCT_MEMORY. Cost: O(n/P) local work, one gather and one broadcast of the merged top's regions, a tree of
 * them built on rank 0; with groups also two messages a rank within its group. */
pcct_status directory_create(pcct_context *context, const struct metric *metric,
                             const struct tree *tree, const struct frame *frame, int64_t prefix,
                             struct directory **directory);

/* Collective. NULL and pointers to NULL are fine. */
void directory_destroy(struct directory **directory);

/* A rank with regions that may hold a candidate; or a group whose regions are still to be fetched. */
struct directory_reach {
  int64_t owner;    /* -1 - group */
  double value;     /* no point of these regions has a smaller kernel value */
  int64_t smallest; /* nor a smaller position */
};

/* The ranks, but for `self`, with a region that may hold a candidate: a position below limit, and a kernel
 * value and position up to (bound, bound_position).
 * Local.
 *   beyond [in]    1: what the prefix holds is known: positions beyond it are looked for
 *   place [in,out] scratch from directory_places, which is as it was afterwards
 *   reach [out]    [directory_width] the ranks, and groups not fetched, the nearest first
 * Returns how many. */
int directory_find(const struct directory *directory, const double *point, int64_t limit,
                   double bound, int64_t bound_position, int beyond, int self, int *place,
                   struct directory_reach *reach);

/* Whether directory_find, looking at all positions, would find a rank. Cost: no more, and less where it would. */
int directory_reaches(const struct directory *directory, const double *point, int64_t limit,
                      double bound, int self);

/* The rank with the region nearest to a point: where there is a choice, the smallest. 0 without points. Local. */
int directory_home(const struct directory *directory, const double *point);

/* The most that directory_find finds. Local. */
int64_t directory_width(const struct directory *directory);

/* Scratch for directory_find: directory_width entries for each thread. Freed with base_free; NULL if there is no
 * memory. Local. */
int *directory_places(struct base *base, const struct directory *directory, int threads);

/* Fetches the regions of groups' ranks, which then stay.
 *   needed [in] [groups] 1: this rank wants them
 * Collective; nothing to do with one level. Errors: PCCT_MEMORY. Cost: two messages for each group fetched. */
pcct_status directory_fetch(pcct_context *context, struct directory *directory,
                            const unsigned char *needed);

/* Whether a rank found before is within reach of a bound that came down since. */
static inline int directory_meets(const struct directory_reach *reach, double bound,
                                  int64_t bound_position) {
  return reach->value < bound || (reach->value == bound && reach->smallest <= bound_position);
}

/* A kernel value within which at least `needed` points of position below limit surely lie, by what regions
 * vouch for: all their points if the largest position is below limit, one if only the smallest is. +inf if
 * they do not vouch for enough.
 *   scratch [in,out] room for directory->count entries
 * Local. Cost: O(regions log regions). */
struct vouched {
  double value;
  int64_t count;
};
double directory_bound(const struct directory *directory, const double *point, int64_t limit,
                       int64_t needed, struct vouched *scratch);

/* Checks the merged top and its regions: tree invariants; this rank's points (of its local tree) each inside
 * a region of this rank; counts of this rank's regions and of all adding up.
 *   total [in] points of all ranks
 * Local. Errors: PCCT_DIFFERENT. */
pcct_status directory_check(pcct_context *context, const struct directory *directory,
                            const struct tree *tree, int64_t total);

#endif
