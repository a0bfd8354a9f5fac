/* Farthest-first selection for any machine. */
#define WALK_PLAIN
#include "walk/farthest_template.h"

const struct walk_farthest_engine walk_farthest_plain = {engine_blocker, engine_look, engine_lower,
                                                         engine_scan, engine_near};
