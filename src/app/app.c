/*
 * What subcommands share: output, the log, and the comparison of paths.
 */
#include "app/app.h"

#include "app/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void print_results(const struct app *app, const char *format, va_list arguments) {
  if (app->context->rank == 0) {
    progress_clear(app->progress);
    vprintf(format, arguments);
  }
}

bool app_given(const struct app *app, const char *name) {
  for (int i = 0; i < app->command->option_count; i++) {
    if (strcmp(app->command->options[i].name, name) == 0) {
      return app->given[i];
    }
  }
  return false;
}

void app_print(const struct app *app, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (!app->common.quiet) {
    print_results(app, format, arguments);
  }
  va_end(arguments);
}

void app_print_always(const struct app *app, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_results(app, format, arguments);
  va_end(arguments);
}

void app_clean_line(char *line) {
  for (char *c = line; *c != '\0'; c++) {
    if ((unsigned char)*c < ' ' || *c == 127) {
      *c = '?';
    }
  }
}

void app_log(const char *level, const char *line, void *user) {
  const struct app *app = user;
  char clean[BASE_MESSAGE_SIZE];
  snprintf(clean, sizeof clean, "%s", line);
  app_clean_line(clean);
  if (app->progress != NULL) {
    progress_clear(app->progress);
  }
  fprintf(stderr, "pcct %s: %s%s\n", app->command->name,
          strcmp(level, "warning") == 0 ? "warning: " : "", clean);
}

void app_note(const struct app *app, const char *format, ...) {
  if (app->context->rank != 0 || app->context->base.settings.log_level < SETTINGS_LOG_INFO) {
    return;
  }
  va_list arguments;
  va_start(arguments, format);
  progress_clear(app->progress);
  fprintf(stderr, "pcct %s: ", app->command->name);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}

bool app_same_file(const char *a, const char *b) {
  struct stat a_stat, b_stat;
  return strcmp(a, b) == 0 || (stat(a, &a_stat) == 0 && stat(b, &b_stat) == 0 &&
                               a_stat.st_dev == b_stat.st_dev && a_stat.st_ino == b_stat.st_ino);
}
