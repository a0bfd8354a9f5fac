/* threads: 1 2 */
/*
 * Versions: after random insertions and deletions every invariant holds, answers are those of a fresh build and
 * of brute force, old versions stay as they were, differences are the batches, memory is shared.
 */
#include "test_tree_plain.h"
#include "tree/check.h"
#include "tree/version.h"
#include "walk/sweep.h"

enum { ROWS = 320, ROUNDS = 9, NEIGHBOURS = 5 };

/* What a version should hold. Row r of a kind of points has position r. */
struct world {
  struct base base;
  struct metric metric;
  enum points_made kind;
  int threads;
  double coordinates[ROWS * 5];
  uint64_t priority[ROWS];
  uint8_t held[ROWS]; /* 1: the row is in the version */
  uint64_t draws;     /* random numbers taken */
};

static void make_world(struct world *world, enum points_made kind, enum metric_kind metric,
                       int dimension, int threads) {
  memset(world, 0, sizeof *world);
  base_init(&world->base, threads);
  world->metric = plain_metric(metric, dimension);
  world->kind = kind;
  for (int r = 0; r < ROWS; r++) {
    made_point(kind, r, dimension, world->coordinates + r * dimension);
    world->priority[r] = random_bits(9, RANDOM_INSERTION, (uint64_t)r);
  }
}

static uint64_t draw(struct world *world, uint64_t below) {
  return random_bits(77, RANDOM_SAMPLE, world->draws++) % below;
}

static const double *row_point(const struct world *world, int64_t r) {
  return world->coordinates + r * world->metric.dimension;
}

/* A tree of the rows held. The arrays are the caller's. */
static struct tree *build_held(struct world *world, local_index leaf_size, double *coordinates,
                               int64_t *position, uint64_t *priority) {
  const int d = world->metric.dimension;
  struct tree *tree = NULL;
  local_index count = 0;
  for (int r = 0; r < ROWS; r++) {
    if (world->held[r]) {
      memcpy(coordinates + count * d, row_point(world, r), (size_t)d * sizeof(double));
      position[count] = r;
      priority[count++] = world->priority[r];
    }
  }
  const struct tree_points points = {count,    &world->metric, coordinates,
                                     position, priority,       leaf_size};
  assert_int_equal(tree_build(&world->base, &points, &tree), PCCT_OK);
  return tree;
}

static struct version *first_version(struct world *world, local_index leaf_size) {
  double coordinates[ROWS * 5];
  int64_t position[ROWS];
  uint64_t priority[ROWS];
  struct version *version = NULL;
  struct tree *tree = build_held(world, leaf_size, coordinates, position, priority);
  assert_int_equal(version_create(&world->base, tree, &version), PCCT_OK);
  tree_destroy(&tree);
  return version;
}

/* The k best rows of a view for each query point, by value and position. */
static void ask(struct world *world, const struct tree *tree, const double *queries, int count,
                double *value, int64_t *index) {
  struct frame *frame = NULL;
  struct view *view = NULL;
  int32_t filled[64];
  assert_int_equal(frame_create_whole(&world->base, tree, &frame), PCCT_OK);
  assert_int_equal(tree_check(&world->base, tree, frame), PCCT_OK);
  assert_int_equal(view_create(&world->base, tree, frame, INT64_MAX, &view), PCCT_OK);
  assert_int_equal(view_check(&world->base, tree, INT64_MAX, view), PCCT_OK);
  const struct walk_sweep sweep = {.count = count, .points = queries};
  const struct walk_rows rows = {.value = (char *)value,
                                 .index = (char *)index,
                                 .filled = (char *)filled,
                                 .value_stride = NEIGHBOURS * 8,
                                 .index_stride = NEIGHBOURS * 8,
                                 .filled_stride = 4,
                                 .width = NEIGHBOURS,
                                 .index_size = 8};
  assert_int_equal(walk_sweep(&world->base, view, &sweep, NEIGHBOURS, &rows), PCCT_OK);
  view_destroy(&view);
  frame_destroy(&frame);
}

static void ask_brutally(const struct world *world, const double *query, double *value,
                         int64_t *index) {
  int found = 0;
  for (int r = 0; r < ROWS; r++) {
    if (world->held[r]) {
      const double here = plain_value(&world->metric, query, row_point(world, r));
      int at = found < NEIGHBOURS ? found++ : NEIGHBOURS;
      for (; at > 0 && value[at - 1] > here; at--) {
        if (at < NEIGHBOURS) {
          value[at] = value[at - 1];
          index[at] = index[at - 1];
        }
      }
      if (at < NEIGHBOURS) {
        value[at] = here;
        index[at] = r;
      }
    }
  }
  for (; found < NEIGHBOURS; found++) {
    value[found] = INFINITY;
    index[found] = -1;
  }
}

