/*
 * Doubt: which of the queries answered at home other ranks may know better, and which ranks.
 *
 * Far inside a rank's cell nothing is in doubt. Of the others, predecessor queries ask the prefix that every rank
 * holds; then the directory tells which ranks have a region within the bound.
 */
#ifndef DIST_DOUBT_H
#define DIST_DOUBT_H

#include "dist/index.h"
#include "walk/self.h"
#include "walk/sweep.h"

/* Queries: points of the index's own views, or foreign ones. Borrowed. */
struct route_queries {
  int64_t count;
  const struct walk_self *self;   /* own points; NULL: foreign ones */
  const int64_t *place;           /* [count] theirs, by walk_pieces_next */
  const struct walk_sweep *sweep; /* foreign points; no cut-offs */
};

enum { DOUBT_NEAR = 3 };

/* The queries in doubt. */
struct doubt {
  int64_t count;
  int predecessors; /* the prefix was asked */
  int64_t *query;   /* [count] which of the queries given */
  double *points;   /* [count][dimension] */
  int64_t *limit;
  double *bound;
  int64_t *bound_position;
  struct directory_reach *near; /* [count][DOUBT_NEAR] the nearest ranks to ask */
  int *found;                   /* [count] how many there are */
};

/* Finds them, and brings in what the prefix knows.
 *   k     [in]     candidates of a row
 *   rows  [in,out] row i: query i's; kernel values, width >= k
 *   doubt [out]    freed with doubt_free, on failure too
 * Local; OpenMP inside. Errors: PCCT_USAGE (an instruction set this machine does not have), PCCT_MEMORY.
 * Cost: O(1) for a query far inside its rank's cell, otherwise a search of the prefix and of the directory. */
pcct_status doubt_create(pcct_index *index, int64_t k, const struct route_queries *queries,
                         const struct walk_rows *rows, struct doubt *doubt);

void doubt_free(struct doubt *doubt);

/* The position of an own point, the number of a foreign one. Local. */
int64_t doubt_query(const struct route_queries *queries, int64_t q);

#endif
