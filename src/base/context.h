/*
 * The communicator-free half of a context: what tree, walk and vecchia need besides their data.
 *
 * A struct base carries threads, settings, the last message, counters, phase clock, allocation budget,
 * and the callbacks for progress and log. pcct_context (base/comm.h) embeds one. Nothing here communicates, and nothing here
 * is global, so that several contexts coexist.
 */
#ifndef BASE_CONTEXT_H
#define BASE_CONTEXT_H

#include "base/counters.h"
#include "base/settings.h"
#include "pcct_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE_MESSAGE_SIZE 1024

/* Loops over fewer items run on one thread: waking a team costs more, above all when ranks and threads
 * outnumber the cores. */
#define BASE_PARALLEL_MIN 4096

/* What two threads write to lies so many bytes apart: a cache line, and the one that is fetched along. */
#define BASE_APART 128

struct base {
  int threads;                     /* OpenMP threads, at least 1 */
  int64_t allocations_left;        /* tests: allocations that still succeed; negative: no limit */
  char message[BASE_MESSAGE_SIZE]; /* the first failure since base_clear_message */
  int64_t counters[COUNTER_COUNT];
  double stages[STAGE_COUNT];        /* seconds of the stages of building */
  double created;                    /* clock at creation */
  double entered;                    /* clock when the running phase was entered */
  int phase;                         /* the running phase */
  double seconds[PCCT_PHASE_COUNT];  /* finished time of each phase */
  int phase_order[PCCT_PHASE_COUNT]; /* phases in the order of their first entry */
  int phase_entered;                 /* how many of them */
  void (*progress)(const char *phase, int64_t done, int64_t total, void *user);
  void *progress_user;
  struct settings settings; /* changed between public calls alone */
  void (*log)(const char *level, const char *line, void *user);
  void *log_user;
};

/* A usable struct base: threads 0 takes OpenMP's default, settings are the defaults, phase `read` is
 * running. Local. */
void base_init(struct base *base, int threads);

/* Records a message (printf style) unless one is already there, and returns status unchanged.
 * Never called inside a parallel region. */
pcct_status base_fail(struct base *base, pcct_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Forgets the message: called when a public function starts. */
void base_clear_message(struct base *base);

/* Charges the time since the last call to the running phase and makes `phase` the running one. */
void base_enter_phase(struct base *base, pcct_phase phase);

/* Charges seconds of the running phase to another one, whose work was done on the way. */
void base_charge_phase(struct base *base, pcct_phase phase, double seconds);

/* Reports progress of the running phase if a callback is set. */
void base_progress(const struct base *base, int64_t done, int64_t total);

/* Sends one line (printf style, without line end) to the log if a callback is set and the setting
 * log-level lets `level` through: SETTINGS_LOG_WARNING, SETTINGS_LOG_INFO or SETTINGS_LOG_DEBUG. Long
 * lines are cut at BASE_MESSAGE_SIZE. Failures go to base_fail instead. Never called inside a parallel
 * region; contexts of several ranks have their callback on rank 0 alone. */
void base_log(const struct base *base, enum settings_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Likewise, if the setting diagnostics is on, whatever the level unless that is error. */
void base_diagnose(const struct base *base, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Seconds on a monotonic clock. */
double base_clock(void);

/* count * size bytes, BASE_APART-aligned, uninitialised. A count of 0 gives a valid pointer. Returns NULL
 * and records a PCCT_MEMORY message on failure, overflow included. Freed with base_free. Not for use in
 * parallel regions. */
void *base_allocate(struct base *base, int64_t count, size_t size) __attribute__((malloc));

/* The same, all bytes zero. */
void *base_allocate_zero(struct base *base, int64_t count, size_t size) __attribute__((malloc));

/* Grows *pointer (of *capacity elements, NULL if 0) to at least `needed` elements, at least by half;
 * keeps the first `used`. On failure *pointer stays valid and PCCT_MEMORY returns. */
pcct_status base_grow(struct base *base, void **pointer, int64_t *capacity, int64_t used,
                      int64_t needed, size_t size);

/* An array by its owner's pointer and its size: for moving several elsewhere at once. */
struct base_array {
  void **pointer;
  int64_t bytes;
};

/* NULL is allowed. */
void base_free(void *pointer);

/* Peak resident memory of this process in bytes. */
int64_t base_peak_bytes(void);

/* Seconds that all threads of this process have computed, in the program and in the system for it. */
double base_cpu_seconds(void);

#endif
