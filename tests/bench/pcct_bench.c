/* pcct-bench: measures workloads of fixed seeds. README.md says how to use it. */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <omp.h>

enum { MOST_WORKLOADS = 64, MOST_THREADS = 16 };

struct arguments {
  struct bench_options options;
  struct bench_workload workloads[MOST_WORKLOADS];
  int workload_count;
  int threads[MOST_THREADS];
  int threads_count;
  int64_t points; /* at most so many; 0: as the workloads say */
  int64_t k;      /* 0: as the workloads say */
  const char *directory, *json;
  int counters, make_only;
  char isa[32], leaf_size[64]; /* as name=value */
};

static const char usage[] =
    "pcct-bench [--workload NAME,...|all] [--threads T,...] [--repeat N] [--check N]\n"
    "           [--isa NAME] [--leaf-size N] [--set NAME=VALUE]... [--points N] [--k K]\n"
    "           [--data DIRECTORY] [--make-only] [--json FILE] [--counters] [--list] [--help]\n";

static int refuse(const char *what, const char *found) {
  fprintf(stderr, "pcct-bench: %s: found %s\n%s", what, found, usage);
  return PCCT_USAGE;
}

/* A whole number from `least` to `most`, or -1. */
static int64_t whole(const char *text, int64_t least, int64_t most) {
  char *end;
  const long long value = strtoll(text, &end, 10);
  return *text && !*end && value >= least && value <= most ? (int64_t)value : -1;
}

static int add_workloads(struct arguments *arguments, char *names) {
  for (char *rest = NULL, *name = strtok_r(names, ",", &rest); name;
       name = strtok_r(NULL, ",", &rest)) {
    const int all = strcmp(name, "all") == 0;
    const struct bench_workload *found = all ? bench_workloads : bench_workload_find(name);
    const int count = all ? bench_workload_count : 1;
    if (!found || arguments->workload_count + count > MOST_WORKLOADS) {
      return refuse("--workload: expected names that --list shows", name);
    }
    memcpy(&arguments->workloads[arguments->workload_count], found, (size_t)count * sizeof *found);
    arguments->workload_count += count;
  }
  return 0;
}

static int add_threads(struct arguments *arguments, char *numbers) {
  for (char *rest = NULL, *text = strtok_r(numbers, ",", &rest); text;
       text = strtok_r(NULL, ",", &rest)) {
    const int64_t threads = whole(text, 1, 4096);
    if (threads < 0 || arguments->threads_count == MOST_THREADS) {
      return refuse("--threads: expected numbers from 1 to 4096", text);
    }
    arguments->threads[arguments->threads_count++] = (int)threads;
  }
  return 0;
}

static int add_setting(struct arguments *arguments, const char *pair) {
  struct bench_options *options = &arguments->options;
  const size_t room = sizeof options->settings / sizeof *options->settings;
  if (!strchr(pair, '=') || options->setting_count == (int)room) {
    return refuse("--set: expected NAME=VALUE", pair);
  }
  options->settings[options->setting_count++] = pair;
  return 0;
}

static void list(void) {
  for (int w = 0; w < bench_workload_count; w++) {
    printf("%-16s %s\n", bench_workloads[w].name, bench_workloads[w].title);
  }
}

/* The options; -1: go on, otherwise the exit code. */
static int parse(int count, char **values, struct arguments *arguments) {
  static const struct option known[] = {
      {"workload", required_argument, NULL, 'w'}, {"threads", required_argument, NULL, 't'},
      {"repeat", required_argument, NULL, 'r'},   {"check", required_argument, NULL, 'c'},
      {"isa", required_argument, NULL, 'i'},      {"leaf-size", required_argument, NULL, 'l'},
      {"set", required_argument, NULL, 's'},      {"points", required_argument, NULL, 'p'},
      {"k", required_argument, NULL, 'k'},        {"data", required_argument, NULL, 'd'},
      {"json", required_argument, NULL, 'j'},     {"counters", no_argument, NULL, 'C'},
      {"make-only", no_argument, NULL, 'm'},      {"list", no_argument, NULL, 'L'},
      {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
  int letter;
  int wrong = 0;
  int64_t number = 0;
  while (!wrong && (letter = getopt_long(count, values, "", known, NULL)) != -1) {
    switch (letter) {
    case 'w':
      wrong = add_workloads(arguments, optarg);
      break;
    case 't':
      wrong = add_threads(arguments, optarg);
      break;
    case 'r':
      number = whole(optarg, 1, 10000);
      wrong = number < 0 ? refuse("--repeat: expected a number from 1 on", optarg) : 0;
      arguments->options.repeat = (int)number;
      break;
    case 'c':
      number = whole(optarg, 0, INT32_MAX);
      wrong = number < 0 ? refuse("--check: expected a number of queries", optarg) : 0;
      arguments->options.check = number;
      break;
    case 'i':
      snprintf(arguments->isa, sizeof arguments->isa, "isa=%s", optarg);
      wrong = add_setting(arguments, arguments->isa);
      break;
    case 'l':
      snprintf(arguments->leaf_size, sizeof arguments->leaf_size, "leaf-size=%s", optarg);
      wrong = add_setting(arguments, arguments->leaf_size);
      break;
    case 's':
      wrong = add_setting(arguments, optarg);
      break;
    case 'p':
      arguments->points = whole(optarg, 1, INT32_MAX);
      wrong = arguments->points < 0 ? refuse("--points: expected a number from 1 on", optarg) : 0;
      break;
    case 'k':
      arguments->k = whole(optarg, 1, INT32_MAX);
      wrong = arguments->k < 0 ? refuse("--k: expected a number from 1 on", optarg) : 0;
      break;
    case 'd':
      arguments->directory = optarg;
      break;
    case 'j':
      arguments->json = optarg;
      break;
    case 'C':
      arguments->counters = 1;
      break;
    case 'm':
      arguments->make_only = 1;
      break;
    case 'L':
      list();
      return 0;
    case 'h':
      fputs(usage, stdout);
      return 0;
    default:
      wrong = PCCT_USAGE;
    }
  }
  if (!wrong && optind < count) {
    wrong = refuse("expected options alone", values[optind]);
  }
  return wrong ? wrong : -1;
}

/* What was not said, and what scales down. */
static void complete(struct arguments *arguments) {
  if (arguments->workload_count == 0) {
    arguments->workloads[arguments->workload_count++] = bench_workloads[0];
  }
  if (arguments->threads_count == 0) {
    arguments->threads[arguments->threads_count++] = omp_get_max_threads();
  }
  for (int w = 0; w < arguments->workload_count; w++) {
    struct bench_workload *workload = &arguments->workloads[w];
    if (arguments->points > 0 && arguments->points < workload->points) {
      workload->points = arguments->points;
      workload->queries =
          workload->queries < workload->points ? workload->queries : workload->points;
    }
    workload->k = arguments->k > 0 && workload->k > 0 ? arguments->k : workload->k;
  }
}

/* The processor's name, as Linux tells it. */
static void add_machine(cJSON *document) {
  char line[512];
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) == 0 && colon && colon[1] == ' ') {
      line[strcspn(line, "\n")] = '\0';
      cJSON_AddStringToObject(document, "processor", colon + 2);
      break;
    }
  }
  if (file) {
    fclose(file);
  }
  cJSON_AddNumberToObject(document, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
  cJSON_AddStringToObject(document, "version", pcct_version());
}

