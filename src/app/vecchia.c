/*
 * pcct vecchia: points in HDF5 become an ordering and conditioning sets in HDF5.
 */
#include "app/vecchia.h"

#include "app/checkpoint.h"
#include "app/ordered.h"
#include "app/progress.h"
#include "app/reuse.h"
#include "app/shape.h"
#include "app/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct vecchia_options {
  struct search_options search;
  int64_t m;
  const char *ordering, *reuse;
  struct shape_options shape;
  int64_t checkpoint_blocks; /* 0: automatic */
};

static const struct option_entry options_table[] = {
    {.name = "m",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .preset = "30",
     .help = "Predecessors wanted for each point; the first points have fewer.",
     .offset = offsetof(struct vecchia_options, m),
     .minimum = 1,
     .maximum = INT32_MAX},
    ORDERED_OPTION(struct vecchia_options, ordering),
    {.name = "reuse",
     .kind = OPTION_TEXT,
     .metavariable = "OLD",
     .help = "An earlier OUT of the same FILE: its ordering is taken over if it is that of this "
             "run; for new scales, another m, other shapes.",
     .offset = offsetof(struct vecchia_options, reuse)},
    SHAPE_OPTIONS(struct vecchia_options),
    SEARCH_OPTIONS(struct vecchia_options),
    {.name = "resume",
     .kind = OPTION_FLAG,
     .help =
         "Go on with a run that was stopped or killed, with OUT.part and OUT.checkpoint, on any "
         "number of ranks; without them, start.",
     .offset = offsetof(struct vecchia_options, search.resume)},
    {.name = "checkpoint-blocks",
     .kind = OPTION_INTEGER,
     .metavariable = "N",
     .help =
         "Save a checkpoint after each of N equal blocks of positions. Default: 1 below 10 GB of "
         "output, else 4.",
     .offset = offsetof(struct vecchia_options, checkpoint_blocks),
     .minimum = 1,
     .maximum = 10000},
};

/* What a run that goes on must have in common with the one before, as texts. */
enum { PARAMETERS = 16, PARAMETER_TEXT = 32, NUMBERS_TEXT = PCCT_DIMENSION_MAX * 25 };
struct parameters {
  struct checkpoint_parameter list[PARAMETERS];
  char m[PARAMETER_TEXT], n[PARAMETER_TEXT], seed[PARAMETER_TEXT], d[PARAMETER_TEXT];
  char scale[NUMBERS_TEXT], rotation[NUMBERS_TEXT], shape[NUMBERS_TEXT];
};

/* A run. */
struct vecchia {
  struct ordered ordered;
  struct shape shape;
  const struct vecchia_options *options;
  const char *out;
  struct output_header header;
  struct output *output;
  struct parameters parameters;
  struct checkpoint checkpoint;
  bool resumed; /* goes on with a checkpoint */
};

/* Whether what was written outlives the process: HDF5 tells a file where filtered chunks are only when it closes it. */
static bool can_checkpoint(const struct vecchia *run) {
  return run->options->search.compress == 0;
}

/* Saves how far the run is. */
static pcct_status save(struct vecchia *run, int64_t done) {
  struct app *app = run->ordered.app;
  if (!can_checkpoint(run)) {
    return PCCT_OK;
  }
  pcct_status status = output_flush(app->context, run->output);
  return status == PCCT_OK ? checkpoint_save(app, &run->checkpoint, done) : status;
}

static void list_numbers(const struct option_numbers *numbers, char text[NUMBERS_TEXT]) {
  size_t used = 0;
  text[0] = '\0';
  for (int j = 0; j < numbers->count; j++) {
    snprintf(text + used, NUMBERS_TEXT - used, "%s%.17g", j > 0 ? "," : "", numbers->value[j]);
    used += strlen(text + used);
  }
}

