/*
 * pcct: exact nearest neighbours and Vecchia conditioning sets for huge point sets.
 *
 * What this library offers
 *   pcct_context   a communicator with threads, settings, counters, phase times and the last message
 *   pcct_index     points spread over the ranks: spatially compact parts, one compressed cover tree
 *                  per rank, an ordering, and the directory (merged top) that every rank holds
 *   queries        pcct_index_conditioning_sets (the m nearest predecessors of every position),
 *                  pcct_index_neighbors (the k nearest other points of every row),
 *                  pcct_index_query (the k nearest points of foreign query points),
 *                  pcct_index_range, pcct_index_range_neighbors (all points within a radius of them)
 *   pcct_index_permute  carries any per-row data from the caller's rows into ordering order
 *
 * When to use which: statisticians who want conditioning sets create an index with the ordering they
 * need and call pcct_index_conditioning_sets in as few blocks as memory allows. Plain k-NN needs the
 * ordering PCCT_ORDERING_NONE.
 *
 * Rules that hold for every function
 *   - MPI must be initialised by the caller (MPI_THREAD_FUNNELED is enough). The library never calls
 *     MPI_Init, never exits, never prints and touches no file.
 *   - "Collective" means: every rank of the context's communicator calls it, in the same order, with
 *     equal arguments except where "each rank's own" is said. "Local" means: no communication.
 *   - Every fallible function returns a pcct_status, the same on every rank for collective ones.
 *     Results come through the last pointer, which is NULL (or zeroed) after a failure.
 *     pcct_context_message() then says in one line what was expected, what was found, and where.
 *   - Results are exact and depend neither on the number of ranks nor on the number of threads: ties
 *     are broken by (distance, position), where the distance compared is the computed kernel value.
 *   - Whoever creates destroys; destroy functions accept NULL and pointers to NULL and null the handle.
 *   - A failure inside MPI itself ends the job, by MPI's default error handler on the context's own
 *     communicator.
 *   - Different contexts may be used at the same time by different communicators. One context is used
 *     by one thread at a time (the one that may call MPI); the library itself starts OpenMP threads.
 */
#ifndef PCCT_H
#define PCCT_H

#include "pcct_status.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, e.g. "0.1.0". Local. */
const char *pcct_version(void);

/* The largest number of coordinates a point may have, before and after the transformation to search
 * coordinates. */
#define PCCT_DIMENSION_MAX 64

/* Mean Earth radius in km, used for the distances of lonlat coordinates. */
#define PCCT_EARTH_RADIUS_KM 6371.0088

/* ---------------------------------------------------------------- context */

typedef struct pcct_context pcct_context;

/* Creates a context on a duplicate of `comm`.
 * Collective over comm.
 *   comm     [in] any intra-communicator of an initialised MPI
 *   threads  [in] OpenMP threads per rank; 0 takes the OpenMP default (OMP_NUM_THREADS)
 *   context  [out] the new context, NULL on failure; owned by the caller
 * Errors: PCCT_USAGE (threads < 0), PCCT_MEMORY. Cost: one communicator duplication and one split by nodes. */
pcct_status pcct_context_create(MPI_Comm comm, int threads, pcct_context **context);

/* Frees a context and its communicators. Collective over the context's communicator. Every index of the
 * context must have been destroyed before. */
void pcct_context_destroy(pcct_context **context);

/* One line about the last failure, "" if there was none. The string lives until the next call with this
 * context. The text is the same on every rank after a collective failure. Local. */
const char *pcct_context_message(const pcct_context *context);

/* Progress callback: called on rank 0 only, from the thread that called the library, between batches
 * and blocks. done and total are in points or rows of the phase; user is passed through. */
typedef void (*pcct_progress)(const char *phase, int64_t done, int64_t total, void *user);

/* Sets (or with NULL removes) the progress callback. Local. */
void pcct_context_set_progress(pcct_context *context, pcct_progress progress, void *user);