/* The version's answers equal those of a fresh build and of brute force. */
static void check_answers(struct world *world, const struct tree *tree, local_index leaf_size) {
  enum { QUERIES = 12 };
  const int d = world->metric.dimension;
  double coordinates[ROWS * 5];
  int64_t position[ROWS];
  uint64_t priority[ROWS];
  double queries[QUERIES * 5];
  double value[3][QUERIES * NEIGHBOURS];
  int64_t index[3][QUERIES * NEIGHBOURS];
  for (int q = 0; q < QUERIES; q++) {
    made_point(world->kind, (int64_t)draw(world, 2 * ROWS), d, queries + q * d);
    ask_brutally(world, queries + q * d, value[2] + q * NEIGHBOURS, index[2] + q * NEIGHBOURS);
  }
  struct tree *fresh = build_held(world, leaf_size, coordinates, position, priority);
  ask(world, tree, queries, QUERIES, value[0], index[0]);
  ask(world, fresh, queries, QUERIES, value[1], index[1]);
  tree_destroy(&fresh);
  for (int i = 0; i < 2; i++) {
    assert_memory_equal(value[i], value[2], sizeof value[i]);
    assert_memory_equal(index[i], index[2], sizeof index[i]);
  }
}

/* Exactly the rows held are there, with links, and those that were there before are where they were. */
static void check_held(const struct world *world, const struct version *version,
                       const struct tree *tree, const struct tree *before) {
  int held = 0;
  int found = 0;
  for (int r = 0; r < ROWS; r++) {
    held += world->held[r];
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    const int64_t r = tree->points.position[p];
    if (tree->parent[p] < 0 && p != tree->root) {
      assert_true(r == INT64_MAX);
      continue;
    }
    assert_true(r >= 0 && r < ROWS && world->held[r]);
    assert_true(tree->points.priority[p] == world->priority[r]);
    assert_memory_equal(plain_point(tree, p), row_point(world, r),
                        (size_t)world->metric.dimension * sizeof(double));
    found++;
  }
  assert_int_equal(found, held);
  assert_int_equal(version->count, held);
  for (local_index p = 0; before && p < before->points.count; p++) {
    const int64_t r = before->points.position[p];
    if (r != INT64_MAX && world->held[r]) {
      assert_true(p < tree->points.count && tree->points.position[p] == r);
    }
  }
}

static void check_difference(struct world *world, const struct version *from,
                             const struct version *to, const uint8_t *before) {
  struct version_difference difference;
  local_index added = 0;
  local_index removed = 0;
  assert_int_equal(version_compare(&world->base, from, to, &difference), PCCT_OK);
  for (int r = 0; r < ROWS; r++) {
    if (world->held[r] && !before[r]) {
      assert_true(added < difference.added && difference.added_position[added] == r);
      added++;
    } else if (!world->held[r] && before[r]) {
      assert_true(removed < difference.removed && difference.removed_position[removed] == r);
      removed++;
    }
  }
  assert_int_equal(difference.added, added);
  assert_int_equal(difference.removed, removed);
  version_difference_clear(&difference);
}

/* Everything a version says, in one block. */
static unsigned char *snapshot(struct world *world, const struct version *version, size_t *size) {
  struct version_layout layout;
  assert_int_equal(version_lay_out(&world->base, version, &layout), PCCT_OK);
  const size_t n = (size_t)version->slots;
  const size_t row = (size_t)world->metric.dimension * sizeof(double);
  *size = n * (row + 22) + 1;
  unsigned char *bytes = malloc(*size);
  unsigned char *to = bytes;
#define TAKE(array, width)                                                                         \
  memcpy(to, array, n *(width));                                                                   \
  to += n * (width)
  TAKE(layout.coordinates, row);
  TAKE(layout.position, 8);
  TAKE(layout.priority, 8);
  TAKE(layout.tree->parent, 4);
  TAKE(layout.tree->level, 2);
#undef TAKE
  *to = (unsigned char)layout.tree->leaf_size;
  version_layout_clear(&layout);
  return bytes;
}

enum operation {
  INSERT_SOME,
  INSERT_MANY,
  DELETE_SOME,
  DELETE_MANY,
  DELETE_TOP,
  DELETE_NODES,
  DELETE_ALL,
  OPERATIONS
};

