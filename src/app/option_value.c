/*
 * Values of options.
 */
#include "app/option_value.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *option_dashes(const struct option_entry *entry) {
  return entry->name[1] == '\0' ? "-" : "--";
}

static void *value_place(const struct option_entry *entry, void *values) {
  return (char *)values + entry->offset;
}

static bool parse_integer(const char *text, int64_t *value) {
  char *end = NULL;
  errno = 0;
  long long parsed = strtoll(text, &end, 10);
  *value = parsed;
  return errno == 0 && *end == '\0' && strspn(text, "+-0123456789") == strlen(text) && end != text;
}

static pcct_status store_integer(const struct option_entry *entry, const char *text, int64_t *value,
                                 char *message) {
  if (parse_integer(text, value) && *value >= entry->minimum && *value <= entry->maximum) {
    return PCCT_OK;
  }
  if (entry->maximum == INT64_MAX) {
    snprintf(message, OPTIONS_MESSAGE_SIZE, "%s%s expects an integer of at least %lld, found '%s'",
             option_dashes(entry), entry->name, (long long)entry->minimum, text);
  } else {
    snprintf(message, OPTIONS_MESSAGE_SIZE, "%s%s expects an integer from %lld to %lld, found '%s'",
             option_dashes(entry), entry->name, (long long)entry->minimum,
             (long long)entry->maximum, text);
  }
  return PCCT_USAGE;
}

static pcct_status store_seed(const struct option_entry *entry, const char *text, uint64_t *value,
                              char *message) {
  char *end = NULL;
  errno = 0;
  *value = strtoull(text, &end, 10);
  /* strtoull takes a sign, and negates */
  if (errno == 0 && end != text && *end == '\0' && strspn(text, "0123456789") == strlen(text)) {
    return PCCT_OK;
  }
  snprintf(message, OPTIONS_MESSAGE_SIZE,
           "%s%s expects an integer from 0 to 18446744073709551615, found '%s'",
           option_dashes(entry), entry->name, text);
  return PCCT_USAGE;
}

static pcct_status store_choice(const struct option_entry *entry, const char *text, int *value,
                                char *message) {
  size_t length = strlen(text);
  int place = 0;
  for (const char *name = entry->choices; *name != '\0'; place++) {
    size_t name_length = strcspn(name, "|");
    if (name_length == length && strncmp(name, text, length) == 0) {
      *value = place;
      return PCCT_OK;
    }
    name += name_length + (name[name_length] == '|');
  }
  char what[80];
  snprintf(what, sizeof what, "value of --%s", entry->name);
  options_unknown(what, text, entry->choices, NULL, message, OPTIONS_MESSAGE_SIZE);
  return PCCT_USAGE;
}

static pcct_status store_text(const struct option_entry *entry, const char *text,
                              const char **value, char *message) {
  size_t length = strlen(text);
  bool words = entry->kind == OPTION_WORDS;
  if (length == 0 || (words && (text[0] == ',' || text[length - 1] == ',' || strstr(text, ",,")))) {
    snprintf(message, OPTIONS_MESSAGE_SIZE, "%s%s expects %s, found '%s'", option_dashes(entry),
             entry->name,
             words ? "names separated by commas, none of them empty" : "a value that is not empty",
             text);
    return PCCT_USAGE;
  }
  *value = text;
  return PCCT_OK;
}

static pcct_status store_number(const struct option_entry *entry, const char *text,
                                struct option_number *value, char *message) {
  char *end = NULL;
  const double number = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(number) || number < 0) {
    snprintf(message, OPTIONS_MESSAGE_SIZE, "%s%s expects a number of at least 0, found '%s'",
             option_dashes(entry), entry->name, text);
    return PCCT_USAGE;
  }
  *value = (struct option_number){true, number + 0.0}; /* -0 is 0 */
  return PCCT_OK;
}

/* What a unit of bytes stands for; 0: it is none. */
static double unit_bytes(const char *unit) {
  static const char letters[] = "KMGTP";
  const char *letter = unit[0] != '\0' ? strchr(letters, unit[0]) : NULL;
  if (unit[0] == '\0' || strcmp(unit, "B") == 0) {
    return 1;
  }
  if (letter == NULL) {
    return 0;
  }
  const int power = (int)(letter - letters) + 1;
  const bool binary = unit[1] == 'i';
  const char *rest = unit + (binary ? 2 : 1);
  return strcmp(rest, "") == 0 || strcmp(rest, "B") == 0 ? pow(binary ? 1024 : 1000, power) : 0;
}

static pcct_status store_bytes(const struct option_entry *entry, const char *text, int64_t *value,
                               char *message) {
  char *end = NULL;
  const double number = strtod(text, &end);
  const double bytes = end != text && number > 0 ? number * unit_bytes(end) : 0;
  if (!(bytes >= 1) || bytes > 9e18) {
    snprintf(message, OPTIONS_MESSAGE_SIZE,
             "%s%s expects a number of bytes, such as 4G or 4GiB, found '%s'", option_dashes(entry),
             entry->name, text);
    return PCCT_USAGE;
  }
  *value = (int64_t)bytes;
  return PCCT_OK;
}

