/*
 * pcct info: what a file holds, be it pcct's own or any HDF5 file that could be an input.
 */
#include "app/info.h"

#include "io/file.h"

#include <string.h>

/* ---- candidates for an input */

/* Whether a dataset has the wanted number of dimensions and holds numbers. */
static bool is_numeric(const struct file_dataset *dataset, int dimensions) {
  int found = dataset->shape[0] >= '0' && dataset->shape[0] <= '9';
  for (const char *c = strstr(dataset->shape, " x "); c != NULL; c = strstr(c + 1, " x ")) {
    found++;
  }
  return found == dimensions && (strncmp(dataset->type, "float", strlen("float")) == 0 ||
                                 strncmp(dataset->type, "int", strlen("int")) == 0 ||
                                 strncmp(dataset->type, "uint", strlen("uint")) == 0);
}

/* The 1-D datasets of each length that several have, one line for each length. */
static int print_columns(const struct app *app, const struct file_dataset *datasets, int count) {
  int lines = 0;
  for (int i = 0; i < count; i++) {
    bool first = is_numeric(&datasets[i], 1);
    for (int j = 0; j < i && first; j++) {
      first = !is_numeric(&datasets[j], 1) || strcmp(datasets[j].shape, datasets[i].shape) != 0;
    }
    if (!first) {
      continue;
    }
    app_print_always(app, "  --columns from these of length %s:", datasets[i].shape);
    for (int j = i; j < count; j++) {
      if (is_numeric(&datasets[j], 1) && strcmp(datasets[j].shape, datasets[i].shape) == 0) {
        app_print_always(app, "%s %s", j > i ? "," : "", datasets[j].path);
      }
    }
    app_print_always(app, "\n");
    lines++;
  }
  return lines;
}

static void print_candidates(const struct app *app, const struct file_dataset *datasets,
                             int count) {
  int lines = 0;
  app_print_always(app, "\nusable as coordinates:\n");
  for (int i = 0; i < count; i++) {
    if (is_numeric(&datasets[i], 2)) {
      app_print_always(app, "  --dataset %s\n", datasets[i].path);
      lines++;
    }
  }
  lines += print_columns(app, datasets, count);
  if (lines == 0) {
    app_print_always(app, "  nothing: there is neither a 2-D nor a 1-D numeric dataset\n");
  }
}

/* ---- datasets and attributes */

static void print_datasets(const struct app *app, const struct file_dataset *datasets, int count) {
  int path_width = 0, shape_width = 0, type_width = 0;
  for (int i = 0; i < count; i++) {
    int path = (int)strlen(datasets[i].path);
    int shape = (int)strlen(datasets[i].shape);
    int type = (int)strlen(datasets[i].type);
    path_width = path > path_width ? path : path_width;
    shape_width = shape > shape_width ? shape : shape_width;
    type_width = type > type_width ? type : type_width;
  }
  app_print_always(app, "\ndatasets:%s\n", count == 0 ? " none" : "");
  for (int i = 0; i < count; i++) {
    const struct file_dataset *dataset = &datasets[i];
    bool units = dataset->units[0] != '\0' && strcmp(dataset->units, "1") != 0;
    app_print_always(app, "  %-*s  %-*s  %-*s", path_width, dataset->path, shape_width,
                     dataset->shape, type_width, dataset->type);
    app_print_always(app, "%s%s%s%s%s\n", dataset->description[0] != '\0' ? "  " : "",
                     dataset->description, units ? " [" : "", units ? dataset->units : "",
                     units ? "]" : "");
  }
}

/* The attributes of a group, indented under a heading; nothing if there are none. */
static pcct_status print_attributes(const struct app *app, struct file *file, const char *group,
                                    const char *heading) {
  char *text = NULL;
  pcct_status status = file_list_attributes(&app->context->base, file, group, &text);
  if (status == PCCT_OK && text[0] != '\0') {
    app_print_always(app, "\n%s:\n", heading);
    for (const char *line = text; *line != '\0';) {
      int length = (int)strcspn(line, "\n");
      app_print_always(app, "  %.*s\n", length, line);
      line += length + (line[length] == '\n');
    }
  }
  base_free(text);
  return status;
}

/* Rank 0's work. */
static pcct_status print_file(const struct app *app, const char *path) {
  struct base *base = &app->context->base;
  struct file *file = NULL;
  struct file_dataset *datasets = NULL;
  int count = 0;
  pcct_status status = file_open(base, path, &file);
  if (status == PCCT_OK) {
    status = file_list_datasets(base, file, &datasets, &count);
  }
  if (status != PCCT_OK) {
    goto cleanup;
  }
  const struct file_summary *summary = file_get_summary(file);
  bool own = summary->kind[0] != '\0';
  if (own) {
    app_print_always(app, "%s: pcct %s, format %d.%d\n", path, summary->kind,
                     summary->version_major, summary->version_minor);
  } else {
    app_print_always(app, "%s: HDF5, not written by pcct\n", path);
  }
  status = print_attributes(app, file, "/", "attributes");
  print_datasets(app, datasets, count);
  if (status == PCCT_OK && own) {
    status = print_attributes(app, file, "/provenance", "provenance");
  }
  if (!own) {
    print_candidates(app, datasets, count);
  }
cleanup:
  base_free(datasets);
  file_close(&file);
  return status;
}

static pcct_status run_info(struct app *app, const void *values, const char *const *arguments,
                            int count) {
  (void)values;
  (void)count;
  pcct_status status = PCCT_OK;
  if (app->context->rank == 0) {
    status = print_file(app, arguments[0]);
  }
  return comm_agree(app->context, status);
}

const struct app_command command_info = {
    .name = "info",
    .summary = "say what a file holds",
    .arguments = "FILE",
    .description =
        "FILE is an output of pcct, or any HDF5 (or NetCDF-4) file: then the datasets that\n"
        "can be used as coordinates are listed too.\n",
    .common = APP_QUIET_VERBOSE,
    .run = run_info,
};
