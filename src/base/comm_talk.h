/*
 * A talk: questions to a few ranks and their answers, while other work goes on.
 *
 * Questions leave at once, in messages that the asker makes; between pieces of its own work a rank polls: it answers
 * what has arrived, and takes the answers to its own. At the end everybody serves until nobody waits any more. No
 * rank hears of what others ask of others, and none waits for a rank that it does not ask.
 * Source of the end: the non-blocking consensus of Hoefler, Siebert and Lumsdaine, PPoPP 2010.
 */
#ifndef BASE_COMM_TALK_H
#define BASE_COMM_TALK_H

#include "base/comm.h"

/* What the asker and the answerer do. */
struct comm_talk_handlers {
  /* Answers a message.
   *   reply, reply_bytes [out] made with base_allocate and freed by the talk */
  pcct_status (*answer)(void *user, const void *question, int64_t bytes, void **reply,
                        int64_t *reply_bytes);
  /* Takes the answer to the question with this label. It may ask more. */
  pcct_status (*take)(void *user, int64_t label, const void *reply, int64_t bytes);
};

struct comm_talk;

/* Local. Errors: PCCT_MEMORY.
 *   handlers [in] borrowed, as user
 *   most     [in] bytes of a question or an answer at most, equal on all ranks, at most INT_MAX - 64 */
pcct_status comm_talk_create(pcct_context *context, const struct comm_talk_handlers *handlers,
                             void *user, int64_t most, enum counter bytes_counter,
                             struct comm_talk **talk);

/* Asks another rank.
 *   question [in] copied
 *   label    [in] comes back with the answer
 * Local. Errors: PCCT_MEMORY. Cost: one message there, one back. */
pcct_status comm_talk_ask(struct comm_talk *talk, int rank, const void *question, int64_t bytes,
                          int64_t label);

/* Answers and takes what has arrived. Local; never waits. Failures of handlers are remembered. */
void comm_talk_poll(struct comm_talk *talk);

/* Questions of this rank without an answer. Local. */
int64_t comm_talk_waiting(const struct comm_talk *talk);

/* Serves until nobody waits.
 *   status [in] of this rank so far: if it is not PCCT_OK, no handler is called any more
 *   more   [in] asks all that is still to be asked; called whenever something has arrived
 * Collective. Returns the status that all agree on, failures of handlers included. */
pcct_status comm_talk_finish(struct comm_talk *talk, pcct_status status,
                             pcct_status (*more)(void *user));

/* After comm_talk_finish, or if nobody has asked. Local. NULL and pointers to NULL are fine. */
void comm_talk_destroy(struct comm_talk **talk);

#endif
