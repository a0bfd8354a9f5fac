/* threads: 1 2 */
/*
 * Deletion from trees: exactly the links of a plain implementation that promotes one level at a time, whatever the
 * threads, the conflict-graph builder and the pairs budget; points of buckets are inserted again.
 */
#include "test_tree_plain.h"
#include "tree/check.h"
#include "tree/delete.h"

struct made {
  struct base base;
  struct metric metric;
  struct tree_points points;
  struct tree *tree;
  double *coordinates;
  int64_t *position;
  uint64_t *priority;
};

static void make(struct made *made, enum points_made kind, enum metric_kind metric, int count,
                 int dimension, local_index leaf_size, int threads) {
  memset(made, 0, sizeof *made);
  base_init(&made->base, threads);
  made->metric = plain_metric(metric, dimension);
  made->coordinates = calloc((size_t)(count * dimension) + 1, sizeof(double));
  made->position = calloc((size_t)count + 1, sizeof(int64_t));
  made->priority = calloc((size_t)count + 1, sizeof(uint64_t));
  for (int p = 0; p < count; p++) {
    made_point(kind, p, dimension, made->coordinates + p * dimension);
    made->position[p] = p;
    made->priority[p] = random_bits(5, RANDOM_INSERTION, (uint64_t)p) >> 60 << 60; /* ties */
  }
  made->points = (struct tree_points){count,          &made->metric,  made->coordinates,
                                      made->position, made->priority, leaf_size};
  assert_int_equal(tree_build(&made->base, &made->points, &made->tree), PCCT_OK);
}

static void clear(struct made *made) {
  tree_destroy(&made->tree);
  free(made->coordinates);
  free(made->position);
  free(made->priority);
}

enum pattern { EVERY_OTHER, TOP_LEVELS, ROOT, INNER, MOST, PATTERNS };

/* Points to remove. Returns how many. */
static local_index choose(const struct tree *tree, enum pattern pattern, local_index *remove) {
  local_index count = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    int is_parent = 0;
    for (local_index q = 0; pattern == INNER && q < tree->points.count; q++) {
      is_parent = is_parent || (tree->parent[q] == p && plain_is_node(tree, q));
    }
    const int root = p == tree->root;
    const int top = plain_is_node(tree, p) && tree->level[p] >= tree->level[tree->root] - 3;
    const uint64_t draw = random_bits(8, RANDOM_SAMPLE, (uint64_t)p) % 8;
    if ((pattern == EVERY_OTHER && p % 2) || (pattern == TOP_LEVELS && top) ||
        (pattern == ROOT && root) || (pattern == INNER && is_parent && draw > 0) ||
        (pattern == MOST && draw > 1)) {
      remove[count++] = p;
    }
  }
  return count;
}

/* What deletion should do to the links of a tree without buckets, one level at a time. */
struct plain {
  const struct tree *tree; /* before */
  local_index count;
  uint8_t *removed;
  uint8_t *orphan; /* without parent so far */
  local_index *parent;
  int *level;
  local_index root;
};

static int plain_remains(const struct plain *plain, local_index p) {
  return !plain->removed[p] && plain->level[p] > LEVEL_BUCKET;
}

/* The first duplicate of a removed node takes its place. */
static void plain_inherit(struct plain *plain) {
  for (local_index node = 0; node < plain->count; node++) {
    local_index heir = -1;
    for (local_index p = 0; p < plain->count; p++) {
      if (plain->removed[node] && !plain->removed[p] && plain->parent[p] == node &&
          plain->level[p] == LEVEL_DUPLICATE && (heir < 0 || plain_before(plain->tree, p, heir))) {
        heir = p;
      }
    }
    if (heir >= 0) {
      plain->level[heir] = plain->level[node];
      plain->parent[heir] = plain->parent[node];
      plain->root = plain->root == node ? heir : plain->root;
      plain->level[node] = LEVEL_BUCKET;
      plain->parent[node] = -1;
      for (local_index p = 0; p < plain->count; p++) {
        plain->parent[p] = plain->parent[p] == node ? heir : plain->parent[p];
      }
    }
  }
}

/* The nearest node of at least `level` within 2^level. */
static local_index plain_cover(const struct plain *plain, local_index p, int level) {
  local_index best = -1;
  for (local_index q = 0; q < plain->count; q++) {
    const double value = plain_pair(plain->tree, p, q);
    if (q != p && plain_remains(plain, q) && (q == plain->root || plain->level[q] >= level) &&
        value <= plain_radius(plain->tree->points.metric, level) &&
        (best < 0 || value < plain_pair(plain->tree, p, best) ||
         (value == plain_pair(plain->tree, p, best) && plain_before(plain->tree, q, best)))) {
      best = q;
    }
  }
  return best;
}

/* The first orphan of a level in insertion order after another. */
static local_index plain_next(const struct plain *plain, const local_index *active,
                              local_index count, local_index after) {
  local_index best = -1;
  for (local_index i = 0; i < count; i++) {
    const local_index p = active[i];
    if ((after < 0 || plain_before(plain->tree, after, p)) &&
        (best < 0 || plain_before(plain->tree, p, best))) {
      best = p;
    }
  }
  return best;
}

