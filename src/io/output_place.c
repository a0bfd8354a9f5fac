/*
 * The output's place in the file system: who has which name, and that its blocks are there.
 */
#define _GNU_SOURCE /* fallocate */
#include "io/output_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_MODE 0666 /* less the user's mask */

/* Fails unless `name` is free, or a regular file that may be replaced. */
static pcct_status check_name(struct base *base, const char *name, bool overwrite,
                              const char *state, bool *exists) {
  struct stat found;
  *exists = false;
  if (lstat(name, &found) != 0) {
    return errno == ENOENT
               ? PCCT_OK
               : base_fail(base, PCCT_FILE, "%s: cannot be written: %s", name, strerror(errno));
  }
  if (S_ISLNK(found.st_mode) && stat(name, &found) != 0) {
    return base_fail(base, PCCT_FILE, "%s: expected a file or a new name, found a link to nothing",
                     name);
  }
  if (!S_ISREG(found.st_mode)) {
    return base_fail(base, PCCT_FILE, "%s: expected a file or a new name, found %s", name,
                     S_ISDIR(found.st_mode) ? "a directory" : "no regular file");
  }
  *exists = true;
  return overwrite
             ? PCCT_OK
             : base_fail(base, PCCT_USAGE, "%s: %s; use --overwrite to replace it", name, state);
}

static pcct_status check_names(struct base *base, const char *path, const char *part,
                               bool overwrite, bool resume, bool *part_exists) {
  bool exists;
  *part_exists = false;
  if (path[0] == '\0') {
    return base_fail(base, PCCT_FILE, "expected the name of an output file, found an empty text");
  }
  pcct_status status = check_name(base, path, overwrite, "exists already", &exists);
  if (status == PCCT_OK) {
    status = check_name(base, part, overwrite || resume,
                        "is there from a run that was stopped or still goes on", part_exists);
  }
  return status;
}

static char *make_part_name(struct base *base, const char *path) {
  size_t size = strlen(path) + sizeof ".part";
  char *part = base_allocate(base, (int64_t)size, 1);
  if (part) {
    snprintf(part, size, "%s.part", path);
  }
  return part;
}

pcct_status output_place_check(struct base *base, const char *path, bool overwrite, bool resume) {
  bool part_exists = false;
  int descriptor = -1;
  char *part = make_part_name(base, path);
  pcct_status status =
      part ? check_names(base, path, part, overwrite, resume, &part_exists) : PCCT_MEMORY;
  if (status != PCCT_OK) {
    goto cleanup;
  }
  /* permissions alone do not tell: a file is made, or an old one opened, to be sure */
  descriptor = open(part, part_exists ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL, PART_MODE);
  if (descriptor < 0) {
    status = base_fail(base, PCCT_FILE, "%s: cannot be written: %s", part, strerror(errno));
  } else if (!part_exists) {
    unlink(part);
  }
cleanup:
  if (descriptor >= 0) {
    close(descriptor);
  }
  base_free(part);
  return status;
}

pcct_status output_place_open(struct base *base, struct output_place *place) {
  bool part_exists = false;
  pcct_status status =
      check_names(base, place->path, place->part, place->overwrite, place->resume, &part_exists);
  if (status != PCCT_OK) {
    return status;
  }
  if (part_exists && !place->reopen) {
    unlink(place->part);
  }
  place->descriptor =
      open(place->part, place->reopen ? O_RDWR | O_CLOEXEC : O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
           PART_MODE);
  if (place->descriptor < 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be %s: %s", place->part,
                     place->reopen ? "opened" : "created", strerror(errno));
  }
  place->owned = true;
  return PCCT_OK;
}

static pcct_status fail_space(struct base *base, const struct output_place *place, int64_t bytes,
                              int code) {
  return base_fail(base, PCCT_FILE, "%s: no room for %.1f MB: %s", place->part, (double)bytes / 1e6,
                   strerror(code));
}

/* Where the file system cannot reserve, zeros are written behind the file's end: what ranks write
 * together may get lost without an error there, since MPI-IO takes short writes for whole ones. */
static pcct_status write_zeros(struct base *base, const struct output_place *place, int64_t bytes) {
  static const char zeros[1 << 16] = {0};
  struct stat file;
  if (fstat(place->descriptor, &file) != 0) {
    return fail_space(base, place, bytes, errno);
  }
  for (int64_t at = file.st_size; at < bytes;) {
    int64_t rest = bytes - at;
    size_t size = rest < (int64_t)sizeof zeros ? (size_t)rest : sizeof zeros;
    ssize_t written = pwrite(place->descriptor, zeros, size, at);
    if (written <= 0 && errno != EINTR) {
      return fail_space(base, place, bytes, errno);
    }
    at += written > 0 ? written : 0;
  }
  return fsync(place->descriptor) == 0 ? PCCT_OK : fail_space(base, place, bytes, errno);
}

