/*
 * Selection: the k best of a walker's buffer, sorted by (kernel value, position). Compiled once for every
 * instruction set.
 *
 * A key of 31 bits holds the leading bits of a kernel value relative to the largest one (32 octaves down)
 * and the candidate's place in the buffer. Keys are sorted by vector networks: in registers up to
 * WALK_SMALL, in memory above. Where keys cannot tell candidates apart they are compared exactly: those that
 * share the value bits of the k-th compete for the last places, and runs that share them are put in order.
 */
#ifndef WALK_SELECT_TEMPLATE_H
#define WALK_SELECT_TEMPLATE_H

#include "walk/kernel_template.h"

enum { KEY_NONE = INT32_MAX, KEY_SLOT_BITS_MOST = 16, KEY_COUNT = 16 };

SIMD_INLINE keys clean_16(keys a) {
  return keys_step_1(keys_step_2(keys_step_4(keys_step_8(a))));
}

SIMD_INLINE keys sort_16(keys a) {
  a = keys_mirror_4(keys_step_1(a));
  a = keys_mirror_8(keys_step_1(a));
  a = keys_mirror_16(keys_step_1(keys_step_2(a)));
  return keys_step_1(keys_step_2(keys_step_4(a)));
}

/* Sorts thirty-two keys: low then high. */
SIMD_INLINE void sort_32(keys *low, keys *high) {
  const keys a = sort_16(*low);
  const keys b = keys_reverse(sort_16(*high));
  *low = clean_16(keys_smaller(a, b));
  *high = clean_16(keys_larger(a, b));
}

/* The order of candidates i and j of the buffer. */
static inline int comes_before(const struct walker *walker, uint32_t i, uint32_t j) {
  return walker->value[i] < walker->value[j] ||
         (walker->value[i] == walker->value[j] &&
          walker->view->position[walker->slot[i]] < walker->view->position[walker->slot[j]]);
}

/* Sorts places of the buffer exactly: by insertion where few, by a heap where many. */
static void sort_places(const struct walker *walker, uint32_t *place, int64_t count) {
  if (count <= 24) {
    for (int64_t i = 1; i < count; i++) {
      const uint32_t x = place[i];
      int64_t j = i;
      for (; j > 0 && comes_before(walker, x, place[j - 1]); j--) {
        place[j] = place[j - 1];
      }
      place[j] = x;
    }
    return;
  }
  for (int64_t start = count / 2, end = count; end > 1;) {
    if (start > 0) {
      start--;
    } else {
      end--;
      const uint32_t x = place[end];
      place[end] = place[0];
      place[0] = x;
    }
    const uint32_t x = place[start];
    int64_t hole = start;
    for (int64_t child = 2 * hole + 1; child < end; child = 2 * hole + 1) {
      child += child + 1 < end && comes_before(walker, place[child], place[child + 1]);
      if (!comes_before(walker, x, place[child])) {
        break;
      }
      place[hole] = place[child];
      hole = child;
    }
    place[hole] = x;
  }
}

/* Sorts count keys in memory, a power of two and at least KEY_COUNT. */
static void sort_keys(int32_t *key, int64_t count) {
  for (int64_t i = 0; i < count; i += KEY_COUNT) {
    keys_store(key + i, sort_16(keys_load(key + i)));
  }
  for (int64_t width = KEY_COUNT; width < count; width *= 2) {
    for (int64_t first = 0; first < count; first += 2 * width) {
      int32_t *a = key + first;
      int32_t *b = a + width;
      /* Mirrored exchange of the two runs: afterwards both halves are bitonic. */
      for (int64_t i = 0; i < width; i += 2 * KEY_COUNT) {
        const int64_t other = width - KEY_COUNT - i;
        const keys x = keys_load(a + i);
        const keys y = keys_reverse(keys_load(b + other));
        const keys u = keys_load(a + other);
        const keys v = keys_reverse(keys_load(b + i));
        keys_store(a + i, keys_smaller(x, y));
        keys_store(b + other, keys_reverse(keys_larger(x, y)));
        if (other != i) {
          keys_store(a + other, keys_smaller(u, v));
          keys_store(b + i, keys_reverse(keys_larger(u, v)));
        }
      }
    }
    for (int64_t step = width / 2; step >= KEY_COUNT; step /= 2) {
      for (int64_t first = 0; first < count; first += 2 * step) {
        for (int64_t i = first; i < first + step; i += KEY_COUNT) {
          const keys x = keys_load(key + i);
          const keys y = keys_load(key + i + step);
          keys_store(key + i, keys_smaller(x, y));
          keys_store(key + i + step, keys_larger(x, y));
        }
      }
    }
    for (int64_t i = 0; i < count; i += KEY_COUNT) {
      keys_store(key + i, clean_16(keys_load(key + i)));
    }
  }
}

