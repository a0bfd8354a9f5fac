#!/usr/bin/python3
"""Strong and weak scaling of vecchia in counters, and what the model says of large runs.

Cores may be fewer than ranks: counters do not mind. Prints three tables in Markdown.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import tempfile

MPIRUN = "mpirun -q --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 --mca pml ob1 --mca btl self,vader"
HEAD = ("points", "ranks", "distances max/mean", "points max/mean", "forwarded", "model", "ranks asked mean", "max",
        "query kB/rank", "partition MB/rank", "reorder MB/rank", "messages/rank")


def run(words, ranks=1):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                       OMP_WAIT_POLICY="passive")
    command = [*(shlex.split(MPIRUN) + ["-np", str(ranks)] if ranks > 1 else []), *map(str, words)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {result.returncode}: {result.stderr}")
    return result.stdout


def forwarded(text):
    """The share of forwarded queries in the words of plan."""
    return text.split(" % of the queries")[0].rsplit("; ", 1)[-1] + " %" if "% of the queries" in text else "0 %"


def measure(program, points, count, ranks, m, directory):
    report = directory / "report.json"
    run([program, "vecchia", points, directory / "out.h5", "-m", m, "--overwrite", "--quiet", "--report", report], ranks)
    data = json.loads(report.read_text(encoding="utf-8"))
    counters, routing = data["counters"], data["routing"]

    def imbalance(name):
        return f"{counters[name]['max'] * ranks / counters[name]['sum']:.3f}"

    plan = run([program, "plan", count, data["parameters"].get("dim", 2), m, "--ranks", ranks])
    return (f"{count:,}", ranks, imbalance("query_distances"), imbalance("points"),
            f"{100 * routing['forwarded_share']:.2f} %", forwarded(plan), f"{routing['mean_ranks_contacted']:.3f}",
            routing["max_ranks_contacted"], f"{counters['bytes_query']['max'] / 1e3:.0f}",
            f"{counters['bytes_partition']['max'] / 1e6:.2f}", f"{counters['bytes_reorder']['max'] / 1e6:.2f}",
            counters["messages"]["max"])


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--points", type=int, default=1000000, help="of strong scaling; default: 1000000")
    parser.add_argument("--each", type=int, default=100000, help="of each rank in weak scaling; default: 100000")
    parser.add_argument("--kind", default="uniform", help="as for pcct generate; default: uniform")
    parser.add_argument("--m", type=int, default=30)
    parser.add_argument("--ranks", default="1,2,4,8,16")
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    ranks = [int(word) for word in options.ranks.split(",")]
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        points = directory / "in.h5"

        def generate(count):
            run([program, "generate", points, "-n", count, "--kind", options.kind, "--overwrite", "--quiet"])

        generate(options.points)
        print(f"Strong scaling, {options.kind} points, m = {options.m}\n")
        table(HEAD, [measure(program, points, options.points, p, options.m, directory) for p in ranks])
        rows = []
        for p in ranks:
            generate(p * options.each)
            rows.append(measure(program, points, p * options.each, p, options.m, directory))
        print(f"Weak scaling, {options.each:,} points a rank\n")
        table(HEAD, rows)
    print("The model for 10^9 points in the plane\n")
    for p in (64, 1024, 16384):
        print("    " + run([program, "plan", "1e9", 2, options.m, "--ranks", p]).replace("\n", "\n    ").rstrip() + "\n")


if __name__ == "__main__":
    main()
