/*
 * pcct-bench: what its parts share. A workload says which points are made and what is asked of them; a
 * measurement is one workload run several times on some threads through the library's public interface.
 */
#ifndef BENCH_H
#define BENCH_H

#include "base/comm.h"

#include <cjson/cJSON.h>

/* How points are made, [0, 1) or around it. */
enum bench_kind {
  BENCH_UNIFORM,   /* uniform in the unit cube */
  BENCH_CLUSTERED, /* 1,000 normal clusters, widths log-uniform from 10^-4.5 to 10^-1.5 */
  BENCH_SPHERE,    /* uniform on the unit sphere in 3-D */
  BENCH_NORMAL     /* independent standard normals */
};

enum bench_ask {
  BENCH_ASK_SELF,         /* k nearest other points of every point */
  BENCH_ASK_FOREIGN,      /* k nearest points of foreign queries */
  BENCH_ASK_PREDECESSORS, /* k nearest among the points before, in file order */
  BENCH_ASK_NOTHING,      /* build alone */
  BENCH_ASK_MAXIMIN       /* build in exact maximin order, which is the work */
};

struct bench_workload {
  const char *name;
  const char *title;
  enum bench_kind kind;
  int dimension;
  int64_t points;
  int64_t queries; /* BENCH_ASK_FOREIGN alone */
  enum bench_ask ask;
  int64_t k;
  const char *leaf_size; /* a setting that belongs to the workload; NULL: none */
};

/* The workloads, and how many. */
extern const struct bench_workload bench_workloads[];
extern const int bench_workload_count;

/* The workload of a name, or NULL. */
const struct bench_workload *bench_workload_find(const char *name);

/* The coordinates of a workload's points or foreign queries: rows first .. first+count-1, the same for any
 * range, thread count and machine with the same libm.
 *   queries [in] whether the queries are wanted
 *   out     [out] [count][dimension] */
void bench_make_rows(const struct bench_workload *workload, int queries, int64_t first,
                     int64_t count, double *out);

/* Where a directory has them: KIND-DIMENSIONd-COUNT.f64 or KIND-DIMENSIONd-COUNT-queries.f64, raw float64. */
enum { BENCH_PATH_SIZE = 4096 };
void bench_rows_path(const struct bench_workload *workload, int queries, const char *directory,
                     char *path, size_t size);

/* All points or queries, read from the directory if they are there, else made and, by rank 0, written there.
 * Collective.
 *   directory [in] NULL: made
 *   out       [out] [count][dimension], freed with free; NULL after a failure, which is printed */
double *bench_load_rows(const struct bench_workload *workload, int queries, const char *directory,
                        MPI_Comm comm);

/* How to run. */
struct bench_options {
  const char *settings[64]; /* "name=value" each */
  int setting_count;
  int repeat;
  int64_t check; /* queries to compare with a plain search */
};

/* Runs a workload and describes it as JSON: settings, seconds, phases, stages, memory, counters, checksum.
 * Collective. A failure, the same on all ranks, is printed.
 *   points, queries [in] all of them, on every rank
 *   run             [out] the caller's; NULL on failure */
pcct_status bench_measure(const struct bench_workload *workload, int threads,
                          const struct bench_options *options, const double *points,
                          const double *queries, MPI_Comm comm, cJSON **run);

/* Compares sampled rows of a result with a plain search: the same indices and the same distances, bit for
 * bit. Prints the first difference.
 *   rows   [in] this rank's
 *   sample [in] how many of this rank's rows to look at
 * Returns the number of rows that differ. */
int64_t bench_check(const struct bench_workload *workload, const double *points,
                    const double *queries, const pcct_rows *rows, int64_t sample);

/* The sum of the distances that peers report too: for BENCH_ASK_SELF, where peers find the point itself
 * among their k, that of the first k - 1. */
double bench_checksum(const struct bench_workload *workload, const pcct_rows *rows);

/* Resident memory and its peak since the last bench_memory_reset, in bytes; -1 if not known. Trimming gives
 * back what was freed. */
int64_t bench_memory_resident(void);
int64_t bench_memory_peak(void);
void bench_memory_reset(void);
void bench_memory_trim(void);

/* Prints a run for people. */
void bench_print(const cJSON *run, int with_counters);

#endif
