/*
 * What every subcommand of the program shares: the running program, its common options, its output.
 *
 * How a subcommand is made
 *   - its header declares one `extern const struct app_command command_NAME;`, listed in common.c
 *   - its file has a struct of option values, a table of option_entry with offsets into it, and a run
 *     function
 *   - run returns a pcct_status, the same on every rank, and it has recorded a message in
 *     app->context (base_fail(&app->context->base, ...)) when that is not PCCT_OK; main prints
 *     "pcct NAME: message" as one line on stderr, writes the report, and exits with the status
 *   - results go through app_print, remarks through app_note: both print on rank 0 alone
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "app/options.h"
#include "app/settings.h"
#include "base/comm.h"

#include <stdbool.h>
#include <stdint.h>

/* The options that subcommands have in common; a subcommand takes those of its mask. */
enum app_common_option {
  APP_THREADS = 1,
  APP_SEED = 2,
  APP_QUIET_VERBOSE = 4,
  APP_DRY_RUN = 8,
  APP_OVERWRITE = 16,
  APP_REPORT = 32,
  APP_SETTINGS = 64, /* the engine's settings: by options, --config and the environment */
  APP_RANKS = 128    /* --ranks, for a dry run of a run with other ranks */
};

struct app_common {
  int64_t threads; /* 0: OpenMP's default */
  int64_t ranks;   /* of the run that a dry run is about; 0: those of the dry run */
  uint64_t seed;
  bool quiet, verbose;
  bool dry_run;
  bool overwrite;
  const char *report; /* NULL: none */
  bool help;
};

/* Options that a subcommand has of its own, at most. */
enum { APP_OPTIONS_MAX = 48 };

struct app_progress;

/* The running program. */
struct app {
  pcct_context *context; /* over MPI_COMM_WORLD, with the threads of --threads */
  const struct app_command *command;
  struct app_common common;
  struct app_settings settings;
  bool given[APP_OPTIONS_MAX]; /* which of the command's own options the command line names */
  bool seed_given;
  const char *command_line;      /* all words with blanks between, for provenance */
  struct app_progress *progress; /* NULL: not started */
};

/* One subcommand. */
struct app_command {
  const char *name;
  const char *summary;     /* one line for `pcct --help` */
  const char *arguments;   /* e.g. "FILE [QUERIES] OUT" */
  const char *description; /* for `pcct NAME --help`: lines of at most 80 characters, each ended */
  int common;              /* mask of enum app_common_option */
  const struct option_entry *options;
  int option_count;
  size_t values_size; /* of the struct of option values */
  /* Does the work. Collective.
   *   values    [in] the struct of option values, all checked against the table
   *   arguments [in] [count] the words that are no options, as many as `arguments` allows */
  pcct_status (*run)(struct app *app, const void *values, const char *const *arguments, int count);
};

/* Whether the command line names one of the command's own options. Local. */
bool app_given(const struct app *app, const char *name);

/* Prints results on stdout (rank 0; nothing with --quiet). Local. */
void app_print(const struct app *app, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints results on stdout (rank 0) even with --quiet: what the user asked for by calling a
 * subcommand such as info. Local. */
void app_print_always(const struct app *app, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints one remark on stderr (rank 0; if the setting log-level is info or more, as with --verbose),
 * behind "pcct NAME: ". Local. */
void app_note(const struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The library's log callback: prints the line on stderr, behind "pcct NAME: ". Local.
 *   user [in] the struct app */
void app_log(const char *level, const char *line, void *user);

/* Replaces control characters, so that one line stays one line. Local. */
void app_clean_line(char *line);

/* Whether two paths name one file, also through links. Local. */
bool app_same_file(const char *a, const char *b);

#endif
