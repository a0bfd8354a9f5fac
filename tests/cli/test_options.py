"""Help, versions, the place and spelling of options, report, dry run, overwriting, block sizes."""

import json
import os
import socket
import re
import subprocess

import h5py
import numpy

import cli
from cli import expect

SUBCOMMANDS = ("vecchia", "knn", "range", "verify", "info", "import", "generate")
PHASES = ("read", "partition", "build", "finalise", "merge", "order", "query", "reorder", "write", "score")


def points_file(program, count=400, dimension=2, name="in.h5"):
    """Uniform points with a few duplicates and a carried column."""
    points = cli.uniform(count, dimension)
    points[count // 2] = points[1]
    cli.write_points(program.file(name), points)
    return points


def brute_force(points, order, m):
    """Conditioning sets by definition: positions, nearest first, ties by position."""
    ordered = points[order]
    sets = numpy.full((len(order), m), -1)
    for i in range(1, len(order)):
        value = ((ordered[:i] - ordered[i]) ** 2).sum(axis=1)
        near = numpy.lexsort((numpy.arange(i), value))[:m]
        sets[i, : len(near)] = near
    return sets


def test_help(program):
    for words in (["--help"], ["help"]):
        out = program.succeed(*words).out
        for name in SUBCOMMANDS:
            expect(re.search(rf"^  {name} ", out, re.MULTILINE), f"{name} is missing in {words}")
        for code in (0, 1, 2, 3, 4, 5, 70):
            expect(re.search(rf"^ *{code}  ", out, re.MULTILINE), f"exit code {code} is missing")
    for name in SUBCOMMANDS:
        out = program.succeed(name, "--help").out
        expect(out == program.succeed("help", name).out, f"help {name} differs from {name} --help")
        expect(out == program.succeed("--help", name).out, f"--help {name} differs from {name} --help")
        expect(max(map(len, out.splitlines())) <= 100, f"long lines in the help of {name}")
    out = program.succeed("vecchia", "--help", ranks=3).out
    expect(out.count("usage:") == 1, "the help is printed once")
    out = " ".join(out.split())
    for word in ("-m N", "--ordering", "--coordinates", "--scale", "--block-rows", "--report", "(default random)"):
        expect(word in out, f"{word} is missing in the help of vecchia")


def test_version(program):
    out = program.succeed("--version", ranks=3).out
    expect(re.match(r"pcct \d+\.\d+\.\d+\ncommit \S+\nMPI .+\nHDF5 1\.\d+\.\d+\nOpenMP \d+\n$", out), out)


def test_order_of_words(program):
    """Options before, between and after the arguments; both spellings of values; -- ends options."""
    points_file(program)
    program.succeed("vecchia", "in.h5", "a.h5", "-m", 4, "--ordering", "none")
    program.succeed("vecchia", "-m4", "--ordering=none", "in.h5", "b.h5")
    program.succeed("vecchia", "--ordering", "none", "in.h5", "-m", 7, "-m", 4, "--", "d.h5")
    for name in ("b.h5", "d.h5"):
        expect(not cli.datasets_equal(program.file("a.h5"), program.file(name)), f"{name} differs")


def test_summary_and_verbosity(program):
    points_file(program)
    result = program.succeed("vecchia", "in.h5", "a.h5", "-m", 4, ranks=3)
    expect("a.h5" in result.out and "400" in result.out and "duplicate" in result.out, f"summary: {result}")
    expect(any("query" in line for line in result.err), f"a line per phase: {result}")
    result = program.succeed("vecchia", "in.h5", "b.h5", "-m", 4, "--quiet", ranks=3)
    expect(result.out == "" and result.err == [], f"--quiet is not silent: {result}")
    result = program.succeed("vecchia", "in.h5", "c.h5", "-m", 4, "--verbose", ranks=3)
    for word in ("ordering = random", "query_distances", "ranks = 3"):
        expect(any(word in line for line in result.err), f"{word} is missing: {result}")


def test_report(program):
    points_file(program, 2000)
    for ranks in (1, 3):
        words = ["in.h5", "a.h5", "-m", 4, "--scale", "1,0.5", "--seed", "18446744073709551615", "--overwrite"]
        program.succeed("vecchia", *words, "--report", "r.json", "--threads", 2, ranks=ranks)
        with open(program.file("r.json"), encoding="utf-8") as file:
            text = file.read()
        report = json.loads(text)
        parameters = report["parameters"]
        expect(parameters["m"] == 4 and parameters["ordering"] == "random", f"parameters: {parameters}")
        expect(parameters["scale"] == [1, 0.5], f"scale: {parameters}")
        expect(parameters["seed"] == 18446744073709551615, f"seed: {parameters}")
        expect(parameters["dataset"] is None and parameters["overwrite"] is True, f"parameters: {parameters}")
        expect(parameters["arguments"] == ["in.h5", "a.h5"], f"arguments: {parameters}")
        expect(report["ranks"] == ranks and report["threads"] == 2, "ranks and threads")
        names = [phase["name"] for phase in report["phases"]]
        expect(names[0] == "read" and set(names) <= set(PHASES) and len(set(names)) == len(names), f"{names}")
        expect({"partition", "build", "query", "write"} <= set(names), f"phases: {names}")
        for phase in report["phases"]:
            seconds = phase["seconds"]
            expect(0 <= seconds["min"] <= seconds["mean"] + 1e-9 <= seconds["max"] + 2e-9, f"{phase}")
            expect(0 <= seconds["max_rank"] < ranks, f"{phase}")
        total = sum(phase["seconds"]["mean"] for phase in report["phases"])
        expect(abs(total - report["seconds_total"]) <= 0.05 + 0.1 * total, f"{total} of {report['seconds_total']}")
        expect(report["counters"]["points"]["sum"] == 2000, f"{report['counters']}")
        peaks = report["peak_bytes"]
        expect(len(peaks["per_rank"]) == ranks and sum(peaks["per_rank"]) == peaks["sum"] > 0, f"{peaks}")
        used = report["cpu_seconds"]["per_rank"]
        expect(len(used) == ranks and min(used) > 0 and abs(sum(used) - report["cpu_seconds"]["sum"]) < 1e-9, f"{used}")
        check_affinity(report["affinity"], ranks)
        expect(not os.path.exists(program.file("r.json.part")), "r.json.part was left")


def check_affinity(affinity, ranks):
    """Every rank and both threads have a place; what does not fit is said."""
    expect(len(affinity["ranks"]) == ranks, f"{affinity}")
    cores = set()
    for rank in affinity["ranks"]:
        expect(rank["host"] == socket.gethostname() and len(rank["threads"]) == 2, f"{rank}")
        for thread in rank["threads"]:
            expect(thread["processor"] >= 0 and 1 <= thread["cores"] <= rank["cores"], f"{rank}")
            cores.add(thread["core"])
    usable = max(rank["cores"] for rank in affinity["ranks"])
    if 2 * ranks > os.cpu_count():
        expect(any("share" in line for line in affinity["warnings"]), f"{affinity}")
    expect(usable < 2 or ranks > 1 or not affinity["warnings"], f"{affinity}")


def test_few_cores(program):
    """Two threads on one core."""
    points_file(program, 2000)
    usable = os.sched_getaffinity(0)
    core = min(usable)
    os.sched_setaffinity(0, {core})
    try:
        result = program.succeed("vecchia", "in.h5", "a.h5", "--report", "r.json", "--threads", 2)
    finally:
        os.sched_setaffinity(0, usable)
    expect(any("rank 0 has 2 threads on 1 core" in line for line in result.err), f"{result}")
    with open(program.file("r.json"), encoding="utf-8") as file:
        rank = json.load(file)["affinity"]["ranks"][0]
    expect([thread["processor"] for thread in rank["threads"]] == [core, core], f"{rank}")


def test_no_report_after_failure(program):
    points_file(program)
    cli.expect_error(program.run("vecchia", "in.h5", "a.h5", "--dataset", "/no", "--report", "r.json"), 3, "/no")
    expect(sorted(os.listdir(program.directory)) == ["in.h5"], "files were left")


def test_dry_run(program):
    points_file(program)
    for ranks in (1, 3):
        for words in (["vecchia", "in.h5", "out.h5", "-m", 5], ["knn", "in.h5", "in.h5", "out.h5"]):
            result = program.succeed(*words, "--dry-run", "--report", "r.json", ranks=ranks)
            expect("400" in result.out and "out.h5" in result.out, f"what would be done: {result}")
            expect("memory" in result.out, f"estimated memory: {result}")
            expect(sorted(os.listdir(program.directory)) == ["in.h5"], f"files were written: {result}")
    cli.expect_error(program.run("vecchia", "in.h5", "out.h5", "--dry-run", "--dataset", "/no"), 3, "/no")
    cli.expect_error(program.run("vecchia", "in.h5", "out.h5", "--dry-run", "--scale", "1"), 2, "--scale")


def test_overwrite(program):
    points_file(program)
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 4)
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 6, "--overwrite")
    with h5py.File(program.file("out.h5"), "r") as file:
        expect(file["/neighbors/index"].shape == (400, 6), "the output was not replaced")
    with open(program.file("out.h5.part"), "w", encoding="utf-8") as file:
        file.write("stale")
    program.succeed("knn", "in.h5", "out.h5", "-k", 2, "--overwrite", ranks=3)
    with h5py.File(program.file("out.h5"), "r") as file:
        expect(file["/neighbors/index"].shape == (400, 2), "the output was not replaced")
    expect(not os.path.exists(program.file("out.h5.part")), "the stale .part is still there")
    # a failure leaves what was there
    cli.expect_error(program.run("vecchia", "in.h5", "out.h5", "--overwrite", "--dataset", "/no"), 3, "/no")
    with h5py.File(program.file("out.h5"), "r") as file:
        expect(file["/neighbors/index"].shape == (400, 2), "a failure destroyed the old output")