static int write_json(const char *path, const cJSON *document) {
  char *text = cJSON_Print(document);
  FILE *file = text ? fopen(path, "w") : NULL;
  int good = file && fprintf(file, "%s\n", text) > 0;
  good = file && fclose(file) == 0 && good;
  cJSON_free(text);
  if (!good) {
    fprintf(stderr, "pcct-bench: cannot write %s\n", path);
  }
  return good ? PCCT_OK : PCCT_FILE;
}

/* Where the points and queries are, for the drivers of other libraries. */
static void add_files(cJSON *run, const struct bench_workload *workload, const char *directory) {
  char path[BENCH_PATH_SIZE];
  if (directory) {
    bench_rows_path(workload, 0, directory, path, sizeof path);
    cJSON_AddStringToObject(run, "points_file", path);
    bench_rows_path(workload, 1, directory, path, sizeof path);
    cJSON_AddStringToObject(run, "queries_file", workload->queries > 0 ? path : "");
  }
}

/* One workload on every number of threads. */
static int run_workload(const struct arguments *arguments, const struct bench_workload *workload,
                        int rank, cJSON *runs) {
  int status = PCCT_OK;
  double *queries = NULL;
  double *points = bench_load_rows(workload, 0, arguments->directory, MPI_COMM_WORLD);
  if (points && workload->ask == BENCH_ASK_FOREIGN) {
    queries = bench_load_rows(workload, 1, arguments->directory, MPI_COMM_WORLD);
  }
  if (!points || (workload->ask == BENCH_ASK_FOREIGN && !queries)) {
    status = PCCT_FILE;
  }
  for (int t = 0; t < arguments->threads_count && status == PCCT_OK && !arguments->make_only; t++) {
    cJSON *run = NULL;
    status = bench_measure(workload, arguments->threads[t], &arguments->options, points, queries,
                           MPI_COMM_WORLD, &run);
    if (status != PCCT_OK) {
      break;
    }
    add_files(run, workload, arguments->directory);
    const cJSON *wrong = cJSON_GetObjectItemCaseSensitive(run, "wrong");
    status = wrong && wrong->valuedouble > 0 ? PCCT_DIFFERENT : PCCT_OK;
    if (rank == 0) {
      bench_print(run, arguments->counters);
    }
    cJSON_AddItemToArray(runs, run);
  }
  free(points);
  free(queries);
  return status;
}

int main(int count, char **values) {
  static struct arguments arguments = {.options = {.repeat = 3}};
  int provided;
  int rank;
  int status;
  MPI_Init_thread(&count, &values, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  opterr = rank == 0;
  status = parse(count, values, &arguments);
  if (status < 0) {
    complete(&arguments);
    cJSON *document = cJSON_CreateObject();
    add_machine(document);
    cJSON *runs = cJSON_AddArrayToObject(document, "runs");
    status = PCCT_OK;
    for (int w = 0; w < arguments.workload_count; w++) {
      const int here = run_workload(&arguments, &arguments.workloads[w], rank, runs);
      status = here > status ? here : status;
    }
    if (arguments.json && rank == 0 && write_json(arguments.json, document) != PCCT_OK) {
      status = PCCT_FILE;
    }
    cJSON_Delete(document);
  }
  MPI_Finalize();
  return status;
}
