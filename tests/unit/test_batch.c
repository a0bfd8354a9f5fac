/* threads: 1 2 */
/*
 * Batches: scopes against brute force, and whole builds against a plain implementation of the batch algorithm that
 * looks at all pairs, link by link. It knows no shortcuts: where a build inserts degenerate batches one by one, the
 * tree must be the same.
 */
#include "test_tree_plain.h"
#include "tree/batch.h"
#include "tree/rebuild.h"

enum { MOST = 300, AXES = 8 };

struct made {
  struct base base;
  struct metric metric;
  struct tree_points points;
  double coordinates[MOST * AXES];
  int64_t position[MOST];
  uint64_t priority[MOST];
};

static void make(struct made *made, enum points_made kind, enum metric_kind metric, int count,
                 int dimension, local_index leaf_size) {
  memset(made, 0, sizeof *made);
  base_init(&made->base, 0);
  made->metric = plain_metric(metric, dimension);
  for (int p = 0; p < count; p++) {
    made_point(kind, p, dimension, made->coordinates + p * dimension);
    made->position[p] = count - p;
    made->priority[p] = random_bits(6, RANDOM_INSERTION, (uint64_t)p) >> 57; /* ties */
  }
  made->points = (struct tree_points){count,          &made->metric,  made->coordinates,
                                      made->position, made->priority, leaf_size};
}

/* The points from row 128 on become a tight cluster away from the others, which comes last: batches that are degenerate
 * at first. */
static void make_late_cluster(struct made *made) {
  for (int p = 0; p < made->points.count; p++) {
    made->priority[p] = (uint64_t)p / 2;
    for (int j = 0; j < made->metric.dimension && p >= 128; j++) {
      double *x = made->coordinates + p * made->metric.dimension + j;
      *x = *x / 1024 + 5 * made->coordinates[j] + 2;
    }
  }
}

/* The nearest node of a tree that covers a point, ties by insertion order. */
static local_index plain_scope(const struct tree *tree, local_index p) {
  local_index best = -1;
  for (local_index q = 0; q < tree->points.count; q++) {
    if (plain_is_node(tree, q)) {
      const double value = plain_pair(tree, p, q);
      const int covers =
          q == tree->root || value <= plain_radius(tree->points.metric, tree->level[q]);
      if (covers && (best < 0 || value < plain_pair(tree, p, best) ||
                     (value == plain_pair(tree, p, best) && plain_before(tree, q, best)))) {
        best = q;
      }
    }
  }
  return best;
}

/* The highest level a point may take that far from a node; LEVEL_DUPLICATE: none. */
static int plain_highest(const struct metric *metric, double value) {
  return value > 0 ? plain_level(metric, value) - 1 : LEVEL_DUPLICATE;
}

static void check_scopes(struct made *made, const struct tree *tree) {
  struct frame *frame = NULL;
  struct batch batch = {0};
  local_index *members = calloc((size_t)made->points.count + 1, sizeof *members);
  local_index nodes = 0;
  local_index count = 0;
  for (local_index p = 0; p < made->points.count; p++) {
    count += tree->parent[p] < 0 && p != tree->root;
    if (plain_is_node(tree, p)) {
      members[nodes++] = p;
    }
  }
  assert_int_equal(nodes, tree->nodes);
  assert_int_equal(frame_create(&made->base, tree, nodes, members, &frame), PCCT_OK);
  assert_int_equal(batch_create(&made->base, count, made->metric.dimension, &batch), PCCT_OK);
  count = 0;
  for (local_index p = 0; p < made->points.count; p++) {
    if (tree->parent[p] < 0 && p != tree->root) {
      batch.point[count++] = p;
    }
  }
  assert_int_equal(scope_find(&made->base, tree, frame, &batch, 0), PCCT_OK);
  for (local_index q = 0; q < count; q++) {
    const local_index node = plain_scope(tree, batch.point[q]);
    const double value = plain_pair(tree, batch.point[q], node);
    assert_int_equal(batch.parent[q], node);
    assert_true(batch.parent_value[q] == value);
    assert_int_equal(batch.level[q], plain_highest(&made->metric, value));
  }
  batch_free(&batch);
  frame_destroy(&frame);
  free(members);
}

