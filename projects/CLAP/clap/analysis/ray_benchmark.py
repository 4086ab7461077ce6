"""Step time and peak memory against the number of rays; the command is ``tools/analysis_tools/benchmark_rays.py``."""

from __future__ import annotations

import resource
from statistics import median
from typing import Dict, List, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from ..errors import ConfigError
from ..files.text_table import text_table
from .benchmark import build_method, step
from .step_timer import StepTimer, peak_memory_gib

#: Number of rays that means every point and every pixel.
ALL = 10**9


def measure(cfg: Config, sampler: str, rays: int, repeats: int, device: torch.device) -> Dict:
    """Seconds and peak memory of a pre-training step with ``rays`` LiDAR rays per sample.

    Camera rays keep the configuration's ratio to the LiDAR rays. Meant for a process of its own: the peak is that of
    the process. The first step is not timed.

    Args:
        cfg: a pre-training configuration.
        sampler: registered name; the configured one keeps its options.
        rays: LiDAR rays per sample, ``ALL`` for every point and every pixel.
        repeats: timed steps.
        device: where to run.

    Returns:
        ``lidar_rays`` and ``camera_rays`` that were drawn per step, ``seconds`` (median), ``sample_seconds`` and
        ``peak_gib``; ``out_of_memory`` instead of the last three where the memory did not suffice.
    """
    timer = StepTimer(device)
    model = build_method(cfg, device, timer)
    (own,) = model.variants(cfg.model, [sampler]).values()
    if 'num_lidar_rays' not in own:
        raise ConfigError(f'{type(model).__name__} draws no rays; give a method that renders')
    camera = ALL if rays >= ALL else max(round(rays * own['num_camera_rays'] / max(own['num_lidar_rays'], 1)), 1)
    model.use_variant({**own, 'num_lidar_rays': rays, 'num_camera_rays': camera})
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    seconds = []
    try:
        for turn in range(repeats + 1):
            model.set_step_seed(turn)
            step(model, batch, optim_wrapper, timer)
            seconds.append(timer.take())
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and 'memory' not in str(error):
            raise
        lidar, cameras = model.ray_counts if sum(model.ray_counts) else (None, None)
        return dict(lidar_rays=lidar, camera_rays=cameras, out_of_memory=True)
    return dict(
        lidar_rays=model.ray_counts[0],
        camera_rays=model.ray_counts[1],
        peak_gib=peak_memory_gib(device),
        seconds=median([s['step'] for s in seconds[1:]]),
        sample_seconds=median([s['sample'] for s in seconds[1:]]),
    )


def limit_memory(gib: float) -> None:
    """Let allocations beyond ``gib`` of further address space fail, instead of the machine's last resort."""
    with open('/proc/self/statm') as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(gib * 2**30),) * 2)


def available_gib() -> float:
    """Memory that the machine could still give, GiB."""
    with open('/proc/meminfo') as file:
        fields = dict(line.split(':') for line in file)
    return int(fields['MemAvailable'].split()[0]) / 2**20


def extrapolate(rows: List[Dict], total_rays: int) -> Optional[float]:
    """Peak memory in GiB at ``total_rays`` by a straight line through the measured rows; None with fewer than two."""
    known = [(r['lidar_rays'] + r['camera_rays'], r['peak_gib']) for r in rows if 'peak_gib' in r]
    if len({rays for rays, _ in known}) < 2:
        return None
    slope, offset = np.polyfit(*np.array(known, dtype=np.float64).T, 1)
    return float(slope * total_rays + offset)


def format_table(result: Dict) -> str:
    """Markdown table of the figures: a row per number of rays, two columns per sampler."""
    samplers = list(result['samplers'])
    header = ['LiDAR rays', 'camera rays'] + [
        f'{s.replace("RaySampler", "").lower()}: {unit}' for s in samplers for unit in ('s per step', 'GiB')
    ]
    lines = []
    for index in range(max(map(len, result['samplers'].values()))):
        rows = [result['samplers'][s][index] for s in samplers]
        known = next((r for r in rows if r.get('lidar_rays')), {})
        cells = [str(known.get('lidar_rays', 'all')), str(known.get('camera_rays', 'all'))]
        for row in rows:
            fits = 'peak_gib' in row
            cells += [f'{row["seconds"]:.2f}', f'{row["peak_gib"]:.2f}'] if fits else ['–', 'out of memory']
        lines.append(cells)
    table = text_table(header, lines, markdown=True)
    everything = result.get('everything')
    if everything and everything.get('peak_gib'):
        kind = 'extrapolated' if everything['extrapolated'] else 'measured'
        table += (
            f'\n\nRendering every point and pixel ({everything["rays"]} rays): {everything["peak_gib"]:.1f} GiB '
            f'({kind}); the configuration\'s rays need {everything["times_less"]:.1f} times less.'
        )
    return table
