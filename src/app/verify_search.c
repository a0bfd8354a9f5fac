/*
 * Adaptive grid and brute force search. See verify_search.h.
 */
#include "app/verify_search.h"

#include <omp.h>
#include <string.h>

/* Points of a cell that is not halved any more. */
#define CELL_POINTS 12

/* A cell: a range of places with the tight box of their points. */
struct cell {
  double low[VERIFY_GRID_DIMENSION], high[VERIFY_GRID_DIMENSION];
  int64_t begin, end; /* places, in the order of their indices */
  int64_t smallest;   /* index of any of its points */
  int64_t halves;     /* its two halves are cells halves and halves + 1; -1: not halved */
  int64_t depth;
};

struct verify_search {
  enum metric_kind kind;
  int dimension;
  int64_t count;
  const double *points;
  double *places;   /* [count][dimension] the points cell by cell; NULL: one cell, as given */
  int64_t *indices; /* [count] their indices */
  struct cell *cells;
  int64_t cell_count;
  int64_t depth; /* of the deepest cell */
};

/* ---------------------------------------------------------------- building the grid */

static void cell_enclose(const struct verify_search *search, struct cell *cell) {
  int dimension = search->dimension;
  const double *first = search->places + cell->begin * dimension;
  for (int j = 0; j < dimension; j++) {
    cell->low[j] = first[j];
    cell->high[j] = first[j];
  }
  for (int64_t i = cell->begin + 1; i < cell->end; i++) {
    const double *place = search->places + i * dimension;
    for (int j = 0; j < dimension; j++) {
      cell->low[j] = place[j] < cell->low[j] ? place[j] : cell->low[j];
      cell->high[j] = place[j] > cell->high[j] ? place[j] : cell->high[j];
    }
  }
  cell->smallest = search->indices[cell->begin];
}

/* The longest side of a cell. */
static int cell_axis(const struct cell *cell, int dimension) {
  int axis = 0;
  for (int j = 1; j < dimension; j++) {
    if (cell->high[j] - cell->low[j] > cell->high[axis] - cell->low[axis]) {
      axis = j;
    }
  }
  return axis;
}

/* Moves the places at or below the middle of one side to the front, keeping the order of indices in
 * both halves. Returns where the second half begins; both have points, whatever the rounding. */
static int64_t cell_halve(struct verify_search *search, const struct cell *cell, int axis,
                          double *spare_places, int64_t *spare_indices) {
  int dimension = search->dimension;
  size_t size = (size_t)dimension * sizeof(double);
  double middle = cell->low[axis] + (cell->high[axis] - cell->low[axis]) / 2;
  if (middle >= cell->high[axis]) {
    middle = cell->low[axis];
  }
  int64_t kept = cell->begin, spared = 0;
  for (int64_t i = cell->begin; i < cell->end; i++) {
    const double *place = search->places + i * dimension;
    if (place[axis] > middle) {
      memcpy(spare_places + spared * dimension, place, size);
      spare_indices[spared++] = search->indices[i];
    } else {
      memmove(search->places + kept * dimension, place, size);
      search->indices[kept++] = search->indices[i];
    }
  }
  memcpy(search->places + kept * dimension, spare_places, (size_t)spared * size);
  memcpy(search->indices + kept, spare_indices, (size_t)spared * sizeof *spare_indices);
  return kept;
}

