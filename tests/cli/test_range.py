"""Radius queries on the command line: answers by definition, files, `verify`, and plausible mistakes."""

import json
import shutil
import subprocess

import cli
import h5py
import numpy
from cli import expect

KILOMETRES = 6371.0088


def lattice(program, count=200, dimension=2, name="in.h5", seed=3):
    """Many ties, some duplicates; whole numbers, of which NumPy's sums and roots are exact enough."""
    points = numpy.random.default_rng(seed).integers(0, 9, size=(count, dimension)).astype("f8")
    cli.write_points(program.file(name), points)
    return points


def within(points, asking, radius, excluded, most=None):
    """Rows by definition: indices at distance radius or nearer, nearest first, ties by index."""
    rows = []
    for i, point in enumerate(asking):
        distance = numpy.sqrt(((points - point) ** 2).sum(axis=1))
        found = [j for j in numpy.lexsort((numpy.arange(len(points)), distance)) if distance[j] <= radius]
        rows.append([j for j in found if not (excluded and j == i)][:most])
    return rows


def read_rows(path):
    """Rows of a file and its distances."""
    with h5py.File(path) as file:
        offset = file["neighbors/offset"][:]
        index = file["neighbors/index"][:]
        distance = file["neighbors/distance"][:] if "distance" in file["neighbors"] else None
    expect(offset[0] == 0 and offset[-1] == len(index) and (numpy.diff(offset) >= 0).all(), f"offset: {offset}")
    rows = [list(index[a:b]) for a, b in zip(offset[:-1], offset[1:])]
    return rows, distance, offset


def same(first, second):
    """Whether h5diff finds two files equal and comparable throughout."""
    words = ["h5diff", "--exclude-path", "/provenance", first, second]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    return result.returncode == 0 and not result.stdout.strip() and not result.stderr.strip()


def test_answers(program):
    points = lattice(program)
    for radius in (0, 1, 1.5, 2.23606797749979, 20):  # also the root of 5, which some points are at exactly
        program.succeed("range", "in.h5", "out.h5", "--radius", radius, "--overwrite")
        rows, distance, offset = read_rows(program.file("out.h5"))
        expect(rows == within(points, points, radius, True), f"rows at radius {radius}")
        for i, row in enumerate(rows):
            expected = numpy.sqrt(((points[row] - points[i]) ** 2).sum(axis=1))
            expect((distance[offset[i] : offset[i + 1]] == expected).all(), f"distances of row {i}")
        program.succeed("verify", "out.h5", "--against", "in.h5")


def test_ranks_threads_blocks(program):
    lattice(program, 300)
    for more in ([], ["--count-only"], ["--queries", "in.h5", "--most", 5, "--compress", 3]):
        words = ["range", "in.h5", "--radius", 1.5, "--quiet", *more]
        program.succeed(*words, "a.h5", "--overwrite")
        for ranks, threads, block in ((1, 2, 7), (2, 1, 0), (2, 2, 100), (3, 1, 23)):
            blocks = ["--block-rows", block] if block else []
            program.succeed(*words, "b.h5", "--threads", threads, "--overwrite", *blocks, ranks=ranks)
            equal = same(program.file("a.h5"), program.file("b.h5"))
            expect(equal, f"{more} differs at {ranks} ranks, {threads} threads, block rows {block}")


def test_queries(program):
    points = lattice(program)
    queries = lattice(program, 40, name="queries.h5", seed=8) + 0.5
    cli.write_points(program.file("queries.h5"), queries)
    for ranks in (1, 3):
        words = ["--radius", 1, "--queries", "queries.h5", "--overwrite"]
        program.succeed("range", "in.h5", "out.h5", *words, ranks=ranks)
        rows, _, _ = read_rows(program.file("out.h5"))
        expect(rows == within(points, queries, 1, False), f"queries on {ranks} ranks")
        program.succeed("verify", "out.h5", "--against", "in.h5", ranks=ranks)
    with h5py.File(program.file("out.h5")) as file:
        expect(file.attrs["queries"].decode() == "file" and file.attrs["radius"] == 1, "attributes")
        expect(file.attrs["kind"].decode() == "ranges" and file.attrs["n"] == 200, "attributes")
        expect((file["points/coordinates"][:] == queries).all(), "the points are the queries")
    cli.expect_error(program.run("verify", "out.h5", "--quiet"), 2, "--against")


