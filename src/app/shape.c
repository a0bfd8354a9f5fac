/* Shapes of conditioning sets. */
#include "app/shape.h"

#include "base/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words */

/* The number behind "WORD:"; -1 if that is not what the text is. */
static int64_t number_behind(const char *text, const char *word) {
  const size_t length = strlen(word);
  if (strncmp(text, word, length) != 0 || text[length] != ':') {
    return -1;
  }
  const char *digits = text + length + 1;
  const size_t count = strspn(digits, "0123456789");
  return count > 0 && count <= 9 && digits[count] == '\0' ? strtoll(digits, NULL, 10) : -1;
}

pcct_status shape_parse(struct base *base, const char *condition, const char *mix,
                        struct shape_rule *rule) {
  *rule = (struct shape_rule){.condition = SHAPE_ALL, .mix = SHAPE_NEAREST};
  if (condition != NULL && strcmp(condition, "observed") == 0) {
    rule->condition = SHAPE_OBSERVED;
  } else if (condition != NULL && strcmp(condition, "all") != 0) {
    rule->condition = SHAPE_AT_LEAST;
    rule->observed_least = number_behind(condition, "at-least");
    if (rule->observed_least < 0) {
      return base_fail(base, PCCT_USAGE,
                       "--condition expects observed, all or at-least:Q, found '%s'", condition);
    }
  }
  if (mix != NULL) {
    const int64_t random = number_behind(mix, "random"), first = number_behind(mix, "first");
    rule->mix = random >= 0 ? SHAPE_RANDOM : SHAPE_FIRST;
    rule->mixed = random >= 0 ? random : first;
    if (rule->mixed < 1) {
      return base_fail(base, PCCT_USAGE, "--mix expects random:N or first:N, found '%s'", mix);
    }
  }
  return PCCT_OK;
}

pcct_status shape_check(struct app *app, const struct shape_options *options, int64_t m,
                        struct shape *shape) {
  struct base *base = &app->context->base;
  *shape = (struct shape){.app = app, .options = options, .m = m};
  pcct_status status = shape_parse(base, options->condition, options->mix, &shape->rule);
  const bool mixed = options->mix != NULL;
  if (status != PCCT_OK) {
    return status;
  }
  if (options->condition != NULL && options->predict == NULL) {
    return base_fail(base, PCCT_USAGE,
                     "--condition is about points to be predicted; name their file with --predict");
  }
  if (options->least > 0 && !options->radius.given) {
    return base_fail(base, PCCT_USAGE, "--least belongs to --radius-factor; give both");
  }
  if (options->least > m || shape->rule.mixed >= m || shape->rule.observed_least > m) {
    return base_fail(base, PCCT_USAGE,
                     "sets of at most %" PRId64 " points: expected --least and --condition "
                     "at-least:Q of at most that many, and a --mix of fewer",
                     m);
  }
  if (mixed + options->radius.given + (options->clusters != NULL) > 1 ||
      (options->predict != NULL &&
       (mixed || options->clusters != NULL || options->group != NULL))) {
    return base_fail(base, PCCT_USAGE,
                     "--mix, --radius-factor and --clusters exclude each other, and --predict goes "
                     "with --radius-factor alone");
  }
  return PCCT_OK;
}

/* ---- groups and predictions */

/* Reads this rank's rows of a column of whole numbers, as doubles. */
static pcct_status read_column(struct shape *shape, const char *name, int64_t first, int64_t count,
                               double *out) {
  pcct_context *context = shape->app->context;
  struct input *input = shape->ordered->input;
  char path[INPUT_PATH_MAX + sizeof "/data/"];
  struct input_extent extent;
  snprintf(path, sizeof path, "/data/%.1000s", name);
  pcct_status status = input_look_at_dataset(context, input, path, &extent);
  if (status == PCCT_OK && (extent.rows != input_count(input) || extent.width != 1)) {
    status = base_fail(&context->base, PCCT_INPUT,
                       "%s: expected a number of %s for each of the %" PRId64
                       " points, found %" PRId64 " x %" PRId64,
                       input_path(input), path, input_count(input), extent.rows, extent.width);
  }
  if (status == PCCT_OK) {
    status = input_read_dataset(context, input, path, INPUT_DOUBLE, first, count, out);
  }
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    if (!(fabs(out[i]) <= 0x1p53) || out[i] != floor(out[i])) {
      status = base_fail(&context->base, PCCT_INPUT,
                         "%s: %s is %g in row %" PRId64 ", expected whole numbers",
                         input_path(input), path, out[i], first + i);
    }
  }
  return comm_agree(context, status);
}

