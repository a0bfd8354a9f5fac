/* Checks of what extend adds. See verify_extended.h. */
#include "app/verify_extended.h"

#include "base/random.h"
#include "base/sort.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ENTRIES = 1 << 20 };

static pcct_status differs(struct base *base, const char *what, int64_t place) {
  return base_fail(base, PCCT_DIFFERENT, "%s at %" PRId64 " is not what the sets give", what,
                   place);
}

/* A number for a pair; sums of them tell multisets of pairs apart. */
static uint64_t pair_number(int64_t parent, int64_t child) {
  return random_bits((uint64_t)parent, RANDOM_SAMPLE, (uint64_t)child);
}

/* ---- the sets, block by block */

struct sets_block {
  int64_t first, count, capacity;
  int64_t *index, *filled; /* [capacity][width] */
};

static pcct_status block_create(struct base *base, const struct verify_data *data,
                                struct sets_block *block) {
  block->capacity = BLOCK_ENTRIES / data->width + 1;
  block->index = base_allocate(base, block->capacity, (size_t)data->width * sizeof *block->index);
  block->filled = base_allocate(base, block->capacity, sizeof *block->filled);
  return block->index && block->filled ? PCCT_OK : PCCT_MEMORY;
}

static void block_free(struct sets_block *block) {
  base_free(block->index);
  base_free(block->filled);
}

static pcct_status block_read(struct base *base, const struct verify_data *data, int64_t first,
                              int64_t count, struct sets_block *block) {
  block->first = first;
  block->count = count;
  pcct_status status = file_read_index(base, data->file, first, count, block->index);
  return status == PCCT_OK ? file_read_count(base, data->file, first, count, block->filled)
                           : status;
}

/* ---- the pattern */

/* Compares the columns of a block, and adds its pairs to the sum. */
static pcct_status check_columns(struct base *base, const struct verify_data *data,
                                 const struct sets_block *block, bool pattern, int64_t *start,
                                 int64_t *rows, uint64_t *sum) {
  pcct_status status = PCCT_OK;
  const int64_t width = data->width;
  if (pattern) {
    status = file_read_integers(base, data->file, "/pattern/indptr", block->first, block->count + 1,
                                start);
  }
  const int64_t room = block->count * (width + 1);
  if (status == PCCT_OK && pattern &&
      (start[0] < 0 || start[block->count] < start[0] || start[block->count] - start[0] > room)) {
    return differs(base, "/pattern/indptr", block->first);
  }
  if (status == PCCT_OK && pattern) {
    status = file_read_integers(base, data->file, "/pattern/indices", start[0],
                                start[block->count] - start[0], rows);
  }
  for (int64_t i = 0; i < block->count && status == PCCT_OK; i++) {
    int64_t *set = block->index + i * width;
    const int64_t filled = block->filled[i], position = block->first + i;
    for (int64_t e = 0; e < filled; e++) {
      *sum += pair_number(set[e], position);
    }
    if (!pattern) {
      continue;
    }
    const int64_t *column = rows + start[i] - start[0];
    qsort(set, (size_t)filled, sizeof *set, sort_compare_integers);
    if (start[i + 1] - start[i] != filled + 1 || column[filled] != position ||
        memcmp(column, set, (size_t)filled * sizeof *set) != 0) {
      status = differs(base, "the column of /pattern", position);
    }
  }
  return status;
}

/* ---- reverse lists */

/* Looks at this rank's lists: ascending, of later positions; adds their pairs to the sum. */
static pcct_status check_children(struct base *base, const struct verify_data *data, int64_t first,
                                  int64_t count, uint64_t *sum) {
  int64_t *start = base_allocate(base, count + 1, sizeof *start);
  int64_t *child = NULL;
  int64_t capacity = 0;
  pcct_status status = start ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = file_read_integers(base, data->file, "/children/indptr", first, count + 1, start);
  }
  for (int64_t i = 0; i < count && status == PCCT_OK; i++) {
    const int64_t entries = start[i + 1] - start[i];
    if (start[i] < 0 || entries < 0 || entries > data->count) {
      status = differs(base, "/children/indptr", first + i);
      break;
    }
    status = base_grow(base, (void **)&child, &capacity, 0, entries, sizeof *child);
    if (status == PCCT_OK) {
      status = file_read_integers(base, data->file, "/children/indices", start[i], entries, child);
    }
    for (int64_t e = 0; e < entries && status == PCCT_OK; e++) {
      if (child[e] <= (e > 0 ? child[e - 1] : first + i) || child[e] >= data->count) {
        status = differs(base, "the list of /children", first + i);
      }
      *sum += pair_number(first + i, child[e]);
    }
  }
  base_free(start);
  base_free(child);
  return status;
}

/* ---- groups */

/* The five vectors, on every rank. */
struct groups {
  int64_t groups, members;
  int64_t *member, *last_member, *point, *place, *last_point;
};

static pcct_status read_groups(struct base *base, const struct verify_data *data,
                               struct groups *groups) {
  const int64_t n = data->count;
  const struct {
    const char *path;
    int64_t count;
    int64_t **to;
  } vectors[] = {{"/grouping/all_inds", groups->members, &groups->member},
                 {"/grouping/last_ind_of_block", groups->groups, &groups->last_member},
                 {"/grouping/global_resp_inds", n, &groups->point},
                 {"/grouping/local_resp_inds", n, &groups->place},
                 {"/grouping/last_resp_of_block", groups->groups, &groups->last_point}};
  pcct_status status = PCCT_OK;
  for (size_t v = 0; v < sizeof vectors / sizeof vectors[0] && status == PCCT_OK; v++) {
    *vectors[v].to = base_allocate(base, vectors[v].count, sizeof **vectors[v].to);
    status = *vectors[v].to ? file_read_integers(base, data->file, vectors[v].path, 0,
                                                 vectors[v].count, *vectors[v].to)
                            : PCCT_MEMORY;
  }
  return status;
}

