"""Rays p = o + r d and the box they cross. Frame: augmented LiDAR frame, metres."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape


def ray_points(origins: Tensor, directions: Tensor, range_m: Tensor) -> Tensor:
    """Positions along rays, p_n = o + r_n d (section 3.2).

    Args:
        origins: (R, 3) metres.
        directions: (R, 3) unit vectors.
        range_m: (R, S) distances from the origin.

    Returns:
        (R, S, 3).
    """
    return origins[:, None] + range_m[..., None] * directions[:, None]


def rays_to_points(origins: Tensor, points: Tensor) -> Tuple[Tensor, Tensor]:
    """Rays from sensor positions to the points they observed.

    Args:
        origins: (N, 3) or (1, 3) sensor position of each point, metres.
        points: (N, 3) metres, same frame.

    Returns:
        directions (N, 3), unit (zero for a point in its own origin), and observed range_m (N,).
    """
    offset = points - origins
    range_m = torch.linalg.vector_norm(offset, dim=-1)
    tiny = torch.finfo(range_m.dtype).tiny
    return offset / range_m.clamp(min=tiny)[..., None], range_m


def intersect_box(
    origins: Tensor, directions: Tensor, box_min: Tensor, box_max: Tensor
) -> Tuple[Tensor, Tensor, Tensor]:
    """Part of each ray that lies inside an axis-aligned box (slab method).

    A direction component of (almost) zero never divides: such a ray is inside the slab everywhere or nowhere.
    That is the difference between a grazing ray and 0 * inf = NaN.

    Args:
        origins: (R, 3) metres.
        directions: (R, 3); ranges come out in units of their length (metres for unit vectors).
        box_min: (3,) lower corner, metres.
        box_max: (3,) upper corner, metres.

    Returns:
        near (R,) >= 0, far (R,) >= near, hit (R,) bool. An origin inside the box has near = 0. ``hit`` is true where
        a part of positive, finite length lies inside; elsewhere near = far = 0.
    """
    expect_shape('origins', origins, None, 3)
    expect_same_shape(origins=origins, directions=directions)
    parallel = directions.abs() < torch.finfo(directions.dtype).tiny
    inverse = 1 / torch.where(parallel, torch.ones_like(directions), directions)
    to_min = (box_min - origins) * inverse
    to_max = (box_max - origins) * inverse
    infinity = torch.full_like(to_min, float('inf'))
    between = (origins >= box_min) & (origins <= box_max)
    enter = torch.where(parallel, torch.where(between, -infinity, infinity), torch.minimum(to_min, to_max))
    leave = torch.where(parallel, torch.where(between, infinity, -infinity), torch.maximum(to_min, to_max))
    near = enter.amax(-1).clamp(min=0)
    far = leave.amin(-1)
    hit = (far > near) & torch.isfinite(far)
    zero = torch.zeros_like(near)
    return torch.where(hit, near, zero), torch.where(hit, far, zero), hit
