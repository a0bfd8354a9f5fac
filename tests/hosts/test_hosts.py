"""Several hosts: network namespaces with addresses of their own, one of them behind a slow link.

The answers are the same as on one host; when a host dies the job ends with an error, without a hang and without
output under the final name. Needs root, iproute2 and util-linux: exit code 77 says that they are missing.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time

import hosts
from hosts import command

HOSTS = 3
SLOTS = 2
SLOW = "40mbit"
SKIPPED = 77
END_SECONDS = 60


class Cluster(hosts.Hosts):
    """Hosts that mpirun reaches."""

    def __init__(self, directory):
        super().__init__(HOSTS, SLOW)
        self.agent = os.path.join(directory, "agent")
        with open(self.agent, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nhost=$1\nshift\n' + shlex.join(self.inside("HOST")).replace("HOST", '"$host"')
                       + ' sh -c "$*"\n')
        os.chmod(self.agent, 0o755)

    def start(self, *words):
        """mpirun on the first host, over all."""
        hosts = ",".join(f"{name}:{SLOTS}" for name in self.names)
        net = f"{self.network}.0/24"
        mpirun = ["mpirun", "-q", "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", self.agent, "--mca", "ras",
                  "^slurm", "--host", hosts, "--mca", "btl", "self,vader,tcp", "--mca", "btl_tcp_if_include", net,
                  "--mca", "oob_tcp_if_include", net, "--mca", "mpi_yield_when_idle", "1", "--bind-to", "none",
                  "--mca", "oob_tcp_keepalive_time", "2", "--mca", "oob_tcp_keepalive_intvl", "1", "--mca",
                  "oob_tcp_keepalive_probes", "3"]
        environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                           OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        return subprocess.Popen([*self.inside(self.names[0]), *mpirun, *map(str, words)], env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def expect(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


def same_answers(program, cluster, directory):
    points, alone, several = (os.path.join(directory, name) for name in ("in.h5", "alone.h5", "several.h5"))
    command(program, "generate", points, "-n", 20000, "--quiet")
    command(program, "vecchia", points, alone, "-m", 20, "--quiet")
    process = cluster.start(program, "vecchia", points, several, "-m", 20, "--quiet")
    _, error = process.communicate(timeout=END_SECONDS)
    expect(process.returncode == 0, f"{HOSTS} hosts: exit code {process.returncode}: {error}")
    difference = command("h5diff", "--exclude-path=/provenance", alone, several, check=False)
    expect(difference.returncode == 0, f"answers differ: {difference.stdout}")
    ranks = command("h5dump", "-a", "/provenance/ranks", several).stdout
    expect(f": {HOSTS * SLOTS}\n" in ranks, f"not {HOSTS * SLOTS} ranks: {ranks}")
    print(f"{HOSTS} hosts of {SLOTS} ranks give the answers of one")


def death(program, cluster, directory, how):
    """A host dies in the middle of a run."""
    points, out = os.path.join(directory, "large.h5"), os.path.join(directory, f"{how.__name__}.h5")
    if not os.path.exists(points):
        command(program, "generate", points, "-n", 1000000, "--quiet")
    process = cluster.start(program, "vecchia", points, out, "-m", 30, "--quiet")
    time.sleep(2.5)
    expect(process.poll() is None, "the run ended before the host did")
    how(cluster)
    started = time.monotonic()
    try:
        process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        expect(False, f"{how.__name__}: the job still hung after {END_SECONDS} s")
    expect(process.returncode != 0, f"{how.__name__}: exit code 0")
    expect(not os.path.exists(out), f"{how.__name__}: output under the final name")
    print(f"{how.__name__}: the job ended after {time.monotonic() - started:.0f} s with exit code {process.returncode}")


def killed(cluster):
    cluster.kill(cluster.names[1])


def cut_off(cluster):
    command("ip", "link", "set", cluster.link(1), "down")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    program = os.path.abspath(parser.parse_args().program)
    tool = hosts.missing("h5diff", "mpirun")
    if tool:
        print(f"SKIPPED: hosts need {tool}, which is not there")
        return SKIPPED
    if os.geteuid() != 0:
        print("SKIPPED: making hosts (network namespaces) needs root")
        return SKIPPED
    hosts.end_on_signal()
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(directory)
        try:
            try:
                cluster.up()
            except subprocess.CalledProcessError as error:
                print(f"SKIPPED: hosts can't be made here: {error.stderr.strip()}")
                return SKIPPED
            same_answers(program, cluster, directory)
            death(program, cluster, directory, killed)
            death(program, cluster, directory, cut_off)
        finally:
            cluster.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
