/* The invariant checker. */
#include "tree/check.h"

#include "base/sort.h"

#include <string.h>

static long long name(const struct tree *tree, local_index p) {
  return p < 0 || p >= tree->points.count ? -1 : (long long)tree->points.position[p];
}

static double value_of(const struct tree *tree, local_index a, local_index b) {
  const struct metric *metric = tree->points.metric;
  return metric_value(metric, tree->points.coordinates + (int64_t)a * metric->dimension,
                      tree->points.coordinates + (int64_t)b * metric->dimension);
}

/* Plain square root or the value itself: nothing of what the builder uses. */
static double distance_of(const struct metric *metric, const double *a, const double *b) {
  const double value = metric_value(metric, a, b);
  return metric->kind == METRIC_EUCLIDEAN ? sqrt(value) : value;
}

/* A point that is no node: where it says it lies, it lies. */
static pcct_status check_held(struct base *base, const struct tree *tree, local_index p) {
  const struct metric *metric = tree->points.metric;
  const local_index parent = tree->parent[p];
  if (tree->level[p] == LEVEL_DUPLICATE &&
      memcmp(tree->points.coordinates + (int64_t)p * metric->dimension,
             tree->points.coordinates + (int64_t)parent * metric->dimension,
             (size_t)metric->dimension * sizeof(double)) != 0) {
    return base_fail(base, PCCT_DIFFERENT,
                     "position %lld is in the duplicate bucket of position %lld but lies elsewhere",
                     name(tree, p), name(tree, parent));
  }
  if (tree->level[p] == LEVEL_BUCKET && tree->leaf_size <= 1) {
    return base_fail(base, PCCT_DIFFERENT,
                     "position %lld lies in a bucket, but the leaf size allows none",
                     name(tree, p));
  }
  if (tree->level[p] == LEVEL_BUCKET && parent != tree->root &&
      value_of(tree, p, parent) > metric_level_value(metric->kind, tree->level[parent])) {
    return base_fail(base, PCCT_DIFFERENT,
                     "position %lld is farther than 2^%d from position %lld, whose bucket holds it",
                     name(tree, p), tree->level[parent], name(tree, parent));
  }
  return PCCT_OK;
}

static pcct_status check_node(struct base *base, const struct tree *tree, local_index p) {
  const local_index parent = tree->parent[p];
  if (tree->level[p] >= tree->level[parent]) {
    return base_fail(base, PCCT_DIFFERENT,
                     "position %lld has level %d, not below level %d of its parent %lld",
                     name(tree, p), tree->level[p], tree->level[parent], name(tree, parent));
  }
  if (value_of(tree, p, parent) >
      metric_level_value(tree->points.metric->kind, tree->level[p] + 1)) {
    return base_fail(
        base, PCCT_DIFFERENT,
        "covering: position %lld of level %d is farther than 2^%d from its parent %lld",
        name(tree, p), tree->level[p], tree->level[p] + 1, name(tree, parent));
  }
  return PCCT_OK;
}

/* Root, parents, levels, covering, duplicates, buckets. Levels that sink from parent to child leave no
 * cycles, so with one root every point is reached. */
static pcct_status check_links(struct base *base, const struct tree *tree) {
  int64_t roots = 0;
  int64_t nodes = 0;
  int64_t unlinked = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    const local_index parent = tree->parent[p];
    pcct_status status = PCCT_OK;
    if (parent < 0) {
      roots += tree_is_node(tree, p);
      nodes += tree_is_node(tree, p);
      unlinked += !tree_is_node(tree, p);
      continue;
    }
    if (parent >= tree->points.count || !tree_is_node(tree, parent)) {
      return base_fail(base, PCCT_DIFFERENT, "the parent of position %lld is not a node",
                       name(tree, p));
    }
    status = tree_is_node(tree, p) ? check_node(base, tree, p) : check_held(base, tree, p);
    nodes += tree_is_node(tree, p);
    if (status != PCCT_OK) {
      return status;
    }
  }
  if (tree->points.count > unlinked && roots != 1) {
    return base_fail(base, PCCT_DIFFERENT, "expected one root, found %lld", (long long)roots);
  }
  if (nodes != tree->nodes) {
    return base_fail(base, PCCT_DIFFERENT, "expected %lld nodes, found %lld",
                     (long long)tree->nodes, (long long)nodes);
  }
  return PCCT_OK;
}

