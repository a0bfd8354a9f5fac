/* The engine for AVX2. */
#include "walk/engine_template.h"

const struct walk_engine walk_engine_avx2 = {"avx2", engine_nearest, engine_group, engine_within,
                                             put_best};
