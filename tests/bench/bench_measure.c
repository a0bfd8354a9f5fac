/* One workload, run several times through the public interface. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one run took, and what it left. */
struct run {
  double create, query, total; /* seconds, from barrier to barrier */
  pcct_phase_seconds phases[PCCT_PHASE_COUNT];
  int phase_count;
  double stages[STAGE_COUNT]; /* rank 0's */
  pcct_counter *counters;
  int64_t memory_before, memory_create, memory_query; /* this rank's, bytes */
  int64_t output;                                     /* bytes of this rank's rows */
  cJSON *settings;
};

/* Prints a failure, and returns its status. */
static pcct_status fail(const struct bench_workload *workload, pcct_context *context,
                        pcct_status status, const char *what) {
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) {
    fprintf(stderr, "pcct-bench: %s: %s: %s\n", workload->name, what,
            context ? pcct_context_message(context) : pcct_status_text(status));
  }
  return status;
}

static pcct_status set_one(pcct_context *context, const char *pair) {
  char name[128];
  const char *equals = strchr(pair, '=');
  if (!equals || equals - pair >= (long)sizeof name) {
    return base_fail(&context->base, PCCT_USAGE, "expected NAME=VALUE, found %s", pair);
  }
  memcpy(name, pair, (size_t)(equals - pair));
  name[equals - pair] = '\0';
  return pcct_context_set(context, name, equals + 1);
}

/* The environment first, then what belongs to the workload, then what was asked for. */
static pcct_status apply_settings(pcct_context *context, const struct bench_workload *workload,
                                  const struct bench_options *options) {
  pcct_status status = pcct_context_set_from_environment(context);
  if (status == PCCT_OK && workload->leaf_size) {
    status = pcct_context_set(context, "leaf-size", workload->leaf_size);
  }
  for (int s = 0; s < options->setting_count && status == PCCT_OK; s++) {
    status = set_one(context, options->settings[s]);
  }
  return status;
}

static cJSON *settings_json(pcct_context *context) {
  cJSON *object = cJSON_CreateObject();
  for (int s = 0; s < pcct_setting_count(); s++) {
    pcct_setting setting;
    if (pcct_context_setting(context, pcct_setting_name(s), &setting) == PCCT_OK) {
      cJSON_AddStringToObject(object, setting.name, setting.value);
    }
  }
  return object;
}

static pcct_status ask(pcct_index *index, const struct bench_workload *workload,
                       const double *queries, int rank, int size, pcct_rows *rows) {
  pcct_points share = {.dimension = workload->dimension};
  *rows = (pcct_rows){0};
  switch (workload->ask) {
  case BENCH_ASK_SELF:
    return pcct_index_neighbors(index, workload->k, 0, workload->points, rows);
  case BENCH_ASK_PREDECESSORS:
    return pcct_index_conditioning_sets(index, workload->k, 0, workload->points, rows);
  case BENCH_ASK_FOREIGN:
    pcct_slab(workload->queries, rank, size, &share.first_row, &share.count);
    share.coordinates = queries + share.first_row * share.dimension;
    return pcct_index_query(index, &share, workload->k, rows);
  case BENCH_ASK_NOTHING:
  case BENCH_ASK_MAXIMIN:
    break;
  }
  return PCCT_OK;
}

