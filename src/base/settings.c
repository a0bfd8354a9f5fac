/*
 * Settings: names, defaults, and values from texts.
 */
#include "base/settings.h"

#include "base/context.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "PCCT_"

/* Variables that the program and its job scripts use for other things. */
static const char *const other_variables[] = {"PCCT_CONFIG", "PCCT_MPI"};
#define OTHER_VARIABLES ((int)(sizeof other_variables / sizeof other_variables[0]))

static const struct settings_entry entries[SETTINGS_COUNT] = {
#define ENTRY_CHOICE(member, called, list, usual, purpose)                                         \
  {.name = (called),                                                                               \
   .names = (list),                                                                                \
   .preset = (usual),                                                                              \
   .help = (purpose),                                                                              \
   .offset = offsetof(struct settings, member)},
#define ENTRY_INTEGER(member, called, least, most, usual, purpose)                                 \
  {.name = (called),                                                                               \
   .smallest = (least),                                                                            \
   .largest = (most),                                                                              \
   .preset = #usual,                                                                               \
   .help = (purpose),                                                                              \
   .offset = offsetof(struct settings, member)},
    SETTINGS_LIST(ENTRY_CHOICE, ENTRY_INTEGER)
#undef ENTRY_CHOICE
#undef ENTRY_INTEGER
};

const struct settings_entry *settings_entry(enum setting place) {
  return &entries[place];
}

const char *settings_source_name(enum pcct_setting_source source) {
  static const char *const names[] = {
#define SOURCE_NAME(name, text) text,
      PCCT_SETTING_SOURCE_LIST(SOURCE_NAME)
#undef SOURCE_NAME
  };
  return names[source];
}

