#!/usr/bin/python3
"""Measures pcct against other libraries in alternation, and against fixed times.

Each row is run in rounds: pcct once, then each of its peers once, as new processes on the same files. The
medians over the rounds give the ratio; of several peers the fastest counts. Sums of distances must agree.
"""

import argparse
import collections
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

# name, workload, peers, instruction set, smallest ratio that must be reached, ratio wanted
Race = collections.namedtuple("Race", "name workload peers isa must want")
RACES = [
    Race("W1 k=30", "w1-k30", ["nanoflann"], "auto", 4.2, 7),
    Race("W1 k=10", "w1-k10", ["nanoflann"], "auto", 3, 4.5),
    Race("W2 k=10", "w2-k10", ["nanoflann"], "auto", 2.5, 3.5),
    Race("W2 k=30", "w2-k30", ["nanoflann"], "auto", 3.5, 5),
    Race("W3 k=30", "w3-k30", ["nanoflann"], "auto", 4, 6),
    Race("W4 k=30", "w4-k30", ["nanoflann"], "auto", 4, 6),
    Race("W5", "w5", ["flann"], "auto", 1.7, 2.5),
    Race("W5 uniform", "w5-uniform", ["flann"], "auto", None, None),
    Race("W5 8,192/1,024", "w5-8192", ["nanoflann", "flann"], "auto", 1.8, 2.5),
    Race("W5 2,048/512", "w5-2048", ["nanoflann", "flann"], "auto", 1.8, 2.5),
    Race("W5 8,192/1,024 uniform", "w5-8192-uniform", ["nanoflann", "flann"], "auto", None, None),
    Race("W5 2,048/512 uniform", "w5-2048-uniform", ["nanoflann", "flann"], "auto", None, None),
    Race("8-D 32,768/1,024 k=8", "w5-32768-k8", ["nanoflann", "flann"], "auto", None, None),
    Race("8-D 32,768/1,024 k=50", "w5-32768-k50", ["nanoflann", "flann"], "auto", None, None),
    Race("W6 10^5", "w6-1e5", ["nanoflann"], "auto", None, None),
    Race("W6 10^6", "w6", ["nanoflann"], "auto", 4, 6),
    Race("W1 k=30 AVX2", "w1-k30", ["nanoflann"], "avx2", 2.5, 4),
    Race("W1 k=30 plain", "w1-k30", ["nanoflann"], "plain", 1.3, 2),
]

# name, workload, ranks, threads, what is measured, unit, largest (of a speedup, smallest) allowed, and wanted
Limit = collections.namedtuple("Limit", "name workload ranks threads measure unit must want")
LIMITS = [
    Limit("build + finalise 10^6", "build", 1, 1, "build", "s", 0.20, 0.10),
    Limit("build + finalise 10^6: 2 threads against 1", "build", 1, 2, "speedup", "x", 1.7, 1.9),
    Limit("build + finalise 10^6, leaf size 1", "build-leaf1", 1, 1, "build", "s", 2.5, 1.0),
    Limit("build + finalise 10^6, leaf size 1: 2 threads against 1", "build-leaf1", 1, 2, "speedup", "x", 1.7, 1.9),
    Limit("finalise / build 10^6", "build", 1, 1, "finalise share", "%", 15, 15),
    Limit("finalise / build 10^6, leaf size 1", "build-leaf1", 1, 1, "finalise share", "%", 15, 15),
    Limit("W1 k=30, 2 ranks", "w1-k30", 2, 1, "total", "s", 0.8, 0.45),
    Limit("memory beyond the output, W1 k=30", "w1-k30", 1, 1, "bytes", "bytes/point", 150, 100),
    Limit("CSR, 8,192 points", "w5-8192", 1, 1, "csr", "ms", 25, 1),
    Limit("CSR, 2,048 points", "w5-2048", 1, 1, "csr", "ms", 25, 1),
]

# Points in a leaf, the best of some tried for each peer and number of coordinates.
LEAVES = {("nanoflann", 2): 10, ("nanoflann", 3): 10, ("nanoflann", 8): 48, ("flann", 8): 48, ("scipy", 2): 16,
          ("scipy", 3): 16, ("scipy", 8): 16}
# Runs are repeated within a process, and their median counts: a machine's first touch of memory that it gave away
# may cost as much as the work. Short ones for so many seconds, and so often at most.
REPEATED_LEAST, REPEATED_SECONDS, REPEATED_MOST = 3, 0.5, 15
MPIRUN = "mpirun -q --oversubscribe --bind-to none"


