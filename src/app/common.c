/*
 * The list of subcommands, their common options, and the texts made from both.
 */
#include "app/common.h"

#include "app/append.h"
#include "app/blocks.h"
#include "app/build.h"
#include "app/export.h"
#include "app/extend.h"
#include "app/generate.h"
#include "app/import.h"
#include "app/info.h"
#include "app/knn.h"
#include "app/plan.h"
#include "app/range.h"
#include "app/score.h"
#include "app/vecchia.h"
#include "app/verify.h"
#include "io/hdf5_version.h"
#include "pcct_config.h"
#include "vecchia/covariance.h"

#include <ctype.h>
#include <mpi.h>
#include <string.h>

const struct app_command *const common_commands[] = {
    &command_vecchia, &command_knn,    &command_range,    &command_build, &command_append,
    &command_blocks,  &command_extend, &command_export,   &command_score, &command_verify,
    &command_info,    &command_import, &command_generate, &command_plan,  NULL};

/* An entry and the bit that asks for it. */
static const struct {
  int bit;
  struct option_entry entry;
} common_table[] = {
    {APP_SEED,
     {.name = "seed",
      .kind = OPTION_SEED,
      .metavariable = "N",
      .preset = "0",
      .help = "Seed of all random choices: the same seed gives the same result on any number of "
              "ranks and threads.",
      .offset = offsetof(struct app_common, seed)}},
    {APP_OVERWRITE,
     {.name = "overwrite",
      .kind = OPTION_FLAG,
      .help = "Replace an existing OUT, or the OUT.part of a run that was stopped.",
      .offset = offsetof(struct app_common, overwrite)}},
    {APP_DRY_RUN,
     {.name = "dry-run",
      .kind = OPTION_FLAG,
      .help = "Check options, input and output, say what would be done, write nothing.",
      .offset = offsetof(struct app_common, dry_run)}},
    {APP_RANKS,
     {.name = "ranks",
      .kind = OPTION_INTEGER,
      .metavariable = "N",
      .help = "With --dry-run: ranks of the run that it is about. Default: those that are here.",
      .offset = offsetof(struct app_common, ranks),
      .minimum = 1,
      .maximum = INT32_MAX}},
    {APP_THREADS,
     {.name = "threads",
      .kind = OPTION_INTEGER,
      .metavariable = "N",
      .help = "OpenMP threads of every rank. Default: OMP_NUM_THREADS, else all cores the rank may "
              "use.",
      .offset = offsetof(struct app_common, threads),
      .minimum = 1,
      .maximum = 4096}},
    {APP_REPORT,
     {.name = "report",
      .kind = OPTION_TEXT,
      .metavariable = "FILE",
      .help = "Write parameters, seconds of every phase, counters and peak memory as JSON; an "
              "existing report is replaced.",
      .offset = offsetof(struct app_common, report)}},
    {APP_QUIET_VERBOSE,
     {.name = "quiet",
      .kind = OPTION_FLAG,
      .help = "No progress, no warnings and no summary; errors only.",
      .offset = offsetof(struct app_common, quiet)}},
    {APP_QUIET_VERBOSE,
     {.name = "verbose",
      .kind = OPTION_FLAG,
      .help = "Also the parameters at the start and the counters at the end.",
      .offset = offsetof(struct app_common, verbose)}},
    {0,
     {.name = "help",
      .kind = OPTION_FLAG,
      .help = "Print this text.",
      .offset = offsetof(struct app_common, help)}},
};

int common_options(const struct app_command *command, struct option_entry *entries) {
  int count = 0;
  for (size_t i = 0; i < sizeof common_table / sizeof common_table[0]; i++) {
    if ((common_table[i].bit & command->common) == common_table[i].bit) {
      entries[count++] = common_table[i].entry;
    }
  }
  return count;
}

const struct app_command *common_find_command(const char *name) {
  for (int i = 0; common_commands[i] != NULL; i++) {
    if (strcmp(common_commands[i]->name, name) == 0) {
      return common_commands[i];
    }
  }
  return NULL;
}

void common_command_list(char *list, size_t size) {
  list[0] = '\0';
  for (int i = 0; common_commands[i] != NULL; i++) {
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s|", common_commands[i]->name);
  }
  size_t used = strlen(list);
  snprintf(list + used, size - used, "help");
}

static void print_exit_codes(FILE *stream) {
  fprintf(stream, "\nExit codes, the same on every rank:\n");
#define PRINT_STATUS(name, value, meaning) fprintf(stream, "  %2d  %s\n", value, meaning);
  PCCT_STATUS_LIST(PRINT_STATUS)
#undef PRINT_STATUS
}

void common_print_help(FILE *stream) {
  fprintf(stream,
          "pcct %s: exact nearest neighbours and Vecchia conditioning sets of large point "
          "sets\n\n"
          "usage: [mpirun -n RANKS] pcct SUBCOMMAND [OPTIONS] INPUT... OUTPUT\n\n",
          pcct_version());
  for (int i = 0; common_commands[i] != NULL; i++) {
    fprintf(stream, "  %-10s%s\n", common_commands[i]->name, common_commands[i]->summary);
  }
  fprintf(stream,
          "\n"
          "  pcct SUBCOMMAND --help   options of a subcommand (also: pcct help SUBCOMMAND)\n"
          "  pcct --version           versions of pcct and its libraries\n");
  print_exit_codes(stream);
}

void common_print_command_help(FILE *stream, const struct app_command *command) {
  struct option_entry common[COMMON_OPTIONS_MAX];
  int common_count = common_options(command, common);
  fprintf(stream, "usage: [mpirun -n RANKS] pcct %s [OPTIONS] %s\n\n%c%s.\n\n%s", command->name,
          command->arguments, toupper((unsigned char)command->summary[0]), command->summary + 1,
          command->description);
  if (command->option_count > 0) {
    fprintf(stream, "\nOptions:\n");
    options_print_help(stream, command->options, command->option_count);
  }
  fprintf(stream, "\nCommon options:\n");
  options_print_help(stream, common, common_count);
  if (command->common & APP_SETTINGS) {
    fprintf(stream,
            "\nEngine settings; nothing needs setting, and no result depends on them.\n"
            "Also PCCT_LEAF_SIZE=1 in rank 0's environment, or a line leaf-size = 1 in a file:\n"
            "the command line goes before the environment, and that before the file.\n");
    options_print_help(stream, app_settings_options, APP_SETTINGS_OPTION_COUNT);
  }
  print_exit_codes(stream);
}

void common_print_version(FILE *stream) {
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(mpi, &length);
  mpi[strcspn(mpi, ",\n")] = '\0'; /* what follows is about the packaging */
  fprintf(stream, "pcct %s\ncommit %s\nMPI %s\nHDF5 %s\nOpenMP %d\n", pcct_version(),
          PCCT_GIT_COMMIT, mpi, io_hdf5_version().text, _OPENMP);
  if (covariance_has_gsl()) {
    fprintf(stream,
            "GSL for Matern covariances: this program falls under the GNU GPL, version 3\n");
  }
}
