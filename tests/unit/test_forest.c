/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * Stored trees: cut into pieces, each a cover tree; dealt to the ranks again, other shares than before; answers as
 * without; points appended as a plain search finds them; links that lead nowhere refused.
 */
#include "dist/restore.h"
#include "test_base_ranks.h"
#include "test_points_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M = 6 };

struct whole { /* a forest of all ranks, on every rank */
  int64_t pieces, count;
  int64_t *first;
  void *coordinates, *position, *parent, *level;
};

static int ranks, me;

static double *make_points(enum points_made kind, int64_t count, int dimension) {
  double *points = calloc((size_t)(count * dimension) + 1, sizeof *points);
  for (int64_t row = 0; row < count; row++) {
    made_point(kind, row, dimension, points + row * dimension);
  }
  return points;
}

static pcct_index *create(pcct_context *context, const double *all, int64_t count, int dimension,
                          const pcct_index_options *options) {
  pcct_points points = {.dimension = dimension};
  pcct_index *index = NULL;
  pcct_slab(count, me, ranks, &points.first_row, &points.count);
  points.coordinates = all + points.first_row * dimension;
  assert_int_equal(pcct_index_create(context, &points, options, &index), PCCT_OK);
  return index;
}

/* Cuts, checks every piece, and brings all pieces to every rank. */
static struct whole cut(pcct_context *context, const pcct_index *index, int64_t most) {
  struct forest forest;
  struct whole whole = {0};
  struct base *base = &context->base;
  const int d = index->metric.dimension;
  void *sizes = NULL;
  int64_t total = 0;
  assert_int_equal(comm_agree(context, forest_cut(base, index, most, &forest)), PCCT_OK);
  assert_int_equal(forest.count, index->count);
  assert_int_equal(comm_agree(context, forest_check(base, &index->metric, &forest)), PCCT_OK);
  int64_t *size = calloc((size_t)forest.pieces + 1, sizeof *size);
  for (local_index i = 0; i < forest.pieces; i++) {
    size[i] = forest.first[i + 1] - forest.first[i];
    assert_in_range(size[i], 1, most);
  }
  assert_int_equal(
      comm_gather_all(context, size, forest.pieces, sizeof *size, &sizes, &whole.pieces), PCCT_OK);
  assert_int_equal(comm_gather_all(context, forest.coordinates, forest.count,
                                   (size_t)d * sizeof(double), &whole.coordinates, &whole.count),
                   PCCT_OK);
  assert_int_equal(comm_gather_all(context, forest.position, forest.count, sizeof(int64_t),
                                   &whole.position, &total),
                   PCCT_OK);
  assert_int_equal(comm_gather_all(context, forest.parent, forest.count, sizeof(local_index),
                                   &whole.parent, &total),
                   PCCT_OK);
  assert_int_equal(
      comm_gather_all(context, forest.level, forest.count, sizeof(int16_t), &whole.level, &total),
      PCCT_OK);
  assert_int_equal(whole.count, index->total);
  whole.first = calloc((size_t)whole.pieces + 1, sizeof *whole.first);
  for (int64_t i = 0; i < whole.pieces; i++) {
    whole.first[i + 1] = whole.first[i] + ((int64_t *)sizes)[i];
  }
  free(size);
  base_free(sizes);
  forest_clear(&forest);
  return whole;
}

static void whole_free(struct whole *whole) {
  free(whole->first);
  base_free(whole->coordinates);
  base_free(whole->position);
  base_free(whole->parent);
  base_free(whole->level);
}

/* This rank's share; `other` deals as if ranks stood in reverse order. */
static struct forest deal(struct base *base, const struct whole *whole, int d,
                          local_index leaf_size, bool other) {
  struct forest forest;
  int64_t piece, pieces;
  forest_share(whole->first, whole->pieces, other ? ranks - 1 - me : me, ranks, &piece, &pieces);
  const int64_t from = whole->first[piece];
  const int64_t count = whole->first[piece + pieces] - from;
  assert_int_equal(forest_create(base, d, (local_index)pieces, count, &forest), PCCT_OK);
  for (int64_t i = 0; i <= pieces; i++) {
    forest.first[i] = whole->first[piece + i] - from;
  }
  if (count > 0) {
    memcpy(forest.coordinates, (double *)whole->coordinates + from * d,
           (size_t)(count * d) * sizeof(double));
    memcpy(forest.position, (int64_t *)whole->position + from, (size_t)count * sizeof(int64_t));
    memcpy(forest.parent, (local_index *)whole->parent + from, (size_t)count * sizeof(local_index));
    memcpy(forest.level, (int16_t *)whole->level + from, (size_t)count * sizeof(int16_t));
  }
  forest.leaf_size = leaf_size;
  return forest;
}

