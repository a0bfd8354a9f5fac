#!/usr/bin/env bash
# Installs the Debian packages that pcct needs, quietly, and only those that are missing.
# With --tests also what its tests need. Needs root only if something is missing.
set -euo pipefail

packages=(gcc make cmake pkg-config git openmpi-bin libopenmpi-dev libhdf5-openmpi-dev
  librandom123-dev libcjson-dev libinih-dev libxxhash-dev libcsv-dev zlib1g-dev
  liblapacke-dev)
if [ "${1:-}" = --tests ]; then
  packages+=(libcmocka-dev hdf5-tools python3-h5py-serial python3-numpy python3-scipy
    python3-matplotlib r-base-core r-bioc-rhdf5 r-cran-matrix clang-format
    clang libclang-rt-dev libomp-dev iproute2 procps
    slurmctld slurmd slurm-client munge shellcheck)
fi

missing=()
for package in "${packages[@]}"; do
  if ! dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii'; then
    missing+=("$package")
  fi
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    echo "These packages are missing and installing them needs root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo -n)
fi
echo "Installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -qq &&
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "The packages above could not be installed." >&2
  exit 1
fi
