/* threads: 1 2 */
/*
 * Walkers against brute force, bit for bit: every instruction set of this machine, metric, dimension and kind
 * of points; neighbours, predecessors, foreign queries with limits and cut-offs, ranges; work per query.
 */
#include "test_points_made.h"
#include "test_view_made.h"
#include "walk/range.h"
#include "walk/self.h"
#include "walk/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MADE_SCALES = MADE_KINDS, KINDS, METRICS = 4, SAMPLES = 9 };

static const int isas[] = {SETTINGS_ISA_PLAIN, SETTINGS_ISA_AVX2, SETTINGS_ISA_AVX512};

/* A metric that is none of the built-in ones: a weighted sum of absolute differences. */
static double weighted(const double *a, const double *b, int dimension, void *user) {
  double sum = 0;
  for (int j = 0; j < dimension; j++) {
    sum += (1 + j % 3) * fabs(a[j] - b[j]);
  }
  return *(const double *)user * sum;
}

struct world {
  struct base base;
  struct metric metric;
  double weight;
  int n, d, queries;
  double *coordinates, *foreign;
  int64_t *position; /* [n] */
  int *of;           /* [n] point of a position */
  struct view_set views;
};

static void make_point(int kind, int64_t row, int d, double *x) {
  if (kind == MADE_SCALES) { /* clusters of widths over six decades */
    const int cluster = (int)(row % 7);
    for (int j = 0; j < d; j++) {
      x[j] = made_uniform(cluster, j) + pow(10, -cluster) * 0.1 * made_uniform(row + 1000, j);
    }
  } else {
    made_point((enum points_made)kind, row, d, x);
  }
}

/* Points of a kind, as offset + scale * x. */
static void make_world_at(struct world *world, int metric, int kind, int n, int d, int leaf_size,
                          int prefixes, double offset, double scale) {
  memset(world, 0, sizeof *world);
  base_init(&world->base, 0);
  world->n = n;
  world->d = d;
  world->weight = 0.75;
  world->metric = (struct metric){
      .user_dimension = d, .dimension = d, .kind = (enum metric_kind)metric, .distance = weighted};
  world->metric.user = &world->weight;
  world->queries = n < 40 ? 10 : 90;
  world->coordinates = calloc((size_t)n * (size_t)d + 1, sizeof(double));
  world->foreign = calloc((size_t)world->queries * (size_t)d, sizeof(double));
  world->position = calloc((size_t)n + 1, sizeof(int64_t));
  world->of = calloc((size_t)n + 1, sizeof(int));
  for (int p = 0; p < n; p++) {
    make_point(kind, p, d, world->coordinates + p * d);
    world->position[p] = p;
  }
  for (int i = 0; i < n * d; i++) {
    world->coordinates[i] = offset + scale * world->coordinates[i];
  }
  for (int p = n - 1; p > 0; p--) { /* positions in no order */
    const int other = (int)(random_bits(9, RANDOM_GENERATE, (uint64_t)p) % (uint64_t)(p + 1));
    const int64_t t = world->position[p];
    world->position[p] = world->position[other];
    world->position[other] = t;
  }
  for (int p = 0; p < n; p++) {
    world->of[world->position[p]] = p;
  }
  for (int q = 0; q < world->queries; q++) { /* some at points, some near, some far */
    make_point(kind, q % 3 == 0 && n > 0 ? q % n : 100000 + q, d, world->foreign + q * d);
    if (q % 17 == 5) {
      world->foreign[q * d] += 3;
    }
    if (q % 31 == 7) {
      world->foreign[q * d] *= 1e6;
    }
  }
  for (int i = 0; i < world->queries * d; i++) {
    world->foreign[i] = offset + scale * world->foreign[i];
  }
  world->views.count = 1;
  world->views.limit[0] = INT64_MAX;
  world->views.view[0] =
      made_view(&world->metric, n, world->coordinates, world->position, INT64_MAX, leaf_size);
  for (int64_t limit = n / 4; prefixes && limit > 30; limit /= 4) {
    world->views.limit[world->views.count] = limit;
    world->views.view[world->views.count++] =
        made_view(&world->metric, n, world->coordinates, world->position, limit, leaf_size);
  }
}

