/* The sparsity pattern of the inverse Cholesky factor, and its values. */
#include "app/extend.h"
#include "base/sort.h"
#include "vecchia/score.h"

#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define INDPTR "/pattern/indptr"
#define INDICES "/pattern/indices"
#define VALUES "/pattern/values"

pcct_status pattern_declare(struct extend *run, bool values) {
  pcct_context *context = run->app->context;
  const int64_t n = run->sets.n, entries = run->entries + n;
  pcct_status status =
      output_add_dataset(context, run->output, INDPTR, OUTPUT_INTEGERS, n + 1, "/pattern_bound",
                         "where columns begin, and the last one ends", "1");
  if (status == PCCT_OK) {
    status =
        output_add_dataset(context, run->output, INDICES, OUTPUT_INDICES, entries, "/pattern_entry",
                           "rows of each column, ascending: its set, then itself", "1");
  }
  if (status == PCCT_OK && values) {
    status =
        output_add_dataset(context, run->output, VALUES, OUTPUT_DOUBLES, entries, "/pattern_entry",
                           "U of the approximation's precision U U', by position", "1");
  }
  return status;
}

/* One block of columns. */
struct block {
  struct sets_rows rows;
  int64_t *start; /* [count + 1] entries */
  int64_t *index; /* [start[count]] */
  double *points, *value;
};

static void block_free(struct block *block) {
  sets_rows_clear(&block->rows);
  base_free(block->start);
  base_free(block->index);
  base_free(block->points);
  base_free(block->value);
}

static pcct_status list_columns(struct extend *run, struct block *block) {
  struct base *base = &run->app->context->base;
  const struct sets_rows *rows = &block->rows;
  block->start = base_allocate(base, rows->count + 1, sizeof *block->start);
  if (block->start == NULL) {
    return PCCT_MEMORY;
  }
  block->start[0] = 0;
  for (int64_t i = 0; i < rows->count; i++) {
    block->start[i + 1] = block->start[i] + rows->filled[i] + 1;
  }
  const int64_t entries = block->start[rows->count];
  block->index = base_allocate(base, entries, sizeof *block->index);
  block->points = base_allocate(base, entries, (size_t)run->sets.metric.dimension * sizeof(double));
  block->value = base_allocate(base, entries, sizeof *block->value);
  if (block->index == NULL || block->points == NULL || block->value == NULL) {
    return PCCT_MEMORY;
  }
#pragma omp parallel for schedule(static) num_threads(base->threads)
  for (int64_t i = 0; i < rows->count; i++) {
    int64_t *to = block->index + block->start[i];
    memcpy(to, rows->index + i * run->sets.width, (size_t)rows->filled[i] * sizeof *to);
    to[rows->filled[i]] = rows->first + i;
    qsort(to, (size_t)rows->filled[i] + 1, sizeof *to, sort_compare_integers);
  }
  return PCCT_OK;
}

/* Columns of U by all threads. */
static pcct_status compute_values(struct extend *run, const struct covariance *covariance,
                                  struct score_work *work, struct block *block) {
  struct base *base = &run->app->context->base;
  const int d = run->sets.metric.dimension;
  int64_t wrong = INT64_MAX;
#pragma omp parallel for schedule(dynamic, 64) num_threads(base->threads) reduction(min : wrong)
  for (int64_t i = 0; i < block->rows.count; i++) {
    const int64_t at = block->start[i];
    struct score_row row;
    if (score_row(covariance, d, (int)(block->start[i + 1] - at), block->points + at * d, NULL,
                  &work[omp_get_thread_num()], &row, block->value + at) != 0) {
      wrong = i < wrong ? i : wrong;
    }
  }
  return wrong == INT64_MAX
             ? PCCT_OK
             : base_fail(base, PCCT_INPUT,
                         "the covariance of position %" PRId64
                         " and its conditioning set is not positive definite: add a --nugget",
                         block->rows.first + wrong);
}

/* Writes the columns of a block, the first of which begins at entry `at` of the file. */
static pcct_status write_block(struct extend *run, const struct covariance *covariance,
                               struct score_work *work, struct block *block, int64_t at) {
  pcct_context *context = run->app->context;
  const struct sets_rows *rows = &block->rows;
  pcct_status status = comm_agree(context, list_columns(run, block));
  const int64_t entries = status == PCCT_OK ? block->start[rows->count] : 0;
  if (status == PCCT_OK && covariance != NULL) {
    pcct_context_enter_phase(context, PCCT_PHASE_score);
    status = sets_fetch(&run->sets, block->index, entries, block->points, NULL);
    if (status == PCCT_OK) {
      status = comm_agree(context, compute_values(run, covariance, work, block));
    }
  }
  pcct_context_enter_phase(context, PCCT_PHASE_write);
  if (status == PCCT_OK) {
    status = output_write_dataset(context, run->output, INDICES, at, entries, block->index);
  }
  if (status == PCCT_OK && covariance != NULL) {
    status = output_write_dataset(context, run->output, VALUES, at, entries, block->value);
  }
  for (int64_t i = 0; i <= rows->count && status == PCCT_OK; i++) {
    block->start[i] += at;
  }
  const bool last = rows->first + rows->count == run->sets.n;
  return status == PCCT_OK
             ? output_write_dataset(context, run->output, INDPTR, rows->first,
                                    rows->count + (last && rows->count > 0), block->start)
             : status;
}

/* Without columns there is nothing but the end of none. */
static pcct_status write_nothing(struct extend *run) {
  static const int64_t zero = 0;
  return output_write_dataset(run->app->context, run->output, INDPTR, 0,
                              run->app->context->rank == 0, &zero);
}

pcct_status pattern_write(struct extend *run, const struct covariance *covariance) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  const int64_t rows = extend_block_rows(run);
  const int64_t longest = comm_max(context, run->count);
  int64_t at = run->before + run->first;
  struct score_work *work = base_allocate_zero(base, base->threads, sizeof *work);
  pcct_status status = work != NULL ? PCCT_OK : PCCT_MEMORY;
  for (int t = 0; t < base->threads && status == PCCT_OK && covariance != NULL; t++) {
    status = score_work_create(base, (int)run->sets.width + 1, &work[t]);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK && run->sets.n == 0) {
    status = write_nothing(run);
  }
  for (int64_t done = 0; done < longest && status == PCCT_OK; done += rows) {
    struct block block = {.index = NULL};
    const int64_t from = done < run->count ? done : run->count;
    const int64_t count = run->count - from < rows ? run->count - from : rows;
    status = sets_read(&run->sets, run->first + from, count, &block.rows);
    if (status == PCCT_OK) {
      status = write_block(run, covariance, work, &block, at);
    }
    for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
      at += block.rows.filled[i] + 1;
    }
    block_free(&block);
  }
  for (int t = 0; work != NULL && t < base->threads; t++) {
    score_work_free(&work[t]);
  }
  base_free(work);
  return status;
}
