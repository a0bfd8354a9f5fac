"""The program's `verify` on good files, and on files in which an error was planted.

Usage: test_verify.py --program PATH
MPIRUN in the environment holds the words that start several ranks ("mpirun --oversubscribe").
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy

PROGRAM = None
MPIRUN = shlex.split(os.environ.get("MPIRUN", "mpirun"))


def call(*words, ranks=1):
    """Runs the program and returns (exit code, stdout, stderr)."""
    command = [PROGRAM, *map(str, words)]
    if ranks > 1:
        command = [*MPIRUN, "-np", str(ranks), *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def points(kind, count, dimension=2, seed=5):
    """Test points: uniform, or on a lattice with many ties and duplicates, or degrees on the Earth."""
    random = numpy.random.default_rng(seed)
    if kind == "lattice":
        return random.integers(0, 6, size=(count, dimension)).astype("f8")
    if kind == "degrees":
        return numpy.column_stack([random.uniform(-180, 360, count), random.uniform(-90, 90, count)])
    return random.uniform(size=(count, dimension))


class VerifyTest(unittest.TestCase):
    """Every test makes its own files in a directory of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="pcct_verify_")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_points(self, name, values, **more):
        with h5py.File(self.path(name), "w") as file:
            file["/points/coordinates"] = values
            for key, value in more.items():
                file[key] = value
        return self.path(name)

    def make(self, *words):
        code, _, error = call(*words)
        self.assertEqual(code, 0, error)

    def good(self, *words, ranks=1):
        code, out, error = call("verify", *words, ranks=ranks)
        self.assertEqual(code, 0, error)
        return out

    def bad(self, fragments, *words, code=1, ranks=1):
        """verify must fail with one line on stderr that has all fragments."""
        found, out, error = call("verify", "--quiet", *words, ranks=ranks)
        self.assertEqual(found, code, error)
        self.assertEqual(out, "")
        lines = [line for line in error.splitlines() if line.startswith("pcct verify: ")]
        self.assertEqual(len(lines), 1, error)
        for fragment in fragments:
            self.assertIn(fragment, lines[0])


