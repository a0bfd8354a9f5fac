/* ranks: 1 3 */
/* threads: 1 */
/*
 * Settings: values, precedence, files, environments, the public functions, and the log.
 */
#include "app/settings_file.h"
#include "base/settings.h"
#include "test_base_ranks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int make_context(void **state) {
  pcct_context *context;
  pcct_status status = pcct_context_create(MPI_COMM_WORLD, 1, &context);
  *state = context;
  return status == PCCT_OK ? 0 : -1;
}

static int drop_context(void **state) {
  pcct_context *context = *state;
  pcct_context_destroy(&context);
  return 0;
}

/* ---- values */

/* Whether a value is taken from the command line; the message is left in base. */
static bool takes(struct base *base, const char *name, const char *value) {
  base_clear_message(base);
  return settings_set(base, &base->settings, name, value, PCCT_SET_BY_COMMAND_LINE, NULL) ==
         PCCT_OK;
}

static bool says(const struct base *base, const char *fragment) {
  if (strstr(base->message, fragment) == NULL) {
    printf("'%s' is not in '%s'\n", fragment, base->message);
    return false;
  }
  return true;
}

static void test_defaults(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  assert_int_equal(base.settings.profile, SETTINGS_PROFILE_FAST_BUILD);
  assert_int_equal(base.settings.conflict_graph, SETTINGS_CONFLICT_AUTO);
  assert_int_equal(base.settings.pairs_budget, 6000000);
  assert_int_equal(base.settings.batch_cap, 0);
  assert_int_equal(base.settings.scope_chunk_target, 65536);
  assert_int_equal(base.settings.scope_segment_dedup, SETTINGS_ON);
  assert_int_equal(base.settings.frontier_dense_threshold, 512);
  assert_int_equal(base.settings.leaf_size, 0);
  assert_int_equal(base.settings.diagnostics, SETTINGS_OFF);
  assert_int_equal(base.settings.log_level, SETTINGS_LOG_WARNING);
  assert_int_equal(base.settings.isa, SETTINGS_ISA_AUTO);
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    char text[SETTINGS_TEXT_SIZE];
    settings_text(&base.settings, (enum setting)i, text);
    assert_string_equal(text, settings_entry((enum setting)i)->preset);
    assert_int_equal(base.settings.source[i], PCCT_SET_BY_DEFAULT);
    assert_int_equal(settings_find(settings_entry((enum setting)i)->name), i);
  }
}

static void test_choices(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  static const char *const isas[] = {"auto", "avx512", "avx2", "plain"};
  for (int i = 0; i < 4; i++) {
    char text[SETTINGS_TEXT_SIZE];
    assert_true(takes(&base, "isa", isas[i]));
    assert_int_equal(base.settings.isa, i);
    settings_text(&base.settings, SETTING_isa, text);
    assert_string_equal(text, isas[i]);
  }
  assert_true(takes(&base, "profile", "audit") && base.settings.profile == SETTINGS_PROFILE_AUDIT);
  assert_true(takes(&base, "conflict-graph", "grid") &&
              base.settings.conflict_graph == SETTINGS_CONFLICT_GRID);
  assert_true(takes(&base, "scope-segment-dedup", "off") &&
              base.settings.scope_segment_dedup == SETTINGS_OFF);
  static const char *const wrong[] = {"", "AUTO", "auto|avx512", "avx51", "auto ", "|", "3"};
  struct settings before = base.settings;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_false(takes(&base, "isa", wrong[i]));
    assert_true(says(&base, "isa expects one of auto|avx512|avx2|plain, found '"));
    assert_memory_equal(&before, &base.settings, sizeof before);
  }
  assert_false(takes(&base, "isa", "avx51"));
  assert_true(says(&base, "did you mean 'avx512'?"));
}

