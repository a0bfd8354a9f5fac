/*
 * Engines: the walkers as compiled for one instruction set, and the working memory of a thread that runs
 * them. Private to walk: others use self.h, sweep.h and range.h.
 *
 * A walker searches a view for the k best points of one query (nearest), or for those of a group of up to
 * WALK_GROUP queries near each other, which share one look at the tree (group). Candidates are appended
 * to a buffer as they pass the bound; when it is full the k best are selected and the bound tightens.
 * Bounds taken over from other queries rest on the triangle inequality, rounded outward. The answers do
 * not depend on any of this: they are the k smallest by (kernel value, position).
 */
#ifndef WALK_ENGINE_H
#define WALK_ENGINE_H

#include "tree/view.h"
#include "walk/rows.h"

enum {
  WALK_GROUP = VIEW_LEAF, /* queries of a group */
  WALK_AXES = 64,         /* largest dimension */
  WALK_CANDIDATES = 4096, /* leaves that a group may have within reach */
  WALK_SMALL = 32,        /* k up to which candidates are sorted in registers */
  WALK_RUN = 16,          /* blocks that are scanned together, and up to 7 more */
  WALK_SPARSE = 5,        /* axes from which on most blocks hold no candidate */
  WALK_SHADOW_SHARE = 50, /* queries for each of as many points are worth a shadow */
  WALK_PARALLEL =
      128,         /* foreign queries from which on all threads answer: each takes microseconds */
  WALK_WINDOW = 12 /* solved queries that a single one looks at for its first bound */
};

/* One query: it sees the points of position below its limit but for the excluded one, and those alone
 * that come no later than (cutoff, cutoff_position) in the order by (kernel value, position). */
struct walk_query {
  const double *point;     /* search coordinates */
  int64_t limit;           /* INT64_MAX: all */
  int64_t excluded;        /* -1: none */
  double cutoff;           /* inclusive; +inf: none */
  int64_t cutoff_position; /* INT64_MAX: every position counts at the cut-off */
};

/* Queries that are answered together. */
struct walk_group {
  const double *blocks; /* [block_count][dimension][VIEW_WIDTH] their points, padded with +inf */
  int block_count;
  int count;                 /* points; not all of them need be queries */
  local_index leaf;          /* the leaf these points are, -1: foreign points */
  uint64_t asked;            /* bit i: point i is a query */
  int predecessors;          /* a leaf: queries see smaller positions, not: all but themselves */
  int limited;               /* limit counts */
  int64_t floor;             /* no limit is below it */
  int64_t limit[WALK_GROUP]; /* ascending */
  int64_t row[WALK_GROUP];
  double cutoff[WALK_GROUP];
  int64_t cutoff_position[WALK_GROUP];
};

/* A child code with the smallest kernel value and position anything below it may have. */
struct walk_pending {
  double bound;
  int64_t smallest;
  local_index code;
};

/* A solved query: k admissible points lie within radius of it. */
struct walk_solved {
  double point[WALK_AXES];
  int64_t limit;
  double radius;
};

/* The points of a view once more, in single precision: a first look that takes half the memory. Values are
 * (x - origin) * scale, at most 1 in magnitude. */
struct walk_shadow {
  float *
      pairs; /* [(blocks + 1) / 2][dimension][2 VIEW_WIDTH], two blocks each; NULL: there is none */
  double origin[WALK_AXES];
  double scale; /* a power of two */
};

/* Leaves within reach of a group; arrays have room for WALK_CANDIDATES + VIEW_WIDTH. */
struct walk_leaves {
  double *box;  /* [2 * dimension][room] lower and upper bounds by axis */
  double *near; /* [room] kernel value that no query of the group comes nearer than; sorted: to this
                        and all later leaves */
  local_index *code;           /* [room] collected: child codes */
  local_index *first, *blocks; /* [room] sorted: first block, number of blocks */
  int64_t *position;           /* [room][VIEW_WIDTH] sorted: first positions of the blocks */
};

struct walk_engine;

