/* ranks: 1 */
/* threads: 1 */
/*
 * Regressions of work and memory: counters of fixed workloads, on one thread, stay below ceilings a little
 * above what was measured. A crossed ceiling means that something got slower or larger. Measured values are
 * printed: a ceiling far above its value should be lowered.
 */
#include "base/comm.h"
#include "test_points_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <malloc.h>

enum per { PER_RUN, PER_POINT, PER_QUERY, PER_BATCH };

/* The most that a counter may be, in total or as a quotient. */
struct ceiling {
  const char *counter;
  enum per per;
  double most;
};

enum { CEILINGS = 8 };

/* What is made and asked, and what it may cost. */
struct workload {
  const char *name;
  enum points_made kind;
  int dimension;
  int64_t count;
  const char *leaf_size; /* NULL: what fits */
  const char *budget;    /* NULL: the default */
  int64_t k;             /* 0: nothing is asked */
  bool predecessors;
  struct ceiling ceilings[CEILINGS]; /* the last may be zeros */
};

static const struct workload workloads[] = {
    {.name = "30 nearest, 2-D",
     .kind = MADE_UNIFORM,
     .dimension = 2,
     .count = 20000,
     .k = 30,
     .ceilings = {{"query_distances", PER_QUERY, 262},
                  {"query_nodes", PER_QUERY, 0.19},
                  {"build_distances", PER_POINT, 7.6},
                  {"batch_pairs", PER_BATCH, 8},
                  {"tree_nodes", PER_POINT, 0.0046},
                  {"view_nodes", PER_POINT, 0.0052},
                  {"view_leaves", PER_POINT, 0.0172}}},
    {.name = "30 nearest predecessors, 2-D",
     .kind = MADE_UNIFORM,
     .dimension = 2,
     .count = 20000,
     .k = 30,
     .predecessors = true,
     .ceilings = {{"query_distances", PER_QUERY, 264}, {"query_nodes", PER_QUERY, 1.75}}},
    {.name = "10 nearest, 3-D",
     .kind = MADE_UNIFORM,
     .dimension = 3,
     .count = 20000,
     .k = 10,
     .ceilings = {{"query_distances", PER_QUERY, 345},
                  {"query_nodes", PER_QUERY, 0.38},
                  {"build_distances", PER_POINT, 6.7},
                  {"batch_pairs", PER_BATCH, 4.6}}},
    {.name = "8 nearest, 8-D",
     .kind = MADE_UNIFORM,
     .dimension = 8,
     .count = 4000,
     .k = 8,
     .ceilings = {{"query_distances", PER_QUERY, 2260},
                  {"query_nodes", PER_QUERY, 0.155},
                  {"build_distances", PER_POINT, 3.3}}},
    {.name = "every point a node, 2-D",
     .kind = MADE_UNIFORM,
     .dimension = 2,
     .count = 20000,
     .leaf_size = "1",
     .k = 30,
     .ceilings = {{"query_distances", PER_QUERY, 271},
                  {"query_nodes", PER_QUERY, 0.21},
                  {"build_distances", PER_POINT, 191},
                  {"batch_pairs", PER_BATCH, 355},
                  {"batches", PER_RUN, 26},
                  {"view_nodes", PER_POINT, 0.0054},
                  {"view_leaves", PER_POINT, 0.0172}}},
};

static double *make_rows(const struct workload *workload) {
  double *rows = calloc((size_t)(workload->count * workload->dimension), sizeof *rows);
  assert_non_null(rows);
  for (int64_t row = 0; row < workload->count; row++) {
    made_point(workload->kind, row, workload->dimension, rows + row * workload->dimension);
  }
  return rows;
}

static void set(pcct_context *context, const char *name, const char *value) {
  if (value) {
    assert_int_equal(pcct_context_set(context, name, value), PCCT_OK);
  }
}

/* A context in which the workload has run. */
static pcct_context *run(const struct workload *workload, const double *rows) {
  pcct_context *context = NULL;
  pcct_index *index = NULL;
  pcct_rows found = {0};
  const pcct_points points = {0, workload->count, workload->dimension, rows};
  assert_int_equal(pcct_context_create(MPI_COMM_SELF, 0, &context), PCCT_OK);
  set(context, "leaf-size", workload->leaf_size);
  set(context, "pairs-budget", workload->budget);
  assert_int_equal(pcct_index_create(context, &points, NULL, &index), PCCT_OK);
  if (workload->k > 0) {
    const pcct_status status =
        workload->predecessors
            ? pcct_index_conditioning_sets(index, workload->k, 0, workload->count, &found)
            : pcct_index_neighbors(index, workload->k, 0, workload->count, &found);
    assert_int_equal(status, PCCT_OK);
  }
  pcct_rows_clear(&found);
  pcct_index_destroy(&index);
  return context;
}

