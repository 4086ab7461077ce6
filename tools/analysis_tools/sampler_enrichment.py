#!/usr/bin/env python
"""Does a ray sampler find what is worth rendering? Every figure is relative to uniform drawing.

For the sampler of the configuration (curvature), Eq. 12 as printed (curvature_literal), UniPAD's (depth), PCA surface
variation (surface_variation) and uniform drawing, on every evaluation frame: share of the drawn points in labelled
boxes (object ratio) and on road (road ratio; semantic labels where the data have them, else a fitted ground surface),
the same for the points seen in drawn pixels, by class and distance, rank correlation of the weights with the surface
variation of the raw points, entropy and effective sample size. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pre-training configuration')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--data-root',
        metavar='DIR',
        help='where the evaluation frames lie: a converted data set, a folder of such, a folder with '
        'one info file, or native PandaSet recordings (default: the configuration\'s)',
    )
    parser.add_argument('--frames', type=int, nargs='+', help='indices of the evaluation frames (default: all)')
    parser.add_argument('--lidar-rays', type=int, default=8192, help='points per draw (default: 8192, the paper\'s)')
    parser.add_argument('--camera-rays', type=int, default=1024, help='pixels per camera and draw (default: 1024)')
    parser.add_argument('--seeds', type=int, default=8, help='draws that the shares are averaged over')
    parser.add_argument(
        '--sampler',
        nargs='+',
        action='append',
        default=[],
        metavar='NAME KEY=VALUE',
        help='a further curvature sampler, e.g. --sampler smooth2 mode=secant smoothing=2',
    )
    parser.add_argument('--out', metavar='FILE', help='write all figures of all frames there as JSON')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.analysis.enrichment import mean_figures, summary
    from projects.CLAP.clap.analysis.enrichment_report import format_tables
    from projects.CLAP.clap.analysis.enrichment_run import build_samplers, measure_checkpoint
    from projects.CLAP.clap.engine.config.data_root import use_data_root
    from projects.CLAP.clap.engine.config.load import load_config, parse_options

    cfg = load_config(args.config, args.cfg_options)
    use_data_root(cfg, args.data_root)
    further = {name: parse_options(options) for name, *options in args.sampler}
    samplers = build_samplers(cfg.model.get('ray_sampler') or {}, args.lidar_rays, args.camera_rays, further)
    frames = measure_checkpoint(cfg, args.checkpoint, samplers, args.frames, args.seeds)
    mean = mean_figures(list(frames.values()))
    print(format_tables(mean))
    if args.out:
        Path(args.out).write_text(json.dumps(dict(frames=frames, mean=mean), indent=1))
    print(json.dumps(summary(mean, len(frames))))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
