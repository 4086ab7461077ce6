#!/usr/bin/env bash
# Evaluate on several GPUs (or processes):  tools/dist_test.sh CONFIG CHECKPOINT NUM_GPUS [arguments of test.py]
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: $0 CONFIG CHECKPOINT NUM_GPUS [arguments of tools/test.py]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
config=$1 checkpoint=$2 gpus=$3; shift 3
python=python; [ -x "$here/../.venv/bin/python" ] && python="$here/../.venv/bin/python"
exec "$python" -m torch.distributed.run --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" --nproc_per_node="$gpus" \
  "$here/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
