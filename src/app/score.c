/*
 * pcct score: log-likelihood and conditional variances of a Vecchia approximation.
 *
 * Rows go in blocks; the sums over rows are exact, so that they depend on nothing but the rows.
 */
#include "app/score.h"

#include "app/covariance_option.h"
#include "app/sets.h"
#include "app/verify_rows.h"
#include "base/exact_sum.h"
#include "pcct.h"
#include "vecchia/score.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { BLOCK_ITEMS = 1 << 20, EXACT_MOST = 20000 };

struct score_options {
  struct covariance_options covariance;
  struct sets_options sets;
  const char *response;
  int64_t sample;
  bool exact;
};

/* What is summed over rows. */
enum term { TERM_LOG, TERM_LOG_SQUARE, TERM_SQUARE, TERM_LIKELIHOOD_SQUARE, TERMS };

/* A file's scores. */
struct result {
  double log_variance,
      log_variance_error; /* sum of log conditional variances; its standard error */
  double likelihood, likelihood_error;
  double exact_determinant, exact_likelihood;
  int64_t rows, scored; /* rows of observed points, and those looked at */
};

/* A run over one file. */
struct run {
  struct app *app;
  const struct score_options *options;
  struct covariance covariance;
  struct sets sets;
  struct score_work *work; /* [threads] */
  struct exact_sum *sum;   /* [TERMS] */
  int64_t scored;
};

/* ---- one block */

struct block {
  struct sets_rows rows;
  int64_t *chosen; /* [chosen_count] rows of the file */
  int64_t chosen_count;
  int64_t *start; /* [chosen_count + 1] in items */
  int64_t *item;
  double *points, *response;
  struct score_row *answer;
};

static void block_free(struct block *block) {
  sets_rows_clear(&block->rows);
  base_free(block->chosen);
  base_free(block->start);
  base_free(block->item);
  base_free(block->points);
  base_free(block->response);
  base_free(block->answer);
}

/* The rows that are scored, each with its set and, last, itself. */
static pcct_status list_items(struct run *run, struct block *block) {
  struct base *base = &run->app->context->base;
  const struct sets *sets = &run->sets;
  const struct sets_rows *rows = &block->rows;
  const int64_t sample = run->options->sample > 0 ? run->options->sample : sets->observed;
  block->chosen = base_allocate(base, rows->count, sizeof *block->chosen);
  block->start = base_allocate(base, rows->count + 1, sizeof *block->start);
  if (block->chosen == NULL || block->start == NULL) {
    return PCCT_MEMORY;
  }
  block->chosen_count = verify_rows_choose(run->app->common.seed, sets->observed, sample,
                                           rows->first, rows->count, block->chosen);
  block->start[0] = 0;
  for (int64_t c = 0; c < block->chosen_count; c++) {
    block->start[c + 1] = block->start[c] + rows->filled[block->chosen[c] - rows->first] + 1;
  }
  const int64_t items = block->start[block->chosen_count];
  block->item = base_allocate(base, items, sizeof *block->item);
  block->points = base_allocate(base, items, (size_t)sets->metric.dimension * sizeof(double));
  block->response = base_allocate(base, items, sizeof *block->response);
  block->answer = base_allocate(base, block->chosen_count, sizeof *block->answer);
  if (block->item == NULL || block->points == NULL || block->response == NULL ||
      block->answer == NULL) {
    return PCCT_MEMORY;
  }
  for (int64_t c = 0; c < block->chosen_count; c++) {
    const int64_t i = block->chosen[c] - rows->first;
    int64_t *to = block->item + block->start[c];
    memcpy(to, rows->index + i * sets->width, (size_t)rows->filled[i] * sizeof *to);
    to[rows->filled[i]] = block->chosen[c];
  }
  return PCCT_OK;
}

