/*
 * The vector layer: eight doubles (lanes) and sixteen 32-bit sort keys at a time, the same for every
 * instruction set. What is included is decided by how the including file is compiled and by WALK_PLAIN.
 *
 * Masks have bit i for lane i. Appending functions write whole vectors: room for eight elements beyond
 * the last one must be there.
 *
 *   lanes_set, _load, _store            broadcast, from memory, to memory (any alignment)
 *   lanes_store_first(to, a, count)     the first of them, less than eight
 *   lanes_add, _subtract, _multiply, _root, _magnitude, _smaller, _larger
 *                                       smaller takes the second operand where one is a NaN
 *   lanes_least, _greatest              over all lanes
 *   lanes_at_most, _less                masks
 *   lanes_choose(mask, yes, no)
 *   lanes_tag(a, tags, field)           a with the bits of `field` replaced by those of tags
 *   lanes_append(to, a, mask)           the lanes of the mask, closed up; returns how many
 *   slots_append(to, first, mask)       first + lane for each lane of the mask
 *   codes_append(to, from, mask)        from[lane] for each lane of the mask
 *   codes_negative(from)                mask of the negative ones among eight
 *   codes_count(to, first)              first, first + 1, .., first + 7
 *   positions_below(from, limit), positions_equal(from, position)
 *                                       masks over eight positions
 *   keys_make(values, origin, first, field, count)
 *                                       keys of sixteen doubles >= 0: ascending in the bits of the value
 *                                       above `origin`, cut to 31 bits of which those in `field` are
 *                                       replaced by first + lane; INT32_MAX from first + lane == count on
 *   keys_set, _load, _store, _smaller, _larger, _reverse, _any_at_most
 *   singles_set, _load, _subtract, _add_square, _at_most
 *                                       sixteen floats
 *   keys_step_S                         compare-exchange of lanes whose numbers differ in bit S
 *   keys_mirror_W                       compare-exchange of lanes mirrored within groups of W
 */
#ifndef WALK_SIMD_H
#define WALK_SIMD_H

#if defined(WALK_PLAIN)
#include "walk/simd_plain.h"
#elif defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include "walk/simd_avx512.h"
#elif defined(__AVX2__)
#include "walk/simd_avx2.h"
#else
#include "walk/simd_plain.h"
#endif

#endif
