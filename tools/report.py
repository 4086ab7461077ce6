#!/usr/bin/env python
"""Write what a run was and how it went as one HTML file: record, verdicts on its health, curves, pictures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help='--work-dir of a training run, finished or not')
    parser.add_argument('--out', help='the HTML file (default: WORK_DIR/report.html)')
    parser.add_argument('--max-steps', type=int, default=12, help='iterations per figure that are kept (default: 12)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.report import findings, summary, to_measure, write_report

    out = Path(args.out or Path(args.work_dir) / 'report.html')
    run = write_report(Path(args.work_dir), out, max(args.max_steps, 1))
    rows = findings(run)
    width = max(len(row.title) for row in rows)
    for row in rows:
        print(f'{row.title:<{width}}  {row.level:<12}  {row.value}')
    command = to_measure(run)
    if command:
        print(f'not measured yet; where there are labels: {command}')
    print(summary(rows, run.steps))
    print(
        json.dumps(
            dict(
                report=str(out),
                bytes=out.stat().st_size,
                verdict=summary(rows, run.steps),
                verdicts={r.title: r.level for r in rows},
            )
        )
    )


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
