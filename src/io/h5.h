/*
 * What input, output and file have in common on HDF5: opening a file serially with plain words for
 * what is wrong, looking at datasets, reading text attributes. Everything here is Local.
 *
 * HDF5's own error printing is switched off for the process with the first call of io_open_serial
 * or io_silence, and stays off: the library tries again at exit what failed before, and would print
 * then.
 */
#ifndef IO_H5_H
#define IO_H5_H

#include "base/context.h"

#define H5_USE_110_API /* names mean what they mean in HDF5 1.10 with newer ones too */
#include <hdf5.h>

/* The one format version that this code writes, and the major one it reads. */
#define IO_FORMAT_MAJOR 1
#define IO_FORMAT_MINOR 0

/* Texts for messages, by value. */
struct io_text {
  char text[256];
};

/* Switches HDF5's error printing off. */
void io_silence(void);

/* What HDF5 says about its last failure: the innermost line of its error stack, "" if none. */
struct io_text io_reason(void);

/* Whether the last failure was one of reading or writing the file rather than of what is in it. */
bool io_is_driver_failure(void);

/* Opens an existing file for reading with the serial driver.
 *   file [out] -1 on failure; closed with H5Fclose
 * Errors: PCCT_FILE (missing, a directory, no regular file, unreadable, locked by a writer),
 * PCCT_INPUT (not HDF5, truncated, damaged, a pcct file of a future major version). */
pcct_status io_open_serial(struct base *base, const char *path, hid_t *file);

/* A file access list for one rank, -1 on failure. */
hid_t io_serial_access(void);

/* Whether an open file says that it is one of pcct's. */
bool io_is_own(hid_t file);

/* A text attribute, of fixed or variable length, cut to `size` - 1 bytes. Returns false, and "" in
 * text, if there is none. */
bool io_read_text(hid_t object, const char *attribute, char *text, size_t size);

/* The first `count` numbers of an attribute that has at least as many; false if there is none. */
bool io_read_numbers(hid_t object, const char *attribute, hid_t memory_type, int64_t count,
                     void *numbers);

/* What a path of a file is. */
enum io_kind { IO_MISSING, IO_DATASET, IO_OTHER };
enum io_kind io_find(hid_t file, const char *path);

/* The facts of a dataset. */
struct io_shape {
  int rank;
  int64_t extent[2]; /* the first two; 1 where there are fewer */
  H5T_class_t class;
  size_t size;       /* bytes of an element */
};

/* Returns false if the dataset is damaged. */
bool io_get_shape(hid_t dataset, struct io_shape *shape);

/* Whether elements are numbers. */
bool io_is_numeric(const struct io_shape *shape);

/* Why the ranks cannot read a dataset together, in a few words: a filter that is not there, parts in
 * other files. "" if they can. */
struct io_text io_obstacle(hid_t dataset);

/* "float64", "uint8", "string[2]", ... */
struct io_text io_type_text(hid_t dataset);

/* "171075 x 2"; "scalar", "empty". */
struct io_text io_shape_text(hid_t dataset);

/* Calls `visit` for every dataset of a file in alphabetical order of paths, until it returns false.
 *   path [in] with the leading "/"
 * Returns false if the file is damaged. */
typedef bool (*io_visitor)(void *user, const char *path, hid_t dataset);
bool io_visit_datasets(hid_t file, io_visitor visit, void *user);

/* Closes handles that are open (not negative) and sets them to -1. */
void io_close_file(hid_t *file);
void io_close_dataset(hid_t *dataset);
void io_close_type(hid_t *type);
void io_close_space(hid_t *space);
void io_close_list(hid_t *list);
void io_close_object(hid_t *object);
void io_close_attribute(hid_t *attribute);

#endif
