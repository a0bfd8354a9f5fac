"""Orderings on the command line by their definitions: growing nets, time, outside in; space-time and rotated
coordinates; and that `verify` sees a wrong one."""

import json

import cli
import h5py
import numpy
from cli import expect


def read(path):
    """Permutation and length scales (None if there are none) of a file."""
    with h5py.File(path) as file:
        lengths = file["ordering/length_scale"][:] if "length_scale" in file["ordering"] else None
        return file["ordering/permutation"][:], lengths


def farthest_first(points, first, key=None):
    """Rows and length scales, one after the other; rows of a smaller key first."""
    key = numpy.zeros(len(points)) if key is None else key
    squares = numpy.full(len(points), numpy.inf)
    rows, lengths, left = [], [], numpy.ones(len(points), bool)
    for step in range(len(points)):
        group = left & (key == key[left].min())
        row = first if step == 0 else int(numpy.argmax(numpy.where(group, squares, -1)))
        rows.append(row)
        lengths.append(numpy.sqrt(squares[row]))
        left[row] = False
        difference = points - points[row]
        square = numpy.zeros(len(points))
        for j in range(points.shape[1]):  # summed from axis 0 upwards
            square += difference[:, j] ** 2
        squares = numpy.minimum(squares, square)
    return rows, lengths


def lattice(count, dimension, seed=3):
    """Many ties, some duplicates."""
    return numpy.random.default_rng(seed).integers(0, 12, size=(count, dimension)).astype("f8")


def central(points):
    """The row nearest the mean."""
    return int(numpy.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))


def test_maximin(program):
    """Ties and duplicates; all starts; any ranks; a run that is resumed; an index."""
    points = lattice(300, 2) + 4.2e6  # as large as metres of a map
    cli.write_points(program.file("in.h5"), points)
    starts = {"maximin": central(points), "maximin:first": 0, "maximin:123": 123}
    for ordering, first in starts.items():
        rows, lengths = farthest_first(points, first)
        for ranks in cli.rank_counts(1, 2, 7):
            program.succeed("vecchia", "in.h5", "out.h5", "--ordering", ordering, "-m", 5, "--overwrite", ranks=ranks)
            found, found_lengths = read(program.file("out.h5"))
            expect(list(found) == rows, f"{ordering} on {ranks} ranks: {list(found)}, expected {rows}")
            expect(list(found_lengths) == lengths, f"length scales of {ordering} on {ranks} ranks")
        result = program.succeed("verify", "out.h5", "--against", "in.h5")
        expect("300 points followed" in result.out, f"{result}")
    program.succeed("build", "in.h5", "index.h5", "--ordering", "maximin:123")
    program.succeed("verify", "index.h5")
    program.succeed("vecchia", "index.h5", "again.h5", "-m", 5, ranks=2)
    different = cli.datasets_equal(program.file("out.h5"), program.file("again.h5"))
    expect(not different, f"from an index: {different}")
    cli.expect_error(program.run("append", "index.h5", "in.h5", "more.h5"), 2, "maximin:123", "build anew")


def test_level(program):
    """Nested nets: rows chosen at a scale are farther than it from all before; a seed decides."""
    points = numpy.vstack([cli.uniform(200, 3), cli.uniform(20, 3)])
    cli.write_points(program.file("in.h5"), points)
    orders = []
    for seed in (0, 1):
        program.succeed("vecchia", "in.h5", "out.h5", "--ordering", "level", "--seed", seed, "--overwrite", ranks=2)
        rows, lengths = read(program.file("out.h5"))
        orders.append(list(rows))
        ordered = points[rows]
        for i in range(1, len(rows)):
            nearest = numpy.sqrt(((ordered[:i] - ordered[i]) ** 2).sum(axis=1)).min()
            expect(lengths[i] < nearest <= 2 * lengths[i] or nearest == lengths[i] == 0, f"position {i}: {nearest}")
        expect(numpy.isinf(lengths[0]) and (numpy.diff(lengths[1:]) <= 0).all(), "scales rise")
        program.succeed("verify", "out.h5")
    expect(orders[0] != orders[1], "the seed does not matter")


def test_time(program):
    points = lattice(200, 3)
    cli.write_points(program.file("in.h5"), points)
    for axis in (None, 0):
        suffix = "" if axis is None else f":{axis}"
        key = points[:, 2 if axis is None else axis]
        for ordering in ("time", "time-random", "time-maximin"):
            words = ["vecchia", "in.h5", "out.h5", "--ordering", ordering + suffix, "-m", 4, "--overwrite"]
            program.succeed(*words, ranks=3)
            rows, lengths = read(program.file("out.h5"))
            expect((numpy.diff(key[rows]) >= 0).all(), f"{ordering}{suffix}: times fall")
            if ordering == "time":
                expect(list(rows) == list(numpy.argsort(key, kind="stable")), "ties are not by row")
            if ordering == "time-maximin":
                group = numpy.flatnonzero(key == key.min())
                first = int(group[central(points[group])])
                expected, expected_lengths = farthest_first(points, first, key)
                expect(list(rows) == expected, f"{list(rows)}, expected {expected}")
                expect(list(lengths) == expected_lengths, "length scales")
            program.succeed("verify", "out.h5")