/* What a checkpoint must have in common with this run. */
static void list_parameters(struct vecchia *run) {
  static const char *const distances[] = {"f8", "f4", "none"};
  const struct ordered *ordered = &run->ordered;
  const struct search_options *search = &ordered->search;
  const struct output_header header =
      search_header(ordered->app, search, ordered->input, ordered->input, run->options->m, 0);
  struct parameters *p = &run->parameters;
  snprintf(p->m, sizeof p->m, "%" PRId64, run->options->m);
  snprintf(p->n, sizeof p->n, "%" PRId64, input_count(ordered->input));
  snprintf(p->d, sizeof p->d, "%d", input_dimension(ordered->input));
  snprintf(p->seed, sizeof p->seed, "%" PRIu64,
           ordered->stored.present ? ordered->stored.seed : ordered->app->common.seed);
  list_numbers(&search->scale, p->scale);
  list_numbers(&search->rotation, p->rotation);
  shape_text(&run->shape, p->shape, sizeof p->shape);
  const struct checkpoint_parameter list[PARAMETERS] = {
      {"version", pcct_version()},
      {"command", "vecchia"},
      {"input hash", ordered->hash},
      {"dataset", header.dataset},
      {"columns", header.columns},
      {"n", p->n},
      {"d", p->d},
      {"m", p->m},
      {"ordering", ordered->ordering_text},
      {"seed", p->seed},
      {"coordinates", header.coordinates},
      {"metric", header.metric},
      {"scale", p->scale},
      {"rotation", p->rotation},
      {"shape", p->shape},
      {"distances", distances[search->distances]}};
  memcpy(p->list, list, sizeof list);
}

/* The ordering of a run that goes on, from what it wrote. */
static pcct_status read_ordering(struct vecchia *run) {
  struct ordered *ordered = &run->ordered;
  pcct_context *context = ordered->app->context;
  const size_t size = strlen(run->out) + sizeof ".part";
  struct input *part = NULL;
  int64_t first, count;
  char *name = base_allocate(&context->base, (int64_t)size, 1);
  pcct_slab(input_count(ordered->input), context->rank, context->size, &first, &count);
  ordered->permutation = base_allocate(&context->base, count, sizeof *ordered->permutation);
  pcct_status status =
      comm_agree(context, name != NULL && ordered->permutation != NULL ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    snprintf(name, size, "%s.part", run->out);
    status = input_open(context, name, NULL, &part);
  }
  if (status == PCCT_OK) {
    status = input_read_indices(context, part, "/ordering/permutation", first, count,
                                ordered->permutation);
  }
  input_close(context, &part);
  base_free(name);
  return status;
}

/* Blocks that end with a checkpoint. */
static int64_t checkpoint_blocks(const struct vecchia *run) {
  const double large = 10e9;
  const struct ordered *ordered = &run->ordered;
  const double bytes =
      search_file_bytes(&ordered->search, ordered->input, ordered->input, run->options->m);
  if (run->options->checkpoint_blocks > 0) {
    return run->options->checkpoint_blocks;
  }
  return bytes < large ? 1 : 4;
}

/* Finds out whether there is something to go on with. */
static pcct_status find_checkpoint(struct vecchia *run) {
  struct app *app = run->ordered.app;
  pcct_status status = ordered_hash(&run->ordered);
  if (status == PCCT_OK) {
    list_parameters(run);
    status = checkpoint_find(app, run->out, run->options->search.resume, run->parameters.list,
                             PARAMETERS, input_count(run->ordered.input), checkpoint_blocks(run),
                             &run->checkpoint);
  }
  if (status == PCCT_OK && can_checkpoint(run)) {
    checkpoint_catch_signal();
  }
  if (status == PCCT_OK && run->checkpoint.saved) {
    status = read_ordering(run);
    if (status == PCCT_INPUT || status == PCCT_FILE) { /* ended while HDF5 closed the file */
      app_note(app, "starting anew: %s", pcct_context_message(app->context));
      base_clear_message(&app->context->base);
      base_free(run->ordered.permutation);
      run->ordered.permutation = NULL;
      run->checkpoint.saved = false;
      run->checkpoint.done = 0;
      status = PCCT_OK;
    } else if (status == PCCT_OK) {
      app_print(app, "%s: going on; %" PRId64 " of %" PRId64 " rows are there\n", run->out,
                run->checkpoint.done, input_count(run->ordered.input));
    }
  }
  return status;
}

