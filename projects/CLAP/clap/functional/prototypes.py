"""Prototype learning (Eqs. 14-17). Losses are means over the rows of all ranks.

Rows are BEV cells (N = N_3D), columns prototypes (K = N_K). ``normalization='entries'`` divides by N * K as printed,
``'cells'`` by N only, which is SwAV's scale and K = 512 times larger.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape
from .shared_mean import shared_mean

NORMALIZATIONS = ('entries', 'cells')


def _count(scores: Tensor, normalization: str) -> int:
    if normalization not in NORMALIZATIONS:
        raise ValueError(f'normalization: expected one of {NORMALIZATIONS}, got {normalization!r}')
    rows, columns = scores.shape
    return rows * columns if normalization == 'entries' else rows


def _check_temperature(temperature: float) -> None:
    if temperature <= 0:
        raise ValueError(f'temperature: expected a positive number, got {temperature}')


def similarity(embeddings: Tensor, prototypes: Tensor) -> Tensor:
    """Eq. 14: S = E K^T of unit vectors, cosine similarities.

    Args:
        embeddings: (N, d), normalised here; a zero embedding has similarity 0 to everything.
        prototypes: (K, d), normalised here too: with free norms Eq. 17 has no lower bound.

    Returns:
        (N, K) in [-1, 1].
    """
    expect_shape('embeddings', embeddings, None, None)
    expect_shape('prototypes', prototypes, None, embeddings.shape[1])
    return F.normalize(embeddings, dim=-1) @ F.normalize(prototypes, dim=-1).t()


def em_loss(sim_lidar: Tensor, sim_camera: Tensor, temperature: float = 1.0, normalization: str = 'entries') -> Tensor:
    """Eq. 15: entropy of the assignment probabilities softmax(S / temperature) of both modalities.

    Of unit vectors the similarities lie in [-1, 1], so that at temperature 1 no probability exceeds e^2 times another
    and the entropy of a cell is at least log K - (z - 1 - log z), z = 2 e^2 / (e^2 - 1): 92.4 % of its maximum, log K,
    for K = 512. That is reached with a share (z - 1) / (e^2 - 1) of the prototypes, 105 of 512, at +1 and the others at
    -1, not with one at +1 (99.7 %). A smaller temperature widens the range.

    Args:
        sim_lidar: (N, K) S_P.
        sim_camera: (N, K) S_I.
        temperature: divides the similarities.
        normalization: 'entries' or 'cells'.

    Returns:
        Scalar >= 0; 0 for N = 0.
    """
    expect_shape('sim_lidar', sim_lidar, None, None)
    expect_same_shape(sim_lidar=sim_lidar, sim_camera=sim_camera)
    _check_temperature(temperature)
    log_p_lidar = F.log_softmax(sim_lidar / temperature, dim=1)
    log_p_camera = F.log_softmax(sim_camera / temperature, dim=1)
    negative_entropy = (log_p_lidar.exp() * log_p_lidar).sum() + (log_p_camera.exp() * log_p_camera).sum()
    return shared_mean(-negative_entropy, _count(sim_lidar, normalization))


def swapped_prediction_loss(
    sim_lidar: Tensor,
    sim_camera: Tensor,
    codes_lidar: Tensor,
    codes_camera: Tensor,
    temperature: float = 1.0,
    normalization: str = 'entries',
) -> Tensor:
    """Eq. 16: the LiDAR similarities predict the camera's codes, and the other way round.

    -(1 / (N K)) sum(Q_I log softmax(S_P / tau) + Q_P log softmax(S_I / tau)). The paper prints exp(S) / tau, in which
    tau would cancel; exp(S / tau) is meant.

    Args:
        sim_lidar: (N, K) S_P.
        sim_camera: (N, K) S_I.
        codes_lidar: (N, K) Q_P from ``sinkhorn``; targets, detached.
        codes_camera: (N, K) Q_I from ``sinkhorn``; targets, detached.
        temperature: tau.
        normalization: 'entries' or 'cells'.

    Returns:
        Scalar >= 0; 0 for N = 0.
    """
    expect_shape('sim_lidar', sim_lidar, None, None)
    expect_same_shape(sim_lidar=sim_lidar, sim_camera=sim_camera, codes_lidar=codes_lidar, codes_camera=codes_camera)
    _check_temperature(temperature)
    lidar_predicts = (codes_camera.detach() * F.log_softmax(sim_lidar / temperature, dim=1)).sum()
    camera_predicts = (codes_lidar.detach() * F.log_softmax(sim_camera / temperature, dim=1)).sum()
    return shared_mean(-(lidar_predicts + camera_predicts), _count(sim_lidar, normalization))


def gram_loss(prototypes: Tensor, squared: bool = False) -> Tensor:
    """Eq. 17: mean off-diagonal entry of the Gram matrix G = K K^T of the normalised prototypes.

    Args:
        prototypes: (K, d), K >= 2, normalised here.
        squared: mean of the squared entries. The signed mean is also smallest, -1 / (K - 1), when the prototypes
            collapse into two opposite clusters of equal size; the squared one is then 1.

    Returns:
        Scalar in [-1 / (K - 1), 1], or [0, 1] if squared.
    """
    expect_shape('prototypes', prototypes, None, None)
    number = prototypes.shape[0]
    if number < 2:
        raise ValueError(f'prototypes: expected at least 2 of them, got {number}: one has no off-diagonal entry')
    unit = F.normalize(prototypes, dim=-1)
    gram = unit @ unit.t()
    if squared:
        gram = gram.square()
    return (gram.sum() - gram.diagonal().sum()) / (number * (number - 1))


@torch.no_grad()
def usage_perplexity(assignments: Tensor) -> Tensor:
    """How many prototypes are in use: exp of the entropy of their usage.

    Args:
        assignments: (N,) int64 number of the prototype chosen by each row.

    Returns:
        Scalar between 1 (all rows on one) and K (even use); 0 for N = 0.
    """
    expect_shape('assignments', assignments, None)
    usage = torch.bincount(assignments).double()
    if assignments.shape[0] == 0:
        return usage.new_zeros(())
    share = usage / usage.sum()
    perplexity: Tensor = torch.special.entr(share).sum().exp()
    return perplexity


@torch.no_grad()
def unit_spread(rows: Tensor) -> Tensor:
    """How far embeddings are spread: 1 on the whole sphere, 0 if all are alike.

    Args:
        rows: (N, D), normalised here.

    Returns:
        Scalar, float32: standard deviation over rows, mean over axes, times the root of D; 0 for N = 0.
    """
    expect_shape('rows', rows, None, None)
    if not len(rows):
        return rows.new_zeros((), dtype=torch.float32)
    spread: Tensor = F.normalize(rows.float(), dim=1).std(0, unbiased=False).mean() * rows.shape[1] ** 0.5
    return spread