/* Rows to insert or delete. Returns how many. */
static local_index choose_rows(struct world *world, const struct tree *tree, enum operation what,
                               int64_t *rows) {
  const uint64_t chance[] = {20, 2, 20, 2, 0, 0, 1};
  const int insert = what == INSERT_SOME || what == INSERT_MANY;
  local_index count = 0;
  if (what == DELETE_TOP || what == DELETE_NODES) { /* the highest levels, or every node */
    for (local_index p = 0; p < tree->points.count; p++) {
      if (plain_is_node(tree, p) &&
          (what == DELETE_NODES || tree->level[p] >= tree->level[tree->root] - 2)) {
        rows[count++] = tree->points.position[p];
      }
    }
    return count;
  }
  for (int r = ROWS - 1; r >= 0; r--) { /* falling: batches need no order */
    if (world->held[r] != insert && draw(world, chance[what]) == 0) {
      rows[count++] = r;
    }
  }
  return count;
}

static struct version *operate(struct world *world, const struct version *old,
                               const struct tree *tree, enum operation what) {
  const int d = world->metric.dimension;
  const int insert = what == INSERT_SOME || what == INSERT_MANY;
  int64_t rows[ROWS];
  double coordinates[ROWS * 5];
  uint64_t priority[ROWS];
  struct version *version = NULL;
  const local_index count = choose_rows(world, tree, what, rows);
  for (local_index i = 0; i < count; i++) {
    memcpy(coordinates + i * d, row_point(world, rows[i]), (size_t)d * sizeof(double));
    priority[i] = world->priority[rows[i]];
    world->held[rows[i]] = (uint8_t)insert;
  }
  const struct version_batch batch = {count, coordinates, rows, priority};
  assert_int_equal(insert ? version_insert(&world->base, old, &batch, &version)
                          : version_delete(&world->base, old, rows, count, &version),
                   PCCT_OK);
  return version;
}

/* Rounds of operations on one family of versions. */
static void run_family(struct world *world, local_index leaf_size) {
  struct version *versions[ROUNDS + 1];
  unsigned char *bytes[ROUNDS + 1];
  size_t sizes[ROUNDS + 1];
  struct version_layout layout = {0};
  struct version_layout before = {0};
  versions[0] = first_version(world, leaf_size);
  bytes[0] = snapshot(world, versions[0], &sizes[0]);
  assert_int_equal(version_lay_out(&world->base, versions[0], &before), PCCT_OK);
  check_held(world, versions[0], before.tree, NULL);
  for (int i = 1; i <= ROUNDS; i++) {
    uint8_t held[ROWS];
    memcpy(held, world->held, sizeof held);
    const enum operation what =
        i == 1 ? INSERT_MANY : (enum operation)draw(world, i == ROUNDS / 2 ? 7 : 6);
    versions[i] = operate(world, versions[i - 1], before.tree, what);
    assert_int_equal(version_lay_out(&world->base, versions[i], &layout), PCCT_OK);
    check_held(world, versions[i], layout.tree, before.tree);
    plain_check_invariants(layout.tree);
    check_answers(world, layout.tree, leaf_size);
    check_difference(world, versions[i - 1], versions[i], held);
    bytes[i] = snapshot(world, versions[i], &sizes[i]);
    version_layout_clear(&before);
    before = layout;
  }
  version_layout_clear(&before);
  for (int left = ROUNDS + 1; left > 0; left--) { /* destroyed in any order */
    const int i = (int)draw(world, (uint64_t)left);
    size_t size;
    unsigned char *now = snapshot(world, versions[i], &size);
    assert_int_equal(size, sizes[i]);
    assert_memory_equal(now, bytes[i], size);
    free(now);
    free(bytes[i]);
    version_destroy(&versions[i]);
    assert_null(versions[i]);
    versions[i] = versions[left - 1];
    bytes[i] = bytes[left - 1];
    sizes[i] = sizes[left - 1];
  }
}

static void test_rounds(void **state) {
  (void)state;
  const local_index leaf_sizes[] = {1, 16, 0, 4};
  const int dimensions[] = {1, 2, 3, 5};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int metric = 0; metric < 4; metric++) {
      for (int leaf = 0; leaf < 4; leaf++) {
        struct world world;
        make_world(&world, (enum points_made)kind, (enum metric_kind)metric,
                   dimensions[(kind + leaf) % 4], 0);
        world.draws = (uint64_t)((kind * 4 + metric) * 4 + leaf) << 32;
        for (int r = 0; r < ROWS && leaf != 3; r++) { /* the last ones start empty */
          world.held[r] = draw(&world, 2) == 0;
        }
        run_family(&world, leaf_sizes[leaf]);
      }
    }
  }
}

