/* Coordinate cuts of buckets. */
#include "tree/cut.h"

#include <string.h>

/* Points of the left one of two parts: its share of the leaves, in whole blocks of 8. */
static int64_t left_size(int64_t count, int64_t leaf) {
  const int64_t leaves = (count + leaf - 1) / leaf;
  const int64_t share = (count * (leaves / 2) + leaves - 1) / leaves;
  return (share + 7) / 8 * 8;
}

int cut_sizes(int64_t count, int64_t leaf, int most, int64_t *size) {
  if (count <= leaf || most == 1) {
    size[0] = count;
    return 1;
  }
  const int64_t left = left_size(count, leaf);
  const int parts = cut_sizes(left, leaf, most / 2, size);
  return parts + cut_sizes(count - left, leaf, most / 2, size + parts);
}

static inline __attribute__((always_inline)) void swap_records(const int words, double *a,
                                                               double *b) {
  for (int j = 0; j < words; j++) {
    const double keep = a[j];
    a[j] = b[j];
    b[j] = keep;
  }
}

/* Quickselect by one coordinate: the `left` smallest come first. Median of three; equal keys are swapped, so
 * that many of them split evenly. */
static inline __attribute__((always_inline)) void
select_axis(const int words, double *records, int64_t count, int64_t left, int axis) {
  int64_t low = 0;
  int64_t high = count - 1;
  while (low < high) {
    const double a = records[low * words + axis];
    const double b = records[(low + (high - low) / 2) * words + axis];
    const double c = records[high * words + axis];
    const double pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
    int64_t i = low;
    int64_t j = high;
    while (i <= j) {
      while (records[i * words + axis] < pivot) {
        i++;
      }
      while (records[j * words + axis] > pivot) {
        j--;
      }
      if (i <= j) {
        swap_records(words, records + i * words, records + j * words);
        i++;
        j--;
      }
    }
    if (left <= j) {
      high = j;
    } else if (left >= i) {
      low = i;
    } else {
      return;
    }
  }
}

/* The same by position. */
static void select_position(int dimension, double *records, int64_t count, int64_t left) {
  const int words = dimension + 1;
  int64_t low = 0;
  int64_t high = count - 1;
  while (low < high) {
    const int64_t pivot = cut_position(records + (low + (high - low) / 2) * words, dimension);
    int64_t i = low;
    int64_t j = high;
    while (i <= j) {
      while (cut_position(records + i * words, dimension) < pivot) {
        i++;
      }
      while (cut_position(records + j * words, dimension) > pivot) {
        j--;
      }
      if (i <= j) {
        swap_records(words, records + i * words, records + j * words);
        i++;
        j--;
      }
    }
    if (left <= j) {
      high = j;
    } else if (left >= i) {
      low = i;
    } else {
      return;
    }
  }
}

/* The axis of the largest extent, or -1 if all points coincide. */
static inline __attribute__((always_inline)) int widest_axis(const int dimension,
                                                             const double *records, int64_t count) {
  const int words = dimension + 1;
  double widest = 0;
  int axis = -1;
  for (int j = 0; j < dimension; j++) {
    double lower = records[j];
    double upper = lower;
    for (int64_t i = 1; i < count; i++) {
      const double x = records[i * words + j];
      lower = x < lower ? x : lower;
      upper = x > upper ? x : upper;
    }
    if (upper - lower > widest) {
      widest = upper - lower;
      axis = j;
    }
  }
  return axis;
}

static inline __attribute__((always_inline)) void split(const int dimension, double *records,
                                                        int64_t count, int64_t left) {
  const int axis = widest_axis(dimension, records, count);
  if (axis < 0) {
    select_position(dimension, records, count, left);
  } else {
    select_axis(dimension + 1, records, count, left, axis);
  }
}

void cut_records(double *records, int dimension, int64_t count, int64_t leaf, int most) {
  if (count <= leaf || most == 1) {
    return;
  }
  const int64_t left = left_size(count, leaf);
  switch (dimension) {
  case 1:
    split(1, records, count, left);
    break;
  case 2:
    split(2, records, count, left);
    break;
  case 3:
    split(3, records, count, left);
    break;
  default:
    split(dimension, records, count, left);
    break;
  }
  cut_records(records, dimension, left, leaf, most / 2);
  cut_records(records + left * (dimension + 1), dimension, count - left, leaf, most / 2);
}

void cut_sort_leaf(double *records, int dimension, int64_t count) {
  const int words = dimension + 1;
  double moving[65];
  for (int64_t i = 1; i < count; i++) {
    const int64_t position = cut_position(records + i * words, dimension);
    int64_t to = i;
    while (to > 0 && cut_position(records + (to - 1) * words, dimension) > position) {
      to--;
    }
    if (to < i) {
      memcpy(moving, records + i * words, (size_t)words * sizeof *records);
      memmove(records + (to + 1) * words, records + to * words,
              (size_t)((i - to) * words) * sizeof *records);
      memcpy(records + to * words, moving, (size_t)words * sizeof *records);
    }
  }
}
