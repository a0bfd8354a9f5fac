/* The workloads and their points. */
#include "base/random.h"
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLION 1000000

/* name, title, kind, dimension, points, queries, ask, k, leaf size */
const struct bench_workload bench_workloads[] = {
    {"w1-k30", "uniform 2-D, k = 30", BENCH_UNIFORM, 2, MILLION, 0, BENCH_ASK_SELF, 30, NULL},
    {"w1-k10", "uniform 2-D, k = 10", BENCH_UNIFORM, 2, MILLION, 0, BENCH_ASK_SELF, 10, NULL},
    {"w2-k10", "uniform 3-D, k = 10", BENCH_UNIFORM, 3, MILLION, 0, BENCH_ASK_SELF, 10, NULL},
    {"w2-k30", "uniform 3-D, k = 30", BENCH_UNIFORM, 3, MILLION, 0, BENCH_ASK_SELF, 30, NULL},
    {"w3-k30", "clustered 2-D, k = 30", BENCH_CLUSTERED, 2, MILLION, 0, BENCH_ASK_SELF, 30, NULL},
    {"w4-k30", "sphere 3-D, k = 30", BENCH_SPHERE, 3, MILLION, 0, BENCH_ASK_SELF, 30, NULL},
    {"w5", "normal 8-D, 10^5 points, 10^4 queries, k = 16", BENCH_NORMAL, 8, 100000, 10000,
     BENCH_ASK_FOREIGN, 16, NULL},
    {"w5-uniform", "uniform 8-D, 10^5 points, 10^4 queries, k = 16", BENCH_UNIFORM, 8, 100000,
     10000, BENCH_ASK_FOREIGN, 16, NULL},
    {"w5-8192", "normal 8-D, 8,192 points, 1,024 queries, k = 16", BENCH_NORMAL, 8, 8192, 1024,
     BENCH_ASK_FOREIGN, 16, NULL},
    {"w5-2048", "normal 8-D, 2,048 points, 512 queries, k = 8", BENCH_NORMAL, 8, 2048, 512,
     BENCH_ASK_FOREIGN, 8, NULL},
    {"w5-8192-uniform", "uniform 8-D, 8,192 points, 1,024 queries, k = 16", BENCH_UNIFORM, 8, 8192,
     1024, BENCH_ASK_FOREIGN, 16, NULL},
    {"w5-2048-uniform", "uniform 8-D, 2,048 points, 512 queries, k = 8", BENCH_UNIFORM, 8, 2048,
     512, BENCH_ASK_FOREIGN, 8, NULL},
    {"w5-32768-k8", "uniform 8-D, 32,768 points, 1,024 queries, k = 8", BENCH_UNIFORM, 8, 32768,
     1024, BENCH_ASK_FOREIGN, 8, NULL},
    {"w5-32768-k50", "uniform 8-D, 32,768 points, 1,024 queries, k = 50", BENCH_UNIFORM, 8, 32768,
     1024, BENCH_ASK_FOREIGN, 50, NULL},
    {"w6", "30 nearest predecessors, 2-D, 10^6", BENCH_UNIFORM, 2, MILLION, 0,
     BENCH_ASK_PREDECESSORS, 30, NULL},
    {"w6-1e5", "30 nearest predecessors, 2-D, 10^5", BENCH_UNIFORM, 2, 100000, 0,
     BENCH_ASK_PREDECESSORS, 30, NULL},
    {"build", "build and finalise, uniform 2-D, 10^6", BENCH_UNIFORM, 2, MILLION, 0,
     BENCH_ASK_NOTHING, 0, NULL},
    {"build-leaf1", "build and finalise, uniform 2-D, 10^6, leaf size 1", BENCH_UNIFORM, 2, MILLION,
     0, BENCH_ASK_NOTHING, 0, "1"},
    {"maximin-2d", "exact maximin order, uniform 2-D, 10^6", BENCH_UNIFORM, 2, MILLION, 0,
     BENCH_ASK_MAXIMIN, 0, NULL},
    {"maximin-3d", "exact maximin order, uniform 3-D, 10^6", BENCH_UNIFORM, 3, MILLION, 0,
     BENCH_ASK_MAXIMIN, 0, NULL},
    {"maximin-clustered", "exact maximin order, clustered 2-D, 10^6", BENCH_CLUSTERED, 2, MILLION,
     0, BENCH_ASK_MAXIMIN, 0, NULL},
};
const int bench_workload_count = (int)(sizeof bench_workloads / sizeof *bench_workloads);

const struct bench_workload *bench_workload_find(const char *name) {
  for (int w = 0; w < bench_workload_count; w++) {
    if (strcmp(bench_workloads[w].name, name) == 0) {
      return &bench_workloads[w];
    }
  }
  return NULL;
}

