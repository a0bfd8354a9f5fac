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
#   job_memory, job_node_megabytes   that share, and the job's memory on a node; 0 if they are not known
# SIGTERM does not end this script, so that it can say what becomes of the job; SIGUSR1 goes to what can be stopped.
job_start() {
  jobs_root=$(cd "${job_folder:?}/.." && pwd)
  # shellcheck source=jobs/site.sh
  source "$job_folder/site.sh"
  site_modules
  pcct=${PCCT:-$site_pcct}
  if ! command -v "$pcct" >/dev/null; then
    echo "$pcct is not there; build it, or name the program in site.sh or with PCCT=..." >&2
    exit 2
  fi
  case ${JOBS_LAUNCHER:-$site_launcher} in
    srun | mpirun) ;;
    *)
      echo "the launcher is '${JOBS_LAUNCHER:-$site_launcher}', expected srun or mpirun" >&2
      exit 2
      ;;
  esac
  export SLURM_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
  export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK OMP_PLACES=cores OMP_PROC_BIND=close
  export SLURM_EXPORT_ENV=ALL # ranks get all of this, also where jobs are submitted with --export=NONE
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
  job_node_megabytes=$((megabytes * job_ranks_of_node))
  if [ "$megabytes" -gt 0 ]; then
    job_limit=(--memory-limit "$job_memory")
  fi
  if [ "${JOBS_PLAN:-no}" = no ]; then
    job_signalled=no job_stoppable=
    trap 'job_signalled=yes' TERM
    trap 'job_signalled=yes; if [ -n "$job_stoppable" ]; then kill -USR1 "$job_stoppable"; fi' USR1
    echo "job ${SLURM_JOB_ID:-none}, start $((${SLURM_RESTART_COUNT:-0} + 1)): $job_ranks ranks on" \
      "${SLURM_JOB_NODELIST:-this host}, $OMP_NUM_THREADS threads each"
  fi
}

# ---- Plans (see submit.sh)

# Runs pcct where jobs are submitted: job_plan ARGUMENTS... The numbers of the job are not for a launcher here.
job_plan() {
  (
    unset SLURM_JOB_ID SLURM_ARRAY_TASK_ID SLURM_JOB_NUM_NODES SLURM_NTASKS SLURM_CPUS_PER_TASK SLURM_MEM_PER_CPU \
      SLURM_MEM_PER_NODE SLURM_EXPORT_ENV
    site_launch_here "$pcct" "$@"
  )
}

# Asks whether verify fits, which holds all points on each node: job_plan_verify POINTS COORDINATES
job_plan_verify() {
  local need=$(($1 * (220 + 40 * $2) / 1000000 + 60)) # measured; about a tenth more than that
  if [ "${JOBS_VERIFY:-yes}" != no ] && [ "$job_node_megabytes" -gt 0 ] && [ "$need" -gt "$job_node_megabytes" ]; then
    echo "the check at the end would need about $need MB on each node, the job has $job_node_megabytes MB there:" \
      "ask for more memory of each node, or leave the check out with JOBS_VERIFY=no" >&2
    exit 2
  fi
}

# ---- Running

# Runs pcct: job_launch RANKS NODES ARGUMENTS... Sets job_code to the launcher's exit code, and job_own to pcct's own.
# Launchers do not tell that reliably (mpirun returns 1 on SIGTERM, srun the signal by which -K1 ended other ranks), so
# that every rank leaves it in a file; job_own is empty if none has: then the ranks were killed, or did not start.
# Only vecchia can be stopped by SIGUSR1, which Slurm sends to this script alone: launchers pass it on.
job_launch() {
  local ranks=$1 nodes=$2 codes=pcct-codes-${SLURM_JOB_ID:-$$} process
  shift 2
  : >"$codes"
  job_own=
  site_launch "$ranks" "$nodes"
  # shellcheck disable=SC2016 # the ranks expand this
  "${launch[@]}" bash -c '
    trap "" USR1 # until pcct is ready for it
    codes=$1 signalled=yes
    shift
    "$@" &
    trap "signalled=yes; kill -USR1 $!" USR1
    while [ $signalled = yes ]; do
      signalled=no code=0
      wait $! || code=$?
    done
    if [ $code -gt 0 ] && [ $code -lt 128 ]; then
      echo $code >>"$codes"
    fi
    exit $code' rank "$codes" "$pcct" "$@" &
  process=$!
  if [ "$1" = vecchia ]; then
    job_stoppable=$process
  fi
  job_signalled=yes
  while [ "$job_signalled" = yes ]; do # a signal ends the wait, not the launcher
    job_signalled=no job_code=0
    wait "$process" || job_code=$?
  done
  job_stoppable=
  if [ "$job_code" != 0 ] && [ -s "$codes" ]; then
    job_own=$(sort -n "$codes" | tail -n 1)
  fi
  rm -f "$codes"
}

