"""Weights of pixels: those of the points that fall on them, blurred. For the samplers that look at the surface."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...errors import ConfigError
from ...functional import ProjectedPoints, gaussian_blur
from .base import BaseRaySampler, splat_weights

#: Least weight of a point, relative to the mean weight.
FLAT_WEIGHT = 1e-6


class BlurredPixelSampler(BaseRaySampler):
    """A sampler whose pixels follow its points (section 3.3).

    Args:
        blur_kernel_px: K_gaus, odd size of the Gaussian kernel; not printed in the paper.
        blur_sigma_px: its standard deviation.
        args, kwargs: of :class:`BaseRaySampler`.
    """

    def __init__(self, *args: Any, blur_kernel_px: int = 15, blur_sigma_px: float = 3.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if blur_kernel_px < 1 or blur_kernel_px % 2 == 0:
            raise ConfigError(f'blur_kernel_px must be an odd positive number, got {blur_kernel_px}')
        if blur_sigma_px <= 0:
            raise ConfigError(f'blur_sigma_px must be positive, got {blur_sigma_px}')
        self.blur_kernel_px, self.blur_sigma_px = blur_kernel_px, blur_sigma_px

    def pixel_weights(self, point_weights: Tensor, projected: ProjectedPoints, valid: Tensor) -> Tensor:
        """Each point's weight on its pixel (the largest where several meet), then blurred (C, H, W)."""
        maps = splat_weights(point_weights, projected, *valid.shape[1:])
        return gaussian_blur(maps, self.blur_kernel_px, self.blur_sigma_px)


def with_floor(weights: Tensor) -> Tensor:
    """A flat point keeps a trace of a weight (M,).

    It is drawn once the curved ones are used up, and a cloud without any curvature is sampled uniformly.
    """
    floor = FLAT_WEIGHT * weights.sum() / max(len(weights), 1)
    return weights.clamp(min=torch.where(floor > 0, floor, torch.ones_like(floor)))
