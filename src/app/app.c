/*
 * Output of subcommands.
 */
#include "app/app.h"

#include "app/progress.h"

#include <stdarg.h>
#include <stdio.h>

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
