"""`pcct extend`: sparsity patterns, reverse lists and groups, by their definitions."""

import os
import re

import cli
import h5py
import numpy
from cli import expect


def make(program, count, m=8, ordering="maximin", dimension=2):
    """Conditioning sets of points with a response; returns points, sets and response by position."""
    with h5py.File(program.file("in.h5"), "w") as file:
        file["points/coordinates"] = cli.uniform(count, dimension, seed=4)
        file["data/y"] = numpy.random.default_rng(2).normal(size=count)
    program.succeed("vecchia", "in.h5", "sets.h5", "-m", m, "--ordering", ordering, "--overwrite")
    with h5py.File(program.file("sets.h5")) as file:
        index, filled = file["neighbors/index"][:], file["neighbors/count"][:]
        return file["points/coordinates"][:], [list(r[:c]) for r, c in zip(index, filled)], file["data/y"][:]


def value(result, name):
    return float(re.search(rf"^{re.escape(name)}: (\S+)$", result.out, re.MULTILINE).group(1))


def test_pattern_and_children(program):
    for count in (0, 1, 2, 300):
        points, sets, response = make(program, count)
        for ranks in cli.rank_counts(1, 2, 7):
            words = ["--pattern", "--children", "--values", "--range", "0.2,0.3", "--variance", 2, "--nugget", 0.1]
            program.succeed("extend", "sets.h5", "out.h5", *words, "--overwrite", ranks=ranks)
            with h5py.File(program.file("out.h5")) as file:
                indptr, indices, values = (file[f"pattern/{n}"][:] for n in ("indptr", "indices", "values"))
                starts, children = file["children/indptr"][:], file["children/indices"][:]
            expect(indptr.dtype == numpy.int64 and len(indptr) == count + 1, f"indptr {indptr}")
            columns = [list(indices[a:b]) for a, b in zip(indptr[:-1], indptr[1:])]
            expect(columns == [sorted(row) + [i] for i, row in enumerate(sets)], f"columns: {columns}")
            reverse = [[i for i, row in enumerate(sets) if j in row] for j in range(count)]
            found = [list(children[a:b]) for a, b in zip(starts[:-1], starts[1:])]
            expect(found == reverse and starts[0] == 0, f"children: {found}")
            check_factor(program, points, sets, response, columns, values, indptr)
        program.succeed("verify", "out.h5")  # what was there is still there
        with h5py.File(program.file("sets.h5")) as old, h5py.File(program.file("out.h5")) as new:
            old.visit(lambda name: expect(name in new, f"{name} is gone"))


def check_factor(program, points, sets, response, columns, values, indptr):
    """U's columns by the definition; and the log-likelihood by U is that of score."""
    count = len(points)
    scaled = points / [0.2, 0.3]
    upper = numpy.zeros((count, count))
    for i, row in enumerate(sets):
        column = sorted(row) + [i]
        difference = scaled[column][:, None] - scaled[column][None]
        sigma = 2 * numpy.exp(-numpy.sqrt((difference**2).sum(axis=2))) + 0.1 * numpy.eye(len(column))
        last = numpy.linalg.solve(sigma, numpy.eye(len(column))[-1])
        expected = last / numpy.sqrt(last[-1])
        found = values[indptr[i] : indptr[i + 1]]
        expect(numpy.allclose(found, expected, rtol=1e-10, atol=1e-12), f"column {i}: {found}, expected {expected}")
        upper[column, i] = found
    if count > 0:
        product = upper.T @ response
        likelihood = -0.5 * (count * numpy.log(2 * numpy.pi) + product @ product) + numpy.log(numpy.diag(upper)).sum()
        words = ["--range", "0.2,0.3", "--variance", 2, "--nugget", 0.1, "--response", "y"]
        found = value(program.succeed("score", "out.h5", *words), "log-likelihood")
        expect(abs(found / likelihood - 1) < 1e-10, f"{found} by score, {likelihood} by U")


