#!/usr/bin/env bash
# Train on several GPUs (or processes):  tools/dist_train.sh CONFIG NUM_GPUS [arguments of train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 CONFIG NUM_GPUS [arguments of tools/train.py]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
config=$1 gpus=$2; shift 2
python=python; [ -x "$here/../.venv/bin/python" ] && python="$here/../.venv/bin/python"
exec "$python" -m torch.distributed.run --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" --nproc_per_node="$gpus" \
  "$here/train.py" "$config" --launcher pytorch "$@"
