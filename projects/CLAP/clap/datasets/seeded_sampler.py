"""Data order and augmentation as functions of (seed, epoch, place in the epoch)."""

from __future__ import annotations

import hashlib
import random
from contextlib import contextmanager
from typing import Iterator, Optional, Sized

import numpy as np
import torch
from mmdet3d.registry import DATA_SAMPLERS
from mmengine.dataset import DefaultSampler

from .class_balance import hand_on_seed


class SeededIndex(int):
    """The number of a frame that carries the seed of everything drawn for it.

    Sent to a data loader's worker in place of a plain number, so that it does
    not matter which worker gets it, or what that worker has loaded before. The
    arithmetic of ``RepeatDataset`` (``%``) and ``ConcatDataset`` (``-``) keeps the seed.
    """

    seed: int

    def __new__(cls, index: int, seed: int) -> SeededIndex:
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.seed)

    def __mod__(self, other: int) -> SeededIndex:
        return SeededIndex(int(self) % other, self.seed)

    def __sub__(self, other: int) -> SeededIndex:
        return SeededIndex(int(self) - other, self.seed)


def sample_seed(seed: int, epoch: int, position: int) -> int:
    """A 62-bit number that differs for every (seed, epoch, position in the epoch)."""
    digest = hashlib.blake2b(f'sample/{seed}/{epoch}/{position}'.encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 2


@contextmanager
def seeded(seed: Optional[int]) -> Iterator[None]:
    """Python, numpy and torch draw from ``seed`` inside and go on as before after it; None does nothing."""
    if seed is None:
        yield
        return
    python, numbers, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # Not torch.manual_seed: it also seeds the GPUs, which a forked worker must not touch.
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        torch.set_rng_state(tensors)


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """``DefaultSampler`` whose indices carry seeds, and which can begin in the middle of an epoch.

    The order is that of ``DefaultSampler``. The seed of a frame depends on the
    run's seed, the epoch and its place in the order of all ranks, so that one
    process and N processes augment alike, and so does a resumed run. A class-balanced dataset draws its frames from the
    run's seed, too.

    Args:
        dataset, shuffle, seed, round_up: see ``DefaultSampler``.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: Optional[int] = None, round_up: bool = True) -> None:
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        hand_on_seed(dataset, self.seed)
        self._start = 0

    def start_at(self, position: int) -> None:
        """Leave out the first ``position`` frames of this rank, in the next pass only."""
        self._start = position

    def __iter__(self) -> Iterator[SeededIndex]:
        start, self._start = self._start, 0
        for place, index in enumerate(super().__iter__()):
            if place >= start:
                yield SeededIndex(index, sample_seed(self.seed, self.epoch, place * self.world_size + self.rank))