static void make_world(struct world *world, int metric, int kind, int n, int d, int leaf_size,
                       int prefixes) {
  make_world_at(world, metric, kind, n, d, leaf_size, prefixes, 0, 1);
}

static void free_world(struct world *world) {
  for (int i = 0; i < world->views.count; i++) {
    view_destroy(&world->views.view[i]);
  }
  free(world->coordinates);
  free(world->foreign);
  free(world->position);
  free(world->of);
}

/* Kernel values by their definition. */
static double plain_value(const struct world *world, const double *a, const double *b) {
  double value = 0;
  for (int j = 0; j < world->d; j++) {
    const double difference = a[j] - b[j];
    if (world->metric.kind == METRIC_EUCLIDEAN) {
      value += difference * difference;
    } else if (world->metric.kind == METRIC_MANHATTAN) {
      value += fabs(difference);
    } else {
      value = fmax(value, fabs(difference));
    }
  }
  return world->metric.kind == METRIC_USER ? weighted(a, b, world->d, world->metric.user) : value;
}

static int compare(const void *a, const void *b) {
  const struct candidate *x = a;
  const struct candidate *y = b;
  return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                              : (x->position > y->position) - (x->position < y->position);
}

/* All admissible points in order. */
static int brute(const struct world *world, const double *point, int64_t limit, int64_t excluded,
                 double cutoff, int64_t cutoff_position, struct candidate *found) {
  int count = 0;
  for (int p = 0; p < world->n; p++) {
    const int64_t position = world->position[p];
    const double value = plain_value(world, point, world->coordinates + p * world->d);
    if (position < limit && position != excluded &&
        (value < cutoff || (value == cutoff && position <= cutoff_position))) {
      found[count++] = (struct candidate){value, position};
    }
  }
  qsort(found, (size_t)count, sizeof *found, compare);
  return count;
}

/* Rows with room for two entries more than k. */
struct answers {
  int64_t count, width;
  double *value;
  int32_t *index;
  int32_t *filled;
  struct walk_rows rows;
};

static void make_answers(struct answers *answers, int64_t count, int64_t k) {
  answers->count = count;
  answers->width = k + 2;
  answers->value = malloc((size_t)(count * answers->width + 1) * sizeof(double));
  answers->index = malloc((size_t)(count * answers->width + 1) * sizeof(int32_t));
  answers->filled = malloc((size_t)(count + 1) * sizeof(int32_t));
  memset(answers->value, 77, (size_t)(count * answers->width) * sizeof(double));
  memset(answers->index, 77, (size_t)(count * answers->width) * sizeof(int32_t));
  memset(answers->filled, 77, (size_t)count * sizeof(int32_t));
  answers->rows = (struct walk_rows){.value = (char *)answers->value,
                                     .index = (char *)answers->index,
                                     .filled = (char *)answers->filled,
                                     .value_stride = 8 * answers->width,
                                     .index_stride = 4 * answers->width,
                                     .filled_stride = 4,
                                     .width = answers->width,
                                     .index_size = 4};
}

static void free_answers(struct answers *answers) {
  free(answers->value);
  free(answers->index);
  free(answers->filled);
}

static int same_answers(const struct answers *a, const struct answers *b) {
  const size_t entries = (size_t)(a->count * a->width);
  return memcmp(a->value, b->value, entries * sizeof(double)) == 0 &&
         memcmp(a->index, b->index, entries * sizeof(int32_t)) == 0 &&
         memcmp(a->filled, b->filled, (size_t)a->count * sizeof(int32_t)) == 0;
}

/* Whether a row holds the first k of the candidates, and padding behind them. */
static int row_is(const struct answers *answers, int64_t row, const struct candidate *found,
                  int count, int64_t k) {
  const int64_t held = count < k ? count : k;
  const double *value = answers->value + row * answers->width;
  const int32_t *index = answers->index + row * answers->width;
  int fine = answers->filled[row] == held;
  for (int64_t e = 0; e < answers->width; e++) {
    fine &= e < held ? value[e] == found[e].value && index[e] == found[e].position
                     : isinf(value[e]) && index[e] == -1;
  }
  return fine;
}

