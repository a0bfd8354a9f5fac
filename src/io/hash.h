/*
 * The XXH64 hash of a file's bytes, for provenance.
 */
#ifndef IO_HASH_H
#define IO_HASH_H

#include "base/context.h"

/* Writes 16 hexadecimal digits and NUL; a compressed file is hashed as it lies on disk. Local.
 * Errors: PCCT_FILE, PCCT_MEMORY. */
pcct_status io_hash(struct base *base, const char *path, char hash[17]);

/* The same of `length` bytes in memory. Local. */
void io_hash_bytes(const void *bytes, size_t length, char hash[17]);

#endif
