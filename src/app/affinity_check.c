/* Which threads have to share a core. */
#include "app/affinity_check.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES = 160, LINE_BYTES = 512 };

/* The threads of one host and their cores. */
struct host {
  const struct affinity_place *place; /* [count] by rank */
  int64_t count;
  bool *matched; /* [count] whether a thread has a core of its own */
  bool *lacking; /* [count] whether it is among those that outnumber their cores */
  int64_t *open; /* [count] threads that wait for a look */
  int64_t owner[AFFINITY_PROCESSORS]; /* the thread that has a core of its own; -1: none */
};

static bool holds(const uint64_t *cores, int core) {
  return (cores[core / 64] >> core % 64 & 1) != 0;
}

static void add(uint64_t *cores, int core) {
  cores[core / 64] |= UINT64_C(1) << core % 64;
}

int affinity_count(const uint64_t *cores) {
  int count = 0;
  for (int w = 0; w < AFFINITY_WORDS; w++) {
    count += __builtin_popcountll(cores[w]);
  }
  return count;
}

/* The first core from `core` on that is in one set and not in the other; AFFINITY_PROCESSORS: none. */
static int next_core(const uint64_t *in, const uint64_t *not_in, int core) {
  while (core < AFFINITY_PROCESSORS) {
    const uint64_t rest = (in[core / 64] & ~not_in[core / 64]) >> core % 64;
    if (rest != 0) {
      return core + __builtin_ctzll(rest);
    }
    core = (core / 64 + 1) * 64;
  }
  return core;
}

/* Appends a range of numbers to a list such as 0-3,8; a list that is full ends with dots. */
static void list_range(char *list, int64_t first, int64_t last) {
  const size_t used = strlen(list);
  char range[48];
  if (used > 0 && list[used - 1] == '.') {
    return;
  }
  if (first == last) {
    snprintf(range, sizeof range, "%s%" PRId64, used > 0 ? "," : "", first);
  } else {
    snprintf(range, sizeof range, "%s%" PRId64 "-%" PRId64, used > 0 ? "," : "", first, last);
  }
  snprintf(list + used, LIST_BYTES - used, "%s",
           used + strlen(range) + sizeof ",..." <= LIST_BYTES ? range : ",...");
}

static void list_cores(const uint64_t *cores, char *list) {
  const uint64_t none[AFFINITY_WORDS] = {0};
  list[0] = '\0';
  for (int core = next_core(cores, none, 0); core < AFFINITY_PROCESSORS;) {
    int end = core;
    while (end < AFFINITY_PROCESSORS && holds(cores, end)) {
      end++;
    }
    list_range(list, core, end - 1);
    core = next_core(cores, none, end);
  }
}

/* Gives a thread a core of its own, moving others to their next ones; false if that is impossible.
 * `seen` are the cores that were tried, which bounds the depth. */
static bool match(struct host *host, int64_t thread, uint64_t *seen) {
  const uint64_t *allowed = host->place[thread].allowed;
  for (int core = next_core(allowed, seen, 0); core < AFFINITY_PROCESSORS;
       core = next_core(allowed, seen, core)) {
    add(seen, core);
    if (host->owner[core] < 0 || match(host, host->owner[core], seen)) {
      host->owner[core] = thread;
      return true;
    }
  }
  return false;
}

/* Marks the threads that compete for cores with one that has none, itself included. */
static void mark_lacking(struct host *host, int64_t thread) {
  uint64_t seen[AFFINITY_WORDS] = {0};
  int64_t count = 0;
  host->lacking[thread] = true;
  host->open[count++] = thread;
  while (count > 0) {
    const uint64_t *allowed = host->place[host->open[--count]].allowed;
    for (int core = next_core(allowed, seen, 0); core < AFFINITY_PROCESSORS;
         core = next_core(allowed, seen, core)) {
      const int64_t owner = host->owner[core]; /* there is one, or `thread` had a core */
      add(seen, core);
      if (!host->lacking[owner]) {
        host->lacking[owner] = true;
        host->open[count++] = owner;
      }
    }
  }
}

/* Takes the lacking threads that share cores with one, directly or not, from the rest; returns their number.
 *   cores [out] all that they may use
 *   ranks [out] the list of their ranks
 *   several [out] whether these are more than one */
