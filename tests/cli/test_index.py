"""Stored indexes: the same answers on any number of ranks, points appended, damage found, plausible mistakes."""

import json
import os
import shutil

import cli
import h5py
import numpy
from cli import expect


def lattice(count, seed=3, dimension=2, size=9):
    """Many ties, some duplicates."""
    return numpy.random.default_rng(seed).integers(0, size, size=(count, dimension)).astype("f8")


def expect_same(program, first, second, what):
    different = cli.datasets_equal(program.file(first), program.file(second))
    expect(not different, f"{what}: {different} differ")


SEARCHES = (("vecchia", "-m", 7), ("knn", "-k", 6), ("range", "--radius", 0.5), ("range", "--radius", 0.5, "--count-only"))


def same_answers(program, *options, ordering="random", ranks=((1, 2), (3, 1), (4, 7)), searches=SEARCHES):
    """Searches of in.h5 and of an index of it; pairs of building and asking ranks."""
    for number, (command, *words) in enumerate(searches):
        ordered = ["--ordering", ordering] if command == "vecchia" else []
        program.succeed(command, "in.h5", f"plain{number}.h5", *words, *ordered, *options, "--quiet")
    for building, asking in cli.rank_counts(*ranks):
        program.succeed("build", "in.h5", "index.h5", "--ordering", ordering, *options, "--overwrite", "--quiet",
                        ranks=building)
        for number, (command, *words) in enumerate(searches):
            program.succeed(command, "index.h5", "out.h5", *words, "--overwrite", "--quiet", ranks=asking)
            expect_same(program, f"plain{number}.h5", "out.h5", f"{command} of {options} on {building}, {asking} ranks")
        program.succeed("verify", "index.h5", "--quiet", ranks=asking)


def test_answers(program):
    cli.write_points(program.file("in.h5"), cli.uniform(3000, 2))
    same_answers(program, ordering="hilbert")
    cli.write_points(program.file("in.h5"), lattice(2500))
    for name in ("plain0.h5", "plain1.h5", "plain2.h5", "plain3.h5"):
        program_remove(program, name)
    same_answers(program, "--metric", "manhattan", "--scale", "1,0.5", ordering="coordinate:1", ranks=((3, 2),))


def program_remove(program, name):
    os.remove(program.file(name))


def test_lonlat(program):
    random = numpy.random.default_rng(4)
    points = numpy.column_stack([random.uniform(-180, 360, 1500), random.uniform(-90, 90, 1500)])
    cli.write_points(program.file("in.h5"), points)
    same_answers(program, "--coordinates", "lonlat", searches=SEARCHES[:2], ordering="middleout", ranks=((2, 3),))


def test_many_dimensions(program):
    """Trees of one large bucket: pieces are runs of it."""
    cli.write_points(program.file("in.h5"), cli.uniform(1500, 8))
    same_answers(program, searches=SEARCHES[:2], ranks=((1, 3), (2, 1)))


def test_few_points(program):
    for points in (lattice(1), lattice(2), lattice(900, size=2), numpy.zeros((700, 3))):
        cli.write_points(program.file("in.h5"), points)
        for number in range(2):
            if os.path.exists(program.file(f"plain{number}.h5")):
                program_remove(program, f"plain{number}.h5")
        same_answers(program, searches=SEARCHES[:2], ranks=((1, 3), (3, 2)))
    cli.write_points(program.file("none.h5"), numpy.zeros((0, 2)))
    program.succeed("build", "none.h5", "empty.h5")
    program.succeed("vecchia", "empty.h5", "out.h5", "--overwrite", ranks=2)
    program.succeed("verify", "empty.h5")
    cli.write_points(program.file("one.h5"), [[1.0, 2.0]])
    program.succeed("append", "empty.h5", "one.h5", "larger.h5", ranks=2)
    program.succeed("verify", "larger.h5")


def carry(path, points, first):
    """Points with columns that travel along."""
    cli.write_points(path, points)
    with h5py.File(path, "a") as file:
        file["data/number"] = numpy.arange(first, first + len(points))
        file["data/name"] = numpy.array([f"p{i}" for i in range(first, first + len(points))], dtype="S8")


