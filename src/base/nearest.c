/*
 * The name that was meant by a word.
 */
#include "base/nearest.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_COMPARED 63

/* Levenshtein distance; names longer than NAME_MAX_COMPARED are far from everything. */
static int edit_distance(const char *a, int a_length, const char *b, int b_length) {
  if (a_length > NAME_MAX_COMPARED || b_length > NAME_MAX_COMPARED) {
    return NAME_MAX_COMPARED;
  }
  int row[NAME_MAX_COMPARED + 1];
  for (int j = 0; j <= b_length; j++) {
    row[j] = j;
  }
  for (int i = 1; i <= a_length; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= b_length; j++) {
      int change = diagonal + (a[i - 1] != b[j - 1]);
      int shift = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
      diagonal = row[j];
      row[j] = change < shift ? change : shift;
    }
  }
  return row[b_length];
}

void nearest_consider(struct nearest *nearest, const char *word, int word_length, const char *name,
                      int length) {
  int distance = edit_distance(word, word_length, name, length);
  bool abbreviated =
      word_length > 0 && word_length < length && strncmp(word, name, (size_t)word_length) == 0;
  int longest = word_length > length ? word_length : length;
  if (abbreviated) {
    distance = 1;
  } else if (3 * distance > longest && !(distance == 1 && longest > 1)) {
    return;
  }
  if (nearest->name == NULL || distance < nearest->distance) {
    *nearest = (struct nearest){.name = name, .length = length, .distance = distance};
  }
}