static int64_t take_together(struct host *host, int64_t thread, uint64_t *cores, char *ranks,
                             bool *several) {
  int64_t taken = 0, first = -1, last = -1;
  bool grown = true;
  memcpy(cores, host->place[thread].allowed, AFFINITY_WORDS * sizeof *cores);
  while (grown) {
    grown = false;
    for (int64_t t = 0; t < host->count; t++) {
      const uint64_t *allowed = host->place[t].allowed;
      bool meets = false, more = false;
      for (int w = 0; w < AFFINITY_WORDS && host->lacking[t]; w++) {
        meets |= (cores[w] & allowed[w]) != 0;
        more |= (allowed[w] & ~cores[w]) != 0;
      }
      for (int w = 0; w < AFFINITY_WORDS && meets; w++) {
        cores[w] |= allowed[w];
      }
      grown |= meets && more;
    }
  }
  ranks[0] = '\0';
  *several = false;
  for (int64_t t = 0; t < host->count; t++) {
    const uint64_t *allowed = host->place[t].allowed;
    const int64_t rank = host->place[t].rank;
    if (!host->lacking[t] || next_core(allowed, cores, 0) < AFFINITY_PROCESSORS) {
      continue;
    }
    host->lacking[t] = false;
    taken++;
    if (first >= 0 && rank > last + 1) {
      list_range(ranks, first, last);
      first = rank;
    }
    *several |= first >= 0 && rank != last;
    first = first < 0 ? rank : first;
    last = rank;
  }
  list_range(ranks, first, last);
  return taken;
}

/* Threads of the rank of the first place.
 *   cores [out] how many they may use together */
static int64_t rank_threads(const struct affinity_place *places, int64_t count, int *cores) {
  uint64_t all[AFFINITY_WORDS] = {0};
  int64_t threads = 0;
  for (; threads < count && places[threads].rank == places->rank; threads++) {
    for (int w = 0; w < AFFINITY_WORDS; w++) {
      all[w] |= places[threads].allowed[w];
    }
  }
  *cores = affinity_count(all);
  return threads;
}

/* Whether the rank of a thread is one of those with fewer cores than threads. */
static bool is_short(const struct host *host, int64_t thread) {
  int cores;
  while (thread > 0 && host->place[thread - 1].rank == host->place[thread].rank) {
    thread--;
  }
  return rank_threads(host->place + thread, host->count - thread, &cores) > cores;
}

static void check_host(struct host *host, void (*found)(void *user, const char *line), void *user) {
  char line[LINE_BYTES], ranks[LIST_BYTES], list[LIST_BYTES];
  uint64_t cores[AFFINITY_WORDS];
  memset(host->owner, -1, sizeof host->owner);
  memset(host->lacking, 0, (size_t)host->count * sizeof *host->lacking);
  for (int64_t t = 0; t < host->count; t++) {
    uint64_t seen[AFFINITY_WORDS] = {0};
    host->matched[t] = host->place[t].cores == 0 || match(host, t, seen);
  }
  for (int64_t t = 0; t < host->count; t++) {
    if (!host->matched[t]) {
      mark_lacking(host, t);
    }
  }
  for (int64_t t = 0; t < host->count; t++) {
    if (host->lacking[t]) {
      bool several;
      const bool known = is_short(host, t);
      const int64_t threads = take_together(host, t, cores, ranks, &several);
      const int count = affinity_count(cores);
      list_cores(cores, list);
      if (several || !known) {
        snprintf(line, sizeof line, "%" PRId64 " threads of rank%s %s share %d core%s of %s: %s",
                 threads, several ? "s" : "", ranks, count, count == 1 ? "" : "s",
                 host->place->host, list);
        found(user, line);
      }
    }
  }
}

/* Ranks with fewer cores than threads, whatever the others do. */
static void check_ranks(const struct affinity_place *places, int64_t count,
                        void (*found)(void *user, const char *line), void *user) {
  char line[LINE_BYTES];
  for (int64_t first = 0, end; first < count; first = end) {
    int cores;
    end = first + rank_threads(places + first, count - first, &cores);
    if (cores > 0 && cores < end - first) {
      snprintf(line, sizeof line, "rank %d has %" PRId64 " threads on %d core%s of %s",
               places[first].rank, end - first, cores, cores == 1 ? "" : "s", places[first].host);
      found(user, line);
    }
  }
}

static int compare_hosts(const void *a, const void *b) {
  const struct affinity_place *x = a, *y = b;
  const int hosts = strcmp(x->host, y->host);
  return hosts != 0 ? hosts : (x->rank > y->rank) - (x->rank < y->rank);
}

pcct_status affinity_check(struct base *base, struct affinity_place *places, int64_t count,
                           void (*found)(void *user, const char *line), void *user) {
  struct host *host = base_allocate(base, 1, sizeof *host);
  bool *flags = base_allocate(base, 2 * count, sizeof *flags);
  int64_t *open = base_allocate(base, count, sizeof *open);
  const pcct_status status = host != NULL && flags != NULL && open != NULL ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    check_ranks(places, count, found, user);
    qsort(places, (size_t)count, sizeof *places, compare_hosts);
  }
  for (int64_t first = 0, end; first < count && status == PCCT_OK; first = end) {
    for (end = first; end < count && strcmp(places[end].host, places[first].host) == 0;) {
      end++;
    }
    host->place = places + first;
    host->count = end - first;
    host->matched = flags;
    host->lacking = flags + count;
    host->open = open;
    check_host(host, found, user);
  }
  base_free(open);
  base_free(flags);
  base_free(host);
  return status;
}
