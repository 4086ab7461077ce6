"""How answers to occupancy queries on held-back rays are measured and judged (ALSO, and CMCR's section 4.4)."""

from __future__ import annotations

import math
from typing import Dict, Tuple

import torch
from torch import Tensor

from ..functional import occupancy_loss
from .declaration import Chart, HealthRule, Limits

#: Log-odds of a query to be full, before anything is known of it: every third is.
_PRIOR = -math.log(2)


def query_figures(told: Tensor, full: Tensor, near: Tensor) -> Dict[str, Tuple[float, float]]:
    """Sums and counts of a sample's Q answered queries.

    ``accuracy``; ``near_accuracy``, of those within ``delta_m`` of the hit (chance is 0.5); ``cross_entropy``;
    ``accuracy_of_prior`` and ``cross_entropy_of_prior`` (always telling that a third is full); ``balanced_accuracy``,
    the mean over frames of the shares of full queries that are told to be fuller than a third and of empty ones that
    are not.

    Args:
        told: (Q,) log-odds of being full.
        full: (Q,) bool, the truth.
        near: (Q,) bool.
    """
    right, num = (told > 0) == full, len(full)
    figures = dict(
        accuracy=(right.sum(), num),
        accuracy_of_prior=((~full).sum(), num),
        near_accuracy=(right[near].sum(), near.sum()),
        cross_entropy=(occupancy_loss(told, full) * num, num),
        cross_entropy_of_prior=(occupancy_loss(torch.full_like(told, _PRIOR), full) * num, num),
    )
    if full.any() and (~full).any():
        likely = told > _PRIOR
        figures['balanced_accuracy'] = ((likely[full].float().mean() + (~likely[~full]).float().mean()) / 2, 1)
    return {name: (float(total), float(count)) for name, (total, count) in figures.items()}


def query_rule(prefix: str = '') -> HealthRule:
    """Judges ``cross_entropy``; ``prefix`` stands before the names of :func:`query_figures`."""
    return HealthRule(
        'Occupancy of held-back queries, against the prior',
        (f'heldout/{prefix}cross_entropy',),
        Limits(high_watch=0.72, high_bad=0.98),
        (
            'The surface is known to delta_m.',
            'Places far from the surface are known, its two sides are not.',
            'Little is told that the prior does not.',
        ),
        'Cross-entropy of queries on rays that the loss never sees, over that of telling a third to be full. Telling '
        'near from far alone gives 0.73.',
        'Train longer or raise the learning rate; a coarse map needs a larger model.delta_m. If it stays, check '
        'keyframe_origins of the info file: rays begin there.',
        evaluation=True,
        over=f'heldout/{prefix}cross_entropy_of_prior',
    )


def query_charts(prefix: str = '') -> Tuple[Chart, ...]:
    """What is drawn of :func:`query_figures`."""
    shares = ('balanced_accuracy', 'near_accuracy', 'accuracy', 'accuracy_of_prior')
    entropies = ('cross_entropy', 'cross_entropy_of_prior')
    return (
        Chart('held-back queries: accuracies', tuple(f'heldout/{prefix}{name}' for name in shares), True),
        Chart('held-back queries: entropy', tuple(f'heldout/{prefix}{name}' for name in entropies), True),
    )
