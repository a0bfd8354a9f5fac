/*
 * The options that choose a covariance function.
 */
#ifndef APP_COVARIANCE_OPTION_H
#define APP_COVARIANCE_OPTION_H

#include "app/options.h"
#include "vecchia/covariance.h"

struct covariance_options {
  int kind; /* enum covariance_kind */
  struct option_number smoothness, variance, nugget;
  struct option_numbers range;
};

/* The options for the table of a subcommand whose struct of values has a member `covariance`. */
#define COVARIANCE_OFFSET(values, member) offsetof(values, covariance.member)
#define COVARIANCE_OPTIONS(values)                                                                 \
  {.name = "covariance",                                                                           \
   .kind = OPTION_CHOICE,                                                                          \
   .preset = "exponential",                                                                        \
   .choices = "exponential|matern|squared-exponential",                                            \
   .help = "Covariance function of r, the distance of points whose coordinates are divided by "    \
           "their ranges: exp(-r), Matern, or exp(-r^2 / 2).",                                     \
   .offset = COVARIANCE_OFFSET(values, kind)},                                                     \
      {.name = "smoothness",                                                                       \
       .kind = OPTION_NUMBER,                                                                      \
       .metavariable = "NU",                                                                       \
       .preset = "0.5",                                                                            \
       .help = "Of the Matern covariance, of sqrt(2 NU) r: 0.5, 1.5 or 2.5; any other with GSL.",  \
       .offset = COVARIANCE_OFFSET(values, smoothness)},                                           \
      {.name = "variance",                                                                         \
       .kind = OPTION_NUMBER,                                                                      \
       .metavariable = "V",                                                                        \
       .preset = "1",                                                                              \
       .help = "The covariance at distance 0, without the nugget.",                                \
       .offset = COVARIANCE_OFFSET(values, variance)},                                             \
      {.name = "range",                                                                            \
       .kind = OPTION_NUMBERS,                                                                     \
       .metavariable = "R,...",                                                                    \
       .help = "Range in the units of the coordinates, one for all or one for each; of lonlat "    \
               "points one, in km, for chords through the Earth.",                                 \
       .offset = COVARIANCE_OFFSET(values, range)},                                                \
  {                                                                                                \
    .name = "nugget", .kind = OPTION_NUMBER, .metavariable = "T", .preset = "0",                   \
    .help = "Variance of independent noise, added to the diagonal.",                               \
    .offset = COVARIANCE_OFFSET(values, nugget)                                                    \
  }

/* Reads them. Local. Errors: PCCT_USAGE (no range, a variance of 0, a smoothness without a function). */
pcct_status covariance_option_read(struct base *base, const struct covariance_options *options,
                                   struct covariance *covariance);

/* Says it in a line.
 *   text [out] [size] */
void covariance_option_text(const struct covariance_options *options, char *text, size_t size);

#endif
