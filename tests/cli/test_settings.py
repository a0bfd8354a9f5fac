"""The engine's settings: options, file, rank 0's environment, precedence, report, log levels, equal answers."""

import json
import os
import stat

import cli
from cli import expect, expect_error

RANKS = cli.rank_counts(1, 3)
USAGE, FILE = 2, 4
DEFAULTS = {
    "profile": "fast-build",
    "conflict-graph": "auto",
    "pairs-budget": 6000000,
    "batch-cap": 0,
    "scope-chunk-target": 65536,
    "scope-segment-dedup": "on",
    "frontier-dense-threshold": 512,
    "leaf-size": 0,
    "directory-regions": 4096,
    "diagnostics": "off",
    "log-level": "warning",
    "isa": "auto",
}
LEVELS = ("error", "warning", "info", "debug")


def variable(name):
    """The environment variable of a setting."""
    return "PCCT_" + name.upper().replace("-", "_")


def prepare(program, count=500, dimension=2):
    """Points, and an environment without settings."""
    cli.write_points(program.file("in.h5"), cli.uniform(count, dimension))
    for name in [name for name in program.environment if name.startswith("PCCT_")]:
        del program.environment[name]


def set_environment(program, **variables):
    """Exactly these variables PCCT_*."""
    for name in [name for name in program.environment if name.startswith("PCCT_")]:
        del program.environment[name]
    program.environment.update({"PCCT_" + name: value for name, value in variables.items()})


def write_config(program, text, name="engine.conf"):
    with open(program.file(name), "w", encoding="utf-8") as file:
        file.write(text)


def settings_of(program, *words, command="vecchia", ranks=1):
    """The settings of the report of a run, and the run."""
    words = [command, "in.h5", "out.h5", "--overwrite", "--report", "r.json", *words]
    result = program.succeed(*words, ranks=ranks)
    with open(program.file("r.json"), encoding="utf-8") as file:
        return json.load(file), result


def expect_setting(report, name, value, set_by):
    expect(report["settings"][name] == {"value": value, "set_by": set_by}, f"{name}: {report['settings'][name]}")


def per_rank(program, *lines):
    """Puts a script before the program that knows its rank as $rank."""
    path = program.file("per-rank.sh")
    with open(path, "w", encoding="utf-8") as file:
        body = "\n".join(lines)
        file.write(f'#!/bin/sh\nrank=${{OMPI_COMM_WORLD_RANK:-0}}\n{body}\nexec "{program.path}" "$@"\n')
    os.chmod(path, stat.S_IRWXU)
    program.path = path


def test_help(program):
    prepare(program)
    for command in ("vecchia", "knn", "verify"):
        out = program.succeed(command, "--help").out
        head, _, engine = out.partition("\nEngine settings")
        expect(engine, f"no engine settings in the help of {command}")
        for name, value in DEFAULTS.items():
            expect(f"\n  --{name} " in engine and f"\n  --{name} " not in head, f"{name} is not in its group")
            expect(f"(default {value})" in " ".join(engine.split()), f"default of {name}")
        expect("--config FILE" in engine, "--config is missing")
    for command in ("info", "import", "generate"):
        expect("Engine settings" not in program.succeed(command, "--help").out, f"{command} has no engine")


def test_report_lists_all(program):
    prepare(program)
    for ranks in RANKS:
        for command in ("vecchia", "knn"):
            report, _ = settings_of(program, command=command, ranks=ranks)
            expect(list(report["settings"]) == list(DEFAULTS), f"{list(report['settings'])}")
            for name, value in DEFAULTS.items():
                expect_setting(report, name, value, "default")
            expect(report["parameters"]["config"] is None, "no file")
    program.succeed("verify", "out.h5", "--against", "in.h5", "--report", "v.json", "--leaf-size", 3)
    with open(program.file("v.json"), encoding="utf-8") as file:
        expect_setting(json.load(file), "leaf-size", 3, "command line")
    program.succeed("generate", "g.h5", "-n", 10, "--report", "g.json")
    with open(program.file("g.json"), encoding="utf-8") as file:
        expect("settings" not in json.load(file), "generate has no engine")


