/*
 * Counter-based random numbers: a function of (seed, stream, counter) alone, by Random123's Philox
 * (Salmon, Moraes, Dror, Shaw, SC 2011). Never keyed by rank, thread or time.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* What the numbers are for; part of the key, so that uses never share numbers. */
enum random_stream {
  RANDOM_ORDERING = 1,  /* keys of the random ordering */
  RANDOM_INSERTION = 2, /* insertion priorities */
  RANDOM_SAMPLE = 3,    /* samples of points and keys */
  RANDOM_GENERATE = 4,  /* generated data */
  RANDOM_MIX = 5        /* predecessors that are not the nearest */
};

/* 64 random bits. */
uint64_t random_bits(uint64_t seed, enum random_stream stream, uint64_t counter);

/* Uniform in (0, 1), 53 bits. */
double random_uniform(uint64_t seed, enum random_stream stream, uint64_t counter);

#endif
