/*
 * The side file of a run that can be continued.
 */
#include "app/checkpoint.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "pcct-checkpoint"
#define VERSION 1
#define LARGEST (1 << 20) /* bytes of a file that may be one */

/* ---- signals */

static volatile sig_atomic_t asked;

static void remember(int number) {
  (void)number;
  asked = 1;
}

void checkpoint_catch_signal(void) {
  struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, NULL);
}

bool checkpoint_asked_to_stop(const struct app *app) {
  return comm_max(app->context, asked) > 0;
}

/* ---- reading */

static pcct_status unreadable(struct base *base, const char *path, const char *found) {
  return base_fail(base, PCCT_INPUT,
                   "%s: expected a checkpoint of pcct, found %s; --overwrite starts anew", path,
                   found);
}

/* The file's text, NULL if there is no file. */
static pcct_status read_text(struct base *base, const char *path, char **text) {
  *text = NULL;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return errno == ENOENT
               ? PCCT_OK
               : base_fail(base, PCCT_FILE, "%s: cannot be read: %s", path, strerror(errno));
  }
  *text = base_allocate_zero(base, LARGEST + 1, 1);
  pcct_status status = *text != NULL ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    fread(*text, 1, LARGEST, file);
    if (ferror(file)) {
      status = base_fail(base, PCCT_FILE, "%s: cannot be read: %s", path, strerror(errno));
    }
  }
  fclose(file);
  return status;
}

/* An integer of at least 0; -1 if there is none. */
static int64_t get_integer(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15
             ? (int64_t)item->valuedouble
             : -1;
}

/* Whether the checkpoint is one of this run. */
static pcct_status compare(struct base *base, const cJSON *root,
                           const struct checkpoint *checkpoint) {
  const cJSON *stored = cJSON_GetObjectItemCaseSensitive(root, "parameters");
  for (int i = 0; i < checkpoint->parameter_count; i++) {
    const struct checkpoint_parameter *parameter = &checkpoint->parameters[i];
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(stored, parameter->name);
    const char *value = cJSON_IsString(item) ? item->valuestring : "none";
    if (strcmp(value, parameter->value) != 0) {
      return base_fail(base, PCCT_USAGE,
                       "--resume: %s is of a run with %s '%s', this one has '%s'; run with what it "
                       "had, or start anew with --overwrite",
                       checkpoint->path, parameter->name, value, parameter->value);
    }
  }
  return PCCT_OK;
}

static pcct_status parse(struct base *base, const char *text, struct checkpoint *checkpoint) {
  cJSON *root = cJSON_Parse(text);
  const cJSON *format = cJSON_GetObjectItemCaseSensitive(root, "format");
  const cJSON *bounds = cJSON_GetObjectItemCaseSensitive(root, "bounds");
  pcct_status status = PCCT_OK;
  if (!cJSON_IsString(format) || strcmp(format->valuestring, FORMAT) != 0 ||
      get_integer(root, "version") != VERSION) {
    status = unreadable(base, checkpoint->path, "none, or one of another version");
  }
  if (status == PCCT_OK) {
    status = compare(base, root, checkpoint);
  }
  const int64_t done = get_integer(root, "done");
  const int64_t blocks = cJSON_GetArraySize(bounds) - 1;
  if (status == PCCT_OK && (done < 0 || done > checkpoint->rows || blocks < 1)) {
    status = unreadable(base, checkpoint->path, "no number of rows that are done");
  }
  if (status == PCCT_OK) {
    checkpoint->done = done;
    checkpoint->blocks = blocks;
    checkpoint->saved = true;
  }
  cJSON_Delete(root);
  return status;
}

static char *make_path(struct base *base, const char *out, const char *ending) {
  const size_t size = strlen(out) + strlen(ending) + 1;
  char *path = base_allocate(base, (int64_t)size, 1);
  if (path != NULL) {
    snprintf(path, size, "%s%s", out, ending);
  }
  return path;
}

/* Removes a checkpoint without a part: what it was for is complete, or gone. Local, on one rank. */
static void remove_stale(const char *path, const char *part) {
  if (access(part, F_OK) != 0) {
    unlink(path);
  }
}

pcct_status checkpoint_check(struct app *app, const char *out, bool resume) {
  struct base *base = &app->context->base;
  char *path = make_path(base, out, ".checkpoint");
  char *part = make_path(base, out, ".part");
  pcct_status status = path != NULL && part != NULL ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK && app->context->rank == 0) {
    remove_stale(path, part);
  }
  if (status == PCCT_OK && app->context->rank == 0 && !resume && !app->common.overwrite &&
      access(path, F_OK) == 0) {
    status = base_fail(base, PCCT_USAGE,
                       "%s is there from a run that was stopped: --resume goes on with it, "
                       "--overwrite starts anew",
                       path);
  }
  base_free(path);
  base_free(part);
  return comm_agree(app->context, status);
}

