/*
 * Parsing of options and their help.
 *
 * getopt_long runs in its "return in order" mode, where the word it looks at is known before each call:
 * that is how an abbreviation, which it would accept, is told from the full name.
 */
#include "app/options.h"

#include "app/option_value.h"
#include "base/nearest.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#define ENTRIES_MAX 64
#define LONG_OPTION 256 /* getopt's value of the entry with index 0 */
#define VALUE_COLUMN 28
#define HELP_COLUMNS 80

void options_unknown(const char *what, const char *word, const char *list, const char *shown,
                     char *message, size_t size) {
  struct nearest nearest = {.name = NULL};
  for (const char *name = list; *name != '\0';) {
    int length = (int)strcspn(name, "|");
    nearest_consider(&nearest, word, (int)strlen(word), name, length);
    name += length + (name[length] == '|');
  }
  if (nearest.name != NULL) {
    snprintf(message, size, "unknown %s '%s'; did you mean '%.*s'? It is one of %s", what, word,
             nearest.length, nearest.name, shown != NULL ? shown : list);
  } else {
    snprintf(message, size, "unknown %s '%s'; expected one of %s", what, word,
             shown != NULL ? shown : list);
  }
}

/* All entries of all tables with the structs they belong to. */
struct flat {
  int count;
  const struct option_entry *entry[ENTRIES_MAX];
  void *values[ENTRIES_MAX];
  bool *given[ENTRIES_MAX]; /* NULL: nobody asks */
};

static void flatten(const struct option_table *tables, int table_count, struct flat *flat) {
  flat->count = 0;
  for (int t = 0; t < table_count; t++) {
    for (int i = 0; i < tables[t].count && flat->count < ENTRIES_MAX; i++) {
      flat->entry[flat->count] = &tables[t].entries[i];
      flat->given[flat->count] = tables[t].given ? &tables[t].given[i] : NULL;
      flat->values[flat->count++] = tables[t].values;
    }
  }
}

/* The entries as getopt_long wants them. */
static void getopt_tables(const struct flat *flat, char *short_options,
                          struct option *long_options) {
  strcpy(short_options, "-:"); /* words in order; a missing value is ':' */
  int longs = 0;
  for (int i = 0; i < flat->count; i++) {
    const struct option_entry *entry = flat->entry[i];
    bool takes_value = entry->kind != OPTION_FLAG;
    if (entry->name[1] == '\0') {
      strncat(short_options, entry->name, 1);
      strcat(short_options, takes_value ? ":" : "");
    } else {
      long_options[longs++] =
          (struct option){.name = entry->name,
                          .has_arg = takes_value ? required_argument : no_argument,
                          .val = LONG_OPTION + i};
    }
  }
  long_options[longs] = (struct option){.name = NULL};
}

/* The message for a word that is no option, with the nearest that is one. */
static pcct_status unknown_option(const struct flat *flat, const char *word, char *message) {
  const char *name = word + strspn(word, "-");
  int length = (int)strcspn(name, "=");
  int shown = (int)(name - word) + length;
  struct nearest nearest = {.name = NULL};
  for (int i = 0; i < flat->count; i++) {
    const char *candidate = flat->entry[i]->name;
    if (candidate[1] == '\0' && length == 1 && candidate[0] == name[0]) {
      nearest = (struct nearest){.name = candidate, .length = 1}; /* --m for -m */
    } else if (candidate[1] != '\0') {
      nearest_consider(&nearest, name, length, candidate, (int)strlen(candidate));
    }
  }
  if (nearest.name != NULL) {
    snprintf(message, OPTIONS_MESSAGE_SIZE, "unknown option '%.*s'; did you mean '%s%s'?", shown,
             word, nearest.length == 1 ? "-" : "--", nearest.name);
  } else {
    snprintf(message, OPTIONS_MESSAGE_SIZE, "unknown option '%.*s'; --help lists the options",
             shown, word);
  }
  return PCCT_USAGE;
}

/* The entry that a word names in full, or -1. */
static int find_entry(const struct flat *flat, const char *word) {
  int dash_count = (int)strspn(word, "-");
  const char *name = word + dash_count;
  size_t length = dash_count == 1 ? 1 : strcspn(name, "=");
  for (int i = 0; i < flat->count; i++) {
    const char *candidate = flat->entry[i]->name;
    if (strlen(candidate) == length && strncmp(candidate, name, length) == 0 &&
        dash_count == (length == 1 ? 1 : 2)) {
      return i;
    }
  }
  return -1;
}