def test_outside_in(program):
    points = cli.uniform(100, 2)
    cli.write_points(program.file("in.h5"), points)
    program.succeed("vecchia", "in.h5", "out.h5", "--ordering", "outsidein")
    rows, _ = read(program.file("out.h5"))
    distance = ((points[rows] - points.mean(axis=0)) ** 2).sum(axis=1)
    expect((numpy.diff(distance) <= 0).all(), "distances from the mean rise")
    program.succeed("verify", "out.h5")


def nearest_before(points, m):
    """Distances to the m nearest predecessors, by the definition."""
    rows = numpy.full((len(points), m), numpy.inf)
    for i in range(1, len(points)):
        distance = numpy.sort(numpy.sqrt(((points[:i] - points[i]) ** 2).sum(axis=1)))[:m]
        rows[i, : len(distance)] = distance
    return rows


def check_distances(program, transformed, *words):
    """Runs in the order as given and compares distances with those of transformed coordinates."""
    for ranks in cli.rank_counts(1, 3):
        program.succeed("vecchia", "in.h5", "out.h5", "-m", 6, "--ordering", "none", "--overwrite", *words, ranks=ranks)
        with h5py.File(program.file("out.h5")) as file:
            found = file["neighbors/distance"][:]
        finite = numpy.isfinite(found)
        expected = nearest_before(transformed, 6)
        expect((finite == numpy.isfinite(expected)).all(), f"{words}: numbers of neighbours")
        expect(numpy.allclose(found[finite], expected[finite], rtol=1e-12, atol=1e-9), f"{words}: distances")
    program.succeed("verify", "out.h5", "--against", "in.h5")
    program.succeed("build", "in.h5", "index.h5", "--ordering", "none", "--overwrite", *words)
    program.succeed("vecchia", "index.h5", "again.h5", "-m", 6, "--overwrite", ranks=2)
    different = cli.datasets_equal(program.file("out.h5"), program.file("again.h5"))
    expect(not different, f"{words}: from an index: {different}")


def test_space_time(program):
    """Chords in km and days; longitudes in any wrap, a pole."""
    generator = numpy.random.default_rng(5)
    points = numpy.column_stack(
        [generator.uniform(-180, 380, 150), generator.uniform(-90, 90, 150), generator.uniform(0, 365, 150)]
    )
    points[3, 1] = 90
    cli.write_points(program.file("in.h5"), points)
    angle = numpy.radians(points[:, :2])
    x = numpy.cos(angle[:, 1]) * numpy.cos(angle[:, 0])
    y = numpy.cos(angle[:, 1]) * numpy.sin(angle[:, 0])
    place = numpy.column_stack([x, y, numpy.sin(angle[:, 1])]) * 6371.0088
    transformed = numpy.column_stack([place / 500, points[:, 2] / 20])
    check_distances(program, transformed, "--coordinates", "lonlat-time", "--scale", "500,20")
    with open(program.file("scales"), "w", encoding="utf-8") as file:
        file.write("500\n20\n")
    check_distances(program, transformed, "--coordinates", "lonlat-time", "--scale-file", "scales")


def test_rotation(program):
    points = cli.uniform(150, 2)
    cli.write_points(program.file("in.h5"), points)
    matrix = numpy.array([[0.8, 0.6], [-6.0, 8.0]])
    scale = numpy.array([2.0, 0.5])
    transformed = (points / scale) @ matrix.T
    check_distances(program, transformed, "--scale", "2,0.5", "--rotation=0.8,0.6,-6,8")
    with open(program.file("scales"), "w", encoding="utf-8") as file:
        file.write("2 0.5\n0.8 0.6\n-6 8\n")
    check_distances(program, transformed, "--scale-file", "scales")


def test_report(program):
    """What was asked for, and the rounds it took."""
    cli.write_points(program.file("in.h5"), cli.uniform(3000, 2))
    words = ["--ordering", "maximin", "--rotation=1,2,-1,0.5", "--report", "report.json"]
    program.succeed("vecchia", "in.h5", "out.h5", *words, ranks=2)
    with open(program.file("report.json"), encoding="utf-8") as file:
        report = json.load(file)
    expect(report["parameters"]["rotation"] == [1, 2, -1, 0.5], f"{report['parameters']}")
    counters = report["counters"]
    rounds, most = counters["ordering_rounds"]["sum"], counters["ordering_selected_max"]["max"]
    expect(5 < rounds < 100 and 3000 / rounds / 2 < most < 3000, f"{rounds} rounds, {most} points in one")
    expect(counters["bytes_order"]["sum"] > 0 and counters["ordering_distances"]["sum"] > 3000, f"{counters}")