def test_every_option(program):
    prepare(program)
    values = {
        "profile": "fast-query",
        "conflict-graph": "dense",
        "pairs-budget": 100000,
        "batch-cap": 64,
        "scope-chunk-target": 1000,
        "scope-segment-dedup": "off",
        "frontier-dense-threshold": 0,
        "leaf-size": 1,
        "directory-regions": 20,
        "diagnostics": "on",
        "log-level": "error",
        "isa": "plain",
    }
    words = [word for name, value in values.items() for word in ("--" + name, value)]
    lines = "".join(f"{name} = {value}\n" for name, value in values.items())
    write_config(program, lines)
    for given, words, environment in (
        ("command line", words, {}),
        ("file", ["--config", "engine.conf"], {}),
        ("environment", [], {variable(name)[5:]: str(value) for name, value in values.items()}),
    ):
        set_environment(program, **environment)
        report, _ = settings_of(program, *words)
        for name, value in values.items():
            expect_setting(report, name, value, given)


def test_precedence(program):
    """Command line > environment > file > default, each setting by itself."""
    prepare(program)
    write_config(program, "# all three\nleaf-size = 10\nbatch-cap = 20 # points\nisa = plain\n\n")
    for ranks in RANKS:
        set_environment(program, LEAF_SIZE="11", BATCH_CAP="21", CONFIG="engine.conf")
        report, _ = settings_of(program, "--leaf-size", 12, ranks=ranks)
        expect_setting(report, "leaf-size", 12, "command line")
        expect_setting(report, "batch-cap", 21, "environment")
        expect_setting(report, "isa", "plain", "file")
        expect_setting(report, "pairs-budget", 6000000, "default")
        expect(report["parameters"]["config"] == "engine.conf", f"{report['parameters']}")
    # the option names the file before the variable does; empty variables count as not there
    write_config(program, "batch-cap = 30", "other.conf")
    report, _ = settings_of(program, "--config", "other.conf")
    expect_setting(report, "isa", "auto", "default")
    expect(report["parameters"]["config"] == "other.conf", f"{report['parameters']}")
    set_environment(program, LEAF_SIZE="", CONFIG="")
    report, _ = settings_of(program)
    expect_setting(report, "leaf-size", 0, "default")
    # of a repeated option, and of a repeated line, the last
    write_config(program, "batch-cap = 30\nbatch-cap = 31")
    report, _ = settings_of(program, "--config", "engine.conf", "--leaf-size", 3, "--leaf-size=4")
    expect_setting(report, "leaf-size", 4, "command line")
    expect_setting(report, "batch-cap", 31, "file")


def test_wrong_options(program):
    prepare(program)
    for ranks in RANKS:
        for words, *fragments in (
            (["--leaf-size", "x"], "--leaf-size", "0 to 2147483647", "'x'"),
            (["--leaf-size", "-1"], "--leaf-size", "'-1'"),
            (["--pairs-budget", "0"], "--pairs-budget", "1 to 2147483646"),
            (["--leaf-size="], "--leaf-size", "not empty"),
            (["--isa", "avx51"], "--isa", "auto|avx512|avx2|plain", "did you mean 'avx512'"),
            (["--leafsize", "1"], "--leafsize", "did you mean '--leaf-size'"),
            (["--quiet", "--log-level", "debug"], "--quiet and --log-level"),
            (["--verbose", "--log-level", "debug"], "--verbose and --log-level"),
        ):
            expect_error(program.run("knn", "in.h5", "out.h5", *words, ranks=ranks), USAGE, *fragments)
    expect(sorted(os.listdir(program.directory)) == ["in.h5"], "files were written")
    expect_error(program.run("generate", "g.h5", "-n", 5, "--leaf-size", "1"), USAGE, "--leaf-size")


