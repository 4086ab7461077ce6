"""Rendering losses (Eq. 10) and three optional terms; the orthogonality of CMCR.

All are means over the rays of all ranks, see :mod:`.shared_mean`.
"""

from __future__ import annotations

from typing import Dict, Optional

import torch
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape
from .shared_mean import shared_mean, shared_sum


def _mean_or_zero(values: Tensor, weights: Optional[Tensor] = None) -> Tensor:
    """Mean of all entries; for an empty tensor a zero that still hangs on the graph (DDP wants every gradient)."""
    if weights is None:
        return shared_mean(values.sum(), values.numel())
    return shared_mean((weights * values).sum(), weights.sum())


def _masked_mean(values: Tensor, mask: Tensor, weights: Optional[Tensor] = None) -> Tensor:
    """Mean of ``values`` where ``mask`` holds, exactly 0 and connected if it holds nowhere."""
    chosen = torch.where(mask, values, torch.zeros_like(values))
    if weights is None:
        return shared_mean(chosen.sum(), mask.sum())
    return shared_mean((weights[:, None] * chosen).sum(), (weights[:, None] * mask).sum())


def rendering_loss(
    range_pred: Tensor,
    range_true: Tensor,
    surface_sdf: Tensor,
    rgb_pred: Tensor,
    rgb_true: Tensor,
    surface_weight: float = 0.05,
    rgb_weight: float = 0.05,
    ray_weights: Optional[Tensor] = None,
) -> Dict[str, Tensor]:
    """Eq. 10: (1/N_L) sum(|r - r~| + w_sur |s|) + w_C / (3 N_C) sum |c - c~|.

    Args:
        range_pred: (N_L,) rendered ranges r~, metres.
        range_true: (N_L,) observed ranges r, metres.
        surface_sdf: (N_L,) predicted signed distance s at the observed points, metres; a surface point has 0.
        rgb_pred: (N_C, 3) rendered colours c~.
        rgb_true: (N_C, 3) observed colours c, same scale.
        surface_weight: w_sur.
        rgb_weight: w_C.
        ray_weights: (N_L,) >= 0, relative weights of the LiDAR rays in their means; None weighs all alike (Eq. 10).

    Returns:
        'loss_range', 'loss_surface', 'loss_rgb': scalars, each already weighted, their sum being Eq. 10. Without
        LiDAR rays (N_L = 0) or pixels (N_C = 0) the terms concerned are exactly 0 and still connected to the graph.

    Raises:
        ValueError: on shapes that would broadcast.
    """
    expect_shape('range_pred', range_pred, None)
    expect_same_shape(range_pred=range_pred, range_true=range_true, surface_sdf=surface_sdf)
    expect_shape('rgb_pred', rgb_pred, None, 3)
    expect_same_shape(rgb_pred=rgb_pred, rgb_true=rgb_true)
    return {
        'loss_range': _mean_or_zero((range_true - range_pred).abs(), ray_weights),
        'loss_surface': surface_weight * _mean_or_zero(surface_sdf.abs(), ray_weights),
        'loss_rgb': rgb_weight * _mean_or_zero((rgb_true - rgb_pred).abs()),
    }


def eikonal_loss(gradients: Tensor) -> Tensor:
    """Mean of (|grad s| - 1)^2: a distance grows by one metre per metre. Off in the paper's configuration.

    Args:
        gradients: (N, 3) ds/dp, made with ``create_graph=True`` (see ``curvature.sdf_gradient``).

    Returns:
        Scalar, unweighted; 0 for N = 0.
    """
    expect_shape('gradients', gradients, None, 3)
    return _mean_or_zero((torch.linalg.vector_norm(gradients, dim=-1) - 1).square())


def _check_samples(sdf: Tensor, range_edges: Tensor, target_range: Tensor, truncation: float) -> None:
    expect_shape('sdf', sdf, None, None)
    expect_same_shape(sdf=sdf, range_edges=range_edges)
    expect_shape('target_range', target_range, sdf.shape[0])
    if truncation <= 0:
        raise ValueError(f'truncation: expected a positive length in metres, got {truncation}')


def free_space_loss(
    sdf: Tensor, range_edges: Tensor, target_range: Tensor, truncation: float, ray_weights: Optional[Tensor] = None
) -> Tensor:
    """Mean of max(truncation - s, 0) over samples well in front of the observed surface. Off in the paper.

    A LiDAR ray crossed this space, so no surface can be nearer than the truncation length; how far it is there the
    ray does not tell, so larger distances cost nothing.

    Args:
        sdf: (R, S) metres.
        range_edges: (R, S) range_m of the samples.
        target_range: (R,) observed range_m.
        truncation: metres; samples with range < target - truncation take part.
        ray_weights: (R,) >= 0, relative weights of the rays; None weighs all alike.

    Returns:
        Scalar, unweighted; 0 if no sample takes part.
    """
    _check_samples(sdf, range_edges, target_range, truncation)
    in_front = range_edges < target_range[:, None] - truncation
    return _masked_mean((truncation - sdf).clamp(min=0), in_front, ray_weights)


def near_surface_loss(
    sdf: Tensor, range_edges: Tensor, target_range: Tensor, truncation: float, ray_weights: Optional[Tensor] = None
) -> Tensor:
    """Mean of |s - (target - range)| over samples within the truncation length. Off in the paper.

    The distance along the ray is an upper bound of the distance to the surface and equals it for a ray that meets
    the surface head-on; a grazing ray is pulled too far, hence only a short band is used.

    Args:
        sdf: (R, S) metres.
        range_edges: (R, S) range_m of the samples.
        target_range: (R,) observed range_m.
        truncation: metres; samples with |target - range| <= truncation take part.
        ray_weights: (R,) >= 0, relative weights of the rays; None weighs all alike.

    Returns:
        Scalar, unweighted; 0 if no sample takes part.
    """
    _check_samples(sdf, range_edges, target_range, truncation)
    along_ray = target_range[:, None] - range_edges
    return _masked_mean((sdf - along_ray).abs(), along_ray.abs() <= truncation, ray_weights)


def orthogonal_loss(shared: Tensor, specific: Tensor) -> Tensor:
    """CMCR Eq. 18 of one modality: |F^T G|_F^2 / N^2, so that shared and specific features tell different things.

    Printed without 1 / N^2, which makes it grow with the square of the number of points.

    Args:
        shared: F, (N, D).
        specific: G, (N, D), of the same points; N counts those of all ranks.

    Returns:
        Scalar; 0 and connected if no rank has a point.
    """
    expect_shape('shared', shared, None, None)
    expect_same_shape(shared=shared, specific=specific)
    count = shared_sum(torch.as_tensor(float(len(shared)), device=shared.device))
    return (shared_sum(shared.t() @ specific) / count.clamp(min=1)).square().sum()
