#!/usr/bin/env python
"""How well do frozen encoders tell the classes of points? A linear layer (--layers 2: a small network) on their
features, trained on a few labelled frames, measured on the evaluation frames; random encoders, and a point's height and
intensity alone, beside it. The last line is JSON; --out keeps it (WORK_DIR/probe.json is shown by tools/report.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='configuration that the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint file of any method, or of a detector')
    parser.add_argument('--labels', type=int, default=1, help='labelled frames (default: 1)')
    parser.add_argument('--seeds', type=int, default=3, help='draws of frames and random encoders (default: 3)')
    parser.add_argument(
        '--features',
        default='lidar',
        choices=['lidar', 'fused', 'voxel'],
        help="the LiDAR's BEV at the point (default), the fused BEV after the neck, or the sparse encoder's voxels",
    )
    parser.add_argument('--layers', type=int, default=1, choices=[1, 2], help='of the classifier (default: 1, linear)')
    parser.add_argument('--out', metavar='FILE', help='write the figures there as JSON')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.analysis.probe import probe, probe_table
    from projects.CLAP.clap.engine.config.load import load_config

    cfg = load_config(args.config, args.cfg_options)
    figures = probe(cfg, args.checkpoint, args.labels, args.seeds, args.features, args.layers)
    print(probe_table(figures))
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