/* Whether a run that fails leaves something to go on with. */
static bool is_worth_keeping(const struct vecchia *run) {
  return run->checkpoint.done > 0 || run->resumed;
}

/* What remains of a run that did not succeed: nothing, unless it was stopped or is worth it. */
static void leave(struct vecchia *run, pcct_status status) {
  if (status == PCCT_STOPPED || is_worth_keeping(run)) {
    output_keep(run->output);
  } else if (run->output != NULL) {
    checkpoint_remove(run->ordered.app, &run->checkpoint);
  }
}

static pcct_status check_options(struct app *app, const struct vecchia_options *options) {
  if (options->search.compress > 0 && (options->search.resume || options->checkpoint_blocks > 1)) {
    return base_fail(&app->context->base, PCCT_USAGE,
                     "--compress does not go with --resume and --checkpoint-blocks: compressed "
                     "output is complete or nothing; compress afterwards with h5repack");
  }
  return PCCT_OK;
}

/* Everything that does not depend on the queries, so that the coordinates need not be kept for them. */
static pcct_status write_points(struct vecchia *run) {
  struct ordered *ordered = &run->ordered;
  struct app *app = ordered->app;
  struct output_options options = search_output_options(app, &ordered->search);
  const bool there = run->resumed = run->checkpoint.saved;
  run->header = ordered_header(ordered, run->options->m);
  run->header.kind = OUTPUT_CONDITIONING_SETS;
  shape_describe(&run->shape, &run->header);
  options.reopen = there;
  pcct_context_enter_phase(app->context, PCCT_PHASE_write);
  pcct_status status = output_create(app->context, run->out, &options, &run->header, &run->output);
  if (status == PCCT_OK) {
    status = transfer_declare(app, ordered->input, run->output);
  }
  if (status == PCCT_OK && !there) {
    status = transfer_coordinates(app, ordered->input, ordered->index, ordered->points.coordinates,
                                  run->output);
  }
  if (status == PCCT_OK) {
    status = shape_prepare(&run->shape);
  }
  if (!shape_needs_points(&run->shape)) {
    search_release(&ordered->points);
  }
  if (status == PCCT_OK && !there) {
    status = transfer_ordering(app, run->header.n, ordered_length_scales(ordered), ordered->index,
                               run->output);
  }
  if (status == PCCT_OK && !there) {
    status = transfer_carried(app, ordered->input, ordered->index, run->output);
  }
  return status == PCCT_OK && !there ? save(run, 0) : status;
}

/* Ends a run that was asked to stop. */
static pcct_status stop(struct vecchia *run, int64_t done) {
  pcct_status status = done > run->checkpoint.done ? save(run, done) : PCCT_OK;
  return status == PCCT_OK
             ? base_fail(&run->ordered.app->context->base, PCCT_STOPPED,
                         "stopped by SIGUSR1 with %" PRId64 " of %" PRId64
                         " rows written; %s.part and %s.checkpoint keep them, --resume goes on",
                         done, run->header.n, run->out, run->out)
             : status;
}

/* The number of blocks depends on n, the options and the checkpoint alone: every rank goes through all of them. */
static pcct_status write_sets(struct vecchia *run) {
  struct app *app = run->ordered.app;
  pcct_context *context = app->context;
  const int64_t n = run->header.n;
  const int64_t m = run->options->m;
  const struct cost_run cost =
      search_run(app, &run->ordered.search, run->ordered.input, run->ordered.input, m);
  const int64_t block = cost_memory(&cost).block_rows;
  int64_t first = run->checkpoint.done;
  pcct_status status = PCCT_OK;
  while (first < n && status == PCCT_OK) {
    const int64_t end = checkpoint_end(&run->checkpoint);
    const int64_t most = shape_end(&run->shape, first, end) - first;
    const int64_t count = most < block ? most : block;
    pcct_rows rows = {.count = 0};
    if (can_checkpoint(run) && checkpoint_asked_to_stop(app)) {
      return stop(run, first);
    }
    progress_enter_block(app->progress, first, count, n);
    status = shape_rows(&run->shape, first, count, &rows);
    if (status == PCCT_OK) {
      pcct_context_enter_phase(context, PCCT_PHASE_write);
      status = output_write_rows(context, run->output, &rows);
    }
    pcct_rows_clear(&rows);
    first += count;
    if (status == PCCT_OK && first == end && first < n) {
      status = save(run, first);
    }
  }
  return status;
}

