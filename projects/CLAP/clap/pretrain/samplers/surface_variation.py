"""Drawing by the roughness of the raw cloud: what curvature sampling has to stand beside."""

from __future__ import annotations

import torch
from mmdet3d.registry import TASK_UTILS
from scipy.spatial import cKDTree
from torch import Tensor

from ...errors import ConfigError
from ...functional import nearest_neighbours, surface_variation
from ...modules import BoundField
from ...structures import KeyframeSweep
from .blurred import BlurredPixelSampler, with_floor


@TASK_UTILS.register_module()
class SurfaceVariationRaySampler(BlurredPixelSampler):
    """Points by the PCA surface variation of their nearest neighbours, pixels by what falls on them, blurred.

    Needs no field, hence no warm-up: the weights are those of the scan, the same in every epoch.

    Args:
        num_lidar_rays: N_L, LiDAR rays per sample.
        num_camera_rays: N_C / N_cam, camera rays per camera.
        min_range_m: points closer than this to the sensor are no targets.
        num_neighbours: k, points of a neighbourhood, the point itself among them.
        blur_kernel_px: K_gaus, odd size of the Gaussian kernel.
        blur_sigma_px: its standard deviation.
    """

    def __init__(
        self,
        num_lidar_rays: int = 8192,
        num_camera_rays: int = 1024,
        min_range_m: float = 2.5,
        num_neighbours: int = 16,
        blur_kernel_px: int = 15,
        blur_sigma_px: float = 3.0,
    ) -> None:
        super().__init__(num_lidar_rays, num_camera_rays, min_range_m, blur_kernel_px, blur_sigma_px)
        if num_neighbours < 4:
            raise ConfigError(f'num_neighbours must be at least 4 (three points lie in a plane), got {num_neighbours}')
        self.num_neighbours = num_neighbours

    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """Surface variation of every candidate among the candidates (M,)."""
        points = sweep.points[candidates]
        if len(points) <= self.num_neighbours:
            return torch.ones_like(points[:, 0])
        return with_floor(surface_variation(points, self._neighbours(points)))

    def _neighbours(self, points: Tensor) -> Tensor:
        if points.device.type != 'cpu':
            return nearest_neighbours(points, self.num_neighbours)
        # 13 times faster than the tensor form on the CPU (100 000 points: 0.25 s against 3.3 s), same neighbours.
        _, index = cKDTree(points.numpy()).query(points.numpy(), self.num_neighbours)
        return torch.from_numpy(index)
