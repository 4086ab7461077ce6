"""Steps of several methods side by side; ``benchmark_pretrain.py CONFIG CONFIG ...``."""

from __future__ import annotations

import time
from statistics import median
from typing import Dict, List, Mapping, Sequence

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from ..files.text_table import text_table
from ..pretrain.method import Method
from .benchmark import build_model, endless, step
from .step_timer import StepTimer


def benchmark_methods(cfgs: Mapping[str, Config], repeats: int, warmup: int, device: torch.device) -> List[Dict]:
    """Steps of all configurations in turn, each on its own loading of the same frames.

    Args:
        cfgs: configurations by name; their loaders should name the same frames, in batches of the same size.
        repeats: measured steps of each.
        warmup: steps of each before, not counted.
        device: where to run.

    Returns:
        per configuration ``name``, ``model``, medians ``load_s`` and ``step_s``, ``ratio`` (median of the turns'
        ratios to the first one's step).
    """
    timer, runs = StepTimer(device), []
    for name, cfg in cfgs.items():
        model = build_model(cfg, device, timer)
        runs.append((name, model, build_optim_wrapper(model, cfg.optim_wrapper), endless(cfg)))
    found: Dict[str, Dict[str, List[float]]] = {name: dict(load=[], step=[]) for name in cfgs}
    for turn in range(warmup + repeats):
        for name, model, optim_wrapper, frames in runs:
            start = time.perf_counter()
            batch = next(frames)
            load = time.perf_counter() - start
            if isinstance(model, Method):
                model.set_step_seed(turn)
            step(model, batch, optim_wrapper, timer)
            values = dict(load=load, step=timer.take()['step'])
            if turn >= warmup:
                for key, value in values.items():
                    found[name][key].append(value)
    first = next(iter(found.values()))['step']
    return [
        dict(
            name=name,
            model=type(model).__name__,
            load_s=median(found[name]['load']),
            step_s=median(found[name]['step']),
            ratio=median([a / b for a, b in zip(found[name]['step'], first)]),
        )
        for name, model, _, _ in runs
    ]


def format_methods(found: Sequence[Dict]) -> str:
    """The figures of :func:`benchmark_methods`, and ``peak_gib`` of each configuration in a process of its own."""
    rows = [
        [one['name'], *(f'{one[key]:.3f}' for key in ('load_s', 'step_s', 'ratio')), f'{one["peak_gib"]:.2f}']
        for one in found
    ]
    return text_table(['configuration', 'load (s)', 'step (s)', 'ratio', 'peak GiB'], rows)
