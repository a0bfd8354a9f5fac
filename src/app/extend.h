/*
 * pcct extend: what is made from conditioning sets, beside them in one file.
 */
#ifndef APP_EXTEND_H
#define APP_EXTEND_H

#include "app/covariance_option.h"
#include "app/sets.h"
#include "io/output.h"

extern const struct app_command command_extend;

/* A run. */
struct extend {
  struct app *app;
  struct sets sets;
  struct output *output;
  int64_t first, count; /* this rank's slab of positions */
  int64_t before, own;  /* entries of sets in the slabs before, and in this rank's */
  int64_t entries;      /* of all */
};

/* The sparsity pattern of the inverse Cholesky factor, by columns: the set of each position, ascending, then the
 * position itself; with the values of the factor for a covariance.
 *   covariance [in] NULL: no values
 * Collective: declare before any write, then write. Errors: PCCT_INPUT (not positive definite), PCCT_FILE, PCCT_MEMORY. */
pcct_status pattern_declare(struct extend *run, bool values);
pcct_status pattern_write(struct extend *run, const struct covariance *covariance);

/* The positions whose sets hold each position, ascending. Collective. Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status children_declare(struct extend *run);
pcct_status children_write(struct extend *run);

/* Neighbouring points grouped, so that their sets can be treated together. Collective; computes all, and declares.
 *   largest  [in] points of a group, members of sets included
 *   grouping [out] freed with grouping_free */
struct grouping;
pcct_status grouping_make(struct extend *run, int64_t largest, struct grouping **grouping);
pcct_status grouping_write(struct extend *run, const struct grouping *grouping);
void grouping_print(const struct extend *run, const struct grouping *grouping);
void grouping_free(struct grouping **grouping);

/* Rows of a block on one rank. Local. */
int64_t extend_block_rows(const struct extend *run);

#endif
