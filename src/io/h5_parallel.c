/*
 * Collective hyperslabs in pieces.
 */
#include "io/h5_parallel.h"

#include <inttypes.h>
#include <string.h>

/* The buffer in which types are converted. */
#define CONVERSION_BYTES (INT64_C(64) << 20)

#define WIDEST ((int64_t)sizeof(int64_t)) /* of the types in memory that are converted */

pcct_status io_open_parallel(pcct_context *context, const char *path, unsigned flags, hid_t *file) {
  pcct_status status = PCCT_OK;
  *file = -1;
  io_silence();
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (H5Pset_fapl_mpio(access, context->comm, MPI_INFO_NULL) < 0 ||
      H5Pset_all_coll_metadata_ops(access, true) < 0 ||
      H5Pset_coll_metadata_write(access, true) < 0) {
    status = base_fail(&context->base, PCCT_MEMORY, "%s: HDF5 cannot prepare to open it", path);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    *file = H5Fopen(path, flags, access);
    if (*file < 0) {
      status = base_fail(&context->base, PCCT_FILE,
                         "%s: cannot be opened by rank %d of %d: %s; all ranks must see the file",
                         path, context->rank, context->size, io_reason().text);
    }
    status = comm_agree(context, status);
  }
  if (status != PCCT_OK) {
    io_close_file(file);
  }
  io_close_list(&access);
  return status;
}

void io_slab_close(struct io_slab *slab) {
  io_close_list(&slab->list);
  io_close_space(&slab->space);
  io_close_type(&slab->type);
  io_close_dataset(&slab->dataset);
}

pcct_status io_slab_open(pcct_context *context, hid_t file, const char *file_path, const char *path,
                         struct io_slab *slab) {
  struct io_shape shape = {.rank = 0};
  *slab = IO_SLAB_CLOSED;
  slab->dataset = H5Dopen2(file, path, H5P_DEFAULT);
  if (slab->dataset >= 0 && io_get_shape(slab->dataset, &shape)) {
    slab->type = H5Dget_type(slab->dataset);
    slab->space = H5Dget_space(slab->dataset);
    slab->list = H5Pcreate(H5P_DATASET_XFER);
  }
  slab->rank = shape.rank;
  slab->rows = shape.extent[0];
  slab->width = shape.extent[1];
  slab->size = shape.size;
  bool fine = slab->type >= 0 && slab->space >= 0 && slab->list >= 0 && shape.rank >= 1 &&
              shape.rank <= 2 && H5Pset_dxpl_mpio(slab->list, H5FD_MPIO_COLLECTIVE) >= 0;
  pcct_status status =
      fine ? PCCT_OK
           : base_fail(&context->base, PCCT_INPUT, "%s: the dataset %s cannot be opened: %s",
                       file_path, path, io_reason().text);
  status = comm_agree(context, status);
  if (status != PCCT_OK) {
    io_slab_close(slab);
  }
  return status;
}

/* ---- pieces */

/* How a transfer is cut: into blocks of columns (one, unless rows are huge), these into rows. */
struct cut {
  int64_t rows, columns;                /* of a full piece */
  int64_t row_pieces, column_pieces;    /* the same on all ranks */
  int64_t first, count;                 /* this rank's rows */
};

/* A piece: rows from `first` of the dataset, of which `before` came earlier. */
struct piece {
  int64_t before, rows, column, columns;
};

static int64_t pieces_of(int64_t whole, int64_t piece) {
  return whole / piece + (whole % piece > 0);
}

static struct cut make_cut(pcct_context *context, const struct io_slab *slab, int64_t bytes,
                           int64_t element, int64_t first, int64_t count) {
  struct cut cut = {.first = first, .count = count};
  int64_t elements = bytes / element > 0 ? bytes / element : 1;
  int64_t width = slab->width > 0 ? slab->width : 1;
  cut.columns = width < elements ? width : elements;
  cut.rows = elements / cut.columns;
  cut.column_pieces = slab->width > 0 ? pieces_of(slab->width, cut.columns) : 0;
  cut.row_pieces = comm_max(context, pieces_of(count, cut.rows));
  return cut;
}

static struct piece get_piece(const struct cut *cut, const struct io_slab *slab, int64_t index) {
  int64_t before = index / cut->column_pieces * cut->rows;
  int64_t column = index % cut->column_pieces * cut->columns;
  struct piece piece = {.before = before < cut->count ? before : cut->count, .column = column};
  int64_t rows = cut->count - piece.before;
  int64_t columns = slab->width - column;
  piece.rows = rows < cut->rows ? rows : cut->rows;
  piece.columns = columns < cut->columns ? columns : cut->columns;
  return piece;
}

/* Moves one piece between the file and memory whose rows have `memory_width` elements, of which those
 * from `memory_column` on are the piece's. */
