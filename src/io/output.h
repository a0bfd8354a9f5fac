/*
 * Output: pcct's own HDF5 files, written collectively to NAME.part and renamed when complete and agreed.
 *
 * The order of calls: output_check_path early; output_create; any number of writes, every rank its own
 * contiguous range, ranges of one dataset together covering it; output_commit, or output_discard.
 * Everything but /provenance is the same for any number of ranks, threads and blocks.
 */
#ifndef IO_OUTPUT_H
#define IO_OUTPUT_H

#include "base/comm.h"
#include "io/input.h"

enum output_kind {
  OUTPUT_CONDITIONING_SETS,
  OUTPUT_NEIGHBORS,
  OUTPUT_POINTS,
  OUTPUT_RANGES,
  OUTPUT_INDEX,
  OUTPUT_BLOCK_SETS /* one set for each block of positions: /neighbors has a row a block */
};
enum output_distances { OUTPUT_F8, OUTPUT_F4, OUTPUT_NONE };

struct output_options {
  bool overwrite; /* an existing file, or what is left of a run, may be replaced */
  bool resume;    /* what is left of a run may be replaced */
  bool
      reopen; /* NAME.part is there with everything that was written up to the last output_flush: go on with it */
  int compress; /* 0..9: shuffle and deflate above 0 */
  enum output_distances distances;
};

/* The stored tree of an index. */
struct output_tree {
  int64_t pieces;
  int dimension; /* search coordinates */
  int32_t leaf_size;
  int ranks; /* that built it */
};

/* What the file says of itself. Strings are borrowed during output_create. */
struct output_header {
  enum output_kind kind;
  int64_t n;     /* indexed points: the attribute n; indices are int32 while n < 2^31 */
  int64_t rows;  /* rows of the file: n, or the number of queries of a query file */
  int dimension; /* d */
  int64_t width; /* m or k; 0 for points; ranges: most points of a row, 0: all */
  const char
      *ordering; /* as given by the user, e.g. "coordinate:1"; "none" for neighbours and points */
  uint64_t seed;
  const char *metric;      /* "euclidean", "manhattan", "chebyshev"; lonlat: "great-circle" */
  const char *coordinates; /* "cartesian", "lonlat" or "lonlat-time" */
  const double *scale;     /* [dimension]; NULL: ones */
  const double *rotation;  /* [dimension][dimension]; NULL: none */
  int64_t duplicates;      /* rows that repeat an earlier one's location */
  const char *dataset;     /* where the points came from, "" if not applicable */
  const char *columns;
  const char *units; /* of the coordinates; "" if unknown */
  int64_t blocks;    /* block sets: how many */
  double radius;     /* ranges */
  int64_t entries;   /* ranges: points of all rows together; not needed if count_only */
  bool count_only;   /* ranges: /neighbors holds numbers of points alone */
  const char *
      queries; /* neighbours and ranges: who asked, "rows" (of the points) or "file" (of queries) */
  const struct output_tree *tree; /* index */
  /* index, and sets of one that was appended to: the first position of the build, 0, and of each part appended; each
   * part is ordered by itself. NULL: one part */
  const int64_t *batches; /* [batch_count] */
  int batch_count;
  /* Shapes of sets; texts as given, NULL: none. */
  int64_t observed; /* with `condition`: positions from here on are predictions */
  const char *condition, *group, *mix, *clusters;
  double radius_factor; /* with `least`: not above 0: none */
  int64_t least;
  bool has_ordering;     /* write /ordering */
  bool has_length_scale; /* with has_ordering: write /ordering/length_scale */
  bool has_source_row;   /* write /points/source_row */
};

struct provenance {
  const char *command_line;
  const char *input_path; /* "" if none */
  const char *input_hash; /* "" if none */
  int threads;
  double seconds;
};

struct output;

/* Fails early if `path` could not be written: it or its .part exists and overwrite is off (PCCT_USAGE; with resume the
 * .part may be there), it is a
 * directory or no regular file, or its folder is missing or not writable (PCCT_FILE).
 * Collective. */
pcct_status output_check_path(pcct_context *context, const char *path, bool overwrite, bool resume);

/* Creates NAME.part with all groups, attributes and datasets, or opens one that has them: then the same header, and the
 * same columns in the same order, must be given.
 * Collective.
 *   output [out] owned by the caller until output_commit or output_discard; NULL on failure
 * Errors: PCCT_USAGE and PCCT_FILE as output_check_path, PCCT_FILE (no space), PCCT_MEMORY. */
pcct_status output_create(pcct_context *context, const char *path,
                          const struct output_options *options, const struct output_header *header,
                          struct output **output);