# Which file has a name: text that changes when it is replaced.
job_identity() {
  stat -c '%i %s %y' "$1" 2>/dev/null || echo none
}

# What there is of the job's output: text that changes with whatever another start can go on with.
job_saved() {
  job_identity "$job_output"
  cat "$job_output.checkpoint" 2>/dev/null || true
}

# Begins the work on an output: job_begin OUTPUT. Sets
#   job_output, job_before   what there was of it when this start of the job began
#   job_state                a file: what OUTPUT was before the job, then a line for each kill
job_begin() {
  job_output=$1
  job_before=$(job_saved)
  job_state=$1.job-${SLURM_JOB_ID:-$$}
  if [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || [ ! -e "$job_state" ]; then
    job_identity "$job_output" >"$job_state"
  fi
}

# Whether the output is there and another than before the job.
job_is_made() {
  local now
  now=$(job_identity "$job_output")
  [ "$now" != none ] && [ "$now" != "$(head -n 1 "$job_state")" ]
}

# Ends the job: job_fail CODE [WHY]
job_fail() {
  rm -f "$job_state"
  if [ -n "${2:-}" ]; then
    echo "$2" >&2
  fi
  exit "$1"
}

# Ends the job after a kill: job_give_up CODE WHY. What was begun stays if another job can go on with it.
job_give_up() {
  if [ ! -e "$job_output.checkpoint" ]; then
    rm -f "$job_output.part"
  fi
  if job_is_made; then
    job_fail "$1" "$2; $job_output is complete, but not verified (JOBS_VERIFY=no leaves that out)"
  fi
  job_fail "$1" "$2"
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

# What Slurm says of this job: running, if it does not say anything else; timeout, if it ends it for the time limit;
# requeued, if it puts it back into the queue itself; else cancelled.
job_fate() {
  local line
  line=$(job_scontrol show job -o "$SLURM_JOB_ID" || true)
  case $line in
    *" Reason=TimeLimit "*) echo timeout ;;
    "" | *" JobState=RUNNING "*) echo running ;;
    *" Restarts=$((${SLURM_RESTART_COUNT:-0} + 1)) "*) echo requeued ;;
    *) echo cancelled ;;
  esac
}

# What to do after a kill. As long as each start saves something, the job goes back into the queue; if not, up to
# JOBS_KILLS times (3), and not at all after the time limit.
job_killed() {
  local fate code=$((job_code > 0 ? job_code : 70))
  fate=$(job_fate)
  case $fate in
    requeued)
      echo "put back into the queue by Slurm (code $job_code)"
      exit "$code"
      ;;
    cancelled) job_give_up "$code" "ended by Slurm (code $job_code)" ;;
    timeout)
      if [ "$(job_saved)" = "$job_before" ]; then
        job_give_up "$code" "the time limit came before anything was saved: give the job more time (--time)"
      fi
      job_requeue "the time limit came before the end" "$code"
      ;;
  esac
  echo "killed, or not started (code $job_code)"
  if [ "$(job_saved)" = "$job_before" ]; then
    echo killed >>"$job_state"
    if [ "$(wc -l <"$job_state")" -gt $((1 + ${JOBS_KILLS:-3})) ]; then
      job_give_up "$code" "that is once more than JOBS_KILLS allows; out of memory? sacct tells"
    fi
  fi
  job_requeue "the next start goes on with what is saved" "$code"
}

# Runs pcct, and ends the job if pcct failed: with its exit code, and back into the queue if that is 75: stopped before
# the time limit. True if it succeeded, false if it was killed or did not start: job_try RANKS NODES ARGUMENTS...
# Only verify ends with 1 itself; otherwise that is MPI's, whose ranks abort when they lose another.
job_try() {
  job_launch "$@"
  case $3,$job_own in
    *,75)
      if [ "$(job_saved)" = "$job_before" ]; then
        job_fail 75 "this start could not save a single block before the time limit; the next job goes on from there: \
give it more time (--time) or ranks, or use --checkpoint-blocks"
      fi
      job_requeue "stopped before the time limit" 75
      ;;
    verify,1 | *,[2-5] | *,70) job_fail "$job_own" ;;
  esac
  [ "$job_code" = 0 ]
}

# Runs a subcommand as all ranks until its OUTPUT is there: job_run OUTPUT SUBCOMMAND ARGUMENTS...
# For a plan (see submit.sh) it only asks whether the job fits.
job_run() {
  local text size
  if [ "${JOBS_PLAN:-no}" != no ]; then
    shift
    text=$(job_plan plan "$@" --ranks "$job_ranks" --threads "$OMP_NUM_THREADS") || exit
    echo "$text"
    size=$(sed -n '1s/^would read \([0-9]*\) points with \([0-9]*\) coordinate.*/\1 \2/p' <<<"$text")
    # shellcheck disable=SC2086 # two numbers
    job_plan_verify ${size:-0 0}
    exit
  fi
  job_begin "$1"
  shift
  if ! job_is_made; then # by an earlier start
    job_try "$job_ranks" "$job_nodes" "$@" || job_is_made || job_killed
  fi
}