enum { SEED_POINTS = 20240601, SEED_QUERIES, SEED_CLUSTERS, CLUSTERS = 1000, PER_ROW = 64 };

/* The i-th uniform number of a row; rows have PER_ROW of them. */
static double uniform(uint64_t seed, int64_t row, int i) {
  return random_uniform(seed, RANDOM_GENERATE, (uint64_t)row * PER_ROW + (uint64_t)i);
}

/* A standard normal from two uniform numbers (Box and Muller). */
static double normal(uint64_t seed, int64_t row, int i) {
  const double turn = 2 * 3.14159265358979323846 * uniform(seed, row, 2 * i);
  return sqrt(-2 * log(uniform(seed, row, 2 * i + 1))) * cos(turn);
}

static void make_row(const struct bench_workload *workload, uint64_t seed, int64_t row, double *x) {
  const int d = workload->dimension;
  switch (workload->kind) {
  case BENCH_UNIFORM:
    for (int j = 0; j < d; j++) {
      x[j] = uniform(seed, row, j);
    }
    break;
  case BENCH_NORMAL:
    for (int j = 0; j < d; j++) {
      x[j] = normal(seed, row, j);
    }
    break;
  case BENCH_CLUSTERED: {
    const int64_t cluster = (int64_t)(uniform(seed, row, PER_ROW - 1) * CLUSTERS);
    const double width = pow(10, 3 * uniform(SEED_CLUSTERS, cluster, PER_ROW - 1) - 4.5);
    for (int j = 0; j < d; j++) {
      x[j] = uniform(SEED_CLUSTERS, cluster, j) + width * normal(seed, row, j);
    }
    break;
  }
  case BENCH_SPHERE: {
    const double height = 2 * uniform(seed, row, 0) - 1;
    const double turn = 2 * 3.14159265358979323846 * uniform(seed, row, 1);
    const double across = sqrt(1 - height * height);
    x[0] = across * cos(turn);
    x[1] = across * sin(turn);
    x[2] = height;
    break;
  }
  }
}

void bench_make_rows(const struct bench_workload *workload, int queries, int64_t first,
                     int64_t count, double *out) {
  const uint64_t seed = queries ? SEED_QUERIES : SEED_POINTS;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++) {
    make_row(workload, seed, first + i, out + i * workload->dimension);
  }
}

/* Whether the file held exactly `count` numbers. */
static int read_numbers(const char *path, double *out, int64_t count) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    return 0;
  }
  const size_t found = fread(out, sizeof *out, (size_t)count, file);
  const int more = fgetc(file) != EOF;
  fclose(file);
  return found == (size_t)count && !more;
}

static int write_numbers(const char *path, const double *numbers, int64_t count) {
  FILE *file = fopen(path, "wb");
  if (!file) {
    return 0;
  }
  const size_t written = fwrite(numbers, sizeof *numbers, (size_t)count, file);
  return fclose(file) == 0 && written == (size_t)count;
}

void bench_rows_path(const struct bench_workload *workload, int queries, const char *directory,
                     char *path, size_t size) {
  static const char *const kinds[] = {
      [BENCH_UNIFORM] = "uniform",
      [BENCH_CLUSTERED] = "clustered",
      [BENCH_SPHERE] = "sphere",
      [BENCH_NORMAL] = "normal",
  };
  snprintf(path, size, "%s/%s-%dd-%lld%s.f64", directory, kinds[workload->kind],
           workload->dimension, (long long)(queries ? workload->queries : workload->points),
           queries ? "-queries" : "");
}

double *bench_load_rows(const struct bench_workload *workload, int queries, const char *directory,
                        MPI_Comm comm) {
  const int64_t rows = queries ? workload->queries : workload->points;
  const int64_t count = rows * workload->dimension;
  int rank;
  int good = 1;
  char path[BENCH_PATH_SIZE] = "";
  MPI_Comm_rank(comm, &rank);
  double *out = malloc((size_t)(count > 0 ? count : 1) * sizeof *out);
  if (!out) {
    fprintf(stderr, "pcct-bench: no memory for %lld points\n", (long long)rows);
    MPI_Abort(comm, PCCT_MEMORY);
  }
  if (directory) {
    bench_rows_path(workload, queries, directory, path, sizeof path);
  }
  int made = !directory || !read_numbers(path, out, count);
  MPI_Allreduce(MPI_IN_PLACE, &made, 1, MPI_INT, MPI_MAX, comm);
  if (made) {
    bench_make_rows(workload, queries, 0, rows, out);
    good = !directory || rank != 0 || write_numbers(path, out, count);
    MPI_Allreduce(MPI_IN_PLACE, &good, 1, MPI_INT, MPI_MIN, comm);
  }
  if (!good) {
    if (rank == 0) {
      fprintf(stderr, "pcct-bench: cannot write %s\n", path);
    }
    free(out);
    out = NULL;
  }
  return out;
}
