/* Persistent arrays of chunks: radix trees with path copying. */
#include "tree/store.h"

#include <string.h>

/* Children of an inner node. */
enum { FAN_BITS = 5, FAN = 1 << FAN_BITS };

/* An inner node (FAN pointers to nodes) or, at the bottom, a chunk. */
struct store_node {
  int64_t references; /* atomic: stores that share nodes may be cleared by several threads */
  _Alignas(8) unsigned char content[];
};

static struct store_node **children(const struct store_node *node) {
  return (struct store_node **)(void *)node->content;
}

/* Places below a node so many levels above the chunks. */
static int64_t capacity(int height) {
  return INT64_C(1) << (FAN_BITS * height);
}

/* Which child of a node at `height` leads to a place. */
static int64_t child_of(int height, int64_t place) {
  return place >> (FAN_BITS * (height - 1)) & (FAN - 1);
}

struct store store_empty(size_t chunk_size) {
  return (struct store){.chunk_size = chunk_size};
}

static struct store_node *hold(struct store_node *node) {
  if (node) {
    __atomic_fetch_add(&node->references, 1, __ATOMIC_RELAXED); /* somebody holds it already */
  }
  return node;
}

/* Gives one reference back. The last holder sees what the others did with the node before they let go. */
static void release(struct store_node *node, int height) {
  if (!node || __atomic_sub_fetch(&node->references, 1, __ATOMIC_ACQ_REL) > 0) {
    return;
  }
  for (int i = 0; height > 0 && i < FAN; i++) {
    release(children(node)[i], height - 1);
  }
  base_free(node);
}

struct store store_copy(const struct store *store) {
  hold(store->root);
  return *store;
}

void store_clear(struct store *store) {
  release(store->root, store->height);
  *store = store_empty(store->chunk_size);
}

static struct store_node *node_create(struct base *base, size_t size) {
  struct store_node *node = base_allocate_zero(base, 1, sizeof *node + size);
  if (node) {
    node->references = 1;
  }
  return node;
}

/* Makes the inner node in *slot this store's own: a new one where there is none, a copy where it is shared.
 * All nodes above are the store's own already: a node that nobody else holds now, nobody else can reach. */
static pcct_status own_inner(struct base *base, struct store_node **slot, int height) {
  struct store_node *node = *slot;
  if (node && __atomic_load_n(&node->references, __ATOMIC_ACQUIRE) == 1) {
    return PCCT_OK;
  }
  struct store_node *own = node_create(base, FAN * sizeof(struct store_node *));
  if (!own) {
    return PCCT_MEMORY;
  }
  for (int i = 0; node && i < FAN; i++) {
    children(own)[i] = hold(children(node)[i]);
  }
  release(node, height);
  *slot = own;
  return PCCT_OK;
}

static int is_childless(const struct store_node *node) {
  int childless = 1;
  for (int i = 0; i < FAN; i++) {
    childless = childless && !children(node)[i];
  }
  return childless;
}

/* Replaces the chunk at a place below *slot; inner nodes without chunks go. */
static pcct_status put_below(struct base *base, struct store_node **slot, int height, int64_t place,
                             struct store_node *chunk) {
  if (height == 0) {
    release(*slot, 0);
    *slot = chunk;
    return PCCT_OK;
  }
  pcct_status status = own_inner(base, slot, height);
  if (status == PCCT_OK) {
    struct store_node **child = &children(*slot)[child_of(height, place)];
    status = put_below(base, child, height - 1, place, chunk);
    if (!chunk && is_childless(*slot)) {
      release(*slot, height);
      *slot = NULL;
    }
  }
  return status;
}

/* Adds levels until there is room for a place. */
static pcct_status raise_root(struct base *base, struct store *store, int64_t place) {
  while (place >= capacity(store->height)) {
    if (store->root) {
      struct store_node *root = node_create(base, FAN * sizeof(struct store_node *));
      if (!root) {
        return PCCT_MEMORY;
      }
      children(root)[0] = store->root;
      store->root = root;
    }
    store->height++;
  }
  return PCCT_OK;
}

pcct_status store_put(struct base *base, struct store *store, int64_t place, const void *chunk) {
  struct store_node *node = NULL;
  if (!chunk && !store_get(store, place)) {
    return PCCT_OK;
  }
  pcct_status status = raise_root(base, store, place);
  if (status == PCCT_OK && chunk) {
    node = node_create(base, store->chunk_size);
    status = node ? PCCT_OK : PCCT_MEMORY;
  }
  if (node) {
    memcpy(node->content, chunk, store->chunk_size);
  }
  if (status == PCCT_OK) {
    status = put_below(base, &store->root, store->height, place, node);
    if (status != PCCT_OK) {
      release(node, 0);
    }
  }
  return status;
}

/* The node so many levels above the chunks on the way to a place; NULL if there is none. */
static const struct store_node *node_above(const struct store *store, int height, int64_t place) {
  const struct store_node *node = place < capacity(store->height) ? store->root : NULL;
  for (int h = store->height; h > height && node; h--) {
    node = children(node)[child_of(h, place)];
  }
  return node;
}

const void *store_get(const struct store *store, int64_t place) {
  const struct store_node *node = node_above(store, 0, place);
  return node ? node->content : NULL;
}

int64_t store_next_difference(const struct store *a, const struct store *b, int64_t place,
                              int64_t places) {
  const int tallest = a->height < b->height ? a->height : b->height;
  while (place < places) {
    int height = tallest;
    while (height >= 0 && node_above(a, height, place) != node_above(b, height, place)) {
      height--;
    }
    if (height < 0) {
      return place;
    }
    place = (place / capacity(height) + 1) * capacity(height);
  }
  return places;
}

/* Counts below a node that is at `height` on the way to `place`. */
static void compare_below(const struct store_node *node, int height, int64_t place,
                          const struct store *other, int shared, struct store_share *share) {
  if (!node) {
    return;
  }
  shared = shared || (height <= other->height && node_above(other, height, place) == node);
  if (height == 0) {
    share->chunks++;
    share->chunks_alone += !shared;
    return;
  }
  share->nodes_alone += !shared;
  for (int i = 0; i < FAN; i++) {
    compare_below(children(node)[i], height - 1, place + i * capacity(height - 1), other, shared,
                  share);
  }
}

struct store_share store_compare(const struct store *store, const struct store *other) {
  struct store_share share = {0};
  compare_below(store->root, store->height, 0, other, 0, &share);
  return share;
}
