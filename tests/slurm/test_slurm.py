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
# Of jobs, by sbatch; and what submit.sh does not take from site.sh.
SIZE = ("--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=1", "--mem-per-cpu=500M", "--time=10")
SITE = (("site_ranks_per_node=", "site_ranks_per_node=2"), ("site_threads_per_rank=", "site_threads_per_rank=1"),
        ("site_options=()", "site_options=(--time=10)"))
THREADS = ("--ntasks-per-node=1", "--cpus-per-task=2")
REST = ("--nodes=2", "--mem-per-cpu=500M")
# The program, whose first start takes a block for each row: about a minute, so that there is time to be stopped.
SLOW = """\
#!/bin/sh
if [ "$1" = vecchia ] && [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
  set -- "$@" --block-rows 1 --checkpoint-blocks 50
fi
exec %s "$@"
"""
# The slow program, whose first start hangs once something is saved: vecchia INPUT OUTPUT ...
HANGING = """\
#!/bin/sh
if [ "$1" != vecchia ] || [ "${SLURM_RESTART_COUNT:-0}" != 0 ]; then
  exec ./slow "$@"
fi
./slow "$@" &
until grep -q '"done":[^0-9]*[1-9]' "$3.checkpoint" 2>/dev/null; do
  sleep 0.2
done
while kill -STOP $!; do # again and again: Slurm wakes it up before it ends it
  sleep 0.1
done
"""
# The program, which is killed in its first start, and verify in the second.
KILLED = """\
#!/bin/sh
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || [ "$1,$SLURM_RESTART_COUNT" = verify,1 ]; then
  kill -KILL $$
fi
exec %s "$@"
"""
# The program, whose ranks are ended by MPI in the first start, as when they lose one.
ABORTED = """\
#!/bin/sh
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
  exit 1
fi
exec %s "$@"
"""
# A program that is always stopped before it has done anything.
NEVER = """\
#!/bin/sh
exit 75
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
        for line, edited in (("site_pcct=$jobs_root/build/pcct", f"site_pcct={program}"),
                             ("site_python=python3", f"site_python={sys.executable}"), *SITE):
            expect(f"\n{line}\n" in site, f"site.sh has no line {line}")
            site = site.replace(f"\n{line}\n", f"\n{edited}\n")
        (self.jobs / "site.sh").write_text(site, encoding="utf-8")

    def pcct(self, *words):
        """A run on one rank, without Slurm."""
        subprocess.run([self.program, *map(str, words)], check=True, cwd=self.folder, capture_output=True,
                       env=self.cluster.environment)

    def program_instead(self, name, text):
        """A program in place of pcct, for PCCT: its path."""
        path = self.folder / name
        path.write_text(text % self.program if "%s" in text else text, encoding="utf-8")
        path.chmod(0o755)
        return str(path)

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

    def go_on(self, job, lost=None, starts=2):
        """Lets a job that is back in the queue start at once: Slurm would let it wait for two minutes, until its last
        start is gone from the nodes for sure, so that the next may bind the sockets of that. The time limit was to be
        reached but once.
          lost  a node that is gone"""
        def started():
            found = self.cluster.job(job)
            if found["JobState"] in ("COMPLETED", "FAILED", "CANCELLED"):  # perhaps for the first time: end() tells
                return True
            if int(found["Restarts"]) >= starts:  # it was quick to be killed once more
                return True
            if int(found["Restarts"]) < starts - 1 or self.cluster.sockets(job, lost):
                return False
            if found["JobState"] == "PENDING":  # Slurm sets the time anew while a start is taken down
                self.cluster.command("scontrol", "update", f"JobId={job}", "StartTime=now", "TimeLimit=10", check=False)
            return found["JobState"] == "RUNNING"

        self.cluster.wait(started, JOB_SECONDS, f"job {job} did not start again:\n{self.log(f'*-{job}.log')}")

    def same(self, first, second):
        result = subprocess.run(["h5diff", "--exclude-path", "/provenance", first, second], cwd=self.folder,
                                capture_output=True, text=True, check=False)
        expect(result.returncode == 0, f"{first} and {second} differ: {result.stdout}{result.stderr}")


def check_places(case, name, ranks, nodes, threads=1):
    """Where the report says that a run was: no two threads of a host on one core, as far as it has cores."""
    report = json.loads((case.folder / name).read_text(encoding="utf-8"))
    hosts = {place["host"] for place in report["affinity"]["ranks"]}
    expect(report["ranks"] == ranks and len(hosts) == nodes, f"{name}: {report['ranks']} ranks on {hosts}")
    cores = [(place["host"], thread["core"]) for place in report["affinity"]["ranks"] for thread in place["threads"]]
    expect(len(cores) == ranks * threads, f"{name}: {len(cores)} threads")
    expect(len(set(cores)) == len(cores) and not report["affinity"]["warnings"],
           f"{name}: threads share cores: {report['affinity']}")


def scripts(case):
    """vecchia, knn and build on two nodes, with srun and with mpirun."""
    case.pcct("vecchia", "in.h5", "sets-1.h5", "-m", 20, "--ordering", "maximin")
    jobs = [case.submit(*REST, "jobs/vecchia.sbatch", "in.h5", "sets.h5", "-m", 20, "--ordering", "maximin"),
            case.submit(*REST, "jobs/knn.sbatch", "in.h5", "queries.h5", "near 8.h5", "-k", 8),
            case.submit(*REST, *THREADS, "jobs/build.sbatch", "in.h5", "index.h5")]
    numbers = [job.stdout.split()[-1] for job in jobs]
    for number in numbers:
        case.end(number)
        expect("no difference" in case.log(f"*-{number}.log"), f"job {number} has verified nothing")
    case.same("sets-1.h5", "sets.h5")
    case.same("near-1.h5", "near 8.h5")
    for name in ("sets.json", "near 8.json"):
        check_places(case, name, 4, 2)
    check_places(case, "index.json", 2, 2, 2)
    number = case.sbatch(*SIZE, *THREADS, "jobs/vecchia.sbatch", "index.h5", "again.h5", "-m", "20",
                         JOBS_LAUNCHER="mpirun")
    case.end(number)
    case.pcct("vecchia", "in.h5", "again-1.h5", "-m", 20)
    case.same("again-1.h5", "again.h5")
    check_places(case, "again.json", 2, 2, 2)
    print("vecchia, knn, build: verified on 2 nodes; answers of one rank")


def refusals(case):
    """What cannot work is not queued; what fails gives its exit code."""
    def refused(code, words, *fragments):
        result = case.submit(*words, check=False)
        expect(result.returncode == code, f"{words}: exit code {result.returncode}, expected {code}: {result.stderr}")
        for fragment in fragments:
            expect(fragment in result.stderr, f"{words}: expected {fragment!r} in {result.stderr}")

    small = ("--nodes=2", "--mem-per-cpu=40M")
    vecchia, strong = "jobs/vecchia.sbatch", "jobs/scaling-strong.sbatch"
    refused(2, (*small, vecchia, "in.h5", "no.h5"), "too small for 50000 points on 4 ranks", "cancelled")
    refused(2, (*small, strong, "no", "1e8", 2, 30, "uniform"), "too small for 100000000 points on 1 rank", "cancelled")
    refused(2, (*REST, vecchia, "in.h5", "no.h5", "--odering", "none"), "--ordering", "cancelled")
    refused(2, (*REST, strong, "no", "1e4", 2, 30, "cluster"), "clustered", "cancelled")
    refused(4, (*REST, vecchia, "nothing.h5", "no.h5"), "nothing.h5", "cancelled")
    refused(2, (*REST, "--nodes=50", vecchia, "in.h5", "no.h5"), "not available", "not queued")
    refused(2, (*REST, "vecchia", "in.h5", "no.h5"), "not a job script")
    refused(2, ("--nodes=2", "--mem=0", strong, "no", "1e9", 2, 30, "uniform"), "limit of 2.04 GB is too small",
            "cancelled")
    refused(2, ("--nodes=2", "--mem-per-cpu=150M", "--array=4", strong, "no", "1e6", 2, 30, "uniform"),
            "JOBS_VERIFY=no", "cancelled")
    refused(2, (*REST, strong, "no", "1e4", 2, 30, "uniform", "--odering", "none"), "--ordering", "cancelled")
    refused(2, (*REST, "--array=1,40", strong, "no", "1e4", 2, 30, "uniform"), "not available", "not queued")
    queue = case.cluster.command("squeue", "-h", "-n", "pcct-scaling-strong").stdout
    queue += case.cluster.command("squeue", "-h", "-t", "pending").stdout
    expect(queue == "", f"still queued: {queue}")
    expect(not (case.folder / "no").exists(), "a folder of what was refused")
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
        expect(found == [(study, r, size(r), (r + 1) // 2, 2) for r in ranks],
               f"{folder}: {found}\n{case.log(f'pcct-scaling-{study}*.log')}")
        left = list((case.folder / folder).glob("*.h5"))
        expect(not left, f"left over: {left}")

    words = ("20000", "2", "10", "clustered")
    number = case.sbatch(*SIZE, "--array=1,2,4", "jobs/scaling-strong.sbatch", "strong", *words, JOBS_REPEATS="2")
    result = case.submit(*REST, "--array=1,4,8", "--nodes=4", "jobs/scaling-weak.sbatch", "weak", *words,
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


def start_hanging(case):
    """A job that reaches its time limit, as its ranks hang: it runs on a node of its own beside all other tests."""
    case.pcct("generate", "slow.h5", "-n", SLOW_POINTS)
    case.pcct("vecchia", "slow.h5", "slow-1.h5", "-m", 30)
    case.slow = case.program_instead("slow", SLOW)
    return case.sbatch("--nodes=1", f"--nodelist={case.cluster.names[-1]}", *SIZE[1:-1], "--time=1", "--signal=URG@1",
                       "jobs/vecchia.sbatch", "slow.h5", "hanging.h5", JOBS_LAUNCHER="mpirun",
                       PCCT=case.program_instead("hanging", HANGING))


def again(case, hanging):
    """Jobs that are stopped before the time limit or end there, lose a node or are killed, go on to the answers of
    undisturbed runs; one that does not get anywhere ends."""
    cluster = case.cluster

    def vecchia(name, *words, program=case.slow, **environment):
        return case.sbatch(*SIZE[:-1], *words, "jobs/vecchia.sbatch", "slow.h5", f"{name}.h5", PCCT=program,
                           **environment)

    def begun(name):
        path = case.folder / f"{name}.h5.checkpoint"
        cluster.wait(lambda: path.exists() and json.loads(path.read_text(encoding="utf-8"))["done"] > 0, JOB_SECONDS,
                     "no checkpoint")

    stopped = ("--time=1", "--signal=B:USR1@55")
    jobs = {"hanging": hanging, "lost": vecchia("lost", "--time=10"), "stopped": vecchia("stopped", *stopped)}
    begun("lost")
    nodes = cluster.command("scontrol", "show", "hostnames", cluster.job(jobs["lost"])["NodeList"]).stdout.split()
    cluster.kill_node(nodes[1])
    case.go_on(jobs["stopped"], nodes[1])
    jobs["mpirun"] = vecchia("mpirun", "--time=10", "--nodes=1", JOBS_LAUNCHER="mpirun")
    never = vecchia("never", *stopped, program=case.program_instead("never", NEVER))
    shutil.copy(case.folder / "in.h5", case.folder / "kept.h5")
    killed, kept = (case.sbatch(*SIZE, "jobs/knn.sbatch", "in.h5", "queries.h5", f"{name}.h5", "-k", "8",
                                PCCT=case.program_instead(name, program))
                    for name, program in (("killed", KILLED), ("kept", ABORTED)))
    begun("mpirun")
    cluster.command("scancel", "--batch", "--signal=USR1", jobs["mpirun"])  # as Slurm does before a time limit
    case.go_on(killed, nodes[1])
    for job in (kept, jobs["mpirun"]):
        case.go_on(job, nodes[1])
    case.go_on(killed, nodes[1], starts=3)
    for job in (jobs["lost"], hanging):
        case.go_on(job, nodes[1])
    cancelled = vecchia("cancelled", "--time=10")
    begun("cancelled")
    cluster.command("scancel", cancelled)

    case.end(killed, starts=3)
    case.same("near-1.h5", "killed.h5")
    log = case.log(f"*-{killed}.log")
    expect(log.count("killed, or not started") == 2 and log.count("rows of 8 neighbours") == 1, f"two kills: {log}")
    expect(case.end(kept, "FAILED", starts=2)["ExitCode"] == "2:0", "a file that was there before was not refused")
    case.same("in.h5", "kept.h5")
    expect(case.end(never, "FAILED")["ExitCode"] == "75:0", "a job that does not get anywhere did not end with 75")
    expect("could not save a single block" in case.log(f"*-{never}.log"), "no word on a job that does not get anywhere")
    case.end(cancelled, "CANCELLED")
    expect("ended by Slurm" in case.log(f"*-{cancelled}.log"), "a job that was cancelled did not notice")
    for name in ("cancelled.h5.part", "cancelled.h5.checkpoint", "cancelled.json.part"):
        (case.folder / name).unlink()  # stay, to go on with
    for name, job in jobs.items():
        case.end(job, starts=2)
        log = case.log(f"*-{job}.log")
        expect("start 2" in log and "no difference" in log, f"job {job}: {log}")
        done = re.search(r"going on; (\d+) of \d+ rows are there", log)
        expect(done and int(done[1]) > 0, f"job {job} did not go on: {log}")
        expect(("stopped by SIGUSR1" in log) == (name in ("stopped", "mpirun")), f"job {job}, {name}: {log}")
        expect(("the time limit came" in log) == (name == "hanging"), f"job {job}, {name}: {log}")
        case.same("slow-1.h5", f"{name}.h5")
    left = [path.name for path in case.folder.iterdir() if re.search(r"\.part$|checkpoint|\.job-|codes", path.name)]
    expect(not left, f"left over: {left}")
    print("stopped before the time limit, ended by it, without a node, killed: jobs go on to the same answers")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", required=True, help="the project's folder")
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
                cluster.hosts.up()
            except subprocess.CalledProcessError as error:
                print(f"SKIPPED: hosts can't be made here: {error.stderr.strip()}")
                return SKIPPED
            cluster.up()
            case = Case(os.path.abspath(options.program), options.source, directory, cluster)
            case.pcct("generate", "in.h5", "-n", POINTS)
            case.pcct("generate", "queries.h5", "-n", 1000, "--seed", 5)
            case.pcct("knn", "in.h5", "queries.h5", "near-1.h5", "-k", 8)
            hanging = start_hanging(case)
            for test in (scripts, refusals, scaling):
                test(case)
            again(case, hanging)
        finally:
            cluster.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
