/*
 * Points, who asks, and the index.
 */
#include "app/asking.h"

#include "app/progress.h"
#include "app/transfer.h"

struct input *asking_rows(const struct asking *asking) {
  return asking->queries != NULL ? asking->queries : asking->input;
}

pcct_status asking_open(struct asking *asking, const char *path, const char *query_path) {
  struct app *app = asking->app;
  const struct search_options given = asking->search; /* also those of the queries */
  pcct_status status = search_open(app, &given, path, &asking->input);
  if (status == PCCT_OK) {
    status = search_complete(app, &asking->search, input_dimension(asking->input));
  }
  if (status == PCCT_OK) {
    status = stored_adopt(app, asking->input, &asking->search, NULL, &asking->stored);
  }
  if (status == PCCT_OK) {
    status = search_check_dimension(app, &asking->search, input_dimension(asking->input), 0);
  }
  if (status == PCCT_OK && query_path != NULL) {
    status = search_open(app, &given, query_path, &asking->queries);
  }
  if (status == PCCT_OK && query_path != NULL &&
      input_dimension(asking->queries) != input_dimension(asking->input)) {
    status = base_fail(&app->context->base, PCCT_INPUT,
                       "the queries in %s have %d coordinates, the points in "
                       "%s have %d; they must have the same",
                       query_path, input_dimension(asking->queries), path,
                       input_dimension(asking->input));
  }
  return status;
}

pcct_status asking_index(struct asking *asking) {
  struct app *app = asking->app;
  pcct_index_options options = search_index_options(&asking->search);
  pcct_points points = {.coordinates = NULL};
  pcct_status status = input_hash(app->context, asking->input, asking->hash);
  if (status == PCCT_OK && asking->stored.present) {
    status = stored_load(app, asking->input, &asking->search, &asking->stored, true, false,
                         &asking->index);
  } else if (status == PCCT_OK) {
    status = search_read(app, asking->input, &points);
  }
  if (status == PCCT_OK && !asking->stored.present) {
    status = pcct_index_create(app->context, &points, &options, &asking->index);
    search_release(&points);
  }
  progress_poll(app->progress);
  return status;
}

pcct_status asking_read(const struct asking *asking, int64_t first, int64_t count,
                        pcct_points *queries) {
  pcct_context *context = asking->app->context;
  *queries = (pcct_points){.dimension = input_dimension(asking->queries)};
  pcct_slab(count, context->rank, context->size, &queries->first_row, &queries->count);
  queries->first_row += first;
  double *coordinates = base_allocate(&context->base, queries->count,
                                      (size_t)queries->dimension * sizeof *coordinates);
  queries->coordinates = coordinates;
  pcct_status status = comm_agree(context, coordinates != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    pcct_context_enter_phase(context, PCCT_PHASE_read);
    status = input_read_coordinates(context, asking->queries, queries->first_row, queries->count,
                                    coordinates);
  }
  return status;
}

pcct_status asking_transfer(const struct asking *asking, struct output *output) {
  struct app *app = asking->app;
  pcct_status status = transfer_declare(app, asking_rows(asking), output);
  if (status == PCCT_OK) {
    status = transfer_coordinates(app, asking_rows(asking), NULL, NULL, output);
  }
  if (status == PCCT_OK) {
    status = transfer_carried(app, asking_rows(asking), NULL, output);
  }
  return status;
}

void asking_close(struct asking *asking) {
  pcct_index_destroy(&asking->index);
  stored_free(&asking->stored);
  input_close(asking->app->context, &asking->queries);
  input_close(asking->app->context, &asking->input);
}
