#!/usr/bin/env python
"""Time of inverse sparse convolutions against the strided ones that they undo, on the voxels of one batch.

Forward and backward; both take turns in one process, figures are medians. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='configuration of a model with pts_middle_encoder')
    parser.add_argument('--repeats', type=int, default=10, help='measured turns')
    parser.add_argument('--device', default=None, help='cuda or cpu (default: cuda if there is one)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    import torch

    from projects.CLAP.clap.analysis.sparse_benchmark import benchmark_inverse, format_table
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.clap.engine.device import best_device

    cfg = load_config(args.config, args.cfg_options)
    found = benchmark_inverse(cfg, args.repeats, torch.device(args.device or best_device()))
    print(format_table(found))
    print(json.dumps(found))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
