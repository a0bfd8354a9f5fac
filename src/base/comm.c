/*
 * Agreement, reductions and exchanges of any size. A transfer of more than piece_bytes goes as
 * several messages; MPI keeps messages of one sender and tag in order, so that pieces need no
 * numbers.
 */
#include "base/comm.h"

#include <limits.h>
#include <string.h>

static int64_t reduce(pcct_context *context, int64_t value, MPI_Op operation) {
  int64_t result = 0;
  MPI_Allreduce(&value, &result, 1, MPI_INT64_T, operation, context->comm);
  return result;
}

int64_t comm_sum(pcct_context *context, int64_t value) {
  return reduce(context, value, MPI_SUM);
}

int64_t comm_max(pcct_context *context, int64_t value) {
  return reduce(context, value, MPI_MAX);
}

int64_t comm_min(pcct_context *context, int64_t value) {
  return reduce(context, value, MPI_MIN);
}

int64_t comm_scan_before(pcct_context *context, int64_t value) {
  int64_t before = 0; /* rank 0's is left alone by MPI_Exscan */
  MPI_Exscan(&value, &before, 1, MPI_INT64_T, MPI_SUM, context->comm);
  return context->rank == 0 ? 0 : before;
}

pcct_status comm_agree(pcct_context *context, pcct_status local) {
  /* the largest status, and among its ranks the lowest, in one reduction */
  int64_t winner = comm_max(context, (int64_t)local << 32 | (INT_MAX - context->rank));
  pcct_status agreed = (pcct_status)(winner >> 32);
  if (agreed != PCCT_OK) {
    int speaker = INT_MAX - (int)(winner & INT_MAX);
    if (context->rank == speaker) {
      base_fail(&context->base, agreed, "%s",
                pcct_status_text(agreed)); /* if nothing better is there */
    }
    MPI_Bcast(context->base.message, BASE_MESSAGE_SIZE, MPI_CHAR, speaker, context->comm);
  }
  return agreed;
}

static int64_t pieces_of(const pcct_context *context, int64_t length) {
  return length / context->piece_bytes + (length % context->piece_bytes != 0);
}

static int piece_length(const pcct_context *context, int64_t rest) {
  return (int)(rest < context->piece_bytes ? rest : context->piece_bytes);
}

void comm_broadcast(pcct_context *context, void *bytes, int64_t length) {
  for (int64_t at = 0; at < length; at += context->piece_bytes) {
    MPI_Bcast((char *)bytes + at, piece_length(context, length - at), MPI_BYTE, 0, context->comm);
  }
}

/* Posts the receives of every rank's bytes, then the sends. */
static void post(pcct_context *context, const char *send, const int64_t *send_counts, size_t size,
                 struct comm_transfer *transfer, int64_t *bytes_sent) {
  const char *own_part = send;
  char *received = transfer->received;
  char *own_place = received;
  for (int rank = 0; rank < context->size; rank++) {
    int64_t length = transfer->counts[rank] * (int64_t)size;
    if (rank == context->rank) {
      own_place = received;
    } else {
      for (int64_t at = 0; at < length; at += context->piece_bytes) {
        MPI_Irecv(received + at, piece_length(context, length - at), MPI_BYTE, rank, 0,
                  context->comm, &transfer->requests[transfer->pending++]);
      }
    }
    received += length;
  }
  for (int rank = 0; rank < context->size; rank++) {
    int64_t length = send_counts[rank] * (int64_t)size;
    if (rank == context->rank) {
      own_part = send;
    } else {
      for (int64_t at = 0; at < length; at += context->piece_bytes) {
        MPI_Isend(send + at, piece_length(context, length - at), MPI_BYTE, rank, 0, context->comm,
                  &transfer->requests[transfer->pending++]);
        context->base.counters[COUNTER_messages]++;
      }
      *bytes_sent += length;
    }
    send += length;
  }
  int64_t own_length = send_counts[context->rank] * (int64_t)size;
  if (own_length > 0) {
    memcpy(own_place, own_part, (size_t)own_length);
  }
}

/* How ranks learn what comes: a number from everybody; from those alone who send; or they know. */
enum counting { COUNT_ALL, COUNT_SENDERS, COUNT_KNOWN };

/* Tells the ranks that get something how much, without a word to the others: everybody sends synchronously,
 * takes what comes, and enters a barrier once its own words have arrived; when the barrier is through, nothing
 * is under way. Another round cannot begin before all have left this one: an agreement lies between. Source:
 * Hoefler, Siebert and Lumsdaine, Scalable communication protocols for dynamic sparse data exchange, PPoPP
 * 2010. */