/* Scores the block's rows by all threads. */
static pcct_status score_rows(struct run *run, struct block *block) {
  struct base *base = &run->app->context->base;
  const int d = run->sets.metric.dimension;
  int64_t wrong = INT64_MAX;
#pragma omp parallel for schedule(dynamic, 64) num_threads(base->threads) reduction(min : wrong)
  for (int64_t c = 0; c < block->chosen_count; c++) {
    const int64_t at = block->start[c];
    const double *response = run->sets.response != NULL ? block->response + at : NULL;
    if (score_row(&run->covariance, d, (int)(block->start[c + 1] - at), block->points + at * d,
                  response, &run->work[omp_get_thread_num()], &block->answer[c], NULL) != 0) {
      wrong = block->chosen[c] < wrong ? block->chosen[c] : wrong;
    }
  }
  if (wrong < INT64_MAX) {
    return base_fail(base, PCCT_INPUT,
                     "the covariance of position %" PRId64
                     " and its conditioning set is not positive definite: points too close to each "
                     "other for this covariance; add a --nugget",
                     wrong);
  }
  for (int64_t c = 0; c < block->chosen_count; c++) {
    const struct score_row *row = &block->answer[c];
    const double log_variance = log(row->variance);
    const double square = row->residual * row->residual;
    if (!isfinite(square)) {
      return base_fail(base, PCCT_INPUT,
                       "the response of position %" PRId64
                       " or of its conditioning set is missing or not finite; order and score "
                       "observed points alone",
                       block->chosen[c]);
    }
    const double likelihood = -0.5 * (log(2 * M_PI) + log_variance + square);
    exact_sum_add(&run->sum[TERM_LOG], log_variance);
    exact_sum_add(&run->sum[TERM_LOG_SQUARE], log_variance * log_variance);
    exact_sum_add(&run->sum[TERM_SQUARE], square);
    exact_sum_add(&run->sum[TERM_LIKELIHOOD_SQUARE], likelihood * likelihood);
  }
  run->scored += block->chosen_count;
  return PCCT_OK;
}

static pcct_status score_block(struct run *run, int64_t first, int64_t count) {
  struct sets *sets = &run->sets;
  struct block block = {.item = NULL};
  pcct_status status = sets_read(sets, first, count, &block.rows);
  pcct_context_enter_phase(run->app->context, PCCT_PHASE_score);
  if (status == PCCT_OK) {
    status = comm_agree(run->app->context, list_items(run, &block));
  }
  if (status == PCCT_OK) {
    status = sets_fetch(sets, block.item, block.start[block.chosen_count], block.points,
                        sets->response != NULL ? block.response : NULL);
  }
  if (status == PCCT_OK) {
    status = comm_agree(run->app->context, score_rows(run, &block));
  }
  block_free(&block);
  return status;
}

/* ---- the whole file */

static double sum_of(struct run *run, enum term term) {
  struct exact_sum *sum = &run->sum[term];
  exact_sum_normalise(sum);
  MPI_Allreduce(MPI_IN_PLACE, sum, (int)(sizeof *sum / sizeof(int64_t)), MPI_INT64_T, MPI_SUM,
                run->app->context->comm);
  return exact_sum_value(sum);
}

/* Standard error of a total that was estimated from a sample without replacement. */
static double error_of(double sum, double square, int64_t sampled, int64_t all) {
  const double s = (double)sampled, n = (double)all;
  const double variance = sampled > 1 ? (square - sum * sum / s) / (s - 1) : 0;
  return sampled < all ? n * sqrt(fmax(variance, 0) / s * (1 - s / n)) : 0;
}

static void conclude(struct run *run, struct result *result) {
  const double logs = sum_of(run, TERM_LOG), log_squares = sum_of(run, TERM_LOG_SQUARE);
  const double squares = sum_of(run, TERM_SQUARE);
  const double likelihood_squares = sum_of(run, TERM_LIKELIHOOD_SQUARE);
  result->rows = run->sets.observed;
  result->scored = comm_sum(run->app->context, run->scored);
  const double n = (double)result->rows, s = (double)result->scored;
  const double factor = result->scored < result->rows && s > 0 ? n / s : 1;
  const double likelihood = -0.5 * (s * log(2 * M_PI) + logs + squares);
  result->log_variance = factor * logs;
  result->log_variance_error = error_of(logs, log_squares, result->scored, result->rows);
  result->likelihood = factor * likelihood;
  result->likelihood_error = error_of(likelihood, likelihood_squares, result->scored, result->rows);
}

