/*
 * The context's public half: creation, messages, and what all ranks measured.
 */
#include "base/comm.h"

#include <stdlib.h>

#define PIECE_BYTES (INT64_C(1) << 30)
#define SHARE_BYTES (INT64_C(1) << 20)

pcct_status pcct_context_create(MPI_Comm comm, int threads, pcct_context **context) {
  *context = NULL;
  pcct_context *created = calloc(1, sizeof *created);
  int failure = threads < 0 ? PCCT_USAGE : created ? PCCT_OK : PCCT_MEMORY;
  int agreed = PCCT_OK;
  MPI_Allreduce(&failure, &agreed, 1, MPI_INT, MPI_MAX, comm);
  if (agreed != PCCT_OK) {
    free(created);
    return (pcct_status)agreed;
  }
  base_init(&created->base, threads);
  MPI_Comm_dup(comm, &created->comm);
  /* Ranks that cannot communicate cannot agree on a failure either; a caller's handler that returns
   * would let wrong results through, for nothing here looks at what MPI returns. */
  MPI_Comm_set_errhandler(created->comm, MPI_ERRORS_ARE_FATAL);
  MPI_Comm_rank(created->comm, &created->rank);
  MPI_Comm_size(created->comm, &created->size);
  MPI_Comm_split_type(created->comm, MPI_COMM_TYPE_SHARED, created->rank, MPI_INFO_NULL,
                      &created->node);
  created->piece_bytes = PIECE_BYTES;
  created->share_bytes = SHARE_BYTES;
  *context = created;
  return PCCT_OK;
}

void pcct_context_destroy(pcct_context **context) {
  if (context && *context) {
    MPI_Comm_free(&(*context)->node);
    MPI_Comm_free(&(*context)->comm);
    free(*context);
    *context = NULL;
  }
}

const char *pcct_context_message(const pcct_context *context) {
  return context->base.message;
}

void pcct_context_set_progress(pcct_context *context, pcct_progress progress, void *user) {
  context->base.progress = context->rank == 0 ? progress : NULL;
  context->base.progress_user = user;
}

void pcct_context_enter_phase(pcct_context *context, pcct_phase phase) {
  base_enter_phase(&context->base, phase);
}

pcct_status pcct_context_phases(pcct_context *context, pcct_phase_seconds *phases, int *count,
                                double *total) {
  static const char *const names[PCCT_PHASE_COUNT] = {
#define PHASE_NAME(name) #name,
      PCCT_PHASE_LIST(PHASE_NAME)
#undef PHASE_NAME
  };
  struct base *base = &context->base;
  base_enter_phase(base, (pcct_phase)base->phase); /* charges the running phase up to now */

  int order[PCCT_PHASE_COUNT + 1]; /* rank 0's, and how many */
  for (int i = 0; i < PCCT_PHASE_COUNT; i++) {
    order[i] = base->phase_order[i];
  }
  order[PCCT_PHASE_COUNT] = base->phase_entered;
  MPI_Bcast(order, PCCT_PHASE_COUNT + 1, MPI_INT, 0, context->comm);

  double sums[PCCT_PHASE_COUNT], smallest[PCCT_PHASE_COUNT];
  struct {
    double seconds;
    int rank;
  } own[PCCT_PHASE_COUNT], largest[PCCT_PHASE_COUNT];
  for (int i = 0; i < PCCT_PHASE_COUNT; i++) {
    own[i].seconds = base->seconds[i];
    own[i].rank = context->rank;
  }
  MPI_Allreduce(base->seconds, sums, PCCT_PHASE_COUNT, MPI_DOUBLE, MPI_SUM, context->comm);
  MPI_Allreduce(base->seconds, smallest, PCCT_PHASE_COUNT, MPI_DOUBLE, MPI_MIN, context->comm);
  MPI_Allreduce(own, largest, PCCT_PHASE_COUNT, MPI_DOUBLE_INT, MPI_MAXLOC, context->comm);
  for (int i = 0; i < order[PCCT_PHASE_COUNT]; i++) {
    int phase = order[i];
    phases[i] = (pcct_phase_seconds){.name = names[phase],
                                     .min = smallest[phase],
                                     .mean = sums[phase] / context->size,
                                     .max = largest[phase].seconds,
                                     .max_rank = largest[phase].rank};
  }
  *count = order[PCCT_PHASE_COUNT];

  if (total) {
    double elapsed = base->entered - base->created;
    MPI_Allreduce(&elapsed, total, 1, MPI_DOUBLE, MPI_MAX, context->comm);
  }
  return PCCT_OK;
}

int pcct_counter_count(void) {
  return COUNTER_COUNT;
}

pcct_status pcct_context_counters(pcct_context *context, pcct_counter *counters) {
  static const char *const names[COUNTER_COUNT] = {
#define COUNTER_NAME(name) #name,
      COUNTER_LIST(COUNTER_NAME)
#undef COUNTER_NAME
  };
  _Static_assert(sizeof(long) == sizeof(int64_t), "MPI_LONG_INT carries an int64_t");
  int64_t sums[COUNTER_COUNT];
  struct {
    long value;
    int rank;
  } own[COUNTER_COUNT], largest[COUNTER_COUNT];
  for (int i = 0; i < COUNTER_COUNT; i++) {
    own[i].value = context->base.counters[i];
    own[i].rank = context->rank;
  }
  MPI_Allreduce(context->base.counters, sums, COUNTER_COUNT, MPI_INT64_T, MPI_SUM, context->comm);
  MPI_Allreduce(own, largest, COUNTER_COUNT, MPI_LONG_INT, MPI_MAXLOC, context->comm);
  for (int i = 0; i < COUNTER_COUNT; i++) {
    counters[i] = (pcct_counter){
        .name = names[i], .sum = sums[i], .max = largest[i].value, .max_rank = largest[i].rank};
  }
  return PCCT_OK;
}
