#!/usr/bin/env python
"""Draw what a pre-trained checkpoint renders for frames of its dataset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pre-training configuration')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', default='work_dirs/pictures', help='folder for the PNG files')
    parser.add_argument('--frames', type=int, nargs='+', default=[0], help='indices into the evaluation dataset')
    parser.add_argument('--stride', type=int, default=4, help='pixels between rendered rays')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.engine.checkpoint.restore import restore_model, single_batch
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.clap.visualization import known_pictures, pictures_of, save

    cfg = load_config(args.config, args.cfg_options)
    model, dataset = restore_model(cfg, args.checkpoint)
    for index in args.frames:
        batch = single_batch(model, dataset, index)
        pictures = pictures_of(model, batch, known_pictures(model), stride=args.stride, state=args.checkpoint)
        for path in save(pictures, Path(args.out), f'frame_{index:04d}'):
            print(path)


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