def test_exact_and_independent_of_blocks(program):
    """Every block size, rank count and thread count gives the same contents, and the right ones."""
    points = points_file(program, 300)
    for ordering in ("none", "random", "coordinate:1", "middleout", "hilbert"):
        base = ["vecchia", "in.h5", "--ordering", ordering, "-m", 5, "--quiet", "--overwrite"]
        program.succeed(*base, "a.h5")
        with h5py.File(program.file("a.h5"), "r") as file:
            order = file["/ordering/permutation"][...]
            expect(sorted(order) == list(range(300)), f"{ordering}: no permutation")
            right = brute_force(points, order, 5)
            expect(numpy.array_equal(file["/neighbors/index"][...], right), f"{ordering}: wrong sets")
        for ranks, rows, threads in ((1, 7, 2), (1, 300, 1), (3, 100, 1), (3, 1000, 2), (4, 1, 1)):
            if rows == 1 and ordering != "random":
                continue
            program.succeed(*base, "b.h5", "--block-rows", rows, "--threads", threads, ranks=ranks)
            different = cli.datasets_equal(program.file("a.h5"), program.file("b.h5"))
            expect(not different, f"{ordering}, {ranks} ranks, {rows} rows: {different}")


def test_given_ordering(program):
    points = points_file(program, 100)
    order = numpy.random.default_rng(5).permutation(100)
    with h5py.File(program.file("in.h5"), "r+") as file:
        file["/my/order"] = order
    for ranks in (1, 3):
        program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--ordering", "file:/my/order", "--overwrite", ranks=ranks)
        with h5py.File(program.file("out.h5"), "r") as file:
            expect(numpy.array_equal(file["/ordering/permutation"][...], order), "another permutation")
            expect(numpy.array_equal(file["/points/coordinates"][...], points[order]), "other coordinates")
            expect(numpy.array_equal(file["/neighbors/index"][...], brute_force(points, order, 5)), "wrong sets")


