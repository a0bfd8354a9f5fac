/* Versions laid out flat. */
#include "tree/version_private.h"

#include <string.h>

void version_layout_clear(struct version_layout *layout) {
  tree_destroy(&layout->tree);
  base_free(layout->metric);
  base_free(layout->coordinates);
  base_free(layout->position);
  base_free(layout->priority);
  *layout = (struct version_layout){0};
}

pcct_status version_layout_create(struct base *base, const struct version *version,
                                  local_index slots, struct version_layout *layout) {
  const int d = version->metric.dimension;
  *layout = (struct version_layout){0};
  layout->metric = base_allocate(base, 1, sizeof *layout->metric);
  layout->coordinates = base_allocate_zero(base, (int64_t)slots * d, sizeof(double));
  layout->position = base_allocate(base, slots, sizeof *layout->position);
  layout->priority = base_allocate_zero(base, slots, sizeof *layout->priority);
  if (!layout->metric || !layout->coordinates || !layout->position || !layout->priority) {
    version_layout_clear(layout);
    return PCCT_MEMORY;
  }
  *layout->metric = version->metric;
  for (local_index p = 0; p < slots; p++) {
    layout->position[p] = INT64_MAX;
  }
  return PCCT_OK;
}

/* Slots of the version in a chunk: all but the last chunk are full. */
static size_t slots_in(const struct version *version, int64_t chunk) {
  const int64_t left = version->slots - chunk * VERSION_CHUNK;
  return (size_t)(left < VERSION_CHUNK ? left : VERSION_CHUNK);
}

void version_load_points(const struct version *version, struct version_layout *layout) {
  const int64_t chunks = version_chunks(version->slots);
  const int d = version->metric.dimension;
  for (int64_t c = 0; c < chunks; c++) {
    const struct version_points *points = store_get(&version->points, c);
    const int64_t first = c * VERSION_CHUNK;
    const size_t count = slots_in(version, c);
    if (points) {
      memcpy(layout->position + first, points->position, count * sizeof(int64_t));
      memcpy(layout->priority + first, points->priority, count * sizeof(uint64_t));
      memcpy(layout->coordinates + first * d, points->coordinates,
             count * (size_t)d * sizeof(double));
    }
  }
}

struct tree_points version_tree_points(const struct version *version, local_index slots,
                                       const struct version_layout *layout) {
  return (struct tree_points){.count = slots,
                              .metric = layout->metric,
                              .coordinates = layout->coordinates,
                              .position = layout->position,
                              .priority = layout->priority,
                              .leaf_size = version->leaf_size};
}

/* Reads links into columns of `slots` slots. */
static void load_links(const struct version *version, local_index slots, local_index *parent,
                       int16_t *level) {
  const int64_t chunks = version_chunks(version->slots);
  for (local_index p = 0; p < slots; p++) {
    parent[p] = -1;
    level[p] = LEVEL_BUCKET;
  }
  for (int64_t c = 0; c < chunks; c++) {
    const struct version_links *links = store_get(&version->links, c);
    const size_t count = slots_in(version, c);
    if (links) {
      memcpy(parent + c * VERSION_CHUNK, links->parent, count * sizeof *parent);
      memcpy(level + c * VERSION_CHUNK, links->level, count * sizeof *level);
    }
  }
}

pcct_status version_load_tree(struct base *base, const struct version *version, local_index slots,
                              struct version_layout *layout) {
  const struct tree_points points = version_tree_points(version, slots, layout);
  local_index *parent = base_allocate(base, slots, sizeof *parent);
  int16_t *level = base_allocate(base, slots, sizeof *level);
  pcct_status status = PCCT_MEMORY;
  if (parent && level) {
    load_links(version, slots, parent, level);
    status = tree_restore(base, &points, parent, level, &layout->tree);
  }
  base_free(parent);
  base_free(level);
  return status;
}

pcct_status version_lay_out(struct base *base, const struct version *version,
                            struct version_layout *layout) {
  pcct_status status = version_layout_create(base, version, version->slots, layout);
  if (status == PCCT_OK) {
    version_load_points(version, layout);
    status = version_load_tree(base, version, version->slots, layout);
  }
  if (status != PCCT_OK) {
    version_layout_clear(layout);
  }
  return status;
}
