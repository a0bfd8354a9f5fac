"""Bad input and wrong usage: one clear line, the right exit code, no hang, nothing under the final name.

Every case runs on one rank and on three; where runs are slow, on three alone.
"""

import os
import shutil
import subprocess

import h5py
import numpy

import cli
from cli import expect, expect_error

RANKS = cli.rank_counts(1, 3)
USAGE, INPUT, FILE = 2, 3, 4


def refuse(program, code, words, *fragments, out="out.h5", ranks=RANKS):
    """Runs words on several rank counts and expects an error and no output."""
    for count in ranks:
        result = program.run(*words, ranks=count)
        expect_error(result, code, *fragments)
        expect(not os.path.exists(program.file(out)), f"output under the final name: {result}")
        expect(not os.path.exists(program.file(out + ".part")), f"a .part was left: {result}")


def points_file(program, points=None, name="in.h5", **keywords):
    """A fine input file unless told otherwise."""
    points = cli.uniform(50, 2) if points is None else points
    return cli.write_points(program.file(name), points, **keywords)


def test_missing_file(program):
    refuse(program, FILE, ["vecchia", "missing.h5", "out.h5"], "missing.h5")
    refuse(program, FILE, ["knn", "missing.h5", "out.h5", "-k", 3], "missing.h5")
    refuse(program, FILE, ["info", "missing.h5"], "missing.h5")
    refuse(program, FILE, ["verify", "missing.h5", "--against", "missing.h5"], "missing.h5")
    refuse(program, FILE, ["import", "missing.csv", "out.h5", "--columns", "a"], "missing.csv")
    points_file(program)
    refuse(program, FILE, ["knn", "in.h5", "missing.h5", "out.h5"], "missing.h5")
    program.succeed("vecchia", "in.h5", "sets.h5", "-m", 3)
    refuse(program, FILE, ["verify", "sets.h5", "--against", "missing.h5"], "missing.h5")


def test_directory(program):
    os.mkdir(program.file("folder"))
    refuse(program, FILE, ["vecchia", "folder", "out.h5"], "folder", "directory")
    refuse(program, FILE, ["info", "folder"], "folder", "directory")
    points_file(program)
    for ranks in RANKS:
        expect_error(program.run("vecchia", "in.h5", "folder", ranks=ranks), FILE, "folder", "directory")
        result = program.run("vecchia", "in.h5", "folder", "--overwrite", ranks=ranks)
        expect_error(result, FILE, "folder", "directory")
    expect(os.path.isdir(program.file("folder")), "the directory is gone")


def test_unreadable_file(program):
    if os.geteuid() == 0:
        return  # root reads everything
    os.chmod(points_file(program), 0)
    refuse(program, FILE, ["vecchia", "in.h5", "out.h5"], "in.h5")


def test_not_hdf5(program):
    with open(program.file("text.h5"), "w", encoding="utf-8") as file:
        file.write("lon,lat\n1,2\n")
    open(program.file("empty.h5"), "wb").close()
    refuse(program, INPUT, ["vecchia", "text.h5", "out.h5"], "text.h5", "HDF5")
    refuse(program, INPUT, ["knn", "empty.h5", "out.h5"], "empty.h5")
    refuse(program, INPUT, ["info", "text.h5"], "text.h5", "HDF5")
    refuse(program, INPUT, ["verify", "text.h5", "--against", "text.h5"], "text.h5")


