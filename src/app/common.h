/*
 * The options that subcommands have in common, and the texts of --help and --version.
 * Everything here is Local.
 */
#ifndef APP_COMMON_H
#define APP_COMMON_H

#include "app/app.h"

#include <stdio.h>

#define COMMON_OPTIONS_MAX 16

/* The common options that a subcommand takes, with offsets into struct app_common.
 *   entries [out] [COMMON_OPTIONS_MAX]
 * Returns their number. */
int common_options(const struct app_command *command, struct option_entry *entries);

/* All subcommands, in the order of --help; NULL behind the last. */
extern const struct app_command *const common_commands[];

/* The subcommand of a name, NULL if there is none. */
const struct app_command *common_find_command(const char *name);

/* The names of all subcommands and `help`, as "a|b|c". */
void common_command_list(char *list, size_t size);

/* Texts for stdout. */
void common_print_help(FILE *stream);
void common_print_command_help(FILE *stream, const struct app_command *command);
void common_print_version(FILE *stream);

#endif
