/*
 * Moving rows into the file: every call collective, every rank its own rows.
 *
 * HDF5 gives collective transfers up, silently, where it would have to convert elements; so they are
 * converted here, piece by piece, and memory and file have one type.
 */
#include "io/output_private.h"

#include <string.h>

#define CONVERTED_BYTES (INT64_C(64) << 20) /* of a piece that goes through a buffer */

enum conversion { AS_IT_IS, INT64_TO_INT32, INT32_TO_INT64, DOUBLE_TO_FLOAT };

/* Each rank's own rows of one dataset. */
struct slab {
  int64_t first, count;
  const void *elements;
  enum conversion conversion;
};

/* ---- from one rank's file to everybody's */

static bool open_for_all(pcct_context *context, struct output *output) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  bool good = access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
              H5Pset_fapl_mpio(access, context->comm, MPI_INFO_NULL) >= 0 &&
              H5Pset_all_coll_metadata_ops(access, true) >= 0 &&
              H5Pset_coll_metadata_write(access, true) >= 0;
  if (good) {
    output->file = H5Fopen(output->place.part, H5F_ACC_RDWR, access);
    good = output->file >= 0;
  }
  if (access >= 0) {
    H5Pclose(access);
  }
  output->transfer = H5Pcreate(H5P_DATASET_XFER);
  return good && output->transfer >= 0 &&
         H5Pset_dxpl_mpio(output->transfer, H5FD_MPIO_COLLECTIVE) >= 0;
}

static bool open_datasets(struct output *output) {
  bool good = true;
  for (int64_t i = 0; i < output->count; i++) { /* no early end: opening is collective */
    struct output_dataset *dataset = &output->datasets[i];
    dataset->id = H5Dopen2(output->file, dataset->path, H5P_DEFAULT);
    good &= dataset->id >= 0;
  }
  return good;
}

static pcct_status fail_open(pcct_context *context, const struct output *output) {
  return base_fail(&context->base, PCCT_FILE, "%s: the ranks cannot open it together: %s",
                   output->place.part, output_get_reason().text);
}

pcct_status output_begin_writing(pcct_context *context, struct output *output) {
  struct base *base = &context->base;
  pcct_status status = PCCT_OK;
  if (output->writing) {
    return PCCT_OK;
  }
  if (context->rank == 0 && !output->place.reopen) {
    hsize_t bytes = 0;
    bool good = H5Fget_filesize(output->file, &bytes) >= 0 && output_flush_file(output);
    if (good) {
      good = H5Fclose(output->file) >= 0;
      output->file = -1;
    }
    status = good ? output_place_reserve(base, &output->place,
                                         (int64_t)bytes + output_metadata_bytes(output))
                  : base_fail(base, PCCT_FILE, "%s: cannot be closed: %s", output->place.part,
                              output_get_reason().text);
  }
  output->writing = true;
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = open_for_all(context, output) ? PCCT_OK : fail_open(context, output);
    status = comm_agree(context, status);
  }
  if (status == PCCT_OK) {
    status = open_datasets(output) ? PCCT_OK : fail_open(context, output);
    status = comm_agree(context, status);
  }
  return status;
}

bool output_flush_file(const struct output *output) {
  return output->file < 0 || H5Fflush(output->file, H5F_SCOPE_LOCAL) >= 0;
}

bool output_close_file(struct output *output) {
  bool good = true;
  for (int64_t i = 0; i < output->count; i++) {
    struct output_dataset *dataset = &output->datasets[i];
    if (dataset->id >= 0) {
      good &= H5Dclose(dataset->id) >= 0;
    }
    if (dataset->type >= 0) {
      H5Tclose(dataset->type);
    }
    base_free(dataset->path);
  }
  output->count = 0;
  if (output->transfer >= 0) {
    H5Pclose(output->transfer);
    output->transfer = -1;
  }
  if (output->file >= 0) {
    good &= H5Fclose(output->file) >= 0;
    output->file = -1;
  }
  return good;
}

/* ---- writing */

static void convert(enum conversion conversion, const void *elements, int64_t first, int64_t count,
                    void *converted) {
  switch (conversion) {
  case INT64_TO_INT32:
    for (int64_t i = 0; i < count; i++) {
      ((int32_t *)converted)[i] = (int32_t)((const int64_t *)elements)[first + i];
    }
    break;
  case INT32_TO_INT64:
    for (int64_t i = 0; i < count; i++) {
      ((int64_t *)converted)[i] = ((const int32_t *)elements)[first + i];
    }
    break;
  case DOUBLE_TO_FLOAT:
    for (int64_t i = 0; i < count; i++) {
      ((float *)converted)[i] = (float)((const double *)elements)[first + i];
    }
    break;
  case AS_IT_IS:
    break;
  }
}