/* Log callback: called on rank 0 only, from the thread that called the library, with one line that has
 * no line end. level is "warning", "info", "debug", or "diagnostics" for what the setting diagnostics
 * asks for. What the setting log-level leaves out does not come. Failures are not logged: they are
 * statuses with a message. */
typedef void (*pcct_log)(const char *level, const char *line, void *user);

/* Sets (or with NULL removes) the log callback. Local. */
void pcct_context_set_log(pcct_context *context, pcct_log log, void *user);

/* ---------------------------------------------------------------- settings
 *
 * Knobs of the engine, by name, as `pcct vecchia --help` lists them under "Engine settings". Nothing
 * needs setting, and no answer depends on a setting: they trade time for memory, and help to look
 * inside. An index is created with the settings of that moment, a query runs with those of its own. */

/* Sets one setting.
 * Logically collective: equal arguments on all ranks; no communication.
 *   name   [in] e.g. "leaf-size"
 *   value  [in] one of the names that the setting takes, or an integer in digits
 * Errors: PCCT_USAGE (no such setting, or no such value; the message says what was expected). */
pcct_status pcct_context_set(pcct_context *context, const char *name, const char *value);

/* Sets what rank 0's environment says: the setting leaf-size is the variable PCCT_LEAF_SIZE, and so on.
 * Empty variables count as not there. What pcct_context_set has set stays as it is. A variable PCCT_*
 * that names no setting is a warning in the log. The library never looks at the environment by itself.
 * Collective. Errors: PCCT_USAGE (a bad value; the message names the variable), PCCT_MEMORY. */
pcct_status pcct_context_set_from_environment(pcct_context *context);

/* One setting and its value. The strings live as long as the program. */
typedef struct pcct_setting {
  const char *name;
  char value[PCCT_SETTING_VALUE_SIZE]; /* as a text that would set it */
  pcct_setting_source source;          /* who set it, */
  const char *set_by;                  /* and in words: "default", "environment", "program", ... */
  const char *preset;                  /* the default */
  const char *help;                    /* what it is for: one sentence or two */
} pcct_setting;

/* Number of settings, and the name of one: place is 0 .. pcct_setting_count() - 1, else the result is
 * NULL. Local. */
int pcct_setting_count(void);
const char *pcct_setting_name(int place);

/* Reads one setting.
 * Local.
 *   setting [out] zeroed on failure
 * Errors: PCCT_USAGE (no such setting). */
pcct_status pcct_context_setting(pcct_context *context, const char *name, pcct_setting *setting);

/* ---------------------------------------------------------------- index */

/* How coordinates become search coordinates.
 *   CARTESIAN    any dimension; each coordinate is divided by its length scale, and the result, if there is a
 *                rotation, multiplied by that matrix
 *   LONLAT       two columns, longitude and latitude in degrees, any wrap of the longitude; searched as
 *                chords on the unit sphere, reported as great-circle km
 *   LONLAT_TIME  three columns, longitude and latitude as for LONLAT, and time. Distances are the root of
 *                (chord in km / scale[0])^2 + (time difference / scale[2])^2; the chord goes through the Earth */
typedef enum pcct_coordinates {
  PCCT_CARTESIAN = 0,
  PCCT_LONLAT = 1,
  PCCT_LONLAT_TIME = 2
} pcct_coordinates;

/* The most coordinates that a rotation may have. */
#define PCCT_ROTATED_MAX 8

/* What "near" means between search coordinates. LONLAT and LONLAT_TIME coordinates are EUCLIDEAN: chords.
 *   EUCLIDEAN    root of the sum of squared differences
 *   MANHATTAN    sum of absolute differences, from axis 0 upwards
 *   CHEBYSHEV    largest absolute difference
 *   USER_METRIC  the caller's own function */
typedef enum pcct_metric {
  PCCT_EUCLIDEAN = 0,
  PCCT_MANHATTAN = 1,
  PCCT_CHEBYSHEV = 2,
  PCCT_USER_METRIC = 3
} pcct_metric;

