"""Make the info files of a dataset: simulate one, or convert one from its native layout.

Every command prints its progress and ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

#: Subcommand, which is also a module of clap/datasets/converters -> what it converts and its splits.
CONVERTERS = {
    'argoverse2': ('the sensor data set or the LiDAR data set of Argoverse 2', ('train', 'val', 'test')),
    'kitti_raw': ('drives of KITTI raw, synchronised and rectified', ('train', 'val')),
    'once': ('ONCE', ('train', 'val', 'test', 'raw_small', 'raw_medium', 'raw_large')),
    'semantickitti': ('the sequences of KITTI odometry with SemanticKITTI\'s labels', ('train', 'val', 'test')),
    'waymo': ('the Waymo Open Dataset (Parquet files of version 2, or TFRecords)', ('train', 'val', 'test')),
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)

    sim = commands.add_parser('sim', help='simulate a driving world and write it in the nuScenes v1.0 layout')
    sim.add_argument('--out', type=Path, required=True, help='new folder for the dataset, or one to resume')
    sim.add_argument('--scenes', type=int, required=True, help='number of scenes')
    sim.add_argument('--frames', type=int, required=True, help='keyframes per scene (2 Hz, 10 sweeps apart)')
    sim.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the world; the same one gives the same bytes on one kind of processor (default 0)',
    )
    sim.add_argument('--jobs', type=int, default=1, help='scenes simulated at a time (no influence on the result)')
    sim.add_argument('--val-fraction', type=float, default=0.25, help='share of scenes in the val split (default 0.25)')
    sim.add_argument('--image-width', type=int, default=400, help='image width in pixels, 16:9 (default 400)')
    sim.add_argument('--azimuth-steps', type=int, default=1090, help='LiDAR firings per turn (default 1090)')
    sim.add_argument('--supersample', type=int, default=2, help='rays per pixel and axis (default 2)')
    sim.add_argument('--lidar-range', type=float, default=100.0, help='no LiDAR returns beyond (m, default 100)')
    sim.set_defaults(run=run_sim)

    objects = commands.add_parser('objects', help='single objects of the simulated world with views, for CluRender')
    objects.add_argument('--out', type=Path, required=True, help='new folder for the objects, or one to resume')
    objects.add_argument('--train', type=int, default=20, help='training objects per class (default 20)')
    objects.add_argument('--test', type=int, default=10, help='test objects per class (default 10)')
    objects.add_argument('--seed', type=int, default=0, help='of the objects (default 0)')
    objects.add_argument('--views', type=int, default=8, help='cameras around each object (default 8)')
    objects.add_argument('--image-size', type=int, default=64, help='pixels of an image\'s side (default 64)')
    objects.set_defaults(run=run_objects)

    pandaset = commands.add_parser('pandaset', help='convert PandaSet (native folder layout)')
    pandaset.add_argument('--root', type=Path, required=True, help='folder that holds the sequence folders')
    pandaset.add_argument('--out', type=Path, required=True, help='folder for the info files')
    pandaset.set_defaults(run=run_pandaset)

    nuscenes = commands.add_parser('nuscenes', help='ordinary mmdetection3d info files of nuScenes')
    nuscenes.add_argument(
        '--root', type=Path, required=True, help='folder that holds <version>/, samples/, sweeps/, maps/'
    )
    nuscenes.add_argument('--out', type=Path, required=True, help='folder for the info files')
    nuscenes.add_argument('--version', default='v1.0-trainval', help='v1.0-trainval or v1.0-mini')
    nuscenes.add_argument('--prefix', default='nuscenes', help='file names begin with this (default nuscenes)')
    nuscenes.set_defaults(run=run_nuscenes)

    pixels = commands.add_parser('superpixels', help='segment the images of a SLidR training, or resume')
    pixels.add_argument('--config', required=True, help='of the training: says which images, how many segments, where')
    pixels.add_argument('--jobs', type=int, default=1, help='processes (no influence on the result; default 1)')
    pixels.set_defaults(run=run_superpixels)

    natives = [pandaset, nuscenes]
    for name, (what, splits) in CONVERTERS.items():
        native = commands.add_parser(name, help=f'convert {what}')
        native.add_argument('--root', type=Path, required=True, help='folder of the data in their native layout')
        native.add_argument('--out', type=Path, required=True, help='folder for all that is written, or one to resume')
        native.add_argument('--split', nargs='+', choices=splits, help='only these (default: those that are there)')
        native.add_argument('--jobs', type=int, default=1, help='processes (no influence on the result; default 1)')
        native.set_defaults(run=run_converter)
        natives.append(native)
    for native in natives:
        native.add_argument(
            '--on-damaged',
            choices=('stop', 'skip'),
            default='skip',
            help='recordings that cannot be converted: an info file without them (default), or none',
        )
    return parser.parse_args(argv)


def run_sim(args: argparse.Namespace) -> dict:
    from projects.CLAP.simulation.generate import SimConfig, generate

    config = SimConfig(
        args.scenes,
        args.frames,
        args.seed,
        args.val_fraction,
        args.image_width,
        args.azimuth_steps,
        args.supersample,
        args.lidar_range,
    )
    if args.jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {args.jobs}')
    return generate(args.out, config, args.jobs, report=lambda line: print(line, flush=True))


def run_objects(args: argparse.Namespace) -> dict:
    from projects.CLAP.simulation.objects import write_objects

    return write_objects(args.out, args.train, args.test, args.seed, args.views, args.image_size)


def run_pandaset(args: argparse.Namespace) -> dict:
    from projects.CLAP.clap.datasets.converters.pandaset import convert

    damaged = {} if args.on_damaged == 'skip' else None
    return {'infos': [str(p) for p in convert(args.root, args.out, damaged)], 'damaged': damaged or {}}


def run_nuscenes(args: argparse.Namespace) -> dict:
    from projects.CLAP.clap.datasets.converters.nuscenes import write_nuscenes_infos

    damaged = {} if args.on_damaged == 'skip' else None
    infos = write_nuscenes_infos(args.root, args.out, args.version, args.prefix, damaged=damaged)
    return {'infos': [str(p) for p in infos], 'damaged': damaged or {}}


def run_converter(args: argparse.Namespace) -> dict:
    module = importlib.import_module(f'projects.CLAP.clap.datasets.converters.{args.command}')
    return module.convert(args.root, args.out, args.split, args.jobs, args.on_damaged)


def run_superpixels(args: argparse.Namespace) -> dict:
    from projects.CLAP.clap.datasets.converters.superpixels import convert
    from projects.CLAP.clap.engine.config.load import load_config

    cfg = load_config(args.config, [])
    loaders = [cfg.get(f'{name}_dataloader') for name in ('train', 'val', 'test')]
    return convert([loader.dataset for loader in loaders if loader], args.jobs)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    begun = time.monotonic()
    try:
        figures = args.run(args)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('\ninterrupted; the same command goes on with what is missing', file=sys.stderr)
        return 130
    print(json.dumps({'command': args.command, 'wall_seconds': round(time.monotonic() - begun, 1), **figures}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
