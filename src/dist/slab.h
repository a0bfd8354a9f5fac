/*
 * Slabs: items dealt out to the ranks in order, as pcct_slab does.
 */
#ifndef DIST_SLAB_H
#define DIST_SLAB_H

#include "pcct.h"

/* The rank whose slab of `count` items holds item i. */
int dist_slab_owner(int64_t count, int size, int64_t i);

#endif
