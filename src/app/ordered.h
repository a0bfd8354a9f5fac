/*
 * What vecchia, build and append have in common: points with an ordering, and their index.
 */
#ifndef APP_ORDERED_H
#define APP_ORDERED_H

#include "app/ordering.h"
#include "app/stored.h"

struct ordered {
  struct app *app;
  struct search_options search; /* as given, or as a stored index says */
  const char *ordering_text;
  struct ordering_choice ordering;
  struct input *input;
  struct input *earlier; /* an output whose ordering this one takes over; NULL: none */
  struct stored stored;
  char hash[17];        /* of the input */
  int64_t *permutation; /* this rank's share of an ordering that is known already; NULL: none */
  int32_t *group;       /* this rank's share of the rows' groups; NULL: none */
  pcct_points points;   /* this rank's share of the rows; coordinates until they are released */
  pcct_index *index;
};

/* The option --ordering of a subcommand whose struct of values has this member. */
#define ORDERED_OPTION(values, member)                                                             \
  {                                                                                                \
    .name = "ordering", .kind = OPTION_TEXT, .metavariable = "ORDERING", .preset = "random",       \
    .help =                                                                                        \
        "One of none (as given), random, coordinate[:AXIS] (axes from 0), middleout, outsidein, "  \
        "hilbert, maximin[:first|:ROW] (farthest first, from the point nearest the mean, the "     \
        "first row or ROW), level (nested nets, within a factor of 2 of it), time[:AXIS] (by the " \
        "last coordinate, or AXIS), time-random[:AXIS], time-maximin[:AXIS] (among equal times "   \
        "by chance, or farthest first), file:/DATASET (position -> row, a dataset of FILE).",      \
    .offset = offsetof(values, member)                                                             \
  }

/* Opens the points, or a stored index, and checks what they say about the options.
 *   search, ordering [in] as given; borrowed
 *   ordered          [out] closed with ordered_close, on failure too
 * Collective. Errors: as search_open, search_check_dimension, stored_adopt. */
pcct_status ordered_open(struct app *app, const struct search_options *search, const char *ordering,
                         const char *path, struct ordered *ordered);

/* Hashes the file, unless that has been done. Collective. Errors: PCCT_FILE. */
pcct_status ordered_hash(struct ordered *ordered);

/* Reads the points and makes the index, or loads it.
 * Collective. Errors: as pcct_index_create, stored_load. */
pcct_status ordered_index(struct ordered *ordered);

/* Reads this rank's share of a permutation that the ordering names; NULL for other orderings.
 *   permutation [out] freed with base_free
 * Collective. Errors: as input_read_indices. */
pcct_status ordered_permutation(struct app *app, struct input *input,
                                const struct ordering_choice *ordering, int64_t **permutation);

/* The header of an output in this ordering, but for its kind. Local. */
struct output_header ordered_header(const struct ordered *ordered, int64_t width);

/* Where the length scales come from that the index itself does not have: the stored one, or NULL. Local. */
struct input *ordered_length_scales(const struct ordered *ordered);

/* Closes and frees everything. Collective. */
void ordered_close(struct ordered *ordered);

#endif
