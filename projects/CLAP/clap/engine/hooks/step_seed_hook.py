"""Every iteration's randomness from (seed, iteration, place in the global batch)."""

from __future__ import annotations

import hashlib
import random
from typing import Union

import numpy as np
import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..unwrapped import unwrapped


def step_seed(seed: int, iteration: int, rank: Union[int, str]) -> int:
    """A 62-bit number that differs for every (seed, iteration, rank); ``'all'`` for what the ranks share."""
    digest = hashlib.blake2b(f'{seed}/{iteration}/{rank}'.encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 2


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds all random draws of the main process before every iteration.

    Masks and rays are then a function of the run's seed, the iteration and the
    sample's place in the global batch: a resumed run draws what the
    uninterrupted one would have drawn, N ranks draw what one process would, and
    no two ranks draw the same. What layers draw themselves (dropout, stochastic
    depth) depends on the rank instead of the place.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Seed Python, numpy, torch and the model's own generator."""
        seed = step_seed(runner.seed, runner.iter, get_rank())
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        model = unwrapped(runner.model)
        if hasattr(model, 'set_step_seed'):
            model.set_step_seed(step_seed(runner.seed, runner.iter, 'all'))
