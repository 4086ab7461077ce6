#!/usr/bin/env python
"""Compare ways of pre-training by what a detector makes of few labels: run a plan, or sum up what has been run.

Every training is a process of its own on one core, or has GPUs to itself. What is finished is kept in DIR/records; run
the same command again to go on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('plan', help='plan file, e.g. projects/CLAP/configs/comparison/sim.py')
    parser.add_argument(
        '--work-dir',
        type=Path,
        metavar='DIR',
        help='runs, weights and records (default: work_dirs/label_efficiency_<name of the plan>)',
    )
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='trainings at once, one core each')
    parser.add_argument(
        '--gpus',
        nargs='+',
        default=[],
        metavar='ID',
        help='GPUs to run on; every job has as many of them to itself as the plan says, at least one',
    )
    parser.add_argument(
        '--only',
        nargs='+',
        default=[],
        metavar='PATTERN',
        help="jobs whose names match, and what they need, e.g. 'finetune-clap-*' (default: all)",
    )
    parser.add_argument('--dry-run', action='store_true', help='check the plan, list jobs, hours and what is missing')
    parser.add_argument(
        '--summarize',
        action='store_true',
        help='run nothing, write page and plot from the records of DIR, or else from the published ones',
    )
    parser.add_argument(
        '--results',
        type=Path,
        metavar='DIR',
        help='where page, plot and records.jsonl go (default: docs/results/<name of the plan>)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from projects.CLAP.comparison import PlanError, read_plan
    from projects.CLAP.comparison.command import list_jobs, run_jobs, summarize

    plan = read_plan(args.plan)
    work_dir = args.work_dir or Path('work_dirs') / f'label_efficiency_{plan.name}'
    if args.jobs < 1:
        raise PlanError(f'--jobs must be at least 1, got {args.jobs}')
    if args.dry_run:
        print(json.dumps(list_jobs(plan, work_dir, args.only, args.gpus)))
        return
    asked = (plan, work_dir, args.only, args.jobs, args.gpus)
    failed, stopped = ({}, None) if args.summarize else run_jobs(*asked)
    if stopped is not None:
        print(
            f'\nstopped by {signal.Signals(stopped).name}; the same command goes on from the last checkpoints',
            file=sys.stderr,
        )
        raise SystemExit(128 + stopped)
    figures = summarize(plan, work_dir, args.results)
    for name, why in failed.items():
        print(f'failed: {name}: {why}', file=sys.stderr)
    print(json.dumps(dict(figures, failed=sorted(failed))))
    if failed:
        raise SystemExit(1)


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