/* Trees of some of the points; the scopes of the others. */
static void test_scopes(void **state) {
  (void)state;
  const int dimensions[] = {1, 2, 3, AXES};
  const local_index leaf_sizes[] = {1, 6, 0};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int metric = 0; metric < 4; metric++) {
      for (int d = 0; d < 4; d++) {
        for (int share = 2; share <= 16; share *= 2) {
          struct made made;
          struct tree *tree = NULL;
          local_index member[MOST];
          local_index count = 0;
          make(&made, (enum points_made)kind, (enum metric_kind)metric, MOST, dimensions[d],
               leaf_sizes[(d + share) % 3]);
          for (local_index p = 0; p < MOST; p += 1 + (p % share == 0)) {
            if (p % share == 0 || share == 2) {
              member[count++] = p;
            }
          }
          assert_int_equal(tree_create(&made.base, &made.points, &tree), PCCT_OK);
          assert_int_equal(tree_rebuild(&made.base, &tree, member, count), PCCT_OK);
          check_scopes(&made, tree);
          tree_destroy(&tree);
        }
      }
    }
  }
}

/* A build by plain loops. Arrays by local index. */
struct plain {
  struct tree tree; /* parent, level, root: the result */
  local_index parent[MOST];
  int16_t level[MOST];
  local_index order[MOST]; /* insertion order */
  int64_t budget;
  int64_t halved;
  double pairs_per_point;
  local_index capacity;
  /* of the running batch */
  uint8_t waiting[MOST];   /* 1: in the batch and neither node nor held */
  local_index node[MOST];  /* nearest covering node so far */
  int16_t highest[MOST];   /* highest level still possible */
  local_index held[MOST];  /* by node: points in its bucket */
  uint8_t outgrown[MOST];  /* by node */
  uint8_t closed[MOST];    /* by node: what waits below it stays in its bucket */
  uint8_t changed[MOST];   /* by node: it is new or has lost waiting points at this level */
  local_index moved[MOST]; /* to the next batch */
  local_index moved_count;
};

static double pair(const struct plain *plain, local_index a, local_index b) {
  return plain_pair(&plain->tree, a, b);
}

static local_index pending(const struct plain *plain, local_index node) {
  local_index count = 0;
  for (local_index p = 0; p < plain->tree.points.count; p++) {
    count += plain->waiting[p] && plain->node[p] == node;
  }
  return count;
}

static void settle(struct plain *plain, local_index p, int16_t level) {
  plain->parent[p] = plain->node[p];
  plain->level[p] = level;
  plain->waiting[p] = 0;
  plain->held[plain->node[p]] += level == LEVEL_BUCKET;
}

static void enter(struct plain *plain, local_index p) {
  plain->waiting[p] = 1;
  plain->node[p] = plain_scope(&plain->tree, p);
  plain->highest[p] =
      (int16_t)plain_highest(plain->tree.points.metric, pair(plain, p, plain->node[p]));
  if (plain->highest[p] == LEVEL_DUPLICATE) {
    settle(plain, p, LEVEL_DUPLICATE);
  }
}

/* Buckets without room hand their points to the batch, until all that are asked have room. */
static void admit(struct plain *plain) {
  const local_index count = plain->tree.points.count;
  for (int changed = 1; changed;) {
    uint8_t handed[MOST] = {0};
    changed = 0;
    for (local_index node = 0; node < count; node++) {
      plain->outgrown[node] =
          plain->outgrown[node] || plain->held[node] + pending(plain, node) > plain->capacity;
    }
    for (local_index p = 0; p < count; p++) {
      handed[p] = plain->level[p] == LEVEL_BUCKET && plain->parent[p] >= 0 &&
                  plain->outgrown[plain->parent[p]];
      if (handed[p]) {
        plain->held[plain->parent[p]]--;
        plain->parent[p] = -1;
      }
    }
    for (local_index p = 0; p < count; p++) {
      if (handed[p]) {
        enter(plain, p);
        changed = 1;
      }
    }
  }
  for (local_index p = 0; p < count; p++) {
    if (plain->waiting[p] && !plain->outgrown[plain->node[p]]) {
      settle(plain, p, LEVEL_BUCKET);
    }
  }
}

/* Directed pairs of waiting points within the smaller of both radii. */
static int64_t count_pairs(const struct plain *plain, int64_t *waiting) {
  const local_index count = plain->tree.points.count;
  int64_t pairs = 0;
  *waiting = 0;
  for (local_index p = 0; p < count; p++) {
    *waiting += plain->waiting[p];
    for (local_index q = 0; q < count && plain->waiting[p]; q++) {
      const int level =
          plain->highest[p] < plain->highest[q] ? plain->highest[p] : plain->highest[q];
      pairs += q != p && plain->waiting[q] &&
               pair(plain, p, q) <= plain_radius(plain->tree.points.metric, level);
    }
  }
  return pairs;
}

/* The later half of the waiting points moves on. */
static void halve(struct plain *plain, int64_t waiting) {
  int64_t seen = 0;
  plain->halved++;
  for (local_index i = 0; i < plain->tree.points.count; i++) {
    const local_index p = plain->order[i];
    if (plain->waiting[p] && seen++ >= (waiting + 1) / 2) {
      plain->waiting[p] = 0;
      plain->moved[plain->moved_count++] = p;
    }
  }
}

