/*
 * What the parts of the directory share. Private to them.
 */
#ifndef DIST_DIRECTORY_PRIVATE_H
#define DIST_DIRECTORY_PRIVATE_H

#include "dist/directory.h"

/* One region on its way: this header, then point, lower and upper ([dimension] each). */
struct directory_record {
  struct region region;
  int64_t position;
};

static inline size_t directory_record_size(int dimension) {
  return sizeof(struct directory_record) + 3 * (size_t)dimension * sizeof(double);
}

static inline struct directory_record *directory_record_at(const void *records, int dimension,
                                                           int64_t i) {
  return (struct directory_record *)(uintptr_t)((const char *)records +
                                                (size_t)i * directory_record_size(dimension));
}

/* Its point; the box follows. */
static inline double *directory_record_point(const void *records, int dimension, int64_t i) {
  return (double *)(void *)(directory_record_at(records, dimension, i) + 1);
}

/* A kernel value that no point of a region has less of. */
double directory_value(const struct metric *metric, const double *centre, const double *box,
                       double radius, const double *point);

/* ---- directory_group.c */

/* How regions are grouped so that `limit` of them do: sets groups and group_size, 0 for one level. */
void directory_group(struct directory *directory, int ranks, int64_t limit);

/* Brings the regions of a group's ranks to all of them, and makes few of them that stand for the group.
 *   records, count [in,out] those of this rank; those that it contributes to the merged top, of a group's first rank
 * Collective. Errors: PCCT_MEMORY. */
pcct_status directory_join_group(pcct_context *context, struct directory *directory, int64_t limit,
                                 void **records, int64_t *count);

#endif
