/*
 * Progress on stderr: a bar on a terminal, lines of finished phases.
 */
#include "app/progress.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define QUIET_SECONDS 1.0 /* nothing is printed before */
#define DRAW_SECONDS 0.1  /* between two drawings of the bar */
#define BAR_CELLS 24

static const char *const phase_names[PCCT_PHASE_COUNT] = {
#define PHASE_NAME(name) #name,
    PCCT_PHASE_LIST(PHASE_NAME)
#undef PHASE_NAME
};

/* Phases that a block enters again. */
static bool alternates(int phase) {
  return phase == PCCT_PHASE_query || phase == PCCT_PHASE_reorder || phase == PCCT_PHASE_write;
}

/* The lines of phases that are over, or of all. */
static void print_lines(struct app_progress *progress, bool all) {
  const struct base *base = progress->base;
  for (int i = 0; i < base->phase_entered; i++) {
    int phase = base->phase_order[i];
    bool over = phase != base->phase && !alternates(phase);
    if (!progress->printed[phase] && (over || all)) {
      progress_clear(progress);
      fprintf(progress->stream, "pcct %s: %-9s %8.2f s\n", progress->name, phase_names[phase],
              base->seconds[phase]);
      progress->printed[phase] = true;
    }
  }
}

/* Seconds as people read them. */
static void format_duration(double seconds, char *text, size_t size) {
  if (seconds < 60) {
    snprintf(text, size, "%.0f s", ceil(seconds));
  } else if (seconds < 3600) {
    snprintf(text, size, "%.0f min %02.0f s", floor(seconds / 60), floor(fmod(seconds, 60)));
  } else {
    snprintf(text, size, "%.0f h %02.0f min", floor(seconds / 3600),
             floor(fmod(seconds, 3600) / 60));
  }
}

static void draw_bar(struct app_progress *progress, int64_t done, int64_t total, double now) {
  double share = total > 0 ? (double)done / (double)total : 1;
  double elapsed = now - progress->phase_entered;
  double rate = elapsed > 0 ? (double)(done - progress->done_at_entry) / elapsed : 0;
  char cells[BAR_CELLS + 1];
  int filled = (int)(share * BAR_CELLS);
  for (int i = 0; i < BAR_CELLS; i++) {
    cells[i] = i < filled ? '#' : '.';
  }
  cells[BAR_CELLS] = '\0';
  fprintf(progress->stream, "\r\033[K%-9s [%s] %3.0f %%", progress->phase, cells, 100 * share);
  if (rate > 0) {
    char left[48];
    format_duration((double)(total - done) / rate, left, sizeof left);
    fprintf(progress->stream, "  %.3g/s  %s left", rate, left);
  }
  fflush(progress->stream);
  progress->bar_drawn = true;
  progress->drawn = now;
}

/* The library's callback. */
static void on_progress(const char *phase, int64_t done, int64_t total, void *user) {
  struct app_progress *progress = user;
  double now = base_clock();
  progress_poll(progress);
  if (!progress->terminal) {
    return;
  }
  if (progress->row_count > 0) {
    double share = total > 0 ? (double)done / (double)total : 1;
    done = progress->block_first + (int64_t)(share * (double)progress->block_count);
    total = progress->row_count;
  }
  if (progress->phase == NULL || strcmp(progress->phase, phase) != 0) {
    progress->phase = phase;
    progress->phase_entered = now;
    progress->done_at_entry = done;
  }
  if (now - progress->base->created >= QUIET_SECONDS && now - progress->drawn >= DRAW_SECONDS) {
    draw_bar(progress, done, total, now);
  }
}

void progress_start(struct app_progress *progress, pcct_context *context, const char *name,
                    bool silent) {
  *progress = (struct app_progress){.name = name, .stream = stderr};
  if (silent || context->rank != 0) {
    return;
  }
  progress->base = &context->base;
  progress->terminal = isatty(STDERR_FILENO) == 1;
  pcct_context_set_progress(context, on_progress, progress);
}

void progress_enter_block(struct app_progress *progress, int64_t first, int64_t count,
                          int64_t row_count) {
  progress->block_first = first;
  progress->block_count = count;
  progress->row_count = row_count;
}

void progress_poll(struct app_progress *progress) {
  if (progress->base != NULL && base_clock() - progress->base->created >= QUIET_SECONDS) {
    print_lines(progress, false);
  }
}

void progress_clear(struct app_progress *progress) {
  if (progress->bar_drawn) {
    fprintf(progress->stream, "\r\033[K");
    fflush(progress->stream);
    progress->bar_drawn = false;
  }
}

void progress_finish(struct app_progress *progress, pcct_context *context, bool success) {
  if (progress->base == NULL) {
    return;
  }
  pcct_context_set_progress(context, NULL, NULL);
  base_enter_phase(progress->base, (pcct_phase)progress->base->phase); /* its seconds up to now */
  progress_clear(progress);
  if (success) {
    print_lines(progress, true);
  }
  progress->base = NULL;
}
