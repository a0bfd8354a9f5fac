"""What the tests of the command line share: running the program, checking what it says, making inputs.

Needs the Python standard library, NumPy and h5py. Each test file is a program:
    test_errors.py --program build/pcct
MPIRUN in the environment replaces the words that start several ranks (without the -np).
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import traceback

import h5py
import numpy

DEFAULT_MPIRUN = (
    "mpirun -q --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 --mca pml ob1 --mca btl self,vader"
)
TIMEOUT_SECONDS = 60
# A single rank needs neither Open MPI's daemon nor its networks, whose start takes ten times as long as the run.
# Without a daemon, such ranks share a folder, where shared file pointers, which nobody uses, get in each other's way.
ALONE = {
    "OMPI_MCA_ess_singleton_isolated": "1",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self",
    "OMPI_MCA_sharedfp": "^sm",
}


def rank_counts(*counts):
    """The numbers of ranks that cases run on: all of these, the last alone where runs are slow."""
    return counts[-1:] if os.environ.get("TEST_SLOW_RUNS") else counts


class Failure(Exception):
    """A check that did not hold."""


class Result:
    """What a run left: exit code, stdout, and the lines of stderr."""

    def __init__(self, code, out, err, words):
        self.code = code
        self.out = out
        self.err = [line for line in err.splitlines() if line.strip()]
        self.words = words

    def __str__(self):
        return f"{' '.join(self.words)}\n  exit code {self.code}\n  stdout {self.out!r}\n  stderr {self.err}"


class Program(contextlib.ExitStack):
    """The program under test, run in a fresh directory, which goes when this is closed.

    Open MPI's sessions have a directory of their own: in a shared one a run removes what another is about to use.
    """

    def __init__(self, path):
        super().__init__()
        self.path = os.path.abspath(path)
        self.directory, sessions = (
            self.enter_context(tempfile.TemporaryDirectory(prefix=prefix)) for prefix in ("pcct-cli-", "pcct-mpi-")
        )
        self.mpirun = shlex.split(os.environ.get("MPIRUN", DEFAULT_MPIRUN))
        self.environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_orte_tmpdir_base=sessions)
        if os.geteuid() == 0:
            self.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

    def run(self, *words, ranks=1, stdout=None):
        """Runs with `words`; one rank is started without mpirun. A hang is a failure."""
        command = [self.path, *map(str, words)]
        environment = {**self.environment, **ALONE} if ranks == 1 else self.environment
        if ranks > 1:
            command = [*self.mpirun, "-np", str(ranks), *command]
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout if stdout is not None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Failure(f"hang: {' '.join(command)}") from None
        return Result(process.returncode, out or "", err, command)

    def succeed(self, *words, ranks=1):
        """Runs and expects exit code 0."""
        result = self.run(*words, ranks=ranks)
        expect(result.code == 0, f"expected success: {result}")
        return result

    def file(self, name):
        """A path in the directory of the runs."""
        return os.path.join(self.directory, name)


def expect(condition, message):
    """Fails with a message unless the condition holds."""
    if not condition:
        raise Failure(message)


def expect_error(result, code, *fragments):
    """Expects an exit code and one line on stderr that holds every fragment."""
    expect(result.code == code, f"expected exit code {code}: {result}")
    expect(len(result.err) == 1, f"expected one line on stderr: {result}")
    expect(result.err[0].startswith("pcct"), f"expected a line that starts with pcct: {result}")
    for fragment in fragments:
        expect(fragment in result.err[0], f"expected {fragment!r} in the message: {result}")


def write_points(path, points, dataset="/points/coordinates", **keywords):
    """Writes an HDF5 file with one dataset of coordinates."""
    with h5py.File(path, "w") as file:
        file.create_dataset(dataset, data=points, **keywords)
    return path


def uniform(count, dimension, seed=1):
    """Points in the unit cube."""
    return numpy.random.default_rng(seed).random((count, dimension))


def datasets_equal(first, second, skip=("provenance",)):
    """Names of objects of two files that differ, those under `skip` left out."""
    different = []

    def contents(file):
        found = {}

        def visit(name, item):
            if name.split("/")[0] not in skip:
                found[name] = item

        file.visititems(visit)
        return found

    with h5py.File(first, "r") as a_file, h5py.File(second, "r") as b_file:
        a_items, b_items = contents(a_file), contents(b_file)
        different += sorted(set(a_items) ^ set(b_items))
        for name in sorted(set(a_items) & set(b_items)):
            a, b = a_items[name], b_items[name]
            if isinstance(a, h5py.Dataset) and (
                a.dtype != b.dtype or a.shape != b.shape or a[...].tobytes() != b[...].tobytes()
            ):
                different.append(name)
        if {k: str(v) for k, v in a_file.attrs.items()} != {k: str(v) for k, v in b_file.attrs.items()}:
            different.append("/ attributes")
    return different


def main(tests):
    """Runs tests, functions of a Program, each in a fresh directory; exits with 1 if one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True, help="path of pcct")
    parser.add_argument("--only", help="run the tests whose name contains this")
    arguments = parser.parse_args()
    failed = []
    selected = [test for test in tests if arguments.only is None or arguments.only in test.__name__]
    for test in selected:
        with Program(arguments.program) as program:
            try:
                test(program)
                print(f"ok      {test.__name__}")
            except Failure as failure:
                failed.append(test.__name__)
                print(f"FAILED  {test.__name__}: {failure}")
            except Exception:
                failed.append(test.__name__)
                print(f"FAILED  {test.__name__}")
                traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    print(f"{len(selected) - len(failed)} of {len(selected)} passed")
    sys.exit(1 if failed or not selected else 0)
