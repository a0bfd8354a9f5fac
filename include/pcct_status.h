/*
 * Status codes, phase names and sources of settings, for code that must not need mpi.h. Included by
 * pcct.h.
 */
#ifndef PCCT_STATUS_H
#define PCCT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Status codes. They are also the exit codes of the program, on every rank.
 * X(name, value, meaning) */
#define PCCT_STATUS_LIST(X)                                                                        \
  X(PCCT_OK, 0, "success")                                                                         \
  X(PCCT_DIFFERENT, 1, "a verification found a difference")                                        \
  X(PCCT_USAGE, 2, "a wrong option or argument")                                                   \
  X(PCCT_INPUT, 3, "bad input: content, type, shape or values")                                    \
  X(PCCT_FILE, 4, "a file is missing, a directory, or cannot be opened, read or written")          \
  X(PCCT_MEMORY, 5, "out of memory")                                                               \
  X(PCCT_INTERNAL, 70, "an internal error of pcct")                                                \
  X(PCCT_STOPPED, 75, "stopped on request, with everything done so far kept for --resume")

typedef enum pcct_status {
#define PCCT_STATUS_ENUM(name, value, meaning) name = (value),
  PCCT_STATUS_LIST(PCCT_STATUS_ENUM)
#undef PCCT_STATUS_ENUM
} pcct_status;

/* The meaning of a status in a few words; never NULL. Local. */
const char *pcct_status_text(pcct_status status);

/* Phases in which an index and its queries spend their time. X(name) */
#define PCCT_PHASE_LIST(X)                                                                         \
  X(read) X(partition) X(build) X(finalise) X(merge) X(order) X(query) X(reorder) X(write) X(score)

typedef enum pcct_phase {
#define PCCT_PHASE_ENUM(name) PCCT_PHASE_##name,
  PCCT_PHASE_LIST(PCCT_PHASE_ENUM)
#undef PCCT_PHASE_ENUM
      PCCT_PHASE_COUNT
} pcct_phase;

/* Who can set a setting, by rising precedence. X(name, text) */
#define PCCT_SETTING_SOURCE_LIST(X)                                                                \
  X(PCCT_SET_BY_DEFAULT, "default")                                                                \
  X(PCCT_SET_BY_FILE, "file")                                                                      \
  X(PCCT_SET_BY_ENVIRONMENT, "environment")                                                        \
  X(PCCT_SET_BY_COMMAND_LINE, "command line")                                                      \
  X(PCCT_SET_BY_PROGRAM, "program")

typedef enum pcct_setting_source {
#define PCCT_SETTING_SOURCE_ENUM(name, text) name,
  PCCT_SETTING_SOURCE_LIST(PCCT_SETTING_SOURCE_ENUM)
#undef PCCT_SETTING_SOURCE_ENUM
} pcct_setting_source;

/* Room for the value of a setting as text, its terminating NUL included. */
#define PCCT_SETTING_VALUE_SIZE 48

#ifdef __cplusplus
}
#endif

#endif
