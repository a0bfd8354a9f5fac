/* The invariant checker. */
#include "tree/check.h"

#include "base/sort.h"

#include <string.h>

static long long name(const struct tree *tree, local_index p) {
  return p < 0 || p >= tree->points.count ? -1 : (long long)tree->points.position[p];
}

static double value_of(const struct tree *tree, local_index a, local_index b) {
  const int d = tree->points.dimension;
  return metric_square(d, tree->points.coordinates + (int64_t)a * d,
                       tree->points.coordinates + (int64_t)b * d);
}

/* Root, parents, levels, covering, duplicates. Levels that sink from parent to child leave no cycles, so
 * with one root every point is reached. */
static pcct_status check_links(struct base *base, const struct tree *tree) {
  const int d = tree->points.dimension;
  int64_t roots = 0;
  int64_t nodes = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    const local_index parent = tree->parent[p];
    if (parent < 0) {
      roots++;
      nodes++;
      continue;
    }
    if (parent >= tree->points.count || tree->level[parent] == LEVEL_DUPLICATE) {
      return base_fail(base, PCCT_DIFFERENT, "the parent of position %lld is not a node",
                       name(tree, p));
    }
    if (tree->level[p] == LEVEL_DUPLICATE) {
      if (memcmp(tree->points.coordinates + (int64_t)p * d,
                 tree->points.coordinates + (int64_t)parent * d, (size_t)d * sizeof(double)) != 0) {
        return base_fail(
            base, PCCT_DIFFERENT,
            "position %lld is in the duplicate bucket of position %lld but lies elsewhere",
            name(tree, p), name(tree, parent));
      }
      continue;
    }
    nodes++;
    if (tree->level[p] >= tree->level[parent]) {
      return base_fail(base, PCCT_DIFFERENT,
                       "position %lld has level %d, not below level %d of its parent %lld",
                       name(tree, p), tree->level[p], tree->level[parent], name(tree, parent));
    }
    if (value_of(tree, p, parent) > metric_level_value(METRIC_EUCLIDEAN, tree->level[p] + 1)) {
      return base_fail(
          base, PCCT_DIFFERENT,
          "covering: position %lld of level %d is farther than 2^%d from its parent %lld",
          name(tree, p), tree->level[p], tree->level[p] + 1, name(tree, parent));
    }
  }
  if (tree->points.count > 0 && roots != 1) {
    return base_fail(base, PCCT_DIFFERENT, "expected one root, found %lld", (long long)roots);
  }
  if (nodes != tree->nodes) {
    return base_fail(base, PCCT_DIFFERENT, "expected %lld nodes, found %lld",
                     (long long)tree->nodes, (long long)nodes);
  }
  return PCCT_OK;
}

/* Every node has a place of its own inside its parent's range, ranges nest, radii reach every descendant. */
static local_index find_bad_place(struct base *base, const struct tree *tree,
                                  const struct frame *frame) {
  const int d = frame->dimension;
  local_index bad = frame->count;
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(min                                                                                  \
              : bad) if (frame->count >= BASE_PARALLEL_MIN)
  for (local_index t = 0; t < frame->count; t++) {
    const local_index p = frame->point[t];
    const local_index parent = frame->parent[t];
    local_index at = t + 1;
    double highest = 0;
    int fine = p >= 0 && p < tree->points.count && frame->place[p] == t &&
               tree->level[p] != LEVEL_DUPLICATE && frame->end[t] > t &&
               frame->end[t] <= frame->count &&
               (parent < 0 ? tree->parent[p] < 0 && t == 0 && frame->end[t] == frame->count
                           : tree->parent[p] == frame->point[parent] && parent < t &&
                                 frame->end[t] <= frame->end[parent]) &&
               memcmp(frame->coordinates + (int64_t)t * d,
                      tree->points.coordinates + (int64_t)p * d, (size_t)d * sizeof(double)) == 0;
    for (; fine && at < frame->end[t]; at = frame->end[at]) {
      double radius = ldexp(1.0, tree->level[frame->point[at]]);
      fine = frame->parent[at] == t && frame->end[at] > at;
      highest = radius > highest ? radius : highest;
    }
    fine = fine && at == frame->end[t] && frame->child_radius[t] == highest;
    for (local_index u = t + 1; fine && u < frame->end[t]; u++) {
      fine = sqrt(metric_square(d, frame->coordinates + (int64_t)t * d,
                                frame->coordinates + (int64_t)u * d)) <= frame->radius[t];
    }
    bad = !fine && t < bad ? t : bad;
  }
  return bad;
}

