/*
 * Counters of work: what tests bound and reports print. Never seconds.
 */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

/* X(name): sums over threads; reduced over ranks as sum and maximum */
#define COUNTER_LIST(X)                                                                            \
  X(points)                /* points in the local trees */                                         \
  X(duplicates)            /* points in duplicate buckets */                                       \
  X(batches)               /* insertion batches */                                                 \
  X(batch_pairs)           /* directed edges of all conflict graphs */                             \
  X(pairs_per_level_max)   /* directed edges of the largest conflict graph: bounds every level */  \
  X(scope_groups)          /* scope groups of all batches */                                       \
  X(scope_groups_unique)   /* distinct ones among them */                                          \
  X(scope_group_largest)   /* points of the largest scope group */                                 \
  X(batches_halved)        /* times the pairs budget halved a batch */                             \
  X(single_insertions)     /* nodes of degenerate batches, inserted one by one */                  \
  X(mis_rounds)            /* rounds of independent-set selection */                               \
  X(redistributions)       /* times a batch point went below a chosen one */                       \
  X(build_distances)       /* kernel evaluations while building */                                 \
  X(tree_nodes)            /* nodes of the local trees */                                          \
  X(view_nodes)            /* nodes of the finalised views */                                      \
  X(view_leaves)           /* leaves of the finalised views */                                     \
  X(queries)               /* queries answered at home */                                          \
  X(query_distances)       /* kernel evaluations of the walkers */                                 \
  X(query_nodes)           /* view nodes whose children were tested */                             \
  X(query_leaves)          /* leaves of views that were scanned */                                 \
  X(queries_forwarded)     /* queries that left their home rank */                                 \
  X(forwards)              /* (query, rank) pairs sent */                                          \
  X(ranks_contacted_max)   /* most ranks that one query went to, its home included */              \
  X(candidates_returned)   /* candidates that came back */                                         \
  X(ordering_rounds)       /* rounds in which an ordering by growing nets selected points */       \
  X(ordering_selected_max) /* most points that one of them selected, over all ranks */             \
  X(ordering_distances)    /* kernel evaluations of such an ordering */                            \
  X(directory_regions)     /* regions this rank contributes to the merged top */                   \
  X(messages)              /* point-to-point messages sent to other ranks */                       \
  X(bytes_partition)       /* bytes sent: points to their parts */                                 \
  X(bytes_order)           /* bytes sent: keys and positions */                                    \
  X(bytes_directory)       /* bytes sent: regions of groups of ranks */                            \
  X(bytes_query)           /* bytes sent: forwarded queries and answers */                         \
  X(bytes_reorder)         /* bytes sent: rows and per-row data into output order */

/* X(name): stages of building, whose seconds struct base sums up for benchmarks */
#define STAGE_LIST(X)                                                                              \
  X(order)     /* insertion order */                                                               \
  X(frame)     /* freezing the tree so far */                                                      \
  X(scope)     /* nearest covering nodes, buckets */                                               \
  X(adjacency) /* candidate pairs */                                                               \
  X(csr)       /* assembly of conflict graphs */                                                   \
  X(mis)       /* independent sets */                                                              \
  X(insert)    /* insertion and redistribution */                                                  \
  X(whole)     /* the frame of the whole tree */                                                   \
  X(shape)     /* structure of the views */                                                        \
  X(cut)       /* cuts of buckets by coordinates */                                                \
  X(fill)      /* blocks and bounds of the views */

enum stage {
#define STAGE_ENUM(name) STAGE_##name,
  STAGE_LIST(STAGE_ENUM)
#undef STAGE_ENUM
      STAGE_COUNT
};

enum counter {
#define COUNTER_ENUM(name) COUNTER_##name,
  COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
      COUNTER_COUNT
};

#endif