def test_small_inputs(program):
    """0, 1, 2 points; fewer points than ranks; m beyond n."""
    for count in (0, 1, 2, 3):
        cli.write_points(program.file("in.h5"), cli.uniform(count, 2))
        for ranks in (1, 4):
            program.succeed("vecchia", "in.h5", "a.h5", "-m", 5, "--overwrite", ranks=ranks)
            program.succeed("knn", "in.h5", "b.h5", "-k", 5, "--overwrite", ranks=ranks)
            program.succeed("knn", "in.h5", "in.h5", "c.h5", "-k", 5, "--overwrite", ranks=ranks)
            filled = {"a.h5": range(count), "b.h5": [max(count - 1, 0)] * count, "c.h5": [count] * count}
            for name, expected in filled.items():
                with h5py.File(program.file(name), "r") as file:
                    index, distance = file["/neighbors/index"][...], file["/neighbors/distance"][...]
                    expect(index.shape == (count, 5), f"{name}: shape {index.shape}")
                    expect(list(file["/neighbors/count"][...]) == list(expected), f"{name}, {count}: count")
                    expect(numpy.array_equal(index < 0, numpy.isinf(distance)), f"{name}: padding")


def test_knn(program):
    points = points_file(program, 300)
    queries = cli.uniform(40, 2, seed=9)
    cli.write_points(program.file("queries.h5"), queries)
    value = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    numpy.fill_diagonal(value, numpy.inf)
    own = numpy.argsort(value, axis=1, kind="stable")[:, :6]
    foreign = numpy.argsort(((queries[:, None, :] - points[None]) ** 2).sum(axis=2), axis=1, kind="stable")[:, :6]
    for ranks, rows in ((1, 300), (3, 50), (3, 7)):
        for words, right in ((["in.h5"], own), (["in.h5", "queries.h5"], foreign)):
            words = ["knn", *words, "out.h5", "-k", 6, "--block-rows", rows, "--overwrite"]
            program.succeed(*words, ranks=ranks)
            with h5py.File(program.file("out.h5"), "r") as file:
                expect(numpy.array_equal(file["/neighbors/index"][...], right), f"wrong neighbours: {words}")
                expect("ordering" not in file, "knn has no /ordering")
                expect(file.attrs["m"] == 6, "attribute m holds k")