def brute(points, m, position):
    """Nearest predecessors by definition, ties by position."""
    count = min(m, position)
    square = ((points[:position] - points[position]) ** 2).sum(axis=1)
    return list(numpy.lexsort((numpy.arange(position), square))[:count])


def test_append(program):
    parts = [lattice(1200), lattice(500, seed=8) + 3, lattice(300, seed=9, size=30)]
    first = 0
    for number, points in enumerate(parts):
        carry(program.file(f"part{number}.h5"), points, first)
        first += len(points)
    for ordering in ("random", "middleout"):
        program.succeed("build", "part0.h5", "a.h5", "--ordering", ordering, "--overwrite", ranks=3)
        program.succeed("vecchia", "part0.h5", "sets.h5", "-m", 5, "--ordering", ordering, "--overwrite")
        counts = cli.rank_counts(1, 2, 4)
        least = counts[0]
        for ranks in counts:
            program.succeed("append", "a.h5", "part1.h5", f"b{ranks}.h5", "--overwrite", ranks=ranks)
            program.succeed("append", f"b{ranks}.h5", "part2.h5", f"c{ranks}.h5", "--overwrite", ranks=ranks)
            program.succeed("verify", f"c{ranks}.h5", ranks=2)
            program.succeed("vecchia", f"c{ranks}.h5", f"sets{ranks}.h5", "-m", 5, "--overwrite", ranks=ranks)
            expect_same(program, f"sets{least}.h5", f"sets{ranks}.h5", f"{ordering} on {ranks} ranks")
            different = set(cli.datasets_equal(program.file(f"c{least}.h5"), program.file(f"c{ranks}.h5"),
                                               skip=("provenance", "tree", "bound")))
            expect(not different, f"{different} of the index depend on the ranks")
        program.succeed("verify", f"sets{least}.h5")
        with h5py.File(program.file("sets.h5")) as old, h5py.File(program.file(f"sets{least}.h5")) as new:
            for name in ("neighbors/index", "neighbors/distance", "neighbors/count", "ordering/permutation"):
                expect((old[name][:] == new[name][:1200]).all(), f"{name} of the old points changed")
            position = new["ordering/position"][:]
            expect(list(new.attrs["batches"]) == [0, 1200, 1700], f"batches {new.attrs['batches']}")
            points = new["points/coordinates"][:]
            expect((points[position] == numpy.concatenate(parts)).all(), "points follow the ordering")
            expect((new["data/number"][:][position] == numpy.arange(2000)).all(), "columns follow the ordering")
            for i in (0, 4, 1199, 1200, 1500, 1701, 1999):
                found = list(new["neighbors/index"][i][: new["neighbors/count"][i]])
                expect(found == brute(points, 5, i), f"position {i} after appending")
            keys = numpy.unique(points, axis=0)
            expect(new.attrs["duplicates"] == 2000 - len(keys), f"duplicates {new.attrs['duplicates']}")


def test_balance(program):
    """Any number of ranks gets a share, whatever the number that built the index, and work stays counted."""
    cli.write_points(program.file("in.h5"), cli.uniform(20000, 2))
    program.succeed("build", "in.h5", "index.h5")
    shares = []
    for points in ("in.h5", "index.h5"):
        program.succeed("vecchia", points, "out.h5", "-m", 10, "--report", "report.json", "--overwrite", ranks=4)
        with open(program.file("report.json"), encoding="utf-8") as file:
            report = json.load(file)
        counted = report["counters"]["points"]
        expect(counted["max"] <= 1.3 * 20000 / 4, f"points of {points}: {counted}")
        shares.append(report["routing"]["forwarded_share"])
    expect(shares[1] < 4 * shares[0], f"forwarded without and with an index: {shares}")


def damage(program, path, change):
    """A copy of an index with one change."""
    shutil.copy(program.file("index.h5"), program.file("damaged.h5"))
    with h5py.File(program.file("damaged.h5"), "a") as file:
        values = file[path][:]
        change(values)
        file[path][:] = values
    return program.run("verify", "damaged.h5", "--quiet", ranks=2)


