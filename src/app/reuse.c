/* Orderings taken over from earlier outputs. */
#include "app/reuse.h"

#include "io/file.h"

#include <inttypes.h>
#include <string.h>

/* What rank 0 finds in the file. */
struct earlier {
  char kind[32], ordering[256], metric[32], coordinates[32], hash[17];
  int64_t n;
  int dimension, rotation_count;
  uint64_t seed;
  bool grouped;
  double scale[PCCT_DIMENSION_MAX], rotation[PCCT_DIMENSION_MAX];
};

/* The value of a line "name = value" of a text; "" if there is none. */
static void find_value(const char *text, const char *name, char *value, size_t size) {
  const size_t length = strlen(name);
  value[0] = '\0';
  for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, name, length) == 0 && strncmp(line + length, " = ", 3) == 0) {
      snprintf(value, size, "%.*s", (int)strcspn(line + length + 3, "\n"), line + length + 3);
      return;
    }
  }
}

static pcct_status look(struct base *base, const char *path, struct earlier *earlier) {
  struct file *file = NULL;
  char *text = NULL;
  pcct_status status = file_open(base, path, &file);
  if (status == PCCT_OK) {
    const struct file_summary *summary = file_get_summary(file);
    snprintf(earlier->kind, sizeof earlier->kind, "%s", summary->kind);
    snprintf(earlier->ordering, sizeof earlier->ordering, "%s", summary->ordering);
    snprintf(earlier->metric, sizeof earlier->metric, "%s", summary->metric);
    snprintf(earlier->coordinates, sizeof earlier->coordinates, "%s", summary->coordinates);
    earlier->n = summary->n;
    earlier->dimension = summary->dimension;
    earlier->seed = summary->seed;
    earlier->grouped =
        summary->group[0] != '\0' || summary->observed < summary->n || summary->batch_count > 1;
    earlier->rotation_count = summary->rotation_count;
    memcpy(earlier->scale, summary->scale, sizeof earlier->scale);
    memcpy(earlier->rotation, summary->rotation, sizeof earlier->rotation);
    status = file_list_attributes(base, file, "/provenance", &text);
  }
  if (status == PCCT_OK) {
    find_value(text, "input_hash", earlier->hash, sizeof earlier->hash);
  }
  if (status == PCCT_OK && strcmp(earlier->kind, "conditioning-sets") != 0) {
    status = base_fail(base, PCCT_INPUT, "%s: expected conditioning sets made by vecchia, found %s",
                       path, earlier->kind[0] ? earlier->kind : "a file of another kind");
  }
  base_free(text);
  file_close(&file);
  return status;
}

/* Whether distances are measured alike. */
static bool same_measure(const struct ordered *ordered, const struct earlier *earlier) {
  const struct search_options *search = &ordered->search;
  int metric = 0;
  bool same = search_metric(earlier->metric, &metric) && metric == search->metric &&
              strcmp(earlier->coordinates, search_coordinates_word(search->coordinates)) == 0 &&
              earlier->rotation_count == search->rotation.count;
  for (int j = 0; j < earlier->dimension && same; j++) {
    same = earlier->scale[j] == (search->scale.count > 0 ? search->scale.value[j] : 1);
  }
  for (int j = 0; j < earlier->rotation_count && same; j++) {
    same = earlier->rotation[j] == search->rotation.value[j];
  }
  return same;
}

/* Whether an ordering is the same however distances are measured. */
static bool is_free_of_measure(pcct_ordering ordering) {
  return ordering == PCCT_ORDERING_NONE || ordering == PCCT_ORDERING_RANDOM ||
         ordering == PCCT_ORDERING_TIME || ordering == PCCT_ORDERING_TIME_RANDOM;
}

/* Why the ordering cannot be taken over; NULL: it can. */
static const char *obstacle(const struct ordered *ordered, const struct earlier *earlier,
                            bool grouped) {
  if (strcmp(earlier->hash, ordered->hash) != 0 || earlier->n != input_count(ordered->input)) {
    return "it was made from another input";
  }
  if (grouped || earlier->grouped || ordered->stored.present) {
    return "one of both runs has groups, predictions or an index";
  }
  if (strcmp(earlier->ordering, ordered->ordering_text) != 0 ||
      earlier->seed != ordered->app->common.seed) {
    return "it has another ordering or seed";
  }
  if (!is_free_of_measure(ordered->ordering.ordering) && !same_measure(ordered, earlier)) {
    return "this ordering depends on scales and metric, which differ";
  }
  return NULL;
}

/* Reads this rank's share of the permutation. */
static pcct_status take_over(struct ordered *ordered, const char *path) {
  pcct_context *context = ordered->app->context;
  int64_t first, count;
  pcct_status status = input_open(context, path, NULL, &ordered->earlier);
  if (status == PCCT_OK) {
    pcct_slab(input_count(ordered->input), context->rank, context->size, &first, &count);
    ordered->permutation = base_allocate(&context->base, count, sizeof *ordered->permutation);
    status = comm_agree(context, ordered->permutation != NULL ? PCCT_OK : PCCT_MEMORY);
  }
  return status == PCCT_OK ? input_read_indices(context, ordered->earlier, "/ordering/permutation",
                                                first, count, ordered->permutation)
                           : status;
}

pcct_status reuse_ordering(struct ordered *ordered, const char *path, bool grouped) {
  struct app *app = ordered->app;
  pcct_context *context = app->context;
  struct earlier earlier = {.n = 0};
  pcct_status status = ordered_hash(ordered);
  if (status == PCCT_OK && context->rank == 0) {
    status = look(&context->base, path, &earlier);
  }
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    return status;
  }
  comm_broadcast(context, &earlier, sizeof earlier);
  const char *why = obstacle(ordered, &earlier, grouped);
  if (why != NULL) {
    app_print(app, "nothing reused of %s: %s\n", path, why);
    return PCCT_OK;
  }
  app_print(app, "reused of %s: the ordering%s; trees and sets are made anew\n", path,
            ordering_has_length_scale(&ordered->ordering) ? " with its length scales" : "");
  return take_over(ordered, path);
}
