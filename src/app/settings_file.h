/*
 * A file of settings: lines NAME = VALUE, comments behind #.
 */
#ifndef APP_SETTINGS_FILE_H
#define APP_SETTINGS_FILE_H

#include "base/context.h"

/* Reads a whole file into memory.
 * Local.
 *   origin  [in] who named the file, for messages: "--config"
 *   content [out] freed with base_free; NULL on failure
 *   size    [out] bytes
 * Errors: PCCT_FILE (it cannot be read, or is too large for a file of settings), PCCT_MEMORY. */
pcct_status settings_file_read(struct base *base, const char *path, const char *origin,
                               char **content, int64_t *size);

/* Sets what a file says, in base->settings.
 * Local.
 *   path [in] for messages
 * Errors: PCCT_USAGE: the message names file, line, what was expected and what was found. */
pcct_status settings_file_parse(struct base *base, const char *path, const char *content,
                                int64_t size);

#endif
