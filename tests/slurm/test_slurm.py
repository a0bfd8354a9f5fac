"""The job scripts under a real Slurm of several virtual nodes: to their verified ends, with the answers of one rank.

Needs root, and Debian's slurmctld, slurmd, slurm-client and munge: exit code 77 says that they are missing.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import slurm

SKIPPED = 77
NODES = 5
JOB_SECONDS = 400
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL")
POINTS = 50000
SLOW_POINTS = 100000
SIZE = ("--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=1", "--mem-per-cpu=500M", "--time=10")
# The program, whose first start takes many small blocks: about a minute, so that there is time to be stopped.
SLOW = """\
#!/bin/sh
if [ "$1" = vecchia ] && [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
  set -- "$@" --block-rows 8 --checkpoint-blocks 50
fi
exec %s "$@"
"""


def expect(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


class Case:
    """A cluster, the program, and a folder as a user has it: the job scripts with one site.sh, points."""

    def __init__(self, program, source, directory, cluster):
        self.program = program
        self.folder = pathlib.Path(directory) / "work"
        self.cluster = cluster
        self.jobs = self.folder / "jobs"
        self.folder.mkdir()
        shutil.copytree(pathlib.Path(source) / "jobs", self.jobs)
        site = (self.jobs / "site.sh").read_text(encoding="utf-8")
        site = site.replace("site_pcct=$jobs_root/build/pcct", f"site_pcct={program}")
        site = site.replace("site_python=python3", f"site_python={sys.executable}")
        expect(str(program) in site and sys.executable in site, "site.sh has no lines to edit")
        (self.jobs / "site.sh").write_text(site, encoding="utf-8")

    def pcct(self, *words):
        """A run on one rank, without Slurm."""
        subprocess.run([self.program, *map(str, words)], check=True, cwd=self.folder, capture_output=True,
                       env=self.cluster.environment)

    def submit(self, *words, check=True, **environment):
        """By submit.sh: the result."""
        return self.cluster.command(self.jobs / "submit.sh", *words, check=check, cwd=self.folder, **environment)

    def sbatch(self, *words, **environment):
        """By sbatch: the job's number."""
        return self.cluster.command("sbatch", "--parsable", *words, cwd=self.folder, **environment).stdout.strip()

    def log(self, pattern):
        """All that jobs wrote whose logs have such names."""
        return "\n".join(path.read_text(encoding="utf-8", errors="replace")
                         for path in sorted(self.folder.glob(pattern)))

    def end(self, job, state="COMPLETED", starts=1):
        """Waits for the end of a job that was started so many times."""
        found = self.cluster.wait(lambda: self.cluster.state(job) if self.cluster.state(job) in ENDED else None,
                                  JOB_SECONDS, f"job {job} did not end")
        expect(found == state, f"job {job} ended as {found}, expected {state}:\n{self.log(f'*-{job}*.log')}")
        found = self.cluster.job(job)
        expect(found["Restarts"] == str(starts - 1),
               f"job {job}: {found['Restarts']} restarts:\n{self.log(f'*-{job}.log')}")
        return found

    def same(self, first, second):
        result = subprocess.run(["h5diff", "--exclude-path", "/provenance", first, second], cwd=self.folder,
                                capture_output=True, text=True, check=False)
        expect(result.returncode == 0, f"{first} and {second} differ: {result.stdout}{result.stderr}")


def check_places(case, name, ranks, nodes):
    """Where the report says that a run was."""
    report = json.loads((case.folder / name).read_text(encoding="utf-8"))
    hosts = {place["host"] for place in report["affinity"]["ranks"]}
    expect(report["ranks"] == ranks and len(hosts) == nodes, f"{name}: {report['ranks']} ranks on {hosts}")
    cores = [(place["host"], place["threads"][0]["core"]) for place in report["affinity"]["ranks"]]
    expect(len(set(cores)) == len(cores) and not report["affinity"]["warnings"],
           f"{name}: ranks share cores: {report['affinity']}")


def scripts(case):
    """vecchia, knn and build on two nodes, with srun and with mpirun."""
    case.pcct("generate", "queries.h5", "-n", 1000, "--seed", 5)
    case.pcct("vecchia", "in.h5", "sets-1.h5", "-m", 20, "--ordering", "maximin")
    case.pcct("knn", "in.h5", "queries.h5", "near-1.h5", "-k", 8)
    jobs = [case.submit(*SIZE, "jobs/vecchia.sbatch", "in.h5", "sets.h5", "-m", 20, "--ordering", "maximin"),
            case.submit(*SIZE, "jobs/knn.sbatch", "in.h5", "queries.h5", "near.h5", "-k", 8),
            case.submit(*SIZE, "jobs/build.sbatch", "in.h5", "index.h5")]
    numbers = [job.stdout.split()[-1] for job in jobs]
    for number in numbers:
        case.end(number)
        expect("no difference" in case.log(f"*-{number}.log"), f"job {number} has verified nothing")
    case.same("sets-1.h5", "sets.h5")
    case.same("near-1.h5", "near.h5")
    for name in ("sets.json", "near.json", "index.json"):
        check_places(case, name, 4, 2)
    number = case.sbatch(*SIZE, "jobs/vecchia.sbatch", "index.h5", "again.h5", "-m", "20", JOBS_LAUNCHER="mpirun",
                         OMPI_MCA_rmaps_base_oversubscribe="1")
    case.end(number)
    case.pcct("vecchia", "in.h5", "again-1.h5", "-m", 20)
    case.same("again-1.h5", "again.h5")
    check_places(case, "again.json", 4, 2)
    left = [path.name for path in case.folder.iterdir() if re.search(r"\.part|checkpoint|\.job-|codes", path.name)]
    expect(not left, f"left over: {left}")
    print("vecchia, knn, build: verified on 2 nodes; answers of one rank")


def refusals(case):
    """What cannot work is not queued; what fails gives its exit code."""
    def refused(code, words, *fragments):
        result = case.submit(*words, check=False)
        expect(result.returncode == code, f"{words}: exit code {result.returncode}, expected {code}: {result.stderr}")
        for fragment in fragments:
            expect(fragment in result.stderr, f"{words}: expected {fragment!r} in {result.stderr}")

    small = [word if "mem" not in word else "--mem-per-cpu=40M" for word in SIZE]
    vecchia, strong = "jobs/vecchia.sbatch", "jobs/scaling-strong.sbatch"
    refused(2, (*small, vecchia, "in.h5", "no.h5"), "too small for 50000 points on 4 ranks", "cancelled")
    refused(2, (*small, strong, "no", "1e8", 2, 30, "uniform"), "too small for 100000000 points on 1 rank", "cancelled")
    refused(2, (*SIZE, vecchia, "in.h5", "no.h5", "--odering", "none"), "--ordering", "cancelled")
    refused(2, (*SIZE, strong, "no", "1e4", 2, 30, "cluster"), "clustered", "cancelled")
    refused(4, (*SIZE, vecchia, "nothing.h5", "no.h5"), "nothing.h5", "cancelled")
    refused(2, (*SIZE, "--nodes=50", vecchia, "in.h5", "no.h5"), "not available", "not queued")
    refused(2, (*SIZE, "vecchia", "in.h5", "no.h5"), "not a job script")
    queue = case.cluster.command("squeue", "-h").stdout
    expect(queue == "", f"still queued: {queue}")
    number = case.sbatch(*SIZE, "jobs/knn.sbatch", "site.h5", "no.h5")
    job = case.end(number, "FAILED")
    expect(job["ExitCode"] == "4:0", f"exit code {job['ExitCode']}, expected 4")
    expect("site.h5" in case.log(f"*-{number}.log"), "no message")
    expect(not (case.folder / "no.h5").exists(), "an output of a job that failed")
    print("jobs that cannot fit, or are wrong, are refused when they are submitted")


def scaling(case):
    """Arrays over numbers of ranks, collected behind themselves."""
    def collected(folder, study, ranks):
        table = case.folder / folder / "scaling.csv"
        case.cluster.wait(lambda: (case.folder / folder / "scaling.png").exists(), JOB_SECONDS,
                          f"{folder} was not collected:\n{case.log('pcct-scaling-*.log')}")
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = [(row["study"], *(int(row[name]) for name in ("ranks", "points", "nodes", "runs"))) for row in rows]
        size = (lambda r: 20000) if study == "strong" else (lambda r: 20000 * r)
        expect(found == [(study, r, size(r), (r + 1) // 2, 2) for r in ranks], f"{folder}: {found}")
        left = list((case.folder / folder).glob("*.h5"))
        expect(not left, f"left over: {left}")

    words = ("20000", "2", "10", "clustered")
    number = case.sbatch(*SIZE, "--array=1,2,4", "jobs/scaling-strong.sbatch", "strong", *words, JOBS_REPEATS="2")
    result = case.submit(*SIZE, "--array=1,4,8", "--nodes=4", "jobs/scaling-weak.sbatch", "weak", *words,
                         JOBS_REPEATS="2")
    collected("strong", "strong", (1, 2, 4))
    collected("weak", "weak", (1, 4, 8))
    numbers = result.stdout.split()[:-1]  # the last one collects
    nodes = [int(case.cluster.job(job)["NumNodes"]) for job in numbers]
    expect(nodes == [1, 2, 4], f"nodes of the jobs of weak scaling: {nodes}")
    for job in (number, *numbers):
        case.end(job)
    expect(case.log("pcct-scaling-weak*.log").count("no difference") == 3, "outputs of scaling were not verified")
    print("strong and weak scaling: collected and drawn")


def again(case):
    """The time limit, and the loss of a node: both jobs go on, to the answers of an undisturbed run."""
    cluster = case.cluster
    case.pcct("generate", "slow.h5", "-n", SLOW_POINTS)
    case.pcct("vecchia", "slow.h5", "slow-1.h5", "-m", 30)
    slow = case.folder / "slow"
    slow.write_text(SLOW % case.program, encoding="utf-8")
    slow.chmod(0o755)
    limit, lost = (case.sbatch(*SIZE[:-1], *words, "jobs/vecchia.sbatch", "slow.h5", f"{name}.h5", PCCT=str(slow))
                   for words, name in ((("--time=1", "--signal=USR1@55"), "limit"), (("--time=10",), "lost")))
    checkpoint = case.folder / "lost.h5.checkpoint"
    cluster.wait(lambda: checkpoint.exists() and json.loads(checkpoint.read_text(encoding="utf-8"))["done"] > 0,
                 JOB_SECONDS, "no checkpoint")

    def hosts(job):
        return cluster.command("scontrol", "show", "hostnames", cluster.job(job)["NodeList"]).stdout.split()

    node = hosts(lost)[1]
    cluster.kill_node(node)
    for job in (limit, lost):
        cluster.wait(lambda job=job: cluster.job(job).get("Restarts") == "1", JOB_SECONDS,
                     f"job {job} is not back in the queue")
        # Slurm lets a requeued job wait for two minutes, until its first start is gone from the nodes for sure: then
        # the second may bind the sockets of the first. And the limit was to be reached but once.
        cluster.wait(lambda job=job: not cluster.sockets(job, node), JOB_SECONDS,
                     f"the first start of {job} did not end")
        cluster.command("scontrol", "update", f"JobId={job}", "StartTime=now", "TimeLimit=10")
    for job, name in ((limit, "limit"), (lost, "lost")):
        case.end(job, starts=2)
        log = case.log(f"*-{job}.log")
        expect("start 2" in log and "no difference" in log, f"job {job}: {log}")
        done = re.search(r"going on; (\d+) of \d+ rows are there", log)
        expect(done and int(done[1]) > 0, f"job {job} did not go on: {log}")
        case.same("slow-1.h5", f"{name}.h5")
    expect("stopped by SIGUSR1" in case.log(f"*-{limit}.log"), "the time limit was not seen coming")
    print("after the time limit and after the loss of a node jobs go on to the same answers")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", required=True, help="the project's folder")
    parser.add_argument("--only", help="of scripts, refusals, scaling, again")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: starting Slurm needs root")
        return SKIPPED
    tool = slurm.missing()
    if tool:
        print(f"SKIPPED: Slurm is not here: {tool} is missing (apt-get install slurmctld slurmd slurm-client munge)")
        return SKIPPED
    slurm.hosts.end_on_signal()
    with tempfile.TemporaryDirectory(prefix="ps") as directory:
        os.chmod(directory, 0o755)
        cluster = slurm.Slurm(directory, NODES)
        try:
            try:
                cluster.up()
            except subprocess.CalledProcessError as error:
                print(f"SKIPPED: hosts or Slurm cannot be started here: {' '.join(error.cmd)}: {error.stderr.strip()}")
                return SKIPPED
            case = Case(os.path.abspath(options.program), options.source, directory, cluster)
            case.pcct("generate", "in.h5", "-n", POINTS)
            for test in (scripts, refusals, scaling, again):
                if options.only in (None, test.__name__):
                    test(case)
        finally:
            cluster.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
