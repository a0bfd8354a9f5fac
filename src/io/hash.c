/*
 * The XXH64 hash of a file's bytes.
 */
#include "io/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define BUFFER_BYTES (1 << 18)

pcct_status io_hash(struct base *base, const char *path, char hash[17]) {
  pcct_status status = PCCT_MEMORY;
  FILE *file = NULL;
  XXH64_state_t *state = NULL;
  hash[0] = '\0';
  void *buffer = base_allocate(base, BUFFER_BYTES, 1);
  if (buffer == NULL) {
    goto cleanup;
  }
  state = XXH64_createState();
  if (state == NULL || XXH64_reset(state, 0) != XXH_OK) {
    base_fail(base, status, "%s: out of memory while hashing it", path);
    goto cleanup;
  }
  file = fopen(path, "rb");
  if (file == NULL) {
    status = base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    goto cleanup;
  }
  size_t bytes;
  while ((bytes = fread(buffer, 1, BUFFER_BYTES, file)) > 0) {
    (void)XXH64_update(state, buffer, bytes);
  }
  if (ferror(file)) {
    status = base_fail(base, PCCT_FILE, "%s: cannot be read: %s", path, strerror(errno));
    goto cleanup;
  }
  snprintf(hash, 17, "%016llx", (unsigned long long)XXH64_digest(state));
  status = PCCT_OK;
cleanup:
  if (file != NULL) {
    (void)fclose(file);
  }
  XXH64_freeState(state);
  base_free(buffer);
  return status;
}

void io_hash_bytes(const void *bytes, size_t length, char hash[17]) {
  snprintf(hash, 17, "%016llx", (unsigned long long)XXH64(bytes, length, 0));
}
