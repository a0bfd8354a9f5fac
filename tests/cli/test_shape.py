"""Shapes of conditioning sets by their definitions: predictions, groups, radii, mixes, clusters; and mistakes."""

import cli
import h5py
import numpy
from cli import expect

M = 6


def write(path, points, **columns):
    with h5py.File(path, "w") as file:
        file["points/coordinates"] = points
        for name, values in columns.items():
            file[f"data/{name}"] = values


def lattice(count, seed):
    """Ties and duplicates; whole numbers, whose distances NumPy computes to the bit."""
    return numpy.random.default_rng(seed).integers(0, 15, size=(count, 2)).astype("f8")


def read(path):
    """Points by position and rows as lists."""
    with h5py.File(path) as file:
        index, count = file["neighbors/index"][:], file["neighbors/count"][:]
        distance = file["neighbors/distance"][:]
        rows = [list(index[i, : count[i]]) for i in range(len(index))]
        for i, number in enumerate(count):
            expect((index[i, number:] == -1).all() and numpy.isinf(distance[i, number:]).all(), f"padding of row {i}")
        return file["points/coordinates"][:], rows, file["ordering/permutation"][:], dict(file.attrs)


def nearest(points, i, among, m):
    """The m nearest of some positions, ties by position."""
    among = numpy.asarray(among, int)
    square = ((points[among] - points[i]) ** 2).sum(axis=1)
    return list(among[numpy.lexsort((among, square))][:m])


def by_distance(points, i, row):
    return sorted(row, key=lambda j: (((points[j] - points[i]) ** 2).sum(), j))


def check(program, definition, *words, orderings=("maximin", "random"), files=("in.h5",)):
    """Compares every row with definition(points, position, attributes), on several ranks."""
    for ordering in orderings:
        for ranks in cli.rank_counts(1, 3):
            options = ["-m", M, "--ordering", ordering, "--overwrite", *words]
            program.succeed("vecchia", files[0], "out.h5", *options, ranks=ranks)
            points, rows, permutation, attributes = read(program.file("out.h5"))
            for i, row in enumerate(rows):
                expected = definition(points, i, attributes, permutation)
                expect(row == expected, f"{words}, {ordering}, {ranks} ranks, row {i}: {row}, expected {expected}")
        result = program.succeed("verify", "out.h5")
        expect("no difference" in result.out, f"{result}")


def test_predictions(program):
    write(program.file("in.h5"), lattice(120, 1), y=numpy.arange(120.0), who=numpy.arange(120))
    write(program.file("new.h5"), lattice(70, 2), other=numpy.zeros(70))

    def everything(points, i, attributes, _):
        return nearest(points, i, range(i), M)

    def observed(points, i, attributes, _):
        return nearest(points, i, range(min(i, attributes["observed"])), M)

    def at_least(points, i, attributes, _):
        n = attributes["observed"]
        row = nearest(points, i, range(i), M)
        if i < n or sum(j < n for j in row) >= 4:
            return row
        return by_distance(points, i, nearest(points, i, range(n), 4) + nearest(points, i, range(n, i), M - 4))

    predict = ["--predict", "new.h5"]
    check(program, everything, *predict)
    check(program, observed, *predict, "--condition", "observed")
    check(program, at_least, *predict, "--condition", "at-least:4")
    with h5py.File(program.file("out.h5")) as file:
        permutation = file["ordering/permutation"][:]
        expect(sorted(permutation[:120]) == list(range(120)), "an observed point comes after a predicted one")
        values = file["data/y"][:]
        expect((values[:120] == permutation[:120]).all() and numpy.isnan(values[120:]).all(), "column y")
        expect("who" not in file["data"] and "other" not in file["data"], "columns that only one file has")
    program.succeed("verify", "out.h5", "--against", "in.h5", "--predict", "new.h5", ranks=2)
    cli.expect_error(program.run("verify", "out.h5", "--against", "in.h5"), 1, "190", "120")
    result = program.succeed("score", "out.h5", "--range", 2, "--nugget", 0.1, "--response", "y")
    expect("120 of 120 rows" in result.out, f"predictions are not to be scored: {result}")


