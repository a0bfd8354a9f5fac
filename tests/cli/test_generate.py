#!/usr/bin/env python3
"""pcct generate: the statistics of every kind, independence of ranks, and refusals."""
import argparse
import os
import subprocess
import sys
import unittest

import h5py
import numpy as np

from cli import Program

PROGRAM = None

CLUSTERS = 256
WIDTH_MIN, WIDTH_MAX = 1e-6, 1e-2
TRACK_POINTS = 1024


class Generate(unittest.TestCase):
    def setUp(self):
        self.program = self.enterContext(Program(PROGRAM))

    def pcct(self, *words, ranks=1):
        return self.program.run("generate", *words, ranks=ranks)

    def path(self, name):
        return self.program.file(name)

    def generate(self, kind, n, dimension, seed=7, ranks=1, name=None):
        path = self.path(name or f"{kind}-{n}-{dimension}-{seed}-{ranks}.h5")
        words = ["-n", str(n), "--dim", str(dimension), "--kind", kind, "--seed", str(seed)]
        words.append("--overwrite")
        result = self.pcct(path, *words, ranks=ranks)
        self.assertEqual(result.code, 0, str(result))
        return path

    def points(self, *arguments, **options):
        with h5py.File(self.generate(*arguments, **options)) as file:
            coordinates = file["points/coordinates"]
            self.assertEqual(coordinates.dtype, np.float64)
            return coordinates[()]

    def test_schema(self):
        with h5py.File(self.generate("uniform", 100, 3)) as file:
            self.assertEqual(file.attrs["format"].decode(), "pcct")
            self.assertEqual(file.attrs["kind"].decode(), "points")
            self.assertEqual(list(file.attrs["format_version"]), [1, 0])
            self.assertEqual(file.attrs["n"], 100)
            self.assertEqual(file.attrs["d"], 3)
            self.assertEqual(file["points/coordinates"].shape, (100, 3))
            for name in ("description", "units"):
                self.assertIn(name, file["points/coordinates"].attrs)

    def test_ranks_do_not_matter(self):
        for kind, n, dimension in [
            ("uniform", 1001, 3),
            ("clustered", 1001, 2),
            ("sphere", 1001, 2),
            ("grid", 1001, 3),
            ("tracks", 3001, 2),
            ("uniform", 2, 1),
            ("uniform", 0, 2),
        ]:
            one = self.generate(kind, n, dimension)
            for ranks in (2, 3):
                other = self.generate(kind, n, dimension, ranks=ranks)
                compared = subprocess.run(
                    ["h5diff", "--exclude-path", "/provenance", one, other],
                    capture_output=True,
                    text=True,
                )
                self.assertEqual(compared.returncode, 0, compared.stdout + compared.stderr)

    def test_seed_matters(self):
        for kind in ("uniform", "clustered", "sphere", "tracks"):
            one, two = (self.points(kind, 50, 2, seed=seed) for seed in (1, 2))
            self.assertFalse(np.any(one == two))

    def test_longer_sets_begin_with_shorter_ones(self):
        for kind in ("uniform", "clustered", "sphere", "tracks"):
            np.testing.assert_array_equal(self.points(kind, 50, 2), self.points(kind, 2000, 2)[:50])

    def test_uniform(self):
        n = 100000
        for dimension in (1, 2, 64):
            x = self.points("uniform", n if dimension < 64 else 5000, dimension)
            self.assertTrue(np.all((x > 0) & (x < 1)))
            deviation = 5 / np.sqrt(12 * len(x))
            self.assertLess(np.max(np.abs(x.mean(axis=0) - 0.5)), deviation)
            self.assertEqual(len(np.unique(x, axis=0)), len(x))
        x = self.points("uniform", n, 2)
        cells, _, _ = np.histogram2d(x[:, 0], x[:, 1], bins=10, range=[[0, 1], [0, 1]])
        expected = n / 100
        chi_squared = np.sum((cells - expected) ** 2) / expected
        self.assertLess(abs(chi_squared - 99), 6 * np.sqrt(2 * 99))

    def test_clustered(self):
        n = 100000
        x = self.points("clustered", n, 2)
        margin = 6 * WIDTH_MAX
        self.assertTrue(np.all((x > -margin) & (x < 1 + margin)))
        # narrow clusters: cells of side 1e-4 that hold a cluster's share of the points; their
        # spreads run over the decades below
        places = np.floor(x * 1e4)
        cells, inverse, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
        inverse = inverse.reshape(-1)
        spreads = []
        for cell in np.nonzero(counts > 0.9 * n * 0.99 / CLUSTERS)[0]:
            spreads.append(np.std(x[inverse == cell], axis=0).mean())
        self.assertGreater(len(spreads), 0.2 * CLUSTERS)
        self.assertLess(min(spreads), 3 * WIDTH_MIN)
        self.assertGreater(min(spreads), 0.5 * WIDTH_MIN)
        self.assertGreater(max(spreads), 10 * WIDTH_MIN)

    def test_sphere(self):
        n = 100000
        x = self.points("sphere", n, 2)
        self.assertTrue(np.all(np.abs(x[:, 0]) <= 180))
        self.assertTrue(np.all(np.abs(x[:, 1]) <= 90))
        height = np.sin(np.radians(x[:, 1]))  # uniform on a sphere (Archimedes)
        for values, low, high in [(x[:, 0], -180, 180), (height, -1, 1)]:
            cells, _ = np.histogram(values, bins=20, range=(low, high))
            self.assertEqual(cells.sum(), n)
            chi_squared = np.sum((cells - n / 20) ** 2) / (n / 20)
            self.assertLess(abs(chi_squared - 19), 6 * np.sqrt(2 * 19))
        result = self.pcct(self.path("said.h5"), "-n", "3", "--kind", "sphere")
        self.assertIn("--coordinates lonlat", result.out)

    def test_grid(self):
        for n, dimension, side, spacing in [
            (0, 2, 1, 1.0),
            (1, 1, 1, 1.0),
            (5, 1, 5, 2**-3),
            (4, 2, 2, 2**-1),
            (5, 2, 3, 2**-2),
            (1000, 3, 10, 2**-4),
            (1001, 3, 11, 2**-4),
            (300, 64, 2, 2**-1),
        ]:
            x = self.points("grid", n, dimension)
            rows = np.arange(n)
            expected = np.empty((n, dimension))
            for axis in reversed(range(dimension)):
                expected[:, axis] = (rows % side) * spacing
                rows //= side
            np.testing.assert_array_equal(x, expected)

    def test_tracks(self):
        n = 8 * TRACK_POINTS + 100
        for dimension in (2, 3):
            x = self.points("tracks", n, dimension)
            self.assertTrue(np.all((x > -0.1) & (x < 1.1)))
            within = np.ones(n - 1, dtype=bool)
            within[TRACK_POINTS - 1 :: TRACK_POINTS] = False
            steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
            # neighbours on a track are close, tracks begin anywhere, and they are smooth
            self.assertLess(np.max(steps[within]), 0.01)
            self.assertGreater(np.median(steps[~within]), 0.05)
            for track in range(8):
                rows = x[track * TRACK_POINTS : (track + 1) * TRACK_POINTS]
                along = np.linspace(-1, 1, TRACK_POINTS)
                for axis in range(dimension):
                    fit = np.polynomial.chebyshev.Chebyshev.fit(along, rows[:, axis], 24)
                    self.assertLess(np.std(rows[:, axis] - fit(along)), 0.002)

    def test_refusals(self):
        for words, part in [
            (["--kind", "cube"], "--kind"),
            (["--kind", "sphere", "--dim", "3"], "sphere"),
            (["--kind", "tracks", "--dim", "1"], "tracks"),
            (["--dim", "65"], "--dim"),
            (["--dim", "0"], "--dim"),
            (["-n", "-1"], "-n"),
            (["-n", "many"], "-n"),
        ]:
            for ranks in (1, 3):
                path = self.path("refused.h5")
                result = self.pcct(path, "-n", "10", *words, ranks=ranks)
                self.assertEqual(result.code, 2, str(result))
                self.assertIn(part, result.err[0])
                self.assertEqual(os.listdir(self.program.directory), [])

    def test_existing_output(self):
        path = self.generate("uniform", 10, 2, name="kept.h5")
        with open(path, "rb") as file:
            before = file.read()
        result = self.pcct(path, "-n", "20")
        self.assertEqual(result.code, 2, str(result))
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)
        result = self.pcct(path, "-n", "20", "--overwrite")
        self.assertEqual(result.code, 0, str(result))
        with h5py.File(path) as file:
            self.assertEqual(file["points/coordinates"].shape, (20, 2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    arguments, rest = parser.parse_known_args()
    PROGRAM = os.path.abspath(arguments.program)
    unittest.main(argv=[sys.argv[0], *rest])
