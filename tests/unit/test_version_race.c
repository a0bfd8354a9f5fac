/* threads: 1 2 */
/*
 * Versions in several threads: queries on an old version while others insert, delete, compare and destroy
 * versions that share its memory. checkers/race.sh runs this under a race detector.
 */
#include "test_points_made.h"
#include "tree/version.h"
#include "tree/view.h"
#include "walk/sweep.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { POINTS = 3000, BATCH = 300, QUERIES = 200, NEIGHBOURS = 4, ROUNDS = 6, DIMENSION = 2 };

/* Answers to one set of queries. */
struct answers {
  double value[QUERIES * NEIGHBOURS];
  int64_t index[QUERIES * NEIGHBOURS];
  int32_t filled[QUERIES];
};

/* What the threads share and only read. */
struct shared {
  const struct version *old;
  const struct view *view; /* of the old version */
  const double *coordinates;
  const int64_t *position;
  const uint64_t *priority; /* [POINTS + ROUNDS * BATCH] */
  const double *queries;
  const struct answers *expected;
};

/* One thread's own. Assertions of the test library belong to the main thread: failures are counted. */
struct worker {
  const struct shared *shared;
  struct base base;
  struct version *kept; /* destroyed by the main thread */
  int failures;
};

#define EXPECT(worker, condition) ((worker)->failures += !(condition))

static pcct_status answer(struct base *base, const struct view *view, const double *queries,
                          struct answers *answers) {
  const struct walk_sweep sweep = {.count = QUERIES, .points = queries};
  const struct walk_rows rows = {.value = (char *)answers->value,
                                 .index = (char *)answers->index,
                                 .filled = (char *)answers->filled,
                                 .value_stride = NEIGHBOURS * 8,
                                 .index_stride = NEIGHBOURS * 8,
                                 .filled_stride = 4,
                                 .width = NEIGHBOURS,
                                 .index_size = 8};
  return walk_sweep(base, view, &sweep, NEIGHBOURS, &rows);
}

static pcct_status finalise(struct base *base, const struct version *version, struct view **view) {
  struct version_layout layout;
  struct frame *frame = NULL;
  pcct_status status = version_lay_out(base, version, &layout);
  *view = NULL;
  if (status == PCCT_OK) {
    status = frame_create_whole(base, layout.tree, &frame);
  }
  if (status == PCCT_OK) {
    status = view_create(base, layout.tree, frame, INT64_MAX, view);
  }
  frame_destroy(&frame);
  version_layout_clear(&layout);
  return status;
}

/* Asks the old version again and again, by the view that all share and by views of its own. */
static void *read_old(void *of) {
  struct worker *worker = of;
  const struct shared *shared = worker->shared;
  struct answers *answers = calloc(1, sizeof *answers);
  for (int i = 0; i < ROUNDS; i++) {
    struct view *view = NULL;
    EXPECT(worker, answer(&worker->base, shared->view, shared->queries, answers) == PCCT_OK);
    EXPECT(worker, memcmp(answers, shared->expected, sizeof *answers) == 0);
    EXPECT(worker, finalise(&worker->base, shared->old, &view) == PCCT_OK);
    EXPECT(worker, answer(&worker->base, view, shared->queries, answers) == PCCT_OK);
    EXPECT(worker, memcmp(answers, shared->expected, sizeof *answers) == 0);
    view_destroy(&view);
  }
  free(answers);
  return NULL;
}