/* A metric of the caller's own, for PCCT_USER_METRIC.
 *   a, b [in] [dimension] two points, each coordinate already divided by its length scale; -0 is 0
 *   user [in] the options' metric_user
 * Returns the distance of a and b. pcct searches with balls alone and trusts the function to be a metric:
 * the same for (a, b) and (b, a), never above the sum of two distances over a third point (relative
 * rounding errors up to 1e-14 are allowed for), 0 for equal coordinates and at least 2^-511 for others,
 * finite, and a function of a, b and user alone. Answers are exact if it is one; samples are tested, and
 * what shows there is PCCT_INPUT. Called by several threads at once, and on all ranks, until the index is
 * destroyed. It must not call pcct or MPI. */
typedef double (*pcct_distance)(const double *a, const double *b, int dimension, void *user);

/* Orderings of the rows. All are total orders that depend on the points and the seed alone.
 *   NONE        as given
 *   RANDOM      by a counter-based random key of (seed, row), ties by row
 *   COORDINATE  by one coordinate, ties by the others in order, then by row
 *   MIDDLEOUT   by Euclidean distance from the mean of the search coordinates, whatever the metric, ties
 *               by row; the mean is summed exactly
 *   HILBERT     along a Hilbert curve through the bounding box, ties by row
 *   GIVEN       the caller's permutation (position -> row)
 *   MAXIMIN     exact farthest-first: each next point is the one farthest, by the index's metric, from all
 *               before it, ties by row; that distance is its length scale. Duplicates come last, with length
 *               scale 0, by row. See pcct_start for the first point
 *   LEVEL       nested greedy nets: at each scale 2^i, from the largest down, every point, in the order of
 *               RANDOM, that is more than 2^i from all chosen before; its length scale is 2^i. Within a factor
 *               of 2 of MAXIMIN
 *   OUTSIDEIN   as MIDDLEOUT, the farthest first
 *   TIME        by the coordinate `axis`, ties by row
 *   TIME_RANDOM   by the coordinate `axis`, ties as in RANDOM
 *   TIME_MAXIMIN  by the coordinate `axis`; points of equal time as in MAXIMIN, given all earlier ones */
typedef enum pcct_ordering {
  PCCT_ORDERING_NONE = 0,
  PCCT_ORDERING_RANDOM = 1,
  PCCT_ORDERING_COORDINATE = 2,
  PCCT_ORDERING_MIDDLEOUT = 3,
  PCCT_ORDERING_HILBERT = 4,
  PCCT_ORDERING_GIVEN = 5,
  PCCT_ORDERING_MAXIMIN = 6,
  PCCT_ORDERING_LEVEL = 7,
  PCCT_ORDERING_OUTSIDEIN = 8,
  PCCT_ORDERING_TIME = 9,
  PCCT_ORDERING_TIME_RANDOM = 10,
  PCCT_ORDERING_TIME_MAXIMIN = 11
} pcct_ordering;

/* The first point of MAXIMIN and TIME_MAXIMIN.
 *   CENTRE  the point of the first group nearest, by Euclidean distance, the mean of the group's search
 *           coordinates, ties by row; the mean is summed exactly
 *   FIRST   the smallest row of the first group
 *   ROW     a row of the first group */
typedef enum pcct_start {
  PCCT_START_CENTRE = 0,
  PCCT_START_FIRST = 1,
  PCCT_START_ROW = 2
} pcct_start;

/* Each rank's share of the points: borrowed, never changed, needed until pcct_index_create returns.
 * Global rows are 0..n-1; rank r holds the rows first_row .. first_row+count-1, ranks in order without
 * gaps (an empty rank has count 0). */
typedef struct pcct_points {
  int64_t first_row;         /* global row of this rank's first point */
  int64_t count;             /* this rank's points, < 2^31; 0 is allowed */
  int dimension;             /* coordinates of a point, 1..PCCT_DIMENSION_MAX, equal on all ranks */
  const double *coordinates; /* [count][dimension], finite; may be NULL if count is 0 */
} pcct_points;