pcct_status options_parse(const struct option_table *tables, int table_count, int count,
                          char **words, const char **arguments, int *argument_count,
                          char *message) {
  struct flat flat;
  struct option long_options[ENTRIES_MAX + 1];
  char short_options[2 * ENTRIES_MAX + 3];
  flatten(tables, table_count, &flat);
  getopt_tables(&flat, short_options, long_options);
  message[0] = '\0';
  *argument_count = 0;
  for (int i = 0; i < flat.count; i++) {
    const char *preset = flat.entry[i]->preset;
    if (preset != NULL && option_store(flat.entry[i], preset, flat.values[i], message) != PCCT_OK) {
      return PCCT_INTERNAL;
    }
  }
  opterr = 0;
  optind = 0; /* glibc: start anew */
  for (;;) {
    const char *word = words[optind > 0 ? optind : 1];
    int code = getopt_long(count, words, short_options, long_options, NULL);
    if (code == -1) {
      break;
    }
    if (code == 1) {
      arguments[(*argument_count)++] = optarg;
      continue;
    }
    int found = find_entry(&flat, word);
    if (found < 0) {
      return unknown_option(&flat, word, message);
    }
    const struct option_entry *entry = flat.entry[found];
    if (code == ':') {
      snprintf(message, OPTIONS_MESSAGE_SIZE, "%s%s expects a value (%s), found none",
               option_dashes(entry), entry->name, entry->metavariable);
      return PCCT_USAGE;
    }
    if (code == '?') {
      snprintf(message, OPTIONS_MESSAGE_SIZE, "--%s takes no value, found '%s'", entry->name, word);
      return PCCT_USAGE;
    }
    pcct_status status = option_store(entry, optarg, flat.values[found], message);
    if (status != PCCT_OK) {
      return status;
    }
    if (flat.given[found] != NULL) {
      *flat.given[found] = true;
    }
  }
  while (optind < count) { /* behind "--" */
    arguments[(*argument_count)++] = words[optind++];
  }
  return PCCT_OK;
}

pcct_status options_check_arguments(const char *usage, const char *const *arguments, int count,
                                    char *message) {
  int needed = 0, allowed = 0;
  for (const char *word = usage; *word != '\0';) {
    size_t length = strcspn(word, " ");
    needed += word[0] != '[';
    allowed++;
    word += length + (word[length] == ' ');
  }
  if (count >= needed && count <= allowed) {
    return PCCT_OK;
  }
  size_t used = (size_t)snprintf(message, OPTIONS_MESSAGE_SIZE, "expected %s, found %s", usage,
                                 count == 0 ? "no argument" : "");
  for (int i = 0; i < count && used < OPTIONS_MESSAGE_SIZE; i++) {
    used += (size_t)snprintf(message + used, OPTIONS_MESSAGE_SIZE - used, "%s%s", i > 0 ? " " : "",
                             arguments[i]);
  }
  return PCCT_USAGE;
}

/* Prints words from column VALUE_COLUMN on, broken at blanks. */
static void print_wrapped(FILE *stream, const char *text) {
  int column = VALUE_COLUMN;
  while (*text != '\0') {
    int length = (int)strcspn(text, " ");
    if (column > VALUE_COLUMN && column + 1 + length > HELP_COLUMNS) {
      fprintf(stream, "\n%*s", VALUE_COLUMN, "");
      column = VALUE_COLUMN;
    }
    column += fprintf(stream, "%s%.*s", column > VALUE_COLUMN ? " " : "", length, text);
    text += length + (text[length] == ' ');
  }
  fprintf(stream, "\n");
}

void options_print_help(FILE *stream, const struct option_entry *entries, int count) {
  for (int i = 0; i < count; i++) {
    const struct option_entry *entry = &entries[i];
    const char *value = entry->kind == OPTION_CHOICE ? entry->choices : entry->metavariable;
    int column = fprintf(stream, "  %s%s%s%s", option_dashes(entry), entry->name,
                         value != NULL ? " " : "", value != NULL ? value : "");
    if (column > VALUE_COLUMN - 2) {
      fprintf(stream, "\n");
      column = 0;
    }
    fprintf(stream, "%*s", VALUE_COLUMN - column, "");
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s%s", entry->help, entry->preset != NULL ? " (default " : "",
             entry->preset != NULL ? entry->preset : "", entry->preset != NULL ? ")" : "");
    print_wrapped(stream, text);
  }
}
