/* Taking points out of a tree: heirs, orphans, points of buckets. */
#include "tree/delete.h"

#include "tree/rebuild.h"

struct removal {
  struct base *base;
  struct tree *tree;
  uint8_t *removed;       /* [points] 1: the point goes */
  local_index *heir;      /* [points] the duplicate that takes a removed node's place, or -1 */
  local_index *loose;     /* [points] remaining points of the buckets of nodes that go, ascending */
  struct orphan *orphans; /* by place in the frame */
  local_index loose_count, orphan_count;
  local_index kept; /* points that remain */
};

/* Takes a point's links. */
static void unlink_point(struct tree *tree, local_index p) {
  tree->parent[p] = -1;
  tree->level[p] = LEVEL_BUCKET;
}

static int is_linked(const struct tree *tree, local_index p) {
  return tree->parent[p] >= 0 || p == tree->root;
}

/* The first remaining duplicate of every node that goes, by insertion order. Returns how many there are. */
static local_index find_heirs(struct removal *removal) {
  const struct tree *tree = removal->tree;
  local_index found = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    removal->heir[p] = -1;
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    const local_index node = tree->parent[p];
    if (tree->level[p] == LEVEL_DUPLICATE && !removal->removed[p] && removal->removed[node]) {
      local_index *heir = &removal->heir[node];
      found += *heir < 0;
      *heir = *heir < 0 || tree_before(tree, p, *heir) ? p : *heir;
    }
  }
  return found;
}

/* Heirs take the places of their nodes; what named the node as parent names the heir. */
static void install_heirs(struct removal *removal) {
  struct tree *tree = removal->tree;
  const local_index *heir = removal->heir;
  for (local_index i = 0; i < tree->nodes; i++) {
    const local_index node = tree->log[i];
    const local_index h = heir[node];
    if (h >= 0) {
      tree->parent[h] = tree->parent[node];
      tree->level[h] = tree->level[node];
      tree->root = tree->root == node ? h : tree->root;
      tree->log[i] = h;
      unlink_point(tree, node);
    }
  }
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree->parent[p] >= 0 && heir[tree->parent[p]] >= 0) {
      tree->parent[p] = heir[tree->parent[p]];
    }
  }
}

/* Counts the points that remain and lists those of the buckets of nodes that go. Returns the number of remaining
 * nodes whose parent goes. */
static local_index sort_out(struct removal *removal) {
  struct tree *tree = removal->tree;
  local_index orphans = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    const local_index parent = tree->parent[p];
    if (removal->removed[p] || parent < 0 || !removal->removed[parent]) {
      removal->kept += !removal->removed[p] && is_linked(tree, p);
    } else if (tree_is_node(tree, p)) {
      orphans++;
      removal->kept++;
    } else {
      removal->loose[removal->loose_count++] = p;
      removal->kept++;
    }
  }
  return orphans;
}

/* Lists the orphans by their places. */
static pcct_status list_orphans(struct removal *removal, const struct frame *frame,
                                local_index count) {
  const struct tree *tree = removal->tree;
  removal->orphans = base_allocate(removal->base, count, sizeof *removal->orphans);
  if (!removal->orphans) {
    return PCCT_MEMORY;
  }
  for (local_index t = 1; t < frame->count; t++) {
    const local_index p = frame->point[t];
    if (!removal->removed[p] && removal->removed[tree->parent[p]]) {
      removal->orphans[removal->orphan_count++] =
          (struct orphan){.point = p, .level = tree->level[p]};
    }
  }
  return PCCT_OK;
}

/* The frame of the nodes as they are, those that go included. */
static pcct_status freeze(struct removal *removal, struct frame **frame) {
  const struct tree *tree = removal->tree;
  local_index *members = base_allocate(removal->base, tree->nodes, sizeof *members);
  local_index count = 0;
  pcct_status status = PCCT_MEMORY;
  for (local_index p = 0; members && p < tree->points.count; p++) {
    if (tree_is_node(tree, p)) {
      members[count++] = p;
    }
  }
  if (members) {
    status = frame_create(removal->base, tree, count, members, frame);
  }
  base_free(members);
  return status;
}