pcct_status shape_group(struct shape *shape, struct ordered *ordered) {
  pcct_context *context = shape->app->context;
  struct base *base = &context->base;
  const struct shape_options *options = shape->options;
  double *number = NULL;
  int64_t first, count;
  pcct_status status = PCCT_OK;
  shape->ordered = ordered;
  if (ordered->stored.present &&
      (options->predict || options->group || options->mix || options->clusters)) {
    return base_fail(base, PCCT_USAGE,
                     "%s is an index: --predict, --group, --mix and --clusters need the points",
                     input_path(ordered->input));
  }
  if (options->predict != NULL) {
    const struct input_options columns = {ordered->search.dataset, ordered->search.columns};
    status = input_join(context, ordered->input, options->predict, &columns);
  }
  if (status != PCCT_OK) {
    return status;
  }
  shape->n = input_count(ordered->input);
  shape->observed = shape->n - input_joined(ordered->input);
  if (options->predict == NULL && options->group == NULL) {
    return PCCT_OK;
  }
  pcct_slab(shape->n, context->rank, context->size, &first, &count);
  number = base_allocate(base, count, sizeof *number);
  ordered->group = base_allocate(base, count, sizeof *ordered->group);
  status = comm_agree(context, number && ordered->group ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK && options->group != NULL) {
    status = read_column(shape, options->group, first, count, number);
  }
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    const double group = options->group != NULL ? number[i] : first + i >= shape->observed;
    if (!(group >= 0 && group <= INT32_MAX)) {
      status = base_fail(base, PCCT_INPUT,
                         "/data/%s is %g in row %" PRId64 ", expected groups from 0 to %d",
                         options->group, group, first + i, INT32_MAX);
    } else {
      ordered->group[i] = (int32_t)group;
    }
  }
  base_free(number);
  return comm_agree(context, status);
}

/* ---- indexes of their own */

/* Coordinates of positions, this rank's part of them. */
static pcct_status ordered_points(struct shape *shape, int64_t first, int64_t count,
                                  pcct_points *points) {
  pcct_context *context = shape->app->context;
  const struct ordered *ordered = shape->ordered;
  const int d = ordered->points.dimension;
  double *coordinates = base_allocate(&context->base, count, (size_t)d * sizeof *coordinates);
  *points = (pcct_points){first, count, d, coordinates};
  pcct_status status = comm_agree(context, coordinates != NULL ? PCCT_OK : PCCT_MEMORY);
  return status == PCCT_OK
             ? pcct_index_permute(ordered->index, d * (int64_t)sizeof *coordinates,
                                  ordered->points.coordinates, first, count, coordinates)
             : status;
}

/* The observed points alone, named by their positions. */
static pcct_status index_observed(struct shape *shape) {
  pcct_context *context = shape->app->context;
  const pcct_index_options options = search_index_options(&shape->ordered->search);
  pcct_points points = {.coordinates = NULL};
  int64_t first, count;
  pcct_slab(shape->observed, context->rank, context->size, &first, &count);
  pcct_status status = ordered_points(shape, first, count, &points);
  if (status == PCCT_OK) {
    status = pcct_index_create(context, &points, &options, &shape->seen);
  }
  search_release(&points);
  return status;
}

/* A power of two that is more than twice any distance within a cluster. */
static double find_apart(pcct_context *context, const double *search, int64_t elements, int axes) {
  double most = 0;
  int exponent = 0;
  for (int64_t i = 0; i < elements; i++) {
    most = fmax(most, fabs(search[i]));
  }
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, context->comm);
  frexp(most * axes, &exponent);
  return ldexp(8, exponent);
}

/* All points once more, with clusters apart along one more axis: no point of another cluster is as near as any of
 * the same one, and distances within a cluster are what they were, to the bit. */
