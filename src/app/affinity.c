/* Where ranks and threads ran. */
#define _GNU_SOURCE /* sched_getcpu, sched_getaffinity */
#include "app/affinity.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_BYTES = 64, PROCESSORS = CPU_SETSIZE };

/* One thread. */
struct place {
  int32_t rank, processor, core; /* where it was */
  int32_t cores;                 /* how many it may use */
  char host[HOST_BYTES];
  uint64_t allowed[PROCESSORS / 64]; /* cores */
};

/* The physical core of a processor, by its first hyperthread; the processor itself where the system does not say. */
static int core_of(int processor) {
  char path[96];
  int first = processor;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
           processor);
  FILE *file = fopen(path, "r");
  if (file != NULL) {
    if (fscanf(file, "%d", &first) != 1 || first < 0 || first >= PROCESSORS) {
      first = processor;
    }
    fclose(file);
  }
  return first;
}

static void look_at_thread(int rank, struct place *place) {
  cpu_set_t allowed;
  memset(place, 0, sizeof *place);
  place->rank = rank;
  gethostname(place->host, HOST_BYTES - 1);
  place->processor = sched_getcpu();
  place->core = place->processor >= 0 ? core_of(place->processor) : -1;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return;
  }
  for (size_t p = 0; p < PROCESSORS; p++) {
    if (CPU_ISSET(p, &allowed)) {
      const int core = core_of((int)p);
      place->allowed[core / 64] |= UINT64_C(1) << core % 64;
    }
  }
  for (int w = 0; w < PROCESSORS / 64; w++) {
    place->cores += __builtin_popcountll(place->allowed[w]);
  }
}

/* Cores that any of the threads of a rank, or of a host, may use. */
static int count_cores(const struct place *places, int64_t count, int rank, const char *host,
                       int *threads) {
  uint64_t all[PROCESSORS / 64] = {0};
  int cores = 0;
  *threads = 0;
  for (int64_t i = 0; i < count; i++) {
    if (rank >= 0 ? places[i].rank != rank : strcmp(places[i].host, host) != 0) {
      continue;
    }
    ++*threads;
    for (int w = 0; w < PROCESSORS / 64; w++) {
      all[w] |= places[i].allowed[w];
    }
  }
  for (int w = 0; w < PROCESSORS / 64; w++) {
    cores += __builtin_popcountll(all[w]);
  }
  return cores;
}

static void add_ranks(const struct place *places, int64_t count, cJSON *affinity, cJSON *warnings) {
  cJSON *ranks = cJSON_AddArrayToObject(affinity, "ranks");
  char text[256];
  for (int64_t i = 0; i < count;) {
    const int rank = places[i].rank;
    int threads;
    const int cores = count_cores(places, count, rank, "", &threads);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(ranks, object);
    cJSON_AddStringToObject(object, "host", places[i].host);
    cJSON_AddNumberToObject(object, "cores", cores);
    cJSON *list = cJSON_AddArrayToObject(object, "threads");
    if (cores > 0 && cores < threads) {
      snprintf(text, sizeof text, "rank %d has %d threads on %d core%s of %s", rank, threads, cores,
               cores == 1 ? "" : "s", places[i].host);
      cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
    }
    for (; i < count && places[i].rank == rank; i++) {
      cJSON *thread = cJSON_CreateObject();
      cJSON_AddItemToArray(list, thread);
      cJSON_AddNumberToObject(thread, "processor", places[i].processor);
      cJSON_AddNumberToObject(thread, "core", places[i].core);
      cJSON_AddNumberToObject(thread, "cores", places[i].cores);
    }
  }
}

static void add_hosts(const struct place *places, int64_t count, cJSON *warnings) {
  char text[256];
  for (int64_t i = 0; i < count; i++) {
    bool seen = false;
    for (int64_t before = 0; before < i && !seen; before++) {
      seen = strcmp(places[before].host, places[i].host) == 0;
    }
    int threads;
    const int cores = seen ? 0 : count_cores(places, count, -1, places[i].host, &threads);
    if (cores > 0 && cores < threads) {
      snprintf(text, sizeof text, "%d threads of all ranks on %s share %d core%s", threads,
               places[i].host, cores, cores == 1 ? "" : "s");
      cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
    }
  }
}

pcct_status affinity_add(struct app *app, cJSON *report) {
  pcct_context *context = app->context;
  const int threads = context->base.threads;
  struct place *own = base_allocate(&context->base, threads, sizeof *own);
  void *all = NULL;
  int64_t count = 0;
  pcct_status status = comm_agree(context, own != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
#pragma omp parallel num_threads(threads)
    look_at_thread(context->rank, &own[omp_get_thread_num()]);
    status = comm_gather_root(context, own, threads, sizeof *own, &all, &count);
  }
  if (status == PCCT_OK && report != NULL) {
    cJSON *affinity = cJSON_AddObjectToObject(report, "affinity");
    cJSON *warnings = cJSON_CreateArray();
    add_ranks(all, count, affinity, warnings);
    add_hosts(all, count, warnings);
    cJSON_AddItemToObject(affinity, "warnings", warnings);
  }
  base_free(own);
  base_free(all);
  return status;
}

void affinity_warn(const struct app *app, const cJSON *report) {
  const cJSON *warnings = cJSON_GetObjectItem(cJSON_GetObjectItem(report, "affinity"), "warnings");
  for (int i = 0; i < cJSON_GetArraySize(warnings); i++) {
    base_log(&app->context->base, SETTINGS_LOG_WARNING, "%s",
             cJSON_GetStringValue(cJSON_GetArrayItem(warnings, i)));
  }
}