/* Runs CALL once for each instruction set there is; rows must not depend on it. */
#define FOR_EACH_ISA(world, rows_count, k, result, CALL)                                           \
  do {                                                                                             \
    int ran = 0;                                                                                   \
    for (size_t isa_ = 0; isa_ < sizeof isas / sizeof *isas; isa_++) {                             \
      struct answers next_;                                                                        \
      make_answers(&next_, rows_count, k);                                                         \
      (world)->base.settings.isa = isas[isa_];                                                     \
      base_clear_message(&(world)->base);                                                          \
      const struct walk_rows *rows = &next_.rows;                                                  \
      const pcct_status status_ = (CALL);                                                          \
      if (status_ == PCCT_USAGE && isas[isa_] != SETTINGS_ISA_PLAIN) {                             \
        assert_non_null(strstr((world)->base.message, "isa"));                                     \
        free_answers(&next_);                                                                      \
        continue;                                                                                  \
      }                                                                                            \
      assert_int_equal(status_, PCCT_OK);                                                          \
      if (ran++) {                                                                                 \
        assert_true(same_answers(result, &next_));                                                 \
        free_answers(result);                                                                      \
      }                                                                                            \
      *(result) = next_;                                                                           \
    }                                                                                              \
  } while (0)

static void check_self(struct world *world, int64_t k, int predecessors, int64_t first,
                       int64_t count) {
  struct candidate *found = malloc(((size_t)world->n + 1) * sizeof *found);
  const struct walk_self self = {
      .views = &world->views, .first = first, .count = count, .predecessors = predecessors};
  struct answers answers;
  FOR_EACH_ISA(world, count, k, &answers, walk_self(&world->base, &self, k, rows));
  for (int64_t s = 0; s < SAMPLES && s < count; s++) {
    const int64_t position = first + s * count / (count < SAMPLES ? count : SAMPLES);
    const double *point = world->coordinates + world->of[position] * world->d;
    const int held = brute(world, point, predecessors ? position : INT64_MAX,
                           predecessors ? -1 : position, INFINITY, INT64_MAX, found);
    assert_true(row_is(&answers, position - first, found, held, k));
  }
  free_answers(&answers);
  free(found);
}

static void check_foreign(struct world *world, int64_t k, int limits, int cutoffs) {
  const int count = world->queries;
  const int n = world->n;
  struct candidate *found = malloc(((size_t)n + 1) * sizeof *found);
  int64_t *limit = calloc((size_t)count, sizeof *limit);
  double *cutoff = calloc((size_t)count, sizeof *cutoff);
  int64_t *cutoff_position = calloc((size_t)count, sizeof *cutoff_position);
  for (int q = 0; q < count; q++) {
    limit[q] = limits ? (int64_t)q * 7919 % (n + 1) : INT64_MAX;
    cutoff[q] = INFINITY;
    cutoff_position[q] = INT64_MAX;
    if (cutoffs && n > 0) { /* the value and position of some point: a tie to be cut */
      const int p = q * 5 % n;
      cutoff[q] =
          plain_value(world, world->foreign + q * world->d, world->coordinates + p * world->d);
      cutoff_position[q] = world->position[p];
    }
  }
  const struct walk_sweep sweep = {.count = count,
                                   .points = world->foreign,
                                   .limit = limits ? limit : NULL,
                                   .cutoff = cutoffs ? cutoff : NULL,
                                   .cutoff_position = cutoffs ? cutoff_position : NULL};
  struct answers answers;
  FOR_EACH_ISA(world, count, k, &answers,
               walk_sweep(&world->base, world->views.view[0], &sweep, k, rows));
  for (int q = 0; q < count; q += count / SAMPLES + 1) {
    const int held = brute(world, world->foreign + q * world->d, limit[q], -1, cutoff[q],
                           cutoff_position[q], found);
    assert_true(row_is(&answers, q, found, held, k));
  }
  free_answers(&answers);
  free(found);
  free(limit);
  free(cutoff);
  free(cutoff_position);
}

