#!/usr/bin/env python
"""Write the encoders of a pre-trained checkpoint for fine-tuning: here and in mmdetection3d (load_from), or in
OpenPCDet (--pretrained_model).

The encoder alone, where the target should learn its own BEV: export_weights.py CKPT:pts_middle_encoder OUT --to ...

Encoders that were pre-trained separately are merged by naming what to take from each checkpoint:

    export_weights.py lidar.pth:pts_middle_encoder,pts_backbone,pts_neck \
        camera.pth:img_backbone,img_neck,view_transform OUT
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'checkpoint',
        nargs='+',
        metavar='CKPT[:encoder,...]',
        help='checkpoint of pre-training (or of a detector); with names, only these encoders of it',
    )
    parser.add_argument('out', help='file to write')
    parser.add_argument(
        '--to',
        default='mmdet3d-bevfusion',
        choices=['mmdet3d-bevfusion', 'mmdet3d-centerpoint', 'openpcdet-centerpoint', 'openpcdet-bevfusion'],
        help='the model that will load it (default: mmdet3d-bevfusion, which is also the layout of this project)',
    )
    parser.add_argument(
        '--use-bias',
        action='store_true',
        help="OpenPCDet: add the zero biases of an encoder whose configuration has no USE_BIAS: False",
    )
    parser.add_argument(
        '--point-features',
        type=lambda text: text.split(','),
        metavar='x,y,z,...',
        help="numbers of a point in the target, where they are not the checkpoint's x,y,z,intensity,time; those that "
        'it has not learned get zero weights',
    )
    return parser.parse_args()


def part_of(text: str) -> tuple:
    """``CKPT:a,b`` -> (CKPT, [a, b]); a file whose name has a colon is taken as it is."""
    path, colon, names = text.rpartition(':')
    return (path, names.split(',')) if colon and not Path(text).exists() else (text, None)


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.engine.checkpoint.export import merge_encoders
    from projects.CLAP.clap.errors import ConfigError
    from projects.CLAP.clap.files.text_table import text_table

    if args.use_bias and not args.to.startswith('openpcdet'):
        raise ConfigError('--use-bias is for OpenPCDet; mmdetection3d\'s sparse convolutions have no biases')
    parts = [part_of(text) for text in args.checkpoint]
    summary = merge_encoders(parts, args.out, args.to, args.use_bias, args.point_features)
    rows = [
        [name, summary['to'].get(name, '-'), entries, summary['numbers'][name]]
        for name, entries in summary['entries'].items()
    ]
    print(text_table(['encoder', f'in {args.to}', 'entries', 'numbers'], rows))
    for part, difference in summary['checked'].items():
        print(f'{part}: loaded into mmdetection3d\'s classes, output differs from ours by {difference:.1e} (relative)')
    if summary['unlearned']:
        print(f'numbers of a point with zero weights: {", ".join(summary["unlearned"])}')
    print(f'left out: {", ".join(summary["dropped"]) or "nothing"}')
    print(
        'geometry of the view transform: '
        + (
            'kept, it is that of mmdetection3d\'s lidar-cam configuration'
            if summary['geometry']
            else 'left out, the configuration sets it'
        )
    )
    if summary['absent']:
        print(f'not in the file: {", ".join(summary["absent"])}')
    print(json.dumps(dict(out=args.out, total=sum(summary['entries'].values()), **summary)))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
