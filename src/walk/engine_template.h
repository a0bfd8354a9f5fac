/*
 * One engine: the searches for the metrics and dimensions that are worth code of their own. The including
 * file defines WALK_ENGINE, the engine's name, and is compiled for its instruction set.
 */
#ifndef WALK_ENGINE_TEMPLATE_H
#define WALK_ENGINE_TEMPLATE_H

#include "walk/group_template.h"

/* Expands CASE(kind, d) for the metric and dimension of a view. */
#define DISPATCH(view, CASE)                                                                       \
  switch ((view)->metric.kind) {                                                                   \
  case METRIC_EUCLIDEAN:                                                                           \
    switch ((view)->dimension) {                                                                   \
    case 1:                                                                                        \
      CASE(METRIC_EUCLIDEAN, 1);                                                                   \
    case 2:                                                                                        \
      CASE(METRIC_EUCLIDEAN, 2);                                                                   \
    case 3:                                                                                        \
      CASE(METRIC_EUCLIDEAN, 3);                                                                   \
    case 8:                                                                                        \
      CASE(METRIC_EUCLIDEAN, 8);                                                                   \
    default:                                                                                       \
      CASE(METRIC_EUCLIDEAN, (view)->dimension);                                                   \
    }                                                                                              \
  case METRIC_MANHATTAN:                                                                           \
    if ((view)->dimension == 2) {                                                                  \
      CASE(METRIC_MANHATTAN, 2);                                                                   \
    }                                                                                              \
    CASE(METRIC_MANHATTAN, (view)->dimension);                                                     \
  case METRIC_CHEBYSHEV:                                                                           \
    if ((view)->dimension == 2) {                                                                  \
      CASE(METRIC_CHEBYSHEV, 2);                                                                   \
    }                                                                                              \
    CASE(METRIC_CHEBYSHEV, (view)->dimension);                                                     \
  case METRIC_USER:                                                                                \
    break;                                                                                         \
  }

static inline void engine_nearest(struct walker *walker, const struct walk_query *query,
                                  int64_t k) {
#define CASE_NEAREST(kind, d)                                                                      \
  nearest(kind, d, walker, query, k);                                                              \
  return
  DISPATCH(walker->view, CASE_NEAREST)
  nearest(METRIC_USER, walker->view->dimension, walker, query, k);
}

static inline int64_t engine_within(struct walker *walker, const struct walk_query *query,
                                    struct candidate *candidates) {
#define CASE_WITHIN(kind, d) return within(kind, d, walker, query, candidates)
  DISPATCH(walker->view, CASE_WITHIN)
  return within(METRIC_USER, walker->view->dimension, walker, query, candidates);
}

static inline enum walk_group_result engine_group(struct walker *walker,
                                                  const struct walk_group *group, int64_t k,
                                                  const struct walk_rows *rows) {
#define CASE_GROUP(kind, d)                                                                        \
  return group->limited ? solve_group(kind, d, 1, walker, group, k, rows)                          \
                        : solve_group(kind, d, 0, walker, group, k, rows)
  DISPATCH(walker->view, CASE_GROUP)
  return WALK_GROUP_TOO_WIDE; /* boxes are what groups live on */
}

#endif