static void test_integers(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    const struct settings_entry *entry = settings_entry((enum setting)i);
    char text[SETTINGS_TEXT_SIZE];
    for (int64_t step = 0; entry->names == NULL && step < 2; step++) {
      snprintf(text, sizeof text, "%lld", (long long)(entry->smallest - step));
      assert_int_equal(takes(&base, entry->name, text), step == 0);
      snprintf(text, sizeof text, "%lld", (long long)(entry->largest + step));
      assert_int_equal(takes(&base, entry->name, text), step == 0);
      char kept[SETTINGS_TEXT_SIZE];
      snprintf(text, sizeof text, "%lld", (long long)entry->largest);
      settings_text(&base.settings, (enum setting)i, kept);
      assert_string_equal(kept, text);
    }
  }
  static const char *const wrong[] = {"",    " 1",  "1 ",  "+1",    "-0",
                                      "1.0", "1e3", "0x1", "1,000", "99999999999999999999"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_true(takes(&base, "leaf-size", "77"));
    assert_false(takes(&base, "leaf-size", wrong[i]));
    assert_true(says(&base, "leaf-size expects an integer from 0 to 2147483647, found '"));
    assert_true(says(&base, wrong[i]));
    assert_int_equal(base.settings.leaf_size, 77);
  }
}

static void test_names(void **state) {
  (void)state;
  struct base base;
  base_init(&base, 1);
  static const char *const pairs[][2] = {{"leafsize", "leaf-size"},
                                         {"leaf_size", "leaf-size"},
                                         {"pair-budget", "pairs-budget"},
                                         {"frontier", "frontier-dense-threshold"},
                                         {"scope-segment", "scope-segment-dedup"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    char meant[SETTINGS_TEXT_SIZE + 16];
    assert_false(takes(&base, pairs[i][0], "1"));
    snprintf(meant, sizeof meant, "did you mean '%s'?", pairs[i][1]);
    assert_true(says(&base, meant));
  }
  assert_false(takes(&base, "nothing-like-it", "1"));
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    assert_true(says(&base, settings_entry((enum setting)i)->name));
  }
  assert_false(takes(&base, "", "1"));
}

/* The highest source wins in every order of calls; of one source the last call. */
static void test_precedence(void **state) {
  (void)state;
  const int sources = PCCT_SET_BY_PROGRAM + 1;
  for (int first = PCCT_SET_BY_FILE; first < sources; first++) {
    for (int second = PCCT_SET_BY_FILE; second < sources; second++) {
      struct base base;
      base_init(&base, 1);
      settings_set(&base, &base.settings, "leaf-size", "11", (enum pcct_setting_source)first, NULL);
      settings_set(&base, &base.settings, "leaf-size", "22", (enum pcct_setting_source)second,
                   NULL);
      assert_int_equal(base.settings.leaf_size, second >= first ? 22 : 11);
      assert_int_equal(base.settings.source[SETTING_leaf_size], second > first ? second : first);
      assert_int_equal(base.settings.source[SETTING_isa], PCCT_SET_BY_DEFAULT);
      /* checked, though it would not count */
      assert_int_equal(
          settings_set(&base, &base.settings, "leaf-size", "x", PCCT_SET_BY_FILE, "somewhere"),
          PCCT_USAGE);
      assert_true(says(&base, "somewhere expects"));
    }
  }
}

/* ---- the log */

struct heard {
  int count;
  char level[16];
  char line[2 * BASE_MESSAGE_SIZE];
};

static void hear(const char *level, const char *line, void *user) {
  struct heard *heard = user;
  heard->count++;
  snprintf(heard->level, sizeof heard->level, "%s", level);
  snprintf(heard->line, sizeof heard->line, "%s", line);
}

static void test_log_levels(void **state) {
  (void)state;
  static const char *const names[] = {"error", "warning", "info", "debug"};
  struct base base;
  base_init(&base, 1);
  base_log(&base, SETTINGS_LOG_WARNING, "nobody listens");
  for (int set = SETTINGS_LOG_ERROR; set <= SETTINGS_LOG_DEBUG; set++) {
    struct heard heard = {.count = 0};
    base.log = hear;
    base.log_user = &heard;
    assert_true(takes(&base, "log-level", names[set]));
    for (int level = SETTINGS_LOG_WARNING; level <= SETTINGS_LOG_DEBUG; level++) {
      int before = heard.count;
      base_log(&base, (enum settings_log_level)level, "%d points", level);
      assert_int_equal(heard.count - before, level <= set);
      if (level <= set) {
        assert_string_equal(heard.level, names[level]);
        assert_int_equal(heard.line[0], '0' + level);
        assert_string_equal(heard.line + 1, " points");
      }
    }
    for (int on = 0; on < 2; on++) {
      int before = heard.count;
      assert_true(takes(&base, "diagnostics", on ? "on" : "off"));
      base_diagnose(&base, "batch %d", 5);
      assert_int_equal(heard.count - before, on && set > SETTINGS_LOG_ERROR);
      assert_true(heard.count == before ||
                  (strcmp(heard.level, "diagnostics") == 0 && strcmp(heard.line, "batch 5") == 0));
    }
  }
}

