"""One whole training step of a configuration."""

from __future__ import annotations

import os
import time
from typing import Any, List

from .findings import BAD, GOOD, WATCH, Finding


def check_weights(cfg: Any) -> List[Finding]:
    """Where weights that the configuration loads come from: local files must exist, addresses need the network."""
    from torch.hub import get_dir

    findings = []
    sources = [('load_from', cfg.get('load_from'))]
    nodes = [('model', cfg.model)]
    while nodes:
        name, node = nodes.pop()
        if isinstance(node, dict):
            if node.get('type') == 'Pretrained':
                sources.append((name, node.get('checkpoint')))
            nodes += [(f'{name}.{key}', value) for key, value in node.items()]
    for name, source in sources:
        if not source:
            continue
        if '://' in source:
            cached = os.path.join(get_dir(), 'checkpoints', os.path.basename(source))
            if os.path.isfile(cached):
                findings.append(Finding(GOOD, 'weights', f'{name}: {source} is in the cache'))
            else:
                findings.append(
                    Finding(
                        WATCH,
                        'weights',
                        f'{name}: {source} is downloaded when training starts',
                        'without a network: fetch '
                        f'it elsewhere to {cached}, or start from random weights with --cfg-options {name}=None',
                    )
                )
        elif not os.path.isfile(source):
            findings.append(
                Finding(BAD, 'weights', f'{name}: {source} does not exist', f'correct it: --cfg-options {name}=PATH')
            )
    return findings


def check_step(cfg: Any) -> List[Finding]:
    """Load one sample, run forward, backward and the optimiser on it; weights on disk or network are not needed."""
    import torch
    from mmdet3d.registry import MODELS
    from mmengine.optim import build_optim_wrapper
    from mmengine.runner import Runner

    from projects.CLAP.clap.analysis.step_timer import peak_memory_gib
    from projects.CLAP.clap.engine.device import best_device
    from projects.CLAP.clap.errors import NonFiniteLossError

    cfg.train_dataloader.update(batch_size=1, num_workers=0, persistent_workers=False)
    _without_pretrained(cfg.model)
    device = best_device()
    torch.manual_seed(0)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    model = MODELS.build(cfg.model).to(device).train()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    if hasattr(model, 'set_step_seed'):
        model.set_step_seed(0)
    start = time.perf_counter()
    try:
        logs = model.train_step(batch, optim)
    except NonFiniteLossError as error:
        advice = 'check the frame that the data findings name; train with the default configuration to see whether an '
        return [Finding(BAD, 'step', str(error), advice + 'override causes it')]
    seconds = time.perf_counter() - start
    losses = {name: float(value.detach().mean()) for name, value in logs.items() if 'loss' in name}
    about = (
        f'one sample in {seconds:.1f} s on {device.type}, peak memory {peak_memory_gib(device):.1f} GiB; '
        + ', '.join(f'{name} {value:.3g}' for name, value in losses.items())
    )
    return [Finding(GOOD, 'step', about)]


def _without_pretrained(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(node.get('init_cfg'), dict) and node['init_cfg'].get('type') == 'Pretrained':
            node['init_cfg'] = None
        for value in node.values():
            _without_pretrained(value)
