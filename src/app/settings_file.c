/*
 * A file of settings, taken apart by inih.
 *
 * inih gets its lines from a reader of ours: it knows the number of the line, lets a comment start with
 * # anywhere behind a blank, keeps indented lines from being taken for continued values, and refuses
 * lines that inih would silently cut in two.
 */
#include "app/settings_file.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX 65536 /* far more than all settings take */
#define BLANKS " \t\r\v\f"

pcct_status settings_file_read(struct base *base, const char *path, const char *origin,
                               char **content, int64_t *size) {
  pcct_status status = PCCT_OK;
  *size = 0;
  *content = base_allocate(base, FILE_BYTES_MAX + 1, 1);
  if (*content == NULL) {
    return PCCT_MEMORY;
  }
  errno = 0;
  FILE *file = fopen(path, "rb");
  if (file != NULL) {
    *size = (int64_t)fread(*content, 1, FILE_BYTES_MAX + 1, file);
  }
  if (file == NULL || ferror(file)) {
    status = base_fail(base, PCCT_FILE, "%s: cannot read %s: %s", origin, path, strerror(errno));
  } else if (*size > FILE_BYTES_MAX) {
    status = base_fail(base, PCCT_FILE,
                       "%s: expected lines NAME = VALUE in %s, at most %d bytes in all, found more",
                       origin, path, FILE_BYTES_MAX);
  }
  if (file != NULL) {
    fclose(file);
  }
  if (status != PCCT_OK) {
    base_free(*content);
    *content = NULL;
    *size = 0;
  }
  return status;
}

struct parse {
  struct base *base;
  const char *path;
  const char *rest, *end; /* what is still to be read */
  int line;               /* number of the line read last, from 1 */
  pcct_status status;
};

/* A line for inih, as fgets would give it. */
static char *read_line(char *line, int size, void *stream) {
  struct parse *parse = stream;
  if (parse->rest == parse->end) {
    return NULL;
  }
  const char *start = parse->rest;
  const char *newline = memchr(start, '\n', (size_t)(parse->end - start));
  const char *stop = newline != NULL ? newline : parse->end;
  parse->rest = newline != NULL ? newline + 1 : parse->end;
  parse->line++;
  while (start < stop && strchr(BLANKS, *start) != NULL) {
    start++;
  }
  for (const char *c = start; c < stop; c++) {
    if (*c == '#' && (c == start || strchr(BLANKS, c[-1]) != NULL)) {
      stop = c;
    }
  }
  if (stop - start >= size) {
    parse->status =
        base_fail(parse->base, PCCT_USAGE, "%s:%d: expected NAME = VALUE, found %lld characters",
                  parse->path, parse->line, (long long)(stop - start));
    stop = start;
  }
  memcpy(line, start, (size_t)(stop - start));
  line[stop - start] = '\0';
  return line;
}

/* inih's callback: 1 if the setting is fine. */
static int store(void *user, const char *section, const char *name, const char *value) {
  struct parse *parse = user;
  struct base *base = parse->base;
  char label[BASE_MESSAGE_SIZE / 2];
  pcct_status status;
  if (section[0] != '\0') {
    status = base_fail(base, PCCT_USAGE,
                       "%s:%d: expected settings alone, found '%s' in a section [%s]; leave the "
                       "section out",
                       parse->path, parse->line, name, section);
  } else if (settings_find(name) < 0) {
    snprintf(label, sizeof label, "%s:%d", parse->path, parse->line);
    status = settings_fail_name(base, name, label);
  } else {
    snprintf(label, sizeof label, "%s:%d: %s", parse->path, parse->line, name);
    status = settings_set(base, &base->settings, name, value, PCCT_SET_BY_FILE, label);
  }
  if (status != PCCT_OK) {
    parse->status = status;
  }
  return status == PCCT_OK;
}

pcct_status settings_file_parse(struct base *base, const char *path, const char *content,
                                int64_t size) {
  struct parse parse = {
      .base = base, .path = path, .rest = content, .end = content + size, .status = PCCT_OK};
  int line = ini_parse_stream(read_line, &parse, store, &parse);
  if (line != 0 && parse.status == PCCT_OK) {
    parse.status = base_fail(base, PCCT_USAGE, "%s:%d: expected NAME = VALUE", path, line);
  }
  return parse.status;
}