/* What waits below a node that is new or has lost points at this level stays there if there is room for all of
 * it. */
static void close_nodes(struct plain *plain) {
  for (local_index node = 0; node < plain->tree.points.count; node++) {
    if (plain->changed[node] && pending(plain, node) <= plain->capacity) {
      plain->closed[node] = 1;
    }
    plain->changed[node] = 0;
  }
}

static int is_open(const struct plain *plain, local_index p) {
  return plain->waiting[p] && !plain->closed[plain->node[p]];
}

static int is_any_open(const struct plain *plain) {
  int any = 0;
  for (local_index p = 0; p < plain->tree.points.count; p++) {
    any = any || is_open(plain, p);
  }
  return any;
}

/* One level: the independent set in insertion order, then everything in conflict with it sinks below the nearest
 * of it. */
static void insert_level(struct plain *plain, int level) {
  const struct metric *metric = plain->tree.points.metric;
  const local_index count = plain->tree.points.count;
  local_index winner[MOST];
  local_index winners = 0;
  for (local_index i = 0; i < count; i++) {
    const local_index p = plain->order[i];
    int free = is_open(plain, p) && plain->highest[p] == level;
    for (local_index w = 0; w < winners && free; w++) {
      free = pair(plain, p, winner[w]) > plain_radius(metric, level);
    }
    if (free) {
      winner[winners++] = p;
    }
  }
  for (local_index w = 0; w < winners; w++) {
    const local_index p = winner[w];
    plain->parent[p] = plain->node[p];
    plain->level[p] = (int16_t)level;
    plain->waiting[p] = 0;
    plain->changed[p] = 1;
    plain->changed[plain->node[p]] = 1;
  }
  for (local_index p = 0; p < count; p++) {
    local_index best = -1;
    const int reach = plain->highest[p] < level ? plain->highest[p] : level;
    for (local_index w = 0; w < winners && is_open(plain, p); w++) {
      const double value = pair(plain, p, winner[w]);
      if (value <= plain_radius(metric, reach) && (best < 0 || value < pair(plain, p, best))) {
        best = winner[w];
      }
    }
    if (best >= 0) {
      plain->changed[plain->node[p]] = 1;
      plain->node[p] = best;
      plain->highest[p] = (int16_t)plain_highest(metric, pair(plain, p, best));
      if (plain->highest[p] == LEVEL_DUPLICATE) {
        settle(plain, p, LEVEL_DUPLICATE);
      }
    }
  }
  close_nodes(plain);
}

static void plain_batch(struct plain *plain, const local_index *points, local_index count) {
  const local_index total = plain->tree.points.count;
  int64_t waiting;
  memset(plain->outgrown, 0, sizeof plain->outgrown);
  memset(plain->closed, 0, sizeof plain->closed);
  plain->moved_count = 0;
  for (local_index i = 0; i < count; i++) {
    enter(plain, points[i]);
  }
  admit(plain);
  int64_t pairs = count_pairs(plain, &waiting);
  while (pairs > plain->budget && waiting > 1) {
    halve(plain, waiting);
    pairs = count_pairs(plain, &waiting);
  }
  plain->pairs_per_point = waiting > 0 ? (double)pairs / (double)waiting : plain->pairs_per_point;
  int highest = LEVEL_MIN - 1;
  for (local_index p = 0; p < total; p++) {
    highest = plain->waiting[p] && plain->highest[p] > highest ? plain->highest[p] : highest;
  }
  for (int level = highest; level >= LEVEL_MIN && is_any_open(plain); level--) {
    insert_level(plain, level);
  }
  for (local_index p = 0; p < total; p++) {
    if (plain->waiting[p]) {
      settle(plain, p, LEVEL_BUCKET);
    }
  }
}

