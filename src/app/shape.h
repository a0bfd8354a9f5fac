/*
 * Shapes of conditioning sets: what becomes of the m nearest predecessors.
 *
 *   prediction   a second file's points come after all observed ones; their sets hold observed points alone, any
 *                predecessors, or any with at least q observed ones
 *   groups       points of a smaller number in a column come before those of larger ones
 *   radius       predecessors within a factor times the point's length scale, the distance to its nearest
 *                predecessor; at least some
 *   mix          the last places go to predecessors far away: chosen at random, or the first of the ordering
 *   clusters     points of the same number in a column alone
 *
 * Rows come out by position as pcct_rows: nearest first, and behind them, nearest first, those of a mix.
 */
#ifndef APP_SHAPE_H
#define APP_SHAPE_H

#include "app/columns.h"
#include "app/ordered.h"

struct shape_options {
  const char *predict, *condition, *group, *mix, *clusters;
  struct option_number radius;
  int64_t least;
};

/* The options for the table of a subcommand whose struct of values has a member `shape`. */
#define SHAPE_OFFSET(values, member) offsetof(values, shape.member)
#define SHAPE_OPTIONS(values)                                                                      \
  {.name = "predict",                                                                              \
   .kind = OPTION_TEXT,                                                                            \
   .metavariable = "FILE",                                                                         \
   .help = "Points to be predicted: they come after all those of FILE, in the same ordering.",     \
   .offset = SHAPE_OFFSET(values, predict)},                                                       \
      {.name = "condition",                                                                        \
       .kind = OPTION_TEXT,                                                                        \
       .metavariable = "observed|all|at-least:Q",                                                  \
       .help = "With --predict, what sets of predicted points hold: observed points, all "         \
               "predecessors, or these with at least Q observed ones. Default: all.",              \
       .offset = SHAPE_OFFSET(values, condition)},                                                 \
      {.name = "group",                                                                            \
       .kind = OPTION_TEXT,                                                                        \
       .metavariable = "NAME",                                                                     \
       .help = "Column of /data with whole numbers from 0: points of smaller ones come first.",    \
       .offset = SHAPE_OFFSET(values, group)},                                                     \
      {.name = "radius-factor",                                                                    \
       .kind = OPTION_NUMBER,                                                                      \
       .metavariable = "RHO",                                                                      \
       .help = "Keep the predecessors within RHO times the point's length scale, which is the "    \
               "distance to its nearest predecessor; at most m.",                                  \
       .offset = SHAPE_OFFSET(values, radius)},                                                    \
      {.name = "least",                                                                            \
       .kind = OPTION_INTEGER,                                                                     \
       .metavariable = "N",                                                                        \
       .help = "With --radius-factor: keep at least N. Default: 1.",                               \
       .offset = SHAPE_OFFSET(values, least),                                                      \
       .minimum = 1,                                                                               \
       .maximum = INT32_MAX},                                                                      \
      {.name = "mix",                                                                              \
       .kind = OPTION_TEXT,                                                                        \
       .metavariable = "random:N|first:N",                                                         \
       .help = "N of the m predecessors are others than the nearest: chosen by --seed, or the "    \
               "first of the ordering.",                                                           \
       .offset = SHAPE_OFFSET(values, mix)},                                                       \
  {                                                                                                \
    .name = "clusters", .kind = OPTION_TEXT, .metavariable = "NAME",                               \
    .help = "Column of /data with whole numbers: sets hold points of the same one alone.",         \
    .offset = SHAPE_OFFSET(values, clusters)                                                       \
  }

enum shape_condition { SHAPE_ALL, SHAPE_OBSERVED, SHAPE_AT_LEAST };
enum shape_mix { SHAPE_NEAREST, SHAPE_RANDOM, SHAPE_FIRST };

/* What the words say. */
struct shape_rule {
  enum shape_condition condition;
  int64_t observed_least; /* AT_LEAST */
  enum shape_mix mix;
  int64_t mixed;
};

/* Reads the words of `condition` and `mix`; NULL: all, nearest. Local. Errors: PCCT_USAGE. */
pcct_status shape_parse(struct base *base, const char *condition, const char *mix,
                        struct shape_rule *rule);

/* The places of a mix: predecessors of `position` that are not among the `near` nearest.
 *   nearest [in]  [near]
 *   chosen  [out] [rule->mixed] in the order in which they are found
 * There are enough: position is above near + rule->mixed. Local. */
void shape_choose(const struct shape_rule *rule, uint64_t seed, int64_t position,
                  const int64_t *nearest, int64_t near, int64_t *chosen);

/* The shape of a run. */
struct shape {
  struct app *app;
  const struct shape_options *options;
  struct shape_rule rule;
  int64_t m, n, observed;
  struct ordered *ordered;
  pcct_index *sets;       /* whose conditioning sets are taken; ordered->index, or of clusters */
  pcct_index *within;     /* of clusters; NULL */
  double apart;           /* clusters: entries this far are of another one */
  pcct_index *seen;       /* of the observed points by position; NULL */
  struct columns columns; /* mix: search coordinates by position */
};

/* Refuses options that contradict each other. Local. Errors: PCCT_USAGE. */
pcct_status shape_check(struct app *app, const struct shape_options *options, int64_t m,
                        struct shape *shape);

/* Joins the points to be predicted, and reads groups into ordered->group. Between ordered_open and ordered_index.
 * Collective. Errors: as input_join; PCCT_INPUT (no such column, or not whole numbers). */
pcct_status shape_group(struct shape *shape, struct ordered *ordered);

/* Makes what rows need. After ordered_index, while its points are there.
 * Collective. Errors: as pcct_index_create. */
pcct_status shape_prepare(struct shape *shape);

/* The rows of a block of positions; like pcct_index_conditioning_sets. Blocks end where predictions begin.
 * Collective. */
pcct_status shape_rows(struct shape *shape, int64_t first, int64_t count, pcct_rows *rows);

/* Where a block that begins at `first` and would go on to `end` must end. Local. */
int64_t shape_end(const struct shape *shape, int64_t first, int64_t end);

/* Whether rows need the points' coordinates as they were read. Local. */
bool shape_needs_points(const struct shape *shape);

/* The shape as a text, "" if it is the plain one. Local. */
void shape_text(const struct shape *shape, char *text, size_t size);

/* Says it in the header of the output. Local. */
void shape_describe(const struct shape *shape, struct output_header *header);

void shape_free(struct shape *shape);

#endif
