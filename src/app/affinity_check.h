/*
 * Threads and the cores they may use: which threads have to share a core.
 *
 * A core is a physical one; processors that are its hyperthreads count once. Whether every thread of a host can have
 * a core of its own is a question of a matching of threads and cores: where the largest one leaves a thread out, the
 * threads that it competes with outnumber all the cores that they may use (Hall 1935).
 */
#ifndef APP_AFFINITY_CHECK_H
#define APP_AFFINITY_CHECK_H

#include "base/context.h"

#include <stdint.h>

enum {
  AFFINITY_HOST_BYTES = 64,
  AFFINITY_PROCESSORS = 1024, /* of a host */
  AFFINITY_WORDS = AFFINITY_PROCESSORS / 64
};

/* One thread. */
struct affinity_place {
  int32_t rank, processor, core; /* where it was */
  int32_t cores;                 /* how many it may use; 0: not known */
  char host[AFFINITY_HOST_BYTES];
  uint64_t allowed[AFFINITY_WORDS]; /* bits of these cores */
};

/* Cores in a set. Local. */
int affinity_count(const uint64_t *cores);

/* Says what is wrong with places: a line for each rank that has fewer cores than threads, then one for each set of
 * threads on a host that outnumber their cores, unless it is the threads of one such rank.
 *   places [in,out] [count] of all ranks, those of a rank one after the other; sorted by host on return
 *   found  [in] gets each line, with user
 * Local. Errors: PCCT_MEMORY. Cost: O(count log count), and for each host threads x cores x cores at most. */
pcct_status affinity_check(struct base *base, struct affinity_place *places, int64_t count,
                           void (*found)(void *user, const char *line), void *user);

#endif