static void count_senders(pcct_context *context, const int64_t *send_counts, int64_t *counts,
                          MPI_Request *requests, int64_t *bytes_sent) {
  enum { TAG = 1 };
  int pending = 0;
  int arrived = 0;
  int entered = 0;
  int through = 0;
  MPI_Request barrier = MPI_REQUEST_NULL;
  for (int rank = 0; rank < context->size; rank++) {
    if (rank != context->rank && send_counts[rank] > 0) {
      MPI_Issend(&send_counts[rank], 1, MPI_INT64_T, rank, TAG, context->comm,
                 &requests[pending++]);
      context->base.counters[COUNTER_messages]++;
      *bytes_sent += (int64_t)sizeof(int64_t);
    }
  }
  counts[context->rank] = send_counts[context->rank];
  while (!through) {
    MPI_Status status;
    int there = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, TAG, context->comm, &there, &status);
    if (there) {
      MPI_Recv(&counts[status.MPI_SOURCE], 1, MPI_INT64_T, status.MPI_SOURCE, TAG, context->comm,
               MPI_STATUS_IGNORE);
    }
    if (entered) {
      MPI_Test(&barrier, &through, MPI_STATUS_IGNORE);
    } else {
      MPI_Testall(pending, requests, &arrived, MPI_STATUSES_IGNORE);
      if (arrived) {
        MPI_Ibarrier(context->comm, &barrier);
        entered = 1;
      }
    }
  }
}

/* comm_exchange_start with the bytes sent to others added to *bytes_sent.
 *   known [in] COUNT_KNOWN: records from each rank */
static pcct_status start(pcct_context *context, pcct_status local, const void *send,
                         const int64_t *send_counts, enum counting counting, const int64_t *known,
                         size_t size, struct comm_transfer *transfer, int64_t *bytes_sent) {
  struct base *base = &context->base;
  *transfer = (struct comm_transfer){0};
  MPI_Request *requests = NULL;
  transfer->counts = base_allocate_zero(base, context->size, sizeof *transfer->counts);
  if (counting == COUNT_SENDERS) {
    requests = base_allocate(base, context->size, sizeof *requests);
  }
  const int fine = transfer->counts && (requests || counting != COUNT_SENDERS);
  pcct_status status = comm_agree(context, local == PCCT_OK && !fine ? PCCT_MEMORY : local);
  if (status != PCCT_OK) {
    base_free(requests);
    comm_transfer_free(transfer);
    return status;
  }
  if (counting == COUNT_ALL) {
    MPI_Alltoall(send_counts, 1, MPI_INT64_T, transfer->counts, 1, MPI_INT64_T, context->comm);
  } else if (counting == COUNT_SENDERS) {
    count_senders(context, send_counts, transfer->counts, requests, bytes_sent);
  } else {
    memcpy(transfer->counts, known, (size_t)context->size * sizeof *known);
  }
  base_free(requests);
  int64_t messages = 0;
  for (int rank = 0; rank < context->size; rank++) {
    transfer->total += transfer->counts[rank];
    if (rank != context->rank) {
      messages += pieces_of(context, send_counts[rank] * (int64_t)size) +
                  pieces_of(context, transfer->counts[rank] * (int64_t)size);
    }
  }
  transfer->received = base_allocate(base, transfer->total, size);
  transfer->requests = base_allocate(base, messages, sizeof(MPI_Request));
  status = comm_agree(context, transfer->received && transfer->requests ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    post(context, send, send_counts, size, transfer, bytes_sent);
  } else {
    comm_transfer_free(transfer);
  }
  return status;
}

pcct_status comm_exchange_start(pcct_context *context, pcct_status local, const void *send,
                                const int64_t *send_counts, size_t size,
                                struct comm_transfer *transfer, enum counter bytes_counter) {
  return start(context, local, send, send_counts, COUNT_ALL, NULL, size, transfer,
               &context->base.counters[bytes_counter]);
}

void comm_exchange_finish(struct comm_transfer *transfer) {
  if (transfer->pending > 0) {
    MPI_Waitall(transfer->pending, transfer->requests, MPI_STATUSES_IGNORE);
    transfer->pending = 0;
  }
}

void comm_transfer_free(struct comm_transfer *transfer) {
  comm_exchange_finish(transfer);
  base_free(transfer->counts);
  base_free(transfer->received);
  base_free(transfer->requests);
  *transfer = (struct comm_transfer){0};
}

/* comm_exchange with the bytes sent to others added to *bytes_sent; counting is not COUNT_KNOWN. */
static pcct_status exchange(pcct_context *context, const void *send, const int64_t *send_counts,
                            enum counting counting, size_t size, int64_t *receive_counts,
                            void **received, int64_t *total, int64_t *bytes_sent) {
  struct comm_transfer transfer;
  pcct_status status =
      start(context, PCCT_OK, send, send_counts, counting, NULL, size, &transfer, bytes_sent);
  comm_exchange_finish(&transfer);
  *received = transfer.received;
  *total = transfer.total;
  if (status == PCCT_OK) {
    memcpy(receive_counts, transfer.counts, (size_t)context->size * sizeof *receive_counts);
    transfer.received = NULL;
  }
  comm_transfer_free(&transfer);
  return status;
}

