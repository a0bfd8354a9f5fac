#!/usr/bin/env bash
# Builds the engine and a unit test with clang's ThreadSanitizer and runs the test. LLVM's OpenMP runtime tells the
# detector of its synchronisation; others do not, which would give false alarms.
#   race.sh SOURCE WORK TEST   SOURCE: the checkout, WORK: a directory for the build, TEST: e.g. version_race
# Exit codes: 0 no race, 77 skipped, for want of clang or its runtimes, others: a race or a failure.
set -euo pipefail
source=$1
work=$2
test=$3

skip() {
  echo "skipped: $1"
  exit 77
}

export TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1 exitcode=66"
compiler=$(command -v clang-14 || command -v clang) || skip "clang is not installed"
mkdir -p "$work"
flags=(-std=gnu11 -O1 -g -fopenmp -fsanitize=thread -ffp-contract=off -fno-math-errno -w
  -include "$source/tests/checkers/race_clang.h" "-I$source/src" "-I$source/include"
  "-I$source/tests/unit")
printf '#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n' >"$work/probe.c"
"$compiler" "${flags[@]}" "$work/probe.c" -o "$work/probe" >/dev/null 2>&1 ||
  skip "clang has no OpenMP or ThreadSanitizer runtime (libomp-14-dev, libclang-rt-14-dev)"
"$work/probe" || skip "a program with ThreadSanitizer does not run here"
library=$(ldd "$work/probe" | sed -n 's/.*libomp[^ ]* => \([^ ]*\).*/\1/p')
archer=$(find -L "$(dirname "$(readlink -f "$library")")" "$(dirname "$library")" -maxdepth 1 \
  -name libarcher.so -print -quit)
[ -n "$archer" ] || skip "LLVM's libarcher.so is not installed (libomp-14-dev)"

# Sources without MPI; each engine with the instruction set it is for.
objects=()
jobs_started=()
for file in "$source"/src/{base,points,tree,walk}/*.c "$source/tests/unit/test_$test.c"; do
  extra=()
  case $file in
  */base/comm*.c | */base/version.c) continue ;;
  */engine_avx*.c)
    case $(uname -m) in x86_64 | amd64) ;; *) continue ;; esac
    extra=(-mavx2 -mbmi -mbmi2 -mlzcnt -mpopcnt)
    ;;&
  */engine_avx512.c) extra+=(-mavx512f -mavx512vl -mavx512dq -mavx512bw) ;;
  esac
  object=$work/$(basename "$(dirname "$file")")_$(basename "$file" .c).o
  "$compiler" "${flags[@]}" ${extra[@]+"${extra[@]}"} -c "$file" -o "$object" &
  jobs_started+=($!)
  objects+=("$object")
  if [ ${#jobs_started[@]} -ge 2 ]; then
    wait "${jobs_started[0]}"
    jobs_started=("${jobs_started[@]:1}")
  fi
done
for job in "${jobs_started[@]}"; do
  wait "$job"
done
"$compiler" "${flags[@]}" "${objects[@]}" -lcmocka -lm -lpthread -o "$work/test_$test"
OMP_TOOL_LIBRARIES=$archer OMP_NUM_THREADS=2 "$work/test_$test"
