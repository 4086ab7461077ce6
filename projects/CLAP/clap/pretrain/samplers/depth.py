"""Depth-aware drawing of UniPAD, the baseline of the paper's ablation (Table 4, rows 1 and 2)."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.registry import TASK_UTILS
from torch import Tensor

from ...errors import ConfigError
from ...functional import ProjectedPoints
from ...modules import BoundField
from ...structures import KeyframeSweep
from .base import BaseRaySampler, splat_weights


@TASK_UTILS.register_module()
class DepthRaySampler(BaseRaySampler):
    """Pixels that a LiDAR point falls into, uniformly; points beyond the ego vehicle, uniformly.

    Source: "memory-friendly ray sampling" of UniPAD (section 3.4 there). Where a
    camera has fewer such pixels than rays are wanted, the rest comes from a
    sparse grid below the upper part of the image. Occluded points count too, as there.

    Args:
        min_radius_m: UniPAD's horizontal distance from the sensor below which points are not drawn, besides.
        grid_px: stride of the grid that fills up.
        sky_share: upper share of the image that the grid leaves out.
        args, kwargs: of :class:`BaseRaySampler`.
    """

    #: Weight of a filling pixel relative to a pixel with depth. Small enough that drawing
    #: without replacement exhausts the pixels with depth first, large enough for float32.
    FILL_WEIGHT = 1e-9

    def __init__(
        self, *args: Any, min_radius_m: float = 3.0, grid_px: int = 4, sky_share: float = 0.4, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if grid_px < 1:
            raise ConfigError(f'grid_px must be at least 1, got {grid_px}')
        self.min_radius_m, self.grid_px, self.sky_share = min_radius_m, grid_px, sky_share

    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """One (M,) beyond ``min_radius_m``, zero within."""
        offset = sweep.points[candidates] - sweep.origins[candidates]
        return (offset[:, :2].norm(dim=-1) > self.min_radius_m).to(offset.dtype)

    def pixel_weights(self, point_weights: Tensor, projected: ProjectedPoints, valid: Tensor) -> Tensor:
        """One on pixels with depth, nearly zero on the filling grid, zero elsewhere (C, H, W)."""
        height, width = valid.shape[1:]
        weights = torch.zeros_like(valid, dtype=point_weights.dtype)
        weights[:, int(self.sky_share * height) :: self.grid_px, :: self.grid_px] = self.FILL_WEIGHT
        return torch.maximum(weights, splat_weights(point_weights, projected, height, width))