pcct_status comm_exchange(pcct_context *context, const void *send, const int64_t *send_counts,
                          size_t size, int64_t *receive_counts, void **received, int64_t *total,
                          enum counter bytes_counter) {
  return exchange(context, send, send_counts, COUNT_ALL, size, receive_counts, received, total,
                  &context->base.counters[bytes_counter]);
}

pcct_status comm_exchange_sparse(pcct_context *context, const void *send,
                                 const int64_t *send_counts, size_t size, int64_t *receive_counts,
                                 void **received, int64_t *total, enum counter bytes_counter) {
  return exchange(context, send, send_counts, COUNT_SENDERS, size, receive_counts, received, total,
                  &context->base.counters[bytes_counter]);
}

pcct_status comm_exchange_known(pcct_context *context, const void *send, const int64_t *send_counts,
                                size_t size, const int64_t *receive_counts, void **received,
                                enum counter bytes_counter) {
  struct comm_transfer transfer;
  pcct_status status = start(context, PCCT_OK, send, send_counts, COUNT_KNOWN, receive_counts, size,
                             &transfer, &context->base.counters[bytes_counter]);
  comm_exchange_finish(&transfer);
  *received = transfer.received;
  transfer.received = NULL;
  comm_transfer_free(&transfer);
  return status;
}

pcct_status comm_gather_root(pcct_context *context, const void *send, int64_t count, size_t size,
                             void **received, int64_t *total) {
  *received = NULL;
  *total = 0;
  int64_t bytes_sent = 0; /* no counter */
  int64_t *send_counts = base_allocate_zero(&context->base, context->size, sizeof *send_counts);
  int64_t *receive_counts = base_allocate(&context->base, context->size, sizeof *receive_counts);
  pcct_status status = comm_agree(context, send_counts && receive_counts ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    send_counts[0] = count;
    status = exchange(context, send, send_counts, COUNT_ALL, size, receive_counts, received, total,
                      &bytes_sent);
  }
  base_free(send_counts);
  base_free(receive_counts);
  return status;
}

/* Every rank's bytes to all, at most INT_MAX together: one call, whatever the number of ranks. */
static void gather_small(pcct_context *context, const void *send, const int64_t *counts,
                         size_t size, char *place, int *lengths, int *starts) {
  int start = 0;
  for (int rank = 0; rank < context->size; rank++) {
    lengths[rank] = (int)(counts[rank] * (int64_t)size);
    starts[rank] = start;
    start += lengths[rank];
  }
  MPI_Allgatherv(send, lengths[context->rank], MPI_BYTE, place, lengths, starts, MPI_BYTE,
                 context->comm);
}

/* The same for any length: a broadcast from every rank, in pieces. */
static void gather_large(pcct_context *context, const void *send, const int64_t *counts,
                         size_t size, char *place) {
  for (int rank = 0; rank < context->size; rank++) {
    int64_t length = counts[rank] * (int64_t)size;
    if (rank == context->rank && length > 0) {
      memcpy(place, send, (size_t)length);
    }
    for (int64_t at = 0; at < length; at += context->piece_bytes) {
      MPI_Bcast(place + at, piece_length(context, length - at), MPI_BYTE, rank, context->comm);
    }
    place += length;
  }
}

pcct_status comm_gather_all(pcct_context *context, const void *send, int64_t count, size_t size,
                            void **received, int64_t *total) {
  *received = NULL;
  *total = 0;
  int64_t records = comm_sum(context, count);
  int64_t *counts = base_allocate(&context->base, context->size, sizeof *counts);
  int *lengths = base_allocate(&context->base, context->size, 2 * sizeof *lengths);
  char *place = base_allocate(&context->base, records, size);
  pcct_status status = comm_agree(context, counts && lengths && place ? PCCT_OK : PCCT_MEMORY);
  if (status == PCCT_OK) {
    MPI_Allgather(&count, 1, MPI_INT64_T, counts, 1, MPI_INT64_T, context->comm);
    if (records * (int64_t)size <= context->piece_bytes) {
      gather_small(context, send, counts, size, place, lengths, lengths + context->size);
    } else {
      gather_large(context, send, counts, size, place);
    }
    *received = place;
    *total = records;
    place = NULL;
  }
  base_free(counts);
  base_free(lengths);
  base_free(place);
  return status;
}
