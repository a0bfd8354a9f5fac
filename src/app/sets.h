/*
 * Conditioning sets as inputs: those of pcct's own files, or foreign ones.
 *
 * Points and sets stay spread over the ranks, each with its slab of the positions; what a rank needs of others is
 * fetched for as many rows as are worked on.
 */
#ifndef APP_SETS_H
#define APP_SETS_H

#include "app/app.h"
#include "app/columns.h"
#include "io/input.h"
#include "points/metric.h"

/* What foreign files need to be told. */
struct sets_options {
  const char *dataset, *columns; /* coordinates */
  const char *order;             /* position -> row; NULL: rows are positions */
  const char *sets;              /* [n][width] entries of positions; NULL: a file of pcct's own */
  int64_t base;                  /* the first position is called 0 or 1 there */
  int coordinates;               /* enum pcct_coordinates, for foreign files */
};

struct sets {
  struct app *app;
  struct sets_options options;
  struct input *input;
  int64_t n, width;
  int64_t observed;       /* positions from here on are predictions */
  struct metric metric;   /* search coordinates are fetched: scale 1, lonlat as chords in km */
  int64_t first, count;   /* this rank's slab of positions */
  int64_t *row;           /* [count] input row of each; NULL: the position */
  struct columns columns; /* search coordinates */
  double *response;       /* [count]; NULL: none */
};

/* Opens a file and reads this rank's slab of the points.
 * Collective.
 *   response [in] a column of /data, or the path of a dataset; NULL: none
 *   scale    [in] [number] of coordinates, or one number for all; positive. None: ones
 *   sets     [out] closed with sets_close, on failure too
 * Errors: PCCT_FILE, PCCT_INPUT (no sets, or of another shape), PCCT_USAGE, PCCT_MEMORY. */
pcct_status sets_open(struct app *app, const char *path, const struct sets_options *options,
                      const char *response, const double *scale, int number, struct sets *sets);
void sets_close(struct sets *sets);

/* Rows of conditioning sets. */
struct sets_rows {
  int64_t first, count;
  int64_t *index; /* [count][width] positions, the first `filled` of a row */
  int32_t *filled;
};

/* Reads each rank's own rows.
 * Collective.
 *   rows [out] freed with sets_rows_clear, on failure too
 * Errors: PCCT_INPUT (an entry that is no predecessor), PCCT_FILE, PCCT_MEMORY. */
pcct_status sets_read(struct sets *sets, int64_t first, int64_t count, struct sets_rows *rows);
void sets_rows_clear(struct sets_rows *rows);

/* Fetches points by position.
 * Collective.
 *   item     [in] [items] each rank's own positions
 *   points   [out] [items][metric.dimension]
 *   response [out] [items]; NULL: not wanted
 * Errors: PCCT_MEMORY. Cost: 16 bytes sent for each item and axis. */
pcct_status sets_fetch(struct sets *sets, const int64_t *item, int64_t items, double *points,
                       double *response);

#endif
