#!/usr/bin/env bash
# Queues a job script after a check that its options and files are right and that it fits into the memory it asks for.
#
#   jobs/submit.sh [OPTIONS of sbatch, as --name=value] SCRIPT ARGUMENTS of the script...
#
# Options are taken from here, else from site.sh, else from the head of the script. The job is queued on hold; Slurm's
# own words on its ranks, threads and memory go to `pcct plan` with the words of the job; then it is released, or
# cancelled with the exit code of the plan: 2 if it cannot fit or an option is wrong, 3 or 4 if a file is. What Slurm
# itself has no place for is refused with 2, too. An array of the scaling scripts becomes one job for each number of
# ranks, each on as few nodes as that takes, and one that collects them all. Prints the numbers of the jobs on stdout,
# what they need on stderr.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
export JOBS_FOLDER=$folder
jobs_root=$(dirname "$folder")
# shellcheck source=jobs/site.sh
source "$folder/site.sh"

options=(${site_ranks_per_node:+"--ntasks-per-node=$site_ranks_per_node"}
  ${site_threads_per_rank:+"--cpus-per-task=$site_threads_per_rank"} "${site_options[@]}")
hold=no
while [ $# -gt 0 ] && [ "${1:0:1}" = - ]; do
  case $1 in
    --help) sed -n '2,/^$/{s/^# \{0,1\}//;p}' "$0" | sed '/^set -/,$d' && exit ;;
    --hold | -H) hold=yes ;;
    *) options+=("$1") ;;
  esac
  shift
done
script=${1:-}
if [ ! -f "$script" ]; then
  echo "submit.sh: ${script:-nothing} is not a job script; expected OPTIONS of sbatch as --name=value, then one" >&2
  exit 2
fi
shift

work=$(mktemp -d)
held=() # jobs that nobody shall find on hold after a failure
trap 'if [ ${#held[@]} -gt 0 ]; then scancel "${held[@]}"; fi; rm -rf "$work"' EXIT

# What sbatch will take for an option: of the words here, else of the head of the script.
option() {
  local word value
  value=$(sed -n "s/^#SBATCH --$1=//p" "$script" | tail -n 1)
  for word in "${options[@]}"; do
    case $word in "--$1="*) value=${word#*=} ;; esac
  done
  echo "$value"
}

# The script for sbatch, which does not take --mem and --mem-per-cpu together: its own words on memory count only if
# there are no others. The copy has the script's name.
submitted=$script
for word in "${options[@]}"; do
  case $word in
    --mem=* | --mem-per-cpu=* | --mem-per-gpu=*)
      submitted=$work/${script##*/}
      sed '/^#SBATCH --mem/d' "$script" >"$submitted"
      ;;
  esac
done

# A field of a line of scontrol: field NAME LINE
field() {
  local word
  for word in $2; do
    case $word in "$1="*) echo "${word#*=}" && return ;; esac
  done
}

# Megabytes in the words of scontrol.
megabytes() {
  local number=${1%[KMGT]}
  case $1 in
    *K) number=${number%.*} && echo $((number / 1024)) ;;
    *G | *T) awk -v n="$number" -v t="$1" 'BEGIN { printf "%d\n", n * (t ~ /T$/ ? 1048576 : 1024) }' ;;
    *) echo "${number%.*}" ;;
  esac
}

# Megabytes of the smallest node of partitions; 0 if Slurm does not know.
node_megabytes() {
  sinfo -h -N -p "$1" -o %m | sort -n | awk 'NR == 1 { print ($1 > 1 ? $1 : 0) }'
}

# Asks whether a job on hold fits: plan JOB [INDEX of the array] ARGUMENTS... of the script
plan() {
  local job=$1 index=$2 line nodes cpu node code=0
  shift 2
  line=$(scontrol show job -o "$job")
  nodes=$(field NumNodes "$line")
  cpu=$(megabytes "$(field MinMemoryCPU "$line")")
  node=$(megabytes "$(field MinMemoryNode "$line")")
  if [ $((${cpu:-0} + ${node:-0})) = 0 ]; then # all of a node's, or sites where Slurm does not share memory out
    node=$(node_megabytes "$(field Partition "$line")")
  fi
  env JOBS_PLAN=yes SLURM_JOB_ID="$job" SLURM_ARRAY_TASK_ID="$index" SLURM_JOB_NUM_NODES="${nodes%%-*}" \
    SLURM_NTASKS="$(field NumTasks "$line")" SLURM_CPUS_PER_TASK="$(field CPUs/Task "$line")" \
    SLURM_MEM_PER_CPU="$cpu" SLURM_MEM_PER_NODE="$node" bash "$script" "$@" >&2 || code=$?
  if [ $code != 0 ]; then
    echo "submit.sh: job $job is cancelled: see above" >&2
    exit $code
  fi
}

# Queues a job: queue INDEX OPTIONS of sbatch... -- ARGUMENTS of the script
queue() {
  local index=$1 said job more=()
  shift
  while [ "$1" != -- ]; do
    more+=("$1")
    shift
  done
  shift
  if ! said=$(sbatch --test-only "${options[@]}" "${more[@]}" "$submitted" "$@" 2>&1); then
    echo "$said" >&2
    echo "submit.sh: Slurm has no place for this job: not queued" >&2
    exit 2
  fi
  job=$(sbatch --parsable --hold "${options[@]}" "${more[@]}" "$submitted" "$@")
  held+=("${job%%;*}")
  plan "${job%%;*}" "$index" "$@"
}

# Queues what collects the jobs on hold: collect FOLDER. Of the options it takes those on where, and for whom, jobs run.
collect() {
  local word own=()
  for word in "${options[@]}"; do
    case $word in
      --partition=* | --account=* | --qos=* | --reservation=* | --export=* | -p?* | -A?* | -q?*) own+=("$word") ;;
    esac
  done
  sbatch --parsable "${own[@]}" --dependency="afterany:$(IFS=: && echo "${held[*]}")" \
    "$folder/scaling-collect.sbatch" "$1"
}

indices=$(option array)
collector=()
case $indices in
  "") queue "" -- "$@" ;;
  *[!0-9,]*)
    echo "submit.sh: --array=$indices: expected numbers separated by commas" >&2
    exit 2
    ;;
  *)
    export JOBS_COLLECTOR=no
    each=$(option ntasks-per-node)
    for index in ${indices//,/ }; do
      ranks=$((index * ${JOBS_RANKS_STEP:-1}))
      queue "$index" "--array=$index" "--nodes=$(((ranks + each - 1) / each))" -- "$@"
    done
    job=$(collect "$1")
    collector=("${job%%;*}")
    ;;
esac
if [ $hold = no ]; then
  scontrol release "${held[@]}"
fi
echo "${held[@]}" "${collector[@]}"
held=()