/* Every point deleted at once, one by one, and the root again and again. */
static void test_delete_everything(void **state) {
  (void)state;
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int way = 0; way < 6; way++) {
      struct world world;
      make_world(&world, (enum points_made)kind, (enum metric_kind)(way % 4), 2, 0);
      for (int r = 0; r < 60; r++) {
        world.held[r] = 1;
      }
      struct version *version = first_version(&world, way < 3 ? 1 : 8);
      for (int left = 60; left > 0;) {
        struct version_layout layout;
        struct version *next = NULL;
        int64_t rows[60];
        local_index count = 1;
        assert_int_equal(version_lay_out(&world.base, version, &layout), PCCT_OK);
        rows[0] = layout.position[layout.tree->root]; /* the root */
        if (way % 3 == 1) {                           /* the first one there is */
          for (rows[0] = 0; !world.held[rows[0]]; rows[0]++) {
          }
        }
        for (count = 1; way % 3 == 2 && count < 60; count++) { /* all */
          rows[0] = 0;
          rows[count] = count;
        }
        assert_int_equal(version_delete(&world.base, version, rows, count, &next), PCCT_OK);
        for (int i = 0; i < count; i++) {
          world.held[rows[i]] = 0;
        }
        version_layout_clear(&layout);
        version_destroy(&version);
        version = next;
        left -= count;
        assert_int_equal(version_lay_out(&world.base, version, &layout), PCCT_OK);
        check_held(&world, version, layout.tree, NULL);
        plain_check_invariants(layout.tree);
        version_layout_clear(&layout);
      }
      assert_int_equal(version->slots, 0);
      version_destroy(&version);
    }
  }
}

static void test_errors(void **state) {
  (void)state;
  struct world world;
  make_world(&world, MADE_UNIFORM, METRIC_EUCLIDEAN, 2, 0);
  memset(world.held, 1, 100);
  struct version *version = first_version(&world, 1);
  struct version *next = NULL;
  const int64_t bad[][2] = {{200, 99}, {200, 200}, {200, -1}, {INT64_MAX, 200}};
  const char *words[] = {"99", "200", "-1", "9223372036854775807"};
  for (int i = 0; i < 4; i++) {
    const struct version_batch batch = {2, world.coordinates, bad[i], world.priority};
    base_clear_message(&world.base);
    assert_int_equal(version_insert(&world.base, version, &batch, &next), PCCT_USAGE);
    assert_non_null(strstr(world.base.message, words[i]));
    assert_null(next);
  }
  const int64_t absent[][2] = {{3, 100}, {3, 3}, {3, -7}, {3, INT64_MAX}};
  const char *absent_words[] = {"100", "3 twice", "-7", "9223372036854775807"};
  for (int i = 0; i < 4; i++) {
    base_clear_message(&world.base);
    assert_int_equal(version_delete(&world.base, version, absent[i], 2, &next), PCCT_USAGE);
    assert_non_null(strstr(world.base.message, absent_words[i]));
    assert_null(next);
  }
  const int64_t near[] = {200, 201};
  const double coordinates[] = {0, 0, 0, 1e-170};
  const struct version_batch close = {2, coordinates, near, world.priority};
  for (int automatic = 0; automatic < 2; automatic++) { /* buckets do not hide them */
    base_clear_message(&world.base);
    version_destroy(&version);
    version = first_version(&world, automatic ? 0 : 1);
    assert_int_equal(version_insert(&world.base, version, &close, &next), PCCT_INPUT);
    assert_non_null(strstr(world.base.message, "rescale"));
    assert_null(next);
  }
  version_destroy(&version);
}

