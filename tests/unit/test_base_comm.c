/* ranks: 1 2 3 4 7 */
/* threads: 1 2 */
/*
 * Agreement, exchanges and measurements over ranks. Runs on any number of ranks.
 */
#include "base/comm_talk.h"
#include "base/random.h"
#include "test_base_ranks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int make_context(void **state) {
  pcct_context *context;
  pcct_status status = pcct_context_create(MPI_COMM_WORLD, 1, &context);
  *state = context;
  return status == PCCT_OK ? 0 : -1;
}

static int drop_context(void **state) {
  pcct_context *context = *state;
  pcct_context_destroy(&context);
  return context == NULL ? 0 : -1;
}

static void test_create(void **state) {
  pcct_context *world = *state;
  pcct_context *context = world;
  pcct_status status = pcct_context_create(MPI_COMM_WORLD, world->rank == 0 ? -1 : 1, &context);
  assert_true(on_all_ranks(world, status == PCCT_USAGE && context == NULL));
  pcct_context_destroy(&context);
  pcct_context_destroy(NULL);

  /* contexts on parts of the ranks work side by side */
  MPI_Comm half;
  MPI_Comm_split(MPI_COMM_WORLD, world->rank % 2, 0, &half);
  status = pcct_context_create(half, 0, &context);
  MPI_Comm_free(&half);
  int64_t expected = world->rank % 2 ? world->size / 2 : (world->size + 1) / 2;
  int64_t members = comm_sum(context, 1);
  assert_true(on_all_ranks(world, status == PCCT_OK && members == expected));
  assert_string_equal(pcct_context_message(context), "");
  pcct_context_destroy(&context);
}

static void test_reductions(void **state) {
  pcct_context *context = *state;
  int64_t rank = context->rank, size = context->size, large = INT64_C(1) << 40;
  bool holds = comm_sum(context, large + rank) == size * large + size * (size - 1) / 2;
  holds &= comm_max(context, large + rank) == large + size - 1;
  holds &= comm_min(context, -large - rank) == -large - (size - 1);
  holds &= comm_scan_before(context, large) == rank * large;
  assert_true(on_all_ranks(context, holds));
}

static void test_agree(void **state) {
  pcct_context *context = *state;
  base_clear_message(&context->base);
  pcct_status fine = comm_agree(context, PCCT_OK);
  assert_true(agreed_status(context, fine, PCCT_OK));
  for (int lowest = 0; lowest < context->size; lowest++) {
    /* ranks from `lowest` on fail, the first of them worst; earlier ones have a message of no weight */
    pcct_status local = PCCT_OK;
    base_clear_message(&context->base);
    if (context->rank >= lowest) {
      local = base_fail(&context->base, PCCT_MEMORY, "rank %d", context->rank);
    } else if (context->rank % 2) {
      local = base_fail(&context->base, PCCT_USAGE, "usage %d", context->rank);
    }
    pcct_status agreed = comm_agree(context, local);
    char expected[32];
    snprintf(expected, sizeof expected, "rank %d", lowest);
    bool holds = strcmp(pcct_context_message(context), expected) == 0;
    assert_true(agreed_status(context, agreed, PCCT_MEMORY));
    assert_true(on_all_ranks(context, holds));
  }
  base_clear_message(&context->base); /* a status without a message gets its meaning */
  pcct_status agreed =
      comm_agree(context, context->rank == context->size - 1 ? PCCT_FILE : PCCT_OK);
  assert_true(agreed_status(context, agreed, PCCT_FILE));
  assert_string_equal(pcct_context_message(context), pcct_status_text(PCCT_FILE));
}

/* Records that sender and receiver can both compute; a third of the pairs send nothing. */
static int64_t records_between(int from, int to, int round) {
  uint64_t draw = random_bits((uint64_t)round, RANDOM_GENERATE, (uint64_t)(from * 1000 + to));
  return draw % 3 == 0 ? 0 : (int64_t)(draw % 40);
}

static unsigned char byte_between(int from, int to, int64_t at) {
  return (unsigned char)random_bits((uint64_t)(from * 1000 + to), RANDOM_SAMPLE, (uint64_t)at);
}

struct plan {
  int64_t *send_counts, *receive_counts;
  unsigned char *send;
  int64_t sent_to_others, messages;
};

