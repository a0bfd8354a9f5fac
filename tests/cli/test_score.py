"""`pcct score` against published numbers, a plain computation, and plausible mistakes."""

import json
import math
import re
import statistics

import cli
import h5py
import numpy
import scipy.special
from cli import expect

# Log-likelihoods, negative, and divergences of 100 points in the order given; and divergences of 900 points in
# several orderings, as published with the definition of their data below.
EXACT = {0.5: 124.2549533, 1.5: 141.3502172, 2.5: 158.1111626}
LIKELIHOOD = {
    0.5: {30: 124.2252524, 20: 124.2215113, 10: 124.4215272, 5: 123.5111520},
    1.5: {30: 141.3212216, 20: 141.0229404, 10: 142.6726149, 5: 139.6901849},
    2.5: {30: 157.9927179, 20: 157.2023731, 10: 159.4065007, 5: 153.5227497},
}
DIVERGENCE = {30: "6.23384e-4", 20: "4.49448e-3", 10: "0.0701077", 5: "0.651428"}
DETERMINANT = {0.5: -1173.5864448103, 1.5: -2915.8034168}
ORDERINGS = {
    0.5: {
        "coordinate": ["8.81333", "1.73039", "0.217679", "0.0462629"],
        "middleout": ["7.81470", "1.45555", "0.132927", "0.0223236"],
        "none": ["10.6463", "1.86065", "0.214098", "0.0453957"],
        "maximin": ["4.40082", "0.802149", "0.0636741", "0.00833314"],
    },
    1.5: {
        "coordinate": ["55.4016", "10.9782", "1.1368", "0.191246"],
        "maximin": ["75.8439", "15.394", "1.88699", "0.353325"],
    },
}


def sequence(count, start):
    """The generator that defines the data, in double precision."""
    state = math.floor(start * 2.0**32)
    values = numpy.empty(count)
    for i in range(count):
        values[i] = state / 2.0**32
        state = math.fmod(22695477.0 * state + 1.0, 2.0**32)
    return values


def published(program):
    """The 100 points and their response."""
    points = sequence(200, 0.1).reshape(2, 100).T
    normal = statistics.NormalDist().inv_cdf
    first = numpy.array([normal(u) for u in sequence(100, 0.8)])
    second = numpy.array([normal(u) for u in sequence(100, 0.1)])
    distance = numpy.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    response = numpy.linalg.cholesky(numpy.exp(-distance / 0.1)) @ first + second / 5
    with h5py.File(program.file("in.h5"), "w") as file:
        file["points/coordinates"] = points
        file["data/y"] = response
    return points, response


def value(result, name):
    """A number of the output."""
    found = re.search(rf"^{re.escape(name)}: (\S+?)(?:,|$)", result.out, re.MULTILINE)
    expect(found, f"expected a line {name!r}: {result}")
    return float(found.group(1))


def as_printed(number, printed):
    """Whether a number rounds to what was printed."""
    mantissa = printed.split("e")[0].lstrip("0.")
    digits = len(mantissa.replace(".", ""))
    return float(f"{number:.{digits}g}") == float(printed)


def model(smoothness, **more):
    """The options of a Matern covariance."""
    options = {"covariance": "matern", "smoothness": smoothness, **more}
    return [word for name, setting in options.items() for word in (f"--{name}", setting)]


def test_published_likelihoods(program):
    published(program)
    for m in DIVERGENCE:
        program.succeed("vecchia", "in.h5", f"{m}.h5", "-m", m, "--ordering", "none")
        for smoothness, expected in LIKELIHOOD.items():
            words = model(smoothness, variance=1.6, range=0.2, nugget=0.1)
            result = program.succeed("score", f"{m}.h5", *words, "--response", "y", "--exact")
            found = -value(result, "log-likelihood")
            expect(abs(found - expected[m]) < 0.6e-7, f"m {m}, smoothness {smoothness}: {found}")
            exact = -value(result, "exact log-likelihood")
            expect(abs(exact - EXACT[smoothness]) < 0.6e-7, f"exact, smoothness {smoothness}: {exact}")
            divergence = value(result, "KL divergence from the exact model")
            if smoothness == 0.5:
                expect(as_printed(divergence, DIVERGENCE[m]), f"m {m}: {divergence}")


