/* Differences of versions. */
#include "base/sort.h"
#include "tree/version_private.h"

#include <string.h>

/* Points of slots that differ: position, and slot. */
struct changed {
  struct sort_pair *pairs;
  int64_t count, capacity;
};

static pcct_status list_point(struct base *base, struct changed *changed, int64_t position,
                              int64_t slot) {
  pcct_status status = base_grow(base, (void **)&changed->pairs, &changed->capacity, changed->count,
                                 changed->count + 1, sizeof *changed->pairs);
  if (status == PCCT_OK) {
    changed->pairs[changed->count++] = (struct sort_pair){(uint64_t)position, (uint64_t)slot};
  }
  return status;
}

/* Whether two slots of chunks hold the same point. */
static int is_same(const struct version_points *a, int64_t i, const struct version_points *b,
                   int64_t j, int dimension) {
  return a->position[i] == b->position[j] && a->priority[i] == b->priority[j] &&
         memcmp(a->coordinates + i * dimension, b->coordinates + j * dimension,
                (size_t)dimension * sizeof(double)) == 0;
}

/* Lists the points of one chunk that the other version does not have in the same slot. */
static pcct_status list_chunk(struct base *base, const struct version_points *own,
                              const struct version_points *other, int64_t chunk, int dimension,
                              struct changed *changed) {
  pcct_status status = PCCT_OK;
  for (int i = 0; own && i < VERSION_CHUNK && status == PCCT_OK; i++) {
    if (own->position[i] != INT64_MAX && !(other && is_same(own, i, other, i, dimension))) {
      status = list_point(base, changed, own->position[i], chunk * VERSION_CHUNK + i);
    }
  }
  return status;
}

/* Lists what is in other slots, or not at all, in the other version; by position. */
static pcct_status list_changed(struct base *base, const struct version *own,
                                const struct version *other, struct changed *changed) {
  const int64_t chunks = version_chunks(own->slots);
  pcct_status status = PCCT_OK;
  for (int64_t c = store_next_difference(&own->points, &other->points, 0, chunks);
       c < chunks && status == PCCT_OK;
       c = store_next_difference(&own->points, &other->points, c + 1, chunks)) {
    status = list_chunk(base, store_get(&own->points, c), store_get(&other->points, c), c,
                        own->metric.dimension, changed);
  }
  return status == PCCT_OK ? sort_pairs(base, changed->pairs, changed->count) : status;
}

/* Whether the points of two slots are the same. */
static int is_moved(const struct version *a, uint64_t i, const struct version *b, uint64_t j) {
  return is_same(store_get(&a->points, (int64_t)i / VERSION_CHUNK), (int64_t)i % VERSION_CHUNK,
                 store_get(&b->points, (int64_t)j / VERSION_CHUNK), (int64_t)j % VERSION_CHUNK,
                 a->metric.dimension);
}

/* Leaves out points that only moved from one slot to another. */
static void split(const struct version *from, const struct changed *gone, const struct version *to,
                  const struct changed *come, struct version_difference *difference) {
  int64_t g = 0;
  int64_t c = 0;
  while (g < gone->count || c < come->count) {
    const struct sort_pair *left = g < gone->count ? &gone->pairs[g] : NULL;
    const struct sort_pair *right = c < come->count ? &come->pairs[c] : NULL;
    const int take_left = left && (!right || left->key <= right->key);
    const int take_right = right && (!left || right->key <= left->key);
    if (!(take_left && take_right && is_moved(from, left->value, to, right->value))) {
      if (take_left) {
        difference->removed_position[difference->removed++] = (int64_t)left->key;
      }
      if (take_right) {
        difference->added_position[difference->added++] = (int64_t)right->key;
      }
    }
    g += take_left;
    c += take_right;
  }
}

pcct_status version_compare(struct base *base, const struct version *from, const struct version *to,
                            struct version_difference *difference) {
  struct changed gone = {0};
  struct changed come = {0};
  pcct_status status = PCCT_OK;
  *difference = (struct version_difference){0};
  if (from->metric.dimension != to->metric.dimension) {
    status =
        base_fail(base, PCCT_USAGE,
                  "expected two versions of points of one dimension, found dimensions %d and %d",
                  from->metric.dimension, to->metric.dimension);
  }
  if (status == PCCT_OK) {
    status = list_changed(base, from, to, &gone);
  }
  if (status == PCCT_OK) {
    status = list_changed(base, to, from, &come);
  }
  if (status == PCCT_OK) {
    difference->removed_position = base_allocate(base, gone.count, sizeof(int64_t));
    difference->added_position = base_allocate(base, come.count, sizeof(int64_t));
    status = difference->removed_position && difference->added_position ? PCCT_OK : PCCT_MEMORY;
  }
  if (status == PCCT_OK) {
    split(from, &gone, to, &come, difference);
  } else {
    version_difference_clear(difference);
  }
  base_free(gone.pairs);
  base_free(come.pairs);
  return status;
}

void version_difference_clear(struct version_difference *difference) {
  base_free(difference->added_position);
  base_free(difference->removed_position);
  *difference = (struct version_difference){0};
}