static void check_range(struct world *world) {
  const int count = world->queries;
  struct candidate *expected = malloc(((size_t)world->n + 1) * sizeof *expected);
  double *radius = calloc((size_t)count, sizeof *radius);
  int64_t *excluded = calloc((size_t)count, sizeof *excluded);
  int64_t *limit = calloc((size_t)count, sizeof *limit);
  int64_t *number = calloc((size_t)count, sizeof *number);
  int64_t *offset = calloc((size_t)count + 1, sizeof *offset);
  for (int q = 0; q < count; q++) {
    const int held =
        brute(world, world->foreign + q * world->d, INT64_MAX, -1, INFINITY, INT64_MAX, expected);
    radius[q] = held > 0 ? expected[q * 3 % held].value : 1;
    excluded[q] = q % 2 ? q % (world->n + 1) : -1;
    limit[q] = q % 3 ? INT64_MAX : world->n / 2;
  }
  const struct walk_range range = {count, world->foreign, radius, limit, excluded};
  for (size_t isa = 0; isa < sizeof isas / sizeof *isas; isa++) {
    world->base.settings.isa = isas[isa];
    if (walk_range_count(&world->base, world->views.view[0], &range, number) != PCCT_OK) {
      continue;
    }
    for (int q = 0; q < count; q++) {
      offset[q + 1] = offset[q] + number[q];
    }
    struct candidate *found = calloc((size_t)offset[count] + 1, sizeof *found);
    assert_int_equal(walk_range_fill(&world->base, world->views.view[0], &range, offset, found),
                     PCCT_OK);
    for (int q = 0; q < count; q += count / SAMPLES + 1) {
      const int held = brute(world, world->foreign + q * world->d, limit[q], excluded[q], radius[q],
                             INT64_MAX, expected);
      assert_int_equal(number[q], held);
      for (int e = 0; e < held; e++) {
        assert_true(found[offset[q] + e].value == expected[e].value);
        assert_int_equal(found[offset[q] + e].position, expected[e].position);
      }
    }
    free(found);
  }
  free(expected);
  free(radius);
  free(excluded);
  free(limit);
  free(number);
  free(offset);
}

static void check_all(struct world *world, int64_t k) {
  const int n = world->n;
  check_self(world, k, 0, 0, n);
  check_self(world, k, 1, 0, n);
  check_self(world, k, 0, n / 3, n / 2);
  check_self(world, k, 1, n / 3, n / 2);
  check_foreign(world, k, 0, 0);
  check_foreign(world, k, 1, 0);
  check_foreign(world, k, 0, 1);
  check_foreign(world, k, 1, 1);
}

static void test_every_kind(void **state) {
  (void)state;
  const int dimensions[] = {1, 2, 3, 5, 8, 27};
  const int64_t ks[] = {1, 2, 8, 16, 30, 32, 33, 64, 100};
  int turn = 0;
  for (int metric = 0; metric < METRICS; metric++) {
    for (int kind = 0; kind < KINDS; kind++) {
      for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        struct world world;
        if ((metric + kind + (int)d) % 2 > 0) {
          continue;
        }
        make_world(&world, metric, kind, 600, dimensions[d], turn % 2 ? 64 : 24, turn % 3 > 0);
        check_all(&world, ks[turn++ % 9]);
        check_range(&world);
        free_world(&world);
      }
    }
  }
}

static void test_every_k(void **state) {
  (void)state;
  const int64_t ks[] = {1, 2, 7, 8, 15, 16, 17, 30, 31, 32, 33, 48, 64, 65, 100, 127, 500, 1024};
  for (int kind = 0; kind < KINDS; kind++) {
    for (int metric = METRIC_EUCLIDEAN; metric <= METRIC_CHEBYSHEV; metric += 2) {
      struct world world;
      if ((kind + metric / 2) % 2 > 0) {
        continue;
      }
      make_world(&world, metric, kind, 700, 2, 64, 1);
      for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
        check_all(&world, ks[k]);
      }
      free_world(&world);
    }
  }
}