static pcct_status index_clusters(struct shape *shape) {
  pcct_context *context = shape->app->context;
  struct base *base = &context->base;
  struct ordered *ordered = shape->ordered;
  const pcct_points *rows = &ordered->points;
  const struct metric *metric = &ordered->index->metric;
  const int d = metric->dimension;
  pcct_index_options options = pcct_index_options_default();
  double *search = base_allocate(base, rows->count, (size_t)d * sizeof *search);
  double *number = base_allocate(base, rows->count, sizeof *number);
  double *placed = base_allocate(base, rows->count, (size_t)(d + 1) * sizeof *placed);
  int64_t *row = base_allocate(base, rows->count, sizeof *row);
  int64_t *permutation = base_allocate(base, rows->count, sizeof *permutation);
  pcct_status status =
      comm_agree(context, search && number && placed && row && permutation ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK && d == PCCT_DIMENSION_MAX) {
    status = base_fail(base, PCCT_USAGE, "--clusters takes at most %d coordinates, found %d",
                       PCCT_DIMENSION_MAX - 1, d);
  }
  if (status == PCCT_OK) {
    status = read_column(shape, shape->options->clusters, rows->first_row, rows->count, number);
  }
  if (status == PCCT_OK) {
    metric_transform(metric, rows->coordinates, rows->count, search, base->threads);
    shape->apart = find_apart(context, search, rows->count * d, d);
    for (int64_t i = 0; i < rows->count; i++) {
      memcpy(placed + i * (d + 1), search + i * d, (size_t)d * sizeof *search);
      placed[i * (d + 1) + d] = number[i] * shape->apart;
      row[i] = rows->first_row + i;
    }
    status = pcct_index_permute(ordered->index, sizeof *row, row, rows->first_row, rows->count,
                                permutation);
  }
  if (status == PCCT_OK) {
    const pcct_points points = {rows->first_row, rows->count, d + 1, placed};
    options.metric = (pcct_metric)ordered->search.metric;
    options.ordering = PCCT_ORDERING_GIVEN;
    options.permutation = permutation;
    status = pcct_index_create(context, &points, &options, &shape->within);
  }
  base_free(search);
  base_free(number);
  base_free(placed);
  base_free(row);
  base_free(permutation);
  return status;
}

/* Search coordinates by position. */
static pcct_status keep_columns(struct shape *shape) {
  pcct_context *context = shape->app->context;
  const struct metric *metric = &shape->ordered->index->metric;
  pcct_points points = {.coordinates = NULL};
  int64_t first, count;
  pcct_slab(shape->n, context->rank, context->size, &first, &count);
  double *search = base_allocate(&context->base, count, (size_t)metric->dimension * sizeof *search);
  pcct_status status = comm_agree(context, search ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    status = ordered_points(shape, first, count, &points);
  }
  if (status == PCCT_OK) {
    metric_transform(metric, points.coordinates, count, search, context->base.threads);
    status = columns_create(context, metric->dimension, search, count, &shape->columns);
  }
  search_release(&points);
  base_free(search);
  return status;
}

pcct_status shape_prepare(struct shape *shape) {
  pcct_status status = PCCT_OK;
  if (shape->observed < shape->n && shape->rule.condition != SHAPE_ALL) {
    status = index_observed(shape);
  }
  if (status == PCCT_OK && shape->options->clusters != NULL) {
    status = index_clusters(shape);
  }
  if (status == PCCT_OK && shape->rule.mixed > 0) {
    status = keep_columns(shape);
  }
  shape->sets = shape->within != NULL ? shape->within : shape->ordered->index;
  return status;
}

/* ---- rows */

static int64_t get_index(const pcct_rows *rows, int64_t at) {
  return rows->index32 != NULL ? rows->index32[at] : rows->index64[at];
}

static void put_entry(pcct_rows *rows, int64_t at, int64_t index, double distance) {
  if (rows->index32 != NULL) {
    rows->index32[at] = (int32_t)index;
  } else {
    rows->index64[at] = index;
  }
  rows->distance[at] = distance;
}

/* Keeps the first `kept` entries of row i. */
static void cut_row(pcct_rows *rows, int64_t i, int32_t kept) {
  for (int64_t e = kept; e < rows->filled[i]; e++) {
    put_entry(rows, i * rows->width + e, -1, INFINITY);
  }
  rows->filled[i] = kept;
}

/* Drops entries of other clusters, and gives the others the distances of the points. */
static void cut_clusters(const struct shape *shape, pcct_rows *rows) {
  const struct metric *metric = &shape->ordered->index->metric;
  for (int64_t i = 0; i < rows->count; i++) {
    double *distance = rows->distance + i * rows->width;
    int32_t kept = 0;
    while (kept < rows->filled[i] && distance[kept] < shape->apart / 2) {
      if (metric->lonlat) { /* the value's root is what metric_user_distance makes of it */
        distance[kept] = metric_root_distance(metric, distance[kept]);
      }
      kept++;
    }
    cut_row(rows, i, kept);
  }
}