/* Creates NAME.part as a copy of a file of pcct's own, byte for byte, to which datasets are added. Provenance is this
 * run's.
 * Collective; rank 0 copies.
 *   n      [in] points: decides how wide indices are
 *   output [out] as output_create
 * Errors: as output_create; PCCT_FILE (the source cannot be read). */
pcct_status output_extend(pcct_context *context, const char *path, const char *source,
                          const struct output_options *options, int64_t n, struct output **output);

/* What a dataset that is added holds: indices have 32 bits in the file while n < 2^31. Elements come as int64_t or double. */
enum output_element { OUTPUT_INDICES, OUTPUT_INTEGERS, OUTPUT_DOUBLES };

/* Adds a dataset of one dimension, /GROUP/NAME; the group is made if it is not there.
 *   scale [in] path of the dimension scale that it extends over, made if it is not there; NULL: none
 * Before any write. Collective. Errors: PCCT_FILE; PCCT_USAGE (there is such a dataset). */
pcct_status output_add_dataset(pcct_context *context, struct output *output, const char *path,
                               enum output_element element, int64_t rows, const char *scale,
                               const char *description, const char *units);

/* Writes each rank's own elements of it. Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status output_write_dataset(pcct_context *context, struct output *output, const char *path,
                                 int64_t first, int64_t count, const void *elements);

/* Adds /data/NAME for column `column` of `input`, with its type and its description and units attributes.
 * Before any write. Collective. */
pcct_status output_add_carried(pcct_context *context, struct output *output,
                               const struct input *input, int column);

/* Adds /data/NAME as float64 (string_size 0), int64 (string_size -1) or fixed-length UTF-8 strings.
 * Before any write. Collective. */
pcct_status output_add_column(pcct_context *context, struct output *output, const char *name,
                              int64_t string_size, const char *description, const char *units);

/* Writes each rank's own rows. Collective. Errors: PCCT_FILE (no space, write error), PCCT_MEMORY. */
pcct_status output_write_rows(pcct_context *context, struct output *output, const pcct_rows *rows);
/* Ranges: rows ranges->first and on; their points stand behind `before` others in the file. The last rank's last
 * call ends the file's rows. */
pcct_status output_write_ranges(pcct_context *context, struct output *output,
                                const pcct_ranges *ranges, int64_t before);
pcct_status output_write_permutation(pcct_context *context, struct output *output, int64_t first,
                                     int64_t count, const int64_t *rows);
pcct_status output_write_position(pcct_context *context, struct output *output, int64_t first,
                                  int64_t count, const int64_t *positions);
/* /ordering/length_scale, by position. */
pcct_status output_write_length_scale(pcct_context *context, struct output *output, int64_t first,
                                      int64_t count, const double *lengths);
pcct_status output_write_coordinates(pcct_context *context, struct output *output, int64_t first,
                                     int64_t count, const double *coordinates);
pcct_status output_write_source_row(pcct_context *context, struct output *output, int64_t first,
                                    int64_t count, const int64_t *rows);
/* /data/NAME: elements in the type it was added with. */
pcct_status output_write_column(pcct_context *context, struct output *output, const char *name,
                                int64_t first, int64_t count, const void *elements);

/* Each rank's own pieces of an index's tree. */
struct output_pieces {
  int64_t first_piece, pieces;
  const int64_t
      *first; /* [pieces + 1] their first points, counted over all ranks, and the end of the last */
  int64_t first_point, count;
  const double *coordinates; /* [count][dimension of the tree] */
  const int64_t *position;   /* [count] */
  const int32_t *parent;     /* [count] */
  const int16_t *level;      /* [count] */
};
pcct_status output_write_pieces(pcct_context *context, struct output *output,
                                const struct output_pieces *pieces);

/* Brings everything written so far to the disk: what ends the process later cannot harm it, unless chunks are filtered
 * (compressed, or with checksums). Collective. Errors: PCCT_FILE. */
pcct_status output_flush(pcct_context *context, struct output *output);

/* From now on output_discard leaves NAME.part where it is. Local, on all ranks. NULL is fine. */
void output_keep(struct output *output);

/* Writes /provenance, closes, syncs, agrees and renames. Afterwards *output is NULL; on failure nothing is left
 * under either name.
 * Collective. Errors: PCCT_FILE. */
pcct_status output_commit(pcct_context *context, struct output **output,
                          const struct provenance *provenance);

/* Closes and removes NAME.part, unless it is kept. Collective. NULL and pointers to NULL are fine. */
void output_discard(pcct_context *context, struct output **output);

#endif
