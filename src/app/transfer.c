/*
 * Per-row data on its way from the input to the output.
 *
 * Data goes in blocks of positions that depend on the number of rows and ranks alone, so that every rank
 * takes part in the same collective calls; each rank has its slab of a block.
 */
#include "app/transfer.h"

#define BLOCK_BYTES (INT64_C(64) << 20) /* of one rank */

enum part_kind {
  PART_COORDINATES,
  PART_SOURCE_ROW,
  PART_CARRIED,
  PART_PERMUTATION,
  PART_LENGTH_SCALE
};

/* One dataset of the output with a row per point. */
struct part {
  enum part_kind kind;
  int column;     /* CARRIED */
  int64_t before; /* rows of the output that stand before these */
  int64_t element_size;
};

static pcct_status read_part(pcct_context *context, struct input *input, const struct part *part,
                             int64_t first, int64_t count, void *out) {
  pcct_context_enter_phase(context, PCCT_PHASE_read);
  switch (part->kind) {
  case PART_COORDINATES:
    return input_read_coordinates(context, input, first, count, out);
  case PART_SOURCE_ROW:
    return input_read_indices(context, input, "/points/source_row", first, count, out);
  case PART_CARRIED:
    return input_read_carried(context, input, part->column, first, count, out);
  case PART_LENGTH_SCALE:
    return input_read_dataset(context, input, "/ordering/length_scale", INPUT_DOUBLE, first, count,
                              out);
  case PART_PERMUTATION:
    for (int64_t i = 0; i < count; i++) {
      ((int64_t *)out)[i] = first + i;
    }
    return PCCT_OK;
  }
  return PCCT_INTERNAL;
}

static pcct_status write_part(pcct_context *context, const struct input *input,
                              struct output *output, const struct part *part, int64_t first,
                              int64_t count, const void *elements) {
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  switch (part->kind) {
  case PART_COORDINATES:
    return output_write_coordinates(context, output, first, count, elements);
  case PART_SOURCE_ROW:
    return output_write_source_row(context, output, first, count, elements);
  case PART_CARRIED:
    return output_write_column(context, output, input_carried_name(input, part->column), first,
                               count, elements);
  case PART_LENGTH_SCALE:
    return output_write_length_scale(context, output, first, count, elements);
  case PART_PERMUTATION:
    return output_write_permutation(context, output, first, count, elements);
  }
  return PCCT_INTERNAL;
}

/* Reads (unless `held` is given), permutes (if there is an index) and writes one part of n rows. */
static pcct_status transfer(pcct_context *context, int64_t n, struct input *input,
                            pcct_index *index, const void *held, const struct part *part,
                            struct output *output) {
  struct base *base = &context->base;
  const size_t element_size = (size_t)part->element_size;
  int64_t share_first, share_count, block_share_first, block_share_count;
  void *share = NULL;
  void *block = NULL;
  const int64_t most = context->piece_bytes < BLOCK_BYTES ? context->piece_bytes : BLOCK_BYTES;
  int64_t per_rank = most / part->element_size;
  int64_t block_rows = (per_rank > 1 ? per_rank : 1) * context->size;
  block_rows = block_rows < n ? block_rows : n;
  pcct_slab(n, context->rank, context->size, &share_first, &share_count);
  pcct_slab(block_rows, context->rank, context->size, &block_share_first, &block_share_count);

  bool read_share = index != NULL && held == NULL;
  pcct_status status = PCCT_OK;
  block = base_allocate(base, block_share_count, element_size);
  if (read_share) {
    share = base_allocate(base, share_count, element_size);
  }
  status =
      comm_agree(context, block != NULL && (share != NULL || !read_share) ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK && read_share) {
    status = read_part(context, input, part, share_first, share_count, share);
  }
  for (int64_t first = 0; first < n && status == PCCT_OK; first += block_rows) {
    int64_t slab_first, slab_count;
    pcct_slab(n - first < block_rows ? n - first : block_rows, context->rank, context->size,
              &slab_first, &slab_count);
    slab_first += first;
    status = index == NULL
                 ? read_part(context, input, part, slab_first, slab_count, block)
                 : pcct_index_permute(index, part->element_size, held != NULL ? held : share,
                                      slab_first, slab_count, block);
    if (status == PCCT_OK) {
      status =
          write_part(context, input, output, part, part->before + slab_first, slab_count, block);
    }
  }
  base_free(share);
  base_free(block);
  return status;
}

pcct_status transfer_declare(struct app *app, const struct input *input, struct output *output) {
  pcct_status status = PCCT_OK;
  for (int i = 0; i < input_carried_count(input) && status == PCCT_OK; i++) {
    status = output_add_carried(app->context, output, input, i);
  }
  return status;
}

static pcct_status put_coordinates(struct app *app, struct input *input, pcct_index *index,
                                   const double *coordinates, int64_t before,
                                   struct output *output) {
  const struct part part = {.kind = PART_COORDINATES,
                            .before = before,
                            .element_size = input_dimension(input) * (int64_t)sizeof(double)};
  return transfer(app->context, input_count(input), input, index, coordinates, &part, output);
}

pcct_status transfer_coordinates(struct app *app, struct input *input, pcct_index *index,
                                 const double *coordinates, struct output *output) {
  return put_coordinates(app, input, index, coordinates, 0, output);
}

static pcct_status put_carried(struct app *app, struct input *input, pcct_index *index,
                               int64_t before, struct output *output) {
  pcct_status status = PCCT_OK;
  if (input_has_source_row(input)) {
    const struct part part = {
        .kind = PART_SOURCE_ROW, .before = before, .element_size = sizeof(int64_t)};
    status = transfer(app->context, input_count(input), input, index, NULL, &part, output);
  }
  for (int i = 0; i < input_carried_count(input) && status == PCCT_OK; i++) {
    const struct part part = {.kind = PART_CARRIED,
                              .column = i,
                              .before = before,
                              .element_size = input_carried_size(input, i)};
    status = transfer(app->context, input_count(input), input, index, NULL, &part, output);
  }
  return status;
}

pcct_status transfer_carried(struct app *app, struct input *input, pcct_index *index,
                             struct output *output) {
  return put_carried(app, input, index, 0, output);
}

pcct_status transfer_rows(struct app *app, struct input *input, int64_t before,
                          struct output *output) {
  pcct_status status = put_coordinates(app, input, NULL, NULL, before, output);
  return status == PCCT_OK ? put_carried(app, input, NULL, before, output) : status;
}

pcct_status transfer_ordering(struct app *app, int64_t n, struct input *input, pcct_index *index,
                              struct output *output) {
  const struct part part = {.kind = PART_PERMUTATION, .element_size = sizeof(int64_t)};
  const struct part lengths = {.kind = PART_LENGTH_SCALE, .element_size = sizeof(double)};
  const double *length_scale = pcct_index_length_scales(index);
  int64_t first, count;
  pcct_status status = transfer(app->context, n, NULL, index, NULL, &part, output);
  if (status == PCCT_OK) {
    pcct_slab(n, app->context->rank, app->context->size, &first, &count);
    pcct_context_enter_phase(app->context, PCCT_PHASE_write);
    status = output_write_position(app->context, output, first, count, pcct_index_positions(index));
  }
  if (status == PCCT_OK && length_scale != NULL) {
    status = transfer(app->context, n, NULL, index, length_scale, &lengths, output);
  } else if (status == PCCT_OK && input != NULL) {
    status = transfer(app->context, n, input, NULL, NULL, &lengths, output);
  }
  return status;
}
