"""Hosts on one machine: network namespaces with addresses of their own, joined by a bridge.

Needs root, iproute2 and util-linux.
"""

import os
import shutil
import signal
import subprocess
import sys

TOOLS = ("ip", "tc", "nsenter", "unshare")


def command(*words, check=True, **keywords):
    return subprocess.run([str(word) for word in words], check=check, capture_output=True, text=True, **keywords)


def missing(*more):
    """The first tool that is not here; None if all are."""
    return next((tool for tool in (*TOOLS, *more) if not find(tool)), None)


def find(tool):
    """The path of a tool, also of one for administrators."""
    return shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def end_on_signal():
    """A test that is told to end does so as by an error: through its cleanup."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


class Hosts:
    """Namespaces joined by a bridge, which is the machine's own address among them. Names carry this process's id."""

    def __init__(self, count, slow=None):
        self.network = f"10.77.{os.getpid() % 256}"  # the first three numbers of addresses
        self.slow = slow  # the rate of the last host's link, if it is a slow one
        self.bridge = f"pb{os.getpid()}"
        self.names = [f"ph{os.getpid()}-{i}" for i in range(count)]

    def address(self, i):
        """Of a host; of the machine itself for -1."""
        return f"{self.network}.{i + 1 if i >= 0 else 254}"

    def inside(self, name, hostname=None):
        """The words before a command that runs as on a host: its own network, name and shared memory."""
        return ["nsenter", f"--net=/run/netns/{name}", "unshare", "--uts", "--mount", "--propagation", "private", "sh",
                "-c", 'hostname "$0" && mount -t tmpfs -o size=50% tmpfs /dev/shm && exec "$@"', hostname or name]

    def up(self):
        command("ip", "link", "add", self.bridge, "type", "bridge")
        command("ip", "addr", "add", f"{self.address(-1)}/24", "dev", self.bridge)
        command("ip", "link", "set", self.bridge, "up")
        for i, name in enumerate(self.names):
            command("ip", "netns", "add", name)
            command("ip", "link", "add", self.link(i), "type", "veth", "peer", "name", "eth0", "netns", name)
            command("ip", "link", "set", self.link(i), "master", self.bridge, "up")
            command("ip", "-n", name, "link", "set", "lo", "up")
            command("ip", "-n", name, "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
            command("ip", "-n", name, "link", "set", "eth0", "up")
        if self.slow:
            last = len(self.names) - 1
            for words in (("qdisc", "add", "dev", self.link(last)),
                          ("-n", self.names[last], "qdisc", "add", "dev", "eth0")):
                command("tc", *words, "root", "tbf", "rate", self.slow, "burst", "64kb", "latency", "50ms")

    def link(self, i):
        return f"pv{os.getpid()}-{i}"

    def down(self):
        for name in self.names:
            self.kill(name)
            command("ip", "netns", "del", name, check=False)
        command("ip", "link", "del", self.bridge, check=False)

    @staticmethod
    def kill(name):
        """Ends whatever still runs on a host."""
        for process in command("ip", "netns", "pids", name, check=False).stdout.split():
            try:
                os.kill(int(process), signal.SIGKILL)
            except ProcessLookupError:
                pass
