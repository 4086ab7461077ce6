#!/usr/bin/env python
"""Time and memory of a training step by component: of a pre-training for each ray sampler, or of a model downstream.

Several configurations are compared by the time and memory of their whole steps.

Samplers take turns within one process, on the same batches, so that their
ratios hold on a noisy machine; figures are medians over the repeats. Without a
GPU it runs on the CPU.
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
    parser.add_argument('config', nargs='+', help='configuration of a pre-training, a detector or a segmentor')
    parser.add_argument(
        '--samplers', nargs='+', default=['UniformRaySampler', 'DepthRaySampler', 'CurvatureRaySampler']
    )
    parser.add_argument('--repeats', type=int, default=5, help='measured steps per sampler')
    parser.add_argument('--warmup', type=int, default=1, help='steps per sampler that are not counted')
    parser.add_argument('--batch-size', type=int, help='samples per step (default: the configuration\'s)')
    parser.add_argument('--device', default=None, help='cuda or cpu (default: cuda if there is one)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args()


def peak_of(config: str, options: list, device: str) -> float:
    """Memory of two steps in a process of its own, GiB."""
    command = [sys.executable, __file__, config, '--repeats', '1', '--device', device]
    command += ['--cfg-options', *options] if options else []
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(printed.splitlines()[-1])['peak_memory_gib']


def main() -> None:
    args = parse_args()
    import torch

    from projects.CLAP.clap.analysis.benchmark import benchmark, format_table
    from projects.CLAP.clap.analysis.method_benchmark import benchmark_methods, format_methods
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.clap.engine.device import best_device

    device = torch.device(args.device or best_device())
    if len(args.config) > 1:
        options = [f'train_dataloader.batch_size={args.batch_size}'] if args.batch_size else []
        cfgs = {Path(path).stem: load_config(path, [*args.cfg_options, *options]) for path in args.config}
        found = benchmark_methods(cfgs, args.repeats, args.warmup, device)
        for one, path in zip(found, args.config):
            one['peak_gib'] = peak_of(path, [*args.cfg_options, *options], device.type)
        print(format_methods(found))
        print(json.dumps(found))
        return
    cfg = load_config(args.config[0], args.cfg_options)
    result = benchmark(cfg, args.samplers, args.repeats, args.warmup, device, args.batch_size)
    print(format_table(result))
    print(json.dumps(result))


if __name__ == '__main__':
    from projects.CLAP.clap.engine.command import run

    run(main)