/* Derives a line of versions from the old one and destroys those between. */
static void *write_new(void *of) {
  struct worker *worker = of;
  const struct shared *shared = worker->shared;
  for (int i = 0; i < ROUNDS; i++) {
    const int first = POINTS + i * BATCH;
    const struct version_batch batch = {BATCH, shared->coordinates + (size_t)first * DIMENSION,
                                        shared->position + first, shared->priority + first};
    struct version *more = NULL;
    struct version *less = NULL;
    struct version_difference difference = {0};
    EXPECT(worker, version_insert(&worker->base, worker->kept ? worker->kept : shared->old, &batch,
                                  &more) == PCCT_OK);
    EXPECT(worker, version_delete(&worker->base, more, shared->position + i * BATCH, BATCH,
                                  &less) == PCCT_OK);
    EXPECT(worker, version_compare(&worker->base, shared->old, less, &difference) == PCCT_OK);
    EXPECT(worker, difference.added == (i + 1) * BATCH && difference.removed == (i + 1) * BATCH);
    version_difference_clear(&difference);
    version_destroy(&more);
    version_destroy(&worker->kept);
    worker->kept = less;
  }
  return NULL;
}

/* Destroys a version that shares memory with one the main thread destroys at the same time. */
static void *destroy_own(void *of) {
  struct worker *worker = of;
  version_destroy(&worker->kept);
  return NULL;
}

static void make_arrays(double *coordinates, int64_t *position, uint64_t *priority, int count) {
  for (int p = 0; p < count; p++) {
    made_point(p % 3 ? MADE_UNIFORM : MADE_LATTICE, p, DIMENSION, coordinates + p * DIMENSION);
    position[p] = p;
    priority[p] = random_bits(3, RANDOM_INSERTION, (uint64_t)p);
  }
}

static void run_threads(local_index leaf_size) {
  enum { ALL = POINTS + ROUNDS * BATCH, WORKERS = 4 };
  double *coordinates = calloc((size_t)(ALL + QUERIES) * DIMENSION, sizeof *coordinates);
  int64_t *position = calloc(ALL + QUERIES, sizeof *position);
  uint64_t *priority = calloc(ALL + QUERIES, sizeof *priority);
  struct answers *expected = calloc(1, sizeof *expected);
  struct worker *workers = calloc(WORKERS, sizeof *workers);
  const struct metric metric = {.user_dimension = DIMENSION, .dimension = DIMENSION};
  pthread_t threads[WORKERS];
  struct base base;
  struct tree *tree = NULL;
  struct version *old = NULL;
  struct view *view = NULL;
  make_arrays(coordinates, position, priority, ALL + QUERIES);
  base_init(&base, 0);
  const struct tree_points points = {POINTS, &metric, coordinates, position, priority, leaf_size};
  assert_int_equal(tree_build(&base, &points, &tree), PCCT_OK);
  assert_int_equal(version_create(&base, tree, &old), PCCT_OK);
  tree_destroy(&tree);
  assert_int_equal(finalise(&base, old, &view), PCCT_OK);
  const struct shared shared = {
      old, view, coordinates, position, priority, coordinates + (size_t)ALL * DIMENSION, expected};
  assert_int_equal(answer(&base, view, shared.queries, expected), PCCT_OK);
  for (int w = 0; w < WORKERS; w++) {
    workers[w].shared = &shared;
    base_init(&workers[w].base, 0);
    assert_int_equal(pthread_create(&threads[w], NULL, w % 2 ? write_new : read_old, &workers[w]),
                     0);
  }
  for (int w = 0; w < WORKERS; w++) {
    assert_int_equal(pthread_join(threads[w], NULL), 0);
    assert_int_equal(workers[w].failures, 0);
  }
  for (int w = 1; w < WORKERS; w += 2) {
    assert_int_equal(pthread_create(&threads[w], NULL, destroy_own, &workers[w]), 0);
  }
  version_destroy(&old);
  for (int w = 1; w < WORKERS; w += 2) {
    assert_int_equal(pthread_join(threads[w], NULL), 0);
  }
  view_destroy(&view);
  free(workers);
  free(expected);
  free(priority);
  free(position);
  free(coordinates);
}

static void test_threads(void **state) {
  (void)state;
  run_threads(1);
  run_threads(16);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
  return cmocka_run_group_tests_name("version_race", tests, NULL, NULL);
}