def test_groups(program):
    group = numpy.arange(150) % 3 * 5
    write(program.file("in.h5"), lattice(150, 3), level=group)

    def any_predecessor(points, i, attributes, permutation):
        expect((numpy.diff(group[permutation]) >= 0).all(), "groups are mixed")
        return nearest(points, i, range(i), M)

    check(program, any_predecessor, "--group", "level", orderings=("maximin", "level", "random", "middleout"))


def test_radius(program):
    write(program.file("in.h5"), lattice(150, 4))

    def within(points, i, attributes, _):
        row = nearest(points, i, range(i), M)
        distance = [numpy.sqrt(((points[j] - points[i]) ** 2).sum()) for j in row]
        return [j for e, j in enumerate(row) if e < 2 or distance[e] <= 1.5 * distance[0]]

    check(program, within, "--radius-factor", 1.5, "--least", 2)


def test_mixes(program):
    write(program.file("in.h5"), lattice(150, 5))

    def first(points, i, attributes, _):
        if i <= M:
            return nearest(points, i, range(i), M)
        row = nearest(points, i, range(i), M - 2)
        return row + by_distance(points, i, [j for j in range(i) if j not in row][:2])

    check(program, first, "--mix", "first:2")
    chosen = []
    for seed in (0, 1):
        words = ["-m", M, "--mix", "random:2", "--seed", seed, "--ordering", "none", "--overwrite"]
        program.succeed("vecchia", "in.h5", "out.h5", *words, ranks=2)
        points, rows, _, _ = read(program.file("out.h5"))
        for i, row in enumerate(rows):
            near = M if i <= M else M - 2
            expect(row[:near] == nearest(points, i, range(i), near), f"row {i}: {row}")
            expect(len(set(row)) == len(row) == min(i, M) and all(j < i for j in row), f"row {i}: {row}")
            expect(row[near:] == by_distance(points, i, row[near:]), f"row {i}: {row}")
        chosen.append([row[M - 2 :] for row in rows])
        program.succeed("verify", "out.h5")
        spread = numpy.array([j / i for i, row in enumerate(rows) if i > M for j in row[M - 2 :]])
        expect(0.35 < spread.mean() < 0.65, f"positions are not even: {spread.mean()}")
    expect(chosen[0] != chosen[1], "the seed does not matter")


def test_clusters(program):
    cluster = numpy.array([-3, 10**12, 5, 5])[numpy.random.default_rng(6).integers(0, 4, 150)]
    write(program.file("in.h5"), lattice(150, 6), who=cluster)

    def inside(points, i, attributes, permutation):
        here = cluster[permutation]
        return nearest(points, i, [j for j in range(i) if here[j] == here[i]], M)

    check(program, inside, "--clusters", "who")
    generator = numpy.random.default_rng(7)
    globe = numpy.column_stack([generator.uniform(-180, 180, 100), generator.uniform(-90, 90, 100)])
    write(program.file("globe.h5"), globe, who=numpy.arange(100) % 3)
    program.succeed("vecchia", "globe.h5", "out.h5", "--coordinates", "lonlat", "--clusters", "who", "--overwrite")
    program.succeed("verify", "out.h5", ranks=2)


def test_one_large_run_serves_smaller_ones(program):
    """Rows are sorted by distance: the first m entries of a larger run are the rows of a run with m."""
    write(program.file("in.h5"), lattice(200, 8))
    program.succeed("vecchia", "in.h5", "large.h5", "-m", 20, "--ordering", "maximin")
    program.succeed("vecchia", "in.h5", "small.h5", "-m", 7, "--ordering", "maximin")
    with h5py.File(program.file("large.h5")) as large, h5py.File(program.file("small.h5")) as small:
        for name in ("index", "distance"):
            same = (large[f"neighbors/{name}"][:, :7] == small[f"neighbors/{name}"][:]).all()
            expect(same, f"/neighbors/{name} of m = 7 are not the first columns of m = 20")


