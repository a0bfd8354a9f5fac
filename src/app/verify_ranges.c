/*
 * Checks of radius queries. See verify_ranges.h.
 */
#include "app/verify_ranges.h"

#include <inttypes.h>
#include <string.h>

/* Rows, and entries of all of them unless one row alone has more, that are in
 * memory together. */
enum { PART_ROWS = 1 << 16 };
#define PART_ENTRIES (INT64_C(1) << 21)

/* Consecutive rows. */
struct part {
  int64_t first, rows;
  int64_t *offset;  /* [PART_ROWS + 1] in the file; of files with counts alone
                       [rows] counts */
  int64_t *chosen;  /* [PART_ROWS] rows to be searched again */
  int64_t *index;   /* entries of the rows */
  double *distance; /* theirs; NULL: the file has none */
  double *user;     /* [PART_ROWS][user_dimension] queries; NULL: the rows are points */
  double *search;   /* [PART_ROWS][dimension] */
  int64_t index_capacity, distance_capacity;
};

static void part_free(struct part *part) {
  base_free(part->offset);
  base_free(part->chosen);
  base_free(part->index);
  base_free(part->distance);
  base_free(part->user);
  base_free(part->search);
}

static pcct_status part_create(struct base *base, const struct verify_data *data,
                               struct part *part) {
  part->offset = base_allocate(base, PART_ROWS + 1, sizeof *part->offset);
  part->chosen = base_allocate(base, PART_ROWS, sizeof *part->chosen);
  if (data->kind == VERIFY_QUERIES) {
    part->user =
        base_allocate(base, PART_ROWS, (size_t)data->metric.user_dimension * sizeof *part->user);
    part->search =
        base_allocate(base, PART_ROWS, (size_t)data->metric.dimension * sizeof *part->search);
  }
  const bool fine = part->offset && part->chosen &&
                    (data->kind != VERIFY_QUERIES || (part->user && part->search));
  return fine ? PCCT_OK : PCCT_MEMORY;
}

static const char *row_name(const struct verify_data *data) {
  return data->kind == VERIFY_QUERIES ? "query" : "row";
}

/* Points that may be in a row. */
static int64_t admissible(const struct verify_data *data) {
  return data->kind == VERIFY_QUERIES ? data->count : data->count - 1;
}

static int64_t row_count(const struct verify_data *data, const struct part *part, int64_t i) {
  return data->summary->counts_alone ? part->offset[i] : part->offset[i + 1] - part->offset[i];
}

static const double *row_point(const struct verify_data *data, const struct part *part, int64_t i) {
  const int64_t dimension = data->metric.dimension;
  return part->search ? part->search + i * dimension : data->search + (part->first + i) * dimension;
}

/* Reads counts or offsets, checks that they can be, and ends the part where
 * there are enough entries. */
static pcct_status read_counts(struct base *base, const struct verify_data *data,
                               struct part *part) {
  const bool alone = data->summary->counts_alone;
  const int64_t most =
      data->width > 0 && data->width < admissible(data) ? data->width : admissible(data);
  pcct_status status =
      alone ? file_read_count(base, data->file, part->first, part->rows, part->offset)
            : file_read_offset(base, data->file, part->first, part->rows + 1, part->offset);
  if (status == PCCT_OK && !alone &&
      (part->offset[0] < 0 || (part->first == 0 && part->offset[0] > 0))) {
    return base_fail(base, PCCT_DIFFERENT,
                     "/neighbors/offset begins row %" PRId64 " at %" PRId64 ", expected %s",
                     part->first, part->offset[0], part->first == 0 ? "0" : "at least 0");
  }
  for (int64_t i = 0; i < part->rows && status == PCCT_OK; i++) {
    const int64_t count = row_count(data, part, i);
    if (count < 0 || count > most) {
      return base_fail(base, PCCT_DIFFERENT,
                       "%s %" PRId64 ": its count is %" PRId64 ", outside 0 to %" PRId64,
                       row_name(data), part->first + i, count, most);
    }
    if (!alone && i > 0 && part->offset[i + 1] - part->offset[0] > PART_ENTRIES) {
      part->rows = i;
    }
  }
  const int64_t end = alone ? 0 : part->offset[part->rows];
  if (status == PCCT_OK && !alone &&
      (end > data->summary->entries ||
       (part->first + part->rows == data->rows && end != data->summary->entries))) {
    return base_fail(base, PCCT_DIFFERENT,
                     "/neighbors/offset ends row %" PRId64 " at %" PRId64 ", there are %" PRId64
                     " entries",
                     part->first + part->rows - 1, end, data->summary->entries);
  }
  return status;
}

