#!/usr/bin/python3
"""scipy's cKDTree: the same options, and the same line of JSON, as the other peers.

Points are permuted into the order of a first tree, and a second one is built on them; both count as build.
"""

import argparse
import json
import statistics
import time

import numpy
from scipy.spatial import cKDTree


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", required=True)
    parser.add_argument("--queries")
    parser.add_argument("--dimension", type=int, required=True)
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--leaf", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--fresh-output", action="store_true", help="always so here")
    options = parser.parse_args()
    points = numpy.fromfile(options.points).reshape(-1, options.dimension)
    queries = None
    if options.queries:
        queries = numpy.fromfile(options.queries).reshape(-1, options.dimension)
    builds, searches = [], []
    for _ in range(options.repeat):
        start = time.perf_counter()
        order = cKDTree(points, leafsize=options.leaf).indices
        ordered = numpy.ascontiguousarray(points[order])
        tree = cKDTree(ordered, leafsize=options.leaf)
        built = time.perf_counter()
        asked = ordered if queries is None else queries
        found, index = tree.query(asked, k=options.k, workers=options.threads)
        if queries is None:
            rows = numpy.empty(index.shape, dtype=index.dtype)
            distances = numpy.empty(found.shape)
            rows[order] = order[index]
            distances[order] = found
        else:
            rows, distances = order[index], found
        builds.append(built - start)
        searches.append(time.perf_counter() - built)
    totals = [b + s for b, s in zip(builds, searches)]
    print(json.dumps({
        "peer": "scipy", "points": len(points), "queries": len(rows), "dimension": options.dimension,
        "k": options.k, "threads": options.threads, "leaf": options.leaf, "repeat": options.repeat,
        "fresh_output": True, "build": statistics.median(builds), "query": statistics.median(searches),
        "total": statistics.median(totals), "checksum": float(distances.sum(axis=1).sum())}))


if __name__ == "__main__":
    main()
