#!/usr/bin/env python
"""Evaluate a checkpoint: rendered range of held-back rays for a pre-trained model, its metric for a detector."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='configuration file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='where the log goes (default: work_dirs/<config name>)')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the configuration'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))

    from mmengine.dist import is_main_process

    from projects.CLAP.clap.engine.checkpoint.compare import checkpoint_state, mismatch
    from projects.CLAP.clap.engine.checkpoint.read import load_checkpoint_file
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.clap.engine.runner import QuietRunner
    from projects.CLAP.clap.engine.unwrapped import unwrapped
    from projects.CLAP.clap.errors import CheckpointError

    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    if not Path(args.checkpoint).is_file():
        raise FileNotFoundError(f'checkpoint {args.checkpoint} does not exist')
    if cfg.model.get('img_backbone'):
        cfg.model.img_backbone.init_cfg = None  # the checkpoint holds the weights, nothing needs fetching
    cfg.load_from = None
    runner = QuietRunner.from_cfg(cfg)
    try:
        runner.load_checkpoint(args.checkpoint, strict=True)
    except CheckpointError:
        raise
    except RuntimeError as error:
        state = checkpoint_state(load_checkpoint_file(args.checkpoint, 'cpu'), args.checkpoint)
        raise mismatch(unwrapped(runner.model), state, args.checkpoint, error) from error
    metrics = runner.test()
    if is_main_process():
        print(json.dumps({name: float(value) for name, value in metrics.items()}))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