/* Without approximation, by rank 0. */
static pcct_status score_exactly(struct run *run, struct result *result) {
  struct sets *sets = &run->sets;
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  const int64_t n = context->rank == 0 ? sets->observed : 0;
  const int d = sets->metric.dimension;
  struct score_work work = {.most = 0};
  if (sets->observed > EXACT_MOST) {
    return base_fail(
        base, PCCT_USAGE,
        "--exact takes n^3 / 3 operations and 8 n^2 bytes: expected at most %d points, "
        "found %" PRId64,
        EXACT_MOST, sets->observed);
  }
  int64_t *item = base_allocate(base, n, sizeof *item);
  double *points = base_allocate(base, n, (size_t)d * sizeof *points);
  double *response = base_allocate(base, n, sizeof *response);
  pcct_status status = score_work_create(base, (int)n, &work);
  status = comm_agree(context, item && points && response ? status : PCCT_MEMORY);
  for (int64_t i = 0; i < n && status == PCCT_OK; i++) {
    item[i] = i;
  }
  if (status == PCCT_OK) {
    status = sets_fetch(sets, item, n, points, sets->response != NULL ? response : NULL);
  }
  if (status == PCCT_OK && n > 0) {
    double log_determinant = 0, square = 0;
    if (score_all(&run->covariance, d, (int)n, points, sets->response != NULL ? response : NULL,
                  &work, &log_determinant, &square) != 0) {
      status = base_fail(base, PCCT_INPUT,
                         "the covariance of all points is not positive definite; add a --nugget");
    }
    result->exact_determinant = log_determinant;
    result->exact_likelihood = -0.5 * ((double)n * log(2 * M_PI) + log_determinant + square);
  }
  score_work_free(&work);
  base_free(item);
  base_free(points);
  base_free(response);
  status = comm_agree(context, status);
  comm_broadcast(context, result, sizeof *result);
  return status;
}

static pcct_status prepare(struct run *run) {
  struct base *base = &run->app->context->base;
  run->work = base_allocate_zero(base, base->threads, sizeof *run->work);
  run->sum = base_allocate(base, TERMS, sizeof *run->sum);
  pcct_status status = run->work != NULL && run->sum != NULL ? PCCT_OK : PCCT_MEMORY;
  if (run->sets.width > 10000) {
    status = base_fail(base, PCCT_INPUT, "sets of %" PRId64 " points are too large to be scored",
                       run->sets.width);
  }
  for (int t = 0; t < base->threads && status == PCCT_OK; t++) {
    status = score_work_create(base, (int)run->sets.width + 1, &run->work[t]);
  }
  for (int i = 0; i < TERMS && status == PCCT_OK; i++) {
    exact_sum_init(&run->sum[i]);
  }
  return comm_agree(run->app->context, status);
}

/* Scores one file. Collective. */
static pcct_status score_file(struct app *app, const struct score_options *options,
                              const struct covariance *covariance, const char *path,
                              struct result *result) {
  pcct_context *context = app->context;
  struct run run = {.app = app, .options = options, .covariance = *covariance};
  *result = (struct result){.rows = 0};
  pcct_status status =
      sets_open(app, path, &options->sets, options->response, options->covariance.range.value,
                options->covariance.range.count, &run.sets);
  if (status == PCCT_OK) {
    status = prepare(&run);
  }
  if (status == PCCT_OK) {
    int64_t first, count;
    pcct_slab(run.sets.observed, context->rank, context->size, &first, &count);
    const int64_t block = BLOCK_ITEMS / (run.sets.width + 1) + 1;
    const int64_t longest = comm_max(context, count);
    for (int64_t done = 0; done < longest && status == PCCT_OK; done += block) {
      const int64_t from = done < count ? done : count;
      status = score_block(&run, first + from, count - from < block ? count - from : block);
      base_progress(&context->base, from, count);
    }
  }
  if (status == PCCT_OK) {
    conclude(&run, result);
  }
  if (status == PCCT_OK && options->exact) {
    status = score_exactly(&run, result);
  }
  for (int t = 0; run.work != NULL && t < context->base.threads; t++) {
    score_work_free(&run.work[t]);
  }
  base_free(run.work);
  base_free(run.sum);
  sets_close(&run.sets);
  return status;
}

static void print_total(const struct app *app, const char *name, double value, double error) {
  if (error > 0) {
    app_print_always(app, "%s: %.15g, standard error %.3g\n", name, value, error);
  } else {
    app_print_always(app, "%s: %.15g\n", name, value);
  }
}

static void print_result(const struct app *app, const struct score_options *options,
                         const char *path, const struct result *result) {
  app_print_always(app, "%s: %" PRId64 " of %" PRId64 " rows\n", path, result->scored,
                   result->rows);
  print_total(app, "sum of log conditional variances", result->log_variance,
              result->log_variance_error);
  if (options->response != NULL) {
    print_total(app, "log-likelihood", result->likelihood, result->likelihood_error);
  }
  if (options->exact) {
    print_total(app, "log determinant of the covariance", result->exact_determinant, 0);
    print_total(app, "KL divergence from the exact model",
                0.5 * (result->log_variance - result->exact_determinant), 0);
    if (options->response != NULL) {
      print_total(app, "exact log-likelihood", result->exact_likelihood, 0);
    }
  }
}