/* One collective call; a rank with no rows takes part with nothing selected. */
static bool write_piece(const struct output *output, const struct output_dataset *dataset,
                        int64_t first, int64_t count, const void *elements) {
  const hsize_t start[2] = {(hsize_t)first, 0};
  const hsize_t extent[2] = {(hsize_t)(count > 0 ? count : 1), (hsize_t)dataset->width};
  const hid_t space = H5Dget_space(dataset->id);
  const hid_t memory = H5Screate_simple(dataset->rank, extent, NULL);
  static const char nothing[1] = {0};
  bool good = space >= 0 && memory >= 0;
  if (good && count > 0) {
    good = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0;
  } else if (good) {
    good = H5Sselect_none(space) >= 0 && H5Sselect_none(memory) >= 0;
  }
  /* also where something is wrong: the others are in there and wait */
  good &= H5Dwrite(dataset->id, dataset->type, memory, space, output->transfer,
                   count > 0 ? elements : nothing) >= 0;
  if (memory >= 0) {
    H5Sclose(memory);
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  return good;
}

static struct output_dataset *find(const struct output *output, const char *path) {
  for (int64_t i = 0; i < output->count; i++) {
    if (strcmp(output->datasets[i].path, path) == 0) {
      return &output->datasets[i];
    }
  }
  return NULL;
}

/* Room for the chunks that all ranks' rows touch, should they not shrink at all. Collective. */
static pcct_status reserve_chunks(pcct_context *context, const struct output *output,
                                  const struct output_dataset *dataset, const struct slab *slab) {
  int64_t begin = comm_min(context, slab->count > 0 ? slab->first : INT64_MAX);
  int64_t end = comm_max(context, slab->count > 0 ? slab->first + slab->count : 0);
  pcct_status status = PCCT_OK;
  if (context->rank == 0 && end > begin) {
    int64_t chunks = (end - 1) / dataset->chunk_rows - begin / dataset->chunk_rows + 1;
    int64_t chunk_bytes = dataset->chunk_rows * dataset->width * dataset->size;
    hsize_t bytes = 0;
    H5Fget_filesize(output->file, &bytes);
    status = output_place_reserve(&context->base, &output->place,
                                  (int64_t)bytes + output_metadata_bytes(output) +
                                      chunks * (chunk_bytes + chunk_bytes / 1000 + 64));
  }
  return comm_agree(context, status);
}

/* Writes a rank's rows in as many calls as the rank with most rows needs. */
static pcct_status write_pieces(pcct_context *context, struct output *output,
                                const struct output_dataset *dataset, const struct slab *slab,
                                int64_t piece_rows, int64_t pieces, void *buffer) {
  bool good = true;
  for (int64_t piece = 0; piece < pieces; piece++) {
    int64_t done = piece * piece_rows < slab->count ? piece * piece_rows : slab->count;
    int64_t rows = slab->count - done < piece_rows ? slab->count - done : piece_rows;
    const void *elements = buffer;
    if (slab->conversion != AS_IT_IS) {
      convert(slab->conversion, slab->elements, done * dataset->width, rows * dataset->width,
              buffer);
    } else {
      elements =
          rows > 0 ? (const char *)slab->elements + done * dataset->width * dataset->size : NULL;
    }
    good &= write_piece(output, dataset, slab->first + done, rows, elements);
  }
  pcct_status status =
      good ? PCCT_OK
           : base_fail(&context->base, PCCT_FILE, "%s: cannot write %s (is the disk full?): %s",
                       output->place.part, dataset->path, output_get_reason().text);
  return comm_agree(context, status);
}

static pcct_status write_slab(pcct_context *context, struct output *output, const char *path,
                              const struct slab *slab) {
  struct base *base = &context->base;
  void *buffer = NULL;
  int64_t piece_rows = 1;
  pcct_status status = output_begin_writing(context, output);
  if (status != PCCT_OK) {
    return status;
  }
  const struct output_dataset *dataset = find(output, path);
  if (!dataset) {
    status = base_fail(base, PCCT_INTERNAL, "%s: has no dataset %s", output->place.path, path);
  } else if (slab->count < 0 || slab->first < 0 || slab->count > dataset->rows - slab->first) {
    status = base_fail(base, PCCT_INTERNAL, "%s: rows %lld and %lld more are beyond its %lld", path,
                       (long long)slab->first, (long long)slab->count, (long long)dataset->rows);
  } else {
    int64_t row_bytes = dataset->width * dataset->size;
    int64_t limit = context->piece_bytes;
    if (slab->conversion != AS_IT_IS && limit > CONVERTED_BYTES) {
      limit = CONVERTED_BYTES;
    }
    piece_rows = limit / row_bytes > 1 ? limit / row_bytes : 1;
    if (slab->conversion != AS_IT_IS) {
      int64_t rows = slab->count < piece_rows ? slab->count : piece_rows;
      buffer = base_allocate(base, rows, (size_t)row_bytes);
      status = buffer ? PCCT_OK : PCCT_MEMORY;
    }
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK && output_is_filtered(output)) {
    status = reserve_chunks(context, output, dataset, slab);
  }
  if (status == PCCT_OK) {
    int64_t pieces = comm_max(context, slab->count / piece_rows + (slab->count % piece_rows != 0));
    status = write_pieces(context, output, dataset, slab, piece_rows, pieces, buffer);
  }
  base_free(buffer);
  return status;
}

/* The same with HDF5's printing off meanwhile. */
static pcct_status write_quietly(pcct_context *context, struct output *output, const char *path,
                                 struct slab slab) {
  pcct_status status;
  H5E_BEGIN_TRY {
    status = write_slab(context, output, path, &slab);
  }
  H5E_END_TRY
  return status;
}

pcct_status output_write_rows(pcct_context *context, struct output *output, const pcct_rows *rows) {
  struct slab slab = {.first = rows->first, .count = rows->count};
  const struct output_dataset *index = find(output, "/neighbors/index");
  const struct output_dataset *distance = find(output, "/neighbors/distance");
  bool matches = index && (rows->count == 0 || rows->width == index->width);
  pcct_status status =
      matches ? PCCT_OK
              : base_fail(&context->base, PCCT_INTERNAL, "%s: rows of %lld neighbours do not fit",
                          output->place.path, (long long)rows->width);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    slab.elements = rows->index64 ? (const void *)rows->index64 : rows->index32;
    slab.conversion = AS_IT_IS;
    if (output->wide != (rows->index64 != NULL)) {
      slab.conversion = output->wide ? INT32_TO_INT64 : INT64_TO_INT32;
    }
    status = write_quietly(context, output, "/neighbors/index", slab);
  }
  if (status == PCCT_OK && distance) {
    slab.elements = rows->distance;
    slab.conversion = distance->size == sizeof(float) ? DOUBLE_TO_FLOAT : AS_IT_IS;
    status = write_quietly(context, output, "/neighbors/distance", slab);
  }
  if (status == PCCT_OK) {
    slab.elements = rows->filled;
    slab.conversion = output->wide ? INT32_TO_INT64 : AS_IT_IS;
    status = write_quietly(context, output, "/neighbors/count", slab);
  }
  return status;
}

