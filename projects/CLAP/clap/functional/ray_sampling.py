"""Where along a ray the field is evaluated: stratified edges, then one round of inverse-CDF up-sampling.

All positions are sample *edges*: alpha (Eq. 7) belongs to the interval between two of them.
"""

from __future__ import annotations

from typing import Optional, Tuple

import torch
from torch import Tensor

from ._shapes import expect_shape


def stratified(near: Tensor, far: Tensor, num_samples: int, offset: Optional[Tensor] = None) -> Tensor:
    """Increasing sample edges between near and far, one per stratum.

    Without offsets the edges are evenly spaced and include near and far. With offsets every edge moves inside its own
    stratum, which reaches half a spacing to both sides (the outermost strata end at near and far).

    Args:
        near: (R,) metres.
        far: (R,) metres, >= near.
        num_samples: number of edges, at least 2.
        offset: (R, num_samples) in [0, 1), place of each edge in its stratum, drawn uniformly; None for evaluation.

    Returns:
        (R, num_samples) range_m, detached, increasing along the last axis.
    """
    if num_samples < 2:
        raise ValueError(f'num_samples: expected at least 2 edges, one interval, got {num_samples}')
    expect_shape('near', near, None)
    expect_shape('far', far, near.shape[0])
    near, far = near.detach()[:, None], far.detach()[:, None]
    position = torch.linspace(0, 1, num_samples, dtype=near.dtype, device=near.device)
    if offset is not None:
        expect_shape('offset', offset, near.shape[0], num_samples)
        middle = (position[1:] + position[:-1]) / 2
        lower = torch.cat([position[:1], middle])
        upper = torch.cat([middle, position[-1:]])
        position = lower + (upper - lower) * offset
    return near + (far - near) * position


@torch.no_grad()
def inverse_cdf(edges: Tensor, weights: Tensor, num_samples: int, offset: Optional[Tensor] = None) -> Tensor:
    """New ranges drawn where the render weights are large, by inverting their piecewise linear CDF.

    Nothing is added to the weights: an interval of weight zero is never chosen. A ray whose weights are all zero
    (it met nothing) is sampled evenly over its whole length.

    Args:
        edges: (R, S) increasing range_m.
        weights: (R, S-1) w_n of the intervals; negative and non-finite entries count as 0.
        num_samples: new ranges per ray, at least 1.
        offset: (R, num_samples) in [0, 1), place of each range in its quantile, drawn uniformly; None takes the middle,
            for evaluation.

    Returns:
        (R, num_samples) range_m, detached, increasing. No gradient flows through positions.
    """
    if num_samples < 1:
        raise ValueError(f'num_samples: expected at least 1, got {num_samples}')
    expect_shape('edges', edges, None, None)
    expect_shape('weights', weights, edges.shape[0], edges.shape[1] - 1)
    width = edges[:, 1:] - edges[:, :-1]
    mass = torch.where(torch.isfinite(weights), weights, torch.zeros_like(weights)).clamp(min=0).to(edges.dtype)
    mass = torch.where(mass.sum(-1, keepdim=True) > 0, mass, width)
    cumulative = torch.cat([torch.zeros_like(mass[:, :1]), mass.cumsum(-1)], dim=-1)
    if offset is None:
        offset = edges.new_full((edges.shape[0], num_samples), 0.5)
    expect_shape('offset', offset, edges.shape[0], num_samples)
    quantile = (torch.arange(num_samples, device=edges.device) + offset) / num_samples
    wanted = quantile * cumulative[:, -1:]
    # right=True steps over intervals of zero mass. Rounding can lift `wanted` to the total itself: that quantile
    # belongs to the last interval that has mass, not to the last interval.
    place = torch.arange(mass.shape[1], device=mass.device)
    last = torch.where(mass > 0, place, torch.zeros_like(place)).amax(-1, keepdim=True)
    interval = torch.minimum(torch.searchsorted(cumulative, wanted, right=True) - 1, last)
    start, below, share = (table.gather(1, interval) for table in (edges, cumulative, mass))
    inside = ((wanted - below) / share.clamp(min=torch.finfo(share.dtype).tiny)).clamp(0, 1)
    return start + inside * width.gather(1, interval)


def merge_sorted(a: Tensor, b: Tensor) -> Tuple[Tensor, Tensor]:
    """Two sets of ranges per ray as one increasing set.

    Args:
        a: (R, S) range_m.
        b: (R, T) range_m.

    Returns:
        (R, S + T), increasing along the last axis, and (R, S + T) int64 where each stood in a and b side by side.
    """
    expect_shape('a', a, None, None)
    expect_shape('b', b, a.shape[0], None)
    merged = torch.cat([a, b], dim=-1).sort(dim=-1)
    return merged.values, merged.indices