static pcct_status run_score(struct app *app, const void *values, const char *const *arguments,
                             int count) {
  const struct score_options *options = values;
  struct covariance covariance;
  struct result results[2];
  char text[OPTIONS_MESSAGE_SIZE];
  pcct_status status =
      covariance_option_read(&app->context->base, &options->covariance, &covariance);
  if (status == PCCT_OK && options->sets.sets == NULL &&
      (options->sets.order != NULL || app_given(app, "base") || app_given(app, "coordinates"))) {
    status = base_fail(&app->context->base, PCCT_USAGE,
                       "--order, --base and --coordinates describe foreign sets; name their "
                       "dataset with --sets");
  }
  for (int i = 0; i < count && status == PCCT_OK; i++) {
    status = score_file(app, options, &covariance, arguments[i], &results[i]);
  }
  if (status != PCCT_OK) {
    return status;
  }
  covariance_option_text(&options->covariance, text, sizeof text);
  app_print_always(app, "covariance: %s\n", text);
  for (int i = 0; i < count; i++) {
    print_result(app, options, arguments[i], &results[i]);
  }
  if (count == 2) {
    app_print_always(app, "KL divergence of %s less that of %s: %.15g\n", arguments[0],
                     arguments[1], 0.5 * (results[0].log_variance - results[1].log_variance));
  }
  return PCCT_OK;
}

static const struct option_entry entries[] = {
    COVARIANCE_OPTIONS(struct score_options),
    {.name = "response",
     .kind = OPTION_TEXT,
     .metavariable = "NAME",
     .help = "Column of /data, or path of a dataset, whose log-likelihood is wanted, mean 0.",
     .offset = offsetof(struct score_options, response)},
    {.name = "sample",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .help = "Score N rows, chosen with --seed, and estimate the totals, with standard errors.",
     .offset = offsetof(struct score_options, sample),
     .minimum = 2,
     .maximum = INT64_MAX},
    {.name = "exact",
     .kind = OPTION_FLAG,
     .help = "Also without approximation, by one dense factor: at most 20000 points.",
     .offset = offsetof(struct score_options, exact)},
    {.name = "sets",
     .kind = OPTION_TEXT,
     .metavariable = "/DATASET",
     .help = "Sets of another program: a row for each position, entries are positions; the "
             "position itself and missing entries are passed by.",
     .offset = offsetof(struct score_options, sets.sets)},
    {.name = "order",
     .kind = OPTION_TEXT,
     .metavariable = "/DATASET",
     .help = "With --sets: the row of the coordinates at each position. Default: as they are.",
     .offset = offsetof(struct score_options, sets.order)},
    {.name = "base",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "0",
     .help = "With --sets: number of the first position and row, 0 or 1.",
     .offset = offsetof(struct score_options, sets.base),
     .minimum = 0,
     .maximum = 1},
    {.name = "coordinates",
     .kind = OPTION_CHOICE,
     .preset = "cartesian",
     .choices = "cartesian|lonlat|lonlat-time",
     .help = "With --sets: what the coordinates are.",
     .offset = offsetof(struct score_options, sets.coordinates)},
    {.name = "dataset",
     .kind = OPTION_TEXT,
     .metavariable = "/PATH",
     .help = "Dataset with the coordinates of foreign files.",
     .offset = offsetof(struct score_options, sets.dataset)},
    {.name = "columns",
     .kind = OPTION_WORDS,
     .metavariable = "X,Y,...",
     .help = "1-D datasets with the coordinates of foreign files.",
     .offset = offsetof(struct score_options, sets.columns)}};

const struct app_command command_score = {
    .name = "score",
    .summary = "log-likelihood and Kullback-Leibler divergence of conditioning sets",
    .arguments = "FILE [OTHER]",
    .description =
        "Scores the Vecchia approximation of a Gaussian process that the conditioning sets\n"
        "of FILE, made by vecchia, stand for: the sum of log conditional variances, with\n"
        "--response the log-likelihood, and with OTHER the difference of their\n"
        "Kullback-Leibler divergences from the exact model. Results do not depend on ranks\n"
        "and threads.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_REPORT | APP_SETTINGS,
    .options = entries,
    .option_count = (int)(sizeof entries / sizeof entries[0]),
    .values_size = sizeof(struct score_options),
    .run = run_score};