/* Offsets of the file from those of one call, with the end of the last row; or numbers of points. */
static void number_rows(const pcct_ranges *ranges, int64_t before, bool counts, int64_t *numbers) {
  for (int64_t r = 0; r < ranges->count + !counts; r++) {
    numbers[r] = counts ? ranges->offset[r + 1] - ranges->offset[r] : ranges->offset[r] + before;
  }
}

pcct_status output_write_ranges(pcct_context *context, struct output *output,
                                const pcct_ranges *ranges, int64_t before) {
  struct base *base = &context->base;
  const struct output_dataset *distance = find(output, "/neighbors/distance");
  const bool counts = find(output, "/neighbors/count") != NULL;
  const bool last =
      context->rank == context->size - 1 && ranges->first + ranges->count == output->rows;
  int64_t *numbers = base_allocate(base, ranges->count + 1, sizeof *numbers);
  pcct_status status = comm_agree(context, numbers ? PCCT_OK : PCCT_MEMORY);
  if (status != PCCT_OK) {
    goto cleanup;
  }
  number_rows(ranges, before, counts, numbers);
  struct slab slab = {.first = ranges->first, .count = ranges->count, .elements = numbers};
  if (counts) {
    slab.conversion = output->wide ? AS_IT_IS : INT64_TO_INT32;
    status = write_quietly(context, output, "/neighbors/count", slab);
    goto cleanup;
  }
  slab.count += last;
  status = write_quietly(context, output, "/neighbors/offset", slab);
  slab = (struct slab){.first = before, .count = ranges->offset[ranges->count]};
  if (status == PCCT_OK) {
    slab.elements = ranges->index64 ? (const void *)ranges->index64 : ranges->index32;
    if (output->wide != (ranges->index64 != NULL)) {
      slab.conversion = output->wide ? INT32_TO_INT64 : INT64_TO_INT32;
    }
    status = write_quietly(context, output, "/neighbors/index", slab);
  }
  if (status == PCCT_OK && distance) {
    slab.elements = ranges->distance;
    slab.conversion = distance->size == sizeof(float) ? DOUBLE_TO_FLOAT : AS_IT_IS;
    status = write_quietly(context, output, "/neighbors/distance", slab);
  }
cleanup:
  base_free(numbers);
  return status;
}

