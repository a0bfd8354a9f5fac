/*
 * The JSON report of a run.
 */
#include "app/report.h"

#include "app/affinity.h"
#include "app/common.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NAME.part; false if the name is too long. */
static bool part_name(const char *name, char *part) {
  return (size_t)snprintf(part, PATH_MAX, "%s.part", name) < PATH_MAX;
}

static pcct_status fail(struct app *app, const char *name, const char *reason) {
  return base_fail(&app->context->base, PCCT_FILE, "cannot write the report %s: %s", name, reason);
}

/* Rank 0's half of report_prepare. */
static pcct_status prepare(struct app *app, const char *const *arguments, int count) {
  const char *name = app->common.report;
  char part[PATH_MAX];
  struct stat existing;
  for (int i = 0; i < count; i++) {
    if (app_same_file(name, arguments[i])) {
      return base_fail(&app->context->base, PCCT_USAGE,
                       "--report %s is also given as an argument; name another file", name);
    }
  }
  if (!part_name(name, part)) {
    return fail(app, name, strerror(ENAMETOOLONG));
  }
  if (stat(name, &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return fail(app, name,
                S_ISDIR(existing.st_mode) ? "it is a directory" : "it is no regular file");
  }
  if (app->common.dry_run) {
    char *slash = strrchr(part, '/');
    if (slash != NULL) {
      slash[slash == part] = '\0'; /* keeps the root's own slash */
    }
    return access(slash != NULL ? part : ".", W_OK | X_OK) == 0 ? PCCT_OK
                                                                : fail(app, name, strerror(errno));
  }
  FILE *file = fopen(part, "w");
  if (file == NULL) {
    return fail(app, name, strerror(errno));
  }
  fclose(file);
  return PCCT_OK;
}

pcct_status report_prepare(struct app *app, const char *const *arguments, int count) {
  if (app->common.report == NULL) {
    return PCCT_OK;
  }
  pcct_status status = PCCT_OK;
  if (app->context->rank == 0) {
    status = prepare(app, arguments, count);
  }
  return comm_agree(app->context, status);
}

/* One option of a table. cJSON's numbers are doubles, so that integers go in as their digits. */
static void add_option(cJSON *object, const struct option_entry *entry, const void *values) {
  char text[OPTIONS_NUMBERS_MAX * 25];
  char list[OPTIONS_NUMBERS_MAX * 25 + 2];
  const char *value = options_value_text(entry, values, text, sizeof text);
  if (value == NULL) {
    cJSON_AddNullToObject(object, entry->name);
  } else if (entry->kind == OPTION_NUMBERS || entry->kind == OPTION_SIGNED) {
    snprintf(list, sizeof list, "[%s]", value);
    cJSON_AddRawToObject(object, entry->name, list);
  } else if (entry->kind == OPTION_FLAG || entry->kind == OPTION_INTEGER ||
             entry->kind == OPTION_BYTES || entry->kind == OPTION_SEED ||
             entry->kind == OPTION_NUMBER) {
    cJSON_AddRawToObject(object, entry->name, value);
  } else {
    cJSON_AddStringToObject(object, entry->name, value);
  }
}

static void add_parameters(const struct app *app, const void *values, const char *const *arguments,
                           int count, cJSON *report) {
  cJSON *parameters = cJSON_AddObjectToObject(report, "parameters");
  cJSON *list = cJSON_AddArrayToObject(parameters, "arguments");
  for (int i = 0; i < count; i++) {
    cJSON_AddItemToArray(list, cJSON_CreateString(arguments[i]));
  }
  for (int i = 0; i < app->command->option_count; i++) {
    add_option(parameters, &app->command->options[i], values);
  }
  struct option_entry common[COMMON_OPTIONS_MAX];
  int common_count = common_options(app->command, common);
  for (int i = 0; i < common_count; i++) {
    if (strcmp(common[i].name, "help") != 0) {
      add_option(parameters, &common[i], &app->common);
    }
  }
  if (app->command->common & APP_SETTINGS) {
    add_option(parameters, &app_settings_options[0], &app->settings); /* --config */
  }
}

static void add_settings(const struct app *app, cJSON *report) {
  const struct settings *settings = &app->context->base.settings;
  cJSON *object = cJSON_AddObjectToObject(report, "settings");
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    const struct settings_entry *entry = settings_entry((enum setting)i);
    cJSON *setting = cJSON_AddObjectToObject(object, entry->name);
    char value[SETTINGS_TEXT_SIZE];
    settings_text(settings, (enum setting)i, value);
    if (entry->names != NULL) {
      cJSON_AddStringToObject(setting, "value", value);
    } else {
      cJSON_AddRawToObject(setting, "value", value);
    }
    cJSON_AddStringToObject(setting, "set_by",
                            settings_source_name((pcct_setting_source)settings->source[i]));
  }
}

static void add_phases(const pcct_phase_seconds *phases, int count, double total, cJSON *report) {
  cJSON *list = cJSON_AddArrayToObject(report, "phases");
  for (int i = 0; i < count; i++) {
    cJSON *phase = cJSON_CreateObject();
    cJSON_AddItemToArray(list, phase);
    cJSON_AddStringToObject(phase, "name", phases[i].name);
    cJSON *seconds = cJSON_AddObjectToObject(phase, "seconds");
    cJSON_AddNumberToObject(seconds, "min", phases[i].min);
    cJSON_AddNumberToObject(seconds, "mean", phases[i].mean);
    cJSON_AddNumberToObject(seconds, "max", phases[i].max);
    cJSON_AddNumberToObject(seconds, "max_rank", phases[i].max_rank);
  }
  cJSON_AddNumberToObject(report, "seconds_total", total);
}

