/* Farthest-first selection for AVX2. */
#include "walk/farthest_template.h"

const struct walk_farthest_engine walk_farthest_avx2 = {engine_blocker, engine_look, engine_lower,
                                                        engine_scan, engine_near};