/* The origin of keys: 32 octaves below the largest value. */
static inline int64_t key_origin(const struct walker *walker) {
  double top = walker->bound;
  int64_t bits;
  if (!(top < DBL_MAX)) {
    top = 0;
    for (int64_t i = 0; i < walker->count; i++) {
      top = walker->value[i] > top ? walker->value[i] : top;
    }
  }
  memcpy(&bits, &top, sizeof bits);
  return bits - ((INT64_C(1) << 57) - 1);
}

/* The smallest keys, ascending, in walker->key, for k up to WALK_SMALL. Returns whether a key that is not
 * among the first k shares the value bits of the k-th. */
SIMD_INLINE int smallest_keys(struct walker *walker, int64_t origin, const int field) {
  const double *value = walker->value;
  const int32_t count = (int32_t)walker->count;
  const int32_t k = (int32_t)walker->k;
  keys low = keys_make(value, origin, 0, field, count);
  keys dropped = keys_set(KEY_NONE);
  if (k <= KEY_COUNT) {
    low = sort_16(low);
    for (int32_t i = KEY_COUNT; i < count; i += KEY_COUNT) {
      const keys next = keys_reverse(sort_16(keys_make(value + i, origin, i, field, count)));
      dropped = keys_smaller(dropped, keys_larger(low, next));
      low = clean_16(keys_smaller(low, next));
    }
    keys_store(walker->key, low);
    keys_store(walker->key + KEY_COUNT, keys_set(KEY_NONE));
  } else {
    keys high = keys_make(value + KEY_COUNT, origin, KEY_COUNT, field, count);
    sort_32(&low, &high);
    for (int32_t i = 2 * KEY_COUNT; i < count; i += 2 * KEY_COUNT) {
      keys a = keys_make(value + i, origin, i, field, count);
      keys smaller = low;
      keys larger;
      if (i + KEY_COUNT < count) {
        keys b = keys_make(value + i + KEY_COUNT, origin, i + KEY_COUNT, field, count);
        sort_32(&a, &b);
        b = keys_reverse(b);
        dropped = keys_smaller(dropped, keys_larger(low, b));
        smaller = keys_smaller(low, b);
      } else {
        a = sort_16(a);
      }
      a = keys_reverse(a);
      dropped = keys_smaller(dropped, keys_larger(high, a));
      larger = keys_smaller(high, a);
      low = clean_16(keys_smaller(smaller, larger));
      high = clean_16(keys_larger(smaller, larger));
    }
    keys_store(walker->key, low);
    keys_store(walker->key + KEY_COUNT, high);
    keys_store(walker->key + 2 * KEY_COUNT, keys_set(KEY_NONE));
  }
  if (count <= k) {
    return 0;
  }
  const int32_t last = walker->key[k - 1] | field;
  return walker->key[k] <= last || keys_any_at_most(dropped, last);
}

/* Fills place[kept] exactly where keys could not decide who comes k-th. */
static void settle_last(struct walker *walker, int64_t origin, int field, uint32_t *place) {
  const int32_t last = walker->key[walker->k - 1] & ~field;
  uint32_t *equal = walker->spare;
  int32_t made[KEY_COUNT];
  int64_t before = 0;
  int64_t found = 0;
  while (before < walker->k && (walker->key[before] & ~field) < last) {
    before++;
  }
  for (int64_t i = 0; i < walker->count; i += KEY_COUNT) {
    keys_store(made,
               keys_make(walker->value + i, origin, (int32_t)i, field, (int32_t)walker->count));
    for (int l = 0; l < KEY_COUNT && i + l < walker->count; l++) {
      if ((made[l] & ~field) == last) {
        equal[found++] = (uint32_t)(i + l);
      }
    }
  }
  sort_places(walker, equal, found);
  memcpy(place + before, equal, (size_t)(walker->k - before) * sizeof *place);
}

