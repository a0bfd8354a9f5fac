"""A Slurm of its own on this machine: controller, munge, and nodes, each a slurmd on a host of its own.

Nothing is configured outside a directory, and only processes started here are ended, by their ids.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "hosts"))
import hosts  # noqa: E402  (the path comes first)

CPUS = 2  # of a node
MEMORY = 4096  # of a node, in megabytes
UP_SECONDS = 60
NODE_PORT = 6818
TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "h5diff")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}({address})
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.sock
CredType=cred/munge
MpiDefault=pmix
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
ReturnToService=2
JobRequeue=1
KillOnBadExit=1
KillWait=5
MinJobAge=3600
SlurmctldTimeout=60
SlurmdTimeout=10
InactiveLimit=0
MailProg=/bin/true
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool.%n
TmpFS={directory}/tmp.%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.%n.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.%n.log
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=n[1-{nodes}] NodeAddr={network}.[1-{nodes}] CPUs={cpus} RealMemory={memory}
PartitionName=test Nodes=n[1-{nodes}] Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing():
    """The first tool that is not here; None if all are."""
    return hosts.missing(*TOOLS)


def free_port(address):
    with socket.create_server((address, 0)) as server:
        return server.getsockname()[1]


class Slurm:
    """The cluster. The directory must have a short path, for sockets."""

    def __init__(self, directory, nodes):
        self.directory = pathlib.Path(directory)
        self.hosts = hosts.Hosts(nodes)
        self.names = [f"n{i + 1}" for i in range(nodes)]
        self.environment = dict(os.environ)
        self.environment = {k: v for k, v in self.environment.items() if not re.match("(SLURM_|SBATCH_|OMPI_)", k)}
        self.environment.update(SLURM_CONF=str(self.directory / "slurm.conf"), OMPI_ALLOW_RUN_AS_ROOT="1",
                                OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_mpi_yield_when_idle="1",
                                OMPI_MCA_btl_tcp_if_include="eth0")

    def command(self, *words, check=True, cwd=None, **environment):
        """Runs a program that talks to the cluster."""
        return subprocess.run([str(word) for word in words], check=check, capture_output=True, text=True, cwd=cwd,
                              env=self.environment | environment)

    def up(self):
        """Starts it on hosts that are up."""
        for name in ("state", *(f"{kind}.{node}" for kind in ("spool", "tmp") for node in self.names)):
            (self.directory / name).mkdir()
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        (self.directory / "slurm.conf").write_text(
            CONFIGURATION.format(host=socket.gethostname().split(".")[0], directory=self.directory,
                                 port=free_port(self.hosts.address(-1)), node_port=NODE_PORT,
                                 address=self.hosts.address(-1), network=self.hosts.network, nodes=len(self.names),
                                 cpus=CPUS, memory=MEMORY), encoding="utf-8")
        self.command(hosts.find("munged"), "--force", f"--key-file={key}", f"--socket={self.directory}/munge.sock",
                     f"--pid-file={self.directory}/munged.pid", f"--log-file={self.directory}/munged.log",
                     f"--seed-file={self.directory}/munged.seed", "--num-threads=2")
        self.command(hosts.find("slurmctld"), "-c", "-f", self.directory / "slurm.conf")
        for name, host in zip(self.names, self.hosts.names):
            self.command(*self.hosts.inside(host, name), hosts.find("slurmd"), "-N", name, "-f",
                         self.directory / "slurm.conf")
        self.wait(lambda: len(self.idle()) == len(self.names), UP_SECONDS, "nodes did not come up")

    def idle(self):
        return self.command("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", check=False).stdout.split()

    def wait(self, holds, seconds, what):
        """Waits until a condition holds, which it returns."""
        end = time.monotonic() + seconds
        while True:
            value = holds()
            if value:
                return value
            if time.monotonic() > end:
                raise SystemExit(f"FAILED: {what} within {seconds} s\n{self.command('squeue', check=False).stdout}"
                                 f"{self.command('sinfo', '-N', '-l', check=False).stdout}{self.log_end()}")
            time.sleep(0.2)

    def log_end(self):
        """The last lines of the controller's log."""
        path = self.directory / "slurmctld.log"
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]) if path.exists() else ""

    def pid(self, name):
        """Of a daemon that still runs: its number may be another process's by now."""
        try:
            pid = int((self.directory / f"{name}.pid").read_text(encoding="utf-8"))
            return pid if pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() in name else None
        except (OSError, ValueError):
            return None

    def kill_node(self, name):
        """Ends a node and all that runs on it, at once."""
        self.hosts.kill(self.hosts.names[self.names.index(name)])

    def sockets(self, job, but):
        """What the steps of a job listen on, on all nodes but a lost one."""
        return [path for path in self.directory.glob(f"spool.n*/*.{job}.*") if f"spool.{but}/" not in str(path)
                and path.is_socket()]

    def down(self):
        self.command("scancel", "--state=RUNNING,PENDING,SUSPENDED", check=False)
        end = time.monotonic() + 10
        while self.command("squeue", "-h", "-t", "RUNNING,COMPLETING", check=False).stdout and time.monotonic() < end:
            time.sleep(0.2)
        daemons = (*(f"slurmd.{name}" for name in self.names), "slurmctld", "munged")
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in filter(None, map(self.pid, daemons)):
                os.kill(pid, number)
            end = time.monotonic() + 6
            while any(map(self.pid, daemons)) and time.monotonic() < end:
                time.sleep(0.1)
        self.hosts.down()

    def job(self, number):
        """What Slurm says of a job: {name: value}."""
        text = self.command("scontrol", "show", "job", "-o", number, check=False).stdout
        return dict(word.split("=", 1) for word in text.splitlines()[0].split() if "=" in word) if text else {}

    def state(self, number):
        return self.job(number).get("JobState", "")