# Words for subcommands that start anew: OUTPUT.part that an earlier start of this job left may be replaced, while an
# OUTPUT that was there before may not: job_anew OUTPUT
job_anew() {
  if [ "${SLURM_RESTART_COUNT:-0}" != 0 ] && [ ! -e "$1" ]; then
    echo --overwrite
  fi
}

# Checks the output with one rank on each node, which has all of its memory, unless JOBS_VERIFY is no, and ends the work
# on it: job_verify ARGUMENTS...
job_verify() {
  if [ "${JOBS_VERIFY:-yes}" != no ]; then
    job_try "$job_nodes" "$job_nodes" verify "$@" || job_killed
  fi
  rm -f "$job_state"
}

# One number of ranks of a scaling study: job_scaling strong|weak FOLDER RANKS N D M KIND [OPTIONS of pcct vecchia]
job_scaling() {
  local mode=$1 folder=$2 ranks=$3 n=$4 dimension=$5 m=$6 kind=$7 repeat nodes words=()
  shift 7
  nodes=$(((ranks + job_ranks_of_node - 1) / job_ranks_of_node))
  if [ "$nodes" -gt "$job_nodes" ]; then
    echo "$ranks ranks, $job_ranks_of_node on each node, take $nodes nodes; the job has $job_nodes" >&2
    exit 2
  fi
  if [ "$kind" = sphere ]; then
    words=(--coordinates lonlat)
  fi
  mkdir -p "$folder" || exit 4
  if [ "${JOBS_PLAN:-no}" != no ]; then
    rmdir --ignore-fail-on-non-empty "$folder"
    job_plan_scaling "$@"
    exit
  fi
  if [ "${JOBS_COLLECTOR:-yes}" = yes ] && [ "$SLURM_ARRAY_TASK_ID" = "$SLURM_ARRAY_TASK_MIN" ] &&
    [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
    sbatch --dependency="afterany:$SLURM_ARRAY_JOB_ID" --partition="$SLURM_JOB_PARTITION" \
      ${SLURM_JOB_ACCOUNT:+"--account=$SLURM_JOB_ACCOUNT"} "$job_folder/scaling-collect.sbatch" "$folder" ||
      echo "no collector: sbatch $job_folder/scaling-collect.sbatch $folder makes the table later" >&2
  fi
  job_name=$folder/$mode-$kind-$n-$dimension-$m-$ranks-$OMP_NUM_THREADS-$SLURM_JOB_ID
  trap 'rm -f "$job_name.points.h5" "$job_name.h5" "$job_name.h5.part" "$job_name.h5.checkpoint"' EXIT
  job_begin "$job_name"
  job_try "$ranks" "$nodes" generate "$job_name.points.h5" -n "$n" --dim "$dimension" --kind "$kind" --overwrite ||
    job_killed
  for ((repeat = 1; repeat <= ${JOBS_REPEATS:-3}; repeat++)); do
    job_try "$ranks" "$nodes" vecchia "$job_name.points.h5" "$job_name.h5" -m "$m" "${words[@]}" "${job_limit[@]}" \
      --overwrite --report "$job_name-$repeat.json" "$@" || job_killed
  done
  job_verify "$job_name.h5" --against "$job_name.points.h5" --sample 10000
}

# The plan of job_scaling, with its variables, of the options with a few points, of memory with all:
# job_plan_scaling OPTIONS...
job_plan_scaling() {
  local ordering=random word i
  for ((i = 1; i <= $#; i++)); do
    case ${!i} in
      --ordering) word=$((i + 1)) ordering=${!word:-} ;;
      --ordering=*) ordering=${!i#*=} ;;
    esac
  done
  job_name=$(mktemp -d)
  trap 'rm -rf "$job_name"' EXIT
  job_plan generate "$job_name/points.h5" -n 10 --dim "$dimension" --kind "$kind" --quiet
  job_plan plan vecchia "$job_name/points.h5" "$job_name/sets.h5" -m "$m" "${words[@]}" --quiet "$@"
  if [ ${#job_limit[@]} -gt 0 ]; then
    words+=(--memory-per-rank "$job_memory")
  fi
  words+=(--ordering "$ordering" --ranks "$ranks" --threads "$OMP_NUM_THREADS")
  job_plan plan "$n" "$dimension" "$m" "${words[@]}"
  job_plan_verify "$n" "$dimension"
}
