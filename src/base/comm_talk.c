/* Questions and answers between few ranks. */
#include "base/comm_talk.h"

#include <string.h>

enum { TAG_QUESTION = 2, TAG_ANSWER = 3 };

/* Before every message. */
struct header {
  int64_t label;
  int64_t failed; /* answers: 1: there is none */
};

/* A message on its way out. */
struct outgoing {
  MPI_Request request;
  char *message;
};

struct comm_talk {
  pcct_context *context;
  const struct comm_talk_handlers *handlers;
  void *user;
  enum counter bytes_counter;
  struct outgoing *outgoing;
  int64_t count, capacity;
  int64_t waiting;
  pcct_status status;
  int stopped;   /* some rank has failed */
  char *arrived; /* room for the largest message */
  int room;
};

pcct_status comm_talk_create(pcct_context *context, const struct comm_talk_handlers *handlers,
                             void *user, int64_t most, enum counter bytes_counter,
                             struct comm_talk **talk) {
  *talk = base_allocate_zero(&context->base, 1, sizeof **talk);
  if (!*talk) {
    return PCCT_MEMORY;
  }
  (*talk)->context = context;
  (*talk)->handlers = handlers;
  (*talk)->user = user;
  (*talk)->bytes_counter = bytes_counter;
  (*talk)->room = (int)(most + (int64_t)sizeof(struct header));
  (*talk)->arrived = base_allocate(&context->base, (*talk)->room, 1);
  if (!(*talk)->arrived) {
    comm_talk_destroy(talk);
    return PCCT_MEMORY;
  }
  return PCCT_OK;
}

/* Sends a header and bytes behind it. */
static pcct_status send(struct comm_talk *talk, int rank, int tag, const struct header *header,
                        const void *bytes, int64_t length) {
  struct base *base = &talk->context->base;
  const int64_t total = (int64_t)sizeof *header + length;
  pcct_status status = base_grow(base, (void **)&talk->outgoing, &talk->capacity, talk->count,
                                 talk->count + 1, sizeof *talk->outgoing);
  char *message = status == PCCT_OK ? base_allocate(base, total, 1) : NULL;
  if (!message) {
    return PCCT_MEMORY;
  }
  memcpy(message, header, sizeof *header);
  if (length > 0) {
    memcpy(message + sizeof *header, bytes, (size_t)length);
  }
  struct outgoing *outgoing = &talk->outgoing[talk->count++];
  outgoing->message = message;
  MPI_Isend(message, (int)total, MPI_BYTE, rank, tag, talk->context->comm, &outgoing->request);
  base->counters[COUNTER_messages]++;
  base->counters[talk->bytes_counter] += total;
  return PCCT_OK;
}

pcct_status comm_talk_ask(struct comm_talk *talk, int rank, const void *question, int64_t bytes,
                          int64_t label) {
  const struct header header = {label, 0};
  const pcct_status status = send(talk, rank, TAG_QUESTION, &header, question, bytes);
  talk->waiting += status == PCCT_OK;
  return status;
}

int64_t comm_talk_waiting(const struct comm_talk *talk) {
  return talk->waiting;
}

static void remember(struct comm_talk *talk, pcct_status status) {
  talk->status = talk->status == PCCT_OK ? status : talk->status;
}

/* A reply that says only that there is none: it needs no memory, and so always gets through. */
static void refuse(struct comm_talk *talk, int rank, int64_t label) {
  const struct header header = {label, 1};
  MPI_Send(&header, (int)sizeof header, MPI_BYTE, rank, TAG_ANSWER, talk->context->comm);
  talk->context->base.counters[COUNTER_messages]++;
}

static void take_answer(struct comm_talk *talk, const struct header *header, const char *body,
                        int64_t bytes) {
  talk->waiting--;
  talk->stopped |= header->failed != 0;
  if (talk->status == PCCT_OK && !talk->stopped) {
    remember(talk, talk->handlers->take(talk->user, header->label, body, bytes));
  }
}

static void answer_question(struct comm_talk *talk, int rank, const struct header *header,
                            const char *body, int64_t bytes) {
  const struct header back = {header->label, 0};
  void *reply = NULL;
  int64_t reply_bytes = 0;
  pcct_status status = talk->status;
  if (status == PCCT_OK && !talk->stopped) {
    status = talk->handlers->answer(talk->user, body, bytes, &reply, &reply_bytes);
    if (status == PCCT_OK) {
      status = send(talk, rank, TAG_ANSWER, &back, reply, reply_bytes);
    }
  }
  if (status != PCCT_OK || talk->stopped) {
    refuse(talk, rank, header->label);
  }
  remember(talk, status);
  base_free(reply);
}

/* Handles one message of a kind, if there is any. */
static int handle(struct comm_talk *talk, int tag) {
  MPI_Comm comm = talk->context->comm;
  MPI_Status found;
  struct header header;
  int there = 0;
  int length = 0;
  MPI_Iprobe(MPI_ANY_SOURCE, tag, comm, &there, &found);
  if (there) {
    MPI_Recv(talk->arrived, talk->room, MPI_BYTE, found.MPI_SOURCE, tag, comm, &found);
    MPI_Get_count(&found, MPI_BYTE, &length);
    memcpy(&header, talk->arrived, sizeof header);
    const char *body = talk->arrived + sizeof header;
    const int64_t bytes = length - (int64_t)sizeof header;
    if (tag == TAG_ANSWER) {
      take_answer(talk, &header, body, bytes);
    } else {
      answer_question(talk, found.MPI_SOURCE, &header, body, bytes);
    }
  }
  return there;
}

/* Frees what has left. */
static void tidy(struct comm_talk *talk) {
  int64_t kept = 0;
  for (int64_t i = 0; i < talk->count; i++) {
    int sent = 0;
    MPI_Test(&talk->outgoing[i].request, &sent, MPI_STATUS_IGNORE);
    if (sent) {
      base_free(talk->outgoing[i].message);
    } else {
      talk->outgoing[kept++] = talk->outgoing[i];
    }
  }
  talk->count = kept;
}

void comm_talk_poll(struct comm_talk *talk) {
  while (handle(talk, TAG_ANSWER) || handle(talk, TAG_QUESTION)) {
  }
  tidy(talk);
}

pcct_status comm_talk_finish(struct comm_talk *talk, pcct_status status,
                             pcct_status (*more)(void *user)) {
  MPI_Request barrier = MPI_REQUEST_NULL;
  int entered = 0;
  int through = 0;
  remember(talk, status);
  while (!through) {
    comm_talk_poll(talk);
    if (talk->status == PCCT_OK && !talk->stopped && !entered) {
      remember(talk, more(talk->user));
    }
    if (!entered && comm_talk_waiting(talk) == 0 && talk->count == 0) {
      MPI_Ibarrier(talk->context->comm, &barrier);
      entered = 1;
    }
    if (entered) {
      MPI_Test(&barrier, &through, MPI_STATUS_IGNORE);
    }
  }
  while (talk->count >
         0) { /* the last answers: their askers have them, or the barrier would not be through */
    tidy(talk);
  }
  return comm_agree(talk->context, talk->status);
}

void comm_talk_destroy(struct comm_talk **talk) {
  if (!talk || !*talk) {
    return;
  }
  base_free((*talk)->outgoing);
  base_free((*talk)->arrived);
  base_free(*talk);
  *talk = NULL;
}