/* A point deleted and inserted again elsewhere went and came; the same point did not, whatever its slot. */
static void test_difference_of_moves(void **state) {
  (void)state;
  struct world world;
  make_world(&world, MADE_UNIFORM, METRIC_EUCLIDEAN, 2, 0);
  memset(world.held, 1, 300);
  struct version *versions[4] = {first_version(&world, 1), NULL, NULL, NULL};
  const int64_t gone[] = {10, 250};
  const int64_t back[] = {250, 10};
  const double same[] = {row_point(&world, 250)[0], row_point(&world, 250)[1],
                         row_point(&world, 10)[0], row_point(&world, 10)[1]};
  const double other[] = {same[0], same[1], 7, 7};
  const uint64_t priority[] = {world.priority[250], world.priority[10]};
  const struct version_batch batches[] = {{2, same, back, priority}, {2, other, back, priority}};
  struct version_difference difference;
  assert_int_equal(version_delete(&world.base, versions[0], gone, 2, &versions[1]), PCCT_OK);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(version_insert(&world.base, versions[1], &batches[i], &versions[2 + i]),
                     PCCT_OK);
    assert_int_equal(version_compare(&world.base, versions[0], versions[2 + i], &difference),
                     PCCT_OK);
    assert_int_equal(difference.added, i);
    assert_int_equal(difference.removed, i);
    assert_true(i == 0 ||
                (difference.added_position[0] == 10 && difference.removed_position[0] == 10));
    version_difference_clear(&difference);
  }
  for (int i = 0; i < 4; i++) {
    version_destroy(&versions[i]);
  }
}

/* Operations on few of many points copy a small share of the chunks. Points are in spatial order, as those of a
 * build are. */
static void test_memory_is_shared(void **state) {
  (void)state;
  enum { MANY = 100000, STRIP = 316, FEW = 10 };
  const local_index leaf_sizes[] = {1, 16, 0};
  struct base base;
  base_init(&base, 0);
  const struct metric metric = plain_metric(METRIC_EUCLIDEAN, 2);
  double *coordinates = malloc((MANY + FEW) * 2 * sizeof *coordinates);
  int64_t *position = malloc((MANY + FEW) * sizeof *position);
  uint64_t *priority = malloc((MANY + FEW) * sizeof *priority);
  for (int p = 0; p < MANY + FEW; p++) {
    coordinates[2 * p] = (p % STRIP + made_uniform(p, 0)) / STRIP;
    coordinates[2 * p + 1] = (p / STRIP + made_uniform(p, 1)) / STRIP;
    position[p] = p;
    priority[p] = random_bits(5, RANDOM_INSERTION, (uint64_t)p);
  }
  for (int p = MANY; p < MANY + FEW; p++) {
    coordinates[2 * p] = made_uniform(p, 0);
    coordinates[2 * p + 1] = made_uniform(p, 1);
  }
  for (int leaf = 0; leaf < 3; leaf++) {
    const struct tree_points points = {MANY,     &metric,  coordinates,
                                       position, priority, leaf_sizes[leaf]};
    const struct version_batch batch = {FEW, coordinates + (size_t)2 * MANY, position + MANY,
                                        priority + MANY};
    struct tree *tree = NULL;
    struct version *old = NULL;
    struct version *more = NULL;
    struct version *less = NULL;
    int64_t gone[FEW];
    assert_int_equal(tree_build(&base, &points, &tree), PCCT_OK);
    assert_int_equal(version_create(&base, tree, &old), PCCT_OK);
    assert_int_equal(version_insert(&base, old, &batch, &more), PCCT_OK);
    for (int i = 0; i < FEW; i++) {
      gone[i] = i * (MANY / FEW) + 77;
    }
    assert_int_equal(version_delete(&base, more, gone, FEW, &less), PCCT_OK);
    const struct store_share points_more = store_compare(&more->points, &old->points);
    const struct store_share links_more = store_compare(&more->links, &old->links);
    const struct store_share points_less = store_compare(&less->points, &more->points);
    const struct store_share links_less = store_compare(&less->links, &more->links);
    print_message(
        "leaf %d: points %ld of %ld, links %ld chunks, %ld inner nodes copied by insertion; "
        "%ld, %ld, %ld by deletion\n",
        leaf_sizes[leaf], (long)points_more.chunks_alone, (long)points_more.chunks,
        (long)links_more.chunks_alone, (long)links_more.nodes_alone, (long)points_less.chunks_alone,
        (long)links_less.chunks_alone, (long)links_less.nodes_alone);
    assert_int_equal(points_more.chunks, (MANY + FEW + 127) / 128);
    assert_true(points_more.chunks_alone <= 2);
    assert_true(points_less.chunks_alone <= FEW);
    assert_true(links_more.chunks_alone <= 40);
    assert_true(links_less.chunks_alone <= 60);
    assert_true(points_more.nodes_alone <= 3);
    assert_int_equal(store_compare(&old->points, &old->points).chunks_alone, 0);
    version_destroy(&old);
    version_destroy(&less);
    assert_int_equal(store_compare(&more->points, &more->links).chunks, points_more.chunks);
    version_destroy(&more);
    tree_destroy(&tree);
  }
  free(coordinates);
  free(position);
  free(priority);
}

