/*
 * Files read back: pcct's own output for verification, and any HDF5 file for a summary. Serial: one rank reads
 * by itself, nothing here communicates.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "base/context.h"

struct file;

struct file_dataset {
  char path[256];
  char type[32];  /* e.g. "float64", "int32", "string[2]" */
  char shape[64]; /* e.g. "171075 x 2" */
  char description[256];
  char units[64];
};

/* What a file says of itself. kind is "" for files that pcct did not write; then, and for kinds that this
 * version does not know, only the listings below are of use and all else here is zero but the version. */
struct file_summary {
  char kind[32];
  int version_major, version_minor;
  int64_t n, rows, width; /* rows: of /points/coordinates; width: the attribute m */
  int dimension;
  char ordering[256];
  uint64_t seed;
  char metric[32], coordinates[32];
  double radius;        /* ranges */
  int64_t entries;      /* ranges: points of all rows together; counts alone: 0 */
  bool counts_alone;    /* ranges: /neighbors/count instead of points */
  bool foreign_queries; /* neighbours and ranges: rows are those of a query file, not the points */
  /* Shapes of sets; "" and 0: none */
  char condition[64], group[256], mix[64], clusters[256];
  int64_t observed; /* n without predictions */
  double radius_factor;
  int64_t least;
  double scale[64];
  double rotation[64];
  int rotation_count; /* 0: none */
  char dataset[1024], columns[16384];
  int64_t duplicates;
  int distance_size; /* bytes of a distance: 8, 4, or 0 without distances */
  bool has_ordering, has_length_scale, has_source_row;
  /* index */
  int64_t pieces;
  int tree_dimension;
  int32_t leaf_size;
  /* with an ordering: first positions of the build and of what was appended; the file's */
  int64_t *batches; /* [batch_count] */
  int64_t batch_count;
};

/* Opens a file for reading.
 * Errors: PCCT_FILE, PCCT_INPUT (not HDF5, truncated, future major version; for pcct's own kinds also missing
 * datasets and shapes that contradict the attributes), PCCT_MEMORY. */
pcct_status file_open(struct base *base, const char *path, struct file **file);
void file_close(struct file **file);

const struct file_summary *file_get_summary(const struct file *file);

/* All datasets with their shapes, in alphabetical order of paths; freed with base_free. A dataset that cannot be
 * opened has the type "unreadable".
 * Errors: PCCT_INPUT (damaged), PCCT_MEMORY. */
pcct_status file_list_datasets(struct base *base, struct file *file, struct file_dataset **datasets,
                               int *count);

/* All attributes of a group ("/" or "/provenance") as text "name = value", one a line, arrays as "[1, 0]" and cut
 * after 16 elements; "" if there is no such group. Freed with base_free.
 * Errors: PCCT_INPUT (damaged), PCCT_MEMORY. */
pcct_status file_list_attributes(struct base *base, struct file *file, const char *group,
                                 char **text);

/* Ranges: entries first..first+count-1 of all rows together, and where rows begin (and the last one ends). */
pcct_status file_read_offset(struct base *base, struct file *file, int64_t first, int64_t count,
                             int64_t *offset);
pcct_status file_read_entries(struct base *base, struct file *file, int64_t first, int64_t count,
                              int64_t *index);
pcct_status file_read_entry_distances(struct base *base, struct file *file, int64_t first,
                                      int64_t count, double *distance);

/* Rows first..first+count-1, of the datasets that the summary promises. Errors: PCCT_FILE. */
pcct_status file_read_permutation(struct base *base, struct file *file, int64_t first,
                                  int64_t count, int64_t *rows);
pcct_status file_read_position(struct base *base, struct file *file, int64_t first, int64_t count,
                               int64_t *positions);
/* Elements of a one-dimensional dataset; -1: there is none. Local. */
int64_t file_length(const struct file *file, const char *path);

/* Elements of a one-dimensional dataset of integers. Errors: PCCT_FILE (there is none). */
pcct_status file_read_integers(struct base *base, struct file *file, const char *path,
                               int64_t first, int64_t count, int64_t *numbers);

/* A column of /data as doubles. Errors: PCCT_FILE (there is none). */
pcct_status file_read_data(struct base *base, struct file *file, const char *name, int64_t first,
                           int64_t count, double *values);
pcct_status file_read_length_scale(struct base *base, struct file *file, int64_t first,
                                   int64_t count, double *lengths);
pcct_status file_read_coordinates(struct base *base, struct file *file, int64_t first,
                                  int64_t count, double *coordinates);
pcct_status file_read_index(struct base *base, struct file *file, int64_t first, int64_t count,
                            int64_t *index); /* [count][width] */
pcct_status file_read_distance(struct base *base, struct file *file, int64_t first, int64_t count,
                               double *distance); /* [count][width]; float32 values widened */
pcct_status file_read_count(struct base *base, struct file *file, int64_t first, int64_t count,
                            int64_t *number);

#endif
