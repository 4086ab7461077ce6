"""Batch-norm statistics of the input that the encoders will really see."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import HOOKS
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from ...datasets.seeded_sampler import SeededIndex, sample_seed
from ...errors import ConfigError
from ..unwrapped import unwrapped


@HOOKS.register_module()
class UnmaskedNormHook(Hook):
    """Re-estimates the running statistics of batch norm on unmasked frames.

    Training hides most of the input, so the running statistics are those of
    nearly empty BEV maps. Evaluation, and every user of the checkpoint, feeds the
    whole input: with the statistics of the masked one a field that renders held-back
    rays within 2.4 m (batch statistics) was 6.8 m off. Running statistics take
    no part in training, so this changes nothing but what is evaluated and saved.

    Runs before the checkpoint of an epoch is written. Every rank looks at the
    same frames, so that all end up with the same numbers without exchanging any.

    Args:
        num_frames: frames of the training set, spread evenly.
        interval: epochs between re-estimations; the last epoch always has one.
    """

    priority = 'NORMAL'  # before CheckpointHook

    def __init__(self, num_frames: int = 16, interval: int = 1) -> None:
        if num_frames < 1 or interval < 1:
            raise ConfigError(f'num_frames and interval must be positive, got {num_frames} and {interval}')
        self.num_frames, self.interval = num_frames, interval

    def after_train_epoch(self, runner: Runner) -> None:
        """Estimate where the interval says so."""
        if not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        model = unwrapped(runner.model)
        with augmented_frames(runner, self.num_frames, runner.epoch) as batches:
            estimate_norm_statistics(model, batches)


@contextmanager
def augmented_frames(runner: Runner, num_frames: int, epoch: int) -> Iterator[Iterator[dict]]:
    """Collated batches of one frame each, spread over the training set; random states are kept.

    Augmented as the run's seed and ``epoch`` say, whatever was drawn before: ranks and resumed runs must agree.
    """
    dataset = runner.train_dataloader.dataset
    frames = np.unique(np.linspace(0, len(dataset) - 1, num_frames).round().astype(int))
    places = [SeededIndex(int(frame), sample_seed(runner.seed, epoch, int(frame))) for frame in frames]
    with _random_state_kept():
        yield (pseudo_collate([dataset[place]]) for place in places)


@torch.no_grad()
def estimate_norm_statistics(
    model: torch.nn.Module,
    batches: Iterator[dict],
    parts: Optional[Sequence[torch.nn.Module]] = None,
    forward: Optional[Callable[[Dict, List[dict]], Any]] = None,
) -> None:
    """Set the running statistics of batch norms to their mean over unmasked batches.

    Args:
        model: a :class:`CLAPEncoderBase`; its mode is left as it was.
        batches: collated batches as the data loader gives them.
        parts: modules whose norms are set; None: ``model.norm_modules()``.
        forward: runs them on preprocessed inputs and metainfo; None: ``model.forward_norms``.
    """
    training, forward = model.training, forward or model.forward_norms
    parts = model.norm_modules() if parts is None else parts
    norms: List[_BatchNorm] = [m for part in parts for m in part.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    model.eval()  # no masks, no dropped paths
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative mean
        norm.train()
    for batch in batches:
        data = model.data_preprocessor(batch, training=False)
        forward(data['inputs'], [sample.metainfo for sample in data['data_samples']])
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    model.train(training)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):  # data sets draw on the CPU
        yield
    np.random.set_state(state)
