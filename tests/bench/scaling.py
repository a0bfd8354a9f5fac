#!/usr/bin/python3
"""Strong and weak scaling of vecchia on this machine, and what the model says of large runs.

Runs every combination of sizes, kinds, dimensions, numbers of threads and of ranks, several times, and collects the
reports in FOLDER/scaling.csv (jobs/collect-scaling) for jobs/plot-scaling. Cores may be fewer than ranks x threads:
counters do not mind, seconds do. Prints tables of counters in Markdown. Under Slurm the scaling scripts of jobs do the
same. Options with several values take them with commas between: --ranks 1,2,4 --kind uniform,clustered.
"""

import argparse
import csv
import itertools
import os
import pathlib
import shlex
import subprocess
import sys

MPIRUN = "mpirun -q --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 --mca pml ob1 --mca btl self,vader"
COLLECT = pathlib.Path(__file__).resolve().parents[2] / "jobs" / "collect-scaling"
HEAD = ("points", "ranks", "threads", "seconds", "core us/point", "CPU us/point", "distances max/mean",
        "points max/mean", "forwarded", "model", "ranks asked mean", "max", "query kB/rank", "partition MB/rank",
        "reorder MB/rank", "messages/rank")


def run(words, ranks=1, threads=1, mpirun=MPIRUN):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_WAIT_POLICY="passive")
    command = [*(shlex.split(mpirun) + ["-np", str(ranks)] if ranks > 1 else []), *map(str, words)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {result.returncode}: {result.stderr}")
    return result.stdout


def numbers(text):
    """Whole numbers from 1 on with commas between them, also as 1e6."""
    values = [float(word) for word in text.split(",")]
    if any(value < 1 or value != int(value) for value in values):
        raise ValueError(text)
    return [int(value) for value in values]


def studies(text):
    if set(text.split(",")) - {"strong", "weak"}:
        raise ValueError(text)
    return text.split(",")


def words(text):
    return text.split(",")


def forwarded(text):
    """The share of forwarded queries in the words of plan."""
    return text.split(" % of the queries")[0].rsplit("; ", 1)[-1] + " %" if "% of the queries" in text else "0 %"


def measure(options, study, size, kind, dimension, threads, ranks):
    """The runs of one row: their reports stand in the folder."""
    count = size if study == "strong" else size * ranks
    points, out = options.folder / "points.h5", options.folder / "out.h5"
    run([options.program, "generate", points, "-n", count, "--dim", dimension, "--kind", kind, "--overwrite",
         "--quiet"])
    name = f"{study}-{kind}-{count}-{dimension}-{options.m}-{ranks}-{threads}-0"
    for report in options.folder.glob(f"{name}-*.json"):  # of an earlier study
        report.unlink()
    for repeat in range(1, options.repeat + 1):
        report = options.folder / f"{name}-{repeat}.json"
        run([options.program, "vecchia", points, out, "-m", options.m, "--ordering", options.ordering, "--overwrite",
             "--quiet", "--report", report, *(["--coordinates", "lonlat"] if kind == "sphere" else [])],
            ranks, threads, options.mpirun)
    points.unlink()
    out.unlink()


def cells(program, row):
    """A row of the table."""
    ranks = int(row["ranks"])

    def number(column):
        return float(row[column] or 0)

    def imbalance(name):
        return f"{number(name + '_max') * ranks / number(name + '_sum'):.3f}"

    plan = run([program, "plan", row["points"], row["dimension"], row["m"], "--ranks", ranks])
    return (f"{int(row['points']):,}", ranks, row["threads"], f"{number('seconds'):.2f}",
            f"{number('core_microseconds_per_point'):.2f}", f"{number('cpu_microseconds_per_point'):.2f}",
            imbalance("query_distances"), imbalance("points"),
            f"{100 * number('forwarded_share'):.2f} %", forwarded(plan), f"{number('mean_ranks_contacted'):.3f}",
            f"{number('max_ranks_contacted'):.0f}", f"{number('bytes_query_max') / 1e3:.0f}",
            f"{number('bytes_partition_max') / 1e6:.2f}", f"{number('bytes_reorder_max') / 1e6:.2f}",
            f"{number('messages_max'):.0f}")


def print_tables(options):
    with open(options.folder / "scaling.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    titles = ("study", "kind", "dimension", "m", "ordering")
    for key in sorted({tuple(row[title] for title in titles) for row in rows}):
        print(f"{key[0].capitalize()} scaling, {key[1]} points, d = {key[2]}, m = {key[3]}, {key[4]}\n")
        print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
        for row in rows:
            if tuple(row[title] for title in titles) == key:
                print("| " + " | ".join(map(str, cells(options.program, row))) + " |", flush=True)
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="of reports and of the table")
    parser.add_argument("--points", type=numbers, default="1e6", help="of strong scaling; default: %(default)s")
    parser.add_argument("--each", type=numbers, default="1e5", help="of a rank in weak scaling; default: %(default)s")
    parser.add_argument("--study", type=studies, default="strong,weak", help="default: %(default)s")
    parser.add_argument("--kind", type=words, default="uniform", help="as for pcct generate; default: %(default)s")
    parser.add_argument("--dim", type=numbers, default="2", help="coordinates; default: %(default)s")
    parser.add_argument("--m", type=int, default=30)
    parser.add_argument("--ordering", default="random")
    parser.add_argument("--ranks", type=numbers, default="1,2,4,8,16")
    parser.add_argument("--threads", type=numbers, default="1")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the medians count; default: 3")
    parser.add_argument("--mpirun", default=MPIRUN, help=f"what starts several ranks; default: {MPIRUN}")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    options.folder.mkdir(parents=True, exist_ok=True)
    for study in options.study:
        sizes = options.points if study == "strong" else options.each
        for each in itertools.product(sizes, options.kind, options.dim, options.threads, options.ranks):
            measure(options, study, *each)
    run([sys.executable, COLLECT, options.folder, options.folder / "scaling.csv"])
    print_tables(options)
    print("The model for 10^9 points in the plane\n")
    for ranks in (64, 1024, 16384):
        text = run([options.program, "plan", "1e9", 2, options.m, "--ranks", ranks])
        print("    " + text.replace("\n", "\n    ").rstrip() + "\n")


if __name__ == "__main__":
    main()