class GoodFiles(VerifyTest):
    def test_orderings(self):
        source = self.write_points("in.h5", points("lattice", 300))
        with h5py.File(source, "a") as file:
            file["/order"] = numpy.random.default_rng(1).permutation(300)
        for ordering in (
            "none",
            "random",
            "coordinate",
            "coordinate:1",
            "middleout",
            "hilbert",
            "file:/order",
        ):
            with self.subTest(ordering=ordering):
                output = self.path(f"{ordering.replace('/', '_')}.h5")
                self.make("vecchia", source, output, "-m", 7, "--ordering", ordering)
                out = self.good(output, "--against", source)
                self.assertIn("300", out)
                if not ordering.startswith("file:"):
                    self.good(output)

    def test_degrees_and_scales(self):
        source = self.write_points("in.h5", points("degrees", 200))
        for ordering in ("random", "coordinate", "middleout", "hilbert"):
            with self.subTest(ordering=ordering):
                output = self.path(f"lonlat_{ordering}.h5")
                self.make(
                    *("vecchia", source, output, "-m", 5),
                    *("--coordinates", "lonlat", "--ordering", ordering),
                )
                self.good(output, "--against", source)
        output = self.path("scaled.h5")
        self.make("vecchia", source, output, "-m", 5, "--scale", "3,0.7", "--ordering", "middleout")
        self.good(output, "--against", source)

    def test_dimensions_and_distances(self):
        for dimension in (1, 3, 5):
            for distances in ("f8", "f4", "none"):
                with self.subTest(dimension=dimension, distances=distances):
                    source = self.write_points("in.h5", points("uniform", 120, dimension))
                    output = self.path("out.h5")
                    self.make(
                        *("vecchia", source, output, "-m", 130, "--overwrite"),
                        *("--distances", distances),
                    )
                    self.good(output, "--against", source)

    def test_neighbors(self):
        source = self.write_points("in.h5", points("lattice", 150))
        queries = self.write_points("queries.h5", points("uniform", 40, seed=9))
        output, foreign = self.path("nn.h5"), self.path("foreign.h5")
        self.make("knn", source, output, "-k", 6)
        self.good(output, "--against", source)
        self.good(output)
        self.make("knn", source, queries, foreign, "-k", 6)
        self.good(foreign, "--against", source)
        self.bad(["--against"], foreign, code=2)

    def test_who_asked(self):
        """The file says whether points or queries asked, also where they are the same places."""
        source = self.write_points("in.h5", points("lattice", 150))
        own, foreign = self.path("own.h5"), self.path("foreign.h5")
        self.make("knn", source, own, "-k", 6)
        self.make("knn", source, source, foreign, "-k", 6)
        for output, queries, word in ((own, "rows", "rows of neighbors"), (foreign, "file", "queries")):
            self.assertIn(f"queries = {queries}", call("info", output)[1].replace('"', ""))
            self.assertIn(f"({word})", self.good(output, "--against", source))
        for output, other in ((own, "file"), (foreign, "rows")):
            with h5py.File(output, "a") as file:
                file.attrs["queries"] = numpy.bytes_(other)
            self.bad(["row 0"], output, "--against", source)
            with h5py.File(output, "a") as file:
                del file.attrs["queries"]
            self.bad(["attribute queries"], output, "--against", source, code=3)

    def test_small(self):
        for count in (0, 1, 2):
            with self.subTest(count=count):
                source = self.write_points(f"in{count}.h5", points("uniform", count))
                output = self.path(f"out{count}.h5")
                self.make("vecchia", source, output, "-m", 3)
                self.good(output, "--against", source)

    def test_sample(self):
        source = self.write_points("in.h5", points("uniform", 500))
        output = self.path("out.h5")
        self.make("vecchia", source, output, "-m", 4)
        out = self.good(output, "--sample", 20, "--seed", 3)
        self.assertRegex(out, r"\b500\b.*rows")
        self.assertRegex(out, r"\b20\b.*rows")

    def test_ranks(self):
        source = self.write_points("in.h5", points("lattice", 101))
        output = self.path("out.h5")
        self.make("vecchia", source, output, "-m", 4)
        for ranks in (2, 3):
            out = self.good(output, "--against", source, ranks=ranks)
            self.assertIn("101", out)


