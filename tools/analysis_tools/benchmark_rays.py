#!/usr/bin/env python
"""Step time and peak memory against the number of rays, for uniform, depth-aware and curvature sampling.

Every figure comes from a process of its own, so that the peak memory is its own. Camera rays keep the configuration's
ratio to LiDAR rays; the last row renders every point and every pixel, or is where the memory ends: then the memory of
rendering everything is extrapolated along a straight line. The last line is JSON.

With --renderer: forward and backward pass of the renderer alone, without data, in turn with a renderer that looks up
every sample by itself (UniPAD's design in torch's own operators).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pre-training configuration')
    parser.add_argument(
        '--rays',
        nargs='+',
        help='LiDAR rays per sample, "all" for every point and pixel (default: 1024, 2048 ... 32768, all; with '
        '--renderer the configuration\'s)',
    )
    parser.add_argument('--renderer', action='store_true', help='measure the renderer alone, against a simple one')
    parser.add_argument(
        '--samplers', nargs='+', default=['UniformRaySampler', 'DepthRaySampler', 'CurvatureRaySampler']
    )
    parser.add_argument('--repeats', type=int, default=3, help='timed steps per figure')
    parser.add_argument('--batch-size', type=int, default=1, help='samples per step')
    parser.add_argument(
        '--memory-gib', type=float, help='memory that a CPU run may take more (default: 90 %% of what is free)'
    )
    parser.add_argument('--device', default=None, help='cuda or cpu (default: cuda if there is one)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    parser.add_argument('--one', nargs=2, metavar=('SAMPLER', 'RAYS'), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_one(args: argparse.Namespace, device) -> dict:
    from projects.CLAP.clap.analysis.ray_benchmark import ALL, available_gib, limit_memory, measure
    from projects.CLAP.clap.engine.config.load import load_config

    cfg = load_config(args.config, args.cfg_options)
    cfg.train_dataloader.batch_size = args.batch_size
    if device.type == 'cpu':
        limit_memory(args.memory_gib or 0.9 * available_gib())
    sampler, rays = args.one
    return measure(cfg, sampler, ALL if rays == 'all' else int(rays), args.repeats, device)


def measure_renderer(args: argparse.Namespace, device) -> None:
    from projects.CLAP.clap.analysis.renderer_benchmark import format_table, measure_renderers
    from projects.CLAP.clap.engine.config.load import load_config

    cfg = load_config(args.config, args.cfg_options)
    result = measure_renderers(cfg, [int(rays) for rays in args.rays or []], args.repeats, device)
    print(format_table(result))
    print(json.dumps(result))


def in_own_process(sampler: str, rays: str) -> dict:
    done = subprocess.run([sys.executable, *sys.argv, '--one', sampler, rays], capture_output=True, text=True)
    if done.returncode in (-9, 137):  # the machine's last resort
        return dict(lidar_rays=None, camera_rays=None, out_of_memory=True)
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def everything(rows: list, configured: int) -> dict:
    """Memory of rendering all points and pixels, measured or extrapolated, against the configuration's number."""
    from projects.CLAP.clap.analysis.ray_benchmark import extrapolate

    last = rows[-1]
    if not last.get('lidar_rays'):
        return {}
    rays = last['lidar_rays'] + last['camera_rays']
    peak = last.get('peak_gib') or extrapolate(rows, rays)
    own = next((r['peak_gib'] for r in rows if r.get('lidar_rays') == configured and 'peak_gib' in r), None)
    return dict(
        rays=rays,
        peak_gib=peak,
        extrapolated='peak_gib' not in last,
        times_less=peak / own if peak and own else float('nan'),
    )


def main() -> None:
    args = parse_args()
    import torch

    from projects.CLAP.clap.analysis.ray_benchmark import format_table
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.clap.engine.device import best_device

    device = torch.device(args.device or best_device())
    if args.renderer:
        measure_renderer(args, device)
        return
    args.rays = args.rays or ['1024', '2048', '4096', '8192', '16384', '32768', 'all']
    if args.one:
        print(json.dumps(measure_one(args, device)))
        return
    rows = {}
    for rays in args.rays:
        for sampler in args.samplers:
            rows.setdefault(sampler, []).append(in_own_process(sampler, rays))
            print(sampler, rays, rows[sampler][-1], file=sys.stderr, flush=True)
    configured = load_config(args.config, args.cfg_options).model.ray_sampler.num_lidar_rays * args.batch_size
    result = dict(
        device=device.type,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        batch_size=args.batch_size,
        repeats=args.repeats,
        samplers=rows,
    )
    if args.rays[-1] == 'all':
        result['everything'] = everything(rows[args.samplers[0]], configured)
    print(format_table(result))
    print(json.dumps(result))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