/* One run. Its rows are the caller's to clear. */
static pcct_status run_once(const struct bench_workload *workload, int threads,
                            const struct bench_options *options, const double *points,
                            const double *queries, MPI_Comm comm, struct run *run,
                            pcct_rows *rows) {
  pcct_context *context = NULL;
  pcct_index *index = NULL;
  int rank;
  int size;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  pcct_points share = {.dimension = workload->dimension};
  pcct_slab(workload->points, rank, size, &share.first_row, &share.count);
  share.coordinates = points + share.first_row * share.dimension;
  pcct_index_options how = pcct_index_options_default();
  how.ordering = workload->ask == BENCH_ASK_MAXIMIN ? PCCT_ORDERING_MAXIMIN : PCCT_ORDERING_NONE;
  *rows = (pcct_rows){0};
  pcct_status status = pcct_context_create(comm, threads, &context);
  if (status != PCCT_OK) {
    return fail(workload, context, status, "context");
  }
  status = apply_settings(context, workload, options);
  if (status != PCCT_OK) {
    fail(workload, context, status, "settings");
    goto cleanup;
  }
  run->settings = settings_json(context);
  bench_memory_reset();
  run->memory_before = bench_memory_resident();
  MPI_Barrier(comm);
  const double start = MPI_Wtime();
  status = pcct_index_create(context, &share, &how, &index);
  if (status != PCCT_OK) {
    fail(workload, context, status, "index");
    goto cleanup;
  }
  const double created = MPI_Wtime();
  run->memory_create = bench_memory_peak() - run->memory_before;
  bench_memory_reset();
  const double asked = MPI_Wtime();
  status = ask(index, workload, queries, rank, size, rows);
  if (status != PCCT_OK) {
    fail(workload, context, status, "query");
    goto cleanup;
  }
  MPI_Barrier(comm);
  const double answered = MPI_Wtime();
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  run->output = rows->count * (rows->width * (rows->index32 ? 12 : 16) + 4);
  run->memory_query = bench_memory_peak() - run->memory_before - run->output;
  run->create = created - start;
  run->query = answered - asked;
  run->total = run->create + run->query;
  memcpy(run->stages, context->base.stages, sizeof run->stages);
  run->counters = calloc((size_t)pcct_counter_count(), sizeof *run->counters);
  status = comm_agree(context, run->counters ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = pcct_context_phases(context, run->phases, &run->phase_count, NULL);
  }
  if (status == PCCT_OK) {
    status = pcct_context_counters(context, run->counters);
  }
  if (status != PCCT_OK) {
    fail(workload, context, status, "measurements");
  }
cleanup:
  pcct_index_destroy(&index);
  pcct_context_destroy(&context);
  return status;
}

static int64_t counter_sum(const struct run *run, const char *name) {
  for (int c = 0; c < pcct_counter_count(); c++) {
    if (strcmp(run->counters[c].name, name) == 0) {
      return run->counters[c].sum;
    }
  }
  return 0;
}

static void add_quotient(cJSON *object, const char *name, const char *per, int64_t above,
                         int64_t below) {
  char key[128];
  if (below > 0) {
    snprintf(key, sizeof key, "%s_per_%s", name, per);
    cJSON_AddNumberToObject(object, key, (double)above / (double)below);
  }
}

/* Counters of queries per query, maxima not at all, all others per point; some per batch too. */
static cJSON *quotients_json(const struct run *run) {
  static const char *const by_batch[] = {"batch_pairs", "scope_groups", "scope_groups_unique",
                                         "mis_rounds"};
  const int64_t queries = counter_sum(run, "queries");
  const int64_t points = counter_sum(run, "points");
  const int64_t batches = counter_sum(run, "batches");
  cJSON *object = cJSON_CreateObject();
  for (int c = 0; c < pcct_counter_count(); c++) {
    const pcct_counter *counter = &run->counters[c];
    const int of_query = strncmp(counter->name, "query_", 6) == 0;
    const int unit = strcmp(counter->name, "points") == 0 || strcmp(counter->name, "queries") == 0;
    if (counter->sum > 0 && !unit && !strstr(counter->name, "_max") &&
        !strstr(counter->name, "largest")) {
      add_quotient(object, counter->name, of_query ? "query" : "point", counter->sum,
                   of_query ? queries : points);
    }
  }
  for (size_t b = 0; b < sizeof by_batch / sizeof *by_batch; b++) {
    add_quotient(object, by_batch[b], "batch", counter_sum(run, by_batch[b]), batches);
  }
  /* Of the points that took part in independent sets, the share that went below a chosen one. */
  const int64_t below = counter_sum(run, "redistributions");
  const int64_t nodes = counter_sum(run, "tree_nodes");
  if (below + nodes > 0) {
    cJSON_AddNumberToObject(object, "domination_ratio", (double)below / (double)(below + nodes));
  }
  return object;
}

