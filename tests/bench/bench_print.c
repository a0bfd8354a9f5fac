/* Runs for people. */
#include "bench.h"

#include <stdio.h>

static double number(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void print_numbers(const char *title, const cJSON *object, const char *format) {
  const cJSON *item;
  printf("  %s:", title);
  cJSON_ArrayForEach(item, object) {
    printf(" %s ", item->string);
    printf(format, item->valuedouble);
  }
  printf("\n");
}

void bench_print(const cJSON *run, int with_counters) {
  const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(run, "seconds");
  const cJSON *memory = cJSON_GetObjectItemCaseSensitive(run, "memory");
  const cJSON *counters = cJSON_GetObjectItemCaseSensitive(run, "counters");
  const cJSON *counter;
  printf("%-16s n %-8.0f ranks %.0f threads %.0f  total %.4f s  create %.4f  query %.4f  "
         "%.0f bytes/point  checksum %.15g",
         cJSON_GetObjectItemCaseSensitive(run, "workload")->valuestring, number(run, "points"),
         number(run, "ranks"), number(run, "threads"), number(seconds, "total"),
         number(seconds, "create"), number(seconds, "query"), number(memory, "bytes_per_point"),
         number(run, "checksum"));
  if (cJSON_HasObjectItem(run, "checked")) {
    printf("  checked %.0f, wrong %.0f", number(run, "checked"), number(run, "wrong"));
  }
  printf("\n");
  print_numbers("phases, s", cJSON_GetObjectItemCaseSensitive(run, "phases"), "%.4f");
  print_numbers("stages, ms", cJSON_GetObjectItemCaseSensitive(run, "stages_milliseconds"), "%.2f");
  if (with_counters) {
    printf("  counters (sum over ranks):\n");
    cJSON_ArrayForEach(counter, counters) {
      printf("    %-24s %15.0f\n", counter->string, number(counter, "sum"));
    }
    printf("  quotients:\n");
    cJSON_ArrayForEach(counter, cJSON_GetObjectItemCaseSensitive(run, "quotients")) {
      printf("    %-40s %12.4f\n", counter->string, counter->valuedouble);
    }
  }
  fflush(stdout);
}
