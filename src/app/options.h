/*
 * Options: one table per subcommand, from which parsing, defaults, --help and the report come.
 *
 * A table lists options with their kind, their place in the subcommand's struct of values, and
 * their texts. Parsing is glibc's getopt_long, but abbreviations are refused: an unknown or
 * abbreviated name is an error with the nearest name as a suggestion. Options may stand before,
 * between or after the arguments; `--` ends them; of a repeated option the last one counts.
 *
 * Everything here is Local and depends on the words alone, so that every rank comes to the same
 * result.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "base/context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_NUMBERS_MAX 64
#define OPTIONS_MESSAGE_SIZE BASE_MESSAGE_SIZE

/* What an option takes, and the C type of its value. */
enum option_kind {
  OPTION_FLAG,    /* nothing; bool */
  OPTION_INTEGER, /* an integer within minimum..maximum; int64_t */
  OPTION_SEED,    /* 0 .. 2^64-1; uint64_t */
  OPTION_CHOICE,  /* one of `choices`; int, its place in the list */
  OPTION_TEXT,   /* a text that is not empty; const char *, NULL if not given and without default */
  OPTION_WORDS,  /* words separated by commas, none empty; const char *, for options_split */
  OPTION_NUMBER, /* a finite number of at least 0; struct option_number */
  OPTION_BYTES, /* a number of bytes, with K, M, G, T (10^3 ...) or Ki, Mi, ... and a B behind it; int64_t, 0 if not
                    given and without default */
  OPTION_NUMBERS, /* positive finite numbers separated by commas; struct option_numbers */
  OPTION_SIGNED   /* likewise, of any sign */
};

struct option_number {
  bool given; /* false if not given and without default */
  double value;
};

struct option_numbers {
  int count; /* 0 if not given and without default */
  double value[OPTIONS_NUMBERS_MAX];
};

/* One option. */
struct option_entry {
  const char *name; /* long name without dashes; of one letter: written -m, never --m */
  enum option_kind kind;
  const char *metavariable; /* what --help calls the value, e.g. "FILE"; NULL for flags */
  const char *preset;       /* default, parsed like a value; NULL: the value stays all zero bytes */
  const char *help;         /* one or more sentences without the default */
  size_t offset;            /* offsetof the value in the struct of values */
  const char *choices;      /* OPTION_CHOICE: "f8|f4|none" */
  int64_t minimum, maximum; /* OPTION_INTEGER */
};

/* Tables and the structs that their offsets belong to. A subcommand has two: its own options, and
 * those that it takes from the common ones. */
struct option_table {
  const struct option_entry *entries;
  int count;
  void *values; /* [in,out] the struct that receives the values */
  bool *given;  /* [in,out] [count] set for the options that the words name; NULL: nobody asks */
};

/* Parses the words of one subcommand.
 *   tables         [in,out] `table_count` tables; their values are set to defaults, then to what was
 *                  given
 *   count, words   [in] argc and argv, words[0] being ignored
 *   arguments      [out] [count] room for pointers to the words that are no options
 *   argument_count [out] their number
 *   message        [out] [OPTIONS_MESSAGE_SIZE] on failure one line: what was expected and what was
 *                  found
 * Returns PCCT_OK or PCCT_USAGE. The texts of the values point into `words`. Not thread-safe: getopt. */
pcct_status options_parse(const struct option_table *tables, int table_count, int count,
                          char **words, const char **arguments, int *argument_count, char *message);

/* Checks the number of arguments against `usage`, which is what --help shows, e.g.
 * "FILE [QUERIES] OUT": words in brackets are optional. Returns PCCT_OK or PCCT_USAGE with a
 * message. */
pcct_status options_check_arguments(const char *usage, const char *const *arguments, int count,
                                    char *message);

/* Prints the options of a table for --help. */
void options_print_help(FILE *stream, const struct option_entry *entries, int count);

/* The value of an option as text, e.g. for a report: what would have to be given to get it; NULL for
 * an option that was not given and has no default.
 *   text [out] [size] room for the text; the result points here or into the options' texts */
const char *options_value_text(const struct option_entry *entry, const void *values, char *text,
                               size_t size);

/* Splits the value of an OPTION_WORDS.
 *   words [out] the words and NULL behind the last; one block of memory, freed with base_free
 *   count [out] their number
 * Errors: PCCT_MEMORY. */
pcct_status options_split(struct base *base, const char *text, char ***words, int *count);

/* Writes a message for a word that is none of the names in a list "a|b|c": names the list, and the one
 * that was meant if there is one near enough by edit distance.
 *   what  [in] e.g. "value of --ordering" or "subcommand"
 *   list  [in] the names to compare with
 *   shown [in] the list as the message shows it; NULL: `list` itself */
void options_unknown(const char *what, const char *word, const char *list, const char *shown,
                     char *message, size_t size);

#endif
