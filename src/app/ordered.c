/*
 * Points with an ordering, and their index.
 */
#include "app/ordered.h"

#include "app/progress.h"

pcct_status ordered_open(struct app *app, const struct search_options *search, const char *ordering,
                         const char *path, struct ordered *ordered) {
  *ordered = (struct ordered){.app = app, .search = *search, .ordering_text = ordering};
  pcct_status status = search_open(app, search, path, &ordered->input);
  if (status == PCCT_OK) {
    status = search_complete(app, &ordered->search, input_dimension(ordered->input));
  }
  if (status == PCCT_OK) {
    status = stored_adopt(app, ordered->input, &ordered->search, &ordered->ordering_text,
                          &ordered->stored);
  }
  if (status == PCCT_OK) {
    status = ordering_parse(&app->context->base, ordered->ordering_text, &ordered->ordering);
  }
  if (status == PCCT_OK) {
    ordered->search.nets =
        !ordered->stored.present && ordering_has_length_scale(&ordered->ordering);
    status = search_check_dimension(app, &ordered->search, input_dimension(ordered->input),
                                    ordered->ordering.axis);
  }
  if (status == PCCT_OK && ordered->ordering.ordering == PCCT_ORDERING_GIVEN &&
      !ordered->stored.present) { /* only looked at */
    int64_t nothing;
    status =
        input_read_indices(app->context, ordered->input, ordered->ordering.dataset, 0, 0, &nothing);
  }
  return status;
}

pcct_status ordered_permutation(struct app *app, struct input *input,
                                const struct ordering_choice *ordering, int64_t **permutation) {
  pcct_context *context = app->context;
  int64_t first, count;
  *permutation = NULL;
  if (ordering->ordering != PCCT_ORDERING_GIVEN) {
    return PCCT_OK;
  }
  pcct_slab(input_count(input), context->rank, context->size, &first, &count);
  *permutation = base_allocate(&context->base, count, sizeof **permutation);
  pcct_status status = comm_agree(context, *permutation != NULL ? PCCT_OK : PCCT_MEMORY);
  return status == PCCT_OK
             ? input_read_indices(context, input, ordering->dataset, first, count, *permutation)
             : status;
}

/* Makes the index of points. */
static pcct_status create_index(struct ordered *ordered) {
  struct app *app = ordered->app;
  pcct_index_options options = search_index_options(&ordered->search);
  const bool known = ordered->permutation != NULL;
  pcct_status status =
      known ? PCCT_OK
            : ordered_permutation(app, ordered->input, &ordered->ordering, &ordered->permutation);
  if (status == PCCT_OK) {
    ordering_set(&ordered->ordering, input_dimension(ordered->input), app->common.seed, &options);
    options.group = known ? NULL : ordered->group;
    if (known) {
      options.ordering = PCCT_ORDERING_GIVEN;
      options.start = PCCT_START_CENTRE;
    }
    options.permutation = ordered->permutation;
    status = pcct_index_create(app->context, &ordered->points, &options, &ordered->index);
  }
  base_free(ordered->permutation);
  ordered->permutation = NULL;
  return status;
}

pcct_status ordered_hash(struct ordered *ordered) {
  return ordered->hash[0] != '\0'
             ? PCCT_OK
             : input_hash(ordered->app->context, ordered->input, ordered->hash);
}

pcct_status ordered_index(struct ordered *ordered) {
  struct app *app = ordered->app;
  pcct_status status = search_read(app, ordered->input, &ordered->points);
  if (status == PCCT_OK) {
    status = ordered_hash(ordered);
  }
  if (status == PCCT_OK) {
    status = ordered->stored.present ? stored_load(app, ordered->input, &ordered->search,
                                                   &ordered->stored, false, false, &ordered->index)
                                     : create_index(ordered);
  }
  progress_poll(app->progress);
  return status;
}

struct output_header ordered_header(const struct ordered *ordered, int64_t width) {
  const struct stored *stored = &ordered->stored;
  struct output_header header =
      search_header(ordered->app, &ordered->search, ordered->input, ordered->input, width,
                    pcct_index_get_info(ordered->index).duplicates);
  header.ordering = ordered->ordering_text;
  header.has_ordering = true;
  header.has_length_scale = ordering_has_length_scale(&ordered->ordering);
  if (stored->present) {
    header.seed = stored->seed;
  }
  if (stored->present && stored->batch_count > 1) {
    header.batches = stored->batches;
    header.batch_count = (int)stored->batch_count;
  }
  return header;
}

struct input *ordered_length_scales(const struct ordered *ordered) {
  if (!ordering_has_length_scale(&ordered->ordering)) {
    return NULL;
  }
  return ordered->stored.present ? ordered->input : ordered->earlier;
}

void ordered_close(struct ordered *ordered) {
  pcct_index_destroy(&ordered->index);
  search_release(&ordered->points);
  base_free(ordered->permutation);
  base_free(ordered->group);
  stored_free(&ordered->stored);
  input_close(ordered->app->context, &ordered->earlier);
  input_close(ordered->app->context, &ordered->input);
}