pcct_status output_place_reserve(struct base *base, const struct output_place *place,
                                 int64_t bytes) {
  int code;
  do {
    code = fallocate(place->descriptor, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ? 0 : errno;
  } while (code == EINTR);
  switch (code) {
  case 0:
    return PCCT_OK;
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
    return fail_space(base, place, bytes, code);
  default:
    return write_zeros(base, place, bytes);
  }
}

pcct_status output_place_copy(struct base *base, const struct output_place *place,
                              const char *source) {
  enum { BUFFER_BYTES = 1 << 22 };
  struct stat info;
  pcct_status status = PCCT_OK;
  char *buffer = base_allocate(base, BUFFER_BYTES, 1);
  const int from = open(source, O_RDONLY | O_CLOEXEC);
  if (!buffer) {
    status = PCCT_MEMORY;
  } else if (from < 0 || fstat(from, &info) != 0) {
    status = base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", source, strerror(errno));
  } else {
    status = output_place_reserve(base, place, (int64_t)info.st_size);
  }
  for (int64_t at = 0; status == PCCT_OK;) {
    const ssize_t got = read(from, buffer, BUFFER_BYTES);
    if (got == 0) {
      break;
    }
    if (got < 0 && errno != EINTR) {
      status = base_fail(base, PCCT_FILE, "%s: cannot be read: %s", source, strerror(errno));
    }
    for (ssize_t done = 0; done < got && status == PCCT_OK;) {
      const ssize_t put = pwrite(place->descriptor, buffer + done, (size_t)(got - done), at);
      if (put < 0 && errno != EINTR) {
        status = fail_space(base, place, (int64_t)info.st_size, errno);
      }
      done += put > 0 ? put : 0;
      at += put > 0 ? put : 0;
    }
  }
  if (from >= 0) {
    close(from);
  }
  base_free(buffer);
  return status;
}

void output_place_empty(const struct output_place *place) {
  if (place->descriptor >= 0 && !place->keep && ftruncate(place->descriptor, 0) != 0) {
    /* The file is removed in any case; without room HDF5 only fails to write what nobody reads. */
    return;
  }
}

pcct_status output_place_sync(struct base *base, const struct output_place *place) {
  struct stat file;
  /* some systems release reserved blocks only if the size changes */
  if (fstat(place->descriptor, &file) != 0 || ftruncate(place->descriptor, file.st_size + 1) != 0 ||
      ftruncate(place->descriptor, file.st_size) != 0 || fsync(place->descriptor) != 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be brought to the disk: %s", place->part,
                     strerror(errno));
  }
  return PCCT_OK;
}

pcct_status output_place_sync_data(struct base *base, const struct output_place *place) {
  return fdatasync(place->descriptor) == 0
             ? PCCT_OK
             : base_fail(base, PCCT_FILE, "%s: cannot be brought to the disk: %s", place->part,
                         strerror(errno));
}

/* The new name survives a crash of the machine only once its folder is on the disk. Folders that
 * cannot be opened or synchronised are left to the system: the file itself is complete. */
static void sync_folder(const struct output_place *place) {
  char *slash = strrchr(place->part, '/'); /* the name is not needed any more */
  const char *folder = ".";
  if (slash) {
    slash[slash == place->part] = '\0';
    folder = place->part;
  }
  int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
}

pcct_status output_place_rename(struct base *base, struct output_place *place) {
  int code = 0;
  if (place->overwrite) {
    code = rename(place->part, place->path) == 0 ? 0 : errno;
  } else if (link(place->part, place->path) == 0) { /* unlike rename it never replaces */
    unlink(place->part);
  } else if (errno == EEXIST) {
    return base_fail(base, PCCT_USAGE,
                     "%s: has appeared during this run; use --overwrite to replace it",
                     place->path);
  } else { /* a file system without links */
    code = rename(place->part, place->path) == 0 ? 0 : errno;
  }
  if (code != 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be renamed to %s: %s", place->part, place->path,
                     strerror(code));
  }
  place->owned = false;
  sync_folder(place);
  return PCCT_OK;
}

void output_place_close(struct output_place *place) {
  if (place->descriptor >= 0) {
    close(place->descriptor);
    place->descriptor = -1;
  }
  if (place->owned) {
    if (!place->keep) {
      unlink(place->part);
    }
    place->owned = false;
  }
  base_free(place->path);
  base_free(place->part);
  place->path = NULL;
  place->part = NULL;
}
