/*
 * The fixture of tests that read files: a context on all ranks and a folder of their own.
 */
#ifndef TEST_IO_WORLD_H
#define TEST_IO_WORLD_H

#include "base/comm.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
  pcct_context *context;
  char folder[64];
  char path[128]; /* of the file of a test */
};

static inline int enter(void **state) {
  struct world *world = calloc(1, sizeof *world);
  *state = world;
  if (world == NULL || pcct_context_create(MPI_COMM_WORLD, 1, &world->context) != PCCT_OK) {
    return -1;
  }
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  strcpy(world->folder, "/tmp/pcct_test_io_XXXXXX");
  bool made = world->context->rank != 0 || mkdtemp(world->folder) != NULL;
  comm_broadcast(world->context, world->folder, sizeof world->folder);
  snprintf(world->path, sizeof world->path, "%s/in.h5", world->folder);
  return made ? 0 : -1;
}

static inline int leave(void **state) {
  struct world *world = *state;
  comm_agree(world->context, PCCT_OK); /* nobody reads any more */
  if (world->context->rank == 0) {
    unlink(world->path);
    rmdir(world->folder);
  }
  pcct_context_destroy(&world->context);
  free(world);
  return 0;
}

#endif