/* Halves cells in the order of their making until none is crowded. */
static pcct_status grid_build(struct base *base, struct verify_search *search) {
  int dimension = search->dimension;
  int64_t capacity = 0;
  double *spare_places =
      base_allocate(base, search->count, (size_t)dimension * sizeof *spare_places);
  int64_t *spare_indices = base_allocate(base, search->count, sizeof *spare_indices);
  pcct_status status = spare_places && spare_indices ? PCCT_OK : PCCT_MEMORY;
  if (status == PCCT_OK) {
    status = base_grow(base, (void **)&search->cells, &capacity, 0,
                       2 * (search->count / CELL_POINTS) + 1, sizeof *search->cells);
  }
  if (status == PCCT_OK) {
    search->cells[0] = (struct cell){.begin = 0, .end = search->count};
    search->cell_count = 1;
  }
  for (int64_t c = 0; status == PCCT_OK && c < search->cell_count; c++) {
    struct cell *cell = &search->cells[c];
    cell_enclose(search, cell);
    cell->halves = -1;
    search->depth = cell->depth;
    int axis = cell_axis(cell, dimension);
    if (cell->end - cell->begin <= CELL_POINTS || !(cell->high[axis] > cell->low[axis])) {
      continue;
    }
    int64_t second = cell_halve(search, cell, axis, spare_places, spare_indices);
    status = base_grow(base, (void **)&search->cells, &capacity, search->cell_count,
                       search->cell_count + 2, sizeof *search->cells);
    if (status == PCCT_OK) {
      cell = &search->cells[c]; /* the cells may have moved */
      cell->halves = search->cell_count;
      search->cells[search->cell_count++] =
          (struct cell){.begin = cell->begin, .end = second, .depth = cell->depth + 1};
      search->cells[search->cell_count++] =
          (struct cell){.begin = second, .end = cell->end, .depth = cell->depth + 1};
    }
  }
  base_free(spare_places);
  base_free(spare_indices);
  return status;
}

pcct_status verify_search_create(struct base *base, enum metric_kind kind, int dimension,
                                 const double *points, int64_t count,
                                 struct verify_search **search) {
  *search = NULL;
  pcct_status status = PCCT_MEMORY;
  struct verify_search *made = base_allocate_zero(base, 1, sizeof *made);
  if (!made) {
    goto cleanup;
  }
  made->kind = kind;
  made->dimension = dimension;
  made->count = count;
  made->points = points;
  if (dimension <= VERIFY_GRID_DIMENSION && count > 0) {
    made->places = base_allocate(base, count, (size_t)dimension * sizeof *made->places);
    made->indices = base_allocate(base, count, sizeof *made->indices);
    if (!made->places || !made->indices) {
      goto cleanup;
    }
    memcpy(made->places, points, (size_t)count * (size_t)dimension * sizeof *points);
    for (int64_t i = 0; i < count; i++) {
      made->indices[i] = i;
    }
    status = grid_build(base, made);
    if (status != PCCT_OK) {
      goto cleanup;
    }
  }
  *search = made;
  made = NULL;
  status = PCCT_OK;
cleanup:
  verify_search_destroy(&made);
  return status;
}

void verify_search_destroy(struct verify_search **search) {
  if (search && *search) {
    base_free((*search)->places);
    base_free((*search)->indices);
    base_free((*search)->cells);
    base_free(*search);
    *search = NULL;
  }
}

/* ---------------------------------------------------------------- one query */

/* A cell that may still hold an answer, and the smallest kernel value it can contribute. */
struct open_cell {
  double bound;
  int64_t cell;
};

struct query {
  const double *coordinates;
  int64_t below;            /* only indices below this one are admissible */
  int64_t except;           /* and not this one; -1: none */
  int64_t k;                /* wanted */
  int64_t found;            /* heap entries */
  struct verify_near *heap; /* [k] the best so far, the worst of them first */
  struct open_cell *open;   /* room for one cell of each depth, and one more */
};

static int is_before(double value, int64_t index, const struct verify_near *other) {
  return value < other->value || (value == other->value && index < other->index);
}

/* Whether points of at least this value and index can still enter the answer. */
static int can_enter(const struct query *query, double value, int64_t index) {
  return index < query->below &&
         (query->found < query->k || is_before(value, index, &query->heap[0]));
}

static void sift_down(struct verify_near *heap, int64_t count, struct verify_near entry) {
  int64_t at = 0;
  for (int64_t child = 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && is_before(heap[child].value, heap[child].index, &heap[child + 1])) {
      child++;
    }
    if (!is_before(entry.value, entry.index, &heap[child])) {
      break;
    }
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = entry;
}

