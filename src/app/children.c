/*
 * Reverse lists: for each position those whose sets hold it.
 *
 * Positions are taken in stretches; for each, the sets are read again, and every entry in the stretch goes to the
 * rank that has its position there. Ranks send in the order of their rows, so that what arrives is ascending.
 */
#include "app/extend.h"

#include "dist/slab.h"

#include <string.h>

#define INDPTR "/children/indptr"
#define INDICES "/children/indices"

enum { STRETCH_ENTRIES = 1 << 23 }; /* of one rank */

struct pair {
  int64_t parent, child;
};

pcct_status children_declare(struct extend *run) {
  pcct_context *context = run->app->context;
  pcct_status status =
      output_add_dataset(context, run->output, INDPTR, OUTPUT_INTEGERS, run->sets.n + 1,
                         "/children_bound", "where lists begin, and the last one ends", "1");
  return status == PCCT_OK
             ? output_add_dataset(context, run->output, INDICES, OUTPUT_INDICES, run->entries,
                                  "/children_entry",
                                  "positions whose sets hold each position, ascending", "1")
             : status;
}

/* A stretch of positions. */
struct stretch {
  int64_t first, count;
  struct pair *send;
  int64_t send_count, capacity;
  int64_t *counts; /* [3 * size] */
};

/* Collects the entries of a block of rows that lie in the stretch. */
static pcct_status collect(struct extend *run, const struct sets_rows *rows,
                           struct stretch *stretch) {
  for (int64_t i = 0; i < rows->count; i++) {
    pcct_status status = base_grow(&run->app->context->base, (void **)&stretch->send,
                                   &stretch->capacity, stretch->send_count,
                                   stretch->send_count + rows->filled[i], sizeof *stretch->send);
    if (status != PCCT_OK) {
      return status;
    }
    for (int32_t e = 0; e < rows->filled[i]; e++) {
      const int64_t parent = rows->index[i * run->sets.width + e] - stretch->first;
      if (parent >= 0 && parent < stretch->count) {
        stretch->send[stretch->send_count++] = (struct pair){parent, rows->first + i};
      }
    }
  }
  return PCCT_OK;
}

/* Orders what is sent by its rank, keeping the order of rows. */
static pcct_status order_by_rank(struct extend *run, struct stretch *stretch) {
  pcct_context *context = run->app->context;
  int64_t *next = stretch->counts + 2 * context->size;
  struct pair *ordered = base_allocate(&context->base, stretch->send_count, sizeof *ordered);
  if (ordered == NULL) {
    return PCCT_MEMORY;
  }
  memset(stretch->counts, 0, (size_t)context->size * sizeof *stretch->counts);
  for (int64_t i = 0; i < stretch->send_count; i++) {
    stretch->counts[dist_slab_owner(stretch->count, context->size, stretch->send[i].parent)]++;
  }
  next[0] = 0;
  for (int rank = 1; rank < context->size; rank++) {
    next[rank] = next[rank - 1] + stretch->counts[rank - 1];
  }
  for (int64_t i = 0; i < stretch->send_count; i++) {
    const int rank = dist_slab_owner(stretch->count, context->size, stretch->send[i].parent);
    ordered[next[rank]++] = stretch->send[i];
  }
  base_free(stretch->send);
  stretch->send = ordered;
  stretch->capacity = stretch->send_count;
  return PCCT_OK;
}

/* Writes the lists of this rank's positions of the stretch; `before` entries of the file stand before it. */
static pcct_status write_lists(struct extend *run, const struct stretch *stretch,
                               const struct pair *pairs, int64_t count, int64_t before) {
  pcct_context *context = run->app->context;
  struct base *base = &context->base;
  int64_t first, own;
  pcct_slab(stretch->count, context->rank, context->size, &first, &own);
  int64_t *start = base_allocate_zero(base, own + 1, sizeof *start);
  int64_t *child = base_allocate(base, count, sizeof *child);
  pcct_status status = comm_agree(context, start && child ? PCCT_OK : PCCT_MEMORY);
  const int64_t at = before + comm_scan_before(context, count);
  if (status == PCCT_OK) {
    for (int64_t i = 0; i < count; i++) {
      start[pairs[i].parent - first + 1]++;
    }
    for (int64_t i = 0; i < own; i++) {
      start[i + 1] += start[i];
    }
    for (int64_t i = 0; i < count; i++) {
      child[start[pairs[i].parent - first]++] = pairs[i].child;
    }
    for (int64_t i = own; i > 0; i--) { /* each has moved on to where the next begins */
      start[i] = at + start[i - 1];
    }
    start[0] = at;
    pcct_context_enter_phase(context, PCCT_PHASE_write);
    status = output_write_dataset(context, run->output, INDICES, at, count, child);
  }
  if (status == PCCT_OK) {
    const bool last = own > 0 && stretch->first + first + own == run->sets.n;
    status = output_write_dataset(context, run->output, INDPTR, stretch->first + first, own + last,
                                  start);
  }
  base_free(start);
  base_free(child);
  return status;
}

/* One stretch; adds its entries to *before. */
static pcct_status write_stretch(struct extend *run, struct stretch *stretch, int64_t *before) {
  pcct_context *context = run->app->context;
  const int64_t block = extend_block_rows(run);
  const int64_t longest = comm_max(context, run->count);
  void *received = NULL;
  int64_t arrived = 0;
  pcct_status status = PCCT_OK;
  for (int64_t done = 0; done < longest && status == PCCT_OK; done += block) {
    struct sets_rows rows = {.count = 0};
    const int64_t from = done < run->count ? done : run->count;
    const int64_t count = run->count - from < block ? run->count - from : block;
    status = sets_read(&run->sets, run->first + from, count, &rows);
    if (status == PCCT_OK) {
      status = comm_agree(context, collect(run, &rows, stretch));
    }
    sets_rows_clear(&rows);
  }
  pcct_context_enter_phase(context, PCCT_PHASE_reorder);
  if (status == PCCT_OK) {
    status = comm_agree(context, order_by_rank(run, stretch));
  }
  if (status == PCCT_OK) {
    status =
        comm_exchange(context, stretch->send, stretch->counts, sizeof *stretch->send,
                      stretch->counts + context->size, &received, &arrived, COUNTER_bytes_reorder);
  }
  if (status == PCCT_OK) {
    status = write_lists(run, stretch, received, arrived, *before);
    *before += comm_sum(context, arrived);
  }
  base_free(received);
  return status;
}

pcct_status children_write(struct extend *run) {
  pcct_context *context = run->app->context;
  const int64_t n = run->sets.n;
  const int64_t rows = STRETCH_ENTRIES / (run->sets.width + 1) * context->size + 1;
  int64_t before = 0;
  static const int64_t zero = 0;
  pcct_status status = PCCT_OK;
  if (n == 0) {
    return output_write_dataset(context, run->output, INDPTR, 0, context->rank == 0, &zero);
  }
  for (int64_t first = 0; first < n && status == PCCT_OK; first += rows) {
    struct stretch stretch = {.first = first, .count = n - first < rows ? n - first : rows};
    stretch.counts =
        base_allocate(&context->base, 3 * (int64_t)context->size, sizeof *stretch.counts);
    status = comm_agree(context, stretch.counts ? PCCT_OK : PCCT_MEMORY);
    if (status == PCCT_OK) {
      status = write_stretch(run, &stretch, &before);
    }
    base_free(stretch.send);
    base_free(stretch.counts);
  }
  return status;
}
