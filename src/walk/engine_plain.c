/* The engine for any machine. */
#define WALK_PLAIN
#include "walk/engine_template.h"

const struct walk_engine walk_engine_plain = {"plain", engine_nearest, engine_group, engine_within,
                                              put_best};