/* ---- environments */

#define VARIABLES(text) (text), (int64_t)sizeof(text)

static void test_variables(void **state) {
  (void)state;
  struct base base;
  struct heard heard = {.count = 0};
  base_init(&base, 1);
  base.log = hear;
  base.log_user = &heard;
  char name[SETTINGS_TEXT_SIZE];
  settings_variable(SETTING_frontier_dense_threshold, name);
  assert_string_equal(name, "PCCT_FRONTIER_DENSE_THRESHOLD");
  assert_int_equal(settings_set_from_variables(
                       &base, &base.settings,
                       VARIABLES("PCCT_LEAF_SIZE=1\0PATH=/bin\0PCCT=pcct\0PCCT_CONFIG=x\0"
                                 "PCCT_MPI=pmix\0PCCT_ISA=\0PCCT_PAIRS_BUDGET=\0PCCT_\0"
                                 "PCCT_SCOPE_SEGMENT_DEDUP=off\0LEAF_SIZE=9")),
                   PCCT_OK);
  assert_int_equal(heard.count, 0);
  assert_int_equal(base.settings.leaf_size, 1);
  assert_int_equal(base.settings.scope_segment_dedup, SETTINGS_OFF);
  assert_int_equal(base.settings.pairs_budget, 6000000);
  assert_int_equal(base.settings.source[SETTING_leaf_size], PCCT_SET_BY_ENVIRONMENT);
  assert_int_equal(base.settings.source[SETTING_pairs_budget], PCCT_SET_BY_DEFAULT);

  static const char *const unknown[][2] = {
      {"PCCT_LEAFSIZE=3", "did you mean PCCT_LEAF_SIZE?"},
      {"PCCT_PAIR_BUDGET=3", "did you mean PCCT_PAIRS_BUDGET?"},
      {"PCCT_leaf_size=3", "PCCT_leaf_size in the environment"},
      {"PCCT_XYZZY=3", "--help lists the settings"}};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    heard.count = 0;
    assert_int_equal(settings_set_from_variables(&base, &base.settings, unknown[i][0],
                                                 (int64_t)strlen(unknown[i][0]) + 1),
                     PCCT_OK);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.level, "warning");
    assert_non_null(strstr(heard.line, unknown[i][1]));
  }
  heard.count = 0; /* the level counts, wherever it stands */
  assert_int_equal(settings_set_from_variables(&base, &base.settings,
                                               VARIABLES("PCCT_XYZZY=3\0PCCT_LOG_LEVEL=error")),
                   PCCT_OK);
  assert_int_equal(heard.count, 0);
  assert_int_equal(base.settings.leaf_size, 1);
  assert_int_equal(
      settings_set_from_variables(&base, &base.settings, VARIABLES("PCCT_LEAF_SIZE=many")),
      PCCT_USAGE);
  assert_true(says(&base, "PCCT_LEAF_SIZE in the environment expects an integer"));
  assert_true(says(&base, "'many'"));
  assert_int_equal(settings_set_from_variables(&base, &base.settings, NULL, 0), PCCT_OK);
}

/* ---- files */

static pcct_status parse(struct base *base, const char *text) {
  base_init(base, 1);
  return settings_file_parse(base, "engine.conf", text, (int64_t)strlen(text));
}

