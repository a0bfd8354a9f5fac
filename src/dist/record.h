/*
 * Records: rows on their way from the rank that answers them to the one that wants them.
 *
 * A record is a number (int64: which row it is), the entries (int32, and 4 bytes of zeros), kernel values,
 * positions (4 or 8 bytes each), and zeros up to a multiple of 8: no undefined byte is sent.
 */
#ifndef DIST_RECORD_H
#define DIST_RECORD_H

#include "dist/index.h"
#include "walk/rows.h"

/* Bytes of a record of `width` entries; of one of its positions. */
int64_t record_size(int64_t width, int index_size);
int record_index_size(const pcct_index *index);

/* Room for the caller's rows first .. first + count - 1.
 *   rows [out] cleared with pcct_rows_clear
 * Local. Errors: PCCT_MEMORY. */
pcct_status record_rows_create(pcct_index *index, int64_t first, int64_t count, int64_t width,
                               pcct_rows *rows);

/* The caller's rows, and records, as walkers see them. */
struct walk_rows record_rows_layout(const pcct_rows *rows);
struct walk_rows record_layout(char *records, int64_t width, int index_size);

/* Numbers a record, and writes the zeros. */
void record_start(char *record, int64_t number, int64_t width, int index_size);

/* Its number. */
int64_t record_number(const char *record);
void record_number_set(char *record, int64_t number);

/* Writes a record's entries into a row, as the user's distances. Local. */
void record_unpack(const struct metric *metric, const char *record, int64_t row, pcct_rows *rows);

#endif
