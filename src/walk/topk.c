/* Bounded candidate lists. */
#include "walk/topk.h"

static inline int before(struct candidate a, struct candidate b) {
  return a.value < b.value || (a.value == b.value && a.position < b.position);
}

static inline void swap(struct candidate *a, struct candidate *b) {
  struct candidate t = *a;
  *a = *b;
  *b = t;
}

static void insertion_sort(struct candidate *c, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    struct candidate x = c[i];
    int64_t j = i;
    for (; j > 0 && before(x, c[j - 1]); j--) {
      c[j] = c[j - 1];
    }
    c[j] = x;
  }
}

static struct candidate median_of_three(const struct candidate *c, int64_t first, int64_t last) {
  struct candidate a = c[first];
  struct candidate b = c[first + (last - first) / 2];
  struct candidate d = c[last];
  if (before(b, a)) {
    swap(&a, &b);
  }
  if (before(d, b)) {
    b = before(d, a) ? a : d;
  }
  return b;
}

/* Hoare's partition around the median of three: everything in first..*left comes no later than everything
 * in *right..last, and both parts are smaller than the whole. */
static void partition(struct candidate *c, int64_t first, int64_t last, int64_t *left,
                      int64_t *right) {
  const struct candidate pivot = median_of_three(c, first, last);
  int64_t i = first;
  int64_t j = last;
  while (i <= j) {
    while (before(c[i], pivot)) {
      i++;
    }
    while (before(pivot, c[j])) {
      j--;
    }
    if (i <= j) {
      swap(&c[i++], &c[j--]);
    }
  }
  *left = j;
  *right = i;
}

/* Brings the k smallest to the front. */
static void select_smallest(struct candidate *c, int64_t count, int64_t k) {
  int64_t first = 0;
  int64_t last = count - 1;
  while (first < last) {
    int64_t left;
    int64_t right;
    partition(c, first, last, &left, &right);
    if (k - 1 <= left) {
      last = left;
    } else if (k - 1 >= right) {
      first = right;
    } else {
      return;
    }
  }
}

void candidates_sort(struct candidate *c, int64_t count) {
  while (count > 24) {
    int64_t left;
    int64_t right;
    partition(c, 0, count - 1, &left, &right);
    /* The smaller part recursively, the larger in the loop: depth O(log count). */
    if (left + 1 < count - right) {
      candidates_sort(c, left + 1);
      c += right;
      count -= right;
    } else {
      candidates_sort(c + right, count - right);
      count = left + 1;
    }
  }
  insertion_sort(c, count);
}

int64_t candidates_merge(const struct candidate *a, int64_t a_count, const struct candidate *b,
                         int64_t b_count, int64_t k, struct candidate *to) {
  int64_t count = 0;
  int64_t i = 0;
  int64_t j = 0;
  while (count < k && (i < a_count || j < b_count)) {
    const int first =
        j == b_count ||
        (i < a_count &&
         (a[i].value < b[j].value || (a[i].value == b[j].value && a[i].position <= b[j].position)));
    to[count] = first ? a[i] : b[j];
    /* one point has one value, wherever it was computed */
    j += j < b_count && b[j].position == to[count].position;
    i += first;
    count++;
  }
  return count;
}

pcct_status topk_create(struct base *base, int64_t k, struct topk *topk) {
  topk->k = k;
  topk->capacity = 2 * k + 64;
  topk->candidates = base_allocate(base, topk->capacity, sizeof *topk->candidates);
  topk_start(topk, INFINITY, INT64_MAX);
  return topk->candidates ? PCCT_OK : PCCT_MEMORY;
}

void topk_free(struct topk *topk) {
  base_free(topk->candidates);
  topk->candidates = NULL;
}

void topk_start(struct topk *topk, double cutoff, int64_t cutoff_position) {
  topk->count = 0;
  topk->bound = cutoff;
  topk->bound_position = cutoff_position;
}

void topk_compact(struct topk *topk) {
  struct candidate *c = topk->candidates;
  if (topk->count < topk->k) {
    return;
  }
  if (topk->count > topk->k) {
    select_smallest(c, topk->count, topk->k);
    topk->count = topk->k;
  }
  struct candidate worst = c[0];
  for (int64_t i = 1; i < topk->k; i++) {
    worst = before(worst, c[i]) ? c[i] : worst;
  }
  topk->bound = worst.value;
  topk->bound_position = worst.position;
}

void topk_finish(struct topk *topk) {
  topk_compact(topk);
  candidates_sort(topk->candidates, topk->count);
}
