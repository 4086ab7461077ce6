"""From opacity to rendered values (Eqs. 8 and 9)."""

from __future__ import annotations

import torch
from torch import Tensor


def midpoints(edges: Tensor) -> Tensor:
    """Middle of every interval: (..., S) edges -> (..., S-1).

    The ranges r_n of Eq. 9. The intervals' starts would render every wall half a bin too near, and a field trained so
    would place it half a bin too far.
    """
    return (edges[..., 1:] + edges[..., :-1]) / 2


def transmittance(alpha: Tensor) -> Tensor:
    """Share of light that reaches each interval (Eq. 8): t_n = prod_{i<n} (1 - alpha_i), t_1 = 1.

    Args:
        alpha: (..., K) in [0, 1].

    Returns:
        (..., K), not increasing along the last axis.
    """
    product = torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha[..., :-1]], dim=-1)
    # Prefix product by doubling, in ceil(log2 K) steps. Its backward multiplies only, so it is finite and exact where
    # alpha is 1 too; cumprod divides by 1 - alpha, or looks for zeros first, which stops a GPU to ask the host.
    step = 1
    while step < product.shape[-1]:
        product = torch.cat([product[..., :step], product[..., step:] * product[..., :-step]], dim=-1)
        step *= 2
    return product


def render_weights(alpha: Tensor) -> Tensor:
    """Unbiased, occlusion-aware weights w_n = t_n alpha_n (Eq. 9): (..., K) -> (..., K), >= 0, sum <= 1."""
    return transmittance(alpha) * alpha


def accumulate(weights: Tensor, values: Tensor) -> Tensor:
    """Rendered value of each ray, sum_n w_n v_n (Eq. 9).

    Not divided by the sum of the weights, as printed: a ray that meets little is rendered short, and that
    difference trains the field. The sum itself, ``weights.sum(-1)``, is the opacity.

    Args:
        weights: (..., K).
        values: (..., K), e.g. interval midpoints in metres, or (..., K, C), e.g. colours.

    Returns:
        (...) or (..., C).

    Raises:
        ValueError: when the values belong to other intervals than the weights.
    """
    if values.shape == weights.shape:
        return (weights * values).sum(-1)
    if values.shape[:-1] == weights.shape:
        return (weights[..., None] * values).sum(-2)
    raise ValueError(
        f'values: expected shape {tuple(weights.shape)} or that with channels appended, got '
        f'{tuple(values.shape)}; K sample edges make K-1 intervals, so evaluate values per interval'
    )