def test_most_and_counts(program):
    points = lattice(program)
    full = within(points, points, 2, True)
    program.succeed("range", "in.h5", "most.h5", "--radius", 2, "--most", 3)
    expect(read_rows(program.file("most.h5"))[0] == [row[:3] for row in full], "the nearest three")
    program.succeed("range", "in.h5", "count.h5", "--radius", 2, "--count-only")
    program.succeed("range", "in.h5", "capped.h5", "--radius", 2, "--count-only", "--most", 3)
    for name, most in (("count.h5", None), ("capped.h5", 3)):
        with h5py.File(program.file(name)) as file:
            expect(list(file["neighbors"]) == ["count"], f"datasets: {list(file['neighbors'])}")
            expect(list(file["neighbors/count"][:]) == [len(row[:most]) for row in full], f"counts of {name}")
    for name in ("most.h5", "count.h5", "capped.h5"):
        program.succeed("verify", name, ranks=3)


def test_lonlat(program):
    """The radius is in km and compared with the distance that is written."""
    random = numpy.random.default_rng(4)
    points = numpy.column_stack([random.uniform(-180, 360, 300), random.uniform(-90, 90, 300)])
    cli.write_points(program.file("in.h5"), points)
    program.succeed("knn", "in.h5", "knn.h5", "-k", 299, "--coordinates", "lonlat")
    with h5py.File(program.file("knn.h5")) as file:
        index, distance = file["neighbors/index"][:], file["neighbors/distance"][:]
    exact = float(distance[7, 5])
    for radius in (exact, numpy.nextafter(exact, 0), 1000, KILOMETRES * numpy.pi, 30000):
        words = ["--coordinates", "lonlat", "--radius", repr(float(radius)), "--overwrite"]
        program.succeed("range", "in.h5", "out.h5", *words, ranks=2)
        rows, found, _ = read_rows(program.file("out.h5"))
        expect(rows == [list(i[d <= radius]) for i, d in zip(index, distance)], f"rows at {radius} km")
        expect((found == numpy.concatenate([d[d <= radius] for d in distance])).all(), f"km at {radius}")
        program.succeed("verify", "out.h5")
    expect(len(rows[0]) == 299, "the whole globe")


def test_metrics_and_scale(program):
    points = lattice(program, 150)
    words = ["--metric", "manhattan", "--scale", "1,2", "--radius", 2]
    program.succeed("range", "in.h5", "out.h5", *words)
    scaled = points / [1, 2]
    rows, _, _ = read_rows(program.file("out.h5"))
    for i, row in enumerate(rows):
        distance = numpy.abs(scaled - scaled[i]).sum(axis=1)
        expect(set(row) == {j for j in range(150) if distance[j] <= 2 and j != i}, f"row {i}")
    program.succeed("verify", "out.h5", "--against", "in.h5")
    program.succeed("range", "in.h5", "out.h5", "--metric", "chebyshev", "--radius", 1, "--overwrite")
    program.succeed("verify", "out.h5", ranks=2)


def test_distances(program):
    lattice(program)
    program.succeed("range", "in.h5", "f8.h5", "--radius", 2)
    program.succeed("range", "in.h5", "f4.h5", "--radius", 2, "--distances", "f4")
    program.succeed("range", "in.h5", "none.h5", "--radius", 2, "--distances", "none")
    rows, distance, _ = read_rows(program.file("f8.h5"))
    small_rows, small, _ = read_rows(program.file("f4.h5"))
    expect(rows == small_rows and small.dtype == "f4" and (small == distance.astype("f4")).all(), "f4")
    none_rows, none, _ = read_rows(program.file("none.h5"))
    expect(none_rows == rows and none is None, "none")
    for name in ("f8.h5", "f4.h5", "none.h5"):
        program.succeed("verify", name)


def test_few_points(program):
    for count in range(4):
        cli.write_points(program.file("in.h5"), numpy.zeros((count, 2)))
        for ranks in (1, 3):
            program.succeed("range", "in.h5", "out.h5", "--radius", 0, "--overwrite", ranks=ranks)
            rows, _, _ = read_rows(program.file("out.h5"))
            expect(rows == [[j for j in range(count) if j != i] for i in range(count)], f"{count} points: {rows}")
            program.succeed("verify", "out.h5", ranks=ranks)
            words = ["range", "in.h5", "count.h5", "--radius", 1, "--count-only", "--overwrite"]
            program.succeed(*words, ranks=ranks)
            program.succeed("verify", "count.h5")
    cli.write_points(program.file("none.h5"), numpy.zeros((0, 2)))
    program.succeed("range", "in.h5", "out.h5", "--radius", 1, "--queries", "none.h5", "--overwrite", ranks=2)
    expect(read_rows(program.file("out.h5"))[0] == [], "no queries")