static pcct_index *restore(pcct_context *context, const pcct_index *index,
                           const pcct_index_options *options, const struct whole *whole,
                           bool other) {
  struct dist_stored stored = {.options = options,
                               .dimension = index->metric.user_dimension,
                               .total = index->total,
                               .duplicates = index->duplicates};
  pcct_index *restored = NULL;
  pcct_slab(index->total, me, ranks, &stored.first_row, &stored.row_count);
  stored.row_position = base_allocate(&context->base, stored.row_count, sizeof(int64_t));
  memcpy(stored.row_position, pcct_index_positions(index),
         (size_t)stored.row_count * sizeof(int64_t));
  const int64_t leaf_size = comm_max(context, index->tree->leaf_size);
  stored.forest =
      deal(&context->base, whole, index->metric.dimension, (local_index)leaf_size, other);
  assert_int_equal(dist_restore(context, &stored, 1, &restored), PCCT_OK);
  assert_int_equal(pcct_index_check(restored), PCCT_OK);
  return restored;
}

static void compare_rows(pcct_context *context, pcct_index *a, pcct_index *b) {
  pcct_rows x, y;
  const int64_t n = pcct_index_get_info(a).count;
  (void)context;
  assert_int_equal(pcct_index_conditioning_sets(a, M, 0, n, &x), PCCT_OK);
  assert_int_equal(pcct_index_conditioning_sets(b, M, 0, n, &y), PCCT_OK);
  assert_int_equal(x.count, y.count);
  if (x.count > 0) {
    assert_memory_equal(x.index32, y.index32, (size_t)(x.count * M) * sizeof *x.index32);
    assert_memory_equal(x.distance, y.distance, (size_t)(x.count * M) * sizeof *x.distance);
    assert_memory_equal(x.filled, y.filled, (size_t)x.count * sizeof *x.filled);
  }
  pcct_rows_clear(&x);
  pcct_rows_clear(&y);
}

static void restore_kind(enum points_made kind, int64_t count, int dimension, pcct_metric metric,
                         const char *leaf_size) {
  static const pcct_ordering orderings[] = {PCCT_ORDERING_RANDOM, PCCT_ORDERING_HILBERT,
                                            PCCT_ORDERING_NONE};
  pcct_context *context = NULL;
  double *all = make_points(kind, count, dimension);
  assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 0, &context), PCCT_OK);
  if (leaf_size) {
    assert_int_equal(pcct_context_set(context, "leaf-size", leaf_size), PCCT_OK);
  }
  for (int o = 0; o < 3; o++) {
    pcct_index_options options = pcct_index_options_default();
    options.ordering = orderings[o];
    options.metric = metric;
    pcct_index *index = create(context, all, count, dimension, &options);
    for (int64_t most = 1; most < 2000; most *= 13) {
      struct whole whole = cut(context, index, most);
      for (int other = 0; other < 2; other++) {
        pcct_index *restored = restore(context, index, &options, &whole, other);
        compare_rows(context, index, restored);
        pcct_index_destroy(&restored);
      }
      whole_free(&whole);
    }
    pcct_index_destroy(&index);
  }
  pcct_context_destroy(&context);
  free(all);
}

static void test_restored(void **state) {
  (void)state;
  restore_kind(MADE_UNIFORM, 700, 2, PCCT_EUCLIDEAN, NULL);
  restore_kind(MADE_UNIFORM, 300, 3, PCCT_MANHATTAN, "1");
  restore_kind(MADE_UNIFORM, 200, 8, PCCT_EUCLIDEAN, NULL);
}

static void test_restored_ties(void **state) {
  (void)state;
  restore_kind(MADE_LATTICE, 500, 2, PCCT_EUCLIDEAN, NULL);
  restore_kind(MADE_LATTICE, 300, 1, PCCT_CHEBYSHEV, "1");
  restore_kind(MADE_COINCIDENT, 200, 2, PCCT_EUCLIDEAN, NULL);
}

static void test_restored_few(void **state) {
  (void)state;
  for (int64_t count = 0; count < 4; count++) {
    restore_kind(MADE_UNIFORM, count, 2, PCCT_EUCLIDEAN, NULL);
  }
}

/* The nearest predecessors of a position by definition: ties by position. */
static void expect_predecessors(const double *by_position, int d, int64_t p, const int32_t *index,
                                int32_t filled) {
  double last = -1;
  assert_int_equal(filled, p < M ? p : M);
  for (int32_t e = 0; e < filled; e++) {
    double best = INFINITY;
    int64_t found = -1;
    for (int64_t q = 0; q < p; q++) {
      const double value = metric_square(d, by_position + p * d, by_position + q * d);
      const bool later = value > last || (value == last && e > 0 && q > index[e - 1]);
      if (later && value < best) {
        best = value;
        found = q;
      }
    }
    assert_int_equal(index[e], found);
    last = best;
  }
}

