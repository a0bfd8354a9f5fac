/*
 * Settings: the knobs of the engine. Nothing needs setting; no answer depends on any of them.
 *
 * Every struct base carries a struct settings, which starts with the defaults. The engine reads its
 * members directly, as in base->settings.leaf_size. Values come in as texts, from a file, the
 * environment, the command line or a program, all through settings_set; of several sources the one
 * that stands last in PCCT_SETTING_SOURCE_LIST wins, whatever the order of the calls.
 *
 * A new setting is one line of SETTINGS_LIST (and, for a choice, its enumeration): names, --help,
 * reports, the environment and the file follow from it.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "pcct_status.h"

#include <stddef.h>
#include <stdint.h>

struct base;

/* All settings. The member of an integer is an int64_t, that of a choice an int: the place in the
 * list of its names.
 * CHOICE(member, name, names, default, help)
 * INTEGER(member, name, smallest, largest, default, help) */
#define SETTINGS_LIST(CHOICE, INTEGER)                                                             \
  CHOICE(profile, "profile", "fast-build|fast-query|audit", "fast-build",                          \
         "Trees that are built fast, trees cut by coordinates from the top, which answer faster "  \
         "in 3-D, or trees that are checked after every batch.")                                   \
  CHOICE(conflict_graph, "conflict-graph", "auto|dense|segmented|grid", "auto",                    \
         "How the conflicts inside a batch are found; auto decides by the batch.")                 \
  INTEGER(pairs_budget, "pairs-budget", 1, 2147483646, 6000000,                                    \
          "Directed pairs that a batch's conflict graph may have; a batch with more is halved.")   \
  INTEGER(batch_cap, "batch-cap", 0, 2147483647, 0, "Points that a batch may have; 0: automatic.") \
  INTEGER(scope_chunk_target, "scope-chunk-target", 1, 2147483647, 65536,                          \
          "Scope entries that are expanded at once.")                                              \
  CHOICE(scope_segment_dedup, "scope-segment-dedup", "off|on", "on",                               \
         "Whether equal scopes are expanded once.")                                                \
  INTEGER(frontier_dense_threshold, "frontier-dense-threshold", 0, 2147483647, 512,                \
          "Open points below which a search scans them all without further tests.")                \
  INTEGER(leaf_size, "leaf-size", 0, 2147483647, 0,                                                \
          "Points that a node's bucket may hold; 1: every point is a node; 0: automatic.")         \
  INTEGER(directory_regions, "directory-regions", 1, 2147483647, 4096,                             \
          "Regions of the merged top that every rank holds at most; beyond 8 a rank, ranks are "   \
          "grouped.")                                                                              \
  CHOICE(diagnostics, "diagnostics", "off|on", "off",                                              \
         "Whether every batch prints a line on stderr.")                                           \
  CHOICE(log_level, "log-level", "error|warning|info|debug", "warning",                            \
         "How much goes to stderr: errors alone; also warnings and progress; also parameters "     \
         "and counters; everything.")                                                              \
  CHOICE(isa, "isa", "auto|avx512|avx2|plain", "auto",                                             \
         "Instruction set of the searches; auto takes the best of the machine.")

/* The names of the choices, by place. */
enum settings_profile {
  SETTINGS_PROFILE_FAST_BUILD = 0,
  SETTINGS_PROFILE_FAST_QUERY,
  SETTINGS_PROFILE_AUDIT
};
enum settings_conflict_graph {
  SETTINGS_CONFLICT_AUTO = 0,
  SETTINGS_CONFLICT_DENSE,
  SETTINGS_CONFLICT_SEGMENTED,
  SETTINGS_CONFLICT_GRID
};
enum settings_switch { SETTINGS_OFF = 0, SETTINGS_ON };
enum settings_log_level {
  SETTINGS_LOG_ERROR = 0,
  SETTINGS_LOG_WARNING,
  SETTINGS_LOG_INFO,
  SETTINGS_LOG_DEBUG
};
enum settings_isa {
  SETTINGS_ISA_AUTO = 0,
  SETTINGS_ISA_AVX512,
  SETTINGS_ISA_AVX2,
  SETTINGS_ISA_PLAIN
};

