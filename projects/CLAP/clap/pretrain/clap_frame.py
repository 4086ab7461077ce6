"""What CLAP makes of one frame, as arrays: its rendering, curvature, prototypes and rays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from ..modules import BoundField
from ..structures import CameraViews, KeyframeSweep
from .pictures import Image, photos, title_of
from .samplers import BaseRaySampler, CurvatureRaySampler
from .samplers.base import SampledRays, camera_rays, lidar_rays, valid_pixels


@dataclass(frozen=True)
class Camera:
    """One camera: what it saw, and what the model makes of it on a grid of every ``stride``-th pixel."""

    photo: Image  # (H, W) pixels, augmented image
    rendered_rgb: np.ndarray  # (h, w, 3)
    rendered_range_m: np.ndarray  # (h, w), NaN where the ray misses the volume
    curvature: np.ndarray  # (H, W) weight of each pixel in curvature sampling, in the frame's ``curvature_unit``
    prototype: Optional[np.ndarray]  # (h, w) index by the camera branch at the rendered surface, -1 outside the volume
    drawn: np.ndarray  # (K, 2) row and column of the pixels that the active sampler draws


@dataclass(frozen=True)
class Frame:
    """One frame; points in metres, (augmented) LiDAR frame."""

    title: str  # file of the sweep, state of the model, what its encoder was shown
    cameras: List[Camera]
    points: np.ndarray  # (N, 3) keyframe points in the volume
    origins: np.ndarray  # (N, 3) where the sensor was
    range_m: np.ndarray  # (N,) observed
    rendered_range_m: np.ndarray  # (N,)
    curvature: np.ndarray  # (N,) weight of Eq. 12
    curvature_unit: str  # 1/m to the power that the sampler raises curvature to
    prototype: Optional[np.ndarray]  # (N,) index of the prototype of the point's BEV cell, LiDAR branch
    prototype_camera: Optional[np.ndarray]  # (N,) the same by the camera branch
    num_prototypes: int
    rays: np.ndarray  # (M, 2, 3) start and end of the rays that the active sampler draws
    sampler: str  # class of the active sampler

    @property
    def error_m(self) -> np.ndarray:
        """(N,) of the rendered range."""
        return np.abs(self.rendered_range_m - self.range_m)


@torch.no_grad()
def render_frame(
    model: nn.Module,
    batch: dict,
    stride: Optional[int] = 4,
    max_points: Optional[int] = None,
    seed: int = 0,
    state: str = '',
) -> Frame:
    """Render LiDAR rays and a grid of camera rays of the first sample of a batch.

    Args:
        model: a :class:`CLAP` in evaluation mode.
        batch: ``inputs`` and ``data_samples`` on the model's device.
        stride: pixels between camera rays; None renders no camera.
        max_points: at most so many LiDAR rays, a fixed draw of them; all if None.
        seed: of the sampler's draw that is shown.
        state: of the model, for the title: iteration or checkpoint.
    """
    inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']]
    encoded = model.encode_masked(inputs, metas)
    field = model.render_head.decode(encoded.fused_bev)[0]
    sweep, views = model.sweeps(inputs, metas)[0], model.views(inputs, metas)[0]
    everywhere = torch.ones_like(sweep.heldout)
    index = _thin(model.warmup_sampler.candidates(field, sweep, everywhere), max_points)
    points, rays = sweep.points[index], lidar_rays(sweep, index)
    maps = (None, None)
    if model.prototype_head is not None:
        maps = tuple(cells[0] for cells in model.prototype_head.assign(encoded.lidar_bev, encoded.camera_bev))
    drawn = model.active_sampler(field, sweep, views, torch.Generator(points.device).manual_seed(seed))
    weights, pixel_weights, power = curvature_maps(model.ray_sampler, field, sweep, index, views)
    masked = model.training and model.masking is not None
    ends = torch.stack([drawn.lidar.origins, sweep.points[drawn.lidar.source]], dim=1)
    return Frame(
        title=title_of(metas[0], state, 'input masked' if masked else 'whole input (not masked)'),
        cameras=[
            _camera(model, field, views, photo, number, stride, pixel_weights[number], maps[1], drawn)
            for number, photo in enumerate(photos(views if stride else None, metas[0]))
        ],
        points=points.cpu().numpy(),
        origins=rays.origins.cpu().numpy(),
        range_m=rays.targets.cpu().numpy(),
        rendered_range_m=model.render_head.render(field, rays).range_m.cpu().numpy(),
        curvature=weights.cpu().numpy(),
        curvature_unit='1/m' if power == 1 else f'1/m^{power:g}',
        prototype=_look_up(maps[0], field, points),
        prototype_camera=_look_up(maps[1], field, points),
        num_prototypes=0 if maps[0] is None else len(model.prototype_head.prototypes),
        rays=ends.cpu().numpy(),
        sampler=type(model.active_sampler).__name__,
    )


def _thin(index: Tensor, count: Optional[int]) -> Tensor:
    """A fixed random subset: every k-th point would follow the beams of a spinning sensor."""
    if count is None or len(index) <= count:
        return index
    chosen = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))[:count]
    return index[chosen.sort().values.to(index.device)]


def curvature_maps(
    sampler: BaseRaySampler, field: BoundField, sweep: KeyframeSweep, index: Tensor, views: Optional[CameraViews]
) -> Tuple[Tensor, Optional[Tensor], float]:
    """Weights of curvature sampling on points (N,) and, blurred, on pixels (C, H, W), and the power in them.

    They come from the run's own sampler; a run with another kind gets what
    :class:`CurvatureRaySampler` would see.
    """
    if not isinstance(sampler, CurvatureRaySampler):
        sampler = CurvatureRaySampler()
    weights = sampler.point_weights(field, sweep, index)
    if views is None:
        return weights, None, sampler.power
    valid = valid_pixels(views)
    return weights, sampler.pixel_weights(weights, views.project(sweep.points[index]), valid) * valid, sampler.power


def _look_up(cells: Optional[Tensor], field: BoundField, points: Tensor) -> Optional[np.ndarray]:
    """Value of the BEV cell (X, Y) that each point (..., 3) lies in; -1 outside, None without a map."""
    if cells is None:
        return None
    size = points.new_tensor(cells.shape)
    extent = (field.box_max - field.box_min)[:2]
    place = ((points[..., :2] - field.box_min[:2]) / extent * size).floor().long()
    inside = ((points >= field.box_min) & (points <= field.box_max)).all(-1)
    place = torch.minimum(place.clamp(min=0), size.long() - 1)
    found = cells[place[..., 0], place[..., 1]]
    return torch.where(inside, found, -torch.ones_like(found)).cpu().numpy()


def _camera(
    model: nn.Module,
    field: BoundField,
    views: CameraViews,
    photo: Image,
    index: int,
    stride: int,
    weights: Tensor,
    prototypes: Optional[Tensor],
    drawn: SampledRays,
) -> Camera:
    height, width = views.rgb.shape[-2:]
    rows = torch.arange(stride // 2, height, stride, device=views.rgb.device)
    columns = torch.arange(stride // 2, width, stride, device=views.rgb.device)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1)
    shape, source = grid.shape[:2], drawn.camera.source
    rays = camera_rays(views, grid.reshape(1, -1, 2), first=index)
    out = model.render_head.render(field, rays, with_rgb=True)
    seen = rays.origins + out.range_m[:, None] * rays.directions
    range_m = torch.where(out.valid, out.range_m, torch.full_like(out.range_m, float('nan')))
    return Camera(
        photo=photo,
        rendered_rgb=out.rgb.view(*shape, 3).clamp(0, 1).cpu().numpy(),
        rendered_range_m=range_m.view(shape).cpu().numpy(),
        curvature=weights.cpu().numpy(),
        prototype=_look_up(prototypes, field, seen.view(*shape, 3)),
        drawn=source[source[:, 0] == index][:, 1:].cpu().numpy(),
    )