/* Reads the part's entries and queries. */
static pcct_status read_entries(struct base *base, const struct verify_data *data,
                                struct part *part) {
  pcct_status status = PCCT_OK;
  if (!data->summary->counts_alone) {
    const int64_t first = part->offset[0];
    const int64_t count = part->offset[part->rows] - first;
    status = base_grow(base, (void **)&part->index, &part->index_capacity, 0, count + 1,
                       sizeof *part->index);
    if (status == PCCT_OK) {
      status = file_read_entries(base, data->file, first, count, part->index);
    }
    if (status == PCCT_OK && data->summary->distance_size > 0) {
      status = base_grow(base, (void **)&part->distance, &part->distance_capacity, 0, count + 1,
                         sizeof *part->distance);
      if (status == PCCT_OK) {
        status = file_read_entry_distances(base, data->file, first, count, part->distance);
      }
    }
  }
  if (status == PCCT_OK && part->user) {
    status = file_read_coordinates(base, data->file, part->first, part->rows, part->user);
  }
  if (status == PCCT_OK && part->user) {
    const int64_t bad =
        metric_transform(&data->metric, part->user, part->rows, part->search, base->threads);
    if (bad >= 0) {
      status = base_fail(base, PCCT_DIFFERENT, "query %" PRId64 ": its coordinates are not valid",
                         part->first + bad);
    }
  }
  return status;
}

/* ---- each row by itself */

static pcct_status check_row(struct base *base, const struct verify_data *data,
                             const struct part *part, int64_t i) {
  const int64_t row = part->first + i;
  const int64_t start = part->offset[i] - part->offset[0];
  const int64_t count = row_count(data, part, i);
  const double *point = row_point(data, part, i);
  double last = -1;
  for (int64_t e = 0; e < count; e++) {
    const int64_t found = part->index[start + e];
    if (found < 0 || found >= data->count || (!part->search && found == row)) {
      return base_fail(base, PCCT_DIFFERENT,
                       "%s %" PRId64 ": neighbor %" PRId64 " is row %" PRId64
                       ", expected another row of 0 to %" PRId64,
                       row_name(data), row, e, found, data->count - 1);
    }
    const double value = verify_rows_value(&data->metric, point,
                                           data->search + found * (int64_t)data->metric.dimension);
    const double expected = metric_user_distance(&data->metric, value);
    if (!(expected <= data->summary->radius)) {
      return base_fail(base, PCCT_DIFFERENT,
                       "%s %" PRId64 ": neighbor %" PRId64 " (row %" PRId64
                       ") is at %.17g, beyond the radius %.17g",
                       row_name(data), row, e, found, expected, data->summary->radius);
    }
    if (value < last || (value == last && found <= part->index[start + e - 1])) {
      return base_fail(base, PCCT_DIFFERENT,
                       "%s %" PRId64 ": neighbors %" PRId64 " and %" PRId64 " are out of order",
                       row_name(data), row, e - 1, e);
    }
    last = value;
    const double stored = data->summary->distance_size == 4 ? (double)(float)expected : expected;
    if (part->distance && !(part->distance[start + e] == stored)) {
      return base_fail(base, PCCT_DIFFERENT,
                       "%s %" PRId64 ": the distance of neighbor %" PRId64 " (row %" PRId64
                       ") is %.17g, expected %.17g",
                       row_name(data), row, e, found, part->distance[start + e], stored);
    }
  }
  return PCCT_OK;
}

/* ---- searching again */

struct comparison {
  const struct verify_data *data;
  const struct part *part;
  int64_t first_wrong; /* place in part->chosen */
};

/* Whether what a file says of a row is what was found: as many points as are
 * within the radius, and the same ones. */
static bool is_right(const struct comparison *comparison, int64_t i, int64_t found,
                     const struct verify_near *near) {
  const struct verify_data *data = comparison->data;
  const struct part *part = comparison->part;
  const int64_t count = row_count(data, part, i);
  int64_t within = 0;
  for (int64_t e = 0; e < found; e++) {
    within += metric_user_distance(&data->metric, near[e].value) <= data->summary->radius;
  }
  within = data->width > 0 && within > data->width ? data->width : within;
  bool right = within == count;
  for (int64_t e = 0; e < count && right && !data->summary->counts_alone; e++) {
    right = part->index[part->offset[i] - part->offset[0] + e] == near[e].index;
  }
  return right;
}