int settings_find(const char *name) {
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    if (strcmp(entries[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

void settings_variable(enum setting place, char *text) {
  snprintf(text, SETTINGS_TEXT_SIZE, PREFIX "%s", entries[place].name);
  for (char *c = text; *c != '\0'; c++) {
    bool small = *c >= 'a' && *c <= 'z'; /* in every locale */
    *c = (char)(*c == '-' ? '_' : small ? *c - 'a' + 'A' : *c);
  }
}

/* The name at a place of a list "a|b|c", not terminated. */
static const char *choice_name(const char *names, int place, int *length) {
  while (place-- > 0) {
    names += strcspn(names, "|") + 1;
  }
  *length = (int)strcspn(names, "|");
  return names;
}

/* The place of a name in a list "a|b|c", or -1. */
static int choice_place(const char *names, const char *value) {
  size_t length = strlen(value);
  for (int place = 0;; place++) {
    size_t name_length = strcspn(names, "|");
    if (name_length == length && strncmp(names, value, length) == 0) {
      return place;
    }
    if (names[name_length] == '\0') {
      return -1;
    }
    names += name_length + 1;
  }
}

/* Digits alone, within the range of the entry. */
static bool parse_integer(const struct settings_entry *entry, const char *value, int64_t *number) {
  errno = 0;
  *number = strtoll(value, NULL, 10);
  return errno == 0 && value[0] != '\0' && strspn(value, "0123456789") == strlen(value) &&
         *number >= entry->smallest && *number <= entry->largest;
}

/* Puts a value into its place; false if it is none of this setting. */
static bool store(const struct settings_entry *entry, const char *value, void *member) {
  int64_t number = 0;
  if (entry->names != NULL) {
    int place = choice_place(entry->names, value);
    if (place >= 0) {
      *(int *)member = place;
    }
    return place >= 0;
  }
  if (!parse_integer(entry, value, &number)) {
    return false;
  }
  *(int64_t *)member = number;
  return true;
}

struct settings settings_default(void) {
  struct settings settings;
  memset(&settings, 0, sizeof settings);
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    store(&entries[i], entries[i].preset, (char *)&settings + entries[i].offset);
  }
  return settings;
}

pcct_status settings_fail_name(struct base *base, const char *name, const char *label) {
  struct nearest nearest = {.name = NULL};
  const char *where = label != NULL ? label : "";
  const char *colon = label != NULL ? ": " : "";
  char list[SETTINGS_COUNT * SETTINGS_TEXT_SIZE];
  char *end = list;
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    const char *candidate = entries[i].name;
    nearest_consider(&nearest, name, (int)strlen(name), candidate, (int)strlen(candidate));
    end = stpcpy(end, i > 0 ? ", " : "");
    end = stpcpy(end, candidate);
  }
  if (nearest.name != NULL) {
    return base_fail(base, PCCT_USAGE, "%s%sunknown setting '%s'; did you mean '%s'?", where, colon,
                     name, nearest.name);
  }
  return base_fail(base, PCCT_USAGE, "%s%sunknown setting '%s'; the settings are %s", where, colon,
                   name, list);
}

static pcct_status fail_value(struct base *base, const struct settings_entry *entry,
                              const char *value, const char *label) {
  const char *what = label != NULL ? label : entry->name;
  struct nearest nearest = {.name = NULL};
  if (entry->names == NULL) {
    return base_fail(base, PCCT_USAGE, "%s expects an integer from %lld to %lld, found '%s'", what,
                     (long long)entry->smallest, (long long)entry->largest, value);
  }
  for (const char *name = entry->names; *name != '\0';) {
    int length = (int)strcspn(name, "|");
    nearest_consider(&nearest, value, (int)strlen(value), name, length);
    name += length + (name[length] == '|');
  }
  if (nearest.name != NULL) {
    return base_fail(base, PCCT_USAGE, "%s expects one of %s, found '%s'; did you mean '%.*s'?",
                     what, entry->names, value, nearest.length, nearest.name);
  }
  return base_fail(base, PCCT_USAGE, "%s expects one of %s, found '%s'", what, entry->names, value);
}

pcct_status settings_set(struct base *base, struct settings *settings, const char *name,
                         const char *value, enum pcct_setting_source source, const char *label) {
  int place = settings_find(name);
  if (place < 0) {
    return settings_fail_name(base, name, NULL);
  }
  const struct settings_entry *entry = &entries[place];
  struct settings checked = *settings;
  if (!store(entry, value, (char *)&checked + entry->offset)) {
    return fail_value(base, entry, value, label);
  }
  if ((int)source >= settings->source[place]) {
    checked.source[place] = (unsigned char)source;
    *settings = checked;
  }
  return PCCT_OK;
}

void settings_text(const struct settings *settings, enum setting place, char *text) {
  const struct settings_entry *entry = &entries[place];
  const void *member = (const char *)settings + entry->offset;
  if (entry->names != NULL) {
    int length;
    const char *name = choice_name(entry->names, *(const int *)member, &length);
    snprintf(text, SETTINGS_TEXT_SIZE, "%.*s", length, name);
  } else {
    snprintf(text, SETTINGS_TEXT_SIZE, "%lld", (long long)*(const int64_t *)member);
  }
}

/* ---- the environment */

/* Whether a name of `length` characters is that of a setting's variable (its place in *place) or of
 * another one (*place is SETTINGS_COUNT). If neither, `nearest` becomes what was meant; it points to
 * `names`, which has room for all. */
static bool find_variable(const char *name, int length, int *place, struct nearest *nearest,
                          char names[][SETTINGS_TEXT_SIZE]) {
  for (int i = 0; i < SETTINGS_COUNT + OTHER_VARIABLES; i++) {
    if (i < SETTINGS_COUNT) {
      settings_variable((enum setting)i, names[i]);
    } else {
      snprintf(names[i], SETTINGS_TEXT_SIZE, "%s", other_variables[i - SETTINGS_COUNT]);
    }
    int known = (int)strlen(names[i]);
    if (known == length && strncmp(names[i], name, (size_t)length) == 0) {
      *place = i < SETTINGS_COUNT ? i : SETTINGS_COUNT;
      return true;
    }
    const int prefix = (int)sizeof PREFIX - 1; /* all have it: no sign of likeness */
    nearest_consider(nearest, name + prefix, length - prefix, names[i] + prefix, known - prefix);
  }
  return false;
}

static void warn_of_variable(const struct base *base, const char *name, int length,
                             const struct nearest *nearest) {
  if (nearest->name != NULL) {
    base_log(base, SETTINGS_LOG_WARNING,
             "%.*s in the environment names no setting; did you mean " PREFIX "%.*s?", length, name,
             nearest->length, nearest->name);
  } else {
    base_log(base, SETTINGS_LOG_WARNING,
             "%.*s in the environment names no setting; --help lists the settings", length, name);
  }
}

/* One "NAME=value": sets what it says, or, in the round of `warnings`, only warns if it says nothing. */
static pcct_status take_variable(struct base *base, struct settings *settings, const char *text,
                                 bool warnings) {
  char names[SETTINGS_COUNT + OTHER_VARIABLES][SETTINGS_TEXT_SIZE];
  char label[SETTINGS_TEXT_SIZE + 32];
  struct nearest nearest = {.name = NULL};
  int place = SETTINGS_COUNT;
  int length = (int)strcspn(text, "=");
  bool empty = text[length] == '\0' || text[length + 1] == '\0';
  if (empty || strncmp(text, PREFIX, sizeof PREFIX - 1) != 0) {
    return PCCT_OK;
  }
  bool known = find_variable(text, length, &place, &nearest, names);
  if (warnings && !known) {
    warn_of_variable(base, text, length, &nearest);
  }
  if (warnings || !known || place == SETTINGS_COUNT) {
    return PCCT_OK;
  }
  snprintf(label, sizeof label, "%s in the environment", names[place]);
  return settings_set(base, settings, entries[place].name, text + length + 1,
                      PCCT_SET_BY_ENVIRONMENT, label);
}

pcct_status settings_set_from_variables(struct base *base, struct settings *settings,
                                        const char *variables, int64_t size) {
  pcct_status status = PCCT_OK;
  /* warnings last: the environment may have the log level */
  for (int round = 0; round < 2; round++) {
    const char *text = variables;
    while (text < variables + size && status == PCCT_OK) {
      status = take_variable(base, settings, text, round == 1);
      text += strlen(text) + 1;
    }
  }
  return status;
}