def test_distances_and_compression(program):
    points_file(program)
    base = ["vecchia", "in.h5", "-m", 4, "--overwrite"]
    program.succeed(*base, "a.h5")
    program.succeed(*base, "b.h5", "--distances", "f4", "--compress", 6, ranks=3)
    program.succeed(*base, "c.h5", "--distances", "none")
    with h5py.File(program.file("a.h5"), "r") as a, h5py.File(program.file("b.h5"), "r") as b:
        expect(a["/neighbors/distance"].dtype == numpy.dtype("<f8"), "f8 is the default")
        expect(b["/neighbors/distance"].dtype == numpy.dtype("<f4"), "--distances f4")
        expect(b["/neighbors/index"].compression == "gzip" and b["/neighbors/index"].shuffle, "--compress")
        same = numpy.array_equal(a["/neighbors/distance"][...].astype("f4"), b["/neighbors/distance"][...])
        expect(same, "f4 distances are the rounded f8 ones")
    with h5py.File(program.file("c.h5"), "r") as file:
        expect("distance" not in file["/neighbors"], "--distances none")


def test_columns_and_carried(program):
    """1-D columns as coordinates; columns carried along in ordering order."""
    points = cli.uniform(200, 2)
    with h5py.File(program.file("in.h5"), "w") as file:
        file["lon"], file["lat"] = points[:, 0].astype("f4"), points[:, 1].astype("f4")
    program.succeed("vecchia", "in.h5", "a.h5", "--columns", "lon,lat", "-m", 3, ranks=3)
    with h5py.File(program.file("a.h5"), "r") as file:
        order = file["/ordering/permutation"][...]
        expect(numpy.array_equal(file["/points/coordinates"][...], points.astype("f4")[order]), "coordinates")
    with open(program.file("t.csv"), "w", encoding="utf-8") as file:
        file.write("x,y,name,size\n")
        for i, (x, y) in enumerate(points):
            file.write(f"{x!r},{y!r},name {i},{i * 10}\n" if i != 17 else f",{y!r},dropped,1\n")
    program.succeed("import", "t.csv", "t.h5", "--columns", "x,y", "--carry", "name,size")
    for ranks in (1, 3):
        program.succeed("vecchia", "t.h5", "b.h5", "-m", 3, "--overwrite", ranks=ranks)
        with h5py.File(program.file("b.h5"), "r") as file:
            order = file["/ordering/permutation"][...]
            rows = numpy.delete(numpy.arange(200), 17)[order]
            expect(numpy.array_equal(file["/points/source_row"][...], rows), "source_row")
            expect(numpy.array_equal(file["/data/size"][...], rows * 10), "carried integers")
            names = [name.decode().rstrip("\0") for name in file["/data/name"][...]]
            expect(names == [f"name {row}" for row in rows], "carried texts")


def test_info(program):
    points_file(program)
    program.succeed("vecchia", "in.h5", "sets.h5", "-m", 4)
    out = program.succeed("info", "sets.h5", ranks=3).out
    for word in ("conditioning-sets", "/neighbors/index", "400 x 4", "int32", "/ordering/permutation", "random"):
        expect(out.count(word) >= 1, f"{word} is missing: {out}")
    with h5py.File(program.file("other.h5"), "w") as file:
        file["/grid/lon"], file["/grid/lat"] = numpy.zeros(7), numpy.zeros(7)
        file["/table"] = numpy.zeros((9, 3), dtype="f4")
        file["/text"] = numpy.array([b"a"])
    out = program.succeed("info", "other.h5").out
    for word in ("/table", "9 x 3", "--dataset", "--columns"):
        expect(word in out, f"{word} is missing: {out}")


def test_reader_that_goes_away(program):
    points_file(program)
    words = [program.path, "info", "in.h5"]
    with subprocess.Popen(words, cwd=program.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        expect(process.wait(timeout=60) == 0 and process.stderr.read() == b"", "a closed pipe is no error")


if __name__ == "__main__":
    cli.main([value for name, value in sorted(globals().items()) if name.startswith("test_")])