typedef struct pcct_index_options {
  pcct_coordinates coordinates;
  const double
      *scale; /* [dimension] positive length scales, or NULL for ones; not LONLAT; LONLAT_TIME: km,
                             the same km again, time */
  const double *
      rotation; /* [dimension][dimension] by rows, finite, at most PCCT_ROTATED_MAX coordinates; NULL:
                             none; CARTESIAN only. Any matrix will do: locations it maps to one are duplicates */
  pcct_metric metric;     /* LONLAT, LONLAT_TIME: PCCT_EUCLIDEAN only */
  pcct_distance distance; /* USER_METRIC: the function, else NULL */
  void *metric_user;      /* USER_METRIC: passed through to it, as long as the index lives */
  pcct_ordering ordering;
  int axis;          /* COORDINATE, TIME..: 0..dimension-1 */
  uint64_t seed;     /* RANDOM, LEVEL, TIME_RANDOM */
  pcct_start start;  /* MAXIMIN, TIME_MAXIMIN */
  int64_t start_row; /* PCCT_START_ROW: 0..n-1 */
  const int32_t
      *group; /* each rank's own share: [count] groups of its rows, at least 0; all points of a
                                 smaller group come before those of a larger one, each group in the ordering:
                                 MAXIMIN and LEVEL given all earlier groups, the others on their own. NULL: one
                                 group. Borrowed until pcct_index_create returns. Not with TIME_MAXIMIN */
  const int64_t *permutation; /* GIVEN: each rank's own share: the rows at positions first_row ..
                                 first_row+count-1; borrowed until pcct_index_create returns */
  bool refuse_duplicates;     /* true: two rows at the same location are PCCT_INPUT */
} pcct_index_options;

/* cartesian, no scale, Euclidean, ordering none, seed 0, duplicates kept. Local. */
pcct_index_options pcct_index_options_default(void);

typedef struct pcct_index pcct_index;

/* Orders and partitions the points, builds and finalises the local trees, and merges their tops.
 * Collective.
 *   points   [in] each rank's own share
 *   options  [in] NULL means the defaults; `group` NULL on all ranks or on none
 *   index    [out] the new index; owned by the caller, destroyed before its context
 * Errors: PCCT_USAGE (dimension, axis, scale, metric, options that contradict each other), PCCT_INPUT (a
 * value that is not finite, a latitude beyond 90 degrees, a permutation that is not one, distinct points
 * whose squared distance under- or overflows or, in other metrics, is below 2^-511, a user's metric that is
 * none, duplicates if refused), PCCT_MEMORY.
 * Cost: O(n/P log n) distance evaluations per rank, every point sent once, O(P) messages per rank;
 * an ordering other than NONE and GIVEN sorts n keys by one more exchange there and back. MAXIMIN, LEVEL and
 * TIME_MAXIMIN: O(n/P log n) more evaluations, in rounds of four exchanges between neighbouring ranks: some tens
 * of them for evenly spread points, one a point for exponentially spaced ones.
 * Source: compressed cover trees: Elkin and Kurlin, ICML 2023; batch insertion: Gu, Napier, Sun and
 * Wang, SPAA 2022. */
pcct_status pcct_index_create(pcct_context *context, const pcct_points *points,
                              const pcct_index_options *options, pcct_index **index);

/* Frees an index. Collective. */
void pcct_index_destroy(pcct_index **index);

/* What an index holds; equal on all ranks but for local_count. */
typedef struct pcct_index_info {
  int64_t count;           /* n, all points */
  int dimension;           /* of the caller's coordinates */
  int64_t duplicates;      /* rows that repeat an earlier row's location */
  int64_t local_count;     /* points in this rank's part */
  int64_t directory_count; /* nodes of the merged top */
} pcct_index_info;

/* Local. */
pcct_index_info pcct_index_get_info(const pcct_index *index);