def test_wrong_rows_are_seen(program):
    write(program.file("in.h5"), lattice(100, 9), who=numpy.arange(100) % 2)
    write(program.file("new.h5"), lattice(50, 10))
    for words in (["--clusters", "who"], ["--mix", "random:2"], ["--predict", "new.h5", "--condition", "observed"]):
        program.succeed("vecchia", "in.h5", "out.h5", "-m", M, "--overwrite", *words)
        with h5py.File(program.file("out.h5"), "a") as file:
            index = file["neighbors/index"][:]
            index[90, 1] = next(j for j in range(90) if j not in index[90])
            file["neighbors/index"][...] = index
        cli.expect_error(program.run("verify", "out.h5", ranks=2), 1, "position 90", "neighbor 1")
    program.succeed("vecchia", "in.h5", "out.h5", "-m", M, "--radius-factor", 2, "--overwrite")
    with h5py.File(program.file("out.h5"), "a") as file:
        count = file["neighbors/count"][:]
        count[50] += 1
        file["neighbors/count"][...] = count
    cli.expect_error(program.run("verify", "out.h5"), 1, "position 50", "count")


def test_resumed(program):
    """A checkpoint belongs to its shape."""
    write(program.file("in.h5"), lattice(300, 11))
    write(program.file("new.h5"), lattice(100, 12))
    words = ["in.h5", "out.h5", "-m", M, "--predict", "new.h5", "--condition", "observed", "--ordering", "maximin"]
    program.succeed("vecchia", *words, "--checkpoint-blocks", 3, ranks=2)
    program.succeed("verify", "out.h5")


def test_few_points(program):
    for observed, predicted in ((0, 0), (0, 3), (1, 0), (1, 1), (2, 5)):
        write(program.file("in.h5"), lattice(observed, 1), who=numpy.zeros(observed, int))
        write(program.file("new.h5"), lattice(predicted, 2))
        for ordering in ("maximin", "random"):
            for condition in ("observed", "all", "at-least:2"):
                words = ["--predict", "new.h5", "--condition", condition, "--ordering", ordering, "--overwrite"]
                program.succeed("vecchia", "in.h5", "out.h5", *words, ranks=cli.rank_counts(1, 3)[-1])
                program.succeed("verify", "out.h5")
        program.succeed("vecchia", "in.h5", "out.h5", "--clusters", "who", "--overwrite", ranks=2)


def test_mistakes(program):
    write(program.file("in.h5"), lattice(50, 1), x=numpy.full(50, 0.5), who=numpy.arange(50) - 1)
    write(program.file("flat.h5"), numpy.zeros((5, 1)))
    base = ["vecchia", "in.h5", "out.h5"]
    cli.expect_error(program.run(*base, "--condition", "observed"), 2, "--predict")
    cli.expect_error(program.run(*base, "--predict", "none.h5"), 4, "none.h5")
    cli.expect_error(program.run(*base, "--predict", "flat.h5", ranks=2), 3, "flat.h5", "2 coordinates", "found 1")
    cli.expect_error(program.run(*base, "--predict", "in.h5", "--condition", "most"), 2, "most")
    cli.expect_error(program.run(*base, "--predict", "in.h5", "--mix", "first:2"), 2, "--mix")
    same = program.run("vecchia", "in.h5", "flat.h5", "--predict", "flat.h5", "--overwrite", ranks=2)
    cli.expect_error(same, 2, "flat.h5", "--predict")
    cli.expect_error(program.run(*base, "--mix", "far:2"), 2, "far:2")
    cli.expect_error(program.run(*base, "-m", 4, "--mix", "first:4"), 2, "--mix")
    cli.expect_error(program.run(*base, "--least", 4), 2, "--radius-factor")
    cli.expect_error(program.run(*base, "--group", "nothing", ranks=2), 3, "/data/nothing")
    cli.expect_error(program.run(*base, "--group", "x"), 3, "whole numbers")
    cli.expect_error(program.run(*base, "--group", "who"), 3, "row 0", "groups from 0")
    cli.expect_error(program.run(*base, "--clusters", "x"), 3, "whole numbers")


if __name__ == "__main__":
    cli.main([test for name, test in list(globals().items()) if name.startswith("test_")])
