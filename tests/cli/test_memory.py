"""Memory limits, and what plan says against what runs need."""

import json
import os
import re

import cli
from cli import expect

MEGA = 1e6
SLOW = os.environ.get("TEST_SLOW_RUNS")  # sanitizers need memory of their own
UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def peaks(program, *words, ranks):
    """Bytes that the ranks of a run needed at most, and its seconds."""
    program.succeed("vecchia", *words, "--quiet", "--overwrite", "--report", "report.json", ranks=ranks)
    with open(program.file("report.json"), encoding="utf-8") as file:
        report = json.load(file)
    return report["peak_bytes"]["per_rank"], report["seconds_total"]


def said(text):
    """Bytes of memory and seconds in the words of plan."""
    memory = re.search(r"([0-9.e+]+) (\w+) of memory", text)
    seconds = re.search(r"([0-9.e+-]+) s: read", text)
    return float(memory[1]) * UNITS[memory[2]], float(seconds[1])


def test_limit(program):
    """10^6 points in 150 MB on each of 4 ranks; the answers are the same."""
    program.succeed("generate", "in.h5", "-n", 1000000, "--quiet")
    program.succeed("vecchia", "in.h5", "plain.h5", "-m", 30, "--quiet", ranks=2)
    for limit, ranks in ((150, 4), (200, 2)):
        used, _ = peaks(program, "in.h5", "out.h5", "-m", 30, "--memory-limit", f"{limit}M", ranks=ranks)
        expect(max(used) <= limit * MEGA, f"{limit} MB on {ranks} ranks: {used}")
        different = cli.datasets_equal(program.file("plain.h5"), program.file("out.h5"))
        expect(not different, f"{different} differ with {limit} MB on {ranks} ranks")


def test_smallest(program):
    """What is too small is refused, and what is named works."""
    program.succeed("generate", "in.h5", "-n", 300000, "--dim", 3, "--quiet")
    result = program.run("vecchia", "in.h5", "out.h5", "-m", 10, "--memory-limit", "50MB", "--quiet", ranks=2)
    cli.expect_error(result, 2, "50 MB", "300000 points", "smallest")
    named = re.search(r": ([0-9.]+) MB is the smallest", result.err[0])
    used, _ = peaks(program, "in.h5", "out.h5", "-m", 10, "--memory-limit", f"{float(named[1]) + 1}M", ranks=2)
    if not SLOW:
        expect(max(used) <= (float(named[1]) + 1) * MEGA, f"{named[1]} MB: {used}")
    for ordering in ("maximin", "level"):
        for ranks in (1, 2):
            words = ["in.h5", "out.h5", "-m", 10, "--ordering", ordering]
            result = program.run("vecchia", *words, "--overwrite", "--memory-limit", "50MB", "--quiet", ranks=ranks)
            limit = float(re.search(r": ([0-9.]+) MB is the smallest", result.err[0])[1]) + 1
            used, _ = peaks(program, *words, "--memory-limit", f"{limit}M", ranks=ranks)
            expect(SLOW or max(used) <= limit * MEGA, f"{ordering} in {limit} MB on {ranks} ranks: {used}")
    words = ["vecchia", "in.h5", "no.h5", "-m", 10]
    cli.expect_error(program.run(*words, "--memory-limit", "100M", "--block-rows", 300000), 2, "--block-rows")
    for text in ("0", "-1", "many", "10Q", "3 G"):
        cli.expect_error(program.run(*words, "--memory-limit", text), 2, "--memory-limit", text)
    for command, *more in (("knn", "-k", 3), ("range", "--radius", 0.01), ("build",)):
        cli.expect_error(program.run(command, "in.h5", "no.h5", *more, "--memory-limit", "30MiB"), 2, "smallest")
        program.succeed(command, "in.h5", f"{command}.h5", *more, "--memory-limit", "200MiB", "--quiet", ranks=2)
    expect(not os.path.exists(program.file("no.h5")), "output of a mistake")


def test_plan(program):
    """Memory within 15 % at 2 ranks."""
    for count, dimension, m in ((1000000, 2, 30), (400000, 3, 20)):
        program.succeed("generate", "in.h5", "-n", count, "--dim", dimension, "--quiet", "--overwrite")
        used, seconds = peaks(program, "in.h5", "out.h5", "-m", m, ranks=2)
        plan = program.succeed("plan", count, dimension, m, "--ranks", 2)
        memory, expected = said(plan.out)
        expect(abs(memory / max(used) - 1) <= 0.15, f"planned {memory}, used {max(used)}")
        print(f"# {count} x {dimension}, m = {m}: planned {expected} s, took {seconds:.2f} s")
        dry = program.succeed("vecchia", "in.h5", "other.h5", "-m", m, "--dry-run", "--threads", 1, ranks=2)
        expect(said(dry.out) == (memory, expected), f"dry run: {dry.out}")
    large = program.succeed("plan", "1e9", 2, 30, "--ranks", 1024, "--memory-per-rank", "2GiB")
    expect("1000000000 points" in large.out and "388 GB" in large.out, large.out)
    cli.expect_error(program.run("plan", "1e9", 2, 30, "--ranks", 64, "--memory-per-rank", "2G"), 2, "too small")
    cli.expect_error(program.run("plan", "1e12", 2, 30), 2, "more ranks")
    for words in (("0", 2, 3), ("1.5", 2, 3), ("many", 2, 3), (10, 65, 3), (10, 2, 0)):
        cli.expect_error(program.run("plan", *words), 2, "expected an integer")


def test_plan_of_a_run(program):
    """plan in front of a run's own words, and dry runs for other ranks."""
    points = cli.write_points(program.file("planned.h5"), cli.uniform(5000, 2))
    words = ("vecchia", points, program.file("planned-sets.h5"), "-m", 20)
    run = program.succeed("plan", *words, "--ranks", 8)
    expect("on each of 8 ranks" in run.out and "5000 points" in run.out, f"plan of a run: {run}")
    expect(run.out == program.succeed(*words, "--dry-run", "--ranks", 8).out, "plan is not the dry run")
    expect("on each of 4 ranks" in program.succeed("plan", "build", points, program.file("i.h5"), "--ranks", 4).out,
           "no plan of build")
    expect(not os.path.exists(words[2]), "plan has written a file")
    cli.expect_error(program.run("plan", *words, "--ranks", 8, "--memory-limit", "30M"), 2, "too small", "8 ranks")
    cli.expect_error(program.run("plan", *words, "--odering", "none"), 2, "--ordering")
    cli.expect_error(program.run(*words, "--ranks", 8), 2, "--dry-run", "mpirun")


if __name__ == "__main__":
    cli.main([test_smallest, test_plan_of_a_run] if SLOW else [test_limit, test_smallest, test_plan, test_plan_of_a_run])
