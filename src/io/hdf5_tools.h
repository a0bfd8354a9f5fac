/*
 * Small questions to HDF5 about types, shapes and numeric attributes, answered without a message: the
 * caller knows what was expected. Opening, text attributes and hyperslabs are in io/hdf5_access.h.
 * Everything here is Local.
 */
#ifndef IO_HDF5_TOOLS_H
#define IO_HDF5_TOOLS_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A type in words: "float64", "int32", "uint8", "string[2]" (of fixed length), "string", "compound", ...
 *   text [out] cut to size - 1 bytes */
void io_describe_type(hid_t type, char *text, size_t size);

/* A dataspace in words: "171075 x 2", "12", "scalar", "empty". */
void io_describe_space(hid_t space, char *text, size_t size);

/* The numbers of an attribute that has exactly `count` of them, converted.
 *   memory_type [in] a native type; integers are read from integers only
 * Returns false if there is no such attribute; numbers are undefined then. */
bool io_get_numbers(hid_t file, const char *object, const char *attribute, hid_t memory_type,
                    int64_t count, void *numbers);

#endif
