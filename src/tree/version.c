/* Making versions: the first one, insertions, deletions. */
#include "base/sort.h"
#include "tree/check.h"
#include "tree/delete.h"
#include "tree/rebuild.h"
#include "tree/version_private.h"

#include <string.h>

void version_destroy(struct version **version) {
  if (!version || !*version) {
    return;
  }
  store_clear(&(*version)->points);
  store_clear(&(*version)->links);
  base_free(*version);
  *version = NULL;
}

static int has_point(const struct tree *tree, local_index p) {
  return p < tree->points.count && (tree->parent[p] >= 0 || p == tree->root);
}

/* Writes a chunk's columns from a tree. Returns the number of its points. */
static local_index gather_chunk(const struct tree *tree, int64_t chunk,
                                struct version_points *points, struct version_links *links) {
  const struct tree_points *from = &tree->points;
  const int d = from->metric->dimension;
  local_index found = 0;
  memset(points, 0, version_points_size(d));
  for (int i = 0; i < VERSION_CHUNK; i++) {
    const local_index p = (local_index)(chunk * VERSION_CHUNK + i);
    points->position[i] = INT64_MAX;
    links->parent[i] = -1;
    links->level[i] = LEVEL_BUCKET;
    if (has_point(tree, p)) {
      points->position[i] = from->position[p];
      points->priority[i] = from->priority[p];
      memcpy(points->coordinates + (int64_t)i * d, from->coordinates + (int64_t)p * d,
             (size_t)d * sizeof(double));
      links->parent[i] = tree->parent[p];
      links->level[i] = tree->level[p];
      found++;
    }
  }
  return found;
}

/* Puts a chunk into a store unless the store holds the same bytes there already. */
static pcct_status put_changed(struct base *base, struct store *store, int64_t place,
                               const void *chunk) {
  const void *held = store_get(store, place);
  const int same = held && chunk ? memcmp(held, chunk, store->chunk_size) == 0 : !held && !chunk;
  return same ? PCCT_OK : store_put(base, store, place, chunk);
}

/* Stores what differs between a tree and the version, which becomes the tree's. */
static pcct_status store_tree(struct base *base, const struct tree *tree, struct version *version) {
  const local_index slots =
      tree->points.count > version->slots ? tree->points.count : version->slots;
  const int64_t chunks = version_chunks(slots);
  struct version_links links;
  struct version_points *points =
      base_allocate(base, 1, version_points_size(version->metric.dimension));
  pcct_status status = points ? PCCT_OK : PCCT_MEMORY;
  version->count = 0;
  version->slots = 0;
  for (int64_t c = 0; c < chunks && status == PCCT_OK; c++) {
    const local_index found = gather_chunk(tree, c, points, &links);
    version->count += found;
    status = put_changed(base, &version->points, c, found > 0 ? points : NULL);
    if (status == PCCT_OK) {
      status = put_changed(base, &version->links, c, found > 0 ? &links : NULL);
    }
  }
  for (local_index p = slots - 1; p >= 0 && version->slots == 0; p--) {
    version->slots = has_point(tree, p) ? p + 1 : 0;
  }
  base_free(points);
  return status;
}

/* The profile `audit`: every invariant after every operation. */
static pcct_status audit(struct base *base, const struct tree *tree) {
  struct frame *frame = NULL;
  pcct_status status = PCCT_OK;
  if (base->settings.profile == SETTINGS_PROFILE_AUDIT) {
    status = frame_create_whole(base, tree, &frame);
    if (status == PCCT_OK) {
      status = tree_check(base, tree, frame);
    }
    frame_destroy(&frame);
  }
  return status;
}