def test_truncated(program):
    path = points_file(program, cli.uniform(5000, 2))
    size = os.path.getsize(path)
    for length in (size - 1000, size // 2, 600):
        shutil.copy(path, program.file("cut.h5"))
        os.truncate(program.file("cut.h5"), length)
        refuse(program, INPUT, ["vecchia", "cut.h5", "out.h5"], "cut.h5")


def test_damaged_chunk(program):
    """A checksum that fails while the ranks read."""
    path = points_file(program, cli.uniform(4000, 2), chunks=(100, 2), fletcher32=True)
    with h5py.File(path, "r") as file:
        dataset = file["/points/coordinates"]
        offset = dataset.id.get_chunk_info(dataset.id.get_num_chunks() - 1).byte_offset
    with open(path, "r+b") as file:
        file.seek(offset + 40)
        file.write(b"\x5a" * 8)
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5"], "in.h5", "damaged")


def test_wrong_dataset(program):
    points_file(program)
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--dataset", "/nothing"], "/nothing")
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--dataset", "/points"], "/points")
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--columns", "lon,lat"], "lon")
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--ordering", "file:/nothing"], "/nothing")


def test_candidates(program):
    """Without --dataset an ambiguous file is an error that lists what could be meant."""
    with h5py.File(program.file("two.h5"), "w") as file:
        file["/first"] = cli.uniform(10, 2)
        file["/second"] = cli.uniform(10, 3)
    refuse(program, INPUT, ["vecchia", "two.h5", "out.h5"], "/first", "/second", "--dataset")
    h5py.File(program.file("none.h5"), "w").close()
    refuse(program, INPUT, ["vecchia", "none.h5", "out.h5"], "none.h5")


def test_wrong_shape_or_type(program):
    with h5py.File(program.file("in.h5"), "w") as file:
        file["/cube"] = numpy.zeros((4, 3, 2))
        file["/scalar"] = 1.0
        file["/text"] = numpy.array([b"a", b"b"])
        file["/texts"] = numpy.array([[b"a", b"b"], [b"c", b"d"]])
        file["/complex"] = numpy.zeros((4, 2), dtype=complex)
        file["/wide"] = numpy.zeros((4, 65))
        file["/no_columns"] = numpy.zeros((4, 0))
        file["/lon"] = numpy.zeros(5)
        file["/lat"] = numpy.zeros(6)
        file["/table"] = numpy.zeros((5, 2))
    for name in ("/cube", "/scalar", "/text", "/texts", "/complex", "/wide", "/no_columns"):
        refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--dataset", name], name)
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--columns", "lon,lat"], "lat")
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--columns", "lon,table"], "table")
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--columns", "lon,text"], "text")


def test_bad_values(program):
    for value, text in ((numpy.nan, "nan"), (numpy.inf, "inf"), (-numpy.inf, "inf")):
        points = cli.uniform(50, 2)
        points[37, 1] = value
        points_file(program, points)
        refuse(program, INPUT, ["vecchia", "in.h5", "out.h5"], "37", text)
        refuse(program, INPUT, ["knn", "in.h5", "out.h5"], "37", text)
        points_file(program, name="fine.h5")
        refuse(program, INPUT, ["knn", "fine.h5", "in.h5", "out.h5"], "37")
    points = cli.uniform(50, 2)
    points[41, 1] = -90.5
    points_file(program, points)
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--coordinates", "lonlat"], "41", "90")
    points = cli.uniform(50, 2)
    points[3, 0] = 1e300
    points_file(program, points)
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5"], "3")


def test_duplicates_refused(program):
    points = cli.uniform(50, 2)
    points[20] = points[7]
    points_file(program, points)
    refuse(program, INPUT, ["vecchia", "in.h5", "out.h5", "--duplicates", "error"], "distinct", "repeat")


def test_option_values(program):
    points_file(program)
    fine = ["vecchia", "in.h5", "out.h5"]
    for words, fragment in (
        (["-m", "0"], "-m"),
        (["-m", "-3"], "-m"),
        (["-m", "x"], "-m"),
        (["-m", "3x"], "-m"),
        (["-m", "99999999999999999999"], "-m"),
        (["-m", ""], "-m"),
        (["-m"], "-m"),
        (["--threads", "0"], "--threads"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "18446744073709551616"], "--seed"),
        (["--compress", "10"], "--compress"),
        (["--compress", "-1"], "--compress"),
        (["--block-rows", "0"], "--block-rows"),
        (["--scale", "1,0"], "--scale"),
        (["--scale", "1,-2"], "--scale"),
        (["--scale", "1,"], "--scale"),
        (["--scale", "1,nan"], "--scale"),
        (["--scale", "a"], "--scale"),
        (["--columns", "lon,,lat"], "--columns"),
        (["--columns", "lon,lat", "--dataset", "/points/coordinates"], "--dataset"),
        (["--coordinates", "lonlats"], "did you mean 'lonlat'"),
        (["--duplicates", "jitter"], "keep|error"),
        (["--distances", "f16"], "f8|f4|none"),
        (["--ordering", "maximum"], "random|"),
        (["--ordering", "hilbrt"], "did you mean 'hilbert'"),
        (["--ordering", "coordinate:"], "coordinate"),
        (["--ordering", "coordinate:x"], "coordinate"),
        (["--ordering", "coordinate:-1"], "coordinate"),
        (["--ordering", "random:1"], "random"),
        (["--ordering", "file:"], "file:"),
        (["--quiet", "--verbose"], "--quiet"),
        (["--quiet=yes"], "--quiet"),
        (["--dataset"], "--dataset"),
    ):
        refuse(program, USAGE, fine + words, fragment)
    refuse(program, USAGE, ["knn", "in.h5", "out.h5", "-k", "0"], "-k")
    refuse(program, USAGE, ["generate", "out.h5", "-n", "-1", "--dim", "2"], "-n")


