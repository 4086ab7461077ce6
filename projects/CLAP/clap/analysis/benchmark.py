"""Benchmark of a training step; the command is ``tools/analysis_tools/benchmark_pretrain.py``."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from statistics import median
from typing import Dict, Iterator, List, Optional, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from ..encoders import CLAPEncoderBase
from ..errors import ConfigError
from ..files.text_table import text_table
from ..pretrain.base import Pretrainer
from ..pretrain.method import Method
from .step_timer import StepTimer, peak_memory_gib, reset_peak_memory


def build_model(cfg: Config, device: torch.device, timer: StepTimer) -> BaseModel:
    """The model of a configuration; of a pre-training method the stages are measured by ``timer``.

    Raises:
        ConfigError: it is none of this project.
    """
    if cfg.model.get('img_backbone'):
        cfg.model.img_backbone.init_cfg = None  # values of weights do not change their cost
    model = MODELS.build(cfg.model)
    if not isinstance(model, (CLAPEncoderBase, Method)):
        raise ConfigError(f'the benchmark is for methods and encoders of this project, got {type(model).__name__}')
    if isinstance(model, Method):
        model.on_stage = timer.measure
    return model.to(device).train()


def build_method(cfg: Config, device: torch.device, timer: StepTimer) -> Pretrainer:
    """The method of a configuration, see :func:`build_model`; ConfigError for another model."""
    model = build_model(cfg, device, timer)
    if not isinstance(model, Pretrainer):
        raise ConfigError(f'this benchmark is for pre-training methods on driving frames, got {type(model).__name__}')
    return model


def step(model: BaseModel, batch: dict, optim_wrapper, timer: StepTimer) -> None:
    """One measured training step."""
    with timer.measure('step'):
        with optim_wrapper.optim_context(model):
            losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        total, _ = model.parse_losses(losses)
        with timer.measure('backward'):
            optim_wrapper.update_params(total)


def endless(cfg: Config) -> Iterator[dict]:
    """Batches of the training loader, again and again."""
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    while True:
        yield from loader


def benchmark(
    cfg: Config,
    variants: Sequence[str],
    repeats: int,
    warmup: int,
    device: torch.device,
    batch_size: Optional[int] = None,
) -> Dict:
    """Run ``warmup + repeats`` steps with every variant in turn, each on a batch of its own turn.

    Args:
        cfg: a configuration of a pre-training, or of a model downstream.
        variants: registered names of a method's exchangeable part (CLAP: ray samplers), see
            :meth:`Method.variants`; models downstream have none.
        repeats: measured steps per variant.
        warmup: steps per variant that are not counted.
        device: where to run.
        batch_size: samples per step, the configuration's if None.

    Returns:
        JSON-ready figures: per variant (``samplers``) the medians in seconds, samples per second
        with the wait for data in it, the peak memory of its steps, and the median
        over the repeats of its step's ratio to the first one's.
    """
    if batch_size:
        cfg.train_dataloader.batch_size = batch_size
    batch_size = cfg.train_dataloader.batch_size
    timer = StepTimer(device)
    model = build_model(cfg, device, timer)
    method = model if isinstance(model, Method) else None
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    parts = {type(model).__name__: {}} if method is None else method.variants(cfg.model, variants)
    batches = endless(cfg)
    times = {name: defaultdict(list) for name in parts}
    memory = {name: 0.0 for name in parts}
    for turn in range(warmup + repeats):
        start = time.perf_counter()
        batch = next(batches)
        load = time.perf_counter() - start
        for name, part in parts.items():
            if method is not None:
                method.use_variant(part)
                method.set_step_seed(turn)
            reset_peak_memory(device)
            step(model, batch, optim_wrapper, timer)
            memory[name] = max(memory[name], peak_memory_gib(device))
            seconds = timer.take()
            if turn >= warmup:
                for component, value in {**seconds, 'load': load}.items():
                    times[name][component].append(value)
    result = _summary(times, memory, batch_size, device, repeats)
    return dict(result, components=['load', *getattr(model, 'stages', ()), 'backward', 'step'])


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


def format_table(result: Dict) -> str:
    """The figures of :func:`benchmark` as a table for people."""
    header = ['seconds per step', *result['components'], 'samples/s', 'ratio', 'peak GiB']
    rows = []
    for name, figures in result['samplers'].items():
        cells = [f'{figures.get(c, 0.0):.3f}' for c in result['components']]
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
        f'data loader after one step of every row'
    )
