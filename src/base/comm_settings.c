/*
 * The settings' public half: what a program sets and reads, and rank 0's environment.
 */
#include "base/comm.h"

#include <string.h>

extern char **environ;

static const char prefix[] = "PCCT_";

void pcct_context_set_log(pcct_context *context, pcct_log log, void *user) {
  context->base.log = context->rank == 0 ? log : NULL;
  context->base.log_user = user;
}

pcct_status pcct_context_set(pcct_context *context, const char *name, const char *value) {
  struct base *base = &context->base;
  base_clear_message(base);
  return settings_set(base, &base->settings, name, value, PCCT_SET_BY_PROGRAM, NULL);
}

int pcct_setting_count(void) {
  return SETTINGS_COUNT;
}

const char *pcct_setting_name(int place) {
  return place >= 0 && place < SETTINGS_COUNT ? settings_entry((enum setting)place)->name : NULL;
}

pcct_status pcct_context_setting(pcct_context *context, const char *name, pcct_setting *setting) {
  struct base *base = &context->base;
  memset(setting, 0, sizeof *setting);
  base_clear_message(base);
  int place = settings_find(name);
  if (place < 0) {
    return settings_fail_name(base, name, NULL);
  }
  const struct settings_entry *entry = settings_entry((enum setting)place);
  setting->name = entry->name;
  settings_text(&base->settings, (enum setting)place, setting->value);
  setting->source = (pcct_setting_source)base->settings.source[place];
  setting->set_by = settings_source_name(setting->source);
  setting->preset = entry->preset;
  setting->help = entry->help;
  return PCCT_OK;
}

/* Bytes of all variables that start with the prefix; with `copy`, also the variables themselves. */
static int64_t own_variables(char *copy) {
  int64_t size = 0;
  for (char **variable = environ; *variable != NULL; variable++) {
    if (strncmp(*variable, prefix, sizeof prefix - 1) == 0) {
      size_t bytes = strlen(*variable) + 1;
      if (copy != NULL) {
        memcpy(copy + size, *variable, bytes);
      }
      size += (int64_t)bytes;
    }
  }
  return size;
}

pcct_status pcct_context_set_from_environment(pcct_context *context) {
  struct base *base = &context->base;
  base_clear_message(base);
  int64_t size = context->rank == 0 ? own_variables(NULL) : 0;
  size = comm_max(context, size); /* rank 0's */
  char *variables = base_allocate(base, size, 1);
  pcct_status status = comm_agree(context, variables != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    if (context->rank == 0) {
      own_variables(variables);
    }
    comm_broadcast(context, variables, size);
    status = settings_set_from_variables(base, &base->settings, variables, size);
  }
  base_free(variables);
  return status;
}
