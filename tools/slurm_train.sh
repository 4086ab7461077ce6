#!/usr/bin/env bash
# Train on a Slurm cluster:  tools/slurm_train.sh PARTITION JOB_NAME CONFIG NUM_GPUS [arguments of train.py]
# GPUS_PER_NODE (default 8, or NUM_GPUS if fewer), CPUS_PER_TASK (default 5) and SRUN_ARGS may be set.
# A job that is cancelled or killed goes on with the same command and --resume.
set -euo pipefail
[ $# -ge 4 ] || { echo "usage: $0 PARTITION JOB_NAME CONFIG NUM_GPUS [arguments of tools/train.py]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
partition=$1 job=$2 config=$3 gpus=$4; shift 4
per_node=${GPUS_PER_NODE:-8}; [ "$gpus" -ge "$per_node" ] || per_node=$gpus
python=python; [ -x "$here/../.venv/bin/python" ] && python="$here/../.venv/bin/python"
# shellcheck disable=SC2086  # SRUN_ARGS holds several arguments
exec srun --partition="$partition" --job-name="$job" --gres=gpu:"$per_node" --ntasks="$gpus" \
  --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  "$python" -u "$here/train.py" "$config" --launcher slurm "$@"
