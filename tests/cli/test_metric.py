"""Metrics on the command line: answers by definition, what files say of them, `verify`, and plausible mistakes."""

import json
import shutil

import cli
import h5py
import numpy
from cli import expect

METRICS = ("euclidean", "manhattan", "chebyshev")
DEFINITIONS = {
    "euclidean": lambda difference: numpy.sqrt((difference**2).sum(axis=-1)),
    "manhattan": lambda difference: numpy.abs(difference).sum(axis=-1),
    "chebyshev": lambda difference: numpy.abs(difference).max(axis=-1),
}


def lattice(program, count=200, dimension=3, name="in.h5"):
    """Many ties, some duplicates; whole numbers, of which NumPy's sums and roots are exact enough to order."""
    points = numpy.random.default_rng(3).integers(0, 7, size=(count, dimension)).astype("f8")
    cli.write_points(program.file(name), points)
    return points


def nearest(points, asking, metric, width, admissible):
    """Rows by definition: the admissible indices, nearest first, ties by index."""
    rows = numpy.full((len(asking), width), -1)
    for i, point in enumerate(asking):
        candidates = numpy.array(admissible(i), dtype=int)
        value = DEFINITIONS[metric](points[candidates] - point) if len(candidates) else numpy.zeros(0)
        near = candidates[numpy.lexsort((candidates, value))][:width]
        rows[i, : len(near)] = near
    return rows


def test_answers(program):
    points = lattice(program)
    everything = range(len(points))
    for metric in METRICS:
        for ranks in (1, 3):
            words = ["--metric", metric, "--overwrite"]
            program.succeed("knn", "in.h5", "knn.h5", "-k", 6, *words, ranks=ranks)
            program.succeed("vecchia", "in.h5", "sets.h5", "-m", 6, "--ordering", "none", *words, ranks=ranks)
            with h5py.File(program.file("knn.h5")) as file:
                expected = nearest(points, points, metric, 6, lambda i: [j for j in everything if j != i])
                index, distance = file["neighbors/index"][:], file["neighbors/distance"][:]
                expect((index == expected).all(), f"neighbours by {metric} on {ranks} ranks")
                expect(
                    (distance == DEFINITIONS[metric](points[index] - points[:, None, :])).all(),
                    f"distances by {metric}",
                )
                expect(file.attrs["metric"].decode() == metric, f"attribute metric: {file.attrs['metric']}")
            with h5py.File(program.file("sets.h5")) as file:
                expected = nearest(points, points, metric, 6, range)
                expect((file["neighbors/index"][:] == expected).all(), f"sets by {metric} on {ranks} ranks")


def test_scale(program):
    """Length scales come before the metric."""
    points = lattice(program, dimension=2)
    program.succeed("knn", "in.h5", "out.h5", "-k", 4, "--metric", "manhattan", "--scale", "4,0.5")
    scaled = points / [4, 0.5]
    expected = nearest(scaled, scaled, "manhattan", 4, lambda i: [j for j in range(len(points)) if j != i])
    with h5py.File(program.file("out.h5")) as file:
        expect((file["neighbors/index"][:] == expected).all(), "scaled neighbours")


def test_verify(program):
    """Right files pass; a file that claims another metric, or none of pcct's, does not."""
    lattice(program)
    for metric in METRICS:
        program.succeed("knn", "in.h5", "knn.h5", "-k", 5, "--metric", metric, "--overwrite")
        program.succeed("knn", "in.h5", "in.h5", "queries.h5", "-k", 5, "--metric", metric, "--overwrite")
        program.succeed("vecchia", "in.h5", "sets.h5", "-m", 5, "--metric", metric, "--overwrite")
        for name in ("knn.h5", "queries.h5", "sets.h5"):
            for ranks in (1, 3):
                program.succeed("verify", name, "--against", "in.h5", ranks=ranks)
            for claimed in METRICS:
                if claimed != metric:
                    shutil.copy(program.file(name), program.file("claims.h5"))
                    with h5py.File(program.file("claims.h5"), "a") as file:
                        file.attrs["metric"] = numpy.bytes_(claimed)
                    result = program.run("verify", "claims.h5", "--against", "in.h5", "--quiet")
                    cli.expect_error(result, 1)
    for words in ("great-circle", "minkowski"):
        with h5py.File(program.file("knn.h5"), "a") as file:
            file.attrs["metric"] = numpy.bytes_(words)
        cli.expect_error(program.run("verify", "knn.h5"), 3, words, "manhattan")


def test_verify_finds_a_nearer_one(program):
    """A row that is consistent in itself but misses a nearer point."""
    cli.write_points(program.file("in.h5"), cli.uniform(300, 2))
    program.succeed("knn", "in.h5", "out.h5", "-k", 4, "--metric", "chebyshev")
    program.succeed("knn", "in.h5", "more.h5", "-k", 5, "--metric", "chebyshev")
    with h5py.File(program.file("out.h5"), "a") as file, h5py.File(program.file("more.h5")) as more:
        for name in ("index", "distance"):
            row = more[f"neighbors/{name}"][17]
            file[f"neighbors/{name}"][17] = numpy.delete(row, 2)
    cli.expect_error(program.run("verify", "out.h5", "--quiet"), 1, "row 17", "nearest")


def test_default_and_report(program):
    """No --metric is euclidean, to the byte; the report names the metric."""
    lattice(program)
    program.succeed("vecchia", "in.h5", "a.h5", "-m", 5)
    program.succeed("vecchia", "in.h5", "b.h5", "-m", 5, "--metric", "euclidean", "--report", "r.json")
    expect(not cli.datasets_equal(program.file("a.h5"), program.file("b.h5")), "the default is not euclidean")
    with open(program.file("r.json"), encoding="utf-8") as file:
        expect(json.load(file)["parameters"]["metric"] == "euclidean", "the report")


def test_mistakes(program):
    """A misspelt metric, one that pcct has not, none, and one that the coordinates have not."""
    lattice(program, dimension=2)
    for words, fragments in (
        (["--metric", "manhatten"], ("manhatten", "did you mean 'manhattan'")),
        (["--metric", "euclidian"], ("did you mean 'euclidean'",)),
        (["--metric", "cosine"], ("cosine", "euclidean|manhattan|chebyshev")),
        (["--metric", "Manhattan"], ("Manhattan", "manhattan")),
        (["--metrics", "manhattan"], ("--metrics", "--metric")),
        (["--metric"], ("--metric expects a value",)),
        (["--metric", "manhattan", "--coordinates", "lonlat"], ("--metric manhattan", "lonlat")),
        (["--coordinates", "lonlat", "--metric=chebyshev"], ("--metric chebyshev", "lonlat")),
    ):
        for command in ("vecchia", "knn"):
            result = program.run(command, "in.h5", "out.h5", *words)
            cli.expect_error(result, 2, *fragments)
    program.succeed("knn", "in.h5", "out.h5", "--coordinates", "lonlat", "--metric", "euclidean")


if __name__ == "__main__":
    cli.main([value for name, value in sorted(globals().items()) if name.startswith("test_")])