/* Whether a node's place, range, child radius and radius are right. */
static int place_fine(const struct tree *tree, const struct frame *frame, local_index t) {
  const struct metric *metric = frame->metric;
  const struct frame_node *node = &frame->node[t];
  const int d = metric->dimension;
  const double *centre = frame->coordinates + (int64_t)t * d;
  const local_index p = frame->point[t];
  local_index at = t + 1;
  double highest = 0;
  int fine = frame->place[p] == t && node->end > t && node->end <= frame->count &&
             (node->parent < 0 ? p == tree->root : tree->parent[p] == frame->point[node->parent]);
  for (; fine && at < node->end; at = frame->node[at].end) {
    const double radius = ldexp(1.0, tree->level[frame->point[at]]);
    fine = frame->node[at].parent == t && frame->node[at].end > at;
    highest = radius > highest ? radius : highest;
  }
  fine = fine && at == node->end && node->child_radius == highest;
  for (local_index u = t + 1; fine && u < node->end; u++) {
    fine = distance_of(metric, centre, frame->coordinates + (int64_t)u * d) <= node->radius;
  }
  for (local_index i = frame->first[t]; fine && i < frame->first[node->end]; i++) {
    const local_index q = frame->member[i];
    fine = distance_of(metric, centre, tree->points.coordinates + (int64_t)q * d) <= node->radius;
  }
  return fine;
}

/* The first node whose place is wrong. */
static local_index find_bad_place(struct base *base, const struct tree *tree,
                                  const struct frame *frame) {
  local_index bad = frame->count;
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(min                                                                                  \
              : bad) if (tree->points.count >= BASE_PARALLEL_MIN)
  for (local_index t = 0; t < frame->count; t++) {
    bad = t < bad && !place_fine(tree, frame, t) ? t : bad;
  }
  return bad;
}

/* Every point of the tree is listed once, with its node, the node first. (Points that no batch has reached yet
 * have no link.) */
static pcct_status check_members(struct base *base, const struct tree *tree,
                                 const struct frame *frame) {
  local_index listed = 0;
  local_index linked = 0;
  for (local_index t = 0; t < frame->count; t++) {
    for (local_index i = frame->first[t]; i < frame->first[t + 1]; i++, listed++) {
      const local_index p = frame->member[i];
      const int own = i == frame->first[t];
      if (i != listed || p < 0 || p >= tree->points.count || frame->place[p] != t ||
          (own ? p != frame->point[t]
               : tree_is_node(tree, p) || tree->parent[p] != frame->point[t] ||
                     (i > frame->first[t] + 1 && frame->member[i - 1] >= p))) {
        return base_fail(base, PCCT_DIFFERENT,
                         "the list of points at the node of position %lld is wrong",
                         name(tree, frame->point[t]));
      }
    }
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    linked += tree->parent[p] >= 0 || tree_is_node(tree, p);
  }
  if (listed != linked) {
    return base_fail(base, PCCT_DIFFERENT, "the frame lists %lld points, the tree has %lld",
                     (long long)listed, (long long)linked);
  }
  return PCCT_OK;
}