class Failure(Exception):
    """A program did not do what it should."""


def run(words, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{shlex.join(map(str, words))}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Bench:
    """The programs, and how they are called."""

    def __init__(self, options):
        self.options = options
        self.bin = pathlib.Path(options.build)
        self.data = pathlib.Path(options.data)
        self.data.mkdir(parents=True, exist_ok=True)

    def pcct(self, workload, threads, isa="auto", ranks=1, repeat=1, check=0):
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            words = shlex.split(self.options.mpirun) + ["-np", str(ranks)] if ranks > 1 else []
            words += [str(self.bin / "pcct-bench"), "--workload", workload, "--threads", str(threads), "--isa", isa,
                      "--repeat", str(repeat), "--data", str(self.data), "--json", out.name]
            words += ["--check", str(check)] if check else []
            words += ["--points", str(self.options.points)] if self.options.points else []
            for setting in self.options.set:
                words += ["--set", setting]
            run(words, threads)
            return json.load(out)["runs"][0]

    def has_peer(self, peer, isa):
        return self.peer_program(peer, isa).exists()

    def peer_program(self, peer, isa):
        if peer == "scipy":
            return pathlib.Path(__file__).with_name("peer_scipy.py")
        return self.bin / f"peer-{peer}-{'native' if isa == 'auto' else isa}"

    def peer(self, peer, isa, ours, threads, repeat):
        words = [str(self.peer_program(peer, isa)), "--points", ours["points_file"], "--dimension",
                 str(ours["dimension"]), "--k", str(ours["k"]), "--threads", str(threads), "--repeat", str(repeat),
                 "--leaf", str(LEAVES.get((peer, ours["dimension"]), 10))]
        words += ["--queries", ours["queries_file"]] if ours["queries_file"] else []
        words += ["--predecessors"] if ours["workload"].startswith("w6") else []
        words += ["--fresh-output"] if self.options.fresh_output else []
        return json.loads(run(words, threads))


def agree(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def verdict(met_must, met_want):
    return "want" if met_want else "must" if met_must else "not met"


def race(bench, row, threads):
    options = bench.options
    peers = [p for p in row.peers + options.also if bench.has_peer(p, row.isa)]
    if row.workload.startswith("w6"):
        peers = [p for p in peers if p == "nanoflann"]
    ours, theirs = [], {p: [] for p in peers}
    repeat = REPEATED_LEAST
    for number in range(options.rounds):
        if number == 0:  # makes the files, checks, and tells how long it takes
            first = bench.pcct(row.workload, threads, row.isa, check=options.check)
            if first.get("wrong"):
                raise Failure(f"{row.name}: wrong answers")
            repeat = max(REPEATED_LEAST, min(REPEATED_MOST, int(REPEATED_SECONDS / first["seconds"]["total"])))
        ours.append(bench.pcct(row.workload, threads, row.isa, repeat=repeat))
        for peer in peers:
            theirs[peer].append(bench.peer(peer, row.isa, ours[-1], threads, repeat))
    for peer in peers:
        if not agree(ours[0]["checksum"], theirs[peer][0]["checksum"]):
            raise Failure(f"{row.name}: the sum of distances is {ours[0]['checksum']!r}, and "
                          f"{theirs[peer][0]['checksum']!r} by {peer}")
    mine = statistics.median(r["seconds"]["total"] for r in ours)
    totals = {p: statistics.median(r["total"] for r in theirs[p]) for p in peers}
    counted = [p for p in peers if p in row.peers]
    best = min(counted, key=totals.get) if counted else None
    ratio = totals[best] / mine if best else None
    met = ""
    if ratio and row.must and not options.points:
        met = verdict(ratio >= row.must, ratio >= row.want)
    return {"row": row.name, "workload": row.workload, "threads": threads, "ranks": 1, "isa": row.isa,
            "pcct": mine, "unit": "s", "peer": best, "peer_total": totals.get(best), "ratio": ratio,
            "must": row.must, "want": row.want, "met": met, "peers": totals,
            "pcct_query": statistics.median(r["seconds"]["query"] for r in ours),
            "pcct_create": statistics.median(r["seconds"]["create"] for r in ours),
            "points": ours[0]["points"], "phases": ours[-1]["phases"], "quotients": ours[-1]["quotients"],
            "pcct_runs": [r["seconds"] for r in ours], "peer_runs": theirs}


def measured(result, measure):
    phases = result["phases"]
    if measure == "total":
        return result["seconds"]["total"]
    if measure == "bytes":
        return result["memory"]["bytes_per_point"]
    if measure == "csr":
        return result["stages_milliseconds"]["csr"]
    if measure == "finalise share":
        return 100 * phases["finalise"] / phases["build"]
    return phases["build"] + phases["finalise"]


def limit(bench, row):
    speedup = row.measure == "speedup"
    results, values = [], []
    for _ in range(bench.options.rounds):
        one = bench.pcct(row.workload, 1, repeat=3) if speedup else None
        results.append(bench.pcct(row.workload, row.threads, ranks=row.ranks, repeat=3))
        here = measured(results[-1], "build" if speedup else row.measure)
        values.append(measured(one, "build") / here if speedup else here)
    value = statistics.median(values)
    met = ""
    if row.must and not bench.options.points:
        sign = 1 if speedup else -1
        met = verdict(sign * value >= sign * row.must, sign * value >= sign * row.want)
    return {"row": row.name, "workload": row.workload, "threads": row.threads, "ranks": row.ranks, "isa": "auto",
            "pcct": value, "unit": row.unit, "peer": None, "peer_total": None, "ratio": None, "must": row.must,
            "want": row.want, "met": met, "points": results[0]["points"], "phases": results[-1]["phases"],
            "values": values}


def number(value, form):
    return "" if value is None else format(value, form)


def bound(result, key):
    """The bound as text: ratios and speedups from below, all else from above."""
    value = result[key]
    if value is None:
        return ""
    if result["ratio"] is not None or result["unit"] == "x":
        return f">= {value:.3g}x"
    return f"<= {value:.3g} {result['unit']}"


def line(result):
    seconds = result["unit"] == "s"
    value = number(result["pcct"], ".4f" if seconds else ".3g") + ("" if seconds else " " + result["unit"])
    who = f"{result['ranks']} ranks x {result['threads']}" if result["ranks"] > 1 else str(result["threads"])
    cells = [result["row"], who, result["peer"] or "", number(result["peer_total"], ".4f"), value,
             number(result["ratio"], ".2f"), bound(result, "must"), bound(result, "want"), result["met"]]
    return "| " + " | ".join(cells) + " |"


HEADING = ("| row | threads | peer | peer, s | pcct, s | ratio | must | want | met |\n"
           "|---|---|---|---|---|---|---|---|---|")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build directory with pcct-bench and the peers")
    parser.add_argument("--data", required=True, help="directory for the points")
    parser.add_argument("--rows", default="", help="comma-separated parts of row or workload names; default: all")
    parser.add_argument("--threads", default="1,2", help="default: 1,2")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--points", type=int, default=0, help="at most so many points: to try things out")
    parser.add_argument("--check", type=int, default=0, help="queries to compare with a plain search")
    parser.add_argument("--also", default="", help="more peers to run along, e.g. scipy or flann")
    parser.add_argument("--fresh-output", action="store_true",
                        help="peers write to memory that was not touched before, as pcct does")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of pcct")
    parser.add_argument("--mpirun", default=MPIRUN, help=f"default: {MPIRUN}")
    parser.add_argument("--no-limits", action="store_true", help="races alone")
    parser.add_argument("--no-races", action="store_true", help="fixed limits alone")
    parser.add_argument("--json", help="file for everything measured")
    parser.add_argument("--markdown", help="file for the table")
    options = parser.parse_args()
    options.also = [p for p in options.also.split(",") if p]
    return options


def main():
    options = parse()
    bench = Bench(options)
    parts = [p.lower() for p in options.rows.split(",") if p]
    threads = [int(t) for t in options.threads.split(",")]

    def wanted(row):
        return not parts or any(p in row.name.lower() or p == row.workload for p in parts)

    results, failures = [], 0
    print(HEADING, flush=True)
    work = []
    if not options.no_races:
        work += [lambda r=r, t=t: race(bench, r, t) for r in RACES if wanted(r) for t in threads]
    if not options.no_limits:
        work += [lambda r=r: limit(bench, r) for r in LIMITS if wanted(r) and r.threads in threads]
    for job in work:
        try:
            results.append(job())
            print(line(results[-1]), flush=True)
        except Failure as failure:
            print(f"ratios.py: {failure}", file=sys.stderr, flush=True)
            failures += 1
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        table = "\n".join([HEADING] + [line(r) for r in results]) + "\n"
        pathlib.Path(options.markdown).write_text(table, encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
