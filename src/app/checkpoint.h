/*
 * Checkpoints of vecchia: OUT.part with what is written already, and beside it OUT.checkpoint, a small JSON file that
 * says how far that is, and of which run.
 *
 * OUT.checkpoint appears once points and ordering are in OUT.part. After each block of positions, and when a signal
 * asks to stop, it is replaced, in one step, after the data has reached the disk. So whatever ends a run, the last
 * OUT.checkpoint is true.
 */
#ifndef APP_CHECKPOINT_H
#define APP_CHECKPOINT_H

#include "app/app.h"

/* What must be the same to go on: names and values as texts. */
struct checkpoint_parameter {
  const char *name;
  const char *value;
};

struct checkpoint {
  char *path; /* NULL: none */
  const struct checkpoint_parameter *parameters;
  int parameter_count;
  int64_t rows;   /* of the output */
  int64_t blocks; /* saved when each of these is done: equal shares of the rows */
  int64_t done;   /* rows written, the first ones */
  bool saved;     /* the file is there, and ours */
};

/* Refuses to start anew beside a checkpoint, unless --overwrite says so. One whose OUT.part is gone is removed.
 * Collective. Errors: PCCT_USAGE, PCCT_MEMORY. */
pcct_status checkpoint_check(struct app *app, const char *out, bool resume);

/* Looks for the checkpoint of an output. With --resume a matching one is taken: then `saved` is true. Without, and
 * with --overwrite, one that is there is removed.
 *   out        [in]  the final name
 *   parameters [in]  [count] borrowed as long as the checkpoint lives
 *   blocks     [in]  for a new run
 *   checkpoint [out] freed with checkpoint_free, on failure too
 * Collective. Errors: PCCT_USAGE (it is of another run: the message names a difference), PCCT_INPUT (not readable),
 * PCCT_FILE, PCCT_MEMORY. */
pcct_status checkpoint_find(struct app *app, const char *out, bool resume,
                            const struct checkpoint_parameter *parameters, int count, int64_t rows,
                            int64_t blocks, struct checkpoint *checkpoint);

/* Where the running block ends. Local. */
int64_t checkpoint_end(const struct checkpoint *checkpoint);

/* Replaces the file: `done` rows are on the disk. Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status checkpoint_save(struct app *app, struct checkpoint *checkpoint, int64_t done);

/* Removes the file, after a success or when nothing is worth keeping. Collective. */
void checkpoint_remove(struct app *app, struct checkpoint *checkpoint);

void checkpoint_free(struct checkpoint *checkpoint);

/* From now on SIGUSR1 asks to stop instead of ending the process. Local. */
void checkpoint_catch_signal(void);

/* Whether a rank was asked to stop. Collective. */
bool checkpoint_asked_to_stop(const struct app *app);

#endif