/* Appends twice, and searches plainly. */
static void append_kind(enum points_made kind, int64_t count, int64_t more, int d) {
  const int64_t total = count + 2 * more;
  pcct_context *context = NULL;
  double *all = make_points(kind, total, d);
  double *by_position = calloc((size_t)(total * d) + 1, sizeof *by_position);
  double *sum = calloc((size_t)(total * d) + 1, sizeof *sum);
  pcct_index_options options = pcct_index_options_default();
  options.ordering = PCCT_ORDERING_RANDOM;
  assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 0, &context), PCCT_OK);
  pcct_index *built = create(context, all, count, d, &options);
  int64_t first, share;
  pcct_slab(count, me, ranks, &first, &share);
  for (int64_t i = 0; i < share; i++) {
    memcpy(by_position + pcct_index_positions(built)[i] * d, all + (first + i) * d,
           (size_t)d * sizeof(double));
  }
  struct whole whole = cut(context, built, 40);
  pcct_index *index = restore(context, built, &options, &whole, true);
  for (int batch = 0; batch < 2; batch++) {
    pcct_points points = {.dimension = d};
    pcct_slab(more, me, ranks, &points.first_row, &points.count);
    const double *from = all + (count + batch * more) * d;
    points.coordinates = from + points.first_row * d;
    int64_t *position = calloc((size_t)points.count + 1, sizeof *position);
    assert_int_equal(dist_append(index, &points, &options, position), PCCT_OK);
    for (int64_t i = 0; i < points.count; i++) {
      assert_in_range(position[i], count + batch * more, count + (batch + 1) * more - 1);
      memcpy(by_position + position[i] * d, points.coordinates + i * d, (size_t)d * sizeof(double));
    }
    free(position);
    assert_int_equal(pcct_index_check(index), PCCT_OK);
    pcct_rows between; /* a query must not keep what is renewed */
    assert_int_equal(pcct_index_conditioning_sets(index, M, 0, count, &between), PCCT_OK);
    pcct_rows_clear(&between);
  }
  MPI_Allreduce(by_position, sum, (int)(total * d), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  pcct_rows rows;
  assert_int_equal(pcct_index_conditioning_sets(index, M, 0, total, &rows), PCCT_OK);
  for (int64_t i = 0; i < rows.count; i++) {
    expect_predecessors(sum, d, rows.first + i, rows.index32 + i * M, rows.filled[i]);
  }
  pcct_rows_clear(&rows);
  struct whole again = cut(context, index, 40); /* its pieces are still cover trees */
  whole_free(&again);
  whole_free(&whole);
  pcct_index_destroy(&index);
  pcct_index_destroy(&built);
  pcct_context_destroy(&context);
  free(all);
  free(by_position);
  free(sum);
}

static void test_appended(void **state) {
  (void)state;
  append_kind(MADE_UNIFORM, 300, 150, 2);
  append_kind(MADE_LATTICE, 300, 100, 2);
  append_kind(MADE_COINCIDENT, 100, 50, 3);
  append_kind(MADE_UNIFORM, 100, 300, 8);
  append_kind(MADE_UNIFORM, 1, 20, 2);
}

/* Links that cannot be followed. */
static void test_bad_links(void **state) {
  (void)state;
  static const struct {
    local_index parent;
    int16_t level;
  } bad[] = {{-1, 3}, {5, 3}, {90, 3}, {-2, LEVEL_BUCKET}, {0, LEVEL_MAX}, {0, -600}};
  pcct_context *context = NULL;
  double *all = make_points(MADE_UNIFORM, 60, 2);
  pcct_index_options options = pcct_index_options_default();
  assert_int_equal(pcct_context_create(MPI_COMM_WORLD, 0, &context), PCCT_OK);
  pcct_index *index = create(context, all, 60, 2, &options);
  struct whole whole = cut(context, index, 60);
  for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
    struct dist_stored stored = {.options = &options, .dimension = 2, .total = 60};
    pcct_index *restored = NULL;
    pcct_slab(60, me, ranks, &stored.first_row, &stored.row_count);
    stored.row_position = base_allocate(&context->base, stored.row_count, sizeof(int64_t));
    stored.forest = deal(&context->base, &whole, 2, 1000, false);
    for (local_index i = 0; i < stored.forest.pieces; i++) {
      if (stored.forest.first[i + 1] - stored.forest.first[i] > 3) {
        stored.forest.parent[stored.forest.first[i] + 2] = bad[b].parent;
        stored.forest.level[stored.forest.first[i] + 2] = bad[b].level;
      }
    }
    assert_int_equal(dist_restore(context, &stored, 0, &restored), PCCT_INPUT);
    assert_null(restored);
  }
  whole_free(&whole);
  pcct_index_destroy(&index);
  pcct_context_destroy(&context);
  free(all);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_restored), cmocka_unit_test(test_restored_ties),
      cmocka_unit_test(test_restored_few), cmocka_unit_test(test_appended),
      cmocka_unit_test(test_bad_links)};
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &me);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  MPI_Finalize();
  return failed;
}
