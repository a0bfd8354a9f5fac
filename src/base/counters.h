/*
 * Counters of work: what tests bound and reports print. Never seconds.
 */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

/* X(name): sums over threads; reduced over ranks as sum and maximum */
#define COUNTER_LIST(X)                                                                            \
  X(points)              /* points in the local trees */                                           \
  X(duplicates)          /* points in duplicate buckets */                                         \
  X(batches)             /* insertion batches */                                                   \
  X(batch_pairs)         /* directed edges of all conflict graphs */                               \
  X(batch_pairs_max)     /* directed edges of the largest conflict graph */                        \
  X(mis_rounds)          /* rounds of independent-set selection */                                 \
  X(build_distances)     /* kernel evaluations while building */                                   \
  X(view_nodes)          /* nodes of the finalised views */                                        \
  X(queries)             /* queries answered at home */                                            \
  X(query_distances)     /* kernel evaluations of the walkers */                                   \
  X(query_nodes)         /* view nodes whose children were tested */                               \
  X(queries_forwarded)   /* queries that left their home rank */                                   \
  X(forwards)            /* (query, rank) pairs sent */                                            \
  X(candidates_returned) /* candidates that came back */                                           \
  X(directory_regions)   /* regions this rank contributes to the merged top */                     \
  X(messages)            /* point-to-point messages sent to other ranks */                         \
  X(bytes_partition)     /* bytes sent: points to their parts */                                   \
  X(bytes_order)         /* bytes sent: keys and positions */                                      \
  X(bytes_query)         /* bytes sent: forwarded queries and answers */                           \
  X(bytes_reorder)       /* bytes sent: rows and per-row data into output order */

enum counter {
#define COUNTER_ENUM(name) COUNTER_##name,
  COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
      COUNTER_COUNT
};

#endif