def plain_grouping(sets, largest):
    """The greedy rule, point by point; groups as (members, points)."""
    group = list(range(len(sets)))
    members = {i: set(row) | {i} for i, row in enumerate(sets)}
    points = {i: {i} for i in range(len(sets))}
    for place in range(max((len(row) for row in sets), default=0)):
        for i, row in enumerate(sets):
            if place < len(row) and group[i] != group[row[place]]:
                a, b = sorted((group[i], group[row[place]]))
                both = members[a] | members[b]
                if len(both) <= largest and len(both) ** 2 <= len(members[a]) ** 2 + len(members[b]) ** 2:
                    members[a] = both
                    points[a] |= points.pop(b)
                    del members[b]
                    for j in points[a]:
                        group[j] = a
    return [(sorted(members[a]), sorted(points[a])) for a in sorted(points)]


def test_grouping(program):
    for count in (0, 1, 400):
        for largest in (None, 14):
            _, sets, _ = make(program, count)
            expected = plain_grouping(sets, largest or 90)
            for ranks in cli.rank_counts(1, 3):
                more = ["--largest", largest] if largest else []
                words = ["extend", "sets.h5", "out.h5", "--grouping", "--overwrite", "--threads", 2, *more]
                program.succeed(*words, ranks=ranks)
                with h5py.File(program.file("out.h5")) as file:
                    vectors = {name: file[f"grouping/{name}"][:] for name in file["grouping"]}
                ends = numpy.concatenate([[0], vectors["last_ind_of_block"]])
                stops = numpy.concatenate([[0], vectors["last_resp_of_block"]])
                found = []
                for g in range(len(ends) - 1):
                    members = list(vectors["all_inds"][ends[g] : ends[g + 1]])
                    points = list(vectors["global_resp_inds"][stops[g] : stops[g + 1]])
                    places = vectors["local_resp_inds"][stops[g] : stops[g + 1]]
                    expect([members[p] for p in places] == points, f"places of group {g}")
                    found.append((members, points))
                expect(found == expected, f"n {count}, largest {largest}, {ranks} ranks: {found}")
            expect(count < 400 or len(expected) < 300, f"nothing was grouped: {len(expected)} groups")


def test_many_stretches(program):
    """More points than a stretch holds: every point once, the same on any number of ranks."""
    make(program, 20000, m=6)
    outputs = []
    for ranks in (1, 3):
        result = program.succeed("extend", "sets.h5", f"out{ranks}.h5", "--grouping", "--children", ranks=ranks)
        outputs.append(re.search(r"grouping: .*", result.out).group(0))
    expect(outputs[0] == outputs[1], f"{outputs}")
    different = cli.datasets_equal(program.file("out1.h5"), program.file("out3.h5"))
    expect(not different, f"{different}")
    with h5py.File(program.file("out1.h5")) as file:
        points = numpy.sort(file["grouping/global_resp_inds"][:])
        expect((points == numpy.arange(20000)).all(), "points are missing or there twice")


def test_verify(program):
    """What was added is checked against the sets, and a wrong entry is seen."""
    make(program, 500)
    for ranks in cli.rank_counts(1, 3):
        program.succeed("extend", "sets.h5", "out.h5", "--pattern", "--children", "--grouping", "--overwrite")
        result = program.succeed("verify", "out.h5", ranks=ranks)
        expect("/pattern /children /grouping" in result.out, f"{result}")
    plants = {
        "pattern/indices": (100, 1, "/pattern"),
        "pattern/indptr": (40, 1, "/pattern"),
        "children/indices": (700, 1, "/children"),
        "children/indptr": (30, 1, "/children"),
        "grouping/all_inds": (200, 1, "/grouping"),
        "grouping/local_resp_inds": (77, 1, "/grouping"),
        "grouping/last_resp_of_block": (3, 1, "/grouping"),
    }
    for name, (place, change, word) in plants.items():
        program.succeed("extend", "sets.h5", "out.h5", "--pattern", "--children", "--grouping", "--overwrite")
        with h5py.File(program.file("out.h5"), "a") as file:
            file[name][place] += change
        cli.expect_error(program.run("verify", "out.h5", ranks=2), 1, word)


