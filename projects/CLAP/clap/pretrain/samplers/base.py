"""What all ray samplers share: from weights on points and pixels to rays."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass, replace
from typing import Dict, Optional

import torch
from torch import Tensor

from ...errors import ConfigError
from ...functional import (
    ProjectedPoints,
    inclusion_draw,
    original_pixels,
    pixel_rays,
    rays_to_points,
    splat_max,
    weighted_draw_rows,
)
from ...modules import BoundField
from ...structures import CameraViews, KeyframeSweep, RayBundle


@dataclass(frozen=True)
class SampledRays:
    """The rays of one sample and the figures of how they were drawn."""

    lidar: RayBundle
    camera: RayBundle
    stats: Dict[str, float]


class BaseRaySampler(metaclass=ABCMeta):
    """Draws LiDAR points and pixels by weights; subclasses say which weights.

    A sampler reads a field (``sdf(points)``), the keyframe sweep and the
    images; it never sees the model. Draws are without replacement, so a sample
    with fewer candidates than rays gives fewer rays.

    Args:
        num_lidar_rays: N_L, LiDAR rays per sample.
        num_camera_rays: N_C / N_cam, camera rays per camera.
        min_range_m: points closer than this to the sensor are no targets: returns
            from the own vehicle, which end at 2.1 m on nuScenes and 1.5 m on PandaSet,
            before the street begins. A larger vehicle needs ``model.ego_box``.
    """

    def __init__(self, num_lidar_rays: int = 8192, num_camera_rays: int = 1024, min_range_m: float = 2.5) -> None:
        if num_lidar_rays < 0 or num_camera_rays < 0:
            raise ConfigError(
                f'numbers of rays must not be negative, got num_lidar_rays={num_lidar_rays}, '
                f'num_camera_rays={num_camera_rays}'
            )
        self.num_lidar_rays, self.num_camera_rays = num_lidar_rays, num_camera_rays
        self.min_range_m = min_range_m

    @abstractmethod
    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """Weights (M,) >= 0 of the candidate points; ``candidates`` (M,) indexes the sweep."""

    @abstractmethod
    def pixel_weights(self, point_weights: Tensor, projected: ProjectedPoints, valid: Tensor) -> Tensor:
        """Weights (C, H, W) >= 0 of the pixels.

        Args:
            point_weights: (M,) weights of the candidate points.
            projected: the same points in every camera.
            valid: (C, H, W) bool, pixels that show the scene (no padding).
        """

    def ray_weights(self, point_weights: Tensor) -> Tensor:
        """Weights (M,) that LiDAR rays are drawn by; those of the points, if a subclass does not say otherwise."""
        return point_weights

    def loss_weights(self, inclusion: Tensor) -> Optional[Tensor]:
        """Weights (R,) of the LiDAR rays in the loss, from how likely each was drawn; None: all alike."""
        return None

    def candidates(self, field: BoundField, sweep: KeyframeSweep, among: Optional[Tensor] = None) -> Tensor:
        """Indices of the points that may become LiDAR targets: in the volume, not too near, not the own vehicle's.

        Args:
            field: the field of the sample.
            sweep: unmasked keyframe points.
            among: (N,) bool, the points to choose from; by default those that are not held back.
        """
        among = ~sweep.heldout if among is None else among
        return (sweep.within(field.box_min, field.box_max, self.min_range_m) & among).nonzero().squeeze(-1)

    @torch.no_grad()
    def __call__(
        self,
        field: BoundField,
        sweep: KeyframeSweep,
        views: Optional[CameraViews],
        generator: Optional[torch.Generator] = None,
        candidates: Optional[Tensor] = None,
        weights: Optional[Tensor] = None,
    ) -> SampledRays:
        """Draw the rays of one sample.

        Args:
            field: the field of this sample, for samplers that look at the surface.
            sweep: unmasked keyframe points.
            views: unmasked images, None for a LiDAR-only model.
            generator: source of all draws.
            candidates: (M,) indices of the points to draw from, by default :meth:`candidates`.
            weights: (M,) of these points where they are known already, by default :meth:`point_weights`.
        """
        with torch.autocast(sweep.points.device.type, enabled=False):  # weights span orders of magnitude
            candidates = self.candidates(field, sweep) if candidates is None else candidates
            weights = self.point_weights(field, sweep, candidates) if weights is None else weights
            return self._draw(sweep, views, generator, candidates, weights)

    def _draw(
        self,
        sweep: KeyframeSweep,
        views: Optional[CameraViews],
        generator: Optional[torch.Generator],
        candidates: Tensor,
        weights: Tensor,
    ) -> SampledRays:
        drawn, inclusion = inclusion_draw(self.ray_weights(weights), self.num_lidar_rays, generator)
        stats = dict(candidate_points=len(candidates) / max(len(sweep.points), 1), uniform_cameras=0.0)
        camera = _empty_camera_rays(sweep.points)
        if views is not None and self.num_camera_rays:
            projected = views.project(sweep.points[candidates])
            valid = valid_pixels(views)
            pixel_weights = self.pixel_weights(weights, projected, valid) * valid
            stats['uniform_cameras'] = float((~projected.visible.any(1)).sum())
            # A camera that no weighted point falls into has nothing to go by.
            blind = ~(pixel_weights.flatten(1) > 0).any(1)
            pixel_weights = torch.where(blind[:, None, None], valid.to(pixel_weights.dtype), pixel_weights)
            camera = self._camera_rays(pixel_weights, views, generator)
        lidar = replace(lidar_rays(sweep, candidates[drawn]), weights=self.loss_weights(inclusion))
        return SampledRays(lidar, camera, stats)

    def _camera_rays(
        self, pixel_weights: Tensor, views: CameraViews, generator: Optional[torch.Generator]
    ) -> RayBundle:
        width = pixel_weights.shape[-1]
        flat, drawn = weighted_draw_rows(pixel_weights.flatten(1), self.num_camera_rays, generator)
        pixels = torch.stack([flat // width, flat % width], dim=-1)
        return camera_rays(views, pixels)[drawn.flatten().nonzero().squeeze(-1)]


def lidar_rays(sweep: KeyframeSweep, index: Tensor) -> RayBundle:
    """Rays from the sensor to the given points of a sweep; ``index`` (R,)."""
    directions, range_m = rays_to_points(sweep.origins[index], sweep.points[index])
    return RayBundle('lidar', sweep.origins[index], directions, range_m, index)


def camera_rays(views: CameraViews, pixels: Tensor, first: int = 0) -> RayBundle:
    """C * K rays through the centres of ``pixels`` (C, K, 2), integer row, column, of C cameras from ``first`` on."""
    these = slice(first, first + len(pixels))
    centres = pixels.flip(-1).to(views.rgb.dtype) + 0.5
    origins, directions = pixel_rays(
        centres, views.cam2img[these], views.cam2lidar[these], views.img_aug[these], views.lidar_aug
    )
    camera = torch.arange(first, first + len(pixels), device=pixels.device)[:, None].expand(pixels.shape[:2])
    rgb = views.rgb[camera, :, pixels[..., 0], pixels[..., 1]]
    source = torch.cat([camera[..., None], pixels], dim=-1)
    return RayBundle('camera', *(part.flatten(0, 1) for part in (origins, directions, rgb, source)))


def valid_pixels(views: CameraViews) -> Tensor:
    """(C, H, W) bool: pixels of the augmented image that show the original one, not its padding."""
    cameras, _, height, width = views.rgb.shape
    row, column = torch.meshgrid(
        torch.arange(height, device=views.rgb.device, dtype=torch.float32),
        torch.arange(width, device=views.rgb.device, dtype=torch.float32),
        indexing='ij',
    )
    centres = torch.stack([column, row], dim=-1).reshape(1, -1, 2).expand(cameras, -1, -1) + 0.5
    uv = original_pixels(centres, views.img_aug)
    limit = views.original_size.flip(-1)[:, None].to(uv.dtype)  # width, height
    return ((uv >= 0) & (uv < limit)).all(-1).view(cameras, height, width)


def _empty_camera_rays(like: Tensor) -> RayBundle:
    none = like.new_zeros((0, 3))
    return RayBundle('camera', none, none, none, none.long())


def splat_weights(point_weights: Tensor, projected: ProjectedPoints, height: int, width: int) -> Tensor:
    """Put each point's weight on the pixel it projects to, the largest where several meet.

    Args:
        point_weights: (M,).
        projected: the same points in C cameras.

    Returns:
        (C, H, W), zero where no point falls.
    """
    column = projected.uv[..., 0].long().clamp(0, width - 1)
    row = projected.uv[..., 1].long().clamp(0, height - 1)
    camera = torch.arange(len(row), device=row.device)[:, None]
    index = (camera * height + row) * width + column
    weights = point_weights * projected.visible
    return splat_max(index.flatten(), weights.flatten(), len(row) * height * width).view(-1, height, width)
