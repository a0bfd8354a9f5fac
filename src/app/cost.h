/*
 * What a run costs: memory, files, messages and seconds from counts alone, before anything is read.
 *
 * The constants were measured with uniform points on one core of a 2.x GHz server of 2024 and are meant for orders
 * of magnitude elsewhere; memory depends on the program alone and is closer. Points that fill fewer dimensions than
 * they have coordinates cost less than is said here.
 */
#ifndef APP_COST_H
#define APP_COST_H

#include <stdbool.h>
#include <stdint.h>

/* A run of vecchia, or of knn. */
struct cost_run {
  int64_t n;    /* points */
  int64_t rows; /* of the output */
  int64_t width;
  int dimension, search_dimension;
  int ranks, threads;
  bool nets;              /* an ordering by growing nets */
  int64_t distance_bytes; /* of a distance in the file: 8, 4 or 0 */
  int64_t limit;          /* bytes a rank may have; 0: none was given */
  int64_t block_rows;     /* rows of all ranks in a block, if that was given; else 0 */
};

/* Bytes of one rank, at most. */
struct cost_memory {
  double fixed;       /* program, MPI, HDF5 */
  double build;       /* beyond: while points are read, sent and built into trees */
  double resident;    /* beyond: of points, trees and views while queries run */
  double row;         /* of a row under way */
  double moved;       /* of buffers beside the rows */
  double least;       /* the smallest limit that works */
  int64_t block_rows; /* of all ranks */
  int64_t blocks;
  double peak;  /* to be expected */
  double bound; /* not to be exceeded */
  bool fits;    /* the bound, into the limit; without one: true */
};
struct cost_memory cost_memory(const struct cost_run *run);

/* Bytes that no exchange's piece should exceed under a limit. */
int64_t cost_piece_bytes(const struct cost_run *run);

/* The rest. */
struct cost {
  double file_bytes;
  double forwarded;       /* share of the queries that leave their rank */
  double query_bytes;     /* sent by a rank for them */
  double partition_bytes; /* sent by a rank: points to their parts */
  double reorder_bytes;   /* sent by a rank: rows into output order */
  double messages;        /* sent by a rank */
  double seconds_read, seconds_build, seconds_query, seconds_write,
      seconds; /* of the slowest rank */
};
struct cost cost_estimate(const struct cost_run *run, const struct cost_memory *memory);

#endif