static cJSON *counters_json(const struct run *run) {
  cJSON *object = cJSON_CreateObject();
  for (int c = 0; c < pcct_counter_count(); c++) {
    cJSON *counter = cJSON_AddObjectToObject(object, run->counters[c].name);
    cJSON_AddNumberToObject(counter, "sum", (double)run->counters[c].sum);
    cJSON_AddNumberToObject(counter, "max", (double)run->counters[c].max);
  }
  return object;
}

static cJSON *stages_json(const struct run *run) {
#define STAGE_NAME(name) #name,
  static const char *const names[] = {STAGE_LIST(STAGE_NAME)};
#undef STAGE_NAME
  cJSON *object = cJSON_CreateObject();
  for (int s = 0; s < STAGE_COUNT; s++) {
    cJSON_AddNumberToObject(object, names[s], 1e3 * run->stages[s]);
  }
  return object;
}

static int compare_numbers(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median over the runs of the double at an offset of struct run. */
static double median(const struct run *runs, int count, size_t offset) {
  double *numbers = malloc((size_t)count * sizeof *numbers);
  if (!numbers) {
    abort();
  }
  for (int r = 0; r < count; r++) {
    memcpy(&numbers[r], (const char *)&runs[r] + offset, sizeof *numbers);
  }
  qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
  const double middle =
      count % 2 ? numbers[count / 2] : (numbers[count / 2 - 1] + numbers[count / 2]) / 2;
  free(numbers);
  return middle;
}

/* The run whose total is nearest to the median. */
static const struct run *median_run(const struct run *runs, int count) {
  const double middle = median(runs, count, offsetof(struct run, total));
  const struct run *nearest = runs;
  for (int r = 1; r < count; r++) {
    const double here = runs[r].total > middle ? runs[r].total - middle : middle - runs[r].total;
    const double best = nearest->total > middle ? nearest->total - middle : middle - nearest->total;
    nearest = here < best ? &runs[r] : nearest;
  }
  return nearest;
}

static int64_t sum(int64_t value, MPI_Comm comm) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_SUM, comm);
  return value;
}

/* Memory of the first run: later ones find what the first has freed. */
static cJSON *memory_json(const struct bench_workload *workload, const struct run *run,
                          MPI_Comm comm) {
  const int64_t create = sum(run->memory_create, comm);
  const int64_t query = sum(run->memory_query, comm);
  cJSON *object = cJSON_CreateObject();
  cJSON_AddNumberToObject(object, "before_bytes", (double)sum(run->memory_before, comm));
  cJSON_AddNumberToObject(object, "create_bytes", (double)create);
  cJSON_AddNumberToObject(object, "query_bytes", (double)query);
  cJSON_AddNumberToObject(object, "output_bytes", (double)sum(run->output, comm));
  cJSON_AddNumberToObject(object, "bytes_per_point",
                          (double)(create > query ? create : query) / (double)workload->points);
  return object;
}

