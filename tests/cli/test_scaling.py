"""Scaling studies: tests/bench/scaling.py, and the scripts that collect and draw them, on small runs; scripts' help."""

import csv
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import cli
from cli import expect

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCALING = ROOT / "tests" / "bench" / "scaling.py"
COLLECT = ROOT / "jobs" / "collect-scaling"
PLOT = ROOT / "jobs" / "plot-scaling"
REPEATS = 3


def script(program, path, *words, code=0):
    """Runs a script in the program's folder: stdout, or stderr of one that is to fail."""
    result = subprocess.run([sys.executable, "-B", path, *map(str, words)], cwd=program.directory,
                            env=program.environment, capture_output=True, text=True, timeout=100, check=False)
    expect(result.returncode == code, f"{path.name} {words}: {result.returncode}: {result.stderr}")
    return result.stderr if code else result.stdout


def study(program):
    """A folder with a small study of both kinds."""
    return script(program, SCALING, "--program", program.path, "--folder", "study", "--points", "3000,4e3",
                  "--each", 1000, "--ranks", "1,2", "--m", 5, "--kind", "clustered", "--repeat", REPEATS)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_study(program):
    """Every combination stands in the table, as medians of its reports, which are looked up again here."""
    out = study(program)
    rows = rows_of(program.file("study/scaling.csv"))
    found = [(row["study"], int(row["points"]), int(row["ranks"])) for row in rows]
    expected = [("strong", n, ranks) for n in (3000, 4000) for ranks in (1, 2)] + [("weak", 1000, 1), ("weak", 2000, 2)]
    expect(found == expected, f"{found}")
    for row in rows:
        paths = pathlib.Path(program.file("study")).glob(
            f"{row['study']}-clustered-{row['points']}-2-5-{row['ranks']}-1-0-*.json")
        reports = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        expect(len(reports) == REPEATS and row["runs"] == str(REPEATS), f"{row}")

        def middle(column, values, row=row):
            expect(float(row[column]) == statistics.median(values), f"{column}: {row[column]}, runs {values}")

        ranks = int(row["ranks"])
        seconds = [report["seconds_total"] for report in reports]
        middle("seconds", seconds)
        middle("core_seconds", [ranks * value for value in seconds])
        expect((float(row["seconds_min"]), float(row["seconds_max"])) == (min(seconds), max(seconds)), f"{row}")
        middle("cpu_seconds", [report["cpu_seconds"]["sum"] for report in reports])
        middle("peak_bytes_max", [max(report["peak_bytes"]["per_rank"]) for report in reports])
        middle("query_distances_sum", [report["counters"]["query_distances"]["sum"] for report in reports])
        middle("forwarded_share", [report["routing"]["forwarded_share"] for report in reports])
        for value in ("min", "mean", "max"):
            middle(f"phase_build_{value}", [phase["seconds"][value] for report in reports for phase in report["phases"]
                                            if phase["name"] == "build"])
        for name in ("core", "cpu"):
            each = 1e6 * float(row[f"{name}_seconds"]) / int(row["points"])
            expect(abs(float(row[f"{name}_microseconds_per_point"]) / each - 1) < 1e-12, f"{row}")
    expect(out.count("\n| ") == len(rows) + 2 and "Weak scaling, clustered points" in out, f"tables: {out}")
    expect("1e9" in out or "1000000000 points" in out, f"no model: {out}")
    script(program, PLOT, "study/scaling.csv", "study.png")
    with open(program.file("study.png"), "rb") as file:
        content = file.read()
    expect(content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) > 30000, f"{len(content)} bytes")
    left = [name for name in os.listdir(program.file("study")) if not name.endswith((".json", ".csv"))]
    expect(not left, f"left over: {left}")

    shutil.copy(program.file("study/weak-clustered-1000-2-5-1-1-0-1.json"),
                program.file("study/weak-clustered-1000-2-6-1-1-0-1.json"))
    expect("the name says" in script(program, COLLECT, "study", "no.csv", code=1), "a report of other runs")
    expect(not os.path.exists(program.file("no.csv")), "a table of wrong reports")


def test_refusals(program):
    """One line each, and nothing written."""
    os.mkdir(program.file("empty"))
    with open(program.file("table.csv"), "w", encoding="utf-8") as file:
        file.write("a,b\n1,2\n")
    cases = ((COLLECT, ("empty", "no.csv"), 1, "found no report"), (PLOT, ("empty.csv", "no.png"), 1, "No such file"),
             (PLOT, ("table.csv", "no.png"), 1, "made by collect-scaling"))
    for path, words, code, fragment in cases:
        error = script(program, path, *words, code=code)
        expect(fragment in error and error.count("\n") == 1, f"{path.name} {words}: {error}")
    for words in (("--study", "wek"), ("--points", "1e6,x"), ("--ranks", "0"), ("--kind", "cluster")):
        error = script(program, SCALING, "--program", program.path, "--folder", "empty", "--repeat", 1, *words,
                       code=1 if words[0] == "--kind" else 2)
        expect(words[1] in error, f"{words}: {error}")
    with open(program.file("empty/weak-uniform-10-2-5-1-1-0-1.json"), "w", encoding="utf-8") as file:
        file.write("{}")
    expect("expected a report" in script(program, COLLECT, "empty", "no.csv", code=1), "not a report")
    expect(not [name for name in os.listdir(program.directory) if name.startswith("no")], "something was written")


def test_job_scripts_help(program):
    """Each job script says what it takes, and what to edit; without words it refuses."""
    scripts = sorted((ROOT / "jobs").glob("*.sbatch"))
    expect(len(scripts) == 6, f"{scripts}")
    for path in (*scripts, ROOT / "jobs" / "submit.sh"):
        def run(*words, path=path):
            return subprocess.run(["bash", path, *words], cwd=program.directory, env=program.environment,
                                  capture_output=True, text=True, check=False)

        asked, empty = run("--help"), run()
        usage = next((line for line in asked.stdout.splitlines() if f"jobs/{path.name}" in line), "")
        expect(asked.returncode == 0 and usage.startswith("  ") and not asked.stderr, f"{path.name}: {asked}")
        expect(empty.returncode == 2 and empty.stderr and not empty.stdout, f"{path.name}: {empty}")


if __name__ == "__main__":
    cli.main([test_study, test_refusals, test_job_scripts_help])
