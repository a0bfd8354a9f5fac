/* Slabs of items. */
#include "dist/slab.h"

void pcct_slab(int64_t count, int rank, int size, int64_t *first, int64_t *number) {
  const int64_t share = count / size;
  const int64_t extra = count % size;
  *first = share * rank + (rank < extra ? rank : extra);
  *number = share + (rank < extra);
}

int dist_slab_owner(int64_t count, int size, int64_t i) {
  const int64_t share = count / size;
  const int64_t extra = count % size;
  return (int)(i < extra * (share + 1) ? i / (share + 1)
                                       : extra + (i - extra * (share + 1)) / share);
}