/* A setting's place in the list. */
enum setting {
#define SETTINGS_ENUM_CHOICE(member, name, names, preset, help) SETTING_##member,
#define SETTINGS_ENUM_INTEGER(member, name, smallest, largest, preset, help) SETTING_##member,
  SETTINGS_LIST(SETTINGS_ENUM_CHOICE, SETTINGS_ENUM_INTEGER)
#undef SETTINGS_ENUM_CHOICE
#undef SETTINGS_ENUM_INTEGER
      SETTINGS_COUNT
};

/* Plain values, all of them in range. */
struct settings {
#define SETTINGS_MEMBER_CHOICE(member, name, names, preset, help) int member;
#define SETTINGS_MEMBER_INTEGER(member, name, smallest, largest, preset, help) int64_t member;
  SETTINGS_LIST(SETTINGS_MEMBER_CHOICE, SETTINGS_MEMBER_INTEGER)
#undef SETTINGS_MEMBER_CHOICE
#undef SETTINGS_MEMBER_INTEGER
  unsigned char source[SETTINGS_COUNT]; /* enum pcct_setting_source of each */
};

/* Room for a value as text. */
#define SETTINGS_TEXT_SIZE PCCT_SETTING_VALUE_SIZE

/* What is known of a setting apart from its value. */
struct settings_entry {
  const char *name;  /* e.g. "leaf-size" */
  const char *names; /* of a choice: "a|b|c"; NULL: an integer */
  int64_t smallest, largest;
  const char *preset; /* the default as text */
  const char *help;   /* one sentence without the default */
  size_t offset;      /* of the value in struct settings */
};

/* Everything here is Local. */

/* The default of every setting. */
struct settings settings_default(void);

/* The entry at a place in the list. */
const struct settings_entry *settings_entry(enum setting place);

/* The place of the setting of a name, or -1. */
int settings_find(const char *name);

/* Writes the name of a setting's environment variable, e.g. "PCCT_LEAF_SIZE".
 *   text [out] [SETTINGS_TEXT_SIZE] */
void settings_variable(enum setting place, char *text);

/* Checks a value and stores it, unless a source of higher precedence has set this one already; of the
 * same source the last counts.
 *   settings [in,out] unchanged on failure
 *   name     [in] e.g. "leaf-size"
 *   value    [in] one of the names of a choice, or digits
 *   source   [in] who sets it
 *   label    [in] how a message calls what has the value, e.g. "--leaf-size"; NULL: the setting's name
 * Errors: PCCT_USAGE: no such setting (with the one that was meant), or a bad value. */
pcct_status settings_set(struct base *base, struct settings *settings, const char *name,
                         const char *value, enum pcct_setting_source source, const char *label);

/* Records the message for a name that is none, with the one that was meant, and returns PCCT_USAGE.
 *   label [in] the place where the name stands, e.g. "engine.conf:3"; NULL: not said */
pcct_status settings_fail_name(struct base *base, const char *name, const char *label);

/* A value as the text that would set it.
 *   text [out] [SETTINGS_TEXT_SIZE] */
void settings_text(const struct settings *settings, enum setting place, char *text);

/* The name of a source, e.g. "command line". */
const char *settings_source_name(enum pcct_setting_source source);

/* Sets what the variables of an environment say. Empty ones count as not there. Variables whose names
 * do not start with PCCT_ are passed over, those that belong to the program or its job scripts too;
 * any other without a setting is a warning in the log, with the variable that was meant.
 *   variables, size [in] "NAME=value" texts, each with its terminating NUL, one after the other; size
 *                   counts all bytes
 * Errors: PCCT_USAGE (a bad value; the message names the variable). */
pcct_status settings_set_from_variables(struct base *base, struct settings *settings,
                                        const char *variables, int64_t size);

#endif
