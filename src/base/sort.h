/*
 * Sorting by unsigned integer keys. Orders are total and independent of the thread count.
 */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include "base/context.h"

/* A key and what it stands for. */
struct sort_pair {
  uint64_t key;
  uint64_t value;
};

/* Sorts by key; equal keys keep their order. Linear: byte-wise counting passes, skipped where all bytes
 * agree. Needs as much scratch memory again. Errors: PCCT_MEMORY. */
pcct_status sort_pairs(struct base *base, struct sort_pair *pairs, int64_t count);

/* Sorts records of `words` 64-bit words in lexicographic order, first word first. Records that agree in
 * all words keep their order. Errors: PCCT_MEMORY. */
pcct_status sort_records(struct base *base, uint64_t *records, int64_t count, int words);

/* A key whose unsigned order is the order of finite doubles; -0 and 0 get one key. */
uint64_t sort_key(double value);

/* Compares two int64_t, for qsort and bsearch. */
int sort_compare_integers(const void *a, const void *b);

#endif
