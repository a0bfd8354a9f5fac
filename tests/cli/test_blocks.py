"""`pcct blocks`: blocks of nearby points and their shared conditioning sets, by their definition."""

import cli
import h5py
import numpy
from cli import expect


def check(program, points, size, m):
    """Checks out.h5 against what blocks are."""
    with h5py.File(program.file("out.h5")) as file:
        first = file["blocks/first"][:]
        index, count, distance = (file[f"neighbors/{name}"][:] for name in ("index", "count", "distance"))
        permutation, position = file["ordering/permutation"][:], file["ordering/position"][:]
        ordered = file["points/coordinates"][:]
        data = file["data/row"][:]
    n = len(points)
    sizes = numpy.diff(first)
    expect(first[0] == 0 and first[-1] == n and len(first) == -(-n // size) + 1, f"blocks begin at {first}")
    expect((sizes == size).sum() >= len(sizes) - 1 and (sizes > 0).all(), f"sizes {sizes}")
    expect((permutation[position] == numpy.arange(n)).all(), "position is not the inverse of permutation")
    expect((ordered == points[permutation]).all() and (data == permutation).all(), "points or columns")
    for b, start in enumerate(first[:-1]):
        block = ordered[start : first[b + 1]]
        square = ((block - block.mean(axis=0)) ** 2).sum(axis=1)
        expect(square[0] <= square.min() * (1 + 1e-12) + 1e-300, f"block {b} does not begin with its centre")
        rows = permutation[start + 1 : first[b + 1]]
        expect((numpy.diff(rows) > 0).all(), f"block {b}: rows {rows}")
        before = ((ordered[:start] - ordered[start]) ** 2).sum(axis=1)
        nearest = numpy.lexsort((numpy.arange(start), before))[:m]
        expect(list(index[b, : count[b]]) == list(nearest), f"block {b}: {index[b]}, expected {nearest}")
        expect((distance[b, : count[b]] == numpy.sqrt(before[nearest])).all(), f"block {b}: distances")
        expect((index[b, count[b] :] == -1).all(), f"block {b}: padding")
    return first, ordered


def write(program, points):
    with h5py.File(program.file("in.h5"), "w") as file:
        file["points/coordinates"] = points
        file["data/row"] = numpy.arange(len(points))


def test_definition(program):
    lattice = numpy.random.default_rng(2).integers(0, 9, size=(300, 2)).astype("f8")
    for points, size in ((lattice, 20), (lattice, 7), (lattice, 1), (lattice, 1000), (lattice[:1], 5), (lattice[:0], 5)):
        write(program, points)
        for ordering in ("maximin", "random"):
            previous = None
            for ranks in cli.rank_counts(1, 2, 7):
                words = ["--size", size, "-m", 12, "--ordering", ordering, "--overwrite"]
                program.succeed("blocks", "in.h5", "out.h5", *words, ranks=ranks)
                check(program, points, size, 12)
                with h5py.File(program.file("out.h5")) as file:
                    content = [file[name][:].tobytes() for name in ("neighbors/index", "ordering/permutation")]
                expect(previous in (None, content), f"{ordering}, size {size}: {ranks} ranks give another file")
                previous = content


def test_blocks_are_near(program):
    """A block of a uniform square is not much wider than one cut evenly."""
    points = cli.uniform(5000, 2)
    write(program, points)
    program.succeed("blocks", "in.h5", "out.h5", "--size", 50, "-m", 30)
    first, ordered = check(program, points, 50, 30)
    widths = [numpy.ptp(ordered[a:b], axis=0).max() for a, b in zip(first[:-1], first[1:])]
    expect(numpy.mean(widths) < 2.5 * 0.1, f"mean width {numpy.mean(widths)}")


def test_coordinates(program):
    generator = numpy.random.default_rng(3)
    globe = numpy.column_stack([generator.uniform(-180, 180, 200), generator.uniform(-90, 90, 200)])
    write(program, globe)
    program.succeed("blocks", "in.h5", "out.h5", "--coordinates", "lonlat", "--size", 9, ranks=3)
    with h5py.File(program.file("out.h5")) as file:
        expect(file["neighbors/distance"].attrs["units"] in (b"km", "km"), "units")
        expect(len(file["blocks/first"]) == 24, "number of blocks")


def test_mistakes(program):
    write(program, cli.uniform(50, 2))
    cli.expect_error(program.run("blocks", "in.h5", "out.h5", "--size", 0), 2, "size")
    cli.expect_error(program.run("blocks", "in.h5", "out.h5", "--ordering", "file:/x"), 2, "file:")
    cli.expect_error(program.run("blocks", "none.h5", "out.h5", ranks=2), 4, "none.h5")
    program.succeed("blocks", "in.h5", "out.h5")
    cli.expect_error(program.run("blocks", "in.h5", "out.h5"), 2, "--overwrite")
    program.succeed("info", "out.h5")


if __name__ == "__main__":
    cli.main([test for name, test in list(globals().items()) if name.startswith("test_")])