static pcct_status store_numbers(const struct option_entry *entry, const char *text,
                                 struct option_numbers *value, char *message) {
  const bool any = entry->kind == OPTION_SIGNED;
  value->count = 0;
  for (const char *rest = text;; rest++) {
    char *end = NULL;
    double number = strtod(rest, &end);
    bool delimited = end != rest && (*end == ',' || *end == '\0');
    if (value->count == OPTIONS_NUMBERS_MAX || !delimited || !isfinite(number) ||
        (number <= 0 && !any)) {
      snprintf(message, OPTIONS_MESSAGE_SIZE,
               "%s%s expects at most %d %s numbers separated by commas, found '%s'",
               option_dashes(entry), entry->name, OPTIONS_NUMBERS_MAX, any ? "finite" : "positive",
               text);
      return PCCT_USAGE;
    }
    value->value[value->count++] = number;
    rest = end;
    if (*rest == '\0') {
      return PCCT_OK;
    }
  }
}

pcct_status option_store(const struct option_entry *entry, const char *text, void *values,
                         char *message) {
  void *place = value_place(entry, values);
  switch (entry->kind) {
  case OPTION_FLAG:
    *(bool *)place = true;
    return PCCT_OK;
  case OPTION_INTEGER:
    return store_integer(entry, text, place, message);
  case OPTION_SEED:
    return store_seed(entry, text, place, message);
  case OPTION_CHOICE:
    return store_choice(entry, text, place, message);
  case OPTION_TEXT:
  case OPTION_WORDS:
    return store_text(entry, text, place, message);
  case OPTION_NUMBER:
    return store_number(entry, text, place, message);
  case OPTION_BYTES:
    return store_bytes(entry, text, place, message);
  case OPTION_NUMBERS:
  case OPTION_SIGNED:
    return store_numbers(entry, text, place, message);
  }
  return PCCT_INTERNAL;
}

/* As few digits as give the number back. */
static void format_number(double number, char *text, size_t size) {
  snprintf(text, size, "%.15g", number);
  if (strtod(text, NULL) != number) {
    snprintf(text, size, "%.17g", number);
  }
}

const char *options_value_text(const struct option_entry *entry, const void *values, char *text,
                               size_t size) {
  const void *place = (const char *)values + entry->offset;
  const struct option_numbers *numbers = place;
  const char *name = entry->choices;
  size_t used = 0;
  switch (entry->kind) {
  case OPTION_FLAG:
    return *(const bool *)place ? "true" : "false";
  case OPTION_INTEGER:
    if (*(const int64_t *)place < entry->minimum) {
      return NULL; /* zeroed, not given */
    }
    snprintf(text, size, "%lld", (long long)*(const int64_t *)place);
    return text;
  case OPTION_BYTES:
    if (*(const int64_t *)place == 0) {
      return NULL;
    }
    snprintf(text, size, "%lld", (long long)*(const int64_t *)place);
    return text;
  case OPTION_SEED:
    snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)place);
    return text;
  case OPTION_CHOICE:
    for (int skip = *(const int *)place; skip > 0; skip--) {
      name += strcspn(name, "|") + 1;
    }
    snprintf(text, size, "%.*s", (int)strcspn(name, "|"), name);
    return text;
  case OPTION_TEXT:
  case OPTION_WORDS:
    return *(const char *const *)place;
  case OPTION_NUMBER:
    format_number(((const struct option_number *)place)->value, text, size);
    return ((const struct option_number *)place)->given ? text : NULL;
  case OPTION_NUMBERS:
  case OPTION_SIGNED:
    for (int i = 0; i < numbers->count && used < size; i++) {
      char digits[32];
      format_number(numbers->value[i], digits, sizeof digits);
      used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "", digits);
    }
    return numbers->count > 0 ? text : NULL;
  }
  return NULL;
}

pcct_status options_split(struct base *base, const char *text, char ***words, int *count) {
  *words = NULL;
  *count = 0;
  int number = 1;
  for (const char *c = text; *c != '\0'; c++) {
    number += *c == ',';
  }
  size_t pointers = ((size_t)number + 1) * sizeof(char *);
  char *block = base_allocate(base, (int64_t)(pointers + strlen(text) + 1), 1);
  if (block == NULL) {
    return PCCT_MEMORY;
  }
  *words = (char **)(void *)block;
  *count = number;
  char *copy = block + pointers;
  memcpy(copy, text, strlen(text) + 1);
  for (int i = 0; i < number; i++) {
    (*words)[i] = copy;
    copy += strcspn(copy, ",");
    *copy++ = '\0';
  }
  (*words)[number] = NULL;
  return PCCT_OK;
}
