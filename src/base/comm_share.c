/* Memory that the ranks of a node share. */
#include "base/comm.h"

#include <string.h>

/* Arrays lie on cache lines of their own. */
static int64_t room_for(const struct base_array *array) {
  return (array->bytes + BASE_APART - 1) / BASE_APART * BASE_APART;
}

void comm_share(pcct_context *context, const struct base_array *arrays, int count,
                struct comm_shared *shared) {
  int64_t bytes = 0;
  int rank = 0;
  int size = 1;
  *shared = (struct comm_shared){MPI_WIN_NULL};
  for (int i = 0; i < count; i++) {
    bytes += room_for(&arrays[i]);
  }
  MPI_Comm_rank(context->node, &rank);
  MPI_Comm_size(context->node, &size);
  if (size == 1 || bytes < context->share_bytes) { /* the same on all ranks of the node */
    return;
  }
  void *memory = NULL;
  MPI_Aint found = 0;
  int unit = 0;
  MPI_Win_allocate_shared(rank == 0 ? (MPI_Aint)(bytes + BASE_APART) : 0, 1, MPI_INFO_NULL,
                          context->node, &memory, &shared->window);
  MPI_Win_shared_query(shared->window, 0, &found, &unit, &memory);
  char *at = memory;
  at += (BASE_APART - (uintptr_t)at % BASE_APART) % BASE_APART;
  MPI_Win_fence(0, shared->window);
  for (int i = 0; i < count; i++) {
    if (*arrays[i].pointer) {
      if (rank == 0) {
        memcpy(at, *arrays[i].pointer, (size_t)arrays[i].bytes);
      }
      base_free(*arrays[i].pointer);
      *arrays[i].pointer = at;
      at += room_for(&arrays[i]);
    }
  }
  MPI_Win_fence(0, shared->window);
}

void comm_unshare(struct comm_shared *shared, const struct base_array *arrays, int count) {
  if (shared->window != MPI_WIN_NULL) {
    for (int i = 0; i < count; i++) {
      *arrays[i].pointer = NULL;
    }
    MPI_Win_free(&shared->window);
  }
}
