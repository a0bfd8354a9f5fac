"""Checkpoints: runs killed at random moments, or asked to stop, go on to the same file on any number of ranks."""

import json
import os
import random
import signal
import subprocess
import time

import cli
import h5py
from cli import expect

COUNT = 150000
WORDS = ("-m", 20, "--checkpoint-blocks", 6, "--block-rows", 5000, "--quiet")


def start(program, *words, ranks):
    """A run in the background, in a process group of its own."""
    command = [program.path, *map(str, words)]
    if ranks > 1:
        command = [*program.mpirun, "-np", str(ranks), *command]
    return subprocess.Popen(command, cwd=program.directory, env=program.environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)


def ranks_of(process):
    """The processes of a run's ranks."""
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def kill(process, all_of_them):
    """mpirun and every rank at once, or one rank."""
    ranks = ranks_of(process)
    for victim in [process.pid, *ranks] if all_of_them else ranks[-1:]:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass


def finish(process):
    """Waits for a run to end. A hang is a failure."""
    try:
        _, error = process.communicate(timeout=cli.TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise cli.Failure("hang after a signal") from None
    return process.returncode, error


def await_file(program, name, process):
    """Waits until a file is there, or the run is over."""
    while not os.path.exists(program.file(name)) and process.poll() is None:
        time.sleep(0.002)


def expect_same(program, what):
    different = cli.datasets_equal(program.file("whole.h5"), program.file("out.h5"))
    expect(not different, f"{what}: {different} differ")
    for name in ("out.h5.part", "out.h5.checkpoint"):
        expect(not os.path.exists(program.file(name)), f"{what}: {name} is left")


def test_killed(program):
    """Ten random moments; a rank or all processes; each goes on with another number of ranks."""
    chance = random.Random(int(os.environ.get("TEST_SEED", "4")))
    cli.write_points(program.file("in.h5"), cli.uniform(COUNT, 2))
    began = time.monotonic()
    program.succeed("vecchia", "in.h5", "whole.h5", *WORDS, ranks=2)
    length = time.monotonic() - began
    for number in range(3 if os.environ.get("TEST_SLOW_RUNS") else 10):
        what = f"kill {number}"
        process = start(program, "vecchia", "in.h5", "out.h5", *WORDS, "--overwrite", ranks=chance.choice((2, 3)))
        time.sleep(chance.uniform(0, 0.9 * length))
        if process.poll() is None:
            kill(process, number % 2 == 0)
        finish(process)
        time.sleep(0.2)  # processes that were killed are gone
        if os.path.exists(program.file("out.h5")):  # it was faster
            different = cli.datasets_equal(program.file("whole.h5"), program.file("out.h5"))
            expect(not different, f"{what}: {different} differ")
            os.remove(program.file("out.h5"))
            continue
        program.succeed("vecchia", "in.h5", "out.h5", *WORDS, "--resume", ranks=chance.choice((1, 2, 4)))
        expect_same(program, what)
        os.remove(program.file("out.h5"))


def stopped(program, *words, ranks=2):
    """A run that is asked to stop once a checkpoint is there; its checkpoint, or None if it was faster."""
    for _ in range(5):
        process = start(program, *words, ranks=ranks)
        await_file(program, "out.h5.checkpoint", process)
        for rank in ranks_of(process)[:1]:
            os.kill(rank, signal.SIGUSR1)
        code, error = finish(process)
        if code != 0:
            expect(code == 75, f"exit code {code}: {error}")
            expect("--resume" in error and "SIGUSR1" in error, f"message: {error}")
            with open(program.file("out.h5.checkpoint"), encoding="utf-8") as file:
                return json.load(file)
        os.remove(program.file("out.h5"))
    raise cli.Failure("five runs were faster than a signal")


def test_stopped(program):
    """SIGUSR1 to one rank: the running block is finished, everything saved, exit code 75."""
    cli.write_points(program.file("in.h5"), cli.uniform(COUNT, 2))
    with h5py.File(program.file("in.h5"), "a") as file:
        file["data/number"] = range(COUNT)
    words = ("vecchia", "in.h5", "out.h5", *WORDS)
    program.succeed("vecchia", "in.h5", "whole.h5", *WORDS)
    checkpoint = stopped(program, *words)
    expect(checkpoint["bounds"] == [i * COUNT // 6 for i in range(7)], f"bounds: {checkpoint['bounds']}")
    expect(checkpoint["done"] % 5000 == 0, f"done: {checkpoint['done']}")
    expect(not os.path.exists(program.file("out.h5")), "the final name is there")
    # neither a new run nor one with other parameters touches it
    cli.expect_error(program.run(*words), 2, "out.h5.checkpoint", "--resume", "--overwrite")
    cli.expect_error(program.run(*words, "--resume", "-m", 21), 2, "out.h5.checkpoint", "m '20'", "'21'")
    cli.expect_error(program.run(*words, "--resume", "--seed", 1, ranks=2), 2, "seed")
    cli.expect_error(program.run(*words, "--resume", "--compress", 1), 2, "--compress")
    cli.write_points(program.file("other.h5"), cli.uniform(COUNT, 2, seed=2))
    cli.expect_error(program.run("vecchia", "other.h5", "out.h5", *WORDS, "--resume"), 2, "input hash")
    program.succeed(*words, "--resume", ranks=3)
    expect_same(program, "after a stop")
    # again, several times in a row, and then anew
    os.remove(program.file("out.h5"))
    stopped(program, *words)
    stopped(program, *words, "--resume", ranks=3)
    program.succeed(*words, "--resume")
    expect_same(program, "after two stops")
    os.remove(program.file("out.h5"))
    stopped(program, *words)
    program.succeed(*words, "--overwrite")
    expect_same(program, "anew")


def test_start(program):
    """--resume without anything to go on with starts; a damaged side file is refused."""
    cli.write_points(program.file("in.h5"), cli.uniform(500, 2))
    program.succeed("vecchia", "in.h5", "whole.h5", "-m", 5)
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--resume", ranks=2)
    expect_same(program, "start")
    os.remove(program.file("out.h5"))
    with open(program.file("out.h5.part"), "w", encoding="utf-8") as file:
        file.write("killed before the first checkpoint")
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--resume")
    expect_same(program, "start over a part")
    os.remove(program.file("out.h5"))
    with open(program.file("out.h5.part"), "w", encoding="utf-8") as file:
        file.write("of a checkpoint that is none")
    for text in ("", "{}", '{"format": "pcct-checkpoint", "version": 2}'):
        with open(program.file("out.h5.checkpoint"), "w", encoding="utf-8") as file:
            file.write(text)
        cli.expect_error(program.run("vecchia", "in.h5", "out.h5", "--resume", "--quiet"), 3, "out.h5.checkpoint")
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--overwrite")
    expect_same(program, "anew over what is damaged")
    with open(program.file("out.h5.checkpoint"), "w", encoding="utf-8") as file:
        file.write("a run was killed after it had renamed its output")
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--overwrite")
    expect_same(program, "beside a stale checkpoint")
    for count in (0, 1):
        cli.write_points(program.file("in.h5"), cli.uniform(count, 2))
        program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--checkpoint-blocks", 7, "--overwrite", ranks=2)


if __name__ == "__main__":
    cli.main([test_killed, test_stopped, test_start])
