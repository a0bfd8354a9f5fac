#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests: the release build, then the sanitizer build.
#   tests/run.sh [release|asan]           default: both
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
jobs/install-dependencies.sh --tests
jobs=$(nproc)
for preset in ${1:-release asan}; do
  log=$(mktemp)
  echo "Building $preset ..."
  if ! { cmake --preset "$preset" -DPCCT_TESTS=ON -DPCCT_WERROR=ON && cmake --build --preset "$preset" -j "$jobs"; } >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    rm -f "$log"
    echo "The build failed; the last lines are above." >&2
    exit 1
  fi
  rm -f "$log"
  # Once a rank of a whole program crashed at exit, its work done, on a loaded machine, and the cause is not
  # known: the command-line tests may try once more, and say so. All others may not.
  ctest --preset "$preset" -j "$jobs" --exclude-regex '^cli_'
  ctest --preset "$preset" -j "$jobs" --tests-regex '^cli_' --repeat until-pass:2
done
