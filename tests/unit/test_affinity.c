/* threads: 1 */
/*
 * Threads that share cores: examples with their lines, and random hosts against all subsets of their threads.
 */
#include "app/affinity_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 64, LINE_BYTES = 600 };

/* What was found. */
struct lines {
  int count;
  char text[LINES][LINE_BYTES];
};

static void keep(void *user, const char *line) {
  struct lines *lines = user;
  if (lines->count < LINES) {
    snprintf(lines->text[lines->count], LINE_BYTES, "%s", line);
  }
  lines->count++;
}

/* A thread of a rank that may use the cores first .. last; none if they are negative. */
static struct affinity_place thread(const char *host, int rank, int first, int last) {
  struct affinity_place place = {.rank = rank};
  snprintf(place.host, sizeof place.host, "%s", host);
  for (int core = first; core >= 0 && core <= last; core++) {
    place.allowed[core / 64] |= UINT64_C(1) << core % 64;
    place.cores++;
  }
  return place;
}

static void check(struct affinity_place *places, int64_t count, struct lines *lines) {
  struct base base;
  base_init(&base, 1);
  lines->count = 0;
  assert_int_equal(affinity_check(&base, places, count, keep, lines), PCCT_OK);
}

static void test_examples(void **state) {
  (void)state;
  struct lines lines;
  struct affinity_place apart[] = {thread("a", 0, 0, 3), thread("a", 0, 0, 3), thread("a", 1, 2, 2),
                                   thread("a", 2, 3, 3), thread("b", 3, 0, 0)};
  check(apart, 5, &lines);
  assert_int_equal(lines.count, 0);
  check(apart, 0, &lines);
  assert_int_equal(lines.count, 0);
  /* enough cores on the host, but two ranks hold the same one */
  struct affinity_place pair[] = {thread("a", 0, 0, 0), thread("a", 1, 0, 0), thread("a", 2, 1, 9),
                                  thread("b", 3, 0, 0)};
  check(pair, 4, &lines);
  assert_int_equal(lines.count, 1);
  assert_string_equal(lines.text[0], "2 threads of ranks 0-1 share 1 core of a: 0");
  /* one rank alone is short of cores, and takes none from others */
  struct affinity_place alone[] = {thread("a", 5, 7, 7), thread("a", 5, 7, 7),
                                   thread("a", 6, 0, 1)};
  check(alone, 3, &lines);
  assert_int_equal(lines.count, 1);
  assert_string_equal(lines.text[0], "rank 5 has 2 threads on 1 core of a");
  /* a rank has cores enough, but not for the threads that are bound to one of them */
  struct affinity_place within[] = {thread("a", 0, 0, 0), thread("a", 0, 0, 0),
                                    thread("a", 0, 1, 2)};
  check(within, 3, &lines);
  assert_int_equal(lines.count, 1);
  assert_string_equal(lines.text[0], "2 threads of rank 0 share 1 core of a: 0");
  /* no two threads are bound alike: the third is short because the first two compete */
  struct affinity_place chain[] = {thread("a", 0, 100, 101), thread("a", 2, 101, 102),
                                   thread("a", 3, 100, 102), thread("a", 9, 101, 101),
                                   thread("a", 10, 500, 500)};
  check(chain, 5, &lines);
  assert_int_equal(lines.count, 1);
  assert_string_equal(lines.text[0], "4 threads of ranks 0,2-3,9 share 3 cores of a: 100-102");
  /* two separate sets, one of them on cores apart; threads whose cores are not known do not count */
  struct affinity_place sets[] = {thread("a", 0, 0, 0),       thread("a", 1, 0, 0),
                                  thread("a", 2, 1023, 1023), thread("a", 3, 1023, 1023),
                                  thread("a", 4, -1, -1),     thread("a", 5, -1, -1)};
  check(sets, 6, &lines);
  assert_int_equal(lines.count, 2);
  assert_string_equal(lines.text[0], "2 threads of ranks 0-1 share 1 core of a: 0");
  assert_string_equal(lines.text[1], "2 threads of ranks 2-3 share 1 core of a: 1023");
}

