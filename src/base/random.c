/*
 * Counter-based random numbers: Philox4x32-10 with the seed as key and (counter, stream) as
 * counter.
 */
#include "base/random.h"

#include <Random123/philox.h>

uint64_t random_bits(uint64_t seed, enum random_stream stream, uint64_t counter) {
  philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
  philox4x32_ctr_t block = {
      {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream, UINT32_C(0)}};
  philox4x32_ctr_t bits = philox4x32(block, key);
  return (uint64_t)bits.v[1] << 32 | bits.v[0];
}

double random_uniform(uint64_t seed, enum random_stream stream, uint64_t counter) {
  /* odd multiples of 2^-53: exact, and neither 0 nor 1 */
  uint64_t odd = random_bits(seed, stream, counter) >> 11 | 1;
  return (double)odd * 0x1p-53;
}
