/* Records of rows. */
#include "dist/record.h"

#include <math.h>
#include <string.h>

enum { NUMBER_BYTES = 8, HEADER_BYTES = 16 };

int64_t record_size(int64_t width, int index_size) {
  return (HEADER_BYTES + width * (8 + index_size) + 7) / 8 * 8;
}

int record_index_size(const pcct_index *index) {
  return index->total <= INT32_MAX ? 4 : 8;
}

void pcct_rows_clear(pcct_rows *rows) {
  base_free(rows->index32);
  base_free(rows->index64);
  base_free(rows->distance);
  base_free(rows->filled);
  *rows = (pcct_rows){0};
}

pcct_status record_rows_create(pcct_index *index, int64_t first, int64_t count, int64_t width,
                               pcct_rows *rows) {
  struct base *base = &index->context->base;
  *rows = (pcct_rows){.first = first, .count = count, .width = width};
  if (count > 0 && width > INT64_MAX / 16 / count) {
    return base_fail(base, PCCT_MEMORY, "%lld rows of %lld entries do not fit in memory",
                     (long long)count, (long long)width);
  }
  if (record_index_size(index) == 4) {
    rows->index32 = base_allocate(base, count * width, sizeof(int32_t));
  } else {
    rows->index64 = base_allocate(base, count * width, sizeof(int64_t));
  }
  rows->distance = base_allocate(base, count * width, sizeof(double));
  rows->filled = base_allocate(base, count, sizeof(int32_t));
  return (rows->index32 || rows->index64) && rows->distance && rows->filled ? PCCT_OK : PCCT_MEMORY;
}

struct walk_rows record_rows_layout(const pcct_rows *rows) {
  const int size = rows->index32 ? 4 : 8;
  return (struct walk_rows){.value = (char *)rows->distance,
                            .index = rows->index32 ? (char *)rows->index32 : (char *)rows->index64,
                            .filled = (char *)rows->filled,
                            .value_stride = 8 * rows->width,
                            .index_stride = size * rows->width,
                            .filled_stride = 4,
                            .width = rows->width,
                            .index_size = size};
}

struct walk_rows record_layout(char *records, int64_t width, int index_size) {
  const int64_t size = record_size(width, index_size);
  return (struct walk_rows){.value = records + HEADER_BYTES,
                            .index = records + HEADER_BYTES + 8 * width,
                            .filled = records + NUMBER_BYTES,
                            .value_stride = size,
                            .index_stride = size,
                            .filled_stride = size,
                            .width = width,
                            .index_size = index_size};
}

void record_start(char *record, int64_t number, int64_t width, int index_size) {
  memset(record + record_size(width, index_size) - 8, 0, 8);
  memset(record + NUMBER_BYTES, 0, HEADER_BYTES - NUMBER_BYTES);
  record_number_set(record, number);
}

int64_t record_number(const char *record) {
  int64_t number;
  memcpy(&number, record, sizeof number);
  return number;
}

void record_number_set(char *record, int64_t number) {
  memcpy(record, &number, sizeof number);
}

void record_unpack(const struct metric *metric, const char *record, int64_t row, pcct_rows *rows) {
  const struct walk_rows to = record_rows_layout(rows);
  const int64_t width = rows->width;
  const double *value = (const double *)(const void *)(record + HEADER_BYTES);
  double *distance = rows->distance + row * width;
  memcpy(rows->filled + row, record + NUMBER_BYTES, sizeof(int32_t));
  if (metric->kind == METRIC_EUCLIDEAN && !metric->lonlat) {
    for (int64_t e = 0; e < width; e++) {
      distance[e] = sqrt(value[e]);
    }
  } else {
    for (int64_t e = 0; e < width; e++) {
      distance[e] = metric_user_distance(metric, value[e]);
    }
  }
  memcpy(to.index + row * to.index_stride, record + HEADER_BYTES + 8 * width,
         (size_t)(width * to.index_size));
}