/* A counter by its public name. */
static int64_t counter_of(pcct_context *context, const char *name) {
  pcct_counter counters[COUNTER_COUNT];
  assert_int_equal(pcct_counter_count(), COUNTER_COUNT);
  assert_int_equal(pcct_context_counters(context, counters), PCCT_OK);
  for (int c = 0; c < COUNTER_COUNT; c++) {
    if (strcmp(counters[c].name, name) == 0) {
      return counters[c].sum;
    }
  }
  fail_msg("no counter is called %s", name);
  return -1;
}

static double measured(pcct_context *context, const struct ceiling *ceiling) {
  static const char *const units[] = {
      [PER_POINT] = "points", [PER_QUERY] = "queries", [PER_BATCH] = "batches"};
  const double value = (double)counter_of(context, ceiling->counter);
  return ceiling->per == PER_RUN ? value : value / (double)counter_of(context, units[ceiling->per]);
}

static void test_ceilings(void **state) {
  (void)state;
  static const char *const words[] = {"", " a point", " a query", " a batch"};
  int crossed = 0;
  for (size_t w = 0; w < sizeof workloads / sizeof *workloads; w++) {
    const struct workload *workload = &workloads[w];
    double *rows = make_rows(workload);
    pcct_context *context = run(workload, rows);
    for (int c = 0; c < CEILINGS && workload->ceilings[c].counter; c++) {
      const struct ceiling *ceiling = &workload->ceilings[c];
      const double value = measured(context, ceiling);
      const bool good = value > 0 && value <= ceiling->most;
      print_message("%s: %s%s %.4g, at most %.4g%s\n", workload->name, ceiling->counter,
                    words[ceiling->per], value, ceiling->most, good ? "" : ": CROSSED");
      crossed += !good;
    }
    pcct_context_destroy(&context);
    free(rows);
  }
  assert_int_equal(crossed, 0);
}

/* The conflict graphs of every kind of points stay within the budget, be it large or small. */
static void test_pairs_budget(void **state) {
  (void)state;
  static const char *const budgets[] = {NULL, "20000", "1000"};
  static const char *const leaf_sizes[] = {NULL, "1"};
  static const int dimensions[] = {1, 2, 8};
  int64_t halved = 0;
  for (int kind = 0; kind < MADE_KINDS; kind++) {
    for (int c = 0; c < 3 * 2 * 3; c++) {
      const struct workload workload = {.kind = (enum points_made)kind,
                                        .dimension = dimensions[c / 6],
                                        .count = 5000,
                                        .budget = budgets[c % 3],
                                        .leaf_size = leaf_sizes[c / 3 % 2]};
      const int64_t budget = workload.budget ? strtoll(workload.budget, NULL, 10) : 6000000;
      double *rows = make_rows(&workload);
      pcct_context *context = run(&workload, rows);
      assert_true(counter_of(context, "pairs_per_level_max") <= budget);
      halved += counter_of(context, "batches_halved");
      pcct_context_destroy(&context);
      free(rows);
    }
  }
  assert_true(halved > 0);
}

/* A number of /proc/self/status in bytes, or -1. */
static int64_t status_bytes(const char *key) {
  char line[256];
  int64_t bytes = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && bytes < 0 && fgets(line, sizeof line, file)) {
    if (strncmp(line, key, strlen(key)) == 0) {
      bytes = strtoll(line + strlen(key) + 1, NULL, 10) * 1024;
    }
  }
  if (file) {
    fclose(file);
  }
  return bytes;
}

/* Whether the peak of resident memory could be set back to what is resident now. */
static bool peak_reset(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (!file) {
    return false;
  }
  const bool written = fputs("5", file) >= 0;
  return fclose(file) == 0 && written;
}

/* Memory at its peak, beyond the caller's points and the rows of the result. */
static void test_bytes_per_point(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip();
#endif
  enum { COUNT = 200000, MOST = 135 };
  const struct workload workload = {.kind = MADE_UNIFORM, .dimension = 2, .count = COUNT, .k = 30};
  const int64_t output = COUNT * (workload.k * 12 + 4);
  double *rows = make_rows(&workload);
  malloc_trim(0);
  const int64_t before = status_bytes("VmRSS");
  if (before < 0 || !peak_reset()) {
    skip();
  }
  pcct_context *context = run(&workload, rows);
  const double bytes = (double)(status_bytes("VmHWM") - before - output) / COUNT;
  print_message("bytes a point %.4g, at most %d\n", bytes, MOST);
  assert_true(bytes <= MOST);
  pcct_context_destroy(&context);
  free(rows);
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ceilings),
      cmocka_unit_test(test_pairs_budget),
      cmocka_unit_test(test_bytes_per_point),
  };
  int failures = cmocka_run_group_tests_name("counters", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