def test_published_orderings(program):
    cli.write_points(program.file("in.h5"), sequence(1800, 0.1).reshape(900, 2))
    for smoothness, orderings in ORDERINGS.items():
        for ordering, expected in orderings.items():
            for m, printed in zip((5, 10, 20, 30), expected):
                program.succeed("vecchia", "in.h5", "out.h5", "-m", m, "--ordering", ordering, "--overwrite")
                words = model(smoothness, range=0.1)
                result = program.succeed("score", "out.h5", *words, "--exact")
                found = value(result, "KL divergence from the exact model")
                expect(as_printed(found, printed), f"{ordering}, m {m}, smoothness {smoothness}: {found}")
                determinant = value(result, "log determinant of the covariance")
                expect(abs(determinant / DETERMINANT[smoothness] - 1) < 1e-11, f"determinant: {determinant}")
    with h5py.File(program.file("out.h5")) as file:
        start = list(file["ordering/permutation"][:5])
        expect(start == [772, 222, 579, 770, 302], f"the ordering starts {start}")


def likelihood(points, response, sets, covariance):
    """Log-likelihood by the definition; sets are lists of positions."""
    total = 0.0
    for i, chosen in enumerate(sets):
        rows = [*chosen, i]
        difference = points[rows][:, None] - points[rows][None]
        sigma = covariance(numpy.sqrt((difference**2).sum(axis=2)))
        weights = numpy.linalg.solve(sigma[:-1, :-1], sigma[:-1, -1]) if chosen else numpy.zeros(0)
        variance = sigma[-1, -1] - sigma[-1, :-1] @ weights
        residual = response[i] - weights @ response[rows[:-1]]
        total -= 0.5 * (math.log(2 * math.pi) + math.log(variance) + residual**2 / variance)
    return total


def general_matern(r):
    """Smoothness 0.7, by SciPy's Bessel function."""
    x = numpy.sqrt(1.4) * numpy.where(r > 0, r, 1)
    value = 2**0.3 / scipy.special.gamma(0.7) * x**0.7 * scipy.special.kv(0.7, x)
    return numpy.where(r > 0, value, 1)


def test_definition_and_ranks(program):
    """All covariances, ranges by axis; the printed digits are the same on any number of ranks and threads."""
    points = cli.uniform(400, 3, seed=8)
    response = numpy.random.default_rng(3).normal(size=400)
    with h5py.File(program.file("in.h5"), "w") as file:
        file["points/coordinates"] = points
        file["data/y"] = response
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 7, "--ordering", "maximin")
    with h5py.File(program.file("out.h5")) as file:
        order = file["ordering/permutation"][:]
        index, count = file["neighbors/index"][:], file["neighbors/count"][:]
    sets = [list(index[i, : count[i]]) for i in range(400)]
    ranges = numpy.array([0.3, 0.5, 2.0])
    root3, root5 = math.sqrt(3), math.sqrt(5)
    functions = {
        ("exponential", 0.5): lambda r: numpy.exp(-r),
        ("matern", 0.5): lambda r: numpy.exp(-r),
        ("matern", 1.5): lambda r: (1 + root3 * r) * numpy.exp(-root3 * r),
        ("matern", 2.5): lambda r: (1 + root5 * r + 5 * r**2 / 3) * numpy.exp(-root5 * r),
        ("squared-exponential", 0.5): lambda r: numpy.exp(-(r**2) / 2),
    }
    if "GSL" in program.succeed("--version").out:
        functions[("matern", 0.7)] = general_matern
    for (kind, smoothness), function in functions.items():
        words = ["score", "out.h5", "--covariance", kind, "--smoothness", smoothness, "--variance", 2]
        words += ["--range", "0.3,0.5,2", "--nugget", 0.05, "--response", "y"]
        result = program.succeed(*words)
        expected = likelihood(
            points[order] / ranges, response[order], sets, lambda r, f=function: 2 * f(r) + 0.05 * numpy.eye(len(r))
        )
        found = value(result, "log-likelihood")
        expect(abs(found / expected - 1) < 1e-11, f"{kind} {smoothness}: {found}, expected {expected}")
        for ranks in cli.rank_counts(2, 3, 7):
            other = program.succeed(*words, "--threads", ranks % 2 + 1, ranks=ranks)
            expect(other.out == result.out, f"on {ranks} ranks: {other.out} and {result.out}")


