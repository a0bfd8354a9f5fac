/*
 * What vecchia, knn and range have in common: the options of a search and the size of its blocks.
 */
#ifndef APP_SEARCH_H
#define APP_SEARCH_H

#include "app/app.h"
#include "app/cost.h"
#include "io/output.h"
#include "pcct.h"

/* Places in the choices of the options. */
enum search_distances {
  SEARCH_DISTANCES_F8 = 0,
  SEARCH_DISTANCES_F4 = 1,
  SEARCH_DISTANCES_NONE = 2
};
enum search_duplicates { SEARCH_DUPLICATES_KEEP = 0, SEARCH_DUPLICATES_ERROR = 1 };

/* Values of the options. */
struct search_options {
  int coordinates; /* enum pcct_coordinates */
  int metric;      /* enum pcct_metric; PCCT_USER_METRIC is none of the choices */
  struct option_numbers scale, rotation;
  const char *scale_file;
  const char *dataset;
  const char *columns;
  int duplicates;       /* enum search_duplicates */
  int distances;        /* enum search_distances */
  int64_t compress;     /* 0..9 */
  int64_t block_rows;   /* 0: automatic */
  int64_t memory_limit; /* bytes of a rank; 0: none */
  bool resume;          /* vecchia: go on with a run that was stopped */
  bool nets;            /* set by ordered_open: an ordering by growing nets has to be found */
};

/* The options for the table of a subcommand whose struct of values has a member `search`. */
#define SEARCH_OFFSET(values, member)                                                              \
  (offsetof(values, search) + offsetof(struct search_options, member))
/* What the points are. */
#define SEARCH_POINTS_OPTIONS(values)                                                              \
  {.name = "coordinates",                                                                          \
   .kind = OPTION_CHOICE,                                                                          \
   .preset = "cartesian",                                                                          \
   .choices = "cartesian|lonlat|lonlat-time",                                                      \
   .help = "What coordinates are: Cartesian; longitude and latitude in degrees with "              \
           "great-circle distances in km; or these and time, with distances of chords and times "  \
           "by --scale KM,TIME.",                                                                  \
   .offset = SEARCH_OFFSET(values, coordinates)},                                                  \
      {.name = "metric",                                                                           \
       .kind = OPTION_CHOICE,                                                                      \
       .preset = "euclidean",                                                                      \
       .choices = "euclidean|manhattan|chebyshev",                                                 \
       .help = "Distance of Cartesian coordinates: the root of the sum of squared differences, "   \
               "the sum of absolute differences, or the largest of them.",                         \
       .offset = SEARCH_OFFSET(values, metric)},                                                   \
      {.name = "scale",                                                                            \
       .kind = OPTION_NUMBERS,                                                                     \
       .metavariable = "A,B,...",                                                                  \
       .help = "Length scales, one for each coordinate, by which it is divided for the search. "   \
               "Default: 1 for all.",                                                              \
       .offset = SEARCH_OFFSET(values, scale)},                                                    \
      {.name = "rotation",                                                                         \
       .kind = OPTION_SIGNED,                                                                      \
       .metavariable = "A11,A12,...",                                                              \
       .help = "Matrix, by rows, that scaled coordinates are multiplied by for the search: "       \
               "anisotropy along any direction. Up to 8 coordinates.",                             \
       .offset = SEARCH_OFFSET(values, rotation)},                                                 \
      {.name = "scale-file",                                                                       \
       .kind = OPTION_TEXT,                                                                        \
       .metavariable = "FILE",                                                                     \
       .help = "Text with the numbers of --scale and, behind them, those of --rotation if there "  \
               "are more.",                                                                        \
       .offset = SEARCH_OFFSET(values, scale_file)},                                               \
      {.name = "dataset",                                                                          \
       .kind = OPTION_TEXT,                                                                        \
       .metavariable = "/PATH",                                                                    \
       .help =                                                                                     \
           "Dataset (n x d) with the coordinates. Default: /points/coordinates, else /points, "    \
           "else the only 2-D numeric dataset.",                                                   \
       .offset = SEARCH_OFFSET(values, dataset)},                                                  \
      {.name = "columns",                                                                          \
       .kind = OPTION_WORDS,                                                                       \
       .metavariable = "X,Y,...",                                                                  \
       .help = "1-D datasets of equal length, one for each coordinate, instead of --dataset.",     \
       .offset = SEARCH_OFFSET(values, columns)},                                                  \
  {                                                                                                \
    .name = "duplicates", .kind = OPTION_CHOICE, .preset = "keep", .choices = "keep|error",        \
    .help = "Whether several points may have one location.",                                       \
    .offset = SEARCH_OFFSET(values, duplicates)                                                    \
  }

#define SEARCH_MEMORY_OPTION(values)                                                               \
  {                                                                                                \
    .name = "memory-limit", .kind = OPTION_BYTES, .metavariable = "BYTES",                         \
    .help =                                                                                        \
        "Peak memory of every rank at most, e.g. 2G or 2GiB: rows go through in blocks that fit.", \
    .offset = SEARCH_OFFSET(values, memory_limit)                                                  \
  }