static void test_file(void **state) {
  (void)state;
  struct base base;
  char line[600];
  assert_int_equal(parse(&base, ""), PCCT_OK);
  assert_int_equal(parse(&base,
                         "\xef\xbb\xbf# engine\r\n\r\n  leaf-size = 7\r\n\tisa=plain # slow\r\n"
                         "pairs-budget: 1000\nbatch-cap=3\nbatch-cap = 4"),
                   PCCT_OK);
  assert_int_equal(base.settings.leaf_size, 7);
  assert_int_equal(base.settings.isa, SETTINGS_ISA_PLAIN);
  assert_int_equal(base.settings.pairs_budget, 1000);
  assert_int_equal(base.settings.batch_cap, 4);
  assert_int_equal(base.settings.source[SETTING_batch_cap], PCCT_SET_BY_FILE);

  /* long comments do not matter, long lines do */
  memset(line, 'x', sizeof line);
  line[0] = '#';
  memcpy(line + 500, "\nleaf-size=5\n", 14);
  assert_int_equal(parse(&base, line), PCCT_OK);
  assert_int_equal(base.settings.leaf_size, 5);
  memset(line, '0', sizeof line);
  memcpy(line, "leaf-size=", 10);
  memcpy(line + 500, "7", 2);
  assert_int_equal(parse(&base, line), PCCT_USAGE);
  assert_true(says(&base, "engine.conf:1: "));

  static const char *const wrong[][2] = {
      {"#\n\nleafsize = 3", "engine.conf:3: unknown setting 'leafsize'; did you mean 'leaf-size'?"},
      {"isa = auto\nleaf-size = many\nisa = x", "engine.conf:2: leaf-size expects an integer"},
      {"leaf-size =", "engine.conf:1: leaf-size expects"},
      {"\nleaf-size 3\n", "engine.conf:2: expected NAME = VALUE"},
      {"= 3", "engine.conf:1: unknown setting ''"},
      {"[engine]\nleaf-size = 3", "engine.conf:2: expected settings alone"},
      {"leaf-size = 3\n  4\n", "engine.conf:2: expected NAME = VALUE"},
      {"[engine", "engine.conf:1: expected NAME = VALUE"}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_int_equal(parse(&base, wrong[i][0]), PCCT_USAGE);
    assert_true(says(&base, wrong[i][1]));
  }
  base_init(&base, 1);
  assert_int_equal(settings_file_parse(&base, "wide.conf", "l\0e\0a\0f\0", 8), PCCT_USAGE);
}

static void test_file_read(void **state) {
  pcct_context *context = *state;
  struct base base;
  char path[] = "/tmp/pcct-settings-XXXXXX";
  char *content = NULL;
  int64_t size = 0;
  char *large = calloc(1, 100000);
  int descriptor = mkstemp(path);
  assert_true(on_all_ranks(context, descriptor >= 0 && large != NULL));
  base_init(&base, 1);
  bool holds = write(descriptor, "isa = avx2", 10) == 10;
  holds &= settings_file_read(&base, path, "--config", &content, &size) == PCCT_OK && size == 10;
  holds &= content != NULL && memcmp(content, "isa = avx2", 10) == 0;
  base_free(content);
  base.allocations_left = 0;
  holds &= settings_file_read(&base, path, "--config", &content, &size) == PCCT_MEMORY;
  base_init(&base, 1);
  holds &= write(descriptor, large, 100000) == 100000;
  holds &= settings_file_read(&base, path, "--config", &content, &size) == PCCT_FILE &&
           content == NULL && says(&base, path) && says(&base, "--config");
  base_init(&base, 1);
  holds &= settings_file_read(&base, "/tmp", "PCCT_CONFIG", &content, &size) == PCCT_FILE &&
           says(&base, "PCCT_CONFIG: cannot read /tmp: Is a directory");
  base_init(&base, 1);
  unlink(path);
  holds &= settings_file_read(&base, path, "--config", &content, &size) == PCCT_FILE &&
           says(&base, "No such file");
  close(descriptor);
  free(large);
  assert_true(on_all_ranks(context, holds));
}

/* ---- the public functions */