/* Numbers in a list such as 0-3,8. */
static int64_t list_length(const char *list) {
  int64_t length = 0;
  while (*list != '\0') {
    char *end;
    const int64_t first = strtoll(list, &end, 10);
    const int64_t last = *end == '-' ? strtoll(end + 1, &end, 10) : first;
    assert_true(last >= first && (*end == ',' || *end == '\0'));
    length += last - first + 1;
    list = *end == ',' ? end + 1 : end;
  }
  return length;
}

/* The most by which threads outnumber their cores, of all subsets. */
static int most_lacking(const struct affinity_place *places, int count) {
  int most = 0;
  for (unsigned subset = 0; subset < 1U << count; subset++) {
    uint64_t cores = 0;
    for (int t = 0; t < count; t++) {
      cores |= subset >> t & 1 ? places[t].allowed[0] : 0;
    }
    const int lacking = __builtin_popcount(subset) - __builtin_popcountll(cores);
    most = lacking > most ? lacking : most;
  }
  return most;
}

/* Every thread a rank: the lines name all that is lacking, threads and cores right. */
static void test_random(void **state) {
  (void)state;
  enum { ROUNDS = 4000, MOST = 9, CORES = 7 };
  struct lines lines;
  int found = 0;
  srand(11);
  for (int round = 0; round < ROUNDS; round++) {
    struct affinity_place places[MOST];
    const int count = rand() % (MOST + 1);
    for (int t = 0; t < count; t++) {
      places[t] = thread("h", t, -1, -1);
      places[t].allowed[0] = 1U + (unsigned)rand() % ((1U << CORES) - 1);
      if (rand() % 2 == 0) {
        places[t].allowed[0] = 1U << rand() % CORES;
      }
      places[t].cores = __builtin_popcountll(places[t].allowed[0]);
    }
    const int expected = most_lacking(places, count);
    int lacking = 0;
    check(places, count, &lines);
    for (int i = 0; i < lines.count; i++) {
      char ranks[200], list[200];
      int threads, cores;
      assert_int_equal(sscanf(lines.text[i], "%d threads of ranks %199s share %d %*s of h: %199s",
                              &threads, ranks, &cores, list),
                       4);
      assert_int_equal(list_length(ranks), threads);
      assert_int_equal(list_length(list), cores);
      lacking += threads - cores;
    }
    assert_int_equal(lacking, expected);
    found += lines.count;
  }
  assert_true(found > ROUNDS / 4);
}

/* Thousands of ranks, some of them bound wrongly; long lists end with dots. */
static void test_many(void **state) {
  (void)state;
  enum { HOSTS = 1000, RANKS = 8, THREADS = 8 };
  struct affinity_place *places = calloc(HOSTS * RANKS * THREADS, sizeof *places);
  struct lines lines;
  int64_t count = 0;
  assert_non_null(places);
  for (int rank = 0; rank < HOSTS * RANKS; rank++) { /* cyclic over the hosts */
    char host[16];
    const int h = rank % HOSTS, slot = rank / HOSTS;
    snprintf(host, sizeof host, "n%d", h);
    for (int t = 0; t < THREADS; t++) {
      const int core = h == 77 ? t : slot * THREADS + t; /* all ranks of n77 on the same cores */
      places[count++] = thread(host, rank, core, core);
    }
  }
  check(places, count, &lines);
  assert_int_equal(lines.count, THREADS);
  assert_string_equal(
      lines.text[0],
      "8 threads of ranks 77,1077,2077,3077,4077,5077,6077,7077 share 1 core of n77: 0");
  for (int64_t i = 0; i < 400; i++) {
    places[i] = thread("x", (int)(2 * i), 2 * (int)(i % 100), 2 * (int)(i % 100));
    places[i].allowed[3] |= 2; /* core 193, which joins them */
  }
  check(places, 400, &lines);
  assert_int_equal(lines.count, 1);
  assert_non_null(strstr(lines.text[0], "400 threads of ranks 0,2,4,6,"));
  assert_non_null(strstr(lines.text[0], ",... share 101 cores of x: 0,2,4,"));
  assert_string_equal(lines.text[0] + strlen(lines.text[0]) - 4, ",...");
  free(places);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_random),
                                     cmocka_unit_test(test_many)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