def test_damage(program):
    """verify finds what is wrong; a flipped bit is a wrong checksum."""
    cli.write_points(program.file("in.h5"), cli.uniform(3000, 2))
    program.succeed("build", "in.h5", "index.h5", "--leaf-size", 1)

    def swap(values):
        values[[10, 20]] = values[[20, 10]]

    def twice(values):
        values[10] = values[20]

    def lift(values):
        values[numpy.argmax(values)] += 3
        values[5] = values.max()

    def lower(values):
        values[values > -400] -= 2

    cli.expect_error(damage(program, "tree/position", swap), 1, "/tree/coordinates")
    cli.expect_error(damage(program, "tree/position", twice), 1, "position")
    cli.expect_error(damage(program, "tree/coordinates", swap), 1)
    cli.expect_error(damage(program, "tree/level", lower), 1, "position")
    result = damage(program, "tree/level", lift)
    expect(result.code in (1, 3), f"levels: {result}")
    cli.expect_error(damage(program, "tree/first", swap), 3, "/tree/first")
    cli.expect_error(damage(program, "ordering/permutation", twice), 1)
    cli.expect_error(damage(program, "points/coordinates", twice), 1)
    with h5py.File(program.file("index.h5")) as file:
        place = file["tree/coordinates"].id.get_chunk_info(0).byte_offset
    shutil.copy(program.file("index.h5"), program.file("flipped.h5"))
    with open(program.file("flipped.h5"), "r+b") as file:
        file.seek(place + 100)
        byte = file.read(1)[0]
        file.seek(place + 100)
        file.write(bytes([byte ^ 4]))
    for command in (["verify", "flipped.h5"], ["vecchia", "flipped.h5", "out.h5"]):
        cli.expect_error(program.run(*command, "--quiet", ranks=2), 3, "damaged")
    expect(not os.path.exists(program.file("out.h5")), "output of a damaged index")


def test_mistakes(program):
    cli.write_points(program.file("in.h5"), cli.uniform(300, 2))
    cli.write_points(program.file("solid.h5"), cli.uniform(30, 3))
    carry(program.file("carried.h5"), cli.uniform(30, 2), 0)
    program.succeed("build", "in.h5", "index.h5", "--scale", "1,2", "--seed", 5)
    program.succeed("vecchia", "index.h5", "out.h5", "--scale", "1,2", "--seed", 5, "--ordering", "random")
    for words, fragment in (
        (("vecchia", "--ordering", "hilbert"), "--ordering"),
        (("vecchia", "--seed", 4), "seed 5"),
        (("vecchia", "--scale", "1,3"), "1,2"),
        (("vecchia", "--coordinates", "lonlat"), "cartesian"),
        (("knn", "--metric", "manhattan"), "euclidean"),
        (("knn", "--dataset", "/tree/coordinates"), "--dataset"),
        (("build",), "append"),
    ):
        command, *options = words
        cli.expect_error(program.run(command, "index.h5", "no.h5", *options, "--quiet"), 2, "index.h5", fragment)
    cli.expect_error(program.run("append", "in.h5", "in.h5", "no.h5"), 3, "in.h5", "index")
    cli.expect_error(program.run("append", "index.h5", "solid.h5", "no.h5", ranks=2), 3, "solid.h5", "found 3")
    cli.expect_error(program.run("append", "index.h5", "carried.h5", "no.h5"), 3, "carried.h5", "/data/")
    cli.expect_error(program.run("append", "index.h5", "in.h5", "index.h5", "--overwrite"), 2, "input")
    expect(not os.path.exists(program.file("no.h5")), "output of a mistake")
    program.succeed("build", "in.h5", "dry.h5", "--dry-run")
    program.succeed("append", "index.h5", "in.h5", "dry.h5", "--dry-run")
    expect(not os.path.exists(program.file("dry.h5")), "output of a dry run")


if __name__ == "__main__":
    cli.main([test_answers, test_lonlat, test_many_dimensions, test_few_points, test_append, test_balance, test_damage,
              test_mistakes])
