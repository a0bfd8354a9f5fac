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

# scontrol, once more if it was itself ended by a signal: job_scontrol WORDS...
job_scontrol() {
  local try code
  for try in 1 2 3; do
    code=0
    scontrol "$@" || code=$?
    if [ $code -le 128 ]; then
      break
    fi
    sleep "$try" || true
  done
  return $code
}

# Puts the job back into the queue and ends this start; the next goes on with what is saved: job_requeue WHY CODE
job_requeue() {
  echo "back into the queue: $1"
  if job_scontrol requeue "$SLURM_JOB_ID"; then
    sleep 60 || true # until Slurm ends this start
  else
    echo "that was refused; submit the job again: it goes on with what is saved" >&2
  fi
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

# What of OUTPUT is saved to go on with: text that changes with it.
job_saved() {
  cat "$1.checkpoint" 2>/dev/null || true
}

# What Slurm says of this job: running, if it does not say anything else; timeout, if it ends it for the time limit;
# taken, if it ends it for another reason: cancelled, preempted, put back into the queue.
job_fate() {
  local line
  line=$(job_scontrol show job -o "$SLURM_JOB_ID" || true)
  case $line in
    *" Reason=TimeLimit "*) echo timeout ;;
    "" | *" JobState=RUNNING "*) echo running ;;
    *) echo taken ;;
  esac
}

# Gives up: job_give_up STATE CODE WHY
job_give_up() {
  rm -f "$1"
  echo "$3" >&2
  exit "$2"
}

# Runs a subcommand as all ranks until its OUTPUT is there: job_run OUTPUT SUBCOMMAND ARGUMENTS...
# Exit code 75 means stopped before the time limit: the job is requeued, and likewise if the time limit came first, as
# long as each start saves something. pcct's own failures (1 to 5 and 70) are passed on. Any other end without a new
# OUTPUT was a kill, whatever code the launcher made of it: the job is requeued, too, up to JOBS_KILLS times (3), unless
# it is Slurm that ends this start.
# For a plan (see submit.sh) it only asks whether the job fits.
job_run() {
  local output=$1 state=$1.job-${SLURM_JOB_ID:-$$} saved # the state: what OUTPUT was before; then a line for each kill
  local more="it goes on from there in a job with more time (--time), more ranks, or --checkpoint-blocks"
  shift
  if [ "${JOBS_PLAN:-no}" != no ]; then
    site_launch_here "$pcct" plan "$@" --ranks "$job_ranks" --threads "$OMP_NUM_THREADS"
    exit
  fi
  if [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || [ ! -e "$state" ]; then
    job_identity "$output" >"$state"
  fi
  if ! job_is_made "$output" "$state"; then # by an earlier start
    saved=$(job_saved "$output")
    trap : TERM # at the time limit, too, what is saved is to be gone on with
    job_launch "$job_ranks" "$job_nodes" "$@"
    case $job_code in
      75)
        if [ "$(job_saved "$output")" = "$saved" ]; then
          job_give_up "$state" 75 "this start could not save a single block before the time limit; $more"
        fi
        job_requeue "stopped before the time limit" 75
        ;;
      1 | 2 | 3 | 4 | 5 | 70)
        rm -f "$state"
        exit "$job_code"
        ;;
      *)
        if ! job_is_made "$output" "$state"; then
          job_killed "$output" "$state" "$saved"
        fi
        ;;
    esac
    trap - TERM
  fi
  rm -f "$state"
}

# What to do after a kill: job_killed OUTPUT STATE SAVED, which is what was saved before this start
job_killed() {
  local output=$1 state=$2 saved=$3 fate code=$((job_code > 0 ? job_code : 70))
  fate=$(job_fate)
  if [ "$fate" = taken ]; then
    echo "ended by Slurm (code $job_code)"
    exit "$code"
  fi
  if [ "$fate" = timeout ]; then
    if [ "$(job_saved "$output")" = "$saved" ]; then
      job_give_up "$state" "$code" "the time limit came before anything was saved; give the job more time (--time)"
    fi
    job_requeue "the time limit came before the end" "$code"
  fi
  echo "killed, or not started (code $job_code)" | tee -a "$state"
  if [ "$(wc -l <"$state")" -gt $((1 + ${JOBS_KILLS:-3})) ]; then
    job_give_up "$state" "$code" "that is once more than JOBS_KILLS allows; out of memory? sacct tells"
  fi
  job_requeue "the next start goes on with what is saved" "$code"
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
