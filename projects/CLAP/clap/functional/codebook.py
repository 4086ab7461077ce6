"""A codebook that two modalities share (CMCR, section 4.2): nearest codewords, their moving averages, commitment."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape
from .shared_mean import shared_mean, shared_sum

#: Rows whose distances to all codewords are in memory at once.
ROWS = 8192
#: Added to every count before the division, so that a codeword nobody has chosen yet is not divided by zero.
SMOOTHING = 1e-5


@torch.no_grad()
def nearest_codeword(features: Tensor, codewords: Tensor) -> Tensor:
    """Eq. 13: index (N,) int64 of the codeword (V, D) nearest to each feature (N, D), Euclidean distance."""
    expect_shape('features', features, None, None)
    expect_shape('codewords', codewords, None, features.shape[1])
    # |f - e|^2 without |f|^2, which is the same for all codewords
    offset = 0.5 * codewords.square().sum(1)
    rows = [(offset - part @ codewords.t()).argmin(1) for part in torch.split(features, ROWS)]
    return torch.cat(rows) if rows else features.new_zeros(0, dtype=torch.int64)


def quantize(features: Tensor, codewords: Tensor) -> Tuple[Tensor, Tensor]:
    """Eqs. 12, 13: every feature becomes its nearest codeword, and gradients pass as if it had not.

    Args:
        features: F, (N, D).
        codewords: e, (V, D); they get no gradient.

    Returns:
        index (N,) int64 of the codeword, and F + sg(e - F), (N, D).
    """
    index = nearest_codeword(features, codewords)
    return index, features + (codewords[index] - features).detach()


@torch.no_grad()
def ema_update(
    codewords: Tensor,
    counts: Tensor,
    sums: Tensor,
    features: Tensor,
    index: Tensor,
    decay: float,
) -> Tuple[Tensor, Tensor, Tensor]:
    """Eq. 14's intent: codewords follow the mean of the features that chose them.

    As printed the step is divided by the number of features of this batch, which is 0 for most codewords. Here counts
    and sums are averaged over time each, m <- decay m + (1 - decay) m_batch, and a codeword is sum / count. Counts are
    Laplace-smoothed: n' = (n + s) / (total + V s) total. Both modalities belong in one call: their features together.

    Args:
        codewords: (V, D).
        counts: (V,) moving average of how many features choose each; begin with zeros.
        sums: (V, D) moving average of their sum; begin with zeros.
        features: (N, D) of this rank; counts and sums of all ranks are added, and all must call.
        index: (N,) int64, the codeword of each.
        decay: gamma, in [0, 1).

    Returns:
        codewords, counts and sums after the step, the same on every rank; a codeword that nobody chose in this step
        keeps its place.
    """
    expect_shape('codewords', codewords, None, features.shape[1])
    expect_same_shape(codewords=codewords, sums=sums)
    expect_shape('counts', counts, len(codewords))
    expect_shape('index', index, len(features))
    if not 0 <= decay < 1:
        raise ValueError(f'decay: expected a number in [0, 1), got {decay}')
    chosen = torch.bincount(index, minlength=len(codewords)).to(sums)
    added = torch.zeros_like(sums).index_add_(0, index, features.to(sums))
    both = shared_sum(torch.cat([chosen[:, None], added], dim=1))
    chosen, added = both[:, 0], both[:, 1:]
    counts = decay * counts + (1 - decay) * chosen
    sums = decay * sums + (1 - decay) * added
    total = counts.sum()
    smooth = (counts + SMOOTHING) / (total + len(counts) * SMOOTHING) * total
    moved = sums / smooth.clamp(min=torch.finfo(sums.dtype).tiny)[:, None]
    return torch.where((chosen > 0)[:, None], moved.to(codewords), codewords), counts, sums


def commitment_loss(features_2d: Tensor, features_3d: Tensor, codewords: Tensor) -> Tensor:
    """Eq. 15: mean over pairs of |F_2D - sg e|^2 + |F_3D - sg e|^2, e the codeword nearest to F_3D.

    The printed normaliser is the count of one codeword; the mean over pairs is meant, here over those of all ranks.

    Args:
        features_2d: (N, D), row i belongs to row i of ``features_3d``.
        features_3d: (N, D); it alone chooses.
        codewords: (V, D); they get no gradient.

    Returns:
        Scalar; 0 and connected for N = 0.
    """
    expect_same_shape(features_2d=features_2d, features_3d=features_3d)
    codeword = codewords[nearest_codeword(features_3d, codewords)].detach()
    squares = (features_2d - codeword).square().sum() + (features_3d - codeword).square().sum()
    return shared_mean(squares, len(features_3d))
