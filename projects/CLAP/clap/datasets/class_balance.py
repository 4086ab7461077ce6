"""Frames drawn so that every class is drawn for equally often (CBGS, arXiv 1908.09492)."""

from __future__ import annotations

import hashlib
from typing import Any, List, Sequence

import numpy as np


def frames_by_class(labels: Sequence[np.ndarray], num_classes: int) -> List[np.ndarray]:
    """Frames that hold at least one box of each class.

    Args:
        labels: of every frame the labels of its boxes (N,); negative ones are of no class.
        num_classes: number of classes C.

    Returns:
        C arrays of ascending frame numbers, empty for a class without a box.
    """
    present = np.zeros((len(labels), num_classes), dtype=bool)
    for frame, own in enumerate(labels):
        own = np.asarray(own, dtype=np.int64)
        present[frame, own[(own >= 0) & (own < num_classes)]] = True
    return [np.flatnonzero(column) for column in present.T]


def draws_per_class(frames: Sequence[np.ndarray]) -> int:
    """How often each of the C' classes that occur is drawn for: floor(sum of n_c / C').

    ``n_c`` is the number of frames with class c. It is the number of mmdetection3d's ``CBGSDataset`` and of OpenPCDet's
    ``BALANCED_RESAMPLING``, which share one formula and divide by zero where a class has no frame.
    """
    counts = [len(own) for own in frames if len(own)]
    return sum(counts) // len(counts) if counts else 0


def balanced_frames(frames: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """A balanced list of frame numbers (C' * :func:`draws_per_class`,), drawn with replacement, class after class.

    A frame i is expected ``draws_per_class * sum over its classes of 1 / n_c`` times. ``RandomState``, whose numbers
    no version of numpy changes, keeps a run that is resumed elsewhere on its frames.
    """
    digest = hashlib.blake2b(f'class balance/{seed}'.encode(), digest_size=4).digest()
    random, each = np.random.RandomState(int.from_bytes(digest, 'little')), draws_per_class(frames)
    drawn = [own[random.randint(0, len(own), each)] for own in frames if len(own)]
    return np.concatenate(drawn) if drawn else np.zeros(0, dtype=np.int64)


def hand_on_seed(dataset: Any, seed: int) -> None:
    """Give the run's seed to every dataset below wrappers (``.dataset``, ``.datasets``) that has ``set_seed``."""
    if hasattr(dataset, 'set_seed'):
        dataset.set_seed(seed)
        return
    for inner in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if inner is not None:
            hand_on_seed(inner, seed)
