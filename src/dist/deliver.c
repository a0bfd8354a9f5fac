/* Rows into output order. */
#include "dist/deliver.h"

#include "dist/record.h"
#include "dist/route.h"
#include "dist/slab.h"

#include <string.h>

enum {
  PIECE_BYTES = 1 << 22, /* records of a piece for each thread */
  PIECE_THREADS = 16,    /* more than these take turns */
  PIECE_LEAST = 4096     /* queries of a piece, however long the rows */
};

#define DROPPED INT64_MAX

/* A piece under way. */
struct parcel {
  char *records;
  int64_t capacity; /* bytes */
  struct comm_transfer transfer;
};

struct delivery {
  pcct_index *index;
  pcct_rows *rows;
  int64_t total, first; /* rows of all slabs; the first of this rank's slab among them */
  int64_t size;         /* of a record */
  int64_t *counts, *next;
  int64_t
      *target; /* [capacity] where a record goes: its row, ~its place in the parcel, or DROPPED */
  int64_t capacity;
  struct parcel parcel[2];
  int turn; /* the older one */
};

/* Waits for a parcel and unpacks it. */
static void receive(struct delivery *delivery, struct parcel *parcel) {
  comm_exchange_finish(&parcel->transfer);
  const int64_t count = parcel->transfer.total;
  const char *records = parcel->transfer.received;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(delivery->index->context->base.threads) if (count >= BASE_PARALLEL_MIN)
  for (int64_t i = 0; i < count; i++) {
    const char *record = records + i * delivery->size;
    record_unpack(&delivery->index->metric, record, record_number(record) - delivery->first,
                  delivery->rows);
  }
  comm_transfer_free(&parcel->transfer);
}

/* Decides where records go, and how many to each rank. Returns how many are sent. */
static int64_t address(struct delivery *delivery, const char *records, int64_t count) {
  const int ranks = delivery->index->context->size;
  int64_t sent = 0;
  for (int64_t i = 0; i < count; i++) {
    const int64_t number = record_number(records + i * delivery->size);
    const int64_t row = number - delivery->first;
    delivery->target[i] = number < 0 ? DROPPED : row;
    if (number >= 0 && (row < 0 || row >= delivery->rows->count)) {
      const int owner = dist_slab_owner(delivery->total, ranks, number);
      delivery->target[i] = ~(int64_t)owner;
      delivery->counts[owner]++;
      sent++;
    }
  }
  delivery->next[0] = 0;
  for (int r = 1; r < ranks; r++) {
    delivery->next[r] = delivery->next[r - 1] + delivery->counts[r - 1];
  }
  for (int64_t i = 0; i < count; i++) {
    if (delivery->target[i] < 0) {
      delivery->target[i] = ~delivery->next[~delivery->target[i]]++;
    }
  }
  return sent;
}

/* Sends records, numbered by output row, to the ranks whose slabs they are in; the rank's own are unpacked at
 * once, those with negative numbers dropped.
 * Collective; `status` of this rank so far is agreed on. */
static pcct_status deliver(struct delivery *delivery, pcct_status status, const char *records,
                           int64_t count) {
  pcct_context *context = delivery->index->context;
  struct base *base = &context->base;
  struct parcel *parcel = &delivery->parcel[delivery->turn];
  const int64_t size = delivery->size;
  delivery->turn = !delivery->turn;
  receive(delivery, parcel);
  memset(delivery->counts, 0, (size_t)context->size * sizeof(int64_t));
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&delivery->target, &delivery->capacity, 0, count,
                       sizeof *delivery->target);
  }
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&parcel->records, &parcel->capacity, 0,
                       address(delivery, records, count) * size, 1);
  }
  if (status == PCCT_OK) {
#pragma omp parallel for schedule(static) num_threads(base->threads) if (count >= BASE_PARALLEL_MIN)
    for (int64_t i = 0; i < count; i++) {
      const char *record = records + i * size;
      const int64_t target = delivery->target[i];
      if (target < 0) {
        memcpy(parcel->records + ~target * size, record, (size_t)size);
      } else if (target != DROPPED) {
        record_unpack(&delivery->index->metric, record, target, delivery->rows);
      }
    }
  }
  return comm_exchange_start(context, status, parcel->records, delivery->counts, (size_t)size,
                             &parcel->transfer, COUNTER_bytes_reorder);
}

/* The queries of a rank, and where their answers are put first. */
struct answering {
  const struct walk_self *self;
  struct walk_pieces *pieces;
  struct route *route;
  int64_t rounds, largest; /* pieces of this rank; queries of its largest */
  char *records;           /* [largest] */
  unsigned char *taken;    /* [largest] */
};

