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
    from projects.CLAP.clap.visualization import draw_frame, lidar_on_images, render_frame

    cfg = load_config(args.config, args.cfg_options)
    model, dataset = restore_model(cfg, args.checkpoint)
    for index in args.frames:
        batch = single_batch(model, dataset, index)
        calibration = lidar_on_images.batch_figure(model, batch)
        frame = render_frame(model, batch, args.stride, state=args.checkpoint)
        for path in draw_frame(frame, Path(args.out), f'frame_{index:04d}'):
            print(path)
        if calibration is not None:
            path = Path(args.out) / f'frame_{index:04d}_{lidar_on_images.NAME}.png'
            calibration.savefig(path, dpi=110)
            print(path)


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