static void compare_row(void *user, int64_t query, int64_t found, const struct verify_near *near) {
  struct comparison *comparison = user;
  const struct part *part = comparison->part;
  if (!is_right(comparison, part->chosen[query] - part->first, found, near)) {
#pragma omp critical(verify_first_wrong_range)
    comparison->first_wrong = query < comparison->first_wrong ? query : comparison->first_wrong;
  }
}

/* One point more than the longest row has: it must be beyond the radius. */
static pcct_status search_again(struct base *base, const struct verify_data *data,
                                const struct verify_search *search, const struct part *part,
                                int64_t chosen) {
  const bool foreign = part->search != NULL;
  const size_t dimension = (size_t)data->metric.dimension;
  struct verify_queries queries = {foreign ? VERIFY_ALL : VERIFY_OTHERS, chosen, part->chosen,
                                   NULL};
  struct comparison comparison = {data, part, chosen};
  double *coordinates = NULL;
  int64_t longest = 0;
  for (int64_t q = 0; q < chosen; q++) {
    const int64_t count = row_count(data, part, part->chosen[q] - part->first);
    longest = count > longest ? count : longest;
  }
  if (foreign) {
    coordinates = base_allocate(base, chosen, dimension * sizeof *coordinates);
    if (!coordinates) {
      return PCCT_MEMORY;
    }
    for (int64_t q = 0; q < chosen; q++) {
      memcpy(coordinates + (size_t)q * dimension,
             row_point(data, part, part->chosen[q] - part->first), dimension * sizeof(double));
    }
    queries.coordinates = coordinates;
  }
  pcct_status status =
      verify_search_run(base, search, &queries, longest + 1, compare_row, &comparison);
  base_free(coordinates);
  if (status == PCCT_OK && comparison.first_wrong < chosen) {
    const int64_t row = part->chosen[comparison.first_wrong];
    status = base_fail(base, PCCT_DIFFERENT,
                       "%s %" PRId64 ": its %" PRId64
                       " neighbors are not those that were found within the radius %.17g",
                       row_name(data), row, row_count(data, part, row - part->first),
                       data->summary->radius);
  }
  return status;
}

/* ---- all rows */

/* Checks the next rows. Local. */
static pcct_status check_part(struct base *base, const struct verify_data *data,
                              const struct verify_search *search, int64_t sample, uint64_t seed,
                              struct part *part, int64_t *searched) {
  base_enter_phase(base, PCCT_PHASE_read);
  pcct_status status = read_counts(base, data, part);
  if (status == PCCT_OK) {
    status = read_entries(base, data, part);
  }
  base_enter_phase(base, PCCT_PHASE_query);
  for (int64_t i = 0; i < part->rows && status == PCCT_OK && !data->summary->counts_alone; i++) {
    status = check_row(base, data, part, i);
  }
  if (status == PCCT_OK) {
    const int64_t chosen =
        verify_rows_choose(seed, data->rows, sample, part->first, part->rows, part->chosen);
    status = search_again(base, data, search, part, chosen);
    *searched += chosen;
  }
  return status;
}

pcct_status verify_ranges_check(pcct_context *context, const struct verify_data *data,
                                int64_t sample, uint64_t seed, int64_t *searched) {
  struct base *base = &context->base;
  struct verify_search *search = NULL;
  struct part part = {0};
  int64_t first, count, own_searched = 0;
  pcct_slab(data->rows, context->rank, context->size, &first, &count);
  base_enter_phase(base, PCCT_PHASE_query);
  pcct_status status = part_create(base, data, &part);
  if (status == PCCT_OK) {
    status = verify_search_create(base, data->metric.kind, data->metric.dimension, data->search,
                                  data->count, &search);
  }
  for (int64_t done = 0; status == PCCT_OK && done < count; done += part.rows) {
    part.first = first + done;
    part.rows = count - done < PART_ROWS ? count - done : PART_ROWS;
    status = check_part(base, data, search, sample, seed, &part, &own_searched);
    base_progress(base, done + part.rows, count);
  }
  status = comm_agree(context, status);
  *searched = comm_sum(context, own_searched);
  verify_search_destroy(&search);
  part_free(&part);
  return status;
}
