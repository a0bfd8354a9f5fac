/*
 * Progress of a running subcommand on stderr, from rank 0.
 *
 * On a terminal: a bar of the running phase with rate and remaining time, drawn at most ten times a
 * second. Everywhere: one line per phase with its seconds once it is over; phases that alternate
 * from block to block (query, reorder, write) have theirs at the end. Nothing appears in the first
 * second, so that a failure at the start is one line and no more; short runs get their lines at the
 * end. Everything here is Local; on other ranks than 0 and when silent it does nothing.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include "base/comm.h"

#include <stdbool.h>
#include <stdio.h>

struct app_progress {
  struct base *base; /* NULL: silent */
  const char *name;  /* of the subcommand */
  FILE *stream;
  bool terminal;  /* a bar is wanted */
  bool bar_drawn; /* the cursor stands behind a bar */
  bool printed[PCCT_PHASE_COUNT];
  const char *phase; /* of the bar; NULL: none */
  double phase_entered;
  int64_t done_at_entry;
  double drawn;                     /* when the bar was drawn */
  int64_t block_first, block_count; /* the rows that what is done now belongs to, */
  int64_t row_count;                /* of so many; 0: there are no blocks */
};

/* Starts: registers the callback with the context unless `silent`. `progress` must live until
 * progress_finish. */
void progress_start(struct app_progress *progress, pcct_context *context, const char *name,
                    bool silent);

/* Says that from now on rows first .. first+count-1 of `row_count` are worked on, so that the bar shows
 * all blocks as one. */
void progress_enter_block(struct app_progress *progress, int64_t first, int64_t count,
                          int64_t row_count);

/* Prints the lines of phases that are over; also called by the library's callback. */
void progress_poll(struct app_progress *progress);

/* Removes the bar so that something else can be printed. */
void progress_clear(struct app_progress *progress);

/* Ends: removes the bar and the callback; after a success prints what is left to print. */
void progress_finish(struct app_progress *progress, pcct_context *context, bool success);

#endif
