#!/usr/bin/env python3
"""pcct import: values, missing cells, carried columns, compression, and refusals."""
import argparse
import csv
import gzip
import os
import subprocess
import sys
import unittest

import h5py
import numpy as np

from cli import Program

PROGRAM = None

TABLE = (
    "\ufeffname,lon,lat,depth,count,code\r\n"
    '"Paris, ""la ville""",2.3488,48.85341,1.5,3,7\r\n'
    "São Paulo,-46.63611,-23.5475,,4,8\r\n"
    "nowhere,,10,2,5,9\r\n"
    '"two\r\nlines",179.99999999999997,1e-3,nan,-6,9223372036854775807\r\n'
    "\r\n"
    "lost,12,NA,x,7,x\r\n"
    ",0.1,-0.30000000000000004,4,8,-1\r\n"
)
LON = [2.3488, -46.63611, 179.99999999999997, 0.1]
LAT = [48.85341, -23.5475, 1e-3, -0.30000000000000004]
NAMES = ['Paris, "la ville"', "São Paulo", "two\r\nlines", ""]


class Import(unittest.TestCase):
    def setUp(self):
        self.program = self.enterContext(Program(PROGRAM))

    def pcct(self, *words, ranks=1):
        return self.program.run("import", *words, ranks=ranks)

    def path(self, name):
        return self.program.file(name)

    def write(self, name, content):
        path = self.path(name)
        if isinstance(content, str):
            content = content.encode()
        with (gzip.open if name.endswith(".gz") else open)(path, "wb") as file:
            file.write(content)
        return path

    def read(self, words, ranks=1):
        """Imports and returns the open result with the program's standard output."""
        output = self.path(f"points-{ranks}.h5")
        result = self.pcct(words[0], output, *words[1:], "--overwrite", ranks=ranks)
        self.assertEqual(result.code, 0, str(result))
        file = h5py.File(output)
        self.addCleanup(file.close)
        return file, result.out

    def refuse(self, words, code, *parts, ranks=(1, 3)):
        for count in ranks:
            output = self.path("refused.h5")
            result = self.pcct(words[0], output, *words[1:], ranks=count)
            self.assertEqual(result.code, code, str(result))
            self.assertEqual(len(result.err), 1, str(result))
            for part in parts:
                self.assertIn(part, result.err[0])
            for name in ("refused.h5", "refused.h5.part"):
                self.assertFalse(os.path.exists(self.path(name)))

    def check_table(self, file):
        coordinates = file["points/coordinates"][()]
        np.testing.assert_array_equal(coordinates, np.column_stack([LON, LAT]))
        np.testing.assert_array_equal(file["points/source_row"][()], [0, 1, 3, 5])
        depth = file["data/depth"]
        self.assertEqual(depth.dtype, np.float64)
        np.testing.assert_array_equal(depth[()], [1.5, np.nan, np.nan, 4])
        self.assertEqual(file["data/count"].dtype, np.int64)
        np.testing.assert_array_equal(file["data/count"][()], [3, 4, -6, 8])
        np.testing.assert_array_equal(file["data/code"][()], [7, 8, 2**63 - 1, -1])
        name = file["data/name"]
        longest = max(len(name.encode()) for name in NAMES)
        self.assertEqual(h5py.check_string_dtype(name.dtype), ("utf-8", longest))
        self.assertEqual([value.decode() for value in name[()]], NAMES)

    def test_table(self):
        words = ["--columns", "lon,lat", "--carry", "name,depth,count,code"]
        plain = self.write("table.csv", TABLE)
        packed = self.write("table.csv.gz", TABLE)
        for path in (plain, packed):
            for ranks in (1, 2, 3):
                file, said = self.read([path, *words], ranks)
                self.check_table(file)
                for number in ("6", "2", "4"):  # rows read, dropped, kept
                    self.assertIn(number, said)
                self.assertEqual(file.attrs["kind"].decode(), "points")
                self.assertEqual(file.attrs["n"], 4)
                self.assertEqual(file.attrs["d"], 2)
                self.assertEqual(file.attrs["columns"].decode(), "lon,lat")
                for dataset in ("points/coordinates", "points/source_row", "data/name"):
                    for attribute in ("description", "units"):
                        self.assertIn(attribute, file[dataset].attrs)

    def test_ranks_do_not_matter(self):
        path = self.write("table.csv", TABLE)
        words = [path, "--columns", "lat,lon", "--carry", "name,depth"]
        for ranks in (1, 2, 3):
            self.read(words, ranks)
        for ranks in (2, 3):
            compared = subprocess.run(
                ["h5diff", "--exclude-path", "/provenance"]
                + [self.path(f"points-{count}.h5") for count in (1, ranks)],
                capture_output=True,
                text=True,
            )
            self.assertEqual(compared.returncode, 0, compared.stdout + compared.stderr)

    def test_long_table(self):
        """Several blocks of rows, written and read back by Python's csv module."""
        rows = 200000
        random = np.random.default_rng(11)
        values = random.normal(size=(rows, 3))
        path = self.path("long.csv.gz")
        with gzip.open(path, "wt", newline="", compresslevel=1) as file:
            writer = csv.writer(file)
            writer.writerow(["x", "text", "y", "z"])
            for i, (x, y, z) in enumerate(values.tolist()):
                missing = i % 10 == 3
                writer.writerow(["" if missing else repr(x), f"row {i},\n", repr(y), repr(z)])
        file, _ = self.read([path, "--columns", "x,y,z", "--carry", "text"], ranks=2)
        kept = np.arange(rows) % 10 != 3
        np.testing.assert_array_equal(file["points/coordinates"][()], values[kept])
        np.testing.assert_array_equal(file["points/source_row"][()], np.nonzero(kept)[0])
        expected = [f"row {i},\n".encode() for i in np.nonzero(kept)[0]]
        self.assertEqual(list(file["data/text"][()]), expected)

    def test_without_rows(self):
        for name, text in [("header.csv", "x,y,t\n"), ("dropped.csv", "x,y,t\n1,,2\n,,3\n")]:
            path = self.write(name, text)
            for ranks in (1, 3):
                file, _ = self.read([path, "--columns", "x,y", "--carry", "t"], ranks)
                self.assertEqual(file["points/coordinates"].shape, (0, 2))
                self.assertEqual(file["points/source_row"].shape, (0,))
                self.assertEqual(file["data/t"].shape, (0,))

    def test_locale_does_not_matter(self):
        path = self.write("table.csv", "x\n1.5\n")
        output = self.path("locale.h5")
        self.program.environment["LC_ALL"] = "de_DE.UTF-8"
        result = self.pcct(path, output, "--columns", "x")
        self.assertEqual(result.code, 0, str(result))
        with h5py.File(output) as file:
            np.testing.assert_array_equal(file["points/coordinates"][()], [[1.5]])

    def test_summary_and_quiet(self):
        path = self.write("table.csv", TABLE)
        _, said = self.read([path, "--columns", "lon,lat", "--carry", "name,depth"])
        for part in ("name", "depth"):
            self.assertIn(part, said)
        _, said = self.read([path, "--columns", "lon,lat", "--quiet"])
        self.assertEqual(said, "")

    def test_malformed(self):
        columns = ["--columns", "x,y"]
        for content, parts in [
            ("x,y\n1,2\n3\n", ["line 3", "'y'"]),
            ("x,y\n1,2\n3,4,5\n", ["line 3", "3 field"]),
            ("x,y\n1,2\n3,north\n", ["line 3", "'y'", "north"]),
            ("x,y\n1,2\ninf,4\n", ["line 3", "'x'", "inf"]),
            ('x,y\n1,2\n"3,4\n5,6\n', ["line 3", "'x'", "quote"]),
            ('x,y\n1,"a\nb"\n', ["line 2", "'y'"]),
            ("", ["empty", "header"]),
        ]:
            path = self.write("bad.csv", content)
            self.refuse([path, *columns], 3, path, *parts)
        latin = "x,y,name\n1,2,a\n3,4,S\u00e3o\n".encode("latin-1")
        path = self.write("latin.csv", latin)
        self.refuse([path, *columns, "--carry", "name"], 3, "line 3", "'name'", "UTF-8")
        path = self.write("cut.csv.gz", "x,y\n" + "".join(f"{i},{i * i}\n" for i in range(5000)))
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 2)
        self.refuse([path, *columns], 3, path, "truncated")

    def test_columns(self):
        path = self.write("table.csv", "lon,lat,depth,twice,twice\n1,2,3,4,5\n")
        self.refuse([path, "--columns", "Lon,lat"], 2, "'Lon'", "lon, lat, depth", "did you mean")
        self.refuse([path, "--columns", "lon,lat", "--carry", "dept"], 2, "'dept'", "'depth'")
        self.refuse([path, "--columns", "lon,twice"], 2, "'twice'")
        self.refuse([path, "--columns", "lon,lon"], 2, "'lon'")
        self.refuse([path, "--columns", "lon,lat", "--carry", "depth,depth"], 2, "'depth'")
        self.refuse([path], 2, "--columns")
        file, _ = self.read([path, "--columns", "depth", "--carry", "lon"])
        np.testing.assert_array_equal(file["points/coordinates"][()], [[3]])
        np.testing.assert_array_equal(file["data/lon"][()], [1])

    def test_column_names(self):
        """A slash would make a group in HDF5; commas cannot be named, but do not disturb."""
        path = self.write("names.csv", 'x,temp/degC,"a,b"\n1,2.5,3\n')
        file, _ = self.read([path, "--columns", "x", "--carry", "temp/degC"])
        np.testing.assert_array_equal(file["data/temp_degC"][()], [2.5])
        self.assertIn("temp/degC", file["data/temp_degC"].attrs["description"].decode())

    def test_files(self):
        columns = ["--columns", "x,y"]
        self.refuse([self.path("missing.csv"), *columns], 4, "missing.csv")
        self.refuse([self.program.directory, *columns], 4, "directory")
        path = self.write("table.csv", "x,y\n1,2\n")
        output = self.write("output.h5", "precious")
        result = self.pcct(path, output, *columns)
        self.assertEqual(result.code, 2, str(result))
        with open(output) as file:
            self.assertEqual(file.read(), "precious")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    arguments, rest = parser.parse_known_args()
    PROGRAM = os.path.abspath(arguments.program)
    unittest.main(argv=[sys.argv[0], *rest])
