# What the job scripts have in common. Nothing here needs editing: see site.sh for the site, the scripts for the run.
# shellcheck shell=bash

# Prints the comment at the head of a script and ends; with 2 unless --help asked for it: job_help SCRIPT WORD
job_help() {
  local text
  text=$(sed -n '2,/^$/{s/^# \{0,1\}//;p}' "$1")
  if [ "$2" = --help ]; then
    echo "$text"
    exit
  fi
  echo "$text" >&2
  exit 2
}

# Loads the site's settings, gives each rank's threads their cores, and sets
#   pcct         the program
#   job_ranks, job_nodes, job_ranks_of_node
#   job_limit    words that keep a rank within its share of the job's memory; none if that is not known
job_start() {
  jobs_root=$(cd "${job_folder:?}/.." && pwd)
  # shellcheck source=jobs/site.sh
  source "$job_folder/site.sh"
  if [ "${JOBS_PLAN:-no}" = no ]; then
    site_modules
  fi
  pcct=${PCCT:-$site_pcct}
  if ! command -v "$pcct" >/dev/null; then
    echo "$pcct is not there; build it, or name the program in site.sh or with PCCT=..." >&2
    exit 2
  fi
  export SLURM_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
  export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK OMP_PLACES=cores OMP_PROC_BIND=close
  job_ranks=${SLURM_NTASKS:-1}
  job_nodes=${SLURM_JOB_NUM_NODES:-1}
  job_ranks_of_node=$(((job_ranks + job_nodes - 1) / job_nodes))
  local megabytes=0
  if [ "${SLURM_MEM_PER_CPU:-0}" -gt 0 ]; then
    megabytes=$((SLURM_MEM_PER_CPU * SLURM_CPUS_PER_TASK))
  elif [ "${SLURM_MEM_PER_NODE:-0}" -gt 0 ]; then
    megabytes=$((SLURM_MEM_PER_NODE / job_ranks_of_node))
  fi
  job_limit=()
  job_memory=$((megabytes * 19 / 20))MiB # the rest is for what MPI shares on a node
  if [ "$megabytes" -gt 0 ]; then
    job_limit=(--memory-limit "$job_memory")
  fi
  if [ "${JOBS_PLAN:-no}" = no ]; then
    echo "job ${SLURM_JOB_ID:-none}, start $((${SLURM_RESTART_COUNT:-0} + 1)): $job_ranks ranks on" \
      "${SLURM_JOB_NODELIST:-this host}, $OMP_NUM_THREADS threads each"
  fi
}

# Puts the job back into the queue and ends this start; the next goes on with what is saved: job_requeue WHY CODE
job_requeue() {
  echo "back into the queue: $1"
  scontrol requeue "$SLURM_JOB_ID"
  sleep 60 # until Slurm ends this start
  exit "$2"
}

# Runs pcct: job_launch RANKS NODES ARGUMENTS... Sets job_code to its exit code. Launchers do not tell it reliably
# (mpirun returns 1 on SIGTERM, srun the signal by which -K1 ended other ranks), so that every rank leaves its own in a
# file.
job_launch() {
  local ranks=$1 nodes=$2 codes=pcct-codes-${SLURM_JOB_ID:-$$}
  shift 2
  : >"$codes"
  job_code=0
  # shellcheck disable=SC2016 # the ranks expand this
  site_launch "$ranks" "$nodes" bash -c '
    trap "" USR1 # it is for pcct
    codes=$1 code=0
    shift
    "$@" || code=$?
    if [ $code -gt 0 ] && [ $code -lt 128 ]; then
      echo $code >>"$codes"
    fi
    exit $code' rank "$codes" "$pcct" "$@" || job_code=$?
  if [ "$job_code" != 0 ] && [ -s "$codes" ]; then
    job_code=$(sort -n "$codes" | tail -n 1)
  fi
  rm -f "$codes"
}

# Which file has a name: text that changes when it is replaced.
job_identity() {
  stat -c '%i %s %y' "$1" 2>/dev/null || echo none
}

# Whether OUTPUT is there and another than before the job: job_is_made OUTPUT STATE
job_is_made() {
  local now
  now=$(job_identity "$1")
  [ "$now" != none ] && [ "$now" != "$(head -n 1 "$2")" ]
}

