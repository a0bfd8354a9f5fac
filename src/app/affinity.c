/* Where ranks and threads ran. */
#define _GNU_SOURCE /* sched_getcpu, sched_getaffinity */
#include "app/affinity.h"

#include "app/affinity_check.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(AFFINITY_PROCESSORS == CPU_SETSIZE, "all that the system tells");

enum { WARNINGS_SHOWN = 4 }; /* of a report, on stderr */

/* The physical core of a processor, by its first hyperthread; the processor itself where the system does not say. */
static int core_of(int processor) {
  char path[96];
  int first = processor;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
           processor);
  FILE *file = fopen(path, "r");
  if (file != NULL) {
    if (fscanf(file, "%d", &first) != 1 || first < 0 || first >= AFFINITY_PROCESSORS) {
      first = processor;
    }
    fclose(file);
  }
  return first;
}

static void look_at_thread(int rank, struct affinity_place *place) {
  cpu_set_t allowed;
  memset(place, 0, sizeof *place);
  place->rank = rank;
  gethostname(place->host, AFFINITY_HOST_BYTES - 1);
  place->processor = sched_getcpu();
  place->core = place->processor >= 0 ? core_of(place->processor) : -1;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return;
  }
  for (size_t p = 0; p < AFFINITY_PROCESSORS; p++) {
    if (CPU_ISSET(p, &allowed)) {
      const int core = core_of((int)p);
      place->allowed[core / 64] |= UINT64_C(1) << core % 64;
    }
  }
  place->cores = affinity_count(place->allowed);
}

static void add_ranks(const struct affinity_place *places, int64_t count, cJSON *affinity) {
  cJSON *ranks = cJSON_AddArrayToObject(affinity, "ranks");
  for (int64_t i = 0; i < count;) {
    const int rank = places[i].rank;
    uint64_t all[AFFINITY_WORDS] = {0};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(ranks, object);
    cJSON_AddStringToObject(object, "host", places[i].host);
    cJSON *list = cJSON_CreateArray();
    for (; i < count && places[i].rank == rank; i++) {
      cJSON *thread = cJSON_CreateObject();
      cJSON_AddItemToArray(list, thread);
      cJSON_AddNumberToObject(thread, "processor", places[i].processor);
      cJSON_AddNumberToObject(thread, "core", places[i].core);
      cJSON_AddNumberToObject(thread, "cores", places[i].cores);
      for (int w = 0; w < AFFINITY_WORDS; w++) {
        all[w] |= places[i].allowed[w];
      }
    }
    cJSON_AddNumberToObject(object, "cores", affinity_count(all));
    cJSON_AddItemToObject(object, "threads", list);
  }
}

static void add_warning(void *user, const char *line) {
  cJSON_AddItemToArray(user, cJSON_CreateString(line));
}

pcct_status affinity_add(struct app *app, cJSON *report) {
  pcct_context *context = app->context;
  const int threads = context->base.threads;
  struct affinity_place *own = base_allocate(&context->base, threads, sizeof *own);
  void *all = NULL;
  int64_t team = 0, count = 0;
  pcct_status status = comm_agree(context, own != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
#pragma omp parallel num_threads(threads)
    {
      look_at_thread(context->rank, &own[omp_get_thread_num()]);
#pragma omp single
      team = omp_get_num_threads(); /* OMP_THREAD_LIMIT may allow fewer */
    }
    status = comm_gather_root(context, own, team, sizeof *own, &all, &count);
  }
  if (status == PCCT_OK && report != NULL) {
    cJSON *affinity = cJSON_AddObjectToObject(report, "affinity");
    add_ranks(all, count, affinity);
    status = affinity_check(&context->base, all, count, add_warning,
                            cJSON_AddArrayToObject(affinity, "warnings"));
  }
  base_free(own);
  base_free(all);
  return status;
}

void affinity_warn(const struct app *app, const cJSON *report) {
  const cJSON *warnings = cJSON_GetObjectItem(cJSON_GetObjectItem(report, "affinity"), "warnings");
  const struct base *base = &app->context->base;
  const int count = cJSON_GetArraySize(warnings);
  for (int i = 0; i < count && i < WARNINGS_SHOWN; i++) {
    base_log(base, SETTINGS_LOG_WARNING, "%s",
             cJSON_GetStringValue(cJSON_GetArrayItem(warnings, i)));
  }
  if (count > WARNINGS_SHOWN) {
    base_log(base, SETTINGS_LOG_WARNING, "and %d more such warnings in %s", count - WARNINGS_SHOWN,
             app->common.report);
  }
}