static void cut_radius(const struct shape *shape, pcct_rows *rows) {
  const int64_t least = shape->options->least > 1 ? shape->options->least : 1;
  for (int64_t i = 0; i < rows->count; i++) {
    const double *distance = rows->distance + i * rows->width;
    const double radius = rows->filled[i] > 0 ? shape->options->radius.value * distance[0] : 0;
    int32_t kept = 0;
    while (kept < rows->filled[i] && (kept < least || distance[kept] <= radius)) {
      kept++;
    }
    cut_row(rows, i, kept);
  }
}

/* Of all predecessors and of the observed points alone, each nearest first, a row with enough observed ones. Among
 * equal distances, as written, observed points come first: their positions are smaller. */
static void merge_observed(const struct shape *shape, pcct_rows *all, const pcct_rows *observed) {
  const int64_t q = shape->rule.observed_least;
  for (int64_t i = 0; i < all->count; i++) {
    const int64_t at = i * all->width;
    const int64_t needed = q < observed->filled[i] ? q : observed->filled[i];
    int64_t have = 0, kept = 0, next = 0;
    for (int64_t e = 0; e < all->filled[i]; e++) {
      have += get_index(all, at + e) < shape->observed;
    }
    if (have >= needed) {
      continue;
    }
    /* the nearest predicted ones that there is room for; all->filled is m, for others are left out */
    int64_t room = all->filled[i] - needed;
    for (int64_t e = 0; e < all->filled[i] && kept < room; e++) {
      if (get_index(all, at + e) >= shape->observed) {
        put_entry(all, at + kept, get_index(all, at + e), all->distance[at + e]);
        kept++;
      }
    }
    /* and the observed ones, merged from the back */
    room = kept + needed;
    next = needed;
    for (int64_t to = room; to-- > 0 && next > 0;) {
      const int64_t other = at + next - 1; /* of observed: the same width */
      const bool predicted = kept > 0 && all->distance[at + kept - 1] >= observed->distance[other];
      const pcct_rows *from = predicted ? all : observed;
      const int64_t source = predicted ? at + --kept : at + --next;
      put_entry(all, at + to, get_index(from, source), from->distance[source]);
    }
  }
}

static void take_observed(pcct_rows *rows, const pcct_rows *observed) {
  for (int64_t i = 0; i < rows->count; i++) {
    rows->filled[i] = observed->filled[i];
    for (int64_t at = i * rows->width; at < (i + 1) * rows->width; at++) {
      put_entry(rows, at, get_index(observed, at), observed->distance[at]);
    }
  }
}

static pcct_status condition_rows(struct shape *shape, pcct_rows *rows) {
  pcct_rows observed;
  pcct_points points = {.coordinates = NULL};
  pcct_status status = ordered_points(shape, rows->first, rows->count, &points);
  if (status == PCCT_OK) {
    status = pcct_index_query(shape->seen, &points, shape->m, &observed);
  }
  search_release(&points);
  if (status == PCCT_OK && shape->rule.condition == SHAPE_OBSERVED) {
    take_observed(rows, &observed);
  } else if (status == PCCT_OK) {
    merge_observed(shape, rows, &observed);
  }
  if (status == PCCT_OK) {
    pcct_rows_clear(&observed);
  }
  return status;
}

void shape_choose(const struct shape_rule *rule, uint64_t seed, int64_t position,
                  const int64_t *nearest, int64_t near, int64_t *chosen) {
  int64_t found = 0;
  for (uint64_t draw = 0; found < rule->mixed; draw++) {
    /* few draws are in vain: there are more predecessors than places, mostly many more */
    const uint64_t key = (uint64_t)position << 20 | (draw & 0xfffff);
    const int64_t candidate =
        rule->mix == SHAPE_FIRST
            ? (int64_t)draw
            : (int64_t)(random_bits(seed, RANDOM_MIX, key) % (uint64_t)position);
    bool taken = false;
    for (int64_t e = 0; e < near && !taken; e++) {
      taken = nearest[e] == candidate;
    }
    for (int64_t e = 0; e < found && !taken; e++) {
      taken = chosen[e] == candidate;
    }
    if (!taken) {
      chosen[found++] = candidate;
    }
  }
}

struct other {
  double value;
  int64_t position;
};

static int compare_others(const void *a, const void *b) {
  const struct other *x = a, *y = b;
  return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                              : (x->position > y->position) - (x->position < y->position);
}

