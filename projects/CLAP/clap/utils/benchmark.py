"""Benchmark of the pre-training step; the command is ``tools/analysis_tools/benchmark_pretrain.py``."""
from __future__ import annotations

import platform
import time
from collections import defaultdict
from typing import Dict, List, Optional, Sequence

import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from .step_timer import StepTimer, median, peak_memory_gib


def _build_model(cfg: Config, device: torch.device, timer: StepTimer) -> torch.nn.Module:
    if cfg.model.get('img_backbone'):
        cfg.model.img_backbone.init_cfg = None  # values of weights do not change their cost
    model = MODELS.build(cfg.model).to(device).train()
    timer.wrap(model, 'encode_masked', 'encode')
    timer.wrap(model, 'sample_rays', 'sample')
    timer.wrap(model.render_head, 'decode', 'render')
    timer.wrap(model.render_head, 'loss', 'render')
    if model.prototype_head is not None:
        timer.wrap(model.prototype_head, 'loss', 'prototypes')
    return model


def _step(model: torch.nn.Module, batch: dict, optim_wrapper, timer: StepTimer) -> None:
    with timer.measure('step'):
        data = model.data_preprocessor(batch, training=True)
        losses = model(**data, mode='loss')
        total, _ = model.parse_losses(losses)
        with timer.measure('backward'):
            optim_wrapper.update_params(total)


def benchmark(cfg: Config, samplers: Sequence[str], repeats: int, warmup: int, device: torch.device,
              batch_size: Optional[int] = None) -> Dict:
    """Run ``warmup + repeats`` steps with every sampler in turn.

    Args:
        cfg: a pre-training configuration.
        samplers: registered names; each takes the numbers of rays of ``cfg.model.ray_sampler``.
        repeats: measured steps per sampler.
        warmup: steps per sampler that are not counted.
        device: where to run.
        batch_size: samples per step, the configuration's if None.

    Returns:
        JSON-ready figures: per sampler the medians in seconds, samples per second,
        and the median over the repeats of its step's ratio to the first sampler's.
    """
    if batch_size:
        cfg.train_dataloader.batch_size = batch_size
    batch_size = cfg.train_dataloader.batch_size
    timer = StepTimer(device)
    model = _build_model(cfg, device, timer)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    counts = {k: v for k, v in cfg.model.ray_sampler.items() if k in ('num_lidar_rays', 'num_camera_rays')}
    built = {name: TASK_UTILS.build(dict(type=name, **counts)) for name in samplers}
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches, times = iter(loader), defaultdict(lambda: defaultdict(list))
    for turn in range(warmup + repeats):
        start = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        load = time.perf_counter() - start
        for name, sampler in built.items():
            model.ray_sampler = sampler
            model.set_step_seed(turn)
            _step(model, batch, optim_wrapper, timer)
            seconds = timer.take()
            if turn >= warmup:
                times[name]['load'].append(load)
                for component, value in seconds.items():
                    times[name][component].append(value)
    return _summary(times, batch_size, device, repeats)


def _summary(times: Dict[str, Dict[str, List[float]]], batch_size: int, device: torch.device, repeats: int) -> Dict:
    first = next(iter(times.values()))['step']
    samplers = {}
    for name, parts in times.items():
        samplers[name] = {component: median(values) for component, values in parts.items()}
        samplers[name]['samples_per_second'] = batch_size / samplers[name]['step']
        samplers[name]['step_ratio_to_first'] = median([a / b for a, b in zip(parts['step'], first)])
    cpu = platform.processor() or platform.machine()
    hardware = torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu
    return dict(device=device.type, hardware=hardware, threads=torch.get_num_threads(), torch=torch.__version__,
                batch_size=batch_size, repeats=repeats, peak_memory_gib=round(peak_memory_gib(device), 3),
                samplers=samplers)


def format_table(result: Dict, components: Sequence[str]) -> str:
    """The figures of :func:`benchmark` as a table for people."""
    header = ['seconds per step'] + list(components) + ['samples/s', 'ratio']
    rows = []
    for name, figures in result['samplers'].items():
        cells = [f'{figures.get(c, 0.0):.3f}' for c in components]
        rows.append([name, *cells, f'{figures["samples_per_second"]:.2f}', f'{figures["step_ratio_to_first"]:.3f}'])
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ['  '.join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths)))
             for row in [header, *rows]]
    lines.append(f'{result["hardware"]} ({result["device"]}, {result["threads"]} threads), torch {result["torch"]}, '
                 f'batch {result["batch_size"]}, medians of {result["repeats"]} steps, '
                 f'peak memory {result["peak_memory_gib"]:.2f} GiB')
    return '\n'.join(lines)