static pcct_status answering_create(pcct_index *index, const struct walk_self *self, int64_t k,
                                    int64_t width, struct answering *answering) {
  const pcct_context *context = index->context;
  struct base *base = &index->context->base;
  const int index_size = record_index_size(index);
  const int64_t size = record_size(width, index_size);
  const int64_t threads = base->threads < PIECE_THREADS ? base->threads : PIECE_THREADS;
  const int64_t bytes = threads * PIECE_BYTES;
  const int64_t room = (bytes < context->piece_bytes ? bytes : context->piece_bytes) / size;
  const int64_t most = room > PIECE_LEAST ? room : PIECE_LEAST;
  answering->self = self;
  pcct_status status = walk_pieces_create(base, self, k, most, &answering->pieces);
  if (status != PCCT_OK) {
    return status;
  }
  answering->rounds = walk_pieces_count(answering->pieces, &answering->largest);
  answering->records = base_allocate(base, answering->largest, (size_t)size);
  answering->taken = base_allocate(base, answering->largest, 1);
  if (!answering->records || !answering->taken) {
    return PCCT_MEMORY;
  }
  for (int64_t i = 0; i < answering->largest; i++) {
    record_start(answering->records + i * size, -1, width, index_size);
  }
  return PCCT_OK;
}

static void answering_free(struct answering *answering) {
  walk_pieces_destroy(&answering->pieces);
  route_destroy(&answering->route);
  base_free(answering->records);
  base_free(answering->taken);
}

/* Answers the next piece into records numbered by output row, -1 if the router took the row over. */
static pcct_status answer_piece(struct answering *answering, const struct delivery *delivery,
                                int64_t *count) {
  const int64_t size = delivery->size;
  const struct walk_rows layout =
      record_layout(answering->records, delivery->rows->width, record_index_size(delivery->index));
  struct route_queries queries = {.self = answering->self};
  pcct_status status = walk_pieces_next(answering->pieces, &layout, &queries.place, &queries.count);
  if (status == PCCT_OK) {
    status = route_take(answering->route, &queries, &layout, answering->taken);
  }
  *count = status == PCCT_OK ? queries.count : 0;
  for (int64_t i = 0; i < *count; i++) {
    record_number_set(answering->records + i * size,
                      answering->taken[i]
                          ? -1
                          : walk_self_look(answering->self, queries.place[i], NULL) -
                                answering->self->first);
  }
  return status;
}

/* Delivers the rows that the router improved. Collective. */
static pcct_status deliver_routed(struct delivery *delivery, const struct answering *answering) {
  const int64_t width = delivery->rows->width;
  const int index_size = record_index_size(delivery->index);
  const int64_t count = route_count(answering->route);
  char *records = base_allocate(&delivery->index->context->base, count, (size_t)delivery->size);
  const struct walk_rows layout = record_layout(records, width, index_size);
  for (int64_t i = 0; i < count && records; i++) {
    record_start(records + i * delivery->size,
                 route_query(answering->route, i) - answering->self->first, width, index_size);
    route_put(answering->route, i, &layout, i);
  }
  const pcct_status status =
      deliver(delivery, records ? PCCT_OK : PCCT_MEMORY, records, records ? count : 0);
  base_free(records);
  return status;
}

pcct_status deliver_rows(pcct_index *index, const struct walk_self *self, int64_t k, int64_t width,
                         pcct_rows *rows) {
  pcct_context *context = index->context;
  struct base *base = &context->base;
  struct answering answering = {0};
  struct delivery delivery = {.index = index,
                              .rows = rows,
                              .total = self->count,
                              .size = record_size(width, record_index_size(index))};
  int64_t count = 0;
  pcct_slab(self->count, context->rank, context->size, &delivery.first, &count);
  pcct_status status = record_rows_create(index, self->first + delivery.first, count, width, rows);
  if (status == PCCT_OK) {
    delivery.counts = base_allocate(base, 2 * (int64_t)context->size, sizeof(int64_t));
    delivery.next = delivery.counts ? delivery.counts + context->size : NULL;
    status = delivery.counts ? answering_create(index, self, k, width, &answering) : PCCT_MEMORY;
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    status = route_create(index, k, &answering.route);
  }
  const int64_t rounds = status == PCCT_OK ? comm_max(context, answering.rounds) : 0;
  for (int64_t round = 0; round < rounds && status == PCCT_OK; round++) {
    pcct_context_enter_phase(context, PCCT_PHASE_query);
    status = answer_piece(&answering, &delivery, &count);
    base->counters[COUNTER_queries] += count;
    pcct_context_enter_phase(context, PCCT_PHASE_reorder);
    status = deliver(&delivery, status, answering.records, count);
  }
  if (answering.route) {
    pcct_context_enter_phase(context, PCCT_PHASE_query);
    status = route_finish(answering.route, status);
    pcct_context_enter_phase(context, PCCT_PHASE_reorder);
  }
  if (status == PCCT_OK) {
    status = deliver_routed(&delivery, &answering);
  }
  for (int i = 0; i < 2; i++) {
    receive(&delivery, &delivery.parcel[delivery.turn]);
    base_free(delivery.parcel[delivery.turn].records);
    delivery.turn = !delivery.turn;
  }
  base_free(delivery.counts);
  base_free(delivery.target);
  answering_free(&answering);
  return status;
}
