"""Benchmark of the pre-training step; the command is ``tools/analysis_tools/benchmark_pretrain.py``."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from typing import Dict, Iterator, List, Optional, Sequence

import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from ..files.text_table import text_table
from .step_timer import StepTimer, median, peak_memory_gib, reset_peak_memory


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


def _build_samplers(cfg: Config, names: Sequence[str]) -> Dict[str, object]:
    """The configured sampler as it is, the others with its numbers of rays."""
    own = cfg.model.ray_sampler
    shared = {k: own[k] for k in ('num_lidar_rays', 'num_camera_rays', 'min_range_m') if k in own}
    return {name: TASK_UTILS.build(own if name == own.type else dict(type=name, **shared)) for name in names}


def _step(model: torch.nn.Module, batch: dict, optim_wrapper, timer: StepTimer) -> None:
    with timer.measure('step'):
        with optim_wrapper.optim_context(model):
            losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        total, _ = model.parse_losses(losses)
        with timer.measure('backward'):
            optim_wrapper.update_params(total)


def _endless(cfg: Config) -> Iterator[dict]:
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    while True:
        yield from loader


def benchmark(
    cfg: Config,
    samplers: Sequence[str],
    repeats: int,
    warmup: int,
    device: torch.device,
    batch_size: Optional[int] = None,
) -> Dict:
    """Run ``warmup + repeats`` steps with every sampler in turn, each on a batch of its own turn.

    Args:
        cfg: a pre-training configuration.
        samplers: registered names; the configured one keeps its options, the
            others take its numbers of rays.
        repeats: measured steps per sampler.
        warmup: steps per sampler that are not counted.
        device: where to run.
        batch_size: samples per step, the configuration's if None.

    Returns:
        JSON-ready figures: per sampler the medians in seconds, samples per second
        with the wait for data in it, the peak memory of its steps, and the median
        over the repeats of its step's ratio to the first sampler's.
    """
    if batch_size:
        cfg.train_dataloader.batch_size = batch_size
    batch_size = cfg.train_dataloader.batch_size
    timer = StepTimer(device)
    model = _build_model(cfg, device, timer)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    built, batches = _build_samplers(cfg, samplers), _endless(cfg)
    times = {name: defaultdict(list) for name in built}
    memory = {name: 0.0 for name in built}
    for turn in range(warmup + repeats):
        start = time.perf_counter()
        batch = next(batches)
        load = time.perf_counter() - start
        for name, sampler in built.items():
            model.ray_sampler = sampler
            model.set_step_seed(turn)
            reset_peak_memory(device)
            _step(model, batch, optim_wrapper, timer)
            memory[name] = max(memory[name], peak_memory_gib(device))
            seconds = timer.take()
            if turn >= warmup:
                for component, value in {**seconds, 'load': load}.items():
                    times[name][component].append(value)
    return _summary(times, memory, batch_size, device, repeats)


def _summary(
    times: Dict[str, Dict[str, List[float]]],
    memory: Dict[str, float],
    batch_size: int,
    device: torch.device,
    repeats: int,
) -> Dict:
    first = next(iter(times.values()))['step']
    samplers = {}
    for name, parts in times.items():
        figures = {component: median(values) for component, values in parts.items()}
        whole = [step + load for step, load in zip(parts['step'], parts['load'])]
        figures['samples_per_second'] = batch_size / median(whole)
        figures['step_ratio_to_first'] = median([a / b for a, b in zip(parts['step'], first)])
        figures['peak_memory_gib'] = round(memory[name], 3)
        samplers[name] = figures
    cpu = platform.processor() or platform.machine()
    hardware = torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu
    return dict(
        device=device.type,
        hardware=hardware,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        batch_size=batch_size,
        repeats=repeats,
        peak_memory_gib=round(max(memory.values()), 3),
        samplers=samplers,
    )


def format_table(result: Dict, components: Sequence[str]) -> str:
    """The figures of :func:`benchmark` as a table for people."""
    header = ['seconds per step', *components, 'samples/s', 'ratio', 'peak GiB']
    rows = []
    for name, figures in result['samplers'].items():
        cells = [f'{figures.get(c, 0.0):.3f}' for c in components]
        cells += [
            f'{figures["samples_per_second"]:.3f}',
            f'{figures["step_ratio_to_first"]:.3f}',
            f'{figures["peak_memory_gib"]:.2f}',
        ]
        rows.append([name, *cells])
    return (
        f'{text_table(header, rows)}\n'
        f'{result["hardware"]} ({result["device"]}, {result["threads"]} threads), torch {result["torch"]}, '
        f'batch {result["batch_size"]}, medians of {result["repeats"]} steps. "load" is the wait for the '
        f'data loader after one step of every sampler'
    )
