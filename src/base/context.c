/*
 * The communicator-free half of a context: messages, log, phases, clock, progress, peak memory.
 */
#include "base/context.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

const char *pcct_status_text(pcct_status status) {
  switch (status) {
#define STATUS_TEXT(name, value, meaning)                                                          \
  case name:                                                                                       \
    return meaning;
    PCCT_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
  }
  return "an unknown status";
}

static const char *phase_name(int phase) {
  static const char *const names[PCCT_PHASE_COUNT] = {
#define PHASE_NAME(name) #name,
      PCCT_PHASE_LIST(PHASE_NAME)
#undef PHASE_NAME
  };
  return names[phase];
}

void base_init(struct base *base, int threads) {
  memset(base, 0, sizeof *base);
  base->threads = threads > 0 ? threads : omp_get_max_threads();
  base->allocations_left = -1;
  base->settings = settings_default();
  base->created = base_clock();
  base->entered = base->created;
  base->phase = PCCT_PHASE_read;
  base->phase_order[0] = PCCT_PHASE_read;
  base->phase_entered = 1;
}

pcct_status base_fail(struct base *base, pcct_status status, const char *format, ...) {
  if (base->message[0] == '\0') {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(base->message, sizeof base->message, format, arguments);
    va_end(arguments);
  }
  return status;
}

void base_clear_message(struct base *base) {
  base->message[0] = '\0';
}

void base_enter_phase(struct base *base, pcct_phase phase) {
  double now = base_clock();
  base->seconds[base->phase] += now - base->entered;
  base->entered = now;
  base->phase = (int)phase;
  for (int i = 0; i < base->phase_entered; i++) {
    if (base->phase_order[i] == (int)phase) {
      return;
    }
  }
  base->phase_order[base->phase_entered++] = (int)phase;
}

void base_charge_phase(struct base *base, pcct_phase phase, double seconds) {
  base->seconds[phase] += seconds;
  base->entered += seconds;
}

void base_progress(const struct base *base, int64_t done, int64_t total) {
  if (base->progress) {
    base->progress(phase_name(base->phase), done, total, base->progress_user);
  }
}

static void __attribute__((format(printf, 3, 0)))
log_line(const struct base *base, const char *level, const char *format, va_list arguments) {
  char line[BASE_MESSAGE_SIZE];
  vsnprintf(line, sizeof line, format, arguments);
  base->log(level, line, base->log_user);
}

void base_log(const struct base *base, enum settings_log_level level, const char *format, ...) {
  static const char *const names[] = {"error", "warning", "info", "debug"};
  if (base->log && (int)level <= base->settings.log_level) {
    va_list arguments;
    va_start(arguments, format);
    log_line(base, names[level], format, arguments);
    va_end(arguments);
  }
}

void base_diagnose(const struct base *base, const char *format, ...) {
  if (base->log && base->settings.diagnostics && base->settings.log_level > SETTINGS_LOG_ERROR) {
    va_list arguments;
    va_start(arguments, format);
    log_line(base, "diagnostics", format, arguments);
    va_end(arguments);
  }
}

double base_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The kernel's high-water mark of this program; the resource usage, which also remembers the
 * program that was replaced by exec, serves where /proc is missing. */
int64_t base_peak_bytes(void) {
  FILE *file = fopen("/proc/self/status", "r");
  if (file) {
    char line[256];
    long kilobytes = -1;
    while (kilobytes < 0 && fgets(line, sizeof line, file)) {
      if (sscanf(line, "VmHWM: %ld kB", &kilobytes) != 1) {
        kilobytes = -1;
      }
    }
    fclose(file);
    if (kilobytes >= 0) {
      return (int64_t)kilobytes * 1024;
    }
  }
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

double base_cpu_seconds(void) {
  struct timespec used;
  return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0
             ? (double)used.tv_sec + 1e-9 * (double)used.tv_nsec
             : 0;
}
