/*
 * /provenance: everything about a run that another run would do differently.
 */
#include "io/hdf5_version.h"
#include "io/output_private.h"
#include "pcct_config.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROVENANCE_BYTES (256 << 10) /* far more than texts as long as attributes can be */

struct facts {
  char host[256], date[32], mpi[MPI_MAX_LIBRARY_VERSION_STRING];
};

static void collect(struct facts *facts) {
  memset(facts, 0, sizeof *facts);
  gethostname(facts->host, sizeof facts->host - 1);
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) {
    strftime(facts->date, sizeof facts->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  }
  int length;
  MPI_Get_library_version(facts->mpi, &length);
  facts->mpi[strcspn(facts->mpi, ",\n")] = '\0';
}

static bool put_all(hid_t group, const struct provenance *provenance, int32_t ranks) {
  struct facts facts;
  collect(&facts);
  const struct io_hdf5_version hdf5 = io_hdf5_version();
  const int32_t threads = provenance->threads;
  const struct {
    const char *name, *text;
  } texts[] = {{"command_line", provenance->command_line},
               {"version", pcct_version()},
               {"git_commit", PCCT_GIT_COMMIT},
               {"hdf5_version", hdf5.text},
               {"mpi_version", facts.mpi},
               {"host", facts.host},
               {"date", facts.date},
               {"input_path", provenance->input_path},
               {"input_hash", provenance->input_hash}};
  bool good = output_put_integers(group, "ranks", H5T_NATIVE_INT32, 0, &ranks) &&
              output_put_integers(group, "threads", H5T_NATIVE_INT32, 0, &threads) &&
              output_put_doubles(group, "seconds", 0, &provenance->seconds);
  for (size_t i = 0; good && i < sizeof texts / sizeof texts[0]; i++) {
    good = output_put_text(group, texts[i].name, texts[i].text);
  }
  return good;
}

pcct_status output_provenance_write(pcct_context *context, const struct output *output,
                                    const struct provenance *provenance) {
  struct base *base = &context->base;
  const struct output_place *place = &output->place;
  struct stat info;
  int64_t size = fstat(place->descriptor, &info) == 0 ? info.st_size : 0;
  pcct_status status = output_place_reserve(base, place, size + PROVENANCE_BYTES);
  if (status != PCCT_OK) {
    return status;
  }
  const hid_t access = output_serial_access();
  hid_t file = -1;
  hid_t group = -1;
  bool good = access >= 0;
  if (good) {
    file = H5Fopen(place->part, H5F_ACC_RDWR, access);
    good = file >= 0;
  }
  if (good && H5Lexists(file, "/provenance", H5P_DEFAULT) > 0) { /* of a run that ended here */
    good = H5Ldelete(file, "/provenance", H5P_DEFAULT) >= 0;
  }
  if (good) {
    group = H5Gcreate2(file, "/provenance", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    good = group >= 0 && put_all(group, provenance, context->size) &&
           H5Fflush(file, H5F_SCOPE_LOCAL) >= 0;
  }
  if (!good) {
    status = base_fail(base, PCCT_FILE, "%s: cannot write /provenance: %s", place->part,
                       output_get_reason().text);
    output_place_empty(place); /* closing must find room */
  }
  if (group >= 0) {
    H5Gclose(group);
  }
  if (file >= 0 && H5Fclose(file) < 0 && good) {
    status = base_fail(base, PCCT_FILE, "%s: cannot be closed: %s", place->part,
                       output_get_reason().text);
  }
  if (access >= 0) {
    H5Pclose(access);
  }
  return status;
}