def test_values_that_the_file_disproves(program):
    points_file(program, cli.uniform(50, 3))
    fine = ["vecchia", "in.h5", "out.h5"]
    refuse(program, USAGE, fine + ["--ordering", "coordinate:3"], "axis")
    refuse(program, USAGE, fine + ["--scale", "1,2"], "--scale")
    refuse(program, USAGE, fine + ["--coordinates", "lonlat"], "lonlat")
    refuse(program, USAGE, fine + ["--coordinates", "lonlat", "--scale", "1,1"], "--scale")
    points_file(program, cli.uniform(9, 2), name="flat.h5")
    refuse(program, USAGE, ["knn", "in.h5", "out.h5", "--scale", "1,2"], "--scale")
    refuse(program, INPUT, ["knn", "in.h5", "flat.h5", "out.h5"], "flat.h5")


def test_unknown_words(program):
    points_file(program)
    refuse(program, USAGE, [], "subcommand")
    refuse(program, USAGE, ["veccia", "in.h5", "out.h5"], "did you mean 'vecchia'")
    refuse(program, USAGE, ["zzz"], "vecchia|knn")
    refuse(program, USAGE, ["--versoin"], "did you mean '--version'")
    refuse(program, USAGE, ["help", "vechia"], "did you mean 'vecchia'")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "--orderin", "none"], "did you mean '--ordering'")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "--overwrit"], "did you mean '--overwrite'")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "--over"], "did you mean '--overwrite'")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "--m=3"], "did you mean '-m'")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "-seed", "3"], "did you mean '--seed'")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "-x"], "-x")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "--nonsense"], "--nonsense")
    refuse(program, USAGE, ["knn", "in.h5", "out.h5", "--ordering", "none"], "--ordering")


def test_number_of_arguments(program):
    points_file(program)
    refuse(program, USAGE, ["vecchia"], "FILE OUT")
    refuse(program, USAGE, ["vecchia", "in.h5"], "FILE OUT")
    refuse(program, USAGE, ["vecchia", "in.h5", "out.h5", "more"], "FILE OUT")
    refuse(program, USAGE, ["knn", "in.h5"], "FILE [QUERIES] OUT")
    refuse(program, USAGE, ["info"], "FILE")
    refuse(program, USAGE, ["generate"], "OUT")


def test_existing_output(program):
    points_file(program)
    for name in ("out.h5", "out.h5.part"):
        with open(program.file(name), "w", encoding="utf-8") as file:
            file.write("precious")
        for ranks in RANKS:
            for words in (["vecchia", "in.h5"], ["knn", "in.h5"]):
                result = program.run(*words, "out.h5", ranks=ranks)
                expect_error(result, USAGE, name, "--overwrite")
            result = program.run("vecchia", "in.h5", "out.h5", "--dry-run", ranks=ranks)
            expect_error(result, USAGE, name, "--overwrite")
        with open(program.file(name), encoding="utf-8") as file:
            expect(file.read() == "precious", f"{name} was touched")
        os.remove(program.file(name))


def test_output_is_input(program):
    """Replacing the input by its own result is refused, --overwrite or not."""
    path = points_file(program)
    with open(path, "rb") as file:
        before = file.read()
    os.symlink("in.h5", program.file("link.h5"))
    for ranks in RANKS:
        for out in ("in.h5", "./in.h5", "link.h5"):
            expect_error(program.run("vecchia", "in.h5", out, "--overwrite", ranks=ranks), USAGE, out)
        result = program.run("vecchia", "in.h5", "out.h5", "--report", "in.h5", ranks=ranks)
        expect_error(result, USAGE, "--report")
        result = program.run("vecchia", "in.h5", "out.h5", "--report", "out.h5", ranks=ranks)
        expect_error(result, USAGE, "--report")
    with open(path, "rb") as file:
        expect(file.read() == before, "the input was changed")