class PlantedErrors(VerifyTest):
    """One good file for all; every test spoils a copy of it."""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="pcct_verify_")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.source = os.path.join(cls.shared, "in.h5")
        cls.output = os.path.join(cls.shared, "sets.h5")
        with h5py.File(cls.source, "w") as file:
            file["/points/coordinates"] = points("uniform", 200)
        code, _, error = call("vecchia", cls.source, cls.output, "-m", 5, "--ordering", "random")
        assert code == 0, error

    def test_not_spoiled(self):
        self.good(self.output, "--against", self.source)

    def spoil(self, change, fragments, against=True, ranks=1, code=1):
        copy = self.path("spoiled.h5")
        shutil.copy(self.output, copy)
        with h5py.File(copy, "a") as file:
            change(file)
        words = ("--against", self.source) if against else ()
        self.bad(fragments, copy, *words, code=code, ranks=ranks)

    @staticmethod
    def plant_not_nearest(file):
        """Row 150 loses its nearest neighbour; a farther predecessor fills up, all else is right."""
        where = file["/points/coordinates"][:]
        row = 150
        kept = file["/neighbors/index"][row, :]
        gap = where[:row] - where[row]
        distance = numpy.sqrt(gap[:, 0] ** 2 + gap[:, 1] ** 2)
        order = numpy.argsort(distance, kind="stable")
        chosen = numpy.concatenate([order[:4], order[9:10]])
        assert list(order[:5]) == list(kept)
        file["/neighbors/index"][row, :] = chosen
        file["/neighbors/distance"][row, :] = distance[chosen]

    def test_not_nearest(self):
        self.spoil(self.plant_not_nearest, ["row 150 (input row", "neighbor 4 is", "nearest is"])

    def test_not_nearest_on_ranks(self):
        self.spoil(self.plant_not_nearest, ["row 150 (input row", "nearest is"], ranks=3)

    def test_not_nearest_outside_the_sample(self):
        copy = self.path("spoiled.h5")
        shutil.copy(self.output, copy)
        with h5py.File(copy, "a") as file:
            self.plant_not_nearest(file)
        codes = {call("verify", copy, "--sample", 100, "--seed", seed)[0] for seed in range(12)}
        self.assertEqual(codes, {0, 1})

    def test_wrong_distance(self):
        def change(file):
            value = file["/neighbors/distance"][77, 2]
            file["/neighbors/distance"][77, 2] = numpy.nextafter(value, 2)

        self.spoil(change, ["row 77 ", "distance of neighbor 2", "expected"])

    def test_swapped_order(self):
        def change(file):
            for name in ("index", "distance"):
                values = file[f"/neighbors/{name}"][60, :]
                values[[1, 2]] = values[[2, 1]]
                file[f"/neighbors/{name}"][60, :] = values

        self.spoil(change, ["row 60 ", "out of order"])

    def test_wrong_count(self):
        def change(file):
            file["/neighbors/count"][199] = 4

        self.spoil(change, ["row 199 ", "count is 4, expected 5"])

    def test_repeated_index(self):
        def change(file):
            file["/neighbors/index"][90, 3] = file["/neighbors/index"][90, 2]

        self.spoil(change, ["row 90 ", "neighbors 2 and 3 are both position"])

    def test_no_predecessor(self):
        def change(file):
            file["/neighbors/index"][90, 3] = 90

        self.spoil(change, ["row 90 ", "position 90, which is no predecessor"])

    def test_out_of_range(self):
        def change(file):
            file["/neighbors/index"][90, 3] = 200

        self.spoil(change, ["row 90 ", "position 200, outside 0 to 199"])

    def test_wrong_padding(self):
        def change_index(file):
            file["/neighbors/index"][2, 3] = 0

        def change_distance(file):
            file["/neighbors/distance"][2, 3] = 0

        self.spoil(change_index, ["row 2 ", "entry 3", "expected -1"])
        self.spoil(change_distance, ["row 2 ", "entry 3", "expected +inf"])

    def test_swapped_permutation(self):
        def change(file):
            values = file["/ordering/permutation"][:]
            values[[10, 20]] = values[[20, 10]]
            file["/ordering/permutation"][:] = values

        self.spoil(change, ["/ordering/permutation", "position 10"])

    def test_disobeyed_ordering(self):
        def change(file):
            permutation = file["/ordering/permutation"][:]
            permutation[[10, 20]] = permutation[[20, 10]]
            file["/ordering/permutation"][:] = permutation
            file["/ordering/position"][:] = numpy.argsort(permutation)

        self.spoil(change, ["ordering"], against=False)
        self.spoil(change, ["input row"])

    def test_altered_coordinates(self):
        def change(file):
            value = file["/points/coordinates"][55, 1]
            file["/points/coordinates"][55, 1] = numpy.nextafter(value, 2)

        self.spoil(change, ["position 55 ", "coordinate 1"])

    def test_altered_attributes(self):
        def change_duplicates(file):
            file.attrs.modify("duplicates", file.attrs["duplicates"] + 1)

        def change_n(file):
            file.attrs.modify("n", file.attrs["n"] - 1)

        self.spoil(change_duplicates, ["duplicates"])
        self.spoil(change_n, ["199", "200"], code=3)


class BadInput(VerifyTest):
    def test_exit_codes(self):
        self.bad(["missing.h5"], self.path("missing.h5"), code=4)
        self.bad([], self.folder, code=4)
        with open(self.path("text.h5"), "w", encoding="utf-8") as file:
            file.write("no HDF5")
        self.bad(["text.h5"], self.path("text.h5"), code=3)
        source = self.write_points("in.h5", points("uniform", 10))
        self.bad(["in.h5"], source, code=3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="tests of `pcct verify`")
    parser.add_argument("--program", required=True)
    options, rest = parser.parse_known_args()
    PROGRAM = os.path.abspath(options.program)
    unittest.main(argv=[sys.argv[0], *rest])
