/* pcct extend: a copy of conditioning sets with what is made from them. */
#include "app/extend.h"

#include "app/search.h"

#include <inttypes.h>

struct extend_options {
  struct covariance_options covariance;
  bool pattern, values, children, grouping;
  int64_t largest;
};

int64_t extend_block_rows(const struct extend *run) {
  const int64_t items = 1 << 20;
  return items / (run->sets.width + 1) + 1;
}

/* Entries of the sets, from their numbers alone. */
static pcct_status count_entries(struct extend *run) {
  pcct_context *context = run->app->context;
  int32_t *filled = base_allocate(&context->base, run->count, sizeof *filled);
  pcct_status status = comm_agree(context, filled != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = input_read_dataset(context, run->sets.input, "/neighbors/count", INPUT_INT32,
                                run->first, run->count, filled);
  }
  for (int64_t i = 0; i < run->count && status == PCCT_OK; i++) {
    run->own += filled[i];
  }
  run->before = comm_scan_before(context, run->own);
  run->entries = comm_sum(context, run->own);
  base_free(filled);
  return status;
}

static pcct_status check_options(struct app *app, const struct extend_options *options) {
  struct base *base = &app->context->base;
  if (!options->pattern && !options->children && !options->grouping) {
    return base_fail(base, PCCT_USAGE,
                     "nothing to add: expected --pattern, --children or --grouping");
  }
  if (options->values && !options->pattern) {
    return base_fail(base, PCCT_USAGE, "--values are those of --pattern; give both");
  }
  if (options->covariance.range.count > 0 && !options->values) {
    return base_fail(base, PCCT_USAGE, "a covariance is of use for --values alone");
  }
  return PCCT_OK;
}

static pcct_status declare(struct extend *run, const struct extend_options *options,
                           struct grouping **grouping) {
  pcct_status status = PCCT_OK;
  if (options->pattern) {
    status = pattern_declare(run, options->values);
  }
  if (status == PCCT_OK && options->children) {
    status = children_declare(run);
  }
  if (status == PCCT_OK && options->grouping) {
    status = grouping_make(run, options->largest, grouping);
  }
  return status;
}

static pcct_status write_all(struct extend *run, const struct extend_options *options,
                             const struct covariance *covariance, const struct grouping *grouping) {
  pcct_status status = PCCT_OK;
  if (options->pattern) {
    status = pattern_write(run, options->values ? covariance : NULL);
  }
  if (status == PCCT_OK && options->children) {
    status = children_write(run);
  }
  if (status == PCCT_OK && options->grouping) {
    status = grouping_write(run, grouping);
  }
  return status;
}

static pcct_status commit(struct extend *run, const char *out) {
  struct app *app = run->app;
  const struct base *base = &app->context->base;
  char hash[17];
  pcct_status status = input_hash(app->context, run->sets.input, hash);
  const struct provenance provenance = {.command_line = app->command_line,
                                        .input_path = input_path(run->sets.input),
                                        .input_hash = hash,
                                        .threads = base->threads,
                                        .seconds = base_clock() - base->created};
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  if (status == PCCT_OK) {
    status = output_commit(app->context, &run->output, &provenance);
  }
  if (status == PCCT_OK) {
    app_print(app, "%s: %" PRId64 " positions, %" PRId64 " entries of sets, %.2f s\n", out,
              run->sets.n, run->entries, base_clock() - base->created);
  }
  return status;
}

static pcct_status run_extend(struct app *app, const void *values, const char *const *arguments,
                              int count) {
  const struct extend_options *options = values;
  const struct search_options checked = {.resume = false};
  const struct output_options output = {.overwrite = app->common.overwrite};
  const struct sets_options own = {.base = 0};
  const struct option_numbers *range = &options->covariance.range;
  struct extend run = {.app = app};
  struct covariance covariance;
  struct grouping *grouping = NULL;
  pcct_status status = check_options(app, options);
  if (status == PCCT_OK && options->values) {
    status = covariance_option_read(&app->context->base, &options->covariance, &covariance);
  }
  if (status == PCCT_OK) {
    status = search_check(app, &checked, arguments, count);
  }
  if (status == PCCT_OK) {
    status = sets_open(app, arguments[0], &own, NULL, range->value, range->count, &run.sets);
  }
  if (status == PCCT_OK) {
    run.first = run.sets.first;
    run.count = run.sets.count;
    status = count_entries(&run);
  }
  if (status == PCCT_OK) {
    status =
        output_extend(app->context, arguments[1], arguments[0], &output, run.sets.n, &run.output);
  }
  if (status == PCCT_OK) {
    status = declare(&run, options, &grouping);
  }
  if (status == PCCT_OK) {
    status = write_all(&run, options, &covariance, grouping);
  }
  if (status == PCCT_OK) {
    status = commit(&run, arguments[1]);
  }
  if (status == PCCT_OK && grouping != NULL) {
    grouping_print(&run, grouping);
  }
  grouping_free(&grouping);
  output_discard(app->context, &run.output);
  sets_close(&run.sets);
  return status;
}

static const struct option_entry entries[] = {
    {.name = "pattern",
     .kind = OPTION_FLAG,
     .help = "Add /pattern: the upper triangular inverse Cholesky factor by compressed columns, "
             "each with its diagonal last.",
     .offset = offsetof(struct extend_options, pattern)},
    {.name = "values",
     .kind = OPTION_FLAG,
     .help = "Also its values, for the covariance of the options below.",
     .offset = offsetof(struct extend_options, values)},
    {.name = "children",
     .kind = OPTION_FLAG,
     .help = "Add /children: for each position those whose sets hold it.",
     .offset = offsetof(struct extend_options, children)},
    {.name = "grouping",
     .kind = OPTION_FLAG,
     .help = "Add /grouping: neighbouring points whose sets overlap grouped, as five vectors.",
     .offset = offsetof(struct extend_options, grouping)},
    {.name = "largest",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .help = "With --grouping: most points of a group, members of sets included. Default: 10 "
             "(m + 1).",
     .offset = offsetof(struct extend_options, largest),
     .minimum = 1,
     .maximum = INT32_MAX},
    COVARIANCE_OPTIONS(struct extend_options)};

const struct app_command command_extend = {
    .name = "extend",
    .summary = "add sparsity pattern, reverse lists and groups to conditioning sets",
    .arguments = "FILE OUT",
    .description =
        "FILE holds conditioning sets made by vecchia. OUT is a copy of it with what the\n"
        "options ask for, ready for sparse matrices (column j of the pattern belongs to\n"
        "position j) and for likelihoods by groups.\n",
    .common = APP_THREADS | APP_QUIET_VERBOSE | APP_OVERWRITE | APP_REPORT | APP_SETTINGS,
    .options = entries,
    .option_count = (int)(sizeof entries / sizeof entries[0]),
    .values_size = sizeof(struct extend_options),
    .run = run_extend};