/* Rank 0's half of checkpoint_find. */
static pcct_status find(struct app *app, bool resume, struct checkpoint *checkpoint) {
  struct base *base = &app->context->base;
  char *text = NULL;
  pcct_status status = PCCT_OK;
  if (!resume) {
    if (app->common.overwrite && unlink(checkpoint->path) != 0 && errno != ENOENT) {
      status = base_fail(base, PCCT_FILE, "%s: cannot be removed: %s", checkpoint->path,
                         strerror(errno));
    }
    return status;
  }
  status = read_text(base, checkpoint->path, &text);
  if (status == PCCT_OK && text != NULL) {
    status = parse(base, text, checkpoint);
  }
  base_free(text);
  return status;
}

pcct_status checkpoint_find(struct app *app, const char *out, bool resume,
                            const struct checkpoint_parameter *parameters, int count, int64_t rows,
                            int64_t blocks, struct checkpoint *checkpoint) {
  pcct_context *context = app->context;
  *checkpoint = (struct checkpoint){.path = make_path(&context->base, out, ".checkpoint"),
                                    .parameters = parameters,
                                    .parameter_count = count,
                                    .rows = rows,
                                    .blocks = blocks};
  pcct_status status = PCCT_MEMORY;
  if (checkpoint->path != NULL) {
    status = context->rank == 0 ? find(app, resume, checkpoint) : PCCT_OK;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    comm_broadcast(context, &checkpoint->blocks, sizeof checkpoint->blocks);
    comm_broadcast(context, &checkpoint->done, sizeof checkpoint->done);
    comm_broadcast(context, &checkpoint->saved, sizeof checkpoint->saved);
  }
  return status;
}

/* ---- blocks */

/* First row of a block, or behind the last. */
static int64_t block_first(const struct checkpoint *checkpoint, int64_t block) {
  const int64_t share = checkpoint->rows / checkpoint->blocks;
  const int64_t larger = checkpoint->rows % checkpoint->blocks;
  return block * share + (block < larger ? block : larger);
}

int64_t checkpoint_end(const struct checkpoint *checkpoint) {
  int64_t low = 0; /* the block that holds the first row not done */
  int64_t high = checkpoint->blocks;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (block_first(checkpoint, middle) <= checkpoint->done) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return block_first(checkpoint, low + 1);
}

/* ---- writing */

static char *print(const struct checkpoint *checkpoint, int64_t done) {
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "format", FORMAT);
  cJSON_AddNumberToObject(root, "version", VERSION);
  cJSON *parameters = cJSON_AddObjectToObject(root, "parameters");
  for (int i = 0; i < checkpoint->parameter_count; i++) {
    cJSON_AddStringToObject(parameters, checkpoint->parameters[i].name,
                            checkpoint->parameters[i].value);
  }
  cJSON *bounds = cJSON_AddArrayToObject(root, "bounds");
  for (int64_t block = 0; block <= checkpoint->blocks; block++) {
    cJSON_AddItemToArray(bounds, cJSON_CreateNumber((double)block_first(checkpoint, block)));
  }
  cJSON_AddNumberToObject(root, "done", (double)done);
  char *text = cJSON_Print(root);
  cJSON_Delete(root);
  return text;
}

/* Writes a new file beside the old one and puts it in its place. */
static pcct_status replace(struct base *base, const char *path, const char *text) {
  const size_t size = strlen(path) + sizeof ".new";
  char *name = base_allocate(base, (int64_t)size, 1);
  if (name == NULL) {
    return PCCT_MEMORY;
  }
  snprintf(name, size, "%s.new", path);
  FILE *file = fopen(name, "w");
  bool good = file != NULL && fputs(text, file) >= 0 && fputc('\n', file) != EOF &&
              fflush(file) == 0 && fsync(fileno(file)) == 0;
  int reason = errno;
  if (file != NULL && fclose(file) != 0 && good) {
    good = false;
    reason = errno;
  }
  if (good && rename(name, path) != 0) {
    good = false;
    reason = errno;
  }
  if (!good) {
    unlink(name);
  }
  base_free(name);
  return good ? PCCT_OK
              : base_fail(base, PCCT_FILE, "%s: cannot be written: %s", path, strerror(reason));
}

pcct_status checkpoint_save(struct app *app, struct checkpoint *checkpoint, int64_t done) {
  pcct_context *context = app->context;
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    char *text = print(checkpoint, done);
    status = text != NULL ? replace(&context->base, checkpoint->path, text) : PCCT_MEMORY;
    cJSON_free(text);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    checkpoint->done = done;
    checkpoint->saved = true;
  }
  return status;
}

void checkpoint_remove(struct app *app, struct checkpoint *checkpoint) {
  if (checkpoint->saved && app->context->rank == 0) {
    unlink(checkpoint->path);
  }
  checkpoint->saved = false;
}

void checkpoint_free(struct checkpoint *checkpoint) {
  base_free(checkpoint->path);
  checkpoint->path = NULL;
}