static void test_few_points(void **state) {
  (void)state;
  const int counts[] = {0, 1, 2, 3, 9, 65};
  const int64_t ks[] = {1, 2, 8, 9, 70, 100000};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    for (int kind = 0; kind < KINDS; kind++) {
      for (int metric = 0; metric < METRICS; metric++) {
        struct world world;
        make_world(&world, metric, kind, counts[c], 2, 8, 1);
        for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
          if (ks[k] < 1000 || (metric == 0 && kind == 0)) {
            check_all(&world, ks[k]);
          }
        }
        check_range(&world);
        free_world(&world);
      }
    }
  }
}

/* More points: groups, many of them coincident, and every point scanned or none without tests. */
static void test_many_points(void **state) {
  (void)state;
  const int kinds[] = {MADE_UNIFORM, MADE_LATTICE, MADE_COINCIDENT, MADE_REPEATED, MADE_SCALES};
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
    for (int d = 2; d <= 8; d += 6) {
      struct world world;
      make_world(&world, METRIC_EUCLIDEAN, kinds[kind], 3000, d, 64, 1);
      for (int dense = 0; dense <= 10000; dense += 10000) {
        world.base.settings.frontier_dense_threshold = dense;
        check_all(&world, dense == 0 || d == 2 ? 30 : 130);
      }
      free_world(&world);
    }
  }
}

/* From five axes on there is a first look in single precision: no candidate may fail it, wherever the points are
 * and however they are scaled; where single precision tells too little nothing is lost. */
static void test_first_look(void **state) {
  (void)state;
  const int kinds[] = {MADE_UNIFORM, MADE_LATTICE, MADE_REPEATED, MADE_SCALES};
  const int dimensions[] = {5, 8, 9};
  const double offsets[] = {0, 1e8, -3e5, 0, 0, 1e-300, 0};
  const double scales[] = {1, 1, 0.01, 0x1p-300, 0x1p+300, 0x1p-400, 0x1p+480};
  for (int at = 0; at < 7; at++) {
    for (int kind = 0; kind < 4; kind++) {
      struct world world;
      make_world_at(&world, METRIC_EUCLIDEAN, kinds[kind], 1200, dimensions[(at + kind) % 3], 64, 1,
                    offsets[at], scales[at]);
      check_all(&world, at % 2 ? 16 : 5);
      check_range(&world);
      free_world(&world);
    }
  }
}

/* Rows given by ordinals, indices of eight bytes, distances of users. */
static void test_pieces(void **state) {
  (void)state;
  enum { N = 20000, K = 7, FIRST = 1000, COUNT = 17000, MOST = 3000 };
  struct world world;
  make_world(&world, METRIC_EUCLIDEAN, MADE_UNIFORM, N, 2, 64, 1);
  struct candidate *found = malloc((N + 1) * sizeof *found);
  for (int predecessors = 0; predecessors < 2; predecessors++) {
    const struct walk_self self = {
        .views = &world.views, .first = FIRST, .count = COUNT, .predecessors = predecessors};
    struct walk_pieces *pieces = NULL;
    const int64_t *place;
    int64_t largest;
    int64_t count;
    int64_t total = 0;
    char *seen = calloc(N, 1);
    assert_int_equal(walk_pieces_create(&world.base, &self, K, MOST, &pieces), PCCT_OK);
    const int64_t number = walk_pieces_count(pieces, &largest);
    assert_true(number >= COUNT / MOST && largest <= MOST);
    double(*value)[K] = calloc((size_t)largest, sizeof *value);
    int64_t(*index)[K] = calloc((size_t)largest, sizeof *index);
    int32_t *filled = calloc((size_t)largest, sizeof *filled);
    const struct walk_rows rows = {.value = (char *)value,
                                   .index = (char *)index,
                                   .filled = (char *)filled,
                                   .value_stride = sizeof *value,
                                   .index_stride = sizeof *index,
                                   .filled_stride = 4,
                                   .width = K,
                                   .index_size = 8,
                                   .units = &world.metric};
    for (int64_t piece = 0; piece < number; piece++) {
      assert_int_equal(walk_pieces_next(pieces, &rows, &place, &count), PCCT_OK);
      assert_true(count > 0 && count <= largest);
      for (int64_t q = 0; q < count; q++) {
        double point[2];
        const int64_t position = walk_self_look(&self, place[q], point);
        assert_true(position >= FIRST && position < FIRST + COUNT && !seen[position]);
        seen[position] = 1;
        assert_memory_equal(point, world.coordinates + world.of[position] * 2, sizeof point);
        assert_int_equal(filled[q], K);
        if (position % 97 > 0) {
          continue;
        }
        const int held = brute(&world, point, predecessors ? position : INT64_MAX,
                               predecessors ? -1 : position, INFINITY, INT64_MAX, found);
        assert_true(held >= K);
        for (int e = 0; e < K; e++) {
          assert_true(value[q][e] == sqrt(found[e].value));
          assert_int_equal(index[q][e], found[e].position);
        }
      }
      total += count;
    }
    assert_int_equal(total, COUNT);
    assert_int_equal(walk_pieces_next(pieces, &rows, &place, &count), PCCT_OK);
    assert_int_equal(count, 0);
    walk_pieces_destroy(&pieces);
    free(seen);
    free(value);
    free(index);
    free(filled);
  }
  free(found);
  free_world(&world);
}

