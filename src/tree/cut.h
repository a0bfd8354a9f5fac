/*
 * Coordinate cuts: splitting a bucket's points into leaves by medians of the widest axis.
 *
 * How many points go to which part depends on their number alone, so that the nodes and leaves of a view
 * can be laid out before any point is looked at.
 */
#ifndef TREE_CUT_H
#define TREE_CUT_H

#include "points/metric.h"

/* A point as cuts move it around: `dimension` coordinates, then the bits of its position. */
static inline int64_t cut_position(const double *record, int dimension) {
  union {
    double number;
    int64_t position;
  } bits = {.number = record[dimension]};
  return bits.position;
}

static inline void cut_store_position(double *record, int dimension, int64_t position) {
  union {
    int64_t position;
    double number;
  } bits = {.position = position};
  record[dimension] = bits.number;
}

/* The parts of one node over `count` points: up to `most` of them (a power of two), none larger than it must
 * be for leaves of at most `leaf` points (a multiple of 8).
 *   size [out] [most] points of each part
 * Returns the number of parts: 1 if all fit into one leaf. */
int cut_sizes(int64_t count, int64_t leaf, int most, int64_t *size);

/* Moves the records so that parts of those sizes are apart in space; where all coordinates agree, by position.
 *   records [in,out] [count][dimension + 1]
 * More than CUT_TASK records are shared out as tasks, if the caller runs within a parallel region. */
enum { CUT_TASK = 4096 };
void cut_records(double *records, int dimension, int64_t count, int64_t leaf, int most);

/* Orders records so that neighbours are near each other: cut by medians down to parts of at most `leaf`.
 * OpenMP inside. */
void cut_order(double *records, int dimension, int64_t count, int64_t leaf, int threads);

/* Places of a leaf's records by position: counting comparisons beats sorting for so few.
 *   rank [out] [CUT_LEAF]; only the first count are theirs */
enum { CUT_LEAF = 64 };
void cut_ranks(const double *records, int dimension, int count, int64_t *rank);

#endif