static pcct_status run_vecchia(struct app *app, const void *values, const char *const *arguments,
                               int count) {
  const struct vecchia_options *options = values;
  struct vecchia run = {.ordered = {.app = app}, .options = options, .out = arguments[count - 1]};
  struct ordered *ordered = &run.ordered;
  pcct_status status = ordering_parse(&app->context->base, options->ordering, &ordered->ordering);
  if (status == PCCT_OK) {
    status = check_options(app, options);
  }
  if (status == PCCT_OK) {
    status = checkpoint_check(app, run.out, options->search.resume);
  }
  if (status == PCCT_OK) {
    status = search_check(app, &options->search, arguments, count);
  }
  if (status == PCCT_OK) {
    status = shape_check(app, &options->shape, options->m, &run.shape);
  }
  if (status == PCCT_OK && options->shape.predict != NULL &&
      app_same_file(options->shape.predict, run.out)) {
    status = base_fail(&app->context->base, PCCT_USAGE,
                       "the output %s is also the file of --predict; name another file", run.out);
  }
  if (status == PCCT_OK) {
    status = ordered_open(app, &options->search, options->ordering, arguments[0], ordered);
  }
  if (status == PCCT_OK) {
    status = shape_group(&run.shape, ordered);
  }
  if (status == PCCT_OK) {
    const struct cost_run cost =
        search_run(app, &ordered->search, ordered->input, ordered->input, options->m);
    status = search_limit(app, &cost);
  }
  if (status == PCCT_OK && app->common.dry_run) {
    search_print_plan(app, &ordered->search, ordered->input, ordered->input, options->m, run.out);
    goto cleanup;
  }
  if (status == PCCT_OK) {
    status = find_checkpoint(&run);
  }
  if (status == PCCT_OK && options->reuse != NULL && ordered->permutation == NULL) {
    status = reuse_ordering(ordered, options->reuse,
                            options->shape.predict != NULL || options->shape.group != NULL);
  }
  if (status == PCCT_OK) {
    status = ordered_index(ordered);
  }
  if (status == PCCT_OK) {
    status = write_points(&run);
  }
  if (status == PCCT_OK) {
    status = write_sets(&run);
  }
  if (status == PCCT_OK) {
    if (is_worth_keeping(&run)) {
      output_keep(run.output);
    }
    status = search_commit(app, &run.header, ordered->input, ordered->hash, run.out, &run.output);
  }
  if (status == PCCT_OK) {
    checkpoint_remove(app, &run.checkpoint);
  } else {
    leave(&run, status);
  }
cleanup:
  output_discard(app->context, &run.output);
  checkpoint_free(&run.checkpoint);
  shape_free(&run.shape);
  ordered_close(ordered);
  return status;
}

const struct app_command command_vecchia = {
    .name = "vecchia",
    .summary = "order points and find every point's nearest predecessors",
    .arguments = "FILE OUT",
    .description =
        "FILE is an HDF5 (or NetCDF-4) file with the coordinates of the points, or an index\n"
        "made by build or append, whose ordering, coordinates and scale it takes. OUT gets\n"
        "the ordering, the points and their carried columns in this ordering, and every\n"
        "point's conditioning set: its nearest predecessors, nearest first. Results are\n"
        "exact and the same for any number of ranks and threads.\n",
    .common = APP_THREADS | APP_SEED | APP_QUIET_VERBOSE | APP_DRY_RUN | APP_RANKS | APP_OVERWRITE |
              APP_REPORT | APP_SETTINGS,
    .options = options_table,
    .option_count = sizeof options_table / sizeof options_table[0],
    .values_size = sizeof(struct vecchia_options),
    .run = run_vecchia,
};
