/*
 * An output under construction. Private to io.
 *
 * Rank 0 makes the whole file serially first: groups, attributes, datasets with their storage. Then it
 * is closed, its blocks are reserved in the file system, and all ranks open it together and only move
 * data. So whatever the disk refuses is refused to one rank, by a call of the system, and not to HDF5
 * in the middle of a collective write, from which ranks come back differently or not at all.
 */
#ifndef IO_OUTPUT_PRIVATE_H
#define IO_OUTPUT_PRIVATE_H

#include "io/output.h"

#include <hdf5.h>

#ifndef H5_HAVE_PARALLEL
#error "pcct needs a parallel HDF5"
#endif

struct output_dataset {
  char *path;
  hid_t type;         /* of the elements, in memory and in the file */
  hid_t id;           /* open while data is written, else -1 */
  int rank;           /* 1 or 2 */
  int64_t rows;       /* extents in the file */
  int64_t width;      /* 1 for one dimension */
  int64_t size;       /* bytes of an element */
  int64_t chunk_rows; /* rows of a chunk; 0: no rows, no chunks */
};

/* Where the file is; equal on all ranks but for `owned` and `descriptor`. */
struct output_place {
  char *path, *part;
  bool overwrite, resume, reopen;
  bool owned;     /* rank 0: NAME.part is ours, to be removed on failure, */
  bool keep;      /* unless it is kept */
  int descriptor; /* rank 0: for reserving, -1 elsewhere */
};

struct output {
  struct output_place place;
  hid_t file;     /* rank 0's own at first, then everybody's */
  hid_t transfer; /* of collective writes, and how the last one went */
  bool writing;   /* opened by all ranks: no more datasets */
  int compress;
  bool checksums;        /* of every chunk */
  bool wide;             /* indices are int64 */
  const char *row_scale; /* dimension scale of the file's rows */
  int64_t rows;
  struct output_dataset *datasets;
  int64_t count, capacity;
};

/* ---- output_place.c: names and blocks in the file system; no HDF5. One rank calls, all Local. */

/* As output_check_path. */
pcct_status output_place_check(struct base *base, const char *path, bool overwrite, bool resume);

/* Creates an empty NAME.part that nobody else has, and opens it; or opens the one that is there. */
pcct_status output_place_open(struct base *base, struct output_place *place);

/* Makes sure of the blocks for the first `bytes` bytes. Errors: PCCT_FILE (no space, quota).
 * Cost: one call of the system; where the file system cannot reserve, zeros are written behind the
 * file's end, which is then written twice, the first time by one rank. */
pcct_status output_place_reserve(struct base *base, const struct output_place *place,
                                 int64_t bytes);

/* Copies a file's bytes into it. Errors: PCCT_FILE (the source cannot be read, no space). */
pcct_status output_place_copy(struct base *base, const struct output_place *place,
                              const char *source);

/* Gives all blocks back, so that closing a file that is going to be removed finds room; not of one that is kept. */
void output_place_empty(const struct output_place *place);

/* Gives blocks behind the end back and brings the file to the disk. Errors: PCCT_FILE. */
pcct_status output_place_sync(struct base *base, const struct output_place *place);

/* Brings the file's data to the disk. Errors: PCCT_FILE. */
pcct_status output_place_sync_data(struct base *base, const struct output_place *place);

/* Renames NAME.part to NAME. Errors: PCCT_FILE, PCCT_USAGE (NAME has appeared and overwrite is off). */
pcct_status output_place_rename(struct base *base, struct output_place *place);

/* Closes; removes NAME.part if it is ours; frees the names. */
void output_place_close(struct output_place *place);

/* ---- output_attribute.c: attributes; false on failure. */

bool output_put_text(hid_t object, const char *name, const char *text);
bool output_put_integers(hid_t object, const char *name, hid_t type, int count,
                         const void *values); /* count 0: a scalar */
bool output_put_doubles(hid_t object, const char *name, int count, const double *values);

/* What conditioning sets are besides the nearest predecessors. */
bool output_put_shape(hid_t file, const struct output_header *header);

/* Where HDF5 first failed in the last call, in its words. */
struct output_reason {
  char text[160];
};
struct output_reason output_get_reason(void);

/* ---- output_schema.c: the file's contents. Called by all ranks, only rank 0 touches the file; Local. */

/* What a dataset is. */
struct output_plan {
  const char *path;
  hid_t type; /* copied */
  int rank;
  int64_t rows, width;
  const char *scales[2]; /* paths of the dimension scales */
  const char *description, *units;
};

pcct_status output_schema_create(pcct_context *context, struct output *output,
                                 const struct output_header *header,
                                 enum output_distances distances);
/* The contents of another file instead. Rank 0. */
pcct_status output_schema_copy(pcct_context *context, struct output *output, const char *source);
pcct_status output_schema_add(pcct_context *context, struct output *output,
                              const struct output_plan *plan);

/* Pieces of it. Rank 0; false on failure. */
bool output_put_scale(hid_t file, const char *path, int64_t extent, const char *description);
bool output_put_group(hid_t file, const char *path);
pcct_status output_fail_create(pcct_context *context, const struct output *output,
                               const char *object);

/* Whether chunks pass a filter, so that their place in the file is known late. */
static inline bool output_is_filtered(const struct output *output) {
  return output->compress > 0 || output->checksums;
}

/* Bytes beyond the present end that metadata may still need. */
int64_t output_metadata_bytes(const struct output *output);

/* Adds /provenance to the closed file. Rank 0. */
pcct_status output_provenance_write(pcct_context *context, const struct output *output,
                                    const struct provenance *provenance);

/* A file access list of one rank, -1 on failure. */
hid_t output_serial_access(void);

/* ---- output_write.c */

/* Hands the file over from rank 0 to all ranks if that has not happened. Collective. */
pcct_status output_begin_writing(pcct_context *context, struct output *output);

/* Brings everything but new data of other ranks to the file system; false on failure. Before every
 * closing: a file that cannot be written can still be closed once it has been emptied, but one that
 * failed to close makes HDF5 fail once more, or crash, when the program ends. */
bool output_flush_file(const struct output *output);

/* Closes the datasets and the file, on whichever ranks have it open; false on failure. */
bool output_close_file(struct output *output);

#endif