static void enter(struct query *query, double value, int64_t index) {
  struct verify_near entry = {value, index};
  if (query->found == query->k) {
    sift_down(query->heap, query->k, entry);
    return;
  }
  int64_t at = query->found++;
  while (at > 0 &&
         is_before(query->heap[(at - 1) / 2].value, query->heap[(at - 1) / 2].index, &entry)) {
    query->heap[at] = query->heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  query->heap[at] = entry;
}

/* The kernel value once one more axis is counted. */
static double add_axis(enum metric_kind kind, double value, double difference) {
  if (kind == METRIC_EUCLIDEAN) {
    return value + difference * difference;
  }
  return kind == METRIC_MANHATTAN ? value + fabs(difference) : fmax(value, fabs(difference));
}

/* Looks at the points of a range, whose indices ascend and whose values are at least `bound`. Many
 * points at the bound itself, as in a cell of one location, end the scan as soon as k are held. */
static void scan(const struct verify_search *search, struct query *query, int64_t begin,
                 int64_t end, double bound) {
  int dimension = search->dimension;
  const double *places = search->places ? search->places : search->points;
  for (int64_t i = begin; i < end; i++) {
    int64_t index = search->indices ? search->indices[i] : i;
    if (!can_enter(query, bound, index)) {
      return;
    }
    double value = 0;
    for (int j = 0; j < dimension; j++) {
      value = add_axis(search->kind, value, query->coordinates[j] - places[i * dimension + j]);
    }
    if (index != query->except && can_enter(query, value, index)) {
      enter(query, value, index);
    }
  }
}

static double cell_bound(const struct verify_search *search, const struct cell *cell,
                         const double *coordinates) {
  double bound = 0;
  for (int j = 0; j < search->dimension; j++) {
    double gap = 0;
    if (coordinates[j] < cell->low[j]) {
      gap = cell->low[j] - coordinates[j];
    } else if (coordinates[j] > cell->high[j]) {
      gap = coordinates[j] - cell->high[j];
    }
    bound = add_axis(search->kind, bound, gap);
  }
  return bound;
}

/* Opens cells, the nearer half first. */
static void search_grid(const struct verify_search *search, struct query *query) {
  int64_t opened = 0;
  query->open[opened++] =
      (struct open_cell){cell_bound(search, &search->cells[0], query->coordinates), 0};
  while (opened > 0) {
    struct open_cell next = query->open[--opened];
    const struct cell *cell = &search->cells[next.cell];
    if (!can_enter(query, next.bound, cell->smallest)) {
      continue;
    }
    if (cell->halves < 0) {
      scan(search, query, cell->begin, cell->end, next.bound);
      continue;
    }
    struct open_cell half[2];
    for (int h = 0; h < 2; h++) {
      half[h].cell = cell->halves + h;
      half[h].bound = cell_bound(search, &search->cells[half[h].cell], query->coordinates);
    }
    int nearer = half[1].bound < half[0].bound;
    query->open[opened++] = half[!nearer];
    query->open[opened++] = half[nearer];
  }
}

/* Turns the heap into a list, nearest first. */
static void sort_found(struct query *query) {
  for (int64_t last = query->found - 1; last > 0; last--) {
    struct verify_near entry = query->heap[last];
    query->heap[last] = query->heap[0];
    sift_down(query->heap, last, entry);
  }
}

pcct_status verify_search_run(struct base *base, const struct verify_search *search,
                              const struct verify_queries *queries, int64_t k, verify_visit visit,
                              void *user) {
  int threads = base->threads;
  int dimension = search->dimension;
  int64_t room = k < search->count ? k : search->count;
  int64_t depth = search->depth + 2;
  struct verify_near *heaps = base_allocate(base, threads * room, sizeof *heaps);
  struct open_cell *open = base_allocate(base, threads * depth, sizeof *open);
  pcct_status status = heaps && open ? PCCT_OK : PCCT_MEMORY;
  if (status != PCCT_OK) {
    goto cleanup;
  }
#pragma omp parallel for schedule(dynamic, 64) num_threads(threads)
  for (int64_t q = 0; q < queries->count; q++) {
    struct query query = {.below = search->count, .except = -1, .k = room};
    query.heap = heaps + omp_get_thread_num() * room;
    query.open = open + omp_get_thread_num() * depth;
    query.coordinates = queries->admission == VERIFY_ALL
                            ? queries->coordinates + q * dimension
                            : search->points + queries->own[q] * dimension;
    if (queries->admission == VERIFY_PREDECESSORS) {
      query.below = queries->own[q];
    } else if (queries->admission == VERIFY_OTHERS) {
      query.except = queries->own[q];
    }
    if (search->cells) {
      search_grid(search, &query);
    } else {
      scan(search, &query, 0, search->count, 0);
    }
    sort_found(&query);
    visit(user, q, query.found, query.heap);
  }
cleanup:
  base_free(heaps);
  base_free(open);
  return status;
}