def test_wrong_file(program):
    prepare(program)
    for ranks in RANKS:
        run = lambda *words: program.run("vecchia", "in.h5", "out.h5", *words, ranks=ranks)
        for text, *fragments in (
            ("leaf-size = 3\nleafsize = 3\n", "bad.conf:2", "'leafsize'", "did you mean 'leaf-size'"),
            ("\n\nxyzzy = 3", "bad.conf:3", "'xyzzy'", "leaf-size"),
            ("# here\nleaf-size = many", "bad.conf:2", "leaf-size", "0 to 2147483647", "'many'"),
            ("isa = sse", "bad.conf:1", "isa", "auto|avx512|avx2|plain", "'sse'"),
            ("leaf-size", "bad.conf:1", "NAME = VALUE"),
            ("leaf-size = ", "bad.conf:1", "leaf-size"),
            ("[engine]\nleaf-size = 1", "bad.conf:2", "section"),
            ("threads = 2", "bad.conf:1", "'threads'"),
        ):
            write_config(program, text, "bad.conf")
            expect_error(run("--config", "bad.conf"), USAGE, *fragments)
            if ranks == 1:
                expect_error(run("--config", "bad.conf", "--leaf-size", 3), USAGE, *fragments)
                set_environment(program, CONFIG="bad.conf")
                expect_error(run(), USAGE, *fragments)
                set_environment(program)
        write_config(program, "", "empty.conf")
        expect_error(run("--config", "empty.conf", "--dataset", "/no"), 3, "/no")
        expect_error(run("--config", "missing.conf"), FILE, "--config", "missing.conf")
        expect_error(run("--config", "."), FILE, "--config", "directory")
        set_environment(program, CONFIG="missing.conf")
        expect_error(run(), FILE, "PCCT_CONFIG", "missing.conf")
        set_environment(program)
    expect("out.h5" not in os.listdir(program.directory), "an output was written")


def test_wrong_environment(program):
    prepare(program)
    for ranks in RANKS:
        for name, value, *fragments in (
            ("LEAF_SIZE", "many", "PCCT_LEAF_SIZE", "environment", "0 to 2147483647", "'many'"),
            ("ISA", "mmx", "PCCT_ISA", "environment", "auto|avx512|avx2|plain"),
            ("LOG_LEVEL", "warn", "PCCT_LOG_LEVEL", "did you mean 'warning'"),
        ):
            set_environment(program, **{name: value})
            expect_error(program.run("knn", "in.h5", "out.h5", "-k", 2, ranks=ranks), USAGE, *fragments)
            # a setting of the command line does not excuse it
            words = ["--log-level", "debug", "--leaf-size", "2", "--isa", "plain"]
            expect_error(program.run("knn", "in.h5", "out.h5", *words, ranks=ranks), USAGE, *fragments)
            program.succeed("info", "in.h5", ranks=ranks)  # has no engine


def test_unknown_variables(program):
    """One warning each from rank 0, with a suggestion; the project's other variables are known."""
    prepare(program)
    for ranks in RANKS:
        run = lambda *words: program.succeed("knn", "in.h5", "out.h5", "--overwrite", *words, ranks=ranks)
        set_environment(program, LEAFSIZE="1", XYZZY="2", MPI="pmix")
        warnings = [line for line in run().err if "PCCT_" in line]
        expect(len(warnings) == 2, f"{warnings}")
        expect(all(line.startswith("pcct knn: warning: ") for line in warnings), f"{warnings}")
        expect(any("PCCT_LEAFSIZE" in line and "did you mean PCCT_LEAF_SIZE?" in line for line in warnings), warnings)
        expect(any("PCCT_XYZZY" in line and "did you mean" not in line for line in warnings), f"{warnings}")
        expect(run("--quiet").err == [], "--quiet leaves warnings out")
        expect(run("--log-level", "error").err == [], "--log-level error leaves warnings out")
        set_environment(program, LEAFSIZE="1", LOG_LEVEL="error")
        expect(run().err == [], "PCCT_LOG_LEVEL=error leaves warnings out")


