"""Spearman's rank correlation: how far one figure of a point orders the points as another does."""

from __future__ import annotations

import torch
from torch import Tensor

from ._shapes import expect_shape


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of the ranks; equal values share the mean of their ranks.

    Source: Spearman, The proof and measurement of association between two things, 1904.

    Args:
        first: (N,).
        second: (N,).

    Returns:
        Scalar in [-1, 1], float64; 0 where either has no two different values: no order to agree with.
    """
    expect_shape('first', first, None)
    expect_shape('second', second, len(first))
    a, b = _ranks(first), _ranks(second)
    spread = a.norm() * b.norm()
    return (a @ b) / torch.where(spread > 0, spread, torch.ones_like(spread))


def _ranks(values: Tensor) -> Tensor:
    """Ranks (N,) from lowest to highest, float64, less their mean."""
    _, place, count = torch.unique(values, return_inverse=True, return_counts=True)
    # The mean of the ranks that a value's copies take is exact in float64, so equal ranks stay equal.
    rank: Tensor = count.cumsum(0).double() - 0.5 * (count - 1)
    return rank[place] - 0.5 * (len(values) + 1)