def test_reuse(program):
    """Another m, and scales that the ordering does not depend on; the file is the same as without."""
    cli.write_points(program.file("in.h5"), cli.uniform(400, 2))
    cli.write_points(program.file("other.h5"), cli.uniform(400, 2, seed=9))
    cases = [
        ("random", ["--scale", "1,3"], "reused of"),
        ("maximin", ["-m", 12], "length scales"),
        ("maximin", ["--scale", "1,3"], "scales and metric"),
        ("hilbert", ["--metric", "manhattan"], "scales and metric"),
        ("random", ["--seed", 5], "seed"),
    ]
    for ordering, words, said in cases:
        program.succeed("vecchia", "in.h5", "old.h5", "-m", 5, "--ordering", ordering, "--overwrite")
        base = ["vecchia", "in.h5", "new.h5", "-m", 5, "--ordering", ordering, "--overwrite", *words]
        result = program.succeed(*base, "--reuse", "old.h5", ranks=2)
        expect(said in result.out, f"{result}")
        base[2] = "plain.h5"
        program.succeed(*base)
        different = cli.datasets_equal(program.file("new.h5"), program.file("plain.h5"))
        expect(not different, f"{ordering} {words}: {different}")
    result = program.succeed("vecchia", "other.h5", "new.h5", "--overwrite", "--reuse", "old.h5")
    expect("another input" in result.out, f"{result}")
    cli.expect_error(program.run("vecchia", "in.h5", "a.h5", "--reuse", "in.h5", ranks=2), 3, "in.h5", "vecchia")
    cli.expect_error(program.run("vecchia", "in.h5", "a.h5", "--reuse", "none.h5"), 4, "none.h5")


def test_mistakes(program):
    cli.write_points(program.file("in.h5"), cli.uniform(50, 3))
    base = ["vecchia", "in.h5", "out.h5"]
    cli.expect_error(program.run(*base, "--ordering", "maximum"), 2, "maximum")
    cli.expect_error(program.run(*base, "--ordering", "maximin:last"), 2, "maximin:last", "row")
    cli.expect_error(program.run(*base, "--ordering", "maximin:50", ranks=2), 2, "50")
    cli.expect_error(program.run(*base, "--ordering", "time:3"), 2, "axis from 0 to 2")
    cli.expect_error(program.run(*base, "--coordinates", "lonlat-time"), 2, "--scale KM,TIME")
    cli.expect_error(program.run(*base, "--rotation", "1,0,0,1"), 2, "3 x 3", "4 numbers")
    cli.expect_error(program.run(*base, "--scale-file", "missing"), 4, "missing")
    with open(program.file("bad"), "w", encoding="utf-8") as file:
        file.write("1 2 x")
    cli.expect_error(program.run(*base, "--scale-file", "bad", ranks=2), 3, "number 3")
    with open(program.file("short"), "w", encoding="utf-8") as file:
        file.write("1 2")
    cli.expect_error(program.run(*base, "--scale-file", "short"), 3, "3 scales", "found 2")
    cli.expect_error(program.run(*base, "--scale-file", "short", "--scale", "1,1,1"), 2, "--scale-file")


def test_wrong_orders_are_seen(program):
    """Two points change places, a length scale is off, another start."""
    cli.write_points(program.file("in.h5"), cli.uniform(200, 2))

    def spoil(ordering, change, *fragments):
        program.succeed("vecchia", "in.h5", "out.h5", "--ordering", ordering, "-m", 3, "--overwrite")
        with h5py.File(program.file("out.h5"), "a") as file:
            change(file)
        cli.expect_error(program.run("verify", "out.h5", ranks=2), 1, *fragments)

    def exchange(first, second):
        def change(file):
            for name in ("ordering/permutation", "points/coordinates"):
                rows = file[name][:]
                rows[[first, second]] = rows[[second, first]]
                file[name][...] = rows
            position = file["ordering/position"][:]
            permutation = file["ordering/permutation"][:]
            position[permutation[first]], position[permutation[second]] = first, second
            file["ordering/position"][...] = position

        return change

    def lengthen(file):
        file["ordering/length_scale"][17] *= 1 + 1e-15

    spoil("maximin", exchange(0, 9), "position")
    spoil("maximin", exchange(40, 90), "position")
    spoil("maximin", lengthen, "position 17", "length_scale")
    spoil("level", exchange(40, 90), "position")
    spoil("time-random", exchange(4, 5), "position 4")
    spoil("outsidein", exchange(4, 5), "position 4")


if __name__ == "__main__":
    cli.main([test for name, test in list(globals().items()) if name.startswith("test_")])