static pcct_status write_indices(pcct_context *context, struct output *output, const char *path,
                                 int64_t first, int64_t count, const int64_t *indices) {
  return write_quietly(context, output, path,
                       (struct slab){.first = first,
                                     .count = count,
                                     .elements = indices,
                                     .conversion = output->wide ? AS_IT_IS : INT64_TO_INT32});
}

pcct_status output_write_permutation(pcct_context *context, struct output *output, int64_t first,
                                     int64_t count, const int64_t *rows) {
  return write_indices(context, output, "/ordering/permutation", first, count, rows);
}

pcct_status output_write_position(pcct_context *context, struct output *output, int64_t first,
                                  int64_t count, const int64_t *positions) {
  return write_indices(context, output, "/ordering/position", first, count, positions);
}

pcct_status output_write_length_scale(pcct_context *context, struct output *output, int64_t first,
                                      int64_t count, const double *lengths) {
  return write_quietly(context, output, "/ordering/length_scale",
                       (struct slab){.first = first, .count = count, .elements = lengths});
}

pcct_status output_write_coordinates(pcct_context *context, struct output *output, int64_t first,
                                     int64_t count, const double *coordinates) {
  return write_quietly(context, output, "/points/coordinates",
                       (struct slab){.first = first, .count = count, .elements = coordinates});
}

pcct_status output_write_source_row(pcct_context *context, struct output *output, int64_t first,
                                    int64_t count, const int64_t *rows) {
  return write_quietly(context, output, "/points/source_row",
                       (struct slab){.first = first, .count = count, .elements = rows});
}

pcct_status output_write_pieces(pcct_context *context, struct output *output,
                                const struct output_pieces *pieces) {
  const bool last = context->rank == context->size - 1;
  const struct slab slab = {.first = pieces->first_point, .count = pieces->count};
  struct slab place = {
      .first = pieces->first_piece, .count = pieces->pieces + last, .elements = pieces->first};
  pcct_status status = write_quietly(context, output, "/tree/first", place);
  if (status == PCCT_OK) {
    place = slab;
    place.elements = pieces->coordinates;
    status = write_quietly(context, output, "/tree/coordinates", place);
  }
  if (status == PCCT_OK) {
    status =
        write_indices(context, output, "/tree/position", slab.first, slab.count, pieces->position);
  }
  if (status == PCCT_OK) {
    place.elements = pieces->parent;
    status = write_quietly(context, output, "/tree/parent", place);
  }
  if (status == PCCT_OK) {
    place.elements = pieces->level;
    status = write_quietly(context, output, "/tree/level", place);
  }
  return status;
}

pcct_status output_write_column(pcct_context *context, struct output *output, const char *name,
                                int64_t first, int64_t count, const void *elements) {
  struct base *base = &context->base;
  size_t size = strlen(name) + sizeof "/data/";
  char *path = base_allocate(base, (int64_t)size, 1);
  pcct_status status = comm_agree(context, path ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    memcpy(path, "/data/", sizeof "/data/");
    memcpy(path + sizeof "/data/" - 1, name, strlen(name) + 1);
    status = write_quietly(context, output, path,
                           (struct slab){.first = first, .count = count, .elements = elements});
  }
  base_free(path);
  return status;
}

pcct_status output_write_dataset(pcct_context *context, struct output *output, const char *path,
                                 int64_t first, int64_t count, const void *elements) {
  const struct output_dataset *dataset = find(output, path);
  const bool narrow = dataset && dataset->size == (int64_t)sizeof(int32_t);
  return write_quietly(context, output, path,
                       (struct slab){.first = first,
                                     .count = count,
                                     .elements = elements,
                                     .conversion = narrow ? INT64_TO_INT32 : AS_IT_IS});
}
