/*
 * What subcommands share: output, and the comparison of paths.
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

void app_note(const struct app *app, const char *format, ...) {
  if (app->context->rank != 0 || !app->common.verbose) {
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