static struct plan make_plan(pcct_context *context, int round, size_t size) {
  struct base *base = &context->base;
  struct plan plan = {0};
  plan.send_counts = base_allocate(base, context->size, sizeof *plan.send_counts);
  plan.receive_counts = base_allocate(base, context->size, sizeof *plan.receive_counts);
  plan.send = base_allocate(base, 40 * (int64_t)context->size, size);
  int64_t at = 0;
  for (int to = 0; to < context->size; to++) {
    plan.send_counts[to] = records_between(context->rank, to, round);
    int64_t length = plan.send_counts[to] * (int64_t)size;
    for (int64_t i = 0; i < length; i++) {
      plan.send[at++] = byte_between(context->rank, to, i);
    }
    if (to != context->rank) {
      plan.sent_to_others += length;
      plan.messages += (length + context->piece_bytes - 1) / context->piece_bytes;
    }
  }
  return plan;
}

static void drop_plan(struct plan *plan) {
  base_free(plan->send_counts);
  base_free(plan->receive_counts);
  base_free(plan->send);
}

static bool received_right(const pcct_context *context, int round, size_t size,
                           const int64_t *receive_counts, const unsigned char *received,
                           int64_t total) {
  int64_t records = 0;
  for (int from = 0; from < context->size; from++) {
    int64_t expected = records_between(from, context->rank, round);
    if (receive_counts[from] != expected) {
      return false;
    }
    for (int64_t i = 0; i < expected * (int64_t)size; i++) {
      if (received[records * (int64_t)size + i] != byte_between(from, context->rank, i)) {
        return false;
      }
    }
    records += expected;
  }
  return records == total;
}

static void test_exchange(void **state) {
  pcct_context *context = *state;
  const int64_t pieces[] = {1, 7, 64, INT64_C(1) << 30};
  const size_t sizes[] = {1, 8, 13};
  int64_t usual = context->piece_bytes;
  for (int round = 0; round < 12; round++) {
    size_t size = sizes[round % 3];
    context->piece_bytes = pieces[round % 4];
    struct plan plan = make_plan(context, round, size);
    int64_t *counters = context->base.counters;
    int64_t bytes = counters[COUNTER_bytes_query], messages = counters[COUNTER_messages];
    void *received = NULL;
    int64_t total = -1;
    pcct_status status = comm_exchange(context, plan.send, plan.send_counts, size,
                                       plan.receive_counts, &received, &total, COUNTER_bytes_query);
    bool holds = status == PCCT_OK &&
                 received_right(context, round, size, plan.receive_counts, received, total) &&
                 counters[COUNTER_bytes_query] - bytes == plan.sent_to_others &&
                 counters[COUNTER_messages] - messages == plan.messages;
    assert_true(on_all_ranks(context, holds));
    base_free(received);
    drop_plan(&plan);
  }
  context->piece_bytes = usual;
}

/* The same where ranks send to few others, and where all know what comes; counts as well as records. */
static void test_exchange_sparse(void **state) {
  pcct_context *context = *state;
  const size_t size = 8;
  for (int round = 0; round < 6; round++) {
    struct plan plan = make_plan(context, round, size);
    int64_t *counters = context->base.counters;
    int64_t bytes = counters[COUNTER_bytes_query], messages = counters[COUNTER_messages];
    int64_t asked = 0; /* others that get something */
    for (int rank = 0; rank < context->size; rank++) {
      asked += rank != context->rank && plan.send_counts[rank] > 0;
    }
    void *received = NULL;
    int64_t total = -1;
    pcct_status status =
        comm_exchange_sparse(context, plan.send, plan.send_counts, size, plan.receive_counts,
                             &received, &total, COUNTER_bytes_query);
    bool holds = status == PCCT_OK &&
                 received_right(context, round, size, plan.receive_counts, received, total) &&
                 counters[COUNTER_bytes_query] - bytes == plan.sent_to_others + 8 * asked &&
                 counters[COUNTER_messages] - messages == plan.messages + asked;
    assert_true(on_all_ranks(context, holds));
    base_free(received);
    bytes = counters[COUNTER_bytes_query];
    status = comm_exchange_known(context, plan.send, plan.send_counts, size, plan.receive_counts,
                                 &received, COUNTER_bytes_query);
    holds = status == PCCT_OK &&
            received_right(context, round, size, plan.receive_counts, received, total) &&
            counters[COUNTER_bytes_query] - bytes == plan.sent_to_others;
    assert_true(on_all_ranks(context, holds));
    base_free(received);
    drop_plan(&plan);
  }
}

