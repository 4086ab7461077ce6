#!/usr/bin/env bash
# From nothing to a pre-trained checkpoint and pictures on a CPU: environment,
# simulated dataset, pre-training, figures. Run it again to resume where it stopped.
#
#   bash tools/quickstart.sh          about 15 minutes on two cores, 10 more if mmcv must be built first
#   SCENES=12 FRAMES=20 SEED=1 bash tools/quickstart.sh
#
# Every choice of scenes, frames and seed has data and results of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scenes=${SCENES:-4} frames=${FRAMES:-12} seed=${SEED:-0}
name=quickstart_${scenes}x${frames}_seed${seed}
export CLAP_DATA_ROOT="${CLAP_DATA_ROOT:-data}/$name" MPLBACKEND=Agg OMP_WAIT_POLICY=PASSIVE
work_dir=work_dirs/$name
config=projects/CLAP/configs/clap_sim.py
say() { printf '\n[quickstart %s] %s\n' "$(date +%H:%M:%S)" "$*"; }

say "1/4 environment"
bash tools/setup_env.sh
python=.venv/bin/python

say "2/4 simulated dataset: $scenes scenes of $frames frames in $CLAP_DATA_ROOT/sim"
$python tools/create_data.py sim --out "$CLAP_DATA_ROOT/sim" --scenes "$scenes" --frames "$frames" --seed "$seed" --jobs "$(nproc)"

say "3/4 pre-training ($config)"
$python tools/train.py "$config" --work-dir "$work_dir" --resume

say "4/4 pictures and report"
checkpoint=$(cat "$work_dir/last_checkpoint")
$python tools/visualize.py "$config" "$checkpoint" --out "$work_dir/pictures"
$python tools/report.py "$work_dir" | head -n -1

say "done
  report      $work_dir/report.html (open it in a browser)
  checkpoint  $checkpoint
  log         $(ls -t "$work_dir"/*/*.log | head -n 1)
  pictures    $work_dir/pictures
  curves      .venv/bin/tensorboard --logdir $work_dir"