/* Covers the children of nodes that go anew. */
static pcct_status recover(struct removal *removal, local_index orphans) {
  struct tree *tree = removal->tree;
  struct frame *frame = NULL;
  pcct_status status = freeze(removal, &frame);
  if (status == PCCT_OK) {
    status = list_orphans(removal, frame, orphans);
  }
  if (status == PCCT_OK) {
    tree->root = removal->removed[tree->root] ? -1 : tree->root;
    status = recover_orphans(removal->base, tree, frame, removal->removed, removal->orphans,
                             removal->orphan_count);
  }
  for (local_index i = 0; i < removal->orphan_count && status == PCCT_OK; i++) {
    if (removal->orphans[i].point == tree->root) {
      tree->parent[tree->root] = -1;
    }
  }
  frame_destroy(&frame);
  return status;
}

/* The root stands one level above all others. */
static void raise_root(struct tree *tree) {
  int highest = LEVEL_MIN;
  local_index nodes = 0;
  for (local_index p = 0; p < tree->points.count; p++) {
    if (tree_is_node(tree, p) && p != tree->root) {
      highest = tree->level[p] > highest ? tree->level[p] : highest;
      nodes++;
    }
  }
  tree->level[tree->root] = (int16_t)(nodes > 0 ? highest + 1 : 0);
}

/* The remaining links as a tree of its own, to which the loose points come as a batch. */
static pcct_status finish(struct removal *removal, struct tree **out) {
  struct tree *tree = removal->tree;
  for (local_index p = 0; p < tree->points.count; p++) {
    if (removal->removed[p]) {
      unlink_point(tree, p);
    }
  }
  for (local_index i = 0; i < removal->loose_count; i++) {
    unlink_point(tree, removal->loose[i]);
  }
  raise_root(tree);
  pcct_status status = tree_restore(removal->base, &tree->points, tree->parent, tree->level, out);
  if (status == PCCT_OK && removal->loose_count > 0) {
    status = tree_insert(removal->base, *out, removal->loose, removal->loose_count);
  }
  return status;
}

/* Builds the tree of the remaining points anew. */
static pcct_status start_over(struct removal *removal) {
  struct tree *tree = removal->tree;
  local_index *member = base_allocate(removal->base, removal->kept, sizeof *member);
  local_index count = 0;
  pcct_status status = PCCT_MEMORY;
  for (local_index p = 0; member && p < tree->points.count; p++) {
    if (is_linked(tree, p) && !removal->removed[p]) {
      member[count++] = p;
    }
  }
  if (member) {
    status = tree_rebuild(removal->base, &removal->tree, member, count);
  }
  base_free(member);
  return status;
}

pcct_status tree_delete(struct base *base, struct tree **tree, const local_index *remove,
                        local_index count) {
  const int64_t points = (*tree)->points.count;
  struct removal removal = {.base = base, .tree = *tree};
  struct tree *fresh = NULL;
  removal.tree->points.leaf_size = removal.tree->leaf_size;
  removal.removed = base_allocate_zero(base, points, 1);
  removal.heir = base_allocate(base, points, sizeof *removal.heir);
  removal.loose = base_allocate(base, points, sizeof *removal.loose);
  pcct_status status = removal.removed && removal.heir && removal.loose ? PCCT_OK : PCCT_MEMORY;
  *tree = NULL;
  if (status != PCCT_OK) {
    goto cleanup;
  }
  for (local_index i = 0; i < count; i++) {
    removal.removed[remove[i]] = 1;
  }
  if (find_heirs(&removal) > 0) {
    install_heirs(&removal);
  }
  const local_index orphans = sort_out(&removal);
  if (removal.kept - removal.loose_count <= removal.loose_count) {
    status = start_over(&removal);
    fresh = removal.tree;
    removal.tree = NULL;
    goto cleanup;
  }
  if (orphans > 0) {
    status = recover(&removal, orphans);
  }
  if (status == PCCT_OK) {
    status = finish(&removal, &fresh);
  }
cleanup:
  base_free(removal.removed);
  base_free(removal.heir);
  base_free(removal.loose);
  base_free(removal.orphans);
  tree_destroy(&removal.tree);
  if (status != PCCT_OK) {
    tree_destroy(&fresh);
  }
  *tree = fresh;
  return status;
}