def test_foreign_sets(program):
    """Sets as GpGp writes them: from 1, the point itself first, missing ones as NA; an ordering beside them."""
    points, response = published(program)
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--ordering", "random")
    with h5py.File(program.file("out.h5")) as file:
        order, index = file["ordering/permutation"][:], file["neighbors/index"][:]
    array = numpy.column_stack([numpy.arange(100), index]).astype("i4") + 1
    array[array == 0] = -(2**31)
    with h5py.File(program.file("foreign.h5"), "w") as file:
        file["locs"] = points
        file["y"] = response
        file["NNarray"] = array
        file["order"] = order + 1
        file["wide"] = array.T.copy()
    words = [*model(1.5, range=0.2, nugget=0.1)]
    own = program.succeed("score", "out.h5", *words, "--response", "y")
    foreign = ["score", "foreign.h5", *words, "--dataset", "/locs", "--response", "/y", "--order", "/order"]
    for ranks in cli.rank_counts(1, 3):
        result = program.succeed(*foreign, "--sets", "/NNarray", "--base", 1, ranks=ranks)
        for name in ("log-likelihood", "sum of log conditional variances"):
            expect(abs(value(result, name) / value(own, name) - 1) < 1e-12, f"{name}: {result} and {own}")
    cli.expect_error(program.run(*foreign, "--sets", "/NNarray"), 3, "/order", "--base")
    rows = [word for word in foreign if word not in ("--order", "/order")]
    cli.expect_error(program.run(*rows, "--sets", "/NNarray"), 3, "predecessors", "--base")
    cli.expect_error(program.run(*foreign, "--sets", "/wide", "--base", 1), 3, "transpose")
    cli.expect_error(program.run(*foreign, "--sets", "/nothing", "--base", 1), 3, "/nothing")
    cli.expect_error(program.run(*foreign), 2, "--sets")


def test_sample(program):
    """A sample of all rows is all; a small one is within a few standard errors."""
    cli.write_points(program.file("in.h5"), cli.uniform(3000, 2))
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 10)
    words = ["score", "out.h5", "--range", 0.1]
    name = "sum of log conditional variances"
    whole = program.succeed(*words)
    expect(program.succeed(*words, "--sample", 3000).out == whole.out, "a sample of all rows differs")
    part = program.succeed(*words, "--sample", 500, "--seed", 2)
    expect("500 of 3000 rows" in part.out, f"{part}")
    error = float(re.search(r"standard error (\S+)", part.out).group(1))
    miss = abs(value(part, name) - value(whole, name))
    expect(0 < error < abs(value(whole, name)) and miss < 5 * error, f"{miss} with standard error {error}")
    expect(program.succeed(*words, "--sample", 500, "--seed", 2, ranks=2).out == part.out, "ranks change a sample")


def test_two_files(program):
    cli.write_points(program.file("in.h5"), cli.uniform(500, 2))
    for name, ordering in (("a.h5", "maximin"), ("b.h5", "coordinate")):
        program.succeed("vecchia", "in.h5", name, "-m", 5, "--ordering", ordering)
    result = program.succeed("score", "a.h5", "b.h5", "--range", 0.1, "--exact")
    divergences = [float(x) for x in re.findall(r"KL divergence from the exact model: (\S+)", result.out)]
    difference = value(result, "KL divergence of a.h5 less that of b.h5")
    expect(abs(divergences[0] - divergences[1] - difference) < 1e-9, f"{result}")
    expect(difference < 0, f"maximin should be better here: {result}")


