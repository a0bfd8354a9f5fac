/*
 * The search by which `verify` finds every neighbour a second time.
 *
 * It shares nothing with the search it verifies but the definition of the answer: the k admissible
 * points smallest by (kernel value, index), where the kernel value of search coordinates is the
 * squared Euclidean distance, or the Manhattan distance, summed from axis 0 upwards in double
 * without FMA, or the Chebyshev distance.
 *
 * Up to 3 axes it has an adaptive grid: a cell is halved in the middle of the longest side of the
 * box of its points until it has few points or one location alone, so that clusters, lines,
 * lattices and any number of copies of one point all have small cells. With more axes it is brute
 * force: the whole point set is one cell. The lower bound of a cell is summed like the kernel
 * itself; rounding is monotone, so that no computed value of the cell's points is below it, and no
 * margin is needed.
 */
#ifndef APP_VERIFY_SEARCH_H
#define APP_VERIFY_SEARCH_H

#include "base/context.h"
#include "points/metric.h"

/* Most axes for which a grid is made. */
#define VERIFY_GRID_DIMENSION 3

struct verify_search;

/* A point that was found. */
struct verify_near {
  double value; /* kernel value */
  int64_t index;
};

/* Which points answer a query. */
enum verify_admission {
  VERIFY_PREDECESSORS, /* points of smaller index than the query's own */
  VERIFY_OTHERS,       /* all points but the query's own */
  VERIFY_ALL           /* all points; the queries are no points of the set */
};

struct verify_queries {
  enum verify_admission admission;
  int64_t count;
  const int64_t *own;        /* [count] the queries' points; not for VERIFY_ALL */
  const double *coordinates; /* [count][dimension] search coordinates; for VERIFY_ALL alone */
};

/* Receives the answer to one query: `count` points, nearest first. Called once for each query, by
 * several threads at once and in any order; `near` is valid during the call. */
typedef void (*verify_visit)(void *user, int64_t query, int64_t count,
                             const struct verify_near *near);

/* Prepares the search of `count` points.
 * Local.
 *   kind    [in] of the metric; not METRIC_USER
 *   points  [in] [count][dimension] finite search coordinates, borrowed until verify_search_destroy
 *   search  [out] owned by the caller
 * Errors: PCCT_MEMORY. Cost: up to 3 axes O(count log count) time and about 8 (dimension + 2) bytes
 * a point while it lives, twice that while it is built; nothing for more axes. */
pcct_status verify_search_create(struct base *base, enum metric_kind kind, int dimension,
                                 const double *points, int64_t count,
                                 struct verify_search **search);

/* Frees a search; NULL is allowed. Local. */
void verify_search_destroy(struct verify_search **search);

/* Answers queries, with base->threads threads.
 * Local.
 *   k     [in] points wanted for each query, at least 1; fewer are found where fewer are admissible
 *   visit [in] receives every answer
 * Errors: PCCT_MEMORY (16 k bytes a thread). Cost: with a grid some k log k points looked at for each
 * query, else all of them. */
pcct_status verify_search_run(struct base *base, const struct verify_search *search,
                              const struct verify_queries *queries, int64_t k, verify_visit visit,
                              void *user);

#endif
