/* Checks of orderings by growing nets. See verify_farthest.h. */
#include "app/verify_farthest.h"

#include "app/verify_search.h"
#include "base/exact_sum.h"
#include "base/random.h"

#include <inttypes.h>

#define FOLLOWED_PAIRS INT64_C(2000000000) /* points followed times points */

/* What the definition is about, by position. */
struct chain {
  pcct_context *context;
  const struct verify_order *order;
  double *nearest;      /* [n] kernel value to the nearest predecessor; +inf for position 0 */
  int64_t first, count; /* this rank's slab */
};

static bool is_level(const struct chain *chain) {
  return chain->order->ordering == PCCT_ORDERING_LEVEL;
}

/* Points of smaller groups come first. */
static double group_of(const struct verify_order *order, int64_t position) {
  if (order->ordering == PCCT_ORDERING_TIME_MAXIMIN) {
    return order->user[position * order->metric->user_dimension + order->axis];
  }
  return order->group != NULL ? order->group[position] : 0;
}

/* The kernel value that the ordering falls by: of the length scale. */
static double key_of(const struct chain *chain, int64_t position) {
  const enum metric_kind kind = chain->order->metric->kind;
  const double nearest = chain->nearest[position];
  if (!is_level(chain) || nearest == 0 || isinf(nearest)) {
    return nearest;
  }
  /* farther than the scale from all before, and not farther than twice that, or it would have come earlier */
  return metric_level_value(kind, metric_level(kind, nearest) - 1);
}

/* What decides among equals: smaller ones first, then rows. */
static uint64_t tie_of(const struct chain *chain, int64_t position) {
  const struct verify_order *order = chain->order;
  return is_level(chain)
             ? random_bits(order->seed, RANDOM_ORDERING, (uint64_t)order->permutation[position])
             : 0;
}

static bool ties_before(const struct chain *chain, int64_t p, int64_t q) {
  const uint64_t a = tie_of(chain, p), b = tie_of(chain, q);
  return a < b || (a == b && chain->order->permutation[p] < chain->order->permutation[q]);
}

static double kernel(const struct verify_order *order, int64_t p, int64_t q) {
  const int d = order->metric->dimension;
  const double *a = order->search + p * d, *b = order->search + q * d;
  double value = 0;
  for (int j = 0; j < d; j++) {
    value = metric_add_axis(order->metric->kind, value, a[j] - b[j]);
  }
  return value;
}

/* ---- lengths */

struct found {
  double *value;
};

static void take_nearest(void *user, int64_t query, int64_t count, const struct verify_near *near) {
  const struct found *found = user;
  found->value[query] = count > 0 ? near[0].value : INFINITY;
}

static pcct_status find_nearest(struct chain *chain) {
  const struct verify_order *order = chain->order;
  struct base *base = &chain->context->base;
  struct verify_search *search = NULL;
  int64_t total = 0;
  void *all = NULL;
  int64_t *own = base_allocate(base, chain->count, sizeof *own);
  struct found found = {base_allocate(base, chain->count, sizeof *found.value)};
  pcct_status status = own && found.value ? PCCT_OK : PCCT_MEMORY;
  for (int64_t i = 0; i < chain->count && status == PCCT_OK; i++) {
    own[i] = chain->first + i;
  }
  if (status == PCCT_OK) {
    status = verify_search_create(base, order->metric->kind, order->metric->dimension,
                                  order->search, order->count, &search);
  }
  if (status == PCCT_OK) {
    const struct verify_queries queries = {
        .admission = VERIFY_PREDECESSORS, .count = chain->count, .own = own};
    status = verify_search_run(base, search, &queries, 1, take_nearest, &found);
  }
  status = comm_agree(chain->context, status);
  if (status == PCCT_OK) {
    status = comm_gather_all(chain->context, found.value, chain->count, sizeof *found.value, &all,
                             &total);
  }
  chain->nearest = all;
  verify_search_destroy(&search);
  base_free(own);
  base_free(found.value);
  return status;
}

static pcct_status check_lengths(const struct chain *chain) {
  const struct verify_order *order = chain->order;
  for (int64_t p = chain->first; p < chain->first + chain->count; p++) {
    const double expected = metric_user_distance(order->metric, key_of(chain, p));
    if (!(order->length_scale[p] == expected)) {
      return base_fail(&chain->context->base, PCCT_DIFFERENT,
                       "position %" PRId64 " (input row %" PRId64
                       "): /ordering/length_scale is %.17g, expected %.17g",
                       p, order->permutation[p], order->length_scale[p], expected);
    }
  }
  return PCCT_OK;
}

/* ---- order */