/* One level: covers, then promotion in insertion order. */
static void plain_promote(struct plain *plain, int level) {
  local_index *active = calloc((size_t)plain->count + 1, sizeof *active);
  local_index *winner = calloc((size_t)plain->count + 1, sizeof *winner);
  local_index count = 0;
  local_index winners = 0;
  for (local_index p = 0; p < plain->count; p++) {
    if (plain->orphan[p] && plain->level[p] == level - 1) {
      const local_index cover = plain_cover(plain, p, level);
      if (cover >= 0) {
        plain->parent[p] = cover;
        plain->orphan[p] = 0;
      } else {
        active[count++] = p;
      }
    }
  }
  for (local_index p = plain_next(plain, active, count, -1); p >= 0;
       p = plain_next(plain, active, count, p)) {
    local_index best = -1;
    for (local_index w = 0; w < winners; w++) {
      const double value = plain_pair(plain->tree, p, winner[w]);
      if (value <= plain_radius(plain->tree->points.metric, level) &&
          (best < 0 || value < plain_pair(plain->tree, p, best))) {
        best = winner[w];
      }
    }
    if (best >= 0) {
      plain->parent[p] = best;
      plain->orphan[p] = 0;
    } else {
      winner[winners++] = p;
    }
  }
  for (local_index w = 0; w < winners; w++) {
    plain->level[winner[w]] = level;
  }
  free(active);
  free(winner);
}

static void plain_finish(struct plain *plain) {
  int highest = LEVEL_MIN;
  int nodes = 0;
  for (local_index p = 0; p < plain->count; p++) {
    if (plain->removed[p]) {
      plain->parent[p] = -1;
      plain->level[p] = LEVEL_BUCKET;
    }
    if (p != plain->root && plain_remains(plain, p)) {
      highest = plain->level[p] > highest ? plain->level[p] : highest;
      nodes++;
    }
  }
  if (plain->root >= 0) {
    plain->level[plain->root] = nodes > 0 ? highest + 1 : 0;
  }
}

static void plain_delete(struct plain *plain) {
  local_index orphans = 0;
  plain_inherit(plain);
  for (local_index p = 0; p < plain->count; p++) {
    plain->orphan[p] =
        plain_remains(plain, p) && plain->parent[p] >= 0 && plain->removed[plain->parent[p]];
    plain->parent[p] = plain->orphan[p] ? -1 : plain->parent[p];
  }
  if (plain->root >= 0 && plain->removed[plain->root]) {
    plain->root = -1;
  }
  for (int level = LEVEL_MIN; level <= LEVEL_MAX; level++) {
    local_index last = -1;
    orphans = 0;
    for (local_index p = 0; p < plain->count; p++) {
      orphans += plain->orphan[p];
      last = plain->orphan[p] ? p : last;
    }
    if (orphans == 1 && plain->root < 0) {
      plain->root = last;
      plain->orphan[last] = 0;
      orphans = 0;
    }
    if (orphans == 0) {
      break;
    }
    plain_promote(plain, level);
  }
  assert_int_equal(orphans, 0);
  plain_finish(plain);
}

static void check_tree(struct made *made) {
  struct frame *frame = NULL;
  assert_int_equal(frame_create_whole(&made->base, made->tree, &frame), PCCT_OK);
  assert_int_equal(tree_check(&made->base, made->tree, frame), PCCT_OK);
  frame_destroy(&frame);
  plain_check_invariants(made->tree);
}

static void compare_plainly(struct made *made, enum pattern pattern) {
  const struct tree *tree = made->tree;
  const size_t count = (size_t)made->points.count;
  local_index *remove = calloc(count + 1, sizeof *remove);
  const local_index removed = choose(tree, pattern, remove);
  struct plain plain = {.tree = tree,
                        .count = made->points.count,
                        .removed = calloc(count + 1, 1),
                        .orphan = calloc(count + 1, 1),
                        .parent = calloc(count + 1, sizeof(local_index)),
                        .level = calloc(count + 1, sizeof(int)),
                        .root = tree->root};
  local_index nodes = 0;
  for (local_index p = 0; p < made->points.count; p++) {
    plain.parent[p] = tree->parent[p];
    plain.level[p] = tree->level[p];
  }
  for (local_index i = 0; i < removed; i++) {
    plain.removed[remove[i]] = 1;
  }
  plain_delete(&plain);
  assert_int_equal(tree_delete(&made->base, &made->tree, remove, removed), PCCT_OK);
  check_tree(made);
  for (local_index p = 0; p < made->points.count; p++) {
    assert_int_equal(made->tree->parent[p], plain.parent[p]);
    assert_int_equal(made->tree->level[p], plain.level[p]);
    nodes += plain.level[p] > LEVEL_BUCKET;
  }
  assert_int_equal(made->tree->root, plain.root);
  assert_int_equal(made->tree->nodes, nodes);
  free(remove);
  free(plain.removed);
  free(plain.orphan);
  free(plain.parent);
  free(plain.level);
}