static herr_t move(const struct io_slab *slab, const struct cut *cut, const struct piece *piece,
                   bool writes, void *memory, int64_t memory_width, int64_t memory_column) {
  const hsize_t start[2] = {(hsize_t)(cut->first + piece->before), (hsize_t)piece->column};
  const hsize_t count[2] = {(hsize_t)piece->rows, (hsize_t)piece->columns};
  const hsize_t extent[2] = {(hsize_t)(piece->rows > 0 ? piece->rows : 1), (hsize_t)memory_width};
  const hsize_t memory_start[2] = {0, (hsize_t)memory_column};
  hid_t space = H5Screate_simple(slab->rank, extent, NULL);
  herr_t result = -1;
  if (space >= 0) {
    if (piece->rows == 0) {
      result = H5Sselect_none(slab->space) < 0 || H5Sselect_none(space) < 0 ? -1 : 0;
    } else {
      result = H5Sselect_hyperslab(slab->space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
                       H5Sselect_hyperslab(space, H5S_SELECT_SET, memory_start, NULL, count,
                                           NULL) < 0
                   ? -1
                   : 0;
    }
  }
  /* a rank that failed so far still takes part: the transfer is collective */
  herr_t moved = writes ? H5Dwrite(slab->dataset, slab->type, space, slab->space, slab->list, memory)
                        : H5Dread(slab->dataset, slab->type, space, slab->space, slab->list, memory);
  result = result < 0 || moved < 0 ? -1 : 0;
  io_close_space(&space);
  return result;
}

static pcct_status agree_moved(pcct_context *context, herr_t moved, bool writes,
                               struct io_place place) {
  pcct_status status = PCCT_OK;
  if (moved < 0) {
    bool driver = writes || io_is_driver_failure();
    status = base_fail(&context->base, driver ? PCCT_FILE : PCCT_INPUT,
                       "%s: the dataset %s cannot be %s%s: %s", place.file, place.dataset,
                       writes ? "written" : "read", driver ? "" : ", it is damaged",
                       io_reason().text);
  }
  return comm_agree(context, status);
}

/* Transfers without conversion, straight from and to the caller's memory. */
static pcct_status move_straight(pcct_context *context, const struct io_slab *slab,
                                 struct io_place place, bool writes, int64_t first, int64_t count,
                                 char *memory) {
  struct cut cut =
      make_cut(context, slab, context->piece_bytes, (int64_t)slab->size, first, count);
  pcct_status status = PCCT_OK;
  char nothing = 0; /* HDF5 wants a pointer even where nothing is selected */
  for (int64_t i = 0; i < cut.row_pieces * cut.column_pieces && status == PCCT_OK; i++) {
    struct piece piece = get_piece(&cut, slab, i);
    char *rows = piece.rows > 0 ? memory + piece.before * slab->width * (int64_t)slab->size : &nothing;
    herr_t moved = move(slab, &cut, &piece, writes, rows, slab->width, piece.column);
    status = agree_moved(context, moved, writes, place);
  }
  return status;
}

/* Copies a piece between the caller's rows of `stride` elements and the buffer's compact ones. */
static void copy_piece(const struct piece *piece, bool to_buffer, char *rows, int64_t stride,
                       char *buffer) {
  size_t bytes = (size_t)(piece->columns * WIDEST);
  for (int64_t i = 0; i < piece->rows; i++) {
    char *row = rows + ((piece->before + i) * stride + piece->column) * WIDEST;
    char *compact = buffer + i * (int64_t)bytes;
    memcpy(to_buffer ? compact : row, to_buffer ? row : compact, bytes);
  }
}

/* Transfers through a buffer in which elements are converted from or to an 8-byte type. */
static pcct_status move_converted(pcct_context *context, const struct io_slab *slab,
                                  struct io_place place, bool writes, hid_t memory_type,
                                  int64_t first, int64_t count, int64_t stride, char *memory) {
  int64_t element = (int64_t)slab->size > WIDEST ? (int64_t)slab->size : WIDEST;
  int64_t bytes = context->piece_bytes < CONVERSION_BYTES ? context->piece_bytes : CONVERSION_BYTES;
  struct cut cut = make_cut(context, slab, bytes, element, first, count);
  int64_t most = (cut.rows < count ? cut.rows : count) * cut.columns;
  char *buffer = base_allocate(&context->base, most, (size_t)element);
  pcct_status status = comm_agree(context, buffer != NULL ? PCCT_OK : PCCT_MEMORY);
  for (int64_t i = 0; i < cut.row_pieces * cut.column_pieces && status == PCCT_OK; i++) {
    struct piece piece = get_piece(&cut, slab, i);
    size_t elements = (size_t)(piece.rows * piece.columns);
    herr_t converted = 0;
    if (writes) {
      copy_piece(&piece, true, memory, stride, buffer);
      converted = H5Tconvert(memory_type, slab->type, elements, buffer, NULL, H5P_DEFAULT);
    }
    herr_t moved = move(slab, &cut, &piece, writes, buffer, piece.columns, 0);
    if (!writes) {
      converted = H5Tconvert(slab->type, memory_type, elements, buffer, NULL, H5P_DEFAULT);
      copy_piece(&piece, false, memory, stride, buffer);
    }
    status = agree_moved(context, moved < 0 ? moved : converted, writes, place);
  }
  base_free(buffer);
  return status;
}

pcct_status io_slab_read(pcct_context *context, const struct io_slab *slab, struct io_place place,
                         int64_t first, int64_t count, void *out) {
  return move_straight(context, slab, place, false, first, count, out);
}

pcct_status io_slab_read_as(pcct_context *context, const struct io_slab *slab,
                            struct io_place place, hid_t memory_type, int64_t first, int64_t count,
                            int64_t stride, void *out) {
  if (stride == slab->width && H5Tequal(slab->type, memory_type) > 0) {
    return move_straight(context, slab, place, false, first, count, out);
  }
  return move_converted(context, slab, place, false, memory_type, first, count, stride, out);
}

pcct_status io_slab_write(pcct_context *context, const struct io_slab *slab, struct io_place place,
                          hid_t memory_type, int64_t first, int64_t count, const void *elements) {
  char *memory = (char *)(uintptr_t)elements; /* only read */
  if (H5Tequal(slab->type, memory_type) > 0) {
    return move_straight(context, slab, place, true, first, count, memory);
  }
  return move_converted(context, slab, place, true, memory_type, first, count, slab->width, memory);
}
