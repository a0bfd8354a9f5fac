/* The options that choose a covariance function. */
#include "app/covariance_option.h"

#include <stdio.h>
#include <string.h>

pcct_status covariance_option_read(struct base *base, const struct covariance_options *options,
                                   struct covariance *covariance) {
  *covariance = (struct covariance){.kind = (enum covariance_kind)options->kind,
                                    .smoothness = options->smoothness.value,
                                    .variance = options->variance.value,
                                    .nugget = options->nugget.value};
  if (options->range.count == 0) {
    return base_fail(base, PCCT_USAGE,
                     "--range is missing; expected the covariance's range in the units of the "
                     "coordinates, e.g. --range 0.2");
  }
  if (!(covariance->variance > 0)) {
    return base_fail(base, PCCT_USAGE, "--variance expects a positive number, found %g",
                     covariance->variance);
  }
  return covariance_check(base, covariance);
}

void covariance_option_text(const struct covariance_options *options, char *text, size_t size) {
  static const char *const names[] = {"exponential", "matern", "squared-exponential"};
  size_t used = (size_t)snprintf(text, size, "%s", names[options->kind]);
  if (options->kind == COVARIANCE_MATERN && used < size) {
    used +=
        (size_t)snprintf(text + used, size - used, ", smoothness %.15g", options->smoothness.value);
  }
  if (used < size) {
    used += (size_t)snprintf(text + used, size - used, ", variance %.15g, nugget %.15g, range",
                             options->variance.value, options->nugget.value);
  }
  for (int j = 0; j < options->range.count && used < size; j++) {
    used += (size_t)snprintf(text + used, size - used, "%s%.15g", j > 0 ? "," : " ",
                             options->range.value[j]);
  }
}