static void test_context(void **state) {
  pcct_context *context = *state;
  pcct_context *other = NULL;
  pcct_setting setting;
  pcct_context_create(MPI_COMM_WORLD, 1, &other);
  bool holds = pcct_setting_count() == SETTINGS_COUNT && pcct_setting_name(-1) == NULL &&
               pcct_setting_name(SETTINGS_COUNT) == NULL;
  for (int i = 0; i < pcct_setting_count(); i++) {
    holds &= pcct_context_setting(context, pcct_setting_name(i), &setting) == PCCT_OK;
    holds &= strcmp(setting.name, pcct_setting_name(i)) == 0 && setting.help[0] != '\0';
    holds &= strcmp(setting.value, setting.preset) == 0 && strcmp(setting.set_by, "default") == 0;
  }
  holds &= pcct_context_set(context, "leaf-size", "1") == PCCT_OK;
  holds &= pcct_context_setting(context, "leaf-size", &setting) == PCCT_OK;
  holds &= strcmp(setting.value, "1") == 0 && setting.source == PCCT_SET_BY_PROGRAM &&
           strcmp(setting.set_by, "program") == 0 && strcmp(setting.preset, "0") == 0;
  holds &= pcct_context_setting(other, "leaf-size", &setting) == PCCT_OK &&
           strcmp(setting.value, "0") == 0;
  holds &= pcct_context_setting(context, "leaf", &setting) == PCCT_USAGE && setting.name == NULL &&
           says(&context->base, "did you mean 'leaf-size'?");
  pcct_status status = pcct_context_set(context, "isa", "mmx");
  assert_true(agreed_status(context, status, PCCT_USAGE));
  status = pcct_context_set(context, "pairs-bugdet", "1");
  assert_true(agreed_status(context, status, PCCT_USAGE));
  holds &= pcct_context_set(context, "leaf-size", "2") == PCCT_OK &&
           pcct_context_message(context)[0] == '\0';
  pcct_context_destroy(&other);
  assert_true(on_all_ranks(context, holds));
}

/* Only rank 0's environment counts. */
static void test_environment(void **state) {
  pcct_context *context = *state;
  struct heard heard = {.count = 0};
  bool first = context->rank == 0;
  pcct_setting setting;
  setenv("PCCT_LEAF_SIZE", first ? "64" : "nonsense", 1);
  setenv("PCCT_BATCH_CAP", first ? "17" : "18", 1);
  setenv(first ? "PCCT_BATCHCAP" : "PCCT_ON_OTHER_RANKS", "1", 1);
  pcct_context_set_log(context, hear, &heard);
  pcct_status status = pcct_context_set(context, "batch-cap", "5");
  assert_true(agreed_status(context, status, PCCT_OK));
  status = pcct_context_set_from_environment(context);
  assert_true(agreed_status(context, status, PCCT_OK));
  bool holds = pcct_context_setting(context, "leaf-size", &setting) == PCCT_OK;
  holds &= strcmp(setting.value, "64") == 0 && strcmp(setting.set_by, "environment") == 0;
  holds &= context->base.settings.batch_cap == 5; /* the program's own */
  holds &= heard.count == (first ? 1 : 0);
  holds &= !first || strstr(heard.line, "did you mean PCCT_BATCH_CAP?") != NULL;
  assert_true(on_all_ranks(context, holds));

  /* a bad value of rank 0 is everybody's failure; failing allocations, everywhere or on one rank */
  if (first) {
    setenv("PCCT_ISA", "mmx", 1);
  }
  status = pcct_context_set_from_environment(context);
  assert_true(agreed_status(context, status, PCCT_USAGE));
  for (int rank = -1; rank < context->size; rank++) {
    context->base.allocations_left = rank < 0 || rank == context->rank ? 0 : -1;
    status = pcct_context_set_from_environment(context);
    context->base.allocations_left = -1;
    assert_true(agreed_status(context, status, PCCT_MEMORY));
  }
  static const char *const names[] = {"PCCT_LEAF_SIZE", "PCCT_BATCH_CAP", "PCCT_BATCHCAP",
                                      "PCCT_ON_OTHER_RANKS", "PCCT_ISA"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    unsetenv(names[i]);
  }
  pcct_context_set_log(context, NULL, NULL);
  base_log(&context->base, SETTINGS_LOG_WARNING, "nobody listens");
}

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_choices),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_precedence),
      cmocka_unit_test(test_log_levels),
      cmocka_unit_test(test_variables),
      cmocka_unit_test(test_file),
      cmocka_unit_test_setup_teardown(test_file_read, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_context, make_context, drop_context),
      cmocka_unit_test_setup_teardown(test_environment, make_context, drop_context),
  };
  int failures = cmocka_run_group_tests_name("settings", tests, NULL, NULL);
  MPI_Finalize();
  return failures != 0;
}
