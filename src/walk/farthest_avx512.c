/* Farthest-first selection for AVX-512. */
#include "walk/farthest_template.h"

const struct walk_farthest_engine walk_farthest_avx512 = {engine_blocker, engine_look, engine_lower,
                                                          engine_scan, engine_near};