# Runs a subcommand as all ranks until its OUTPUT is there: job_run OUTPUT SUBCOMMAND ARGUMENTS...
# Exit code 75 means stopped before the time limit: the job is requeued. pcct's own failures (1 to 5 and 70) are passed
# on. Any other end without a new OUTPUT was a kill, whatever code the launcher made of it: the job is requeued, too, up
# to JOBS_KILLS times (3).
# For a plan (see submit.sh) it only asks whether the job fits.
job_run() {
  local output=$1 state=$1.job-${SLURM_JOB_ID:-$$} # what OUTPUT was before; then a line for each kill
  shift
  if [ "${JOBS_PLAN:-no}" != no ]; then
    site_launch_here "$pcct" plan "$@" --ranks "$job_ranks" --threads "$OMP_NUM_THREADS"
    exit
  fi
  if [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || [ ! -e "$state" ]; then
    job_identity "$output" >"$state"
  fi
  if ! job_is_made "$output" "$state"; then # by an earlier start
    job_launch "$job_ranks" "$job_nodes" "$@"
    case $job_code in
      75) job_requeue "stopped before the time limit" 75 ;;
      1 | 2 | 3 | 4 | 5 | 70)
        rm -f "$state"
        exit "$job_code"
        ;;
      *)
        if ! job_is_made "$output" "$state"; then
          echo "killed, or not started (code $job_code)" | tee -a "$state"
          if [ "$(wc -l <"$state")" -gt $((1 + ${JOBS_KILLS:-3})) ]; then
            echo "that is once more than JOBS_KILLS allows; out of memory? sacct tells" >&2
            exit $((job_code > 0 ? job_code : 70))
          fi
          job_requeue "the next start goes on with what is saved" $((job_code > 0 ? job_code : 70))
        fi
        ;;
    esac
  fi
  rm -f "$state"
}

# Words for subcommands that start anew: what an earlier start of this job left may be replaced.
job_anew() {
  if [ "${SLURM_RESTART_COUNT:-0}" != 0 ]; then
    echo --overwrite
  fi
}

# A step of a job that has nothing to go on with: job_step RANKS NODES ARGUMENTS...
job_step() {
  job_launch "$@"
  if [ "$job_code" != 0 ]; then
    exit "$job_code"
  fi
}

# Checks an output with one rank on each node, which has all of its memory, unless JOBS_VERIFY is no:
# job_verify ARGUMENTS...
job_verify() {
  if [ "${JOBS_VERIFY:-yes}" = no ]; then
    return 0
  fi
  job_step "$job_nodes" "$job_nodes" verify "$@"
}

# One number of ranks of a scaling study: job_scaling strong|weak FOLDER RANKS N D M KIND [OPTIONS of pcct vecchia]
job_scaling() {
  local mode=$1 folder=$2 ranks=$3 n=$4 dimension=$5 m=$6 kind=$7 repeat nodes name ordering=random words=()
  shift 7
  nodes=$(((ranks + job_ranks_of_node - 1) / job_ranks_of_node))
  if [ "$nodes" -gt "$job_nodes" ]; then
    echo "$ranks ranks, $job_ranks_of_node on each node, take $nodes nodes; the job has $job_nodes" >&2
    exit 2
  fi
  if [ "${JOBS_PLAN:-no}" != no ]; then
    for ((repeat = 1; repeat <= $#; repeat++)); do
      case ${!repeat} in
        --ordering) nodes=$((repeat + 1)) ordering=${!nodes} ;;
        --ordering=*) ordering=${!repeat#*=} ;;
      esac
    done
    site_launch_here "$pcct" generate "$folder.points.h5" -n "$n" --dim "$dimension" --kind "$kind" --dry-run --quiet
    if [ ${#job_limit[@]} -gt 0 ]; then
      words=(--memory-per-rank "$job_memory")
    fi
    site_launch_here "$pcct" plan "$n" "$dimension" "$m" --ordering "$ordering" "${words[@]}" --ranks "$ranks" \
      --threads "$OMP_NUM_THREADS"
    exit
  fi
  mkdir -p "$folder"
  if [ "${JOBS_COLLECTOR:-yes}" = yes ] && [ "$SLURM_ARRAY_TASK_ID" = "$SLURM_ARRAY_TASK_MIN" ] &&
    [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
    sbatch --dependency="afterany:$SLURM_ARRAY_JOB_ID" "$job_folder/scaling-collect.sbatch" "$folder"
  fi
  name=$folder/$mode-$kind-$n-$dimension-$m-$ranks-$OMP_NUM_THREADS-$SLURM_JOB_ID
  job_step "$ranks" "$nodes" generate "$name.points.h5" -n "$n" --dim "$dimension" --kind "$kind" --overwrite
  if [ "$kind" = sphere ]; then
    words=(--coordinates lonlat)
  fi
  for ((repeat = 1; repeat <= ${JOBS_REPEATS:-3}; repeat++)); do
    job_step "$ranks" "$nodes" vecchia "$name.points.h5" "$name.h5" -m "$m" "${words[@]}" "${job_limit[@]}" \
      --overwrite --report "$name-$repeat.json" "$@"
  done
  job_verify "$name.h5" --against "$name.points.h5" --sample 10000
  rm "$name.points.h5" "$name.h5"
}
