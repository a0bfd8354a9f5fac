/*
 * The engine's settings as the program takes them: options, a file, rank 0's environment.
 *
 * Precedence: command line > environment > file > default. All values are checked, also those that
 * another source overrules. --quiet and --verbose are other words for --log-level error and info, for
 * subcommands without settings too.
 *
 * The file has lines NAME = VALUE with the names of the options, and comments behind #. It is the one
 * of --config, else the one that PCCT_CONFIG names.
 */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "app/options.h"
#include "base/settings.h"

struct app;

/* Values of the options. */
struct app_settings {
  const char *config;                /* --config; after app_settings_apply the file used; or NULL */
  const char *given[SETTINGS_COUNT]; /* texts of the command line; NULL: not given */
  char *path;                        /* owned: the file used */
};

/* The options: --config, then the settings in the order of their list. */
#define APP_SETTINGS_OPTION_COUNT (1 + SETTINGS_COUNT)
extern const struct option_entry app_settings_options[APP_SETTINGS_OPTION_COUNT];

/* Refuses --quiet, --verbose and --log-level that contradict each other. Local.
 *   message [out] [OPTIONS_MESSAGE_SIZE] on failure
 * Errors: PCCT_USAGE. */
pcct_status app_settings_check(const struct app *app, char *message);

/* Brings all sources into app->context. Only rank 0 looks at its environment and at the file.
 * Collective.
 * Errors: PCCT_USAGE (unknown names in the file, bad values anywhere; the message says where),
 * PCCT_FILE (the file cannot be read), PCCT_MEMORY. */
pcct_status app_settings_apply(struct app *app);

/* Frees what app_settings_apply allocated. Local. */
void app_settings_release(struct app *app);

/* In the log, at level info: every setting with its value and who set it. Local. */
void app_settings_note(const struct app *app);

#endif
