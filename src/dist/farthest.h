/*
 * Orderings by growing nets over all ranks: exact maximin and nested nets.
 *
 * The index has its parts, local trees and views, and preliminary positions, which decide ties. In rounds, each
 * rank finds points that nothing of its own blocks; those near other ranks' regions are shown to these; what is
 * still free is selected, on all ranks at once, and told to the ranks whose points it may be nearest to. The
 * result is that of the sequential definition whatever the ranks, threads and rounds.
 */
#ifndef DIST_FARTHEST_H
#define DIST_FARTHEST_H

#include "dist/index.h"

/* Whether an ordering is one of these. */
bool dist_is_farthest(pcct_ordering ordering);

/* The ordering of the preliminary positions; any other is its own. */
pcct_ordering dist_preliminary(pcct_ordering ordering);

/* Finds the ordering, and gives the index its final positions and length scales; then frame and views must be made
 * anew.
 * Collective.
 *   options [in] ordering, start, group, axis
 *   points  [in] each rank's own rows
 * Errors: PCCT_MEMORY, PCCT_USAGE (a start that is no row, or not of the first group).
 * Cost: O(n/P log n) kernel evaluations per rank for points of bounded expansion; in each round one gather of up to
 * 64 regions of 16 bytes from every rank, and three sparse exchanges of the points near other ranks; 16 bytes a
 * point to sort. Evenly spread points take some tens of rounds, exponentially spaced ones one round a point.
 * Source: greedy permutation (farthest-first traversal): Gonzalez, Theoretical Computer Science 38, 1985; its use
 * as maximin ordering: Guinness, Technometrics 60, 2018. */
pcct_status dist_farthest(pcct_index *index, const pcct_index_options *options,
                          const pcct_points *points);

#endif
