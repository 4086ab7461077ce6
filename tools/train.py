#!/usr/bin/env python
"""Train a configuration: pre-training or fine-tuning."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='configuration file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go (default: work_dirs/<config name>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from CKPT, or from the last checkpoint of the work directory if there is one',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (rendering stays in float32)')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the configuration'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))

    from mmdet3d.registry import MODELS

    from projects.CLAP.clap.engine.config.agreement import loose_ends
    from projects.CLAP.clap.engine.config.load import check_load_from, load_config, skip_downloads, use_amp
    from projects.CLAP.clap.engine.hooks.atomic_checkpoint_hook import resumable_checkpoints
    from projects.CLAP.clap.engine.lock import is_first_process, locked_work_dir
    from projects.CLAP.clap.engine.runner import QuietRunner

    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    if args.amp:
        use_amp(cfg)
    if is_first_process(args.launcher):
        model = MODELS.get(cfg.model.type)
        title = model.title(cfg.model) if hasattr(model, 'title') else cfg.model.type
        print(f'{title}: {args.config}', flush=True)
        for line in loose_ends(cfg):
            print(f'warning: {line}', file=sys.stderr)
    with locked_work_dir(cfg.work_dir, args.launcher):
        if args.resume == 'auto':
            if resumable_checkpoints(Path(cfg.work_dir)):  # else from load_from if there is one
                cfg.resume, cfg.load_from = True, None  # AtomicCheckpointHook takes the last one that is whole
            elif is_first_process(args.launcher):
                start = cfg.get('load_from') or 'the initialisation'
                print(f'--resume: no checkpoint in {cfg.work_dir} yet, training begins from {start}')
        elif args.resume:
            cfg.resume, cfg.load_from = True, args.resume
        check_load_from(cfg)
        skip_downloads(cfg)
        QuietRunner.from_cfg(cfg).train()


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main, interrupted='--resume goes on from the last checkpoint, or from the beginning if there is none yet')