/* The first node with another of at least its level within its radius; prunes by checked radii. */
static local_index find_unseparated(struct base *base, const struct tree *tree,
                                    const struct frame *frame, local_index *other) {
  const int d = frame->dimension;
  local_index bad = frame->count;
#pragma omp parallel for schedule(dynamic, 256) num_threads(base->threads)                         \
    reduction(min                                                                                  \
              : bad) if (frame->count >= BASE_PARALLEL_MIN)
  for (local_index t = 1; t < frame->count; t++) {
    const int level = tree->level[frame->point[t]];
    const double radius = ldexp(1.0, level);
    const double limit = metric_level_value(METRIC_EUCLIDEAN, level);
    local_index u = 0;
    while (u < frame->count && t < bad) {
      double value = metric_square(d, frame->coordinates + (int64_t)t * d,
                                   frame->coordinates + (int64_t)u * d);
      if (u != t && value <= limit && tree->level[frame->point[u]] >= level) {
        bad = t;
      }
      double reach = (radius + frame->radius[u]) * (1 + METRIC_SLACK);
      u = frame->child_radius[u] < radius || value > reach * reach * (1 + METRIC_SLACK)
              ? frame->end[u]
              : u + 1;
    }
  }
  *other = -1;
  for (local_index u = 0; bad < frame->count && u < frame->count && *other < 0; u++) {
    int level = tree->level[frame->point[bad]];
    if (u != bad && tree->level[frame->point[u]] >= level &&
        value_of(tree, frame->point[bad], frame->point[u]) <=
            metric_level_value(METRIC_EUCLIDEAN, level)) {
      *other = frame->point[u];
    }
  }
  return bad;
}

pcct_status tree_check(struct base *base, const struct tree *tree, const struct frame *frame) {
  pcct_status status = check_links(base, tree);
  if (status != PCCT_OK) {
    return status;
  }
  if (frame->count != tree->nodes) {
    return base_fail(base, PCCT_DIFFERENT, "the frame has %lld nodes, the tree %lld",
                     (long long)frame->count, (long long)tree->nodes);
  }
  local_index bad = find_bad_place(base, tree, frame);
  if (bad < frame->count) {
    return base_fail(base, PCCT_DIFFERENT,
                     "the frame is wrong at the node of position %lld: place, range or radius",
                     name(tree, frame->point[bad]));
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree->level[p] == LEVEL_DUPLICATE && frame->place[p] != frame->place[tree->parent[p]]) {
      return base_fail(base, PCCT_DIFFERENT, "position %lld has not the place of its node",
                       name(tree, p));
    }
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

/* Every child's box and positions enclose exactly what lies in its leaf or below its node. */
static int child_fine(const struct view *view, local_index node, int i, uint8_t *reached) {
  const int64_t at = (int64_t)node * VIEW_WIDTH + i;
  const local_index code = view->child[at];
  const int d = view->dimension;
  if (code == INT32_MIN) {
    return view->smallest[at] == INT64_MAX && view->largest[at] == -1;
  }
  if (code >= node || (code < 0 && ~code >= view->leaves)) {
    return 0;
  }
  if (code >= 0) {
    for (int c = 0; c < VIEW_WIDTH; c++) {
      const int64_t inner = (int64_t)code * VIEW_WIDTH + c;
      if (view->child[inner] == INT32_MIN) {
        continue;
      }
      int fine =
          view->smallest[inner] >= view->smallest[at] && view->largest[inner] <= view->largest[at];
      for (int j = 0; j < d; j++) {
        fine = fine && view_box(view, code, j)[c] >= view_box(view, node, j)[i] &&
               view_box(view, code, j)[VIEW_WIDTH + c] <= view_box(view, node, j)[VIEW_WIDTH + i];
      }
      if (!fine) {
        return 0;
      }
    }
    return ++reached[code] == 1;
  }
  for (local_index p = 0; p < view->leaf_points[~code]; p++) {
    const int64_t block = view->leaf_block[~code] + p / VIEW_WIDTH;
    const int64_t position = view->position[block * VIEW_WIDTH + p % VIEW_WIDTH];
    int fine = position >= view->smallest[at] && position <= view->largest[at];
    for (int j = 0; j < d; j++) {
      double x = view->coordinates[(block * d + j) * VIEW_WIDTH + p % VIEW_WIDTH];
      fine =
          fine && x >= view_box(view, node, j)[i] && x <= view_box(view, node, j)[VIEW_WIDTH + i];
    }
    if (!fine) {
      return 0;
    }
  }
  return ++reached[view->nodes + ~code] == 1;
}

/* Points of the view against points of the tree, both sorted by position. */
static pcct_status check_points(struct base *base, const struct tree *tree,
                                const struct view *view) {
  const int d = view->dimension;
  const local_index count = tree->points.count;
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
  for (local_index p = 0; p < count && status == PCCT_OK; p++) {
    own[p] = (struct sort_pair){(uint64_t)tree->points.position[p], (uint64_t)p};
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

pcct_status view_check(struct base *base, const struct tree *tree, const struct view *view) {
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
  return status == PCCT_OK ? check_points(base, tree, view) : status;
}