/* A version that differs from `old` by what the tree says. */
static pcct_status commit(struct base *base, const struct version *old, const struct tree *tree,
                          struct version **out) {
  pcct_status status = audit(base, tree);
  struct version *version = status == PCCT_OK ? base_allocate_zero(base, 1, sizeof *version) : NULL;
  if (version) {
    *version = *old;
    version->points = store_copy(&old->points);
    version->links = store_copy(&old->links);
    status = store_tree(base, tree, version);
  } else if (status == PCCT_OK) {
    status = PCCT_MEMORY;
  }
  if (status != PCCT_OK) {
    version_destroy(&version);
  }
  *out = version;
  return status;
}

pcct_status version_create(struct base *base, const struct tree *tree, struct version **version) {
  const struct version nothing = {
      .metric = *tree->points.metric,
      .leaf_size = tree->leaf_size,
      .points = store_empty(version_points_size(tree->points.metric->dimension)),
      .links = store_empty(sizeof(struct version_links))};
  return commit(base, &nothing, tree, version);
}

/* Positions in rising order, each with its place in the list. */
static pcct_status sort_positions(struct base *base, const int64_t *position, local_index count,
                                  struct sort_pair **sorted) {
  pcct_status status = PCCT_OK;
  *sorted = base_allocate(base, count, sizeof **sorted);
  if (!*sorted) {
    return PCCT_MEMORY;
  }
  for (local_index i = 0; i < count; i++) {
    (*sorted)[i] = (struct sort_pair){(uint64_t)position[i], (uint64_t)i};
  }
  status = sort_pairs(base, *sorted, count);
  for (local_index i = 1; i < count && status == PCCT_OK; i++) {
    if ((*sorted)[i].key == (*sorted)[i - 1].key) {
      status =
          base_fail(base, PCCT_USAGE, "expected each position once in a batch, found %lld twice",
                    (long long)(*sorted)[i].key);
    }
  }
  return status;
}