#define SEARCH_COMPRESS_OPTION(values)                                                             \
  {                                                                                                \
    .name = "compress", .kind = OPTION_INTEGER, .metavariable = "N", .preset = "0",                \
    .help = "Compress the output (shuffle and deflate) with level 1 to 9; 0: not at all.",         \
    .offset = SEARCH_OFFSET(values, compress), .minimum = 0, .maximum = 9                          \
  }

/* All of them. */
#define SEARCH_OPTIONS(values)                                                                     \
  SEARCH_POINTS_OPTIONS(values),                                                                   \
      {.name = "distances",                                                                        \
       .kind = OPTION_CHOICE,                                                                      \
       .preset = "f8",                                                                             \
       .choices = "f8|f4|none",                                                                    \
       .help = "How distances are written: in double or single precision, or not at all.",         \
       .offset = SEARCH_OFFSET(values, distances)},                                                \
      SEARCH_COMPRESS_OPTION(values), SEARCH_MEMORY_OPTION(values), {                              \
    .name = "block-rows", .kind = OPTION_INTEGER, .metavariable = "N",                             \
    .help = "Rows of all ranks that are searched and written at once. Fewer blocks are faster, "   \
            "smaller ones need less memory; the result is the same. Default: what --memory-limit " \
            "allows, else what fits in 128 MiB per rank, or in as much as its points take.",       \
    .offset = SEARCH_OFFSET(values, block_rows), .minimum = 1, .maximum = INT64_MAX                \
  }

/* Refuses options that contradict each other, an output that is one of the inputs, and one that cannot
 * be written.
 * Collective.
 *   paths [in] [count] inputs, and the output as the last
 * Errors: PCCT_USAGE, PCCT_FILE. */
pcct_status search_check(struct app *app, const struct search_options *options,
                         const char *const *paths, int count);

/* Opens an input with the dataset or columns of the options. Collective. Errors: as input_open. */
pcct_status search_open(struct app *app, const struct search_options *options, const char *path,
                        struct input **input);

/* Completes the options for points of this dimension: reads the scale file, and repeats the one scale of longitude
 * and latitude.
 * Collective. Errors: PCCT_FILE, PCCT_USAGE. */
pcct_status search_complete(struct app *app, struct search_options *options, int dimension);

/* The word of files for enum pcct_coordinates; and back, false if there is none. Local. */
const char *search_coordinates_word(int coordinates);
bool search_coordinates(const char *word, int *coordinates);

/* Search coordinates of points. Local. */
int search_dimension(int coordinates, int dimension);

/* Refuses options that points of this dimension disprove. Local. Errors: PCCT_USAGE.
 *   axis [in] of the ordering by a coordinate, else 0 */
pcct_status search_check_dimension(struct app *app, const struct search_options *options,
                                   int dimension, int axis);

/* Reads this rank's share (its pcct_slab) of the coordinates.
 * Collective.
 *   points [out] points->coordinates is allocated here and freed with search_release, by the caller
 * Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status search_read(struct app *app, struct input *input, pcct_points *points);
void search_release(pcct_points *points);

/* The options of an index. `options` must outlive the result. Local. */
pcct_index_options search_index_options(const struct search_options *options);

/* The metric that a file's word means; false if none. Local.
 *   metric [out] enum pcct_metric; great circles are PCCT_EUCLIDEAN */
bool search_metric(const char *word, int *metric);

/* Whether it means great circles. Local. */
bool search_is_great_circle(const char *word);

/* The part of an output's header that they fill alike. The strings belong to `input` and the
 * program. Local.
 *   points [in] the indexed points; rows [in] those whose coordinates are in the output */
struct output_header search_header(const struct app *app, const struct search_options *options,
                                   const struct input *points, const struct input *rows,
                                   int64_t width, int64_t duplicates);

/* How the output is written. Local. */
struct output_options search_output_options(const struct app *app,
                                            const struct search_options *options);

/* A run in numbers, for the cost model. Local.
 *   points [in] the indexed points; rows [in] those that the output has */
struct cost_run search_run(const struct app *app, const struct search_options *options,
                           const struct input *points, const struct input *rows, int64_t width);

/* Keeps the run within --memory-limit: refuses what does not fit, and makes the pieces of exchanges small enough.
 * Logically collective. Errors: PCCT_USAGE. */
pcct_status search_limit(struct app *app, const struct cost_run *run);

/* Bytes of an output before compression. Local. */
double search_file_bytes(const struct search_options *options, const struct input *points,
                         const struct input *rows, int64_t width);

/* For --dry-run: says what would be read and written, and estimates memory, size and time. Local. */
void search_print_plan(const struct app *app, const struct search_options *options,
                       const struct input *points, const struct input *rows, int64_t width,
                       const char *out);

/* Prints a number of bytes, as people read it, behind `prefix`. Local. */
void search_print_bytes(const struct app *app, const char *prefix, double bytes);

/* Prints the memory of a run, behind `prefix` and without an end of line. Local. */
void search_print_memory(const struct app *app, const struct cost_run *run, const char *prefix);

/* Prints what a run costs, line by line, behind `prefix`. Local. */
void search_print_cost(const struct app *app, const struct cost_run *run, const char *prefix);

/* Writes provenance, commits, and prints a summary.
 * Collective.
 * Errors: PCCT_FILE. */
pcct_status search_commit(struct app *app, const struct output_header *header,
                          const struct input *input, const char *hash, const char *out,
                          struct output **output);

#endif