/* A talk in which everybody asks the next ranks, and again after the first answer. */
struct talking {
  pcct_context *context;
  struct comm_talk *talk;
  int64_t sum; /* of the answers taken */
  int again;   /* questions still to be asked by `more` */
  int failing; /* 1: this rank cannot answer */
};

static pcct_status answer_double(void *user, const void *question, int64_t bytes, void **reply,
                                 int64_t *reply_bytes) {
  const struct talking *talking = user;
  int64_t number;
  if (talking->failing) {
    return base_fail(&talking->context->base, PCCT_INPUT, "cannot answer");
  }
  if (bytes < (int64_t)sizeof number) {
    return PCCT_INTERNAL;
  }
  memcpy(&number, question, sizeof number);
  number *= 2;
  *reply = base_allocate(&talking->context->base, 1, sizeof number);
  *reply_bytes = sizeof number;
  memcpy(*reply, &number, sizeof number);
  return PCCT_OK;
}

static pcct_status ask_number(struct talking *talking, int64_t number) {
  const int rank = (int)((talking->context->rank + number) % talking->context->size);
  return rank == talking->context->rank
             ? PCCT_OK
             : comm_talk_ask(talking->talk, rank, &number, sizeof number, number);
}

static pcct_status take_number(void *user, int64_t label, const void *reply, int64_t bytes) {
  struct talking *talking = user;
  int64_t number;
  if (bytes != sizeof number) {
    return PCCT_INTERNAL;
  }
  memcpy(&number, reply, sizeof number);
  talking->sum += number == 2 * label;
  return label < 100 ? ask_number(talking, label + 100) : PCCT_OK;
}

static pcct_status ask_again(void *user) {
  struct talking *talking = user;
  pcct_status status = PCCT_OK;
  while (talking->again > 0 && status == PCCT_OK) {
    status = ask_number(talking, 200 + talking->again--);
  }
  return status;
}

static void test_talk(void **state) {
  static const struct comm_talk_handlers handlers = {answer_double, take_number};
  pcct_context *context = *state;
  const int size = context->size;
  for (int failing = -1; failing < size; failing++) {
    struct talking talking = {.context = context, .again = 3, .failing = context->rank == failing};
    base_clear_message(&context->base);
    pcct_status status =
        comm_talk_create(context, &handlers, &talking, 64, COUNTER_bytes_query, &talking.talk);
    assert_int_equal(comm_agree(context, status), PCCT_OK);
    int64_t expected = 0;
    for (int64_t number = 1; number <= 5; number++) {
      status = status == PCCT_OK ? ask_number(&talking, number) : status;
      comm_talk_poll(talking.talk);
      const int goes = number % size != 0;
      expected += goes + (goes && (number + 100) % size != 0);
    }
    for (int64_t number = 201; number <= 203; number++) {
      expected += number % size != 0;
    }
    status = comm_talk_finish(talking.talk, status, ask_again);
    if (failing < 0) {
      assert_true(on_all_ranks(context, status == PCCT_OK && talking.sum == expected &&
                                            comm_talk_waiting(talking.talk) == 0));
    } else {
      assert_true(agreed_status(context, status, size > 1 ? PCCT_INPUT : PCCT_OK));
    }
    comm_talk_destroy(&talking.talk);
  }
}

/* What failed before the end is everybody's status, and nothing is left under way. */
static void test_talk_after_failure(void **state) {
  static const struct comm_talk_handlers handlers = {answer_double, take_number};
  pcct_context *context = *state;
  for (int round = 0; round < 3; round++) {
    struct talking talking = {.context = context};
    base_clear_message(&context->base);
    assert_int_equal(
        comm_talk_create(context, &handlers, &talking, 64, COUNTER_bytes_query, &talking.talk),
        PCCT_OK);
    assert_int_equal(ask_number(&talking, 1), PCCT_OK);
    const pcct_status own = context->rank == context->size - 1 ? PCCT_FILE : PCCT_OK;
    assert_true(agreed_status(context, comm_talk_finish(talking.talk, own, ask_again), PCCT_FILE));
    assert_int_equal(comm_talk_waiting(talking.talk), 0);
    comm_talk_destroy(&talking.talk);
  }
}