static pcct_status check_neighbouring(const struct chain *chain) {
  const struct verify_order *order = chain->order;
  for (int64_t p = chain->first > 1 ? chain->first : 1; p < chain->first + chain->count; p++) {
    const double before = group_of(order, p - 1), here = group_of(order, p);
    const double a = key_of(chain, p - 1), b = key_of(chain, p);
    if (before > here ||
        (before == here && p > 1 && (a < b || (a == b && !ties_before(chain, p - 1, p))))) {
      return base_fail(&chain->context->base, PCCT_DIFFERENT,
                       "position %" PRId64 " (input row %" PRId64
                       ") must not stand before position %" PRId64 " (input row %" PRId64
                       ") in this ordering",
                       p - 1, order->permutation[p - 1], p, order->permutation[p]);
    }
  }
  return PCCT_OK;
}

/* Kernel value of the mean of the first group to a position. */
static double from_mean(const struct verify_order *order, const double *mean, int64_t p) {
  double value = 0;
  for (int j = 0; j < order->metric->dimension; j++) {
    const double difference = order->search[p * order->metric->dimension + j] - mean[j];
    value += difference * difference;
  }
  return value;
}

/* The first position is the start. */
static pcct_status check_start(const struct chain *chain) {
  const struct verify_order *order = chain->order;
  const int d = order->metric->dimension;
  double mean[PCCT_DIMENSION_MAX];
  int64_t members = 0, better = -1;
  if (order->count == 0) {
    return PCCT_OK;
  }
  while (members < order->count && group_of(order, members) == group_of(order, 0)) {
    members++;
  }
  for (int j = 0; j < d; j++) {
    struct exact_sum sum;
    exact_sum_init(&sum);
    for (int64_t p = 0; p < members; p++) {
      exact_sum_add(&sum, order->search[p * d + j]);
    }
    mean[j] = exact_sum_value(&sum) / (double)members;
  }
  for (int64_t p = 1; p < members && better < 0; p++) {
    double a = 0, b = 0;
    if (!is_level(chain) && order->start == PCCT_START_CENTRE) {
      a = from_mean(order, mean, 0);
      b = from_mean(order, mean, p);
    }
    better = b < a || (a == b && !ties_before(chain, 0, p)) ? p : -1;
  }
  if (!is_level(chain) && order->start == PCCT_START_ROW) {
    better = order->permutation[0] == order->start_row ? -1 : order->position[order->start_row];
  }
  return better < 0 ? PCCT_OK
                    : base_fail(&chain->context->base, PCCT_DIFFERENT,
                                "position 0 is input row %" PRId64
                                ", but this ordering starts with input row %" PRId64,
                                order->permutation[0], order->permutation[better]);
}

/* Follows a point through all selections before its own.
 * Returns the first that it should have come before; -1: none. */
static int64_t follow(const struct chain *chain, int64_t p) {
  const struct verify_order *order = chain->order;
  const double step = order->metric->kind == METRIC_EUCLIDEAN ? 4 : 2;
  const double group = group_of(order, p);
  double value = INFINITY;
  for (int64_t q = 0; q < p; q++) {
    if (q > 0 && group_of(order, q) == group) {
      const double key = key_of(chain, q);
      const bool wrong = is_level(chain)
                             ? value > step * key || (value > key && ties_before(chain, p, q))
                             : value > key || (value == key && ties_before(chain, p, q));
      if (wrong) {
        return q;
      }
    }
    const double near = kernel(order, p, q);
    value = near < value ? near : value;
  }
  return -1;
}

static pcct_status check_followed(const struct chain *chain, int64_t *followed) {
  const struct verify_order *order = chain->order;
  const int64_t n = order->count;
  const int ranks = chain->context->size;
  int64_t wanted = n > 0 ? FOLLOWED_PAIRS / n : 0;
  wanted = wanted < 10 ? 10 : wanted;
  const int64_t stride = n / wanted + 1;
  int64_t wrong = INT64_MAX, number = 0;
#pragma omp parallel for schedule(dynamic, 16) num_threads(chain->context->base.threads)           \
    reduction(min : wrong) reduction(+ : number)
  for (int64_t p = chain->context->rank * stride; p < n; p += stride * ranks) {
    number++;
    if (p < wrong && follow(chain, p) >= 0) {
      wrong = p;
    }
  }
  *followed = number;
  return wrong == INT64_MAX ? PCCT_OK
                            : base_fail(&chain->context->base, PCCT_DIFFERENT,
                                        "position %" PRId64 " (input row %" PRId64
                                        ") should stand before position %" PRId64
                                        ": it was first when that one was chosen",
                                        wrong, order->permutation[wrong], follow(chain, wrong));
}

pcct_status verify_farthest(pcct_context *context, const struct verify_order *order,
                            int64_t *followed) {
  struct chain chain = {.context = context, .order = order};
  int64_t own = 0;
  pcct_slab(order->count, context->rank, context->size, &chain.first, &chain.count);
  pcct_status status = find_nearest(&chain);
  if (status == PCCT_OK) {
    status = comm_agree(context, check_lengths(&chain));
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, check_neighbouring(&chain));
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, check_start(&chain));
  }
  if (status == PCCT_OK) {
    status = comm_agree(context, check_followed(&chain, &own));
  }
  *followed = comm_sum(context, own);
  base_free(chain.nearest);
  return status;
}
