/* The engine for AVX-512. */
#include "walk/engine_template.h"

const struct walk_engine walk_engine_avx512 = {"avx512", engine_nearest, engine_group,
                                               engine_within, put_best};
