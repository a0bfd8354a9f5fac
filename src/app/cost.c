/*
 * The cost model.
 */
#include "app/cost.h"

#include "dist/prefix.h"

#include <math.h>

/* Memory, measured at 1 and 4 ranks, 4 10^5 and 10^6 points, 1 to 8 coordinates. */
#define FIXED_BYTES 33e6
#define IMBALANCE 1.05 /* points of the largest part against the mean */
#define LEAST_ROWS 4096
#define MOVED_BYTES 20e6 /* records under way, for each thread up to MOVED_THREADS */
#define MOVED_LEAST 6e6
#define MOVED_THREADS 16
#define BLOCK_BYTES                                                                                \
  (128 << 20) /* of rows, made and moved, without a limit; or as much as the points take */

/* Of a point while an ordering by growing nets is found and sorted. */
#define NETS_BYTES 100

/* Bytes of a row in memory. */
static double row_bytes(const struct cost_run *run) {
  return (double)run->width * ((run->n <= INT32_MAX ? 4 : 8) + 8) + 4;
}

static double points_of_rank(const struct cost_run *run) {
  return (double)run->n / run->ranks * (run->ranks > 1 ? IMBALANCE : 1);
}

/* Rows of all ranks in a block, for so many bytes of rows on a rank: the fewest equal blocks. */
static int64_t fitting_rows(const struct cost_run *run, double room, double row) {
  const double per_rank = floor(room / row);
  const double most = (per_rank > 1 ? per_rank : 1) * run->ranks;
  const double blocks = ceil((double)run->rows / most);
  const double rows = blocks > 0 ? ceil((double)run->rows / blocks) : 1;
  return (int64_t)(rows > 1 ? rows : 1);
}

/* Share of the queries whose bound leaves the cell of their rank: those near the faces between cells, nearer than
 * the radius that holds `width` predecessors, whose mean is d / (d - 1) of that among all points. */
static double forwarded_share(const struct cost_run *run) {
  const double d = run->search_dimension;
  const double ball = pow(3.141592653589793, d / 2) / tgamma(d / 2 + 1);
  const double radius = pow((double)run->width / (ball * (double)(run->n + 1)), 1 / d);
  const double faces = d * (pow(run->ranks, 1 / d) - 1);
  const double share = 2 * faces * radius * (d > 1 ? d / (d - 1) : 2);
  return run->ranks == 1 ? 0 : share < 1 ? share : 1;
}

/* Bytes that a row takes on a rank while it is made: itself, what sorts and moves it, and, if it goes to other ranks,
 * the copy that waits for them, the question, their arrays for it, and the answer. */
static double bytes_under_way(const struct cost_run *run) {
  if (run->ranks == 1) {
    return 1.02 * row_bytes(run);
  }
  const double away = 72 * (double)run->width + 40.0 * run->search_dimension + 200;
  return 1.35 * row_bytes(run) + forwarded_share(run) * away;
}

struct cost_memory cost_memory(const struct cost_run *run) {
  const bool several = run->ranks > 1;
  const double d = run->search_dimension;
  const double points = points_of_rank(run);
  const double teams = run->threads < MOVED_THREADS ? run->threads : MOVED_THREADS;
  struct cost_memory memory = {
      .fixed = FIXED_BYTES + (several ? 4e6 : 0),
      .build = points * ((several ? 80 + 60 * d : 70 + 36 * d) + (run->nets ? NETS_BYTES : 0)),
      .resident = points * (64 + 20 * d),
      .row = bytes_under_way(run),
      .moved = several ? MOVED_BYTES * teams : 0};
  const double least_rows = (double)(run->rows < LEAST_ROWS ? run->rows : LEAST_ROWS);
  const double least_moved = several ? MOVED_LEAST : 0;
  const double least_query = memory.resident + least_moved + least_rows * memory.row;
  memory.least = memory.fixed + (memory.build > least_query ? memory.build : least_query);
  if (run->limit > 0) {
    const double left = (double)run->limit - memory.fixed - memory.resident;
    const double quarter = left / 4;
    memory.moved = memory.moved < quarter ? memory.moved : quarter;
    memory.moved = memory.moved > least_moved ? memory.moved : least_moved;
    memory.block_rows = fitting_rows(run, left - memory.moved, memory.row);
  } else {
    const double room = memory.resident > BLOCK_BYTES ? memory.resident : BLOCK_BYTES;
    memory.block_rows = fitting_rows(run, room, 2 * row_bytes(run));
  }
  if (run->block_rows > 0) {
    memory.block_rows = run->block_rows < run->rows ? run->block_rows : run->rows;
  }
  memory.block_rows = memory.block_rows > 1 ? memory.block_rows : 1;
  memory.blocks = (run->rows + memory.block_rows - 1) / memory.block_rows;
  const double rows = ceil((double)memory.block_rows / run->ranks);
  const double usual = 0.9; /* of what a row may take */
  const double query = memory.resident + memory.moved + rows * memory.row;
  const double expected = query - (1 - usual) * rows * memory.row;
  memory.bound = memory.fixed + (memory.build > query ? memory.build : query);
  memory.peak = memory.fixed + (memory.build > expected ? memory.build : expected);
  memory.fits = run->limit == 0 || memory.bound <= (double)run->limit;
  return memory;
}

