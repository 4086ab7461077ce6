#!/usr/bin/env python
"""The official detection metrics of Waymo and ONCE on boxes in a NumPy archive.

The archive holds, for ``prediction`` and for ``truth``, arrays with a row per box: ``SIDE_frame`` (number),
``SIDE_box`` (x, y, z of the centre, length, width, height, yaw), ``SIDE_type`` (Waymo: 1 vehicle, 2 pedestrian, 3 sign,
4 cyclist; ONCE: Car, Bus, Truck, Pedestrian, Cyclist), and ``prediction_score``. Waymo also needs ``truth_num_points``
and takes ``truth_level`` (0: by the number of points) and ``prediction_in_no_label_zone``. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dataset', choices=('waymo', 'once'))
    parser.add_argument('objects', type=Path, metavar='OBJECTS.npz', help='boxes of all frames')
    parser.add_argument(
        '--official-overlap',
        action='store_true',
        help='ONCE: boxes turned by minus their yaw, as the official program does; for published figures',
    )
    return parser.parse_args()


def main() -> None:
    from projects.CLAP.clap.evaluation.frame_boxes import read_boxes
    from projects.CLAP.clap.evaluation.once_boxes import SUPER_CLASS, once_precisions
    from projects.CLAP.clap.evaluation.waymo_boxes import TYPES, waymo_precisions
    from projects.CLAP.clap.files.text_table import text_table

    args = parse_args()
    if args.dataset == 'waymo':
        figures = waymo_precisions(*read_boxes(args.objects, list(TYPES), ['truth_num_points']))
    else:
        figures = once_precisions(*read_boxes(args.objects, list(SUPER_CLASS)), args.official_overlap)
    head = list(next(iter(figures.values())))
    rows = [[name, *(f'{row[key]:.4f}' for key in head)] for name, row in figures.items()]
    print(text_table(['', *head], rows))
    print(json.dumps(figures))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
