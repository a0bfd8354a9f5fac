"""One job, one content: outputs compared by h5diff over ranks, threads and blocks, and it must not say a word."""

import subprocess

import h5py
import numpy
from cli import expect, main

ROWS = 400


def points_with_ties(path):
    """A lattice in degrees, every tenth place twice, around the date line; one column to carry."""
    generator = numpy.random.default_rng(5)
    places = numpy.stack([generator.integers(-15, 15, ROWS) * 6.0 + 175, generator.integers(-9, 9, ROWS) * 10.0], 1)
    places[ROWS // 10 * 9 :] = places[: ROWS - ROWS // 10 * 9]
    with h5py.File(path, "w") as file:
        file["points/coordinates"] = places
        file["data/height"] = numpy.arange(ROWS, dtype="f4")


def h5diff_is_silent(first, second):
    """Whether h5diff finds two files equal and comparable throughout."""
    words = ["h5diff", "--exclude-path", "/provenance", first, second]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    return result.returncode == 0 and not result.stdout.strip() and not result.stderr.strip()


def compare(program, words):
    """Runs a job in all ways and compares with one rank and one thread."""
    points_with_ties(program.file("in.h5"))
    program.succeed(*words, "a.h5", "--threads", 1, "--quiet")
    for ranks in (1, 2, 3, 4, 7):
        for threads, block in ((1, 0), (2, 23)):
            more = ["--block-rows", block] if block else []
            program.succeed(*words, "b.h5", "--threads", threads, "--quiet", "--overwrite", *more, ranks=ranks)
            equal = h5diff_is_silent(program.file("a.h5"), program.file("b.h5"))
            expect(equal, f"{words} differs at {ranks} ranks, {threads} threads, block rows {block}")


def test_vecchia(program):
    compare(program, ["vecchia", "in.h5", "-m", 7, "--coordinates", "lonlat"])


def test_vecchia_middleout_compressed(program):
    compare(program, ["vecchia", "in.h5", "-m", 7, "--ordering", "middleout", "--compress", 4])


def test_knn(program):
    compare(program, ["knn", "in.h5", "-k", 7])


def test_knn_queries(program):
    compare(program, ["knn", "in.h5", "in.h5", "-k", 7, "--coordinates", "lonlat"])


def test_manhattan(program):
    compare(program, ["knn", "in.h5", "in.h5", "-k", 7, "--metric", "manhattan"])


def test_chebyshev(program):
    compare(program, ["vecchia", "in.h5", "-m", 7, "--metric", "chebyshev"])


def test_h5diff_sees(program):
    """The comparison notices one changed entry."""
    points_with_ties(program.file("in.h5"))
    program.succeed("knn", "in.h5", "a.h5", "-k", 3, "--quiet")
    program.succeed("knn", "in.h5", "b.h5", "-k", 3, "--quiet")
    with h5py.File(program.file("b.h5"), "r+") as file:
        file["neighbors/index"][17, 2] += 1
    expect(not h5diff_is_silent(program.file("a.h5"), program.file("b.h5")), "h5diff missed a change")


if __name__ == "__main__":
    main([value for name, value in sorted(globals().items()) if name.startswith("test_")])
