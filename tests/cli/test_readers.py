"""Other languages: the examples of the README as they stand there, fed with real files; and the picture."""

import os
import re
import shutil
import subprocess
import sys

import cli
import h5py
import numpy
from cli import expect

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = ["--covariance", "matern", "--smoothness", 1.5, "--range", 0.2, "--nugget", 0.1]


def example(language):
    """The README's example in a language."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        found = re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    expect(len(found) == 1, f"expected one example in {language}, found {len(found)}")
    return found[0]


def make(program):
    """The files of the README; returns the log-likelihood by score."""
    with h5py.File(program.file("points.h5"), "w") as file:
        file["points/coordinates"] = cli.uniform(500, 2, seed=6)
        file["data/y"] = numpy.random.default_rng(6).normal(size=500)
    program.succeed("vecchia", "points.h5", "sets.h5", "-m", 30, "--ordering", "maximin")
    program.succeed("extend", "sets.h5", "extended.h5", "--pattern", "--values", "--grouping", *MODEL)
    result = program.succeed("score", "sets.h5", *MODEL, "--response", "y")
    return float(re.search(r"^log-likelihood: (\S+)$", result.out, re.MULTILINE).group(1))


def run(program, *words):
    """Runs a command in the directory of the files; returns what it prints."""
    result = subprocess.run(words, cwd=program.directory, capture_output=True, text=True, timeout=100, check=False)
    expect(result.returncode == 0, f"{words}: {result.stdout} {result.stderr}")
    return result.stdout


def test_python(program):
    likelihood = make(program)
    with open(program.file("example.py"), "w", encoding="utf-8") as file:
        file.write(example("python"))
    found = float(run(program, sys.executable, "example.py"))
    expect(abs(found / likelihood - 1) < 1e-11, f"{found}, by score {likelihood}")


R_MORE = """
covariance <- function(locs) {
  r <- sqrt(3) * as.matrix(dist(locs)) / 0.2
  (1 + r) * exp(-r) + 0.1 * diag(nrow(locs))
}
locs <- t(h5read("points.h5", "/points/coordinates"))[order, ]
total <- 0
for (i in seq_len(nrow(NNarray))) {
  rows <- rev(NNarray[i, !is.na(NNarray[i, ])])
  L <- t(chol(covariance(locs[rows, , drop = FALSE])))
  z <- forwardsolve(L, y[rows])
  k <- length(rows)
  total <- total - 0.5 * (z[k]^2 + log(2 * pi)) - log(L[k, k])
}
cat(format(total, digits = 15), "\\n")
grouping <- h5read("extended.h5", "/grouping", bit64conversion = "double")
first <- c(1, head(grouping$last_ind_of_block, -1) + 1)
first_resp <- c(1, head(grouping$last_resp_of_block, -1) + 1)
total <- 0
for (b in seq_along(first)) {
  inds <- grouping$all_inds[first[b]:grouping$last_ind_of_block[b]] + 1
  local <- grouping$local_resp_inds[first_resp[b]:grouping$last_resp_of_block[b]] + 1
  stopifnot(all(inds[local] == grouping$global_resp_inds[first_resp[b]:grouping$last_resp_of_block[b]] + 1))
  L <- t(chol(covariance(locs[inds, , drop = FALSE])))
  z <- forwardsolve(L, y[inds])
  total <- total - sum(0.5 * (z[local]^2 + log(2 * pi)) + log(diag(L)[local]))
}
L <- t(chol(covariance(locs)))
exact <- -sum(log(diag(L))) - 0.5 * (sum(forwardsolve(L, y)^2) + length(y) * log(2 * pi))
cat(format(c(total, exact), digits = 15), "\\n")
"""


def test_r(program):
    """By U, by GpGp's array row by row, and by groups, which are nearer the exact value."""
    if shutil.which("Rscript") is None:
        print("skipped: no Rscript (jobs/install-dependencies.sh --tests installs it)")
        return
    likelihood = make(program)
    with open(program.file("example.R"), "w", encoding="utf-8") as file:
        file.write(example("r") + R_MORE)
    lines = [[float(word) for word in line.split()] for line in run(program, "Rscript", "example.R").splitlines()]
    expect(len(lines) == 3, f"{lines}")
    for found in (lines[0][0], lines[1][0]):
        expect(abs(found / likelihood - 1) < 1e-11, f"{found}, by score {likelihood}")
    grouped, exact = lines[2]
    expect(abs(grouped - exact) < abs(likelihood - exact), f"grouped {grouped}, single {likelihood}, exact {exact}")


def test_picture(program):
    make(program)
    script = os.path.join(ROOT, "jobs", "plot-sets")
    with open(script, encoding="utf-8") as file:
        expect(file.readline().startswith("#!"), "plot-sets is no script")
    run(program, sys.executable, script, "sets.h5", "picture.png")
    with open(program.file("picture.png"), "rb") as file:
        content = file.read()
    expect(content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) > 30000, f"{len(content)} bytes")
    refused = subprocess.run([sys.executable, script, "points.h5", "no.png"], cwd=program.directory,
                             capture_output=True, text=True, check=False)
    expect(refused.returncode == 1 and "conditioning sets" in refused.stderr, f"{refused}")
    expect(not os.path.exists(program.file("no.png")), "a picture of nothing")
    for count in (0, 1, 2):
        cli.write_points(program.file("few.h5"), cli.uniform(count, 1))
        program.succeed("vecchia", "few.h5", "few-sets.h5", "--overwrite")
        run(program, sys.executable, script, "few-sets.h5", "few.png")


if __name__ == "__main__":
    cli.main([test for name, test in list(globals().items()) if name.startswith("test_")])