/* Puts runs of places whose keys share their value bits into exact order. */
static void settle_runs(struct walker *walker, int field, uint32_t *place, int64_t kept) {
  for (int64_t first = 0; first < kept;) {
    int64_t end = first + 1;
    while (end < kept && (walker->key[end] | field) == (walker->key[first] | field)) {
      end++;
    }
    sort_places(walker, place + first, end - first);
    first = end;
  }
}

static inline void gather_best(struct walker *walker, const uint32_t *place, int64_t kept) {
  for (int64_t i = 0; i < kept; i++) {
    walker->best_value[i] = walker->value[place[i]];
    walker->best_slot[i] = walker->slot[place[i]];
  }
}

/* Whether values ascend strictly. */
static inline int best_ascend(struct walker *walker, int64_t kept) {
  unsigned fine = 255;
  lanes_store(walker->best_value + kept, lanes_set(INFINITY));
  walker->best_value[kept + 8] = INFINITY;
  int64_t i = 0;
  for (; i + 8 <= kept; i += 8) {
    fine &= lanes_less(lanes_load(walker->best_value + i), lanes_load(walker->best_value + i + 1));
  }
  const unsigned rest = ~(255U << (kept - i)) & 255U;
  return fine == 255 &&
         (lanes_less(lanes_load(walker->best_value + i), lanes_load(walker->best_value + i + 1)) &
          rest) == rest;
}

/* The at most k best, sorted, into best_value and best_slot. The buffer stays. */
static __attribute__((noinline)) void select_best(struct walker *walker) {
  const int64_t kept = walker->count < walker->k ? walker->count : walker->k;
  uint32_t *place = walker->place;
  walker->best_count = kept;
  if (walker->k > WALK_SMALL && walker->slot_bits > KEY_SLOT_BITS_MOST) {
    for (int64_t i = 0; i < walker->count; i++) {
      place[i] = (uint32_t)i;
    }
    sort_places(walker, place, walker->count);
    gather_best(walker, place, kept);
    return;
  }
  const int field = (1 << walker->slot_bits) - 1;
  const int64_t origin = key_origin(walker);
  int undecided;
  if (walker->k <= WALK_SMALL) {
    undecided = smallest_keys(walker, origin, field);
  } else {
    int64_t power = KEY_COUNT;
    while (power <= walker->count) {
      power *= 2;
    }
    for (int64_t i = 0; i < power; i += KEY_COUNT) {
      keys_store(walker->key + i,
                 keys_make(walker->value + i, origin, (int32_t)i, field, (int32_t)walker->count));
    }
    sort_keys(walker->key, power);
    undecided =
        walker->count > walker->k && walker->key[walker->k] <= (walker->key[walker->k - 1] | field);
  }
  for (int64_t i = 0; i < kept; i++) {
    place[i] = (uint32_t)(walker->key[i] & field);
  }
  if (undecided) {
    settle_last(walker, origin, field, place);
  }
  gather_best(walker, place, kept);
  if (!best_ascend(walker, kept)) {
    settle_runs(walker, field, place, kept);
    gather_best(walker, place, kept);
  }
}

/* Reduces the buffer to its k best once it holds that many, and tightens the bound. */
static inline void tighten(struct walker *walker) {
  if (walker->count < walker->k) {
    return;
  }
  select_best(walker);
  memcpy(walker->value, walker->best_value, (size_t)walker->k * sizeof(double));
  memcpy(walker->slot, walker->best_slot, (size_t)walker->k * sizeof(uint32_t));
  walker->count = walker->k;
  const double last = walker->best_value[walker->k - 1];
  const int64_t position = walker->view->position[walker->best_slot[walker->k - 1]];
  if (last < walker->bound || position < walker->bound_position) {
    walker->bound_position = position;
  }
  walker->bound = last;
}

#endif