/* The first node with another of at least its level within its radius; prunes by checked radii. */
static local_index find_unseparated(struct base *base, const struct tree *tree,
                                    const struct frame *frame, local_index *other) {
  const struct metric *metric = frame->metric;
  const int d = metric->dimension;
  local_index bad = frame->count;
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(min                                                                                  \
              : bad) if (frame->count >= BASE_PARALLEL_MIN)
  for (local_index t = 1; t < frame->count; t++) {
    const int level = tree->level[frame->point[t]];
    const double radius = ldexp(1.0, level);
    const double limit = metric_level_value(metric->kind, level);
    local_index u = 0;
    while (u < frame->count && t < bad) {
      const double value = metric_value(metric, frame->coordinates + (int64_t)t * d,
                                        frame->coordinates + (int64_t)u * d);
      const double distance = metric->kind == METRIC_EUCLIDEAN ? sqrt(value) : value;
      if (u != t && value <= limit && tree->level[frame->point[u]] >= level) {
        bad = t;
      }
      u = frame->node[u].child_radius < radius ||
                  distance > (radius + frame->node[u].radius) * (1 + METRIC_SLACK)
              ? frame->node[u].end
              : u + 1;
    }
  }
  *other = -1;
  for (local_index u = 0; bad < frame->count && u < frame->count && *other < 0; u++) {
    const int level = tree->level[frame->point[bad]];
    if (u != bad && tree->level[frame->point[u]] >= level &&
        value_of(tree, frame->point[bad], frame->point[u]) <=
            metric_level_value(metric->kind, level)) {
      *other = frame->point[u];
    }
  }
  return bad;
}

pcct_status tree_check(struct base *base, const struct tree *tree, const struct frame *frame) {
  pcct_status status = check_links(base, tree);
  if (status == PCCT_OK && frame->count != tree->nodes) {
    status = base_fail(base, PCCT_DIFFERENT, "the frame has %lld nodes, the tree %lld",
                       (long long)frame->count, (long long)tree->nodes);
  }
  if (status == PCCT_OK) {
    status = check_members(base, tree, frame);
  }
  if (status != PCCT_OK) {
    return status;
  }
  local_index bad = find_bad_place(base, tree, frame);
  if (bad < frame->count) {
    return base_fail(base, PCCT_DIFFERENT,
                     "the frame is wrong at the node of position %lld: place, range or radius",
                     name(tree, frame->point[bad]));
  }
  local_index other = -1;
  bad = find_unseparated(base, tree, frame, &other);
  if (bad < frame->count) {
    int level = tree->level[frame->point[bad]];
    return base_fail(
        base, PCCT_DIFFERENT,
        "separation: positions %lld and %lld, both of level %d or more, are within 2^%d",
        name(tree, frame->point[bad]), name(tree, other), level, level);
  }
  return PCCT_OK;
}

/* Whether a point lies within a child's bounds. */
static int within(const struct view *view, local_index node, int i, const double *point) {
  const int d = view->dimension;
  const int64_t at = (int64_t)node * VIEW_WIDTH + i;
  if (view->metric.kind == METRIC_USER) {
    return distance_of(&view->metric, view->centre + at * d, point) <= view->radius[at];
  }
  int fine = 1;
  for (int j = 0; j < d; j++) {
    fine = fine && point[j] >= view_box(view, node, j)[i] &&
           point[j] <= view_box(view, node, j)[VIEW_WIDTH + i];
  }
  return fine;
}

/* Whether all points below `code` lie within the bounds of a child above it. */
static int encloses(const struct view *view, local_index node, int i, local_index code) {
  const int64_t at = (int64_t)node * VIEW_WIDTH + i;
  double point[64];
  int fine = 1;
  if (code >= 0) {
    for (int c = 0; c < VIEW_WIDTH && fine; c++) {
      const local_index inner = view->child[(int64_t)code * VIEW_WIDTH + c];
      fine = inner == INT32_MIN || (inner < code && encloses(view, node, i, inner));
    }
    return fine;
  }
  for (local_index p = 0; p < view->leaf_points[~code] && fine; p++) {
    const int64_t block = view->leaf_block[~code] + p / VIEW_WIDTH;
    const int64_t position = view->position[block * VIEW_WIDTH + p % VIEW_WIDTH];
    for (int j = 0; j < view->dimension; j++) {
      point[j] = view->coordinates[(block * view->dimension + j) * VIEW_WIDTH + p % VIEW_WIDTH];
    }
    fine = position >= view->smallest[at] && position <= view->largest[at] &&
           within(view, node, i, point);
  }
  return fine;
}