/* Every allocation may fail. */
static void test_memory(void **state) {
  (void)state;
  struct world world;
  make_world(&world, METRIC_EUCLIDEAN, MADE_UNIFORM, 500, 2, 64, 1);
  struct answers answers;
  make_answers(&answers, 500, 5);
  for (int what = 0; what < 3; what++) {
    pcct_status status = PCCT_MEMORY;
    for (int allowed = 0; status != PCCT_OK; allowed++) {
      assert_true(allowed < 200);
      world.base.allocations_left = allowed;
      base_clear_message(&world.base);
      struct walk_pieces *pieces = NULL;
      const struct walk_self self = {.views = &world.views, .count = 500, .predecessors = 1};
      const struct walk_sweep sweep = {.count = world.queries, .points = world.foreign};
      status = what == 0   ? walk_self(&world.base, &self, 5, &answers.rows)
               : what == 1 ? walk_sweep(&world.base, world.views.view[0], &sweep, 5, &answers.rows)
                           : walk_pieces_create(&world.base, &self, 5, 100, &pieces);
      assert_true(status == PCCT_OK || (status == PCCT_MEMORY && world.base.message[0]));
      walk_pieces_destroy(&pieces);
    }
  }
  free_answers(&answers);
  free_world(&world);
}

/* Work per query does not creep up: ceilings a little above what was measured. */
static void test_work(void **state) {
  (void)state;
  enum { N = 20000 };
  const struct {
    int d, k, predecessors, distances, leaves;
  } cases[] = {{2, 30, 0, 245, 3}, {2, 10, 0, 175, 2}, {2, 30, 1, 260, 6}, {3, 30, 0, 640, 9}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    struct world world;
    struct answers answers;
    make_world(&world, METRIC_EUCLIDEAN, MADE_UNIFORM, N, cases[c].d, 64, 1);
    make_answers(&answers, N, cases[c].k);
    const struct walk_self self = {
        .views = &world.views, .count = N, .predecessors = cases[c].predecessors};
    assert_int_equal(walk_self(&world.base, &self, cases[c].k, &answers.rows), PCCT_OK);
    const int64_t *counters = world.base.counters;
    print_message("d %d, k %d: %.1f distances, %.2f leaves, %.2f nodes a query\n", cases[c].d,
                  cases[c].k, (double)counters[COUNTER_query_distances] / N,
                  (double)counters[COUNTER_query_leaves] / N,
                  (double)counters[COUNTER_query_nodes] / N);
    assert_true(counters[COUNTER_query_distances] < (int64_t)cases[c].distances * N);
    assert_true(counters[COUNTER_query_leaves] < (int64_t)cases[c].leaves * N);
    assert_true(counters[COUNTER_query_nodes] < N);
    free_answers(&answers);
    free_world(&world);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_kind), cmocka_unit_test(test_every_k),
      cmocka_unit_test(test_few_points), cmocka_unit_test(test_many_points),
      cmocka_unit_test(test_pieces),     cmocka_unit_test(test_first_look),
      cmocka_unit_test(test_memory),     cmocka_unit_test(test_work)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
