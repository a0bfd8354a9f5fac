/*
 * For unit tests under MPI: checks whose verdict is the same on every rank, so that a failure on one rank
 * fails the test everywhere instead of leaving the others waiting.
 */
#ifndef TEST_BASE_RANKS_H
#define TEST_BASE_RANKS_H

#include "base/comm.h"

#include <stdbool.h>
#include <string.h>

/* Whether every rank's condition holds. Collective. */
static inline bool on_all_ranks(pcct_context *context, bool holds) {
  return comm_min(context, holds) == 1;
}

/* Whether the status is the expected one and, for failures, the message is one text on all ranks.
 * Collective. */
static inline bool agreed_status(pcct_context *context, pcct_status status, pcct_status expected) {
  char text[BASE_MESSAGE_SIZE];
  memcpy(text, context->base.message, sizeof text);
  comm_broadcast(context, text, BASE_MESSAGE_SIZE);
  bool same = strcmp(text, context->base.message) == 0 && (expected == PCCT_OK || text[0] != '\0');
  return on_all_ranks(context, status == expected && same);
}

#endif
