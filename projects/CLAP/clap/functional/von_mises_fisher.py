"""Von Mises-Fisher distributions of features by class: CMCR's L_KL, which it takes from OLIVINE."""

from __future__ import annotations

import math
from typing import Tuple

import torch
from torch import Tensor

from ._shapes import expect_shape
from .shared_mean import shared_mean, shared_sum

#: A class with almost equal features would get a concentration without bound.
MAX_MEAN_LENGTH = 0.99


def log_normaliser(concentrations: Tensor, dims: int) -> Tensor:
    """log C_p(kappa), C_p = kappa^nu / ((2 pi)^(p / 2) I_nu(kappa)), nu = p / 2 - 1.

    By the uniform expansion of I_nu for large nu to its first correction (Abramowitz and Stegun 9.7.7), which neither
    overflows nor meets 0 / 0 at kappa = 0; its error is below 4e-5 for p = 64 and 2e-2 for p = 4.

    Args:
        concentrations: kappa >= 0, any shape.
        dims: p >= 3, dimensions of the space that the unit vectors lie in.
    """
    if dims < 3:
        raise ValueError(f'dims: expected at least 3 dimensions, got {dims}')
    nu = dims / 2 - 1
    root = torch.sqrt(1 + (concentrations / nu).square())
    correction = torch.log1p((3 / root - 5 / root.pow(3)) / (24 * nu))
    constant = nu * math.log(nu) + 0.5 * math.log(2 * math.pi * nu) - (nu + 1) * math.log(2 * math.pi)
    return constant + nu * torch.log1p(root) - nu * root + 0.5 * root.log() - correction


def vmf_loss(features: Tensor, labels: Tensor, mean_directions: Tensor, concentrations: Tensor) -> Tensor:
    """-mean(log C_p(kappa) + kappa mu^T x): how unlikely features are under the distribution of their class.

    Args:
        features: (N, p), normalised here.
        labels: (N,) int64; -1 is ignored.
        mean_directions: mu, (K, p) unit vectors.
        concentrations: kappa >= 0, (K,).

    Returns:
        Scalar, the mean over the labelled features of all ranks; 0 and connected if there are none.
    """
    expect_shape('labels', labels, len(features))
    expect_shape('mean_directions', mean_directions, None, features.shape[1])
    expect_shape('concentrations', concentrations, len(mean_directions))
    chosen = labels >= 0
    units = torch.nn.functional.normalize(features[chosen], dim=-1)
    kappa = concentrations[labels[chosen]]
    cosine = (units * mean_directions[labels[chosen]]).sum(-1)
    return shared_mean(-(log_normaliser(kappa, features.shape[1]) + kappa * cosine).sum(), int(chosen.sum()))


@torch.no_grad()
def class_means(means: Tensor, features: Tensor, labels: Tensor, rate: float) -> Tensor:
    """Moving averages z of the unit features of every class; a class that is seen for the first time gets its mean.

    Args:
        means: z, (K, p); zeros for a class that was not seen yet.
        features: (N, p) of this rank, normalised here; classes are averaged over all ranks, and all must call.
        labels: (N,) int64; -1 is ignored.
        rate: share of the new mean.

    Returns:
        (K, p), the same on every rank.
    """
    expect_shape('features', features, None, means.shape[1])
    expect_shape('labels', labels, len(features))
    chosen = labels >= 0
    units = torch.nn.functional.normalize(features[chosen], dim=-1).to(means)
    found = torch.cat([units, torch.ones_like(units[:, :1])], dim=1)
    total = shared_sum(means.new_zeros(len(means), found.shape[1]).index_add_(0, labels[chosen], found))
    count = total[:, -1:]
    new = total[:, :-1] / count.clamp(min=1)
    first = ~means.any(1, keepdim=True)
    followed = torch.where(first, new, (1 - rate) * means + rate * new)
    return torch.where(count > 0, followed, means)


def directions_and_concentrations(means: Tensor) -> Tuple[Tensor, Tensor]:
    """mu = z / |z| (K, p) and kappa = |z| (p - |z|^2) / (1 - |z|^2) (K,) from :func:`class_means`.

    Source: Banerjee et al. 2005, the approximation of the maximum-likelihood concentration.
    """
    expect_shape('means', means, None, None)
    length = means.norm(dim=-1).clamp(max=MAX_MEAN_LENGTH)
    kappa = length * (means.shape[1] - length.square()) / (1 - length.square())
    return torch.nn.functional.normalize(means, dim=-1), kappa
