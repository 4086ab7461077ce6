"""Uniform drawing: the warm-up of curvature sampling, and the simplest baseline."""

from __future__ import annotations

from mmdet3d.registry import TASK_UTILS
from torch import Tensor

from ...functional import ProjectedPoints
from ...modules import BoundField
from ...structures import KeyframeSweep
from .base import BaseRaySampler


@TASK_UTILS.register_module()
class UniformRaySampler(BaseRaySampler):
    """Every in-range point and every pixel of the scene is equally likely."""

    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """Ones (M,)."""
        return sweep.points.new_ones(len(candidates))

    def pixel_weights(self, point_weights: Tensor, projected: ProjectedPoints, valid: Tensor) -> Tensor:
        """Ones on the scene (C, H, W)."""
        return valid.to(point_weights.dtype)
