/*
 * The name that was meant by a word: by edit distance, or by abbreviation. Everything here is Local.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

/* The best candidate so far; starts zeroed. */
struct nearest {
  const char *name; /* NULL: none is near enough */
  int length;       /* of the name, which need not be terminated */
  int distance;
};

/* Takes a candidate into account: an abbreviation counts as one edit, other names must agree in two
 * thirds. */
void nearest_consider(struct nearest *nearest, const char *word, int word_length, const char *name,
                      int length);

#endif
