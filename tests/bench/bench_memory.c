/* Memory of this process, as Linux tells it. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* The number behind a key of /proc/self/status, in bytes. */
static int64_t status_bytes(const char *key) {
  char line[256];
  long long kibibytes = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && kibibytes < 0 && fgets(line, sizeof line, file)) {
    if (strncmp(line, key, strlen(key)) == 0 &&
        sscanf(line + strlen(key), ": %lld", &kibibytes) != 1) {
      kibibytes = -1;
    }
  }
  if (file) {
    fclose(file);
  }
  return kibibytes < 0 ? -1 : (int64_t)kibibytes * 1024;
}

int64_t bench_memory_resident(void) {
  return status_bytes("VmRSS");
}

int64_t bench_memory_peak(void) {
  return status_bytes("VmHWM");
}

void bench_memory_trim(void) {
  malloc_trim(0);
}

void bench_memory_reset(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file) {
    fputs("5", file); /* the peak starts again from what is resident now */
    fclose(file);
  }
}
