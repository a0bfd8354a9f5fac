#!/usr/bin/env python3
"""Checks that includes go down the layers only: layers.py SOURCE_DIRECTORY

app > dist | io > vecchia > walk > tree > points > base; dist and io do not see each other. mpi.h and hdf5.h
stay where they belong, and the search behind `verify` shares nothing with the one it checks. The check first
proves that it would notice violations.
"""

import pathlib
import re
import sys

LAYERS = ["base", "points", "tree", "walk", "vecchia", "dist", "io", "app"]
SEES = {layer: set(LAYERS[: i + 1]) for i, layer in enumerate(LAYERS)}
SEES["io"] -= {"dist"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def violation(path, include):
    """What is wrong with `include` in the source file src/`path`, or None."""
    layer = path.split("/")[0]
    top = include.split("/")[0]
    if "/" in include and top in LAYERS and top not in SEES[layer]:
        return f"{layer} must not see {top}"
    mpi = layer in ("dist", "io", "app") or re.match(r"base/(comm|version)", path)
    if include in ("mpi.h", "pcct.h") and not mpi:
        return f"{include} belongs to base/comm, dist, io and app"
    if include.startswith(("hdf5", "H5")) and layer != "io":
        return f"{include} belongs to io"
    if path.startswith("app/verify_search") and top in ("tree", "walk", "vecchia", "dist"):
        return f"the independent search must not see {top}"
    return None


def main():
    source = pathlib.Path(sys.argv[1]) / "src"
    planted = [
        ("tree/a.c", "walk/walk.h"),
        ("io/a.c", "dist/index.h"),
        ("dist/a.c", "io/input.h"),
        ("walk/a.c", "mpi.h"),
        ("tree/a.c", "pcct.h"),
        ("dist/a.c", "hdf5.h"),
        ("base/sort.c", "points/metric.h"),
        ("app/verify_search.c", "walk/walk.h"),
    ]
    unseen = [p for p in planted if violation(*p) is None]
    if unseen or violation("app/a.c", "io/input.h") or violation("dist/a.c", "mpi.h"):
        print(f"the layer check itself is wrong: {unseen}")
        return 1
    found = 0
    files = sorted(source.glob("*/*.[ch]"))
    for file in files:
        path = file.relative_to(source).as_posix()
        for include in INCLUDE.findall(file.read_text()):
            wrong = violation(path, include)
            if wrong:
                print(f"src/{path}: includes {include}: {wrong}")
                found += 1
    print(f"{len(files)} files checked, {found} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
