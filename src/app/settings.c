/*
 * The engine's settings as the program takes them.
 */
#include "app/settings.h"

#include "app/app.h"
#include "app/settings_file.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_VARIABLE "PCCT_CONFIG"

#define GIVEN_OFFSET(member)                                                                       \
  (offsetof(struct app_settings, given) + SETTING_##member * sizeof(const char *))

/* The values stay texts, for settings_set to check like those of other sources. */
const struct option_entry app_settings_options[APP_SETTINGS_OPTION_COUNT] = {
    {.name = "config",
     .kind = OPTION_TEXT,
     .metavariable = "FILE",
     .help = "File with lines NAME = VALUE, the names being those below, and comments behind #. "
             "Default: what " CONFIG_VARIABLE " names, if anything.",
     .offset = offsetof(struct app_settings, config)},
#define OPTION_OF_CHOICE(member, called, list, usual, purpose)                                     \
  {.name = (called),                                                                               \
   .kind = OPTION_TEXT,                                                                            \
   .metavariable = (list),                                                                         \
   .help = purpose " (default " usual ")",                                                         \
   .offset = GIVEN_OFFSET(member)},
#define OPTION_OF_INTEGER(member, called, least, most, usual, purpose)                             \
  {.name = (called),                                                                               \
   .kind = OPTION_TEXT,                                                                            \
   .metavariable = "N",                                                                            \
   .help = purpose " (default " #usual ")",                                                        \
   .offset = GIVEN_OFFSET(member)},
    SETTINGS_LIST(OPTION_OF_CHOICE, OPTION_OF_INTEGER)
#undef OPTION_OF_CHOICE
#undef OPTION_OF_INTEGER
};

pcct_status app_settings_check(const struct app *app, char *message) {
  const char *words[3];
  int count = 0;
  if (app->common.quiet) {
    words[count++] = "--quiet";
  }
  if (app->common.verbose) {
    words[count++] = "--verbose";
  }
  if (app->settings.given[SETTING_log_level] != NULL) {
    words[count++] = "--log-level";
  }
  if (count < 2) {
    return PCCT_OK;
  }
  snprintf(message, OPTIONS_MESSAGE_SIZE, "%s and %s contradict each other; give one", words[0],
           words[1]);
  return PCCT_USAGE;
}

/* The same on every rank: all have the same words. */
static pcct_status apply_command_line(struct app *app) {
  struct base *base = &app->context->base;
  const char *given[SETTINGS_COUNT];
  memcpy(given, app->settings.given, sizeof given);
  if (app->common.quiet || app->common.verbose) {
    given[SETTING_log_level] = app->common.quiet ? "error" : "info";
  }
  pcct_status status = PCCT_OK;
  for (int i = 0; i < SETTINGS_COUNT && status == PCCT_OK; i++) {
    const char *name = settings_entry((enum setting)i)->name;
    char label[SETTINGS_TEXT_SIZE];
    snprintf(label, sizeof label, "--%s", name);
    if (given[i] != NULL) {
      status = settings_set(base, &base->settings, name, given[i], PCCT_SET_BY_COMMAND_LINE, label);
    }
  }
  return status;
}

/* Rank 0's bytes on every rank, with a terminating NUL; its `status` too. Collective.
 *   bytes [in,out] on rank 0 the bytes; on the others they are allocated here */
static pcct_status share(struct app *app, pcct_status status, char **bytes, int64_t *size) {
  pcct_context *context = app->context;
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    return status;
  }
  *size = comm_max(context, context->rank == 0 ? *size : 0);
  if (context->rank != 0) {
    *bytes = base_allocate_zero(&context->base, *size + 1, 1);
  }
  status = comm_agree(context, *bytes != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    comm_broadcast(context, *bytes, *size);
  }
  return status;
}

/* The path of the file on every rank, "" if there is none. Collective. */
static pcct_status share_path(struct app *app) {
  struct base *base = &app->context->base;
  pcct_status status = PCCT_OK;
  int64_t size = 0;
  if (app->context->rank == 0) {
    const char *named = getenv(CONFIG_VARIABLE);
    const char *path = app->settings.config;
    path = path != NULL ? path : named != NULL ? named : "";
    size = (int64_t)strlen(path) + 1;
    app->settings.path = base_allocate(base, size, 1);
    if (app->settings.path == NULL) {
      status = PCCT_MEMORY;
    } else {
      memcpy(app->settings.path, path, (size_t)size);
    }
  }
  return share(app, status, &app->settings.path, &size);
}

static pcct_status apply_file(struct app *app) {
  struct base *base = &app->context->base;
  char *content = NULL;
  int64_t size = 0;
  const char *origin = app->settings.config != NULL ? "--config" : CONFIG_VARIABLE;
  pcct_status status = share_path(app);
  if (status != PCCT_OK || app->settings.path[0] == '\0') {
    return status;
  }
  app->settings.config = app->settings.path;
  if (app->context->rank == 0) {
    status = settings_file_read(base, app->settings.path, origin, &content, &size);
  }
  status = share(app, status, &content, &size);
  if (status == PCCT_OK) {
    status = settings_file_parse(base, app->settings.path, content, size);
  }
  base_free(content);
  return status;
}

pcct_status app_settings_apply(struct app *app) {
  pcct_status status = apply_command_line(app);
  if (status == PCCT_OK && app->command->common & APP_SETTINGS) {
    status = apply_file(app);
    if (status == PCCT_OK) {
      status = pcct_context_set_from_environment(app->context);
    }
  }
  return status;
}

void app_settings_release(struct app *app) {
  base_free(app->settings.path);
  app->settings.path = NULL;
  app->settings.config = NULL;
}

void app_settings_note(const struct app *app) {
  const struct settings *settings = &app->context->base.settings;
  for (int i = 0; i < SETTINGS_COUNT && app->command->common & APP_SETTINGS; i++) {
    char value[SETTINGS_TEXT_SIZE];
    settings_text(settings, (enum setting)i, value);
    app_note(app, "%s = %s (%s)", settings_entry((enum setting)i)->name, value,
             settings_source_name((pcct_setting_source)settings->source[i]));
  }
}
