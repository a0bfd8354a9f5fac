/*
 * Communicator helpers: agreement on failures, and exchanges whose sizes may exceed 2^31.
 *
 * Every function here is Collective over the context's communicator. Between two of them nobody
 * returns early: work, record the local status, comm_agree, act.
 */
#ifndef BASE_COMM_H
#define BASE_COMM_H

#include "base/context.h"
#include "pcct.h"

#include <mpi.h>

struct pcct_context {
  struct base base;
  MPI_Comm comm;
  int rank, size;
  MPI_Comm node;       /* ranks that share memory with this one */
  int64_t share_bytes; /* smaller arrays are not worth a window; tests lower it */
  int64_t piece_bytes; /* bytes of the largest message, equal on all ranks; 1 GiB unless a test
                          lowers it */
};

/* The status all ranks go on with: the largest code of any rank (PCCT_OK if all are fine). The
 * message of the lowest rank that has it replaces the others'. */
pcct_status comm_agree(pcct_context *context, pcct_status local);

/* Sum, minimum, maximum over ranks. */
int64_t comm_sum(pcct_context *context, int64_t value);
int64_t comm_max(pcct_context *context, int64_t value);
int64_t comm_min(pcct_context *context, int64_t value);

/* Sum over the lower ranks (0 on rank 0). */
int64_t comm_scan_before(pcct_context *context, int64_t value);

/* Sends send_counts[r] records of `size` bytes to every rank r, from `send` in rank order without
 * gaps, and receives likewise. Any count below 2^63 / size: messages are cut at 1 GiB.
 *   receive_counts [out] [size of comm], allocated by the caller
 *   received       [out] records in rank order, allocated here with base_allocate, NULL on failure
 *   total          [out] number of records received
 *   bytes_counter  [in] counter charged with the bytes sent to other ranks
 * Agreed: a failure on one rank is returned on all. */
pcct_status comm_exchange(pcct_context *context, const void *send, const int64_t *send_counts,
                          size_t size, int64_t *receive_counts, void **received, int64_t *total,
                          enum counter bytes_counter);

/* comm_exchange for ranks that send to few others: no message and no work for the others beyond a barrier. */
pcct_status comm_exchange_sparse(pcct_context *context, const void *send,
                                 const int64_t *send_counts, size_t size, int64_t *receive_counts,
                                 void **received, int64_t *total, enum counter bytes_counter);

/* comm_exchange where every rank knows what comes.
 *   receive_counts [in] [size of comm] what the others send to this rank */
pcct_status comm_exchange_known(pcct_context *context, const void *send, const int64_t *send_counts,
                                size_t size, const int64_t *receive_counts, void **received,
                                enum counter bytes_counter);

/* An exchange under way. */
struct comm_transfer {
  char *received;  /* records in rank order, once it is finished */
  int64_t *counts; /* [size of comm] records from each rank */
  int64_t total;   /* records from all */
  MPI_Request *requests;
  int pending;
};

/* comm_exchange in two steps: between them others may be started, and finished in any order.
 *   local    [in]  this rank's status so far: anything but PCCT_OK is agreed on and nothing is sent
 *   send     [in]  borrowed until comm_exchange_finish
 *   transfer [out] to be freed; empty on failure */
pcct_status comm_exchange_start(pcct_context *context, pcct_status local, const void *send,
                                const int64_t *send_counts, size_t size,
                                struct comm_transfer *transfer, enum counter bytes_counter);

/* Waits for it; an empty one is fine. */
void comm_exchange_finish(struct comm_transfer *transfer);

/* Finishes and frees it; an empty one is fine. */
void comm_transfer_free(struct comm_transfer *transfer);

/* Concatenates every rank's records on every rank, in rank order; otherwise as comm_exchange. */
pcct_status comm_gather_all(pcct_context *context, const void *send, int64_t count, size_t size,
                            void **received, int64_t *total);

/* Concatenates every rank's records on rank 0 alone; others get an empty array. */
pcct_status comm_gather_root(pcct_context *context, const void *send, int64_t count, size_t size,
                             void **received, int64_t *total);

/* Arrays that live once a node. */
struct comm_shared {
  MPI_Win window; /* MPI_WIN_NULL: nothing is shared */
};

/* Puts arrays that all ranks of a node hold alike into memory of the node, and frees theirs; small ones, and those of
 * a rank that is alone on its node, stay where they are. From then on nobody may write to them.
 *   arrays [in,out] [count] the pointers are set, those that are NULL stay; sizes must agree
 *   shared [out]    ended with comm_unshare
 * Collective. MPI's failure to get the memory ends the job. Cost: one window, one copy. */
void comm_share(pcct_context *context, const struct base_array *arrays, int count,
                struct comm_shared *shared);

/* Ends it: the pointers become NULL if they were shared. Collective. */
void comm_unshare(struct comm_shared *shared, const struct base_array *arrays, int count);

/* Rank 0's bytes to all; any length, the same on all ranks. */
void comm_broadcast(pcct_context *context, void *bytes, int64_t length);

#endif
