#!/usr/bin/env python
"""Write the encoders of a pre-trained checkpoint for fine-tuning, here or in mmdetection3d's BEVFusion (load_from).

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
    parser.add_argument('out', help='file to write, for load_from')
    return parser.parse_args()


def part_of(text: str) -> tuple:
    """``CKPT:a,b`` -> (CKPT, [a, b]); a file whose name has a colon is taken as it is."""
    path, colon, names = text.rpartition(':')
    return (path, names.split(',')) if colon and not Path(text).exists() else (text, None)


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.engine.checkpoint.export import merge_encoders
    from projects.CLAP.clap.files.text_table import text_table

    summary = merge_encoders([part_of(text) for text in args.checkpoint], args.out)
    rows = [[name, entries, summary['numbers'][name]] for name, entries in summary['entries'].items()]
    print(text_table(['encoder', 'entries', 'numbers'], rows))
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
