"""Drawing by the roughness of the raw cloud: what curvature sampling has to stand beside."""

from __future__ import annotations

from typing import Any, Optional

import torch
from mmdet3d.registry import TASK_UTILS
from torch import Tensor

from ...errors import ConfigError
from ...functional import nearest_neighbours, surface_variation
from ...modules import BoundField
from ...neighbours import neighbour_indices
from ...structures import KeyframeSweep
from .blurred import BlurredPixelSampler, with_floor


@TASK_UTILS.register_module()
class SurfaceVariationRaySampler(BlurredPixelSampler):
    """Points by the PCA surface variation of their nearest neighbours, pixels by what falls on them, blurred.

    Needs no field, hence no warm-up: the weights are those of the scan, the same in every epoch.

    Args:
        num_neighbours: k, points of a neighbourhood, the point itself among them.
        args, kwargs: of :class:`BlurredPixelSampler`.
    """

    def __init__(self, *args: Any, num_neighbours: int = 16, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if num_neighbours < 4:
            raise ConfigError(f'num_neighbours must be at least 4 (three points lie in a plane), got {num_neighbours}')
        self.num_neighbours = num_neighbours

    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """Surface variation of every candidate among the candidates (M,)."""
        points = sweep.points[candidates]
        if len(points) <= self.num_neighbours:
            return torch.ones_like(points[:, 0])
        if points.device.type == 'cpu':
            return with_floor(scan_variation(points, self.num_neighbours))
        return with_floor(surface_variation(points, nearest_neighbours(points, self.num_neighbours)))


def scan_variation(points: Tensor, num_neighbours: int = 16, places: Optional[Tensor] = None) -> Tensor:
    """Surface variation on the CPU, where a tree finds the neighbours 13 times faster than the tensor form.

    Args:
        points: (M, 3) metres.
        num_neighbours: k, the point itself among them; all points where there are fewer.
        places: (K,) indices of the points whose surface is asked for; all by default.

    Returns:
        (K,) in [0, 1/3], see :func:`surface_variation`.
    """
    points = points.cpu()
    if not len(points):
        return points.new_zeros(0)
    asked = None if places is None else points[places.cpu()].numpy()
    neighbours = neighbour_indices(points.numpy(), min(num_neighbours, len(points)), asked)
    return surface_variation(points, torch.from_numpy(neighbours))