static bool holds(const int64_t *member, int64_t count, int64_t position) {
  return bsearch(&position, member, (size_t)count, sizeof position, sort_compare_integers) != NULL;
}

/* One group: its vectors fit, and it has the sets of its points. Every stride-th point's set is read. */
static bool group_is_right(struct base *base, const struct verify_data *data,
                           const struct groups *groups, int64_t g, int64_t stride, char *seen,
                           int64_t *set, pcct_status *status) {
  const int64_t from = g > 0 ? groups->last_member[g - 1] : 0;
  const int64_t first = g > 0 ? groups->last_point[g - 1] : 0;
  const int64_t count = groups->last_member[g] - from, points = groups->last_point[g] - first;
  if (count < 1 || points < 1 || groups->last_member[g] > groups->members ||
      groups->last_point[g] > data->count) {
    return false;
  }
  const int64_t *member = groups->member + from;
  for (int64_t e = 1; e < count; e++) {
    if (member[e] <= member[e - 1]) {
      return false;
    }
  }
  for (int64_t p = first; p < first + points; p++) {
    const int64_t position = groups->point[p], place = groups->place[p];
    if (position < 0 || position >= data->count || seen[position]++ || place < 0 ||
        place >= count || member[place] != position) {
      return false;
    }
    if (position % stride != 0) {
      continue;
    }
    int64_t filled = 0;
    *status = file_read_index(base, data->file, position, 1, set);
    if (*status == PCCT_OK) {
      *status = file_read_count(base, data->file, position, 1, &filled);
    }
    for (int64_t e = 0; e < filled && *status == PCCT_OK; e++) {
      if (!holds(member, count, set[e])) {
        return false;
      }
    }
  }
  return true;
}

static pcct_status check_groups(struct base *base, const struct verify_data *data, int64_t sample,
                                struct groups *groups) {
  const int64_t n = data->count;
  const int64_t stride = sample > 0 && sample < n ? n / sample : 1;
  char *seen = base_allocate_zero(base, n, 1);
  int64_t *set = base_allocate(base, data->width, sizeof *set);
  pcct_status status = seen && set ? read_groups(base, data, groups) : PCCT_MEMORY;
  for (int64_t g = 0; g < groups->groups && status == PCCT_OK; g++) {
    if (!group_is_right(base, data, groups, g, stride, seen, set, &status) && status == PCCT_OK) {
      status = differs(base, "the group of /grouping", g);
    }
  }
  const int64_t points = groups->groups > 0 ? groups->last_point[groups->groups - 1] : 0;
  if (status == PCCT_OK && points != n) {
    status =
        base_fail(base, PCCT_DIFFERENT,
                  "/grouping has %" PRId64 " points in its groups, expected %" PRId64, points, n);
  }
  base_free(seen);
  base_free(set);
  return status;
}

static pcct_status check_grouping(pcct_context *context, const struct verify_data *data,
                                  int64_t sample) {
  struct groups groups = {.groups = 0};
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    groups.groups = file_length(data->file, "/grouping/last_ind_of_block");
    groups.members = file_length(data->file, "/grouping/all_inds");
    status = check_groups(&context->base, data, sample, &groups);
  }
  base_free(groups.member);
  base_free(groups.last_member);
  base_free(groups.point);
  base_free(groups.place);
  base_free(groups.last_point);
  return comm_agree(context, status);
}

/* ---- all of it */

pcct_status verify_extended(pcct_context *context, const struct verify_data *data, int64_t sample,
                            char *text, size_t size) {
  struct base *base = &context->base;
  const bool pattern = file_length(data->file, "/pattern/indptr") == data->count + 1;
  const bool children = file_length(data->file, "/children/indptr") == data->count + 1;
  const bool grouping = file_length(data->file, "/grouping/all_inds") >= 0;
  struct sets_block block = {.count = 0};
  uint64_t sums[2] = {0, 0};
  int64_t first, count;
  text[0] = '\0';
  if (data->kind != VERIFY_SETS || data->index || (!pattern && !children && !grouping)) {
    return PCCT_OK;
  }
  base_enter_phase(base, PCCT_PHASE_query);
  pcct_slab(data->count, context->rank, context->size, &first, &count);
  pcct_status status = block_create(base, data, &block);
  int64_t *start = base_allocate(base, block.capacity + 1, sizeof *start);
  int64_t *rows = base_allocate(base, block.capacity, (size_t)(data->width + 1) * sizeof *rows);
  status = start && rows ? status : PCCT_MEMORY;
  for (int64_t done = 0; done < count && status == PCCT_OK; done += block.capacity) {
    const int64_t left = count - done;
    status =
        block_read(base, data, first + done, left < block.capacity ? left : block.capacity, &block);
    if (status == PCCT_OK) {
      status = check_columns(base, data, &block, pattern, start, rows, &sums[0]);
    }
  }
  if (status == PCCT_OK && children) {
    status = check_children(base, data, first, count, &sums[1]);
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK && children) {
    MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_UINT64_T, MPI_SUM, context->comm);
    if (sums[0] != sums[1]) {
      status = base_fail(base, PCCT_DIFFERENT, "/children does not hold the entries of the sets");
    }
  }
  if (status == PCCT_OK && grouping) {
    status = check_grouping(context, data, sample);
  }
  snprintf(text, size, "%s%s%s", pattern ? " /pattern" : "", children ? " /children" : "",
           grouping ? " /grouping" : "");
  block_free(&block);
  base_free(start);
  base_free(rows);
  return status;
}
