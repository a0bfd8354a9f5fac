/*
 * The program: MPI, the choice of a subcommand, errors and exit codes.
 *
 * Every rank takes the same way through here, for it depends on the words of the command line and
 * on agreed statuses alone. Rank 0 alone prints. Whatever happens, MPI is finalised, and all ranks
 * exit with the same code.
 */
#include "app/app.h"
#include "app/common.h"
#include "app/plan.h"
#include "app/progress.h"
#include "app/report.h"

#include <errno.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line on stderr, whatever the message has in it. */
static void print_error(int rank, const char *command, const char *message) {
  if (rank != 0) {
    return;
  }
  char line[OPTIONS_MESSAGE_SIZE];
  snprintf(line, sizeof line, "%s", message);
  app_clean_line(line);
  fflush(stdout);
  fprintf(stderr, "pcct%s%s: %s\n", command != NULL ? " " : "", command != NULL ? command : "",
          line);
}

/* All words with blanks between; freed by the caller, NULL without memory. */
static char *join_words(int count, char **words) {
  size_t size = 1;
  for (int i = 0; i < count; i++) {
    size += strlen(words[i]) + 1;
  }
  char *line = malloc(size);
  if (line != NULL) {
    line[0] = '\0';
    char *end = line;
    for (int i = 0; i < count; i++) {
      end = stpcpy(end, i > 0 ? " " : "");
      end = stpcpy(end, i > 0 ? words[i] : "pcct");
    }
  }
  return line;
}

/* In the log: every option of a table with its value. */
static void note_options(const struct app *app, const struct option_entry *entries, int count,
                         const void *values) {
  for (int i = 0; i < count; i++) {
    char text[OPTIONS_MESSAGE_SIZE];
    const char *value = options_value_text(&entries[i], values, text, sizeof text);
    if (value != NULL && strcmp(entries[i].name, "help") != 0) {
      app_note(app, "%s = %s", entries[i].name, value);
    }
  }
}

/* In the log: the counters that are not zero. Collective. */
static pcct_status note_counters(const struct app *app) {
  pcct_counter counters[COUNTER_COUNT];
  pcct_status status = pcct_context_counters(app->context, counters);
  for (int i = 0; status == PCCT_OK && i < COUNTER_COUNT; i++) {
    if (counters[i].sum > 0) {
      app_note(app, "%s = %lld", counters[i].name, (long long)counters[i].sum);
    }
  }
  return status;
}

/* A subcommand with everything around it: progress, report, notes. Collective. */
static pcct_status run_subcommand(struct app *app, const void *values, const char *const *arguments,
                                  int count) {
  struct app_progress progress;
  struct option_entry common[COMMON_OPTIONS_MAX];
  int common_count = common_options(app->command, common);
  bool has_phases = (app->command->common & APP_REPORT) != 0;
  progress_start(&progress, app->context, app->command->name,
                 app->context->base.settings.log_level < SETTINGS_LOG_WARNING ||
                     app->common.dry_run || !has_phases);
  app->progress = &progress;
  pcct_status status = report_prepare(app, arguments, count);
  if (status == PCCT_OK) {
    note_options(app, app->command->options, app->command->option_count, values);
    note_options(app, common, common_count, &app->common);
    app_settings_note(app);
    app_note(app, "ranks = %d", app->context->size);
    status = app->command->run(app, values, arguments, count);
    if (status != PCCT_OK && status != PCCT_DIFFERENT) {
      report_discard(app);
      goto cleanup;
    }
    pcct_status reported = report_write(app, values, arguments, count, status);
    if (reported == PCCT_OK) {
      progress_finish(&progress, app->context, status == PCCT_OK);
      reported = note_counters(app);
    }
    status = reported != PCCT_OK ? reported : status;
  }
cleanup:
  progress_finish(&progress, app->context, false);
  return status;
}

/* Parses the words behind a subcommand's name and runs it. Collective.
 *   dry [in] as with --dry-run */
