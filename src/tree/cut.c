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

/* Moves the records below a pivot, or up to it, in front: every record is swapped whatever the comparison
 * says, which costs less than a wrong guess. Returns how many they are. */
static inline __attribute__((always_inline)) int64_t
partition(const int words, double *records, int64_t count, int axis, double pivot, int inclusive) {
  int64_t front = 0;
  for (int64_t i = 0; i < count; i++) {
    const double key = records[i * words + axis];
    swap_records(words, records + i * words, records + front * words);
    front += inclusive ? key <= pivot : key < pivot;
  }
  return front;
}

static inline double median(double a, double b, double c) {
  return a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
}

/* Quickselect by one coordinate: the `left` smallest come first. */
static inline __attribute__((always_inline)) void
select_axis(const int words, double *records, int64_t count, int64_t left, int axis) {
  while (count > 1) {
    const double *keys = records + axis;
    const int64_t step = (count - 1) / 8 * words;
    const double pivot = median(median(keys[0], keys[step], keys[2 * step]),
                                median(keys[3 * step], keys[4 * step], keys[5 * step]),
                                median(keys[6 * step], keys[7 * step], keys[8 * step]));
    int64_t front = partition(words, records, count, axis, pivot, 0);
    if (left < front) {
      count = front;
      continue;
    }
    if (front == 0) { /* the pivot is the smallest key: pass all of its equals */
      front = partition(words, records, count, axis, pivot, 1);
      if (left < front) {
        return;
      }
    }
    records += front * words;
    left -= front;
    count -= front;
  }
}

/* The same by position, all of which are distinct. */
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
#pragma omp simd reduction(min : lower) reduction(max : upper)
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
  if (count > CUT_TASK) {
#pragma omp task
    cut_records(records, dimension, left, leaf, most / 2);
    cut_records(records + left * (dimension + 1), dimension, count - left, leaf, most / 2);
#pragma omp taskwait
  } else {
    cut_records(records, dimension, left, leaf, most / 2);
    cut_records(records + left * (dimension + 1), dimension, count - left, leaf, most / 2);
  }
}

static void order_range(double *records, int dimension, int64_t count, int64_t leaf) {
  enum { PARTS = 8 };
  int64_t size[PARTS];
  const int parts = cut_sizes(count, leaf, PARTS, size);
  if (parts == 1) {
    return;
  }
  cut_records(records, dimension, count, leaf, PARTS);
  for (int i = 0; i < parts; i++) {
    const int64_t part = size[i];
#pragma omp task firstprivate(records, part) if (part > CUT_TASK)
    order_range(records, dimension, part, leaf);
    records += part * (dimension + 1);
  }
#pragma omp taskwait
}

void cut_order(double *records, int dimension, int64_t count, int64_t leaf, int threads) {
  const int team = count >= BASE_PARALLEL_MIN ? threads : 1;
#pragma omp parallel num_threads(team)
#pragma omp single
  order_range(records, dimension, count, leaf);
}

__attribute__((target_clones("avx512f", "avx2", "default"))) void
cut_ranks(const double *records, int dimension, int count, int64_t *rank) {
  int64_t position[CUT_LEAF];
  int64_t bits = 0;
  for (int i = 0; i < CUT_LEAF; i++) {
    position[i] =
        i < count ? cut_position(records + (int64_t)i * (dimension + 1), dimension) : INT64_MAX;
    bits |= i < count ? position[i] : 0;
  }
  if (bits <= INT32_MAX) { /* twice as many fit into a vector */
    int32_t small[CUT_LEAF];
    int32_t before[CUT_LEAF] = {0};
    for (int i = 0; i < CUT_LEAF; i++) {
      small[i] = i < count ? (int32_t)position[i] : INT32_MAX;
    }
    for (int j = 0; j < count; j++) {
      const int32_t other = small[j];
      for (int i = 0; i < CUT_LEAF; i++) {
        before[i] += other < small[i];
      }
    }
    for (int i = 0; i < CUT_LEAF; i++) {
      rank[i] = before[i];
    }
    return;
  }
  for (int i = 0; i < CUT_LEAF; i++) {
    rank[i] = 0;
  }
  for (int j = 0; j < count; j++) {
    const int64_t other = position[j];
    for (int i = 0; i < CUT_LEAF; i++) {
      rank[i] += other < position[i];
    }
  }
}