static cJSON *run_json(const struct bench_workload *workload, const struct bench_options *options,
                       const struct run *runs, MPI_Comm comm) {
  const struct run *run = median_run(runs, options->repeat);
  int size;
  MPI_Comm_size(comm, &size);
  cJSON *object = cJSON_CreateObject();
  cJSON_AddStringToObject(object, "workload", workload->name);
  cJSON_AddStringToObject(object, "title", workload->title);
  cJSON_AddNumberToObject(object, "points", (double)workload->points);
  cJSON_AddNumberToObject(object, "queries", (double)workload->queries);
  cJSON_AddNumberToObject(object, "dimension", workload->dimension);
  cJSON_AddNumberToObject(object, "k", (double)workload->k);
  cJSON_AddNumberToObject(object, "ranks", size);
  cJSON_AddNumberToObject(object, "repeat", options->repeat);
  cJSON *seconds = cJSON_AddObjectToObject(object, "seconds");
  cJSON_AddNumberToObject(seconds, "total",
                          median(runs, options->repeat, offsetof(struct run, total)));
  cJSON_AddNumberToObject(seconds, "create",
                          median(runs, options->repeat, offsetof(struct run, create)));
  cJSON_AddNumberToObject(seconds, "query",
                          median(runs, options->repeat, offsetof(struct run, query)));
  cJSON *samples = cJSON_AddArrayToObject(object, "totals");
  for (int r = 0; r < options->repeat; r++) {
    cJSON_AddItemToArray(samples, cJSON_CreateNumber(runs[r].total));
  }
  cJSON *phases = cJSON_AddObjectToObject(object, "phases");
  for (int p = 0; p < run->phase_count; p++) {
    if (strcmp(run->phases[p].name, "read") != 0 && strcmp(run->phases[p].name, "write") != 0) {
      cJSON_AddNumberToObject(phases, run->phases[p].name, run->phases[p].max);
    }
  }
  cJSON_AddItemToObject(object, "stages_milliseconds", stages_json(run));
  cJSON_AddItemToObject(object, "memory", memory_json(workload, runs, comm));
  cJSON_AddItemToObject(object, "counters", counters_json(run));
  cJSON_AddItemToObject(object, "quotients", quotients_json(run));
  cJSON_AddItemToObject(object, "settings", cJSON_Duplicate(run->settings, 1));
  return object;
}

/* Adds checksum and check of the last run's rows. */
static void look_at_rows(cJSON *object, const struct bench_workload *workload,
                         const struct bench_options *options, const double *points,
                         const double *queries, const pcct_rows *rows, MPI_Comm comm) {
  double checksum = bench_checksum(workload, rows);
  int size;
  MPI_Comm_size(comm, &size);
  MPI_Allreduce(MPI_IN_PLACE, &checksum, 1, MPI_DOUBLE, MPI_SUM, comm);
  cJSON_AddNumberToObject(object, "checksum", checksum);
  if (options->check > 0 && rows->width > 0) {
    const int64_t share = (options->check + size - 1) / size;
    const int64_t looked = share < rows->count ? share : rows->count;
    const int64_t wrong = bench_check(workload, points, queries, rows, share);
    cJSON_AddNumberToObject(object, "checked", (double)sum(looked, comm));
    cJSON_AddNumberToObject(object, "wrong", (double)sum(wrong, comm));
  }
}

pcct_status bench_measure(const struct bench_workload *workload, int threads,
                          const struct bench_options *options, const double *points,
                          const double *queries, MPI_Comm comm, cJSON **out) {
  pcct_status status = PCCT_OK;
  pcct_rows rows = {0};
  *out = NULL;
  struct run *runs = calloc((size_t)options->repeat, sizeof *runs);
  if (!runs) {
    MPI_Abort(comm, PCCT_MEMORY);
  }
  bench_memory_trim();
  for (int r = 0; r < options->repeat && status == PCCT_OK; r++) {
    pcct_rows_clear(&rows);
    status = run_once(workload, threads, options, points, queries, comm, &runs[r], &rows);
  }
  if (status == PCCT_OK) {
    *out = run_json(workload, options, runs, comm);
    cJSON_AddNumberToObject(*out, "threads", threads);
    look_at_rows(*out, workload, options, points, queries, &rows, comm);
  }
  for (int r = 0; r < options->repeat; r++) {
    free(runs[r].counters);
    cJSON_Delete(runs[r].settings);
  }
  free(runs);
  pcct_rows_clear(&rows);
  return status;
}