/* Counts stay below 2^53, where cJSON's doubles are exact. */
static void add_counters(const pcct_counter *counters, int count, cJSON *report) {
  cJSON *object = cJSON_AddObjectToObject(report, "counters");
  for (int i = 0; i < count; i++) {
    cJSON *counter = cJSON_AddObjectToObject(object, counters[i].name);
    cJSON_AddNumberToObject(counter, "sum", (double)counters[i].sum);
    cJSON_AddNumberToObject(counter, "max", (double)counters[i].max);
    cJSON_AddNumberToObject(counter, "max_rank", counters[i].max_rank);
  }
}

/* What queries cost the network: quotients of counters. */
static void add_routing(const pcct_counter *counters, cJSON *report) {
  if (counters[COUNTER_queries].sum == 0) {
    return;
  }
  const double queries = (double)counters[COUNTER_queries].sum;
  const int64_t most = counters[COUNTER_ranks_contacted_max].max;
  cJSON *object = cJSON_AddObjectToObject(report, "routing");
  cJSON_AddNumberToObject(object, "forwarded_share",
                          (double)counters[COUNTER_queries_forwarded].sum / queries);
  cJSON_AddNumberToObject(object, "mean_ranks_contacted",
                          1 + (double)counters[COUNTER_forwards].sum / queries);
  cJSON_AddNumberToObject(object, "max_ranks_contacted", most > 1 ? (double)most : 1);
  cJSON_AddNumberToObject(object, "bytes_per_query",
                          (double)counters[COUNTER_bytes_query].sum / queries);
}

/* What each rank has used of something. Collective; `report` is NULL but on rank 0. */
static pcct_status add_used(struct app *app, const char *name, double own, cJSON *report) {
  void *all = NULL;
  int64_t ranks = 0;
  pcct_status status = comm_gather_root(app->context, &own, 1, sizeof own, &all, &ranks);
  if (status == PCCT_OK && report != NULL) {
    cJSON *object = cJSON_AddObjectToObject(report, name);
    double sum = 0;
    for (int64_t r = 0; r < ranks; r++) {
      sum += ((const double *)all)[r];
    }
    cJSON_AddItemToObject(object, "per_rank", cJSON_CreateDoubleArray(all, (int)ranks));
    cJSON_AddNumberToObject(object, "sum", sum);
  }
  base_free(all);
  return status;
}

/* Writes `text` to NAME.part and renames it. Rank 0. */
static pcct_status write_text(struct app *app, const char *text) {
  const char *name = app->common.report;
  char part[PATH_MAX];
  if (!part_name(name, part)) {
    return fail(app, name, strerror(ENAMETOOLONG));
  }
  FILE *file = fopen(part, "w");
  if (file == NULL) {
    return fail(app, name, strerror(errno));
  }
  bool written = fputs(text, file) >= 0 && fputc('\n', file) != EOF && fflush(file) == 0 &&
                 fsync(fileno(file)) == 0;
  int reason = errno;
  if (fclose(file) != 0 || !written || rename(part, name) != 0) {
    reason = written ? errno : reason;
    unlink(part);
    return fail(app, name, strerror(reason));
  }
  return PCCT_OK;
}

pcct_status report_write(struct app *app, const void *values, const char *const *arguments,
                         int count, pcct_status status) {
  pcct_context *context = app->context;
  pcct_phase_seconds phases[PCCT_PHASE_COUNT];
  pcct_counter counters[COUNTER_COUNT];
  int phase_count = 0;
  double total = 0;
  const double peak_bytes = (double)base_peak_bytes(), cpu_seconds = base_cpu_seconds();
  cJSON *report = NULL;
  char *text = NULL;
  pcct_status result = PCCT_OK;
  if (app->common.report == NULL || app->common.dry_run) {
    return PCCT_OK;
  }
  result = pcct_context_phases(context, phases, &phase_count, &total);
  if (result == PCCT_OK) {
    result = pcct_context_counters(context, counters);
  }
  if (result != PCCT_OK) {
    goto cleanup;
  }
  if (context->rank == 0) {
    report = cJSON_CreateObject();
    cJSON_AddStringToObject(report, "program", "pcct");
    cJSON_AddStringToObject(report, "version", pcct_version());
    cJSON_AddStringToObject(report, "command", app->command->name);
    cJSON_AddStringToObject(report, "command_line", app->command_line);
    cJSON_AddNumberToObject(report, "status", status);
    cJSON_AddNumberToObject(report, "ranks", context->size);
    cJSON_AddNumberToObject(report, "threads", context->base.threads);
    add_parameters(app, values, arguments, count, report);
    if (app->command->common & APP_SETTINGS) {
      add_settings(app, report);
    }
    add_phases(phases, phase_count, total, report);
    add_counters(counters, pcct_counter_count(), report);
    add_routing(counters, report);
  }
  result = add_used(app, "peak_bytes", peak_bytes, report);
  if (result == PCCT_OK) {
    result = add_used(app, "cpu_seconds", cpu_seconds, report);
  }
  if (result == PCCT_OK) {
    result = affinity_add(app, report);
  }
  if (result == PCCT_OK && context->rank == 0) {
    text = cJSON_Print(report);
    result = text != NULL ? write_text(app, text)
                          : base_fail(&context->base, PCCT_MEMORY, "no memory for the report");
  }
  result = comm_agree(context, result);
  if (result == PCCT_OK && context->rank == 0) {
    affinity_warn(app, report);
  }
cleanup:
  cJSON_free(text);
  cJSON_Delete(report);
  return result;
}

void report_discard(const struct app *app) {
  char part[PATH_MAX];
  if (app->common.report != NULL && !app->common.dry_run && app->context->rank == 0 &&
      part_name(app->common.report, part)) {
    unlink(part);
  }
}