def test_lonlat(program):
    """Chords through the Earth, in km."""
    points = numpy.array([[179.0, 10.0], [-179.5, 12.0], [-190.0, -3.0], [0.0, 90.0], [50.0, 90.0]])
    cli.write_points(program.file("in.h5"), points)
    words = ["vecchia", "in.h5", "out.h5", "-m", 4, "--ordering", "none", "--coordinates", "lonlat"]
    program.succeed(*words)
    angle = numpy.radians(points)
    x = numpy.cos(angle[:, 1]) * numpy.cos(angle[:, 0])
    y = numpy.cos(angle[:, 1]) * numpy.sin(angle[:, 0])
    place = numpy.column_stack([x, y, numpy.sin(angle[:, 1])]) * 6371.0088
    chord = numpy.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2))
    expected = numpy.linalg.slogdet(numpy.exp(-chord / 3000) + 0.1 * numpy.eye(5))[1]
    result = program.succeed("score", "out.h5", "--range", 3000, "--nugget", 0.1)
    found = value(result, "sum of log conditional variances")
    expect(abs(found - expected) < 1e-10, f"{found}, expected {expected}")
    cli.expect_error(program.run("score", "out.h5", "--range", "1,2"), 2, "range")


def test_mistakes(program):
    published(program)
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5)
    cli.expect_error(program.run("score", "out.h5"), 2, "--range")
    cli.expect_error(program.run("score", "out.h5", "--range", 0.1, "--variance", 0), 2, "--variance")
    cli.expect_error(program.run("score", "out.h5", "--range", "0.1,0.2,0.3"), 2, "--range", "2 coordinates")
    cli.expect_error(program.run("score", "out.h5", "--range", 0.1, "--response", "z"), 3, "/data/z")
    cli.expect_error(program.run("score", "in.h5", "--range", 0.1), 3, "--sets")
    cli.expect_error(program.run("score", "none.h5", "--range", 0.1), 4, "none.h5")
    if "GSL" not in program.succeed("--version").out:
        words = ["score", "out.h5", *model(0.7, range=0.1)]
        cli.expect_error(program.run(*words), 2, "0.5, 1.5 or 2.5", "PCCT_GSL")
    with h5py.File(program.file("in.h5"), "a") as file:
        file["data/y"][3] = numpy.nan
        file["points/coordinates"][1] = file["points/coordinates"][0]
    program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--overwrite")
    for ranks in cli.rank_counts(1, 3):
        words = ["score", "out.h5", "--range", 0.1]
        cli.expect_error(program.run(*words, ranks=ranks), 3, "positive definite", "--nugget")
        cli.expect_error(program.run(*words, "--nugget", 1, "--response", "y", ranks=ranks), 3, "missing")


def test_few_points(program):
    """No points, one point, sets of no points."""
    for count in (0, 1, 2):
        cli.write_points(program.file("in.h5"), cli.uniform(count, 2))
        program.succeed("vecchia", "in.h5", "out.h5", "-m", 5, "--overwrite")
        for ranks in cli.rank_counts(1, 3):
            result = program.succeed("score", "out.h5", "--range", 0.1, "--variance", 3, "--exact", ranks=ranks)
            found = value(result, "sum of log conditional variances")
            expect(count != 1 or abs(found - math.log(3)) < 1e-14, f"{result}")
            expect(count != 0 or found == 0, f"{result}")


def test_report(program):
    published(program)
    program.succeed("vecchia", "in.h5", "out.h5")
    program.succeed("score", "out.h5", "--range", 0.2, "--report", "report.json")
    with open(program.file("report.json"), encoding="utf-8") as file:
        report = json.load(file)
    expect("score" in json.dumps(report), "the report knows no phase score")


if __name__ == "__main__":
    cli.main([test for name, test in list(globals().items()) if name.startswith("test_")])