def test_unwritable_directory(program):
    points_file(program)
    refuse(program, FILE, ["vecchia", "in.h5", "nowhere/out.h5"], "nowhere/out.h5")
    refuse(program, FILE, ["vecchia", "in.h5", "nowhere/out.h5", "--dry-run"], "nowhere/out.h5")
    if os.geteuid() == 0:
        closed = "/proc/out.h5"  # root may write everywhere else
    else:
        os.mkdir(program.file("closed"), 0o555)
        closed = "closed/out.h5"
    refuse(program, FILE, ["vecchia", "in.h5", closed], "out.h5")
    refuse(program, FILE, ["vecchia", "in.h5", "out.h5", "--report", "nowhere/report.json"], "report")
    refuse(program, FILE, ["vecchia", "in.h5", "out.h5", "--report", "/dev/full"], "/dev/full")


def test_full_disk(program):
    """A small file system, where one can be mounted. (A limit on the size of files stops MPI first.)"""
    points_file(program, cli.uniform(20000, 2))
    os.mkdir(program.file("small"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", program.file("small")]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        return
    try:
        refuse(program, FILE, ["vecchia", "in.h5", "small/out.h5", "-m", 10], "small/out.h5", out="small/out.h5")
        refuse(program, FILE, ["knn", "in.h5", "small/out.h5", "-k", 10], "small/out.h5", out="small/out.h5")
        words = ["vecchia", "in.h5", "small/out.h5", "-m", 10, "--report", "report.json"]
        refuse(program, FILE, words, "small/out.h5", out="report.json")
        with open(program.file("small/filler"), "wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    break
        for ranks in RANKS:
            words = ["vecchia", "in.h5", "out.h5", "-m", 1, "--overwrite", "--report", "small/report.json"]
            expect_error(program.run(*words, ranks=ranks), FILE, "small/report.json")
            expect(os.listdir(program.file("small")) == ["filler"], "a report was left")
            expect(os.path.exists(program.file("out.h5")), "the result is complete but for its report")
    finally:
        subprocess.run(["umount", program.file("small")], check=True)


def test_stdout_full(program):
    points_file(program)
    with open("/dev/full", "w", encoding="utf-8") as full:
        expect_error(program.run("info", "in.h5", stdout=full), FILE, "output")
        expect_error(program.run("--help", stdout=full), FILE, "output")


def test_permutation(program):
    count = 50
    good = numpy.random.default_rng(3).permutation(count)
    repeated, outside, negative = good.copy(), good.copy(), good.copy()
    repeated[10] = repeated[40]
    outside[30] = count
    negative[45] = -1
    with h5py.File(program.file("in.h5"), "w") as file:
        file["/points/coordinates"] = cli.uniform(count, 2)
        file["/repeated"] = repeated
        file["/outside"] = outside
        file["/negative"] = negative
        file["/short"] = good[:-1]
        file["/floats"] = good.astype(float)
        file["/square"] = good.reshape(5, 10)
    for name in ("repeated", "outside", "negative", "short", "floats", "square"):
        words = ["vecchia", "in.h5", "out.h5", "--ordering", f"file:/{name}"]
        refuse(program, INPUT, words, f"/{name}" if name in ("short", "floats", "square") else "permutation")


def test_malformed_csv(program):
    for name, text, fragment in (
        ("fields.csv", "lon,lat\n1,2\n3,4,5\n6,7\n", "line 3"),
        ("quote.csv", 'lon,lat\n1,2\n3,"4\n', "line 3"),
        ("word.csv", "lon,lat\n1,2\n3,4\n5,north\n", "line 4"),
        ("empty.csv", "", "empty.csv"),
    ):
        with open(program.file(name), "w", encoding="utf-8") as file:
            file.write(text)
        refuse(program, INPUT, ["import", name, "out.h5", "--columns", "lon,lat"], fragment)
    with open(program.file("fine.csv"), "w", encoding="utf-8") as file:
        file.write("lon,lat\n1,2\n")
    refuse(program, USAGE, ["import", "fine.csv", "out.h5", "--columns", "lon,height"], "height")


def test_future_version(program):
    points_file(program)
    program.succeed("vecchia", "in.h5", "sets.h5", "-m", 3, "--quiet")
    with h5py.File(program.file("sets.h5"), "r+") as file:
        file.attrs["format_version"] = numpy.array([2, 0], dtype=file.attrs["format_version"].dtype)
    refuse(program, INPUT, ["vecchia", "sets.h5", "out.h5"], "sets.h5", "version")
    refuse(program, INPUT, ["verify", "sets.h5", "--against", "in.h5"], "sets.h5", "version")
    refuse(program, INPUT, ["info", "sets.h5"], "sets.h5", "version")


if __name__ == "__main__":
    cli.main([value for name, value in sorted(globals().items()) if name.startswith("test_")])
