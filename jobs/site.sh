# Everything that differs between sites. The job scripts source this file; edit it here, once.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # common.sh uses these variables, and sets the others

# What brings Open MPI and parallel HDF5, for example: module load openmpi hdf5
site_modules() {
  :
}

# The program; PCCT in the environment goes before it.
site_pcct=$jobs_root/build/pcct

# What starts ranks: srun or mpirun. JOBS_LAUNCHER in the environment goes before it.
site_launcher=srun
# The PMI that srun offers Open MPI: pmix, pmix_v4, pmi2 (srun --mpi=list).
site_mpi=pmix
# Slurm 22.05 lets ranks through MPI's first barrier before all are there, so that one of ten starts of any program of
# Open MPI 4.1.4 on several nodes with TCP crashed in MPI_Init; with this way of waiting none of 150 did.
export SLURM_PMIX_FENCE=ring
# How srun gives a rank's threads cores of their own: cores; none where Slurm has no task plugin.
site_binding=cores

# For submit.sh, in the place of what stands at the head of the scripts; sbatch alone does not read this file in time.
# Ranks on each node and threads of each rank: one rank for each NUMA domain, with a thread for each of its cores, is a
# good start. Empty: those of the scripts. Where Slurm counts hyperthreads as CPUs, add --hint=nomultithread below.
site_ranks_per_node=
site_threads_per_rank=
# More options of sbatch, for example: (--partition=compute --account=statistics --mem=0 --exclusive)
site_options=()

# Where graphs are drawn and tables collected: a Python 3, with matplotlib for graphs.
site_python=python3

# Sets `launch` to the words that start a command as so many ranks: site_launch RANKS NODES
# -K1 ends the step when one rank dies.
site_launch() {
  local ranks=$1 nodes=$2 each=$((($1 + $2 - 1) / $2))
  if [ "${JOBS_LAUNCHER:-$site_launcher}" = srun ]; then
    launch=(srun -K1 --mpi="$site_mpi" --ntasks="$ranks" --nodes="$nodes" --cpus-per-task="$SLURM_CPUS_PER_TASK"
      --ntasks-per-node="$each" --mem=0 --cpu-bind="$site_binding")
  else
    launch=(mpirun -n "$ranks" -x OMP_NUM_THREADS -x OMP_PLACES -x OMP_PROC_BIND)
    if [ "$site_binding" = none ]; then
      launch+=(--map-by "ppr:$each:node" --bind-to none)
    else
      launch+=(--map-by "ppr:$each:node:PE=$SLURM_CPUS_PER_TASK" --bind-to core)
    fi
  fi
}

# Starts a command as one rank where jobs are submitted, for plans; with srun -n 1 where MPI does not start there.
site_launch_here() {
  "$@"
}
