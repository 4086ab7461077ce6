"""Features of points from a bird's-eye-view map."""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_bev(bev: Tensor, points: Tensor, point_cloud_range: Sequence[float]) -> Tensor:
    """Bilinear interpolation between the centres of cells; zeros outside of the map.

    Args:
        bev: (C, X, Y), covering the range in x and y.
        points: (N, 2 or more) x, y, metres, the frame of the map.
        point_cloud_range: x, y, z minimum, x, y, z maximum, metres.

    Returns:
        (N, C), at least float32; differentiable in ``bev`` and, but for borders of cells, in ``points``.
    """
    low = points.new_tensor(point_cloud_range[:2])
    size = points.new_tensor(point_cloud_range[3:5]) - low
    place = 2 * (points[:, :2] - low) / size - 1
    # Half precision would move places by a decimetre. grid_sample names the last axis of the map, y, first.
    dtype = torch.promote_types(bev.dtype, torch.float32)
    found = F.grid_sample(bev[None].to(dtype), place[None, None].flip(-1).to(dtype), align_corners=False)
    return found[0, :, 0].t()