/* Every allocation of an operation fails once: the old version stays, nothing is leaked (the sanitizers
 * look). */
static void test_memory_fails(void **state) {
  (void)state;
  for (int what = 0; what < 5; what++) {
    struct world world;
    make_world(&world, MADE_REPEATED, METRIC_EUCLIDEAN, 2, 1);
    memset(world.held, 1, 150);
    struct version *old = first_version(&world, what % 2 ? 6 : 1);
    size_t size[2];
    unsigned char *before = snapshot(&world, old, &size[0]);
    int64_t rows[ROWS];
    for (int r = 0; r < ROWS; r++) {
      rows[r] = what < 2 || what == 4 ? 150 + r : 2 * r;
    }
    const struct version_batch batch = {what < 4 ? 60 : 160, world.coordinates + 300, rows,
                                        world.priority};
    int64_t allowed = 0;
    for (pcct_status status = PCCT_MEMORY; status != PCCT_OK; allowed++) {
      struct version *version = NULL;
      base_clear_message(&world.base);
      world.base.allocations_left = allowed;
      status = what < 2 || what == 4 ? version_insert(&world.base, old, &batch, &version)
                                     : version_delete(&world.base, old, rows, 70, &version);
      assert_true(status == PCCT_OK || status == PCCT_MEMORY);
      assert_true((status == PCCT_OK) == (version != NULL));
      if (status == PCCT_OK) {
        struct version_difference difference;
        for (pcct_status again = PCCT_MEMORY, left = 0; again != PCCT_OK; left++) {
          world.base.allocations_left = left;
          again = version_compare(&world.base, old, version, &difference);
        }
        version_difference_clear(&difference);
      }
      world.base.allocations_left = -1;
      version_destroy(&version);
      unsigned char *after = snapshot(&world, old, &size[1]);
      assert_int_equal(size[0], size[1]);
      assert_memory_equal(before, after, size[0]);
      free(after);
    }
    assert_true(allowed > 20);
    free(before);
    version_destroy(&old);
  }
}

/* Many chunks in a store, holes, tall and low ones. */
static void test_store(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  struct store store = store_empty(sizeof(int64_t));
  const int64_t places[] = {0, 31, 32, 1023, 1024, 40000};
  for (int i = 5; i >= 0; i--) {
    assert_int_equal(store_put(&base, &store, places[i], &places[i]), PCCT_OK);
  }
  struct store copy = store_copy(&store);
  const int64_t changed = -5;
  assert_int_equal(store_put(&base, &copy, 32, &changed), PCCT_OK);
  assert_int_equal(store_put(&base, &copy, 2000000, &changed), PCCT_OK);
  assert_int_equal(store_put(&base, &copy, 40000, NULL), PCCT_OK);
  assert_int_equal(store_put(&base, &copy, 7000000, NULL), PCCT_OK);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(*(const int64_t *)store_get(&store, places[i]), places[i]);
  }
  assert_null(store_get(&store, 1));
  assert_null(store_get(&store, 2000000));
  assert_null(store_get(&copy, 40000));
  assert_int_equal(*(const int64_t *)store_get(&copy, 32), changed);
  assert_int_equal(store_next_difference(&store, &copy, 0, 3000000), 32);
  assert_int_equal(store_next_difference(&copy, &store, 33, 3000000), 40000);
  assert_int_equal(store_next_difference(&store, &copy, 40001, 3000000), 2000000);
  assert_int_equal(store_next_difference(&store, &copy, 2000001, 3000000), 3000000);
  assert_int_equal(store_compare(&store, &copy).chunks, 6);
  assert_int_equal(store_compare(&store, &copy).chunks_alone, 2);
  assert_int_equal(store_compare(&copy, &store).chunks_alone, 2);
  store_clear(&store);
  assert_int_equal(*(const int64_t *)store_get(&copy, 1024), 1024);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(store_put(&base, &copy, places[i], NULL), PCCT_OK);
  }
  assert_int_equal(store_put(&base, &copy, 2000000, NULL), PCCT_OK);
  assert_null(copy.root);
  store_clear(&copy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_store),
      cmocka_unit_test(test_rounds),
      cmocka_unit_test(test_delete_everything),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_difference_of_moves),
      cmocka_unit_test(test_memory_is_shared),
      cmocka_unit_test(test_memory_fails),
  };
  return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