/* Two exchanges under way at once, finished in either order; a rank's failure is agreed on. */
static void test_exchanges_overlap(void **state) {
  pcct_context *context = *state;
  for (int later_first = 0; later_first < 2; later_first++) {
    struct plan plan[2];
    struct comm_transfer transfer[2];
    for (int i = 0; i < 2; i++) {
      plan[i] = make_plan(context, i + 1, 16);
      assert_int_equal(comm_exchange_start(context, PCCT_OK, plan[i].send, plan[i].send_counts, 16,
                                           &transfer[i], COUNTER_bytes_query),
                       PCCT_OK);
    }
    for (int i = 0; i < 2; i++) {
      struct comm_transfer *first = &transfer[later_first ? 1 - i : i];
      comm_exchange_finish(first);
      comm_exchange_finish(first); /* once more does no harm */
    }
    for (int i = 0; i < 2; i++) {
      assert_true(on_all_ranks(context, received_right(context, i + 1, 16, transfer[i].counts,
                                                       (unsigned char *)transfer[i].received,
                                                       transfer[i].total)));
      comm_transfer_free(&transfer[i]);
      drop_plan(&plan[i]);
    }
  }
  struct plan plan = make_plan(context, 1, 8);
  struct comm_transfer transfer;
  base_clear_message(&context->base);
  const pcct_status status =
      comm_exchange_start(context, context->rank == context->size - 1 ? PCCT_DIFFERENT : PCCT_OK,
                          plan.send, plan.send_counts, 8, &transfer, COUNTER_bytes_query);
  assert_true(agreed_status(context, status, PCCT_DIFFERENT));
  assert_null(transfer.received);
  comm_transfer_free(&transfer);
  drop_plan(&plan);
}

static void test_exchange_memory(void **state) {
  pcct_context *context = *state;
  for (int victim = 0; victim < context->size; victim++) {
    int64_t allowed = 0;
    pcct_status status = PCCT_MEMORY;
    for (; status != PCCT_OK; allowed++) {
      struct plan plan = make_plan(context, 1, 8);
      void *received = &plan;
      int64_t total = -1;
      base_clear_message(&context->base);
      context->base.allocations_left = context->rank == victim ? allowed : -1;
      status = comm_exchange(context, plan.send, plan.send_counts, 8, plan.receive_counts,
                             &received, &total, COUNTER_bytes_query);
      context->base.allocations_left = -1;
      if (status != PCCT_OK) {
        assert_true(agreed_status(context, status, PCCT_MEMORY));
        assert_true(on_all_ranks(context, received == NULL && total == 0));
      }
      base_free(received);
      drop_plan(&plan);
    }
    assert_int_equal(allowed, 4); /* up to 2 allocations were too few */
  }
}

/* Rank r contributes r % 3 records of 5 bytes, all r. */
static bool gathered_right(int size, const char *gathered, int64_t total) {
  int64_t records = 0;
  for (int rank = 0; rank < size; rank++) {
    for (int i = 0; i < rank % 3 * 5; i++) {
      if (gathered[records * 5 + i] != rank) {
        return false;
      }
    }
    records += rank % 3;
  }
  return records == total;
}

static void test_gather(void **state) {
  pcct_context *context = *state;
  int64_t usual = context->piece_bytes;
  const int64_t pieces[] = {3, 8, INT64_C(1) << 30};
  char own[10];
  memset(own, context->rank, sizeof own);
  for (int p = 0; p < 3; p++) {
    context->piece_bytes = pieces[p];
    void *all = NULL, *root = NULL;
    int64_t total = -1;
    pcct_status status = comm_gather_all(context, own, context->rank % 3, 5, &all, &total);
    bool holds = status == PCCT_OK && gathered_right(context->size, all, total);
    assert_true(on_all_ranks(context, holds));
    status = comm_gather_root(context, own, context->rank % 3, 5, &root, &total);
    holds = status == PCCT_OK && root != NULL &&
            (context->rank == 0 ? gathered_right(context->size, root, total) : total == 0);
    assert_true(on_all_ranks(context, holds));
    base_free(all);
    base_free(root);

    char text[29] = "";
    if (context->rank == 0) {
      memcpy(text, "twenty-eight characters long", 29);
    }
    comm_broadcast(context, text, 29);
    assert_true(on_all_ranks(context, strcmp(text, "twenty-eight characters long") == 0));
    comm_broadcast(context, NULL, 0);
  }
  context->piece_bytes = usual;
}