def test_verify_finds(program):
    """Planted errors of every kind."""
    cli.write_points(program.file("in.h5"), cli.uniform(300, 2))
    program.succeed("range", "in.h5", "good.h5", "--radius", 0.1)
    program.succeed("range", "in.h5", "small.h5", "--radius", 0.09)
    program.succeed("range", "in.h5", "count.h5", "--radius", 0.1, "--count-only")

    def planted(name, change, code, *fragments):
        shutil.copy(program.file(name), program.file("bad.h5"))
        with h5py.File(program.file("bad.h5"), "r+") as file:
            change(file)
        for ranks in (1, 3):
            result = program.run("verify", "bad.h5", "--quiet", ranks=ranks)
            cli.expect_error(result, code, *fragments)

    with h5py.File(program.file("good.h5")) as file:
        start = int(file["neighbors/offset"][50])
        expect(int(file["neighbors/offset"][51]) - start > 2, "row 50 has neighbours")

    def put(path, at, value):
        return lambda file: file[path].__setitem__(at, value)

    def swap(file):
        for name in ("index", "distance"):
            data = file[f"neighbors/{name}"]
            data[start : start + 2] = data[start : start + 2][::-1]

    def shift(file):
        file["neighbors/offset"][51] += 1

    def radius(value):
        return lambda file: file.attrs.__setitem__("radius", value)

    planted("good.h5", put("neighbors/index", start, 50), 1, "row 50")
    planted("good.h5", put("neighbors/index", start, 300), 1, "row 50", "300")
    planted("good.h5", put("neighbors/index", start, -1), 1, "row 50", "-1")
    planted("good.h5", put("neighbors/distance", start, 0.05), 1, "row 50", "0.05")
    planted("good.h5", swap, 1, "row 50", "order")
    planted("good.h5", shift, 1, "row")
    planted("good.h5", put("neighbors/offset", 0, 1), 1, "offset")
    planted("good.h5", put("neighbors/offset", 300, 5), 1, "row 299")
    planted("good.h5", put("neighbors/offset", 100, -(2**62)), 1, "row")
    planted("good.h5", radius(0.09), 1, "beyond the radius")
    planted("small.h5", radius(0.1), 1, "found within the radius")
    planted("good.h5", radius(-1.0), 3, "radius")
    planted("count.h5", put("neighbors/count", 50, 1), 1, "row 50")
    planted("count.h5", put("neighbors/count", 50, 300), 1, "row 50")

    def cut(file):
        data = file["neighbors/index"][:-1]
        del file["neighbors/index"]
        file["neighbors/index"] = data

    planted("good.h5", cut, 3, "/neighbors/distance")


def test_report_and_plan(program):
    lattice(program)
    program.succeed("range", "in.h5", "out.h5", "--radius", 0.125, "--most", 4, "--report", "r.json")
    with open(program.file("r.json"), encoding="utf-8") as file:
        parameters = json.load(file)["parameters"]
    expect(parameters["radius"] == 0.125 and parameters["most"] == 4, f"{parameters}")
    expect(parameters["count-only"] is False and parameters["queries"] is None, f"{parameters}")
    out = program.succeed("range", "in.h5", "no.h5", "--radius", 1, "--queries", "in.h5", "--dry-run").out
    expect("200 points" in out and "200 queries" in out and "within 1" in out, f"plan: {out}")
    expect(not program.run("info", "no.h5").code == 0, "a dry run writes nothing")
    out = program.succeed("info", "out.h5").out
    expect("pcct ranges" in out and "radius = 0.125" in out, f"info: {out}")


def test_mistakes(program):
    lattice(program)
    lattice(program, dimension=3, name="three.h5")
    for words, code, fragments in (
        ([], 2, ("--radius is missing",)),
        (["--radius"], 2, ("--radius expects a value",)),
        (["--radius", "-1"], 2, ("at least 0", "-1")),
        (["--radius", "nan"], 2, ("at least 0", "nan")),
        (["--radius", "inf"], 2, ("at least 0", "inf")),
        (["--radius", "5km"], 2, ("at least 0", "5km")),
        (["--radius", "1,2"], 2, ("at least 0", "1,2")),
        (["--radius", "1", "--most", "0"], 2, ("--most", "at least 1")),
        (["--radius", "1", "--querys", "in.h5"], 2, ("--querys", "'--queries'")),
        (["--radius", "1", "--queries", "missing.h5"], 4, ("missing.h5",)),
        (["--radius", "1", "--queries", "three.h5"], 3, ("3 coordinates", "have 2")),
        (["--radius", "1", "--queries", "out.h5"], 2, ("out.h5", "input")),
    ):
        if "out.h5" in words:
            lattice(program, name="out.h5")
        result = program.run("range", "in.h5", "out.h5", "--overwrite", *words)
        cli.expect_error(result, code, *fragments)
    cli.expect_error(program.run("range", "in.h5", "--radius", 1), 2, "expected FILE OUT")


if __name__ == "__main__":
    cli.main([value for name, value in sorted(globals().items()) if name.startswith("test_")])