/* Prefix-doubling batches: sizes and capacities as the builder documents them. */
static void plain_build(struct plain *plain, const struct tree_points *points, int64_t budget) {
  const int64_t count = points->count;
  const int64_t leaf = points->leaf_size;
  int highest = LEVEL_MIN;
  memset(plain, 0, sizeof *plain);
  plain->tree.points = *points;
  plain->tree.parent = plain->parent;
  plain->tree.level = plain->level;
  plain->budget = budget;
  for (local_index p = 0; p < count; p++) {
    local_index at = p;
    plain->parent[p] = -1;
    plain->level[p] = LEVEL_BUCKET;
    for (; at > 0 && plain_before(&plain->tree, p, plain->order[at - 1]); at--) {
      plain->order[at] = plain->order[at - 1];
    }
    plain->order[at] = p;
  }
  plain->tree.root = plain->order[0];
  plain->level[plain->tree.root] = LEVEL_MAX;
  for (int64_t seen = 1; seen < count;) {
    const int all = leaf > 1 && seen * leaf >= 8 * count;
    int64_t size = all ? count - seen : seen;
    if (leaf == 1 && plain->pairs_per_point * (double)size > 0.7 * (double)budget) {
      size = (int64_t)(0.7 * (double)budget / plain->pairs_per_point) + 1;
    }
    size = size < count - seen ? size : count - seen;
    seen += size;
    plain->capacity =
        leaf == 1 ? 0 : (local_index)(seen >= count ? leaf : leaf * seen / (2 * count));
    plain_batch(plain, plain->order + seen - size, (local_index)size);
    while (plain->moved_count > 0) {
      local_index again[MOST];
      const local_index left = plain->moved_count;
      memcpy(again, plain->moved, sizeof again);
      plain_batch(plain, again, left);
    }
  }
  for (local_index p = 0; p < count; p++) {
    if (plain_is_node(&plain->tree, p) && p != plain->tree.root) {
      highest = plain->level[p] > highest ? plain->level[p] : highest;
    }
  }
  plain->level[plain->tree.root] = (int16_t)(highest > LEVEL_MIN ? highest + 1 : 0);
}

/* Builds both ways. Returns the nodes that the build inserted one by one. */
static int64_t compare(struct made *made, struct plain *plain, int64_t budget) {
  struct tree *tree = NULL;
  made->base.settings.pairs_budget = budget;
  assert_int_equal(tree_build(&made->base, &made->points, &tree), PCCT_OK);
  plain_build(plain, &made->points, budget);
  for (local_index p = 0; p < made->points.count; p++) {
    if (tree->level[p] != plain->level[p] || tree->parent[p] != plain->parent[p]) {
      print_message(
          "metric %d, dimension %d, leaf size %d, %d points, budget %ld, point %d: parent %d, "
          "level %d; plainly %d, %d\n",
          (int)made->metric.kind, made->metric.dimension, made->points.leaf_size,
          made->points.count, (long)budget, p, tree->parent[p], tree->level[p], plain->parent[p],
          plain->level[p]);
    }
    assert_int_equal(tree->parent[p], plain->parent[p]);
    assert_int_equal(tree->level[p], plain->level[p]);
  }
  assert_int_equal(tree->root, plain->tree.root);
  tree_destroy(&tree);
  return made->base.counters[COUNTER_single_insertions];
}

/* Every kind, metric and leaf size. */
static void test_builds(void **state) {
  (void)state;
  const int counts[] = {1, 2, 3, 65, MOST};
  const local_index leaf_sizes[] = {1, 4, 16};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int metric = 0; metric < 4; metric++) {
      for (int leaf = 0; leaf < 3; leaf++) {
        for (int c = 0; c < 5; c++) {
          struct made made;
          struct plain plain;
          make(&made, (enum points_made)kind, (enum metric_kind)metric, counts[c],
               1 + (metric + leaf + c + kind) % 3, leaf_sizes[leaf]);
          compare(&made, &plain, 6000000);
        }
      }
    }
  }
}

/* Batches of which the build inserts points one by one. */
static void test_degenerate(void **state) {
  (void)state;
  const local_index leaf_sizes[] = {1, 2, 4, 8, 16, 64};
  int64_t singles = 0;
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int metric = 0; metric < 4; metric++) {
      for (int leaf = 0; leaf < 6; leaf++) {
        struct made made;
        struct plain plain;
        make(&made, (enum points_made)kind, (enum metric_kind)metric, MOST, 1 + (metric + leaf) % 3,
             leaf_sizes[leaf]);
        make_late_cluster(&made);
        singles += compare(&made, &plain, 6000000);
      }
    }
  }
  assert_true(singles > 0);
}

/* A small pairs budget: later halves move on. */
static void test_halving(void **state) {
  (void)state;
  const enum points_made kinds[] = {MADE_UNIFORM, MADE_LATTICE, MADE_COLLINEAR, MADE_HUGE};
  int64_t halved = 0;
  for (int kind = 0; kind < 4; kind++) {
    for (int metric = 0; metric < 4; metric++) {
      for (local_index leaf = 1; leaf <= 8; leaf += 7) {
        for (int64_t budget = 1; budget <= 1000; budget *= 8) {
          struct made made;
          struct plain plain;
          make(&made, kinds[kind], (enum metric_kind)metric, 90, 2 + metric % 2, leaf);
          const int64_t singles = compare(&made, &plain, budget);
          assert_int_equal(singles, 0);
          halved += plain.halved;
        }
      }
    }
  }
  assert_true(halved > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scopes),
      cmocka_unit_test(test_builds),
      cmocka_unit_test(test_degenerate),
      cmocka_unit_test(test_halving),
  };
  return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
