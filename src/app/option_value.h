/*
 * Values of options: from text into the struct of values. Private to the options. Everything is Local.
 */
#ifndef APP_OPTION_VALUE_H
#define APP_OPTION_VALUE_H

#include "app/options.h"

/* How an option is introduced: "-" if its name is one letter, else "--". */
const char *option_dashes(const struct option_entry *entry);

/* Checks a value and puts it into its place.
 *   text    [in] what was given; NULL for a flag
 *   values  [in,out] the struct that the entry's offset belongs to; may point into `text` afterwards
 *   message [out] [OPTIONS_MESSAGE_SIZE] on failure: what was expected and what was found
 * Errors: PCCT_USAGE. */
pcct_status option_store(const struct option_entry *entry, const char *text, void *values,
                         char *message);

#endif
