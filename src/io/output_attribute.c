/*
 * Attributes of the output, and HDF5's reason for a failure.
 */
#include "io/output_private.h"

#include <stdio.h>
#include <string.h>

/* An attribute lives in its object's header, whose messages end at 64 KiB. */
#define TEXT_BYTES_MAX 60000

static bool put(hid_t object, const char *name, hid_t type, int count, const void *values) {
  const hsize_t extent = (hsize_t)count;
  const hid_t space = count == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool good = attribute >= 0 && H5Awrite(attribute, type, values) >= 0;
  if (attribute >= 0) {
    good &= H5Aclose(attribute) >= 0;
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  return good;
}

bool output_put_text(hid_t object, const char *name, const char *text) {
  size_t length = strnlen(text, TEXT_BYTES_MAX);
  if (text[length] != '\0') {
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
      length--; /* a cut goes before a whole character */
    }
  }
  char nothing = '\0';
  const hid_t type = H5Tcopy(H5T_C_S1);
  bool good = type >= 0 && H5Tset_size(type, length > 0 ? length : 1) >= 0 &&
              H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
              put(object, name, type, 0, length > 0 ? text : &nothing);
  if (type >= 0) {
    H5Tclose(type);
  }
  return good;
}

bool output_put_integers(hid_t object, const char *name, hid_t type, int count,
                         const void *values) {
  return put(object, name, type, count, values);
}

bool output_put_doubles(hid_t object, const char *name, int count, const double *values) {
  return put(object, name, H5T_NATIVE_DOUBLE, count, values);
}

static herr_t take_first(unsigned depth, const H5E_error2_t *error, void *reason) {
  if (depth == 0 && error->desc) {
    snprintf(((struct output_reason *)reason)->text, sizeof(struct output_reason), "%s",
             error->desc);
  }
  return 0;
}

struct output_reason output_get_reason(void) {
  struct output_reason reason = {.text = "HDF5 gives no reason"};
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
  for (char *at = reason.text; *at; at++) {
    *at = *at == '\n' ? ' ' : *at;
  }
  return reason;
}

bool output_put_shape(hid_t file, const struct output_header *header) {
  const struct {
    const char *name, *text;
  } texts[] = {{"condition", header->condition},
               {"group", header->group},
               {"mix", header->mix},
               {"clusters", header->clusters}};
  bool good = true;
  for (size_t i = 0; good && i < sizeof texts / sizeof texts[0]; i++) {
    good = texts[i].text == NULL || output_put_text(file, texts[i].name, texts[i].text);
  }
  if (good && header->condition != NULL) {
    good = output_put_integers(file, "observed", H5T_NATIVE_INT64, 0, &header->observed);
  }
  if (good && header->radius_factor > 0) {
    good = output_put_doubles(file, "radius_factor", 0, &header->radius_factor) &&
           output_put_integers(file, "least", H5T_NATIVE_INT64, 0, &header->least);
  }
  return good;
}