def test_rank_zero_counts(program):
    """Neither the environment nor the folder of other ranks matters."""
    prepare(program)
    write_config(program, "batch-cap = 77")
    here = program.directory
    lines = ['if [ "$rank" -ne 0 ]; then export PCCT_LEAF_SIZE=nonsense PCCT_CONFIG=/no/such PCCT_WRONG=1; cd /; fi']
    per_rank(program, *lines)
    set_environment(program, LEAF_SIZE="9", CONFIG="engine.conf")
    words = ["vecchia", f"{here}/in.h5", f"{here}/out.h5", "--overwrite", "--report", f"{here}/r.json"]
    result = program.succeed(*words, ranks=3)
    expect(not any("PCCT_" in line for line in result.err), f"{result}")
    with open(program.file("r.json"), encoding="utf-8") as file:
        report = json.load(file)
    expect_setting(report, "leaf-size", 9, "environment")
    expect_setting(report, "batch-cap", 77, "file")


def test_log_levels(program):
    """stderr: nothing, phases, parameters and counters; stdout does not depend on it."""
    prepare(program)
    phase, parameter = "pcct knn: query ", "pcct knn: leaf-size = 0 (default)"
    for ranks in RANKS:
        for level in LEVELS:
            result = program.succeed("knn", "in.h5", "out.h5", "--overwrite", "--log-level", level, ranks=ranks)
            shown = LEVELS.index(level)
            expect("out.h5" in result.out, f"the summary is missing: {result}")
            expect(shown > 0 or result.err == [], f"not silent: {result}")
            expect((shown > 0) == any(line.startswith(phase) for line in result.err), f"{level}: {result}")
            expect((shown > 1) == any(line == parameter for line in result.err), f"{level}: {result}")
            expect((shown > 1) == any("query_distances" in line for line in result.err), f"{level}: {result}")
    for word, level in (("--quiet", "error"), ("--verbose", "info")):
        set_environment(program, LOG_LEVEL="debug")
        report, _ = settings_of(program, word)
        expect_setting(report, "log-level", level, "command line")


def test_equal_answers(program):
    """No setting changes anything but /provenance."""
    prepare(program, 1500)
    base = ["--overwrite", "--quiet"]
    program.succeed("vecchia", "in.h5", "sets.h5", "-m", 7, *base)
    program.succeed("knn", "in.h5", "near.h5", "-k", 7, *base)
    for ranks, words in (
        (1, ["--leaf-size", 1]),
        (3, ["--leaf-size", 1, "--profile", "audit"]),
        (1, ["--leaf-size", 40, "--isa", "plain"]),
        (3, ["--profile", "fast-query", "--isa", "plain"]),
        (1, ["--profile", "audit", "--pairs-budget", 500]),
        (1, ["--conflict-graph", "dense", "--leaf-size", 1]),
        (3, ["--conflict-graph", "segmented", "--leaf-size", 1, "--scope-segment-dedup", "off"]),
        (1, ["--conflict-graph", "grid", "--scope-chunk-target", 100]),
        (1, ["--batch-cap", 10, "--frontier-dense-threshold", 0]),
        (3, ["--batch-cap", 100, "--frontier-dense-threshold", 100000, "--diagnostics", "on"]),
    ):
        program.succeed("vecchia", "in.h5", "a.h5", "-m", 7, *base, *words, ranks=ranks)
        program.succeed("knn", "in.h5", "b.h5", "-k", 7, *base, *words, ranks=ranks)
        for first, second in (("sets.h5", "a.h5"), ("near.h5", "b.h5")):
            different = cli.datasets_equal(program.file(first), program.file(second))
            expect(not different, f"{words} on {ranks} ranks: {different}")


if __name__ == "__main__":
    cli.main([value for name, value in sorted(globals().items()) if name.startswith("test_")])