/* Every child's bounds and positions enclose what lies in its leaf or below its node. */
static int child_fine(const struct view *view, local_index node, int i, uint8_t *reached) {
  const int64_t at = (int64_t)node * VIEW_WIDTH + i;
  const local_index code = view->child[at];
  if (code == INT32_MIN) {
    return view->smallest[at] == INT64_MAX && view->largest[at] == -1;
  }
  if (code >= node || (code < 0 && ~code >= view->leaves)) {
    return 0;
  }
  return ++reached[code >= 0 ? code : view->nodes + ~code] == 1 && encloses(view, node, i, code);
}

/* Points of the view against points of the tree, both sorted by position. */
static pcct_status check_points(struct base *base, const struct tree *tree, int64_t limit,
                                const struct view *view) {
  const int d = view->dimension;
  local_index count = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    count += tree->points.position[p] < limit;
  }
  struct sort_pair *own = base_allocate(base, count, sizeof *own);
  struct sort_pair *seen = base_allocate(base, count, sizeof *seen);
  int64_t found = 0;
  pcct_status status = own && seen ? PCCT_OK : PCCT_MEMORY;
  for (local_index leaf = 0; leaf < view->leaves && status == PCCT_OK; leaf++) {
    for (local_index i = 0; i < view->leaf_points[leaf]; i++) {
      uint64_t slot = (uint64_t)view->leaf_block[leaf] * VIEW_WIDTH + (uint64_t)i;
      if (found == count || (i > 0 && view->position[slot] <= view->position[slot - 1])) {
        status = base_fail(base, PCCT_DIFFERENT,
                           "leaf %lld is not ascending or holds too many points", (long long)leaf);
        break;
      }
      seen[found++] = (struct sort_pair){(uint64_t)view->position[slot], slot};
    }
  }
  for (local_index p = 0, to = 0; p < tree->points.count && status == PCCT_OK; p++) {
    if (tree->points.position[p] < limit) {
      own[to++] = (struct sort_pair){(uint64_t)tree->points.position[p], (uint64_t)p};
    }
  }
  if (status == PCCT_OK && found != count) {
    status = base_fail(base, PCCT_DIFFERENT, "the view holds %lld points, the tree %lld",
                       (long long)found, (long long)count);
  }
  if (status == PCCT_OK) {
    status = sort_pairs(base, own, count);
  }
  if (status == PCCT_OK) {
    status = sort_pairs(base, seen, count);
  }
  for (local_index i = 0; i < count && status == PCCT_OK; i++) {
    const int64_t block = (int64_t)(seen[i].value / VIEW_WIDTH);
    int fine = own[i].key == seen[i].key;
    for (int j = 0; j < d && fine; j++) {
      fine =
          tree->points.coordinates[(int64_t)own[i].value * d + j] ==
          view->coordinates[(block * d + j) * VIEW_WIDTH + (int64_t)(seen[i].value % VIEW_WIDTH)];
    }
    if (!fine) {
      status = base_fail(base, PCCT_DIFFERENT, "position %lld differs between tree and view",
                         (long long)own[i].key);
    }
  }
  base_free(own);
  base_free(seen);
  return status;
}

pcct_status view_check(struct base *base, const struct tree *tree, int64_t limit,
                       const struct view *view) {
  uint8_t *reached = base_allocate_zero(base, (int64_t)view->nodes + view->leaves, 1);
  pcct_status status = reached ? PCCT_OK : PCCT_MEMORY;
  for (local_index node = 0; node < view->nodes && status == PCCT_OK; node++) {
    for (int i = 0; i < VIEW_WIDTH && status == PCCT_OK; i++) {
      if (!child_fine(view, node, i, reached)) {
        status = base_fail(base, PCCT_DIFFERENT, "child %d of view node %lld is wrong", i,
                           (long long)node);
      }
    }
  }
  if (status == PCCT_OK && view->points > 0) {
    reached[view->root >= 0 ? view->root : view->nodes + ~view->root]++;
  }
  for (int64_t i = 0; i < (int64_t)view->nodes + view->leaves && status == PCCT_OK; i++) {
    if (reached[i] != 1) {
      status = base_fail(base, PCCT_DIFFERENT, "view node or leaf %lld is reached %d times",
                         (long long)i, reached[i]);
    }
  }
  base_free(reached);
  return status == PCCT_OK ? check_points(base, tree, limit, view) : status;
}
