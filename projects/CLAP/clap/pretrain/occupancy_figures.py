"""How answers to occupancy queries on held-back rays are measured and judged (ALSO, and CMCR's section 4.4)."""

from __future__ import annotations

from typing import Dict, Tuple

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from .declaration import Chart, HealthRule, Limits


def query_figures(told: Tensor, without_map: Tensor, full: Tensor, near: Tensor) -> Dict[str, Tuple[float, float]]:
    """Sums and counts of a sample's Q answered queries.

    ``accuracy``; ``near_accuracy``, of those within ``delta_m`` of the hit; ``cross_entropy``, and that
    ``_of_prior`` (every query is told the share of full ones) and ``_without_map``; ``accuracy_of_prior``;
    ``balanced_accuracy``, the mean over frames of the shares of full queries that are told to be fuller than that share
    and of empty ones that are not.

    Args:
        told: (Q,) log-odds of being full.
        without_map: (Q,) the same from a map that is its own mean everywhere: what the place alone tells.
        full: (Q,) bool, the truth.
        near: (Q,) bool.
    """
    right, num, truth = (told > 0) == full, len(full), full.to(told)
    prior = truth.mean().logit(eps=1e-6)
    figures = dict(
        accuracy=(right.sum(), num),
        accuracy_of_prior=(max(full.sum(), (~full).sum()), num),
        near_accuracy=(right[near].sum(), near.sum()),
    )
    for of, odds in (('', told), ('_of_prior', prior.expand_as(told)), ('_without_map', without_map)):
        figures[f'cross_entropy{of}'] = (binary_cross_entropy_with_logits(odds, truth, reduction='sum'), num)
    if full.any() and (~full).any():
        likely = told > prior
        figures['balanced_accuracy'] = ((likely[full].float().mean() + (~likely[~full]).float().mean()) / 2, 1)
    return {name: (float(total), float(count)) for name, (total, count) in figures.items()}


def mean_map(bev: Tensor) -> Tensor:
    """A BEV map (..., X, Y) that knows no place from another."""
    return bev.mean((-2, -1), keepdim=True).expand_as(bev)


def query_rules(prefix: str = '') -> Tuple[HealthRule, ...]:
    """Judge ``cross_entropy``; ``prefix`` stands before the names of :func:`query_figures`."""
    remedy = (
        'Train longer or raise the learning rate; a coarse map needs a larger model.delta_m. If it stays, check '
        'keyframe_origins of the info file: rays begin there.'
    )
    return (
        HealthRule(
            'Occupancy of held-back queries, against the prior',
            (f'heldout/{prefix}cross_entropy',),
            Limits(high_watch=0.9, high_bad=1.0),
            (
                'Places are told apart.',
                'Little more is told than how many are full.',
                'No more is told than by chance.',
            ),
            'Cross-entropy of queries on rays that the loss never sees, over that of telling the share of full ones.',
            remedy,
            evaluation=True,
            over=f'heldout/{prefix}cross_entropy_of_prior',
        ),
        HealthRule(
            'Occupancy of held-back queries, against the same without the map',
            (f'heldout/{prefix}cross_entropy',),
            Limits(high_watch=0.95, high_bad=1.0),
            ('The encoders know what is where.', 'The encoders tell little.', 'The encoders tell nothing.'),
            'The same over that from the mean of the map, which leaves the decoder the place of a query alone: a part '
            'of the answer needs no encoder.',
            remedy,
            evaluation=True,
            over=f'heldout/{prefix}cross_entropy_without_map',
        ),
    )


def query_charts(prefix: str = '') -> Tuple[Chart, ...]:
    """What is drawn of :func:`query_figures`."""
    shares = ('balanced_accuracy', 'near_accuracy', 'accuracy', 'accuracy_of_prior')
    entropies = ('cross_entropy', 'cross_entropy_without_map', 'cross_entropy_of_prior')
    return (
        Chart('held-back queries: accuracies', tuple(f'heldout/{prefix}{name}' for name in shares), True),
        Chart('held-back queries: entropy', tuple(f'heldout/{prefix}{name}' for name in entropies), True),
    )
