#!/usr/bin/env bash
# From nothing to a pre-trained checkpoint, pictures and a report on a CPU: environment, simulated
# dataset, pre-training, figures. Run it again to resume where it stopped. It ends with the next commands.
#
#   bash tools/quickstart.sh          9 to 10 minutes on two idle cores, 6 more if mmcv must be built first
#   SCENES=12 FRAMES=20 SEED=1 bash tools/quickstart.sh
#
# Every choice of scenes, frames and seed has data and results of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scenes=${SCENES:-4} frames=${FRAMES:-12} seed=${SEED:-0}
name=quickstart_${scenes}x${frames}_seed${seed}
root=${CLAP_DATA_ROOT:-data}
# The last lines tell the user to export the folder of a quick start: the next one goes beside it, not into it.
case $(basename "$root") in quickstart_*) root=$(dirname "$root") ;; esac
export CLAP_DATA_ROOT="$root/$name" MPLBACKEND=Agg OMP_WAIT_POLICY=PASSIVE
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

say "4/4 pictures, enrichment of the drawn rays, report"
checkpoint=$work_dir/$(basename "$(cat "$work_dir/last_checkpoint")")
$python tools/visualize.py "$config" "$checkpoint" --out "$work_dir/pictures"
# Two frames of the first evaluation scene; the simulated world has labels, which only this looks at.
$python tools/analysis_tools/sampler_enrichment.py "$config" "$checkpoint" --frames 0 $((frames / 2)) --seeds 4 \
  --out "$work_dir/enrichment.json" > "$work_dir/enrichment.txt"
$python tools/report.py "$work_dir" | head -n -1

finetune=projects/CLAP/configs/finetune/bevfusion_sim_100pct.py
say "done
  report      $work_dir/report.html (open it in a browser)
  checkpoint  $checkpoint
  log         $(ls -t "$work_dir"/*/*.log | head -n 1)
  pictures    $work_dir/pictures
  enrichment  $work_dir/enrichment.txt
  curves      .venv/bin/tensorboard --logdir $work_dir

Next, in this folder (the first two lines once per shell):
  source .venv/bin/activate
  export CLAP_DATA_ROOT=$CLAP_DATA_ROOT
  python tools/test.py $config $checkpoint --work-dir $work_dir/test
  python tools/visualize.py $config $checkpoint --frames 1 2 --out $work_dir/pictures
  python -m pip install -r requirements/viewer.txt && python tools/view3d.py $config $checkpoint --out $work_dir/view3d.rrd
  python tools/export_weights.py $checkpoint $work_dir/encoders.pth
  python tools/train.py $finetune --work-dir $work_dir/finetune --cfg-options load_from=$work_dir/encoders.pth"