int64_t cost_piece_bytes(const struct cost_run *run) {
  const double piece = cost_memory(run).moved / 5;
  const double least = 1 << 20;
  return (int64_t)(piece > least ? piece : least);
}

/* ---- time and messages */

/* Microseconds. Measured on uniform points, 10^6 in 2 and 3 coordinates, 10^5 in 8. */
#define PARTITION_US 0.08
#define BUILD_US 0.20
#define VIEWS_US 0.07
#define SEND_US 0.12         /* a point to its part and into the others' arrays, beside the bytes */
#define START_SECONDS 0.12   /* MPI, files */
#define BYTES_PER_SECOND 1e9 /* of a file, and between ranks */

static double query_us(int d, double width) {
  if (d <= 2) {
    return d == 1 ? 0.10 + 0.008 * width : 0.14 + 0.0103 * width;
  }
  return (0.30 + 0.0155 * width) * exp2(d - 3);
}

struct cost cost_estimate(const struct cost_run *run, const struct cost_memory *memory) {
  const double us = 1e-6;
  const double d = run->search_dimension;
  const double points = points_of_rank(run);
  const double rows = (double)run->rows / run->ranks;
  const double others = run->ranks - 1;
  const double leaving = others / run->ranks; /* of what is sent anywhere */
  const double speed = 1 + 0.85 * (run->threads - 1);
  const double entry = (run->n <= INT32_MAX ? 4 : 8);
  struct cost cost = {.forwarded = forwarded_share(run)};
  cost.file_bytes =
      (double)run->rows * (8.0 * run->dimension + 2 * entry +
                           (double)run->width * (entry + (double)run->distance_bytes) + entry);
  const double asked = cost.forwarded * rows;
  cost.query_bytes = asked * (24 + 8 * d + 4 + 16 * (double)run->width / 4);
  cost.partition_bytes = (double)run->n / run->ranks * 8 * (d + 1) * leaving;
  cost.reorder_bytes = rows * (16 + row_bytes(run)) * leaving;
  /* pairwise exchanges: points, positions, columns; rows by pieces; two rounds of questions to neighbours */
  const double pieces = ceil(rows * row_bytes(run) / (MOVED_BYTES / 5)) + (double)memory->blocks;
  const double neighbours = others < 3 * d ? others : 3 * d;
  cost.messages = others * (8 + pieces) + 8 * neighbours * (double)memory->blocks;
  const double prefix = (double)prefix_length(run->ranks, run->n);
  cost.seconds_read = START_SECONDS + (double)run->n * 8.0 * run->dimension / BYTES_PER_SECOND;
  cost.seconds_build =
      points * (PARTITION_US + BUILD_US * (0.5 + d / 4) + VIEWS_US) * us / speed + prefix * us +
      (run->ranks > 1 ? points * SEND_US * us + cost.partition_bytes / BYTES_PER_SECOND : 0);
  /* many blocks cut leaves up: measured +14 % for 2, +64 % for 8, 3.1 times for 32 */
  const double blocks = 1 + 0.075 * ((double)memory->blocks - 1);
  cost.seconds_query = (rows + asked) * query_us((int)d, (double)run->width) * us / speed * blocks +
                       (run->ranks > 1 ? 1.5 * cost.reorder_bytes / BYTES_PER_SECOND : 0);
  cost.seconds_write = cost.file_bytes / BYTES_PER_SECOND;
  cost.seconds = cost.seconds_read + cost.seconds_build + cost.seconds_query + cost.seconds_write;
  return cost;
}
