/*
 * Stores: persistent arrays of chunks, shared between versions.
 *
 * A store maps places 0, 1, 2, ... to immutable chunks of one size; places never put hold none. It is a radix
 * tree whose inner nodes and chunks count their references atomically. A copy of a store costs O(1) and
 * shares everything; putting a chunk into the copy copies the path to it alone, and only as far as it is
 * shared. Stores that share chunks may be read, changed and cleared by different threads at once; one store
 * belongs to one thread while it changes.
 */
#ifndef TREE_STORE_H
#define TREE_STORE_H

#include "base/context.h"

struct store_node;

struct store {
  size_t chunk_size; /* bytes of a chunk */
  int height;        /* inner nodes above every chunk */
  struct store_node *root;
};

/* What two stores have in common. */
struct store_share {
  int64_t chunks;       /* chunks of the store */
  int64_t chunks_alone; /* those of them that the other store does not share */
  int64_t nodes_alone;  /* inner nodes that the other store does not share */
};

/* An empty store. */
struct store store_empty(size_t chunk_size);

/* A store with the same chunks. The original is not changed, but for its counts of references. */
struct store store_copy(const struct store *store);

/* Puts a chunk at a place.
 *   place [in] at least 0
 *   chunk [in] [chunk_size] copied; NULL: the place holds none from now on
 * Errors: PCCT_MEMORY; the store holds the same chunks as before then. */
pcct_status store_put(struct base *base, struct store *store, int64_t place, const void *chunk);

/* The chunk at a place, or NULL. Valid until the store is changed or cleared. */
const void *store_get(const struct store *store, int64_t place);

/* The first place of place..places-1 where the two stores do not hold one and the same chunk, or `places`.
 * Cost: subtrees that they share are skipped whole. */
int64_t store_next_difference(const struct store *a, const struct store *b, int64_t place,
                              int64_t places);

/* Counts what of `store` is shared with `other`. Linear in the chunks of `store`. */
struct store_share store_compare(const struct store *store, const struct store *other);

/* Gives the store's references back and makes it empty. */
void store_clear(struct store *store);

#endif