/* Working memory of one thread. */
struct walker {
  const struct walk_engine *engine;
  const struct view *view;
  const struct walk_shadow *shadow; /* NULL: there is none */
  struct walk_shadow made;          /* the first thread's, which all share */
  int64_t k;                        /* wanted by the running search */
  int64_t most;                     /* largest k there is room for */
  int64_t dense;                    /* points up to which everything is scanned without tests */
  /* The buffer: candidates within the bound, in no order. */
  double *value;  /* [capacity] kernel values */
  uint32_t *slot; /* [capacity] places in the view: block * VIEW_WIDTH + lane */
  int64_t count, capacity;
  int64_t flush;          /* more than that many and they are selected */
  int slot_bits;          /* bits of a key that tell the place in the buffer */
  double bound;           /* kernel value that candidates do not exceed; at most DBL_MAX */
  int64_t bound_position; /* largest position that counts at the bound */
  /* Result of a selection, sorted. */
  double *best_value;  /* [capacity] */
  uint32_t *best_slot; /* [capacity] */
  int64_t best_count;
  int32_t *key;            /* [capacity] */
  uint32_t *place, *spare; /* [capacity] places in the buffer */
  /* Single searches. */
  struct walk_pending *stack;
  struct walk_solved solved[WALK_WINDOW];
  int solved_count, solved_next;
  /* Groups. */
  struct walk_leaves collected;  /* in the order of the tree */
  struct walk_leaves candidates; /* by distance from the group's centre */
  double *distance;              /* [WALK_CANDIDATES + 2 VIEW_WIDTH] from the centre */
  int32_t *order;                /* [WALK_CANDIDATES + 2 VIEW_WIDTH] keys of these */
  double *own;                   /* [WALK_GROUP] kernel values to the group's points */
  struct candidate *found;       /* [2][most] candidates that several queries share */
  double previous[WALK_AXES];    /* centre of the group before */
  double
      previous_radius; /* its k + 1 nearest points of position below previous_floor are within; or +inf */
  int64_t previous_floor;
  /* Work done. */
  int64_t distances, nodes, leaves;
} __attribute__((aligned(BASE_APART)));

enum walk_group_result {
  WALK_GROUP_DONE,
  WALK_GROUP_COINCIDENT, /* all points at one location: nothing was done */
  WALK_GROUP_TOO_WIDE    /* too many leaves within reach: nothing was done */
};

/* What one instruction set offers. */
struct walk_engine {
  const char *name;
  /* Leaves the at most k best in best_value, best_slot, best_count. */
  void (*nearest)(struct walker *walker, const struct walk_query *query, int64_t k);
  /* Answers a group into its rows. */
  enum walk_group_result (*group)(struct walker *walker, const struct walk_group *group, int64_t k,
                                  const struct walk_rows *rows);
  /* Number of points with kernel values up to the query's cut-off; where candidates is not NULL they are
   * written there, in no order. */
  int64_t (*within)(struct walker *walker, const struct walk_query *query,
                    struct candidate *candidates);
  /* Writes the result of the last search into a row. */
  void (*put)(struct walker *walker, const struct walk_rows *rows, int64_t row);
};

extern const struct walk_engine walk_engine_plain;
#if defined(__x86_64__)
extern const struct walk_engine walk_engine_avx2;
extern const struct walk_engine walk_engine_avx512;
#endif

/* The engine that the setting isa asks for.
 * Errors: PCCT_USAGE: this machine does not have it. */
pcct_status walk_engine_choose(struct base *base, const struct walk_engine **engine);

/* Walkers for all threads of base, for up to k neighbours.
 *   queries [in]  how many are expected
 *   walkers [out] [base->threads], owned by the caller; NULL on failure
 * Errors: PCCT_USAGE, PCCT_MEMORY. */
pcct_status walkers_create(struct base *base, const struct view *view, int64_t queries, int64_t k,
                           struct walker **walkers);

/* Points them at another view of the same metric. Errors: PCCT_MEMORY. */
pcct_status walkers_look_at(struct base *base, struct walker *walkers, const struct view *view,
                            int64_t queries);

/* Frees them and charges their work to the counters. NULL and pointers to NULL are fine. */
void walkers_destroy(struct base *base, struct walker **walkers);

/* Forgets solved queries: a new run of neighbouring ones starts. */
void walker_restart(struct walker *walker);

/* Answers one query into a row, its first bound taken from those solved before. */
void walker_answer(struct walker *walker, const struct walk_query *query, int64_t k,
                   const struct walk_rows *rows, int64_t row);

/* Answers the queries of a group one after the other. */
void walker_answer_singly(struct walker *walker, const struct walk_group *group, int64_t k,
                          const struct walk_rows *rows);

/* Answers them together, or singly where that does not serve. */
void walker_answer_group(struct walker *walker, const struct walk_group *group, int64_t k,
                         const struct walk_rows *rows);

#endif