/* Checks every invariant of the local trees (covering, separation, nesting, one root, every point
 * reached, radii, counts and positions right) and of the merged top, independently of the code that
 * built them.
 * Collective. Errors: PCCT_DIFFERENT (the message names the first violation), PCCT_MEMORY.
 * Cost: O(n/P) tree searches per rank. */
pcct_status pcct_index_check(pcct_index *index);

/* The positions of each rank's own rows: position[i] is the place of row first_row + i in the ordering.
 * Borrowed from the index, which must outlive it. Local. */
const int64_t *pcct_index_positions(const pcct_index *index);

/* The length scales of each rank's own rows, in the units of distances: MAXIMIN, LEVEL and TIME_MAXIMIN; the first
 * point's is +inf. NULL with other orderings. Borrowed from the index. Local. */
const double *pcct_index_length_scales(const pcct_index *index);

/* Moves per-row data into ordering order.
 * Collective.
 *   element_size [in] bytes of one row's data, equal on all ranks, at least 1
 *   rows         [in] each rank's own rows, [points.count][element_size] bytes as given at creation
 *   first, count [in] each rank's own range of positions that it wants; ranges in rank order, together
 *                without gaps or overlaps; they need not cover all positions
 *   out          [out] [count][element_size] bytes, allocated by the caller
 * Errors: PCCT_USAGE, PCCT_MEMORY. Cost: every requested row sent once. */
pcct_status pcct_index_permute(pcct_index *index, int64_t element_size, const void *rows,
                               int64_t first, int64_t count, void *out);

/* ---------------------------------------------------------------- queries */

/* Result rows of a query, sorted by (kernel value, index), padded with index -1 and distance +inf.
 * Allocated by the query, freed with pcct_rows_clear. Exactly one of index32 and index64 is not NULL:
 * index32 while n < 2^31. */
typedef struct pcct_rows {
  int64_t first;    /* the first row (a position, or a query row) of this rank */
  int64_t count;    /* rows of this rank */
  int64_t width;    /* m or k: entries of a row */
  int32_t *index32; /* [count][width] */
  int64_t *index64; /* [count][width] */
  double *distance; /* [count][width], of the index's metric after scaling, or km for lonlat */
  int32_t *filled;  /* [count] valid entries of a row */
} pcct_rows;

/* Frees the arrays and zeroes the struct. Local. */
void pcct_rows_clear(pcct_rows *rows);

/* The m nearest predecessors of the points at positions first .. first+count-1: indices are positions.
 * Collective.
 *   m             [in] at least 1; rows are padded where fewer predecessors exist
 *   first, count  [in] the block of positions, equal on all ranks, within 0..n
 *   rows          [out] this rank's slab of the block: pcct_slab(count, rank, size) positions of it
 * Errors: PCCT_USAGE, PCCT_MEMORY. Cost: one local search per point, one message to each rank whose
 * region may hold a closer predecessor, one exchange of the rows. Fewer, larger blocks are faster. */
pcct_status pcct_index_conditioning_sets(pcct_index *index, int64_t m, int64_t first, int64_t count,
                                         pcct_rows *rows);

/* The k nearest other rows (excluding the row itself, not its duplicates) of rows first ..
 * first+count-1: indices are rows. The index must have ordering NONE.
 * Collective; parameters, result and errors as for pcct_index_conditioning_sets. */
pcct_status pcct_index_neighbors(pcct_index *index, int64_t k, int64_t first, int64_t count,
                                 pcct_rows *rows);

/* The k nearest rows of foreign query points, nothing excluded: indices are rows. The index must have
 * ordering NONE.
 * Collective.
 *   queries [in] each rank's own share of the queries, in the units of the indexed points
 *   rows    [out] one row for each of this rank's queries, in their order
 * Errors: PCCT_USAGE, PCCT_INPUT (bad values), PCCT_MEMORY. */
pcct_status pcct_index_query(pcct_index *index, const pcct_points *queries, int64_t k,
                             pcct_rows *rows);

/* ---------------------------------------------------------------- radius queries */