def test_export(program):
    """What NumPy and SciPy's reader of Matrix Market get."""
    for count in (0, 1, 200):
        make(program, count)
        program.succeed("extend", "sets.h5", "plain.h5", "--pattern", "--overwrite")
        words = ["--pattern", "--values", "--range", 0.1, "--overwrite"]
        program.succeed("extend", "sets.h5", "valued.h5", *words)
        for ranks in cli.rank_counts(1, 2):
            for dataset in ("neighbors/index", "neighbors/distance", "pattern/indptr", "pattern/values"):
                words = ["--dataset", f"/{dataset}", "--overwrite"]
                program.succeed("export", "valued.h5", "out.npy", *words, ranks=ranks)
                found = numpy.load(program.file("out.npy"))
                with h5py.File(program.file("valued.h5")) as file:
                    expected = file[dataset][:]
                kind = "i8" if expected.dtype.kind == "i" else "f8"
                expect(found.dtype == kind and found.shape == expected.shape, f"{found.dtype} {found.shape}")
                expect((found == expected).all(), f"{dataset} differs")
            for name in ("plain", "valued"):
                program.succeed("export", f"{name}.h5", "out.mtx", "--overwrite", ranks=ranks)
                check_market(program, name, count)
    cli.expect_error(program.run("export", "sets.h5", "a.mtx"), 3, "extend --pattern")
    cli.expect_error(program.run("export", "sets.h5", "a.npy"), 2, "--dataset")
    cli.expect_error(program.run("export", "sets.h5", "a.txt"), 2, ".npy or .mtx")
    cli.expect_error(program.run("export", "sets.h5", "a.npy", "--dataset", "/none", ranks=2), 3, "/none")
    expect(not os.path.exists(program.file("a.npy")) and not os.path.exists(program.file("a.npy.part")), "a.npy")


def check_market(program, name, count):
    """Compares out.mtx with the pattern of a file."""
    with open(program.file("out.mtx"), encoding="ascii") as file:
        head, size, *lines = file.read().splitlines()
    with h5py.File(program.file(f"{name}.h5")) as file:
        indptr, indices = file["pattern/indptr"][:], file["pattern/indices"][:]
        values = file["pattern/values"][:] if name == "valued" else None
    kind = "pattern" if values is None else "real"
    expect(head == f"%%MatrixMarket matrix coordinate {kind} general", head)
    expect(size == f"{count} {count} {len(indices)}", size)
    columns = numpy.repeat(numpy.arange(count), numpy.diff(indptr))
    for line, row, column, place in zip(lines, indices, columns, range(len(indices))):
        words = line.split()
        expect([int(w) for w in words[:2]] == [row + 1, column + 1], line)
        expect(values is None or float(words[2]) == values[place], line)
    expect(len(lines) == len(indices), f"{len(lines)} lines")


def test_mistakes(program):
    make(program, 50)
    base = ["extend", "sets.h5", "out.h5"]
    cli.expect_error(program.run(*base), 2, "--pattern")
    cli.expect_error(program.run(*base, "--values", "--range", 1), 2, "--pattern")
    cli.expect_error(program.run(*base, "--pattern", "--values"), 2, "--range")
    cli.expect_error(program.run(*base, "--pattern", "--range", 1), 2, "--values")
    cli.expect_error(program.run("extend", "in.h5", "out.h5", "--pattern"), 3, "conditioning sets")
    cli.expect_error(program.run("extend", "sets.h5", "sets.h5", "--pattern"), 2, "sets.h5")
    program.succeed(*base, "--pattern")
    cli.expect_error(program.run(*base, "--pattern"), 2, "--overwrite")
    cli.expect_error(program.run("extend", "out.h5", "more.h5", "--pattern", ranks=2), 2, "/pattern/indptr")
    program.succeed("extend", "out.h5", "more.h5", "--children", ranks=2)


if __name__ == "__main__":
    cli.main([test for name, test in list(globals().items()) if name.startswith("test_")])