/* Puts the chosen ones into the last places of their rows, nearest first. */
static void put_others(const struct shape *shape, pcct_rows *rows, const int64_t *item,
                       const double *points, struct other *others) {
  const struct metric *metric = &shape->ordered->index->metric;
  const int64_t mixed = shape->rule.mixed;
  for (int64_t i = 0; i < rows->count; i++) {
    const int64_t at = i * (mixed + 1); /* items of a row: the others, then the point itself */
    if (rows->first + i <= shape->m) {
      continue;
    }
    for (int64_t e = 0; e < mixed; e++) {
      others[e] = (struct other){metric_value(metric, points + (at + mixed) * metric->dimension,
                                              points + (at + e) * metric->dimension),
                                 item[at + e]};
    }
    qsort(others, (size_t)mixed, sizeof *others, compare_others);
    for (int64_t e = 0; e < mixed; e++) {
      put_entry(rows, i * rows->width + shape->m - mixed + e, others[e].position,
                metric_user_distance(metric, others[e].value));
    }
  }
}

static pcct_status mix_rows(struct shape *shape, pcct_rows *rows) {
  pcct_context *context = shape->app->context;
  struct base *base = &context->base;
  const int64_t mixed = shape->rule.mixed, near = shape->m - mixed;
  const int64_t items = rows->count * (mixed + 1);
  const int d = shape->columns.dimension;
  int64_t *item = base_allocate(base, items, sizeof *item);
  int64_t *nearest = base_allocate(base, near, sizeof *nearest);
  double *points = base_allocate(base, items, (size_t)d * sizeof *points);
  struct other *others = base_allocate(base, mixed, sizeof *others);
  pcct_status status =
      comm_agree(context, item && nearest && points && others ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < rows->count; i++) {
      const int64_t position = rows->first + i;
      int64_t *own = item + i * (mixed + 1);
      for (int64_t e = 0; e <= mixed; e++) {
        own[e] = position;
      }
      for (int64_t e = 0; e < near; e++) {
        nearest[e] = get_index(rows, i * rows->width + e);
      }
      if (position > shape->m) {
        shape_choose(&shape->rule, shape->app->common.seed, position, nearest, near, own);
      }
    }
    status = columns_fetch(context, &shape->columns, item, items, points);
  }
  if (status == PCCT_OK) {
    put_others(shape, rows, item, points, others);
  }
  base_free(item);
  base_free(nearest);
  base_free(points);
  base_free(others);
  return status;
}

pcct_status shape_rows(struct shape *shape, int64_t first, int64_t count, pcct_rows *rows) {
  pcct_status status = pcct_index_conditioning_sets(shape->sets, shape->m, first, count, rows);
  if (status == PCCT_OK && shape->within != NULL) {
    cut_clusters(shape, rows);
  }
  if (status == PCCT_OK && shape->seen != NULL && first >= shape->observed) {
    status = condition_rows(shape, rows);
  }
  if (status == PCCT_OK && shape->rule.mixed > 0) {
    status = mix_rows(shape, rows);
  }
  if (status == PCCT_OK && shape->options->radius.given) {
    cut_radius(shape, rows);
  }
  return status;
}

int64_t shape_end(const struct shape *shape, int64_t first, int64_t end) {
  return first < shape->observed && shape->observed < end ? shape->observed : end;
}

bool shape_needs_points(const struct shape *shape) {
  return shape->seen != NULL;
}

void shape_text(const struct shape *shape, char *text, size_t size) {
  const struct shape_options *options = shape->options;
  const char *const words[] = {options->predict, options->condition, options->group, options->mix,
                               options->clusters};
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (words[i] != NULL && used < size) {
      used += (size_t)snprintf(text + used, size - used, "%zu:%s ", i, words[i]);
    }
  }
  if (options->radius.given && used < size) {
    snprintf(text + used, size - used, "%.17g,%" PRId64, options->radius.value, options->least);
  }
}

void shape_describe(const struct shape *shape, struct output_header *header) {
  const struct shape_options *options = shape->options;
  header->observed = options->predict != NULL ? shape->observed : -1;
  header->condition = options->predict == NULL     ? NULL
                      : options->condition != NULL ? options->condition
                                                   : "all";
  header->group = options->group;
  header->mix = options->mix;
  header->clusters = options->clusters;
  header->radius_factor = options->radius.given ? options->radius.value : -1;
  header->least = options->least > 1 ? options->least : 1;
}

void shape_free(struct shape *shape) {
  pcct_index_destroy(&shape->within);
  pcct_index_destroy(&shape->seen);
  columns_free(&shape->columns);
}