/* The place of a position among sorted ones, or -1. */
static local_index find_position(const struct sort_pair *sorted, local_index count,
                                 int64_t position) {
  local_index first = 0;
  local_index last = count;
  while (first < last) {
    const local_index middle = first + (last - first) / 2;
    if (sorted[middle].key < (uint64_t)position) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first < count && sorted[first].key == (uint64_t)position ? first : -1;
}

/* Whether a batch's positions are in range, distinct, and not taken. */
static pcct_status check_batch(struct base *base, const struct version *old,
                               const struct version_layout *layout,
                               const struct version_batch *batch) {
  struct sort_pair *sorted = NULL;
  pcct_status status = PCCT_OK;
  for (local_index i = 0; i < batch->count && status == PCCT_OK; i++) {
    if (batch->position[i] < 0 || batch->position[i] == INT64_MAX) {
      status = base_fail(base, PCCT_USAGE,
                         "expected positions from 0 to 2^63 - 2 in a batch, found %lld",
                         (long long)batch->position[i]);
    }
  }
  if (status == PCCT_OK) {
    status = sort_positions(base, batch->position, batch->count, &sorted);
  }
  for (local_index p = 0; p < old->slots && status == PCCT_OK; p++) {
    if (find_position(sorted, batch->count, layout->position[p]) >= 0) {
      status = base_fail(base, PCCT_USAGE,
                         "expected new positions in a batch to insert, found %lld, which is taken",
                         (long long)layout->position[p]);
    }
  }
  base_free(sorted);
  return status;
}

/* Puts the batch's points into free slots.
 *   slot [out] [batch->count] ascending */
static void place_batch(const struct version_batch *batch, struct version_layout *layout,
                        local_index *slot) {
  const int d = layout->metric->dimension;
  local_index p = 0;
  for (local_index i = 0; i < batch->count; i++, p++) {
    while (layout->position[p] != INT64_MAX) {
      p++;
    }
    slot[i] = p;
    layout->position[p] = batch->position[i];
    layout->priority[p] = batch->priority[i];
    memcpy(layout->coordinates + (int64_t)p * d, batch->coordinates + (int64_t)i * d,
           (size_t)d * sizeof(double));
  }
}

/* Builds the tree of all points of a layout anew. */
static pcct_status build_all(struct base *base, const struct version *old, local_index slots,
                             struct version_layout *layout) {
  const struct tree_points points = version_tree_points(old, slots, layout);
  local_index *member = base_allocate(base, slots, sizeof *member);
  local_index count = 0;
  pcct_status status = member ? tree_create(base, &points, &layout->tree) : PCCT_MEMORY;
  for (local_index p = 0; p < slots && status == PCCT_OK; p++) {
    if (layout->position[p] != INT64_MAX) {
      member[count++] = p;
    }
  }
  if (status == PCCT_OK) {
    status = tree_rebuild(base, &layout->tree, member, count);
  }
  base_free(member);
  return status;
}

pcct_status version_insert(struct base *base, const struct version *old,
                           const struct version_batch *batch, struct version **version) {
  struct version_layout layout = {0};
  local_index *slot = NULL;
  const int64_t needed = (int64_t)old->count + batch->count;
  const int64_t slots = needed > old->slots ? needed : old->slots;
  pcct_status status = PCCT_OK;
  *version = NULL;
  if (slots > INT32_MAX) {
    status = base_fail(base, PCCT_INPUT, "expected at most %d points in a version, found %lld",
                       INT32_MAX, (long long)slots);
  }
  if (status == PCCT_OK) {
    status = version_layout_create(base, old, (local_index)slots, &layout);
  }
  if (status == PCCT_OK) {
    version_load_points(old, &layout);
    status = check_batch(base, old, &layout, batch);
  }
  if (status == PCCT_OK) {
    slot = base_allocate(base, batch->count, sizeof *slot);
    status = slot ? PCCT_OK : PCCT_MEMORY;
  }
  if (status == PCCT_OK) {
    place_batch(batch, &layout, slot);
    if (batch->count >= old->count ||
        tree_may_be_close(base, layout.coordinates, slots * layout.metric->dimension)) {
      status = build_all(base, old, (local_index)slots, &layout);
    } else {
      status = version_load_tree(base, old, (local_index)slots, &layout);
      if (status == PCCT_OK) {
        status = tree_insert(base, layout.tree, slot, batch->count);
      }
    }
  }
  if (status == PCCT_OK) {
    status = commit(base, old, layout.tree, version);
  }
  base_free(slot);
  version_layout_clear(&layout);
  return status;
}

/* The slots of positions, ascending. */
static pcct_status find_slots(struct base *base, const struct tree *tree, const int64_t *position,
                              local_index count, local_index *slot) {
  struct sort_pair *sorted = NULL;
  local_index found = 0;
  pcct_status status = sort_positions(base, position, count, &sorted);
  for (local_index p = 0; p < tree->points.count && status == PCCT_OK; p++) {
    const local_index place =
        has_point(tree, p) ? find_position(sorted, count, tree->points.position[p]) : -1;
    if (place >= 0) {
      slot[found++] = p;
      sorted[place].value = UINT64_MAX;
    }
  }
  for (local_index i = 0; i < count && status == PCCT_OK; i++) {
    if (sorted[i].value != UINT64_MAX) {
      status =
          base_fail(base, PCCT_USAGE,
                    "expected positions of the version's points to delete, found %lld, which is "
                    "none of them",
                    (long long)sorted[i].key);
    }
  }
  base_free(sorted);
  return status;
}

pcct_status version_delete(struct base *base, const struct version *old, const int64_t *position,
                           local_index count, struct version **version) {
  struct version_layout layout = {0};
  local_index *slot = base_allocate(base, count, sizeof *slot);
  pcct_status status = slot ? version_lay_out(base, old, &layout) : PCCT_MEMORY;
  *version = NULL;
  if (status == PCCT_OK) {
    status = find_slots(base, layout.tree, position, count, slot);
  }
  if (status == PCCT_OK && count > 0) {
    status = tree_delete(base, &layout.tree, slot, count);
  }
  if (status == PCCT_OK) {
    status = commit(base, old, layout.tree, version);
  }
  base_free(slot);
  version_layout_clear(&layout);
  return status;
}