static pcct_status start_subcommand(const struct app_command *command, bool dry, int rank,
                                    int count, char **words) {
  char message[OPTIONS_MESSAGE_SIZE] = "out of memory";
  struct app app = {.command = command};
  struct option_entry common[COMMON_OPTIONS_MAX];
  int common_count = common_options(command, common);
  void *values = calloc(1, command->values_size + 1);
  const char **arguments = calloc((size_t)count + 1, sizeof *arguments);
  char *command_line = join_words(count, words);
  int argument_count = 0;
  pcct_status status = PCCT_MEMORY;
  int missing = values == NULL || arguments == NULL || command_line == NULL;
  MPI_Allreduce(MPI_IN_PLACE, &missing, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  if (missing) {
    print_error(rank, command->name, message);
    goto cleanup;
  }
  bool common_given[COMMON_OPTIONS_MAX] = {false};
  const struct option_table tables[] = {
      {.entries = command->options,
       .count = command->option_count,
       .values = values,
       .given = app.given},
      {.entries = common, .count = common_count, .values = &app.common, .given = common_given},
      {.entries = app_settings_options,
       .count = command->common & APP_SETTINGS ? APP_SETTINGS_OPTION_COUNT : 0,
       .values = &app.settings}};
  /* words[1] is the subcommand's name: it takes the place of the program's */
  status = options_parse(tables, 3, count - 1, words + 1, arguments, &argument_count, message);
  for (int i = 0; i < common_count; i++) {
    app.seed_given |= common_given[i] && strcmp(common[i].name, "seed") == 0;
  }
  if (status == PCCT_OK && app.common.help) {
    if (rank == 0) {
      common_print_command_help(stdout, command);
    }
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = options_check_arguments(command->arguments, arguments, argument_count, message);
  }
  app.common.dry_run |= dry;
  if (status == PCCT_OK && app.common.ranks > 0 && !app.common.dry_run) {
    status = PCCT_USAGE;
    snprintf(message, sizeof message,
             "--ranks belongs to --dry-run; ranks are started by mpirun -n %d pcct %s",
             (int)app.common.ranks, command->name);
  }
  if (status == PCCT_OK) {
    status = app_settings_check(&app, message);
  }
  if (status == PCCT_OK) {
    status = pcct_context_create(MPI_COMM_WORLD, (int)app.common.threads, &app.context);
    snprintf(message, sizeof message, "%s", pcct_status_text(status));
  }
  if (status != PCCT_OK) {
    print_error(rank, command->name, message);
    goto cleanup;
  }
  app.command_line = command_line;
  pcct_context_set_log(app.context, app_log, &app);
  status = app_settings_apply(&app);
  if (status == PCCT_OK) {
    status = run_subcommand(&app, values, arguments, argument_count);
  }
  if (status != PCCT_OK) {
    const char *text = pcct_context_message(app.context);
    print_error(rank, command->name, text[0] != '\0' ? text : pcct_status_text(status));
  }
cleanup:
  app_settings_release(&app);
  pcct_context_destroy(&app.context);
  free(command_line);
  free(arguments);
  free(values);
  return status;
}

/* The subcommand that `plan` asks about instead of numbers: NULL if none. */
static const struct app_command *planned(const struct app_command *command, int count,
                                         char **words) {
  const struct app_command *other =
      command == &command_plan && count > 2 ? common_find_command(words[2]) : NULL;
  return other != NULL && (other->common & APP_RANKS) != 0 ? other : NULL;
}

/* Chooses what to do. Collective. */
static pcct_status dispatch(int rank, int count, char **words) {
  char message[OPTIONS_MESSAGE_SIZE];
  char list[256];
  const char *first = count > 1 ? words[1] : NULL;
  const struct app_command *command = NULL;
  common_command_list(list, sizeof list);
  if (first == NULL) {
    snprintf(message, sizeof message, "expected a subcommand: %s; pcct --help says more", list);
    print_error(rank, NULL, message);
    return PCCT_USAGE;
  }
  bool help = strcmp(first, "--help") == 0 || strcmp(first, "help") == 0;
  bool version = strcmp(first, "--version") == 0;
  const char *name = help ? (count > 2 ? words[2] : NULL) : first;
  if (version || (help && name == NULL)) {
    if (rank == 0) {
      (version ? common_print_version : common_print_help)(stdout);
    }
    return PCCT_OK;
  }
  command = common_find_command(name);
  if (command == NULL) {
    bool option = name[0] == '-';
    options_unknown(option ? "option" : "subcommand", name, option ? "--help|--version" : list,
                    NULL, message, sizeof message);
    print_error(rank, NULL, message);
    return PCCT_USAGE;
  }
  if (help) {
    if (rank == 0) {
      common_print_command_help(stdout, command);
    }
    return PCCT_OK;
  }
  const struct app_command *other = planned(command, count, words);
  return other != NULL ? start_subcommand(other, true, rank, count - 1, words + 1)
                       : start_subcommand(command, false, rank, count, words);
}

/* Results that could not be printed are a failure, unless the reader went away on purpose.
 * Collective. */
static pcct_status flush_results(int rank, pcct_status status) {
  int failed = 0;
  if (rank == 0) {
    errno = 0;
    failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (failed && errno == EPIPE) {
      failed = 0;
    }
    if (failed && status == PCCT_OK) {
      print_error(rank, NULL, "cannot write to the standard output");
    }
  }
  MPI_Bcast(&failed, 1, MPI_INT, 0, MPI_COMM_WORLD);
  return failed && status == PCCT_OK ? PCCT_FILE : status;
}

int main(int count, char **words) {
  int provided = MPI_THREAD_SINGLE;
  int rank = 0;
  signal(SIGPIPE, SIG_IGN); /* a reader that goes away is no reason to die, */
  signal(SIGXFSZ, SIG_IGN); /* and a file that may not grow is a failure to write */
  if (MPI_Init_thread(&count, &words, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
    fprintf(stderr, "pcct: MPI cannot be initialised\n");
    return PCCT_INTERNAL;
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  pcct_status status = PCCT_INTERNAL;
  if (provided < MPI_THREAD_FUNNELED) {
    print_error(rank, NULL, "this MPI offers no MPI_THREAD_FUNNELED, which OpenMP threads need");
  } else {
    status = dispatch(rank, count, words);
  }
  status = flush_results(rank, status);
  MPI_Finalize();
  return (int)status;
}