static void test_gather_memory(void **state) {
  pcct_context *context = *state;
  char own[10] = {0};
  for (int root = 0; root < 2; root++) {
    pcct_status status = PCCT_MEMORY;
    for (int64_t allowed = 0; status != PCCT_OK; allowed++) {
      void *received = own;
      int64_t total = -1;
      base_clear_message(&context->base);
      context->base.allocations_left = context->rank == context->size - 1 ? allowed : -1;
      status = (root ? comm_gather_root : comm_gather_all)(context, own, 1, 5, &received, &total);
      context->base.allocations_left = -1;
      assert_true(allowed < 10);
      if (status != PCCT_OK) {
        assert_true(agreed_status(context, status, PCCT_MEMORY));
        assert_true(on_all_ranks(context, received == NULL && total == 0));
      }
      base_free(received);
    }
  }
}

static void test_measurements(void **state) {
  pcct_context *context = *state;
  pcct_context_enter_phase(context, PCCT_PHASE_order);
  pcct_context_enter_phase(context, PCCT_PHASE_build);
  context->base.seconds[PCCT_PHASE_build] += context->rank; /* as if the last rank were slowest */
  pcct_phase_seconds phases[PCCT_PHASE_COUNT];
  int count = 0;
  double total = 0;
  pcct_status status = pcct_context_phases(context, phases, &count, &total);
  bool holds = status == PCCT_OK && count == 3 && strcmp(phases[0].name, "read") == 0 &&
               strcmp(phases[1].name, "order") == 0 && strcmp(phases[2].name, "build") == 0;
  holds &= total > 0 && total < 1000 && phases[0].min <= phases[0].mean;
  holds &= phases[2].max_rank == context->size - 1 && phases[2].max >= context->size - 1;
  holds &= fabs(phases[2].mean - 0.5 * (context->size - 1)) < 0.4;
  assert_true(on_all_ranks(context, holds));
  status = pcct_context_phases(context, phases, &count, NULL);
  assert_true(on_all_ranks(context, status == PCCT_OK));

  context->base.counters[COUNTER_forwards] = (INT64_C(1) << 40) + context->rank % 2;
  pcct_counter counters[COUNTER_COUNT];
  assert_int_equal(pcct_counter_count(), COUNTER_COUNT);
  status = pcct_context_counters(context, counters);
  const pcct_counter *forwards = &counters[COUNTER_forwards];
  holds = status == PCCT_OK && strcmp(forwards->name, "forwards") == 0;
  holds &= forwards->sum == context->size * (INT64_C(1) << 40) + context->size / 2;
  holds &= forwards->max_rank == (context->size > 1);
  holds &= forwards->max == (INT64_C(1) << 40) + (context->size > 1);
  assert_true(on_all_ranks(context, holds));
}

static void count_call(const char *phase, int64_t done, int64_t total, void *user) {
  (void)phase;
  *(int64_t *)user += done + total;
}

static void test_progress(void **state) {
  pcct_context *context = *state;
  int64_t seen = 0;
  pcct_context_set_progress(context, count_call, &seen);
  base_progress(&context->base, 1, 2);
  pcct_context_set_progress(context, NULL, NULL);
  base_progress(&context->base, 1, 2);
  assert_true(on_all_ranks(context, seen == (context->rank == 0 ? 3 : 0)));
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_create, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_reductions, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_agree, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_exchange, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_exchange_sparse, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_talk, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_talk_after_failure, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_exchanges_overlap, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_exchange_memory, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_gather, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_gather_memory, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_measurements, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_progress, make_context, drop_context),
  };
  int failures = cmocka_run_group_tests_name("comm", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
