/*
 * How a program uses the library: points in the memory of every rank, conditioning sets back in memory.
 * Compares a few sets with a plain search of its own and fails if they differ.
 *
 *   cmake -S . -B build -DCMAKE_PREFIX_PATH=WHERE_PCCT_IS && cmake --build build
 *   mpirun -n 2 build/conditioning_sets
 */
#include <math.h>
#include <pcct.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 2000, NEIGHBORS = 5 };

/* The coordinates of any row: a spiral. Real programs read their own rows from somewhere. */
static void row_coordinates(int64_t row, double x[2]) {
  double angle = 2.399963229728653 * (double)row;
  double radius = sqrt((double)row);
  x[0] = radius * cos(angle);
  x[1] = radius * sin(angle);
}

/* Ends every rank with the library's message and status as exit code. */
static void check(pcct_status status, const pcct_context *context, int rank) {
  if (status != PCCT_OK) {
    if (rank == 0) {
      fprintf(stderr, "conditioning_sets: %s\n", context ? pcct_context_message(context) : "");
    }
    MPI_Finalize();
    exit(status);
  }
}

int main(int argc, char **argv) {
  int rank;
  int size;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);

  /* Each rank holds consecutive rows; how many is its own choice. */
  int64_t first;
  int64_t count;
  pcct_slab(POINTS, rank, size, &first, &count);
  double *coordinates = malloc((size_t)(2 * count + 1) * sizeof *coordinates);
  for (int64_t i = 0; i < count; i++) {
    row_coordinates(first + i, coordinates + 2 * i);
  }

  pcct_context *context;
  check(pcct_context_create(MPI_COMM_WORLD, 0, &context), NULL, rank);

  pcct_points points = {
      .first_row = first, .count = count, .dimension = 2, .coordinates = coordinates};
  pcct_index_options options = pcct_index_options_default(); /* ordering: rows as given */
  pcct_index *index;
  check(pcct_index_create(context, &points, &options, &index), context, rank);
  free(coordinates);

  /* All positions in one block; this rank gets its slab of them. */
  pcct_rows rows;
  check(pcct_index_conditioning_sets(index, NEIGHBORS, 0, POINTS, &rows), context, rank);

  long long wrong = 0;
  for (int64_t r = 0; r < rows.count; r++) {
    double x[2];
    double nearest = INFINITY;
    row_coordinates(rows.first + r, x);
    for (int64_t other = 0; other < rows.first + r; other++) {
      double y[2];
      row_coordinates(other, y);
      double distance = sqrt((x[0] - y[0]) * (x[0] - y[0]) + (x[1] - y[1]) * (x[1] - y[1]));
      nearest = distance < nearest ? distance : nearest;
    }
    wrong += rows.distance[r * NEIGHBORS] != nearest;
  }
  MPI_Allreduce(MPI_IN_PLACE, &wrong, 1, MPI_LONG_LONG, MPI_SUM, MPI_COMM_WORLD);
  if (rank == 0) {
    printf("%d points on %d ranks: %lld nearest predecessors differ from the plain search\n",
           POINTS, size, wrong);
  }

  pcct_rows_clear(&rows);
  pcct_index_destroy(&index);
  pcct_context_destroy(&context);
  MPI_Finalize();
  return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
