"""Curvature sampling, the paper's section 3.3 (Eqs. 11 and 12)."""
from __future__ import annotations

import torch
from mmdet3d.registry import TASK_UTILS
from torch import Tensor

from ..functional import ProjectedPoints, curvature_weights, gaussian_blur
from ..modules import BoundField
from ..structures import KeyframeSweep
from .base import BaseRaySampler, splat_weights


@TASK_UTILS.register_module()
class CurvatureRaySampler(BaseRaySampler):
    """Points by the curvature of the learned surface, pixels by the blurred curvature that falls on them.

    Args:
        num_lidar_rays: N_L, LiDAR rays per sample.
        num_camera_rays: N_C / N_cam, camera rays per camera.
        min_range_m: points closer than this to the sensor are no targets.
        mode: ``'jacobian'``, the Frobenius norm of d n~/dp, or ``'literal'``, the
            norm of what ``autograd.grad`` of the summed normal gives (Eq. 12 as printed).
        blur_kernel_px: K_gaus, odd size of the Gaussian kernel; not printed in the paper.
        blur_sigma_px: its standard deviation.
    """

    #: Least weight of a point, relative to the mean weight.
    FLAT_WEIGHT = 1e-6

    def __init__(self, num_lidar_rays: int = 8192, num_camera_rays: int = 1024, min_range_m: float = 1.0,
                 mode: str = 'jacobian', blur_kernel_px: int = 15, blur_sigma_px: float = 3.0) -> None:
        super().__init__(num_lidar_rays, num_camera_rays, min_range_m)
        if mode not in ('jacobian', 'literal'):
            raise ValueError(f"mode must be 'jacobian' or 'literal', got {mode!r}")
        if blur_kernel_px < 1 or blur_kernel_px % 2 == 0:
            raise ValueError(f'blur_kernel_px must be an odd positive number, got {blur_kernel_px}')
        self.mode, self.blur_kernel_px, self.blur_sigma_px = mode, blur_kernel_px, blur_sigma_px

    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """omega_n = ||c_n|| at every candidate point (M,).

        A flat point keeps a trace of a weight: it is drawn once the curved ones
        are used up, and a field without any curvature is sampled uniformly.
        """
        weights = curvature_weights(field.sdf, sweep.points[candidates], mode=self.mode)
        floor = self.FLAT_WEIGHT * weights.sum() / max(len(weights), 1)
        return weights.clamp(min=torch.where(floor > 0, floor, torch.ones_like(floor)))

    def pixel_weights(self, point_weights: Tensor, projected: ProjectedPoints, valid: Tensor) -> Tensor:
        """Each point's weight on its pixel (the largest where several meet), then blurred (C, H, W)."""
        maps = splat_weights(point_weights, projected, *valid.shape[1:])
        return gaussian_blur(maps, self.blur_kernel_px, self.blur_sigma_px)