/* Every kind, metric and pattern, twice in a row. */
static void test_plainly(void **state) {
  (void)state;
  const int counts[] = {1, 2, 40, 150};
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int metric = 0; metric < 4; metric++) {
      for (int pattern = 0; pattern < PATTERNS; pattern++) {
        for (int c = 0; c < 4; c++) {
          struct made made;
          make(&made, (enum points_made)kind, (enum metric_kind)metric, counts[c],
               1 + (metric + pattern) % 3, 1, 0);
          compare_plainly(&made, (enum pattern)pattern);
          if (made.tree->nodes > 0 && pattern != EVERY_OTHER && pattern != MOST) {
            compare_plainly(&made, (enum pattern)pattern);
          }
          clear(&made);
        }
      }
    }
  }
}

/* The same links for any number of threads, builder and budget. */
static void test_settings_do_not_matter(void **state) {
  (void)state;
  enum { MANY = 12000 };
  const int builders[] = {SETTINGS_CONFLICT_AUTO, SETTINGS_CONFLICT_DENSE,
                          SETTINGS_CONFLICT_SEGMENTED, SETTINGS_CONFLICT_AUTO};
  const int64_t budgets[] = {6000000, 6000000, 6000000, 50};
  local_index *remove = calloc(MANY, sizeof *remove);
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
      const int many = kind == MADE_UNIFORM || kind == MADE_HUGE ? MANY : 1500;
      struct made made[4];
      if (pattern == INNER && many == MANY) {
        continue; /* the choice is quadratic */
      }
      for (int i = 0; i < 4; i++) {
        make(&made[i], (enum points_made)kind, METRIC_EUCLIDEAN, many, 2, 1, i == 1 ? 1 : 3);
        const local_index removed = choose(made[i].tree, (enum pattern)pattern, remove);
        made[i].base.settings.conflict_graph = builders[i];
        made[i].base.settings.pairs_budget = budgets[i];
        assert_int_equal(tree_delete(&made[i].base, &made[i].tree, remove, removed), PCCT_OK);
        assert_memory_equal(made[i].tree->parent, made[0].tree->parent,
                            (size_t)many * sizeof(local_index));
        assert_memory_equal(made[i].tree->level, made[0].tree->level,
                            (size_t)many * sizeof(int16_t));
      }
      for (int i = 0; i < 4; i++) {
        clear(&made[i]);
      }
    }
  }
  free(remove);
}

/* Trees with buckets keep all invariants, audited. */
static void test_buckets(void **state) {
  (void)state;
  const local_index leaf_sizes[] = {2, 5, 16, 0};
  local_index remove[400];
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int leaf = 0; leaf < 4; leaf++) {
      for (int pattern = 0; pattern < PATTERNS; pattern++) {
        struct made made;
        make(&made, (enum points_made)kind, (enum metric_kind)((kind + leaf + pattern) % 4), 400,
             1 + pattern % 3, leaf_sizes[leaf], 0);
        made.base.settings.profile = SETTINGS_PROFILE_AUDIT;
        local_index linked = 0;
        const local_index removed = choose(made.tree, (enum pattern)pattern, remove);
        assert_int_equal(tree_delete(&made.base, &made.tree, remove, removed), PCCT_OK);
        check_tree(&made);
        for (local_index p = 0; p < 400; p++) {
          linked += made.tree->parent[p] >= 0 || p == made.tree->root;
        }
        for (local_index i = 0; i < removed; i++) {
          assert_int_equal(made.tree->parent[remove[i]], -1);
          assert_int_equal(made.tree->level[remove[i]], LEVEL_BUCKET);
        }
        assert_int_equal(linked, 400 - removed);
        clear(&made);
      }
    }
  }
}

/* Kernel evaluations stay far from all pairs: half of the points go, or all of the top. */
static void test_work_bound(void **state) {
  (void)state;
  enum { MANY = 20000 };
  local_index *remove = calloc(MANY, sizeof *remove);
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int pattern = EVERY_OTHER; pattern <= ROOT; pattern++) {
      struct made made;
      make(&made, (enum points_made)kind, METRIC_EUCLIDEAN, MANY, 2, 1, 0);
      const local_index removed = choose(made.tree, (enum pattern)pattern, remove);
      made.base.counters[COUNTER_build_distances] = 0;
      assert_int_equal(tree_delete(&made.base, &made.tree, remove, removed), PCCT_OK);
      assert_true(made.base.counters[COUNTER_build_distances] < MANY * 150);
      clear(&made);
    }
  }
  free(remove);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plainly),
      cmocka_unit_test(test_settings_do_not_matter),
      cmocka_unit_test(test_buckets),
      cmocka_unit_test(test_work_bound),
  };
  return cmocka_run_group_tests_name("delete", tests, NULL, NULL);
}