/* What radius queries find: equal on all ranks. */
typedef struct pcct_range_options {
  double radius;   /* at least 0, +inf allowed: points at this distance or nearer, in the units of
                      distances in results; compared with the distance as it is returned */
  int64_t most;    /* not more than this many points a row, the nearest; 0: all */
  bool count_only; /* numbers of points alone: neither indices nor distances */
} pcct_range_options;

/* radius 0, all, with indices and distances. Local. */
pcct_range_options pcct_range_options_default(void);

/* Compressed result rows of a radius query: row i has the entries offset[i] .. offset[i + 1] - 1, sorted by
 * (kernel value, index). Allocated by the query, freed with pcct_ranges_clear. Exactly one of index32 and
 * index64 is not NULL, index32 while n < 2^31; with count_only both are, and distance too. */
typedef struct pcct_ranges {
  int64_t first;    /* the first row of this rank */
  int64_t count;    /* rows of this rank */
  int64_t *offset;  /* [count + 1], offset[0] is 0 */
  int32_t *index32; /* [offset[count]] */
  int64_t *index64; /* [offset[count]] */
  double *distance; /* [offset[count]] as in pcct_rows */
} pcct_ranges;

/* Frees the arrays and zeroes the struct. Local. */
void pcct_ranges_clear(pcct_ranges *ranges);

/* The rows within a radius of foreign query points, nothing excluded: indices are rows. The index must have
 * ordering NONE.
 * Collective.
 *   queries [in]  each rank's own share of the queries, in the units of the indexed points
 *   ranges  [out] one row for each of this rank's queries, in their order
 * Errors: PCCT_USAGE, PCCT_INPUT (bad values), PCCT_MEMORY. Cost: one search for each query on each rank
 * that has a region within the radius; 16 bytes sent for each point found. */
pcct_status pcct_index_range(pcct_index *index, const pcct_points *queries,
                             const pcct_range_options *options, pcct_ranges *ranges);

/* The other rows within a radius of rows first .. first+count-1 (excluding the row itself, not its
 * duplicates). The index must have ordering NONE.
 * Collective.
 *   first, count [in]  the block of rows, equal on all ranks, within 0..n
 *   ranges       [out] this rank's slab of the block: pcct_slab(count, rank, size) rows of it
 * Errors and cost as for pcct_index_range. */
pcct_status pcct_index_range_neighbors(pcct_index *index, const pcct_range_options *options,
                                       int64_t first, int64_t count, pcct_ranges *ranges);

/* The slab that one of `size` ranks holds of `count` items: first item and number, sizes differing by
 * at most one, larger ones first. Local. */
void pcct_slab(int64_t count, int rank, int size, int64_t *first, int64_t *number);

/* ---------------------------------------------------------------- measurements */

/* Enters a phase: time from now on is charged to it, on this rank, until the next call. The library
 * enters its own phases; a program enters read and write around its input and output. Local. */
void pcct_context_enter_phase(pcct_context *context, pcct_phase phase);

/* Seconds of one phase over the ranks. */
typedef struct pcct_phase_seconds {
  const char *name;
  double min, mean, max;
  int max_rank;
} pcct_phase_seconds;

/* Phase times in the order in which rank 0 first entered them.
 * Collective.
 *   phases [out] room for PCCT_PHASE_COUNT entries
 *   count  [out] entries filled
 *   total  [out] seconds since the context was created, the largest over the ranks; may be NULL */
pcct_status pcct_context_phases(pcct_context *context, pcct_phase_seconds *phases, int *count,
                                double *total);

/* A counter over all ranks: sum, and the largest value of one rank with that rank. */
typedef struct pcct_counter {
  const char *name;
  int64_t sum, max;
  int max_rank;
} pcct_counter;

/* Number of counters. Local. */
int pcct_counter_count(void);

/* All counters.
 * Collective.
 *   counters [out] room for pcct_counter_count() entries */
pcct_status pcct_context_counters(pcct_context *context, pcct_counter *counters);

#ifdef __cplusplus
}
#endif

#endif
