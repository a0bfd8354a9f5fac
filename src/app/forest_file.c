/*
 * Cutting and writing the tree of an index.
 */
#include "app/forest_file.h"

pcct_status forest_file_cut(struct app *app, const pcct_index *index, struct forest_file *file) {
  pcct_context *context = app->context;
  *file = (struct forest_file){.first_piece = 0};
  pcct_context_enter_phase(context, PCCT_PHASE_finalise);
  pcct_status status = comm_agree(
      context, forest_cut(&context->base, index, forest_piece_points(index->total, context->size),
                          &file->forest));
  if (status == PCCT_OK) {
    const struct forest *forest = &file->forest;
    file->first_piece = comm_scan_before(context, forest->pieces);
    file->first_point = comm_scan_before(context, forest->count);
    file->tree = (struct output_tree){
        .pieces = comm_sum(context, forest->pieces),
        .dimension = index->metric.dimension,
        .leaf_size = (int32_t)comm_max(context, forest->pieces > 0 ? forest->leaf_size : 1),
        .ranks = context->size};
  }
  return status;
}

pcct_status forest_file_write(struct app *app, const struct forest_file *file,
                              struct output *output) {
  pcct_context *context = app->context;
  const struct forest *forest = &file->forest;
  int64_t *first = base_allocate(&context->base, (int64_t)forest->pieces + 1, sizeof *first);
  pcct_status status = comm_agree(context, first ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i <= forest->pieces; i++) {
      first[i] = file->first_point + forest->first[i];
    }
    const struct output_pieces pieces = {.first_piece = file->first_piece,
                                         .pieces = forest->pieces,
                                         .first = first,
                                         .first_point = file->first_point,
                                         .count = forest->count,
                                         .coordinates = forest->coordinates,
                                         .position = forest->position,
                                         .parent = forest->parent,
                                         .level = forest->level};
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    status = output_write_pieces(context, output, &pieces);
  }
  base_free(first);
  return status;
}

void forest_file_clear(struct forest_file *file) {
  forest_clear(&file->forest);
}
