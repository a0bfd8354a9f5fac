#!/usr/bin/env bash
# From a bare Debian 12 (gcc, cmake) to conditioning sets of the world's cities:
# installs what is missing, builds, runs `pcct vecchia` on 2 ranks, verifies the result.
#   jobs/quickstart.sh [OUTPUT.h5]        default: cities-sets.h5 in the build folder
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
output=$(realpath -m "${1:-$here/build/cities-sets.h5}")

"$here/jobs/install-dependencies.sh"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Building in $here/build ..."
if ! { cd "$here" && cmake --preset release -DPCCT_TESTS=OFF && cmake --build --preset release; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "The build failed; the last lines are above." >&2
  exit 1
fi

if [ "$(id -u)" = 0 ]; then # Open MPI asks root to insist
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMP_NUM_THREADS=1
mkdir -p "$(dirname "$output")"
run=(mpirun --oversubscribe --bind-to none -np 2 "$here/build/pcct")
set -x
"${run[@]}" vecchia "$here/tests/data/cities.h5" "$output" -m 30 --ordering random --coordinates lonlat --overwrite
"${run[@]}" verify "$output" --against "$here/tests/data/cities.h5"
{ set +x; } 2>/dev/null

cat <<TXT

$output holds, for each of the world's cities in random order, its 30 nearest predecessors:
  /ordering/permutation   position -> row of the input
  /neighbors/index        positions of the predecessors, nearest first, -1 where there are fewer
  /neighbors/distance     their distances in km
Look inside with
  $here/build/pcct info $output
  h5dump -d /neighbors/index -s 1000,0 -c 1,30 $output     (package hdf5-tools)
The README shows how to read it in Python and R.
TXT
