#!/usr/bin/env python
"""Write the encoders of a pre-trained checkpoint for fine-tuning, here or in mmdetection3d's BEVFusion (load_from)."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of pre-training (or of a detector)')
    parser.add_argument('out', help='file to write, for load_from')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from projects.CLAP.clap.utils.export import export_encoders
    summary = export_encoders(args.checkpoint, args.out)
    print(f'{"encoder":<22}{"entries":>8}{"numbers":>12}')
    for name, entries in summary['entries'].items():
        print(f'{name:<22}{entries:>8}{summary["numbers"][name]:>12}')
    print(f'left out: {", ".join(summary["dropped"]) or "nothing"}')
    print('geometry of the view transform: ' + ('kept, it is that of mmdetection3d\'s lidar-cam configuration'
                                                if summary['geometry'] else 'left out, the configuration sets it'))
    if summary['absent']:
        print(f'the checkpoint does not have: {", ".join(summary["absent"])}')
    print(json.dumps(dict(out=args.out, total=sum(summary['entries'].values()), **summary)))


if __name__ == '__main__':
    from projects.CLAP.clap.utils.cli import run
    run(main)
