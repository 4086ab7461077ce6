"""Everything that the pictures of one frame show, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from ..functional import project_points
from ..modules import BoundField
from ..pretrain.samplers import BaseRaySampler, CurvatureRaySampler, SampledRays
from ..pretrain.samplers.base import camera_rays, lidar_rays, valid_pixels
from ..structures import CameraViews, KeyframeSweep


@dataclass(frozen=True)
class CameraPicture:
    """One camera: what it saw, and what the model makes of it on a grid of every ``stride``-th pixel."""

    name: str
    rgb: np.ndarray  # (H, W, 3) in [0, 1], augmented image
    rendered_rgb: np.ndarray  # (h, w, 3)
    rendered_range_m: np.ndarray  # (h, w), NaN where the ray misses the volume
    curvature: np.ndarray  # (H, W) weight of each pixel in curvature sampling, 1/m
    prototype: Optional[np.ndarray]  # (h, w) index by the camera branch at the rendered surface, -1 outside the volume
    drawn: np.ndarray  # (K, 2) row and column of the pixels that the active sampler draws


@dataclass(frozen=True)
class FramePicture:
    """One frame; points in metres, (augmented) LiDAR frame."""

    title: str  # file of the sweep, state of the model, what its encoder was shown
    cameras: List[CameraPicture]
    points: np.ndarray  # (N, 3) keyframe points in the volume
    origins: np.ndarray  # (N, 3) where the sensor was
    range_m: np.ndarray  # (N,) observed
    rendered_range_m: np.ndarray  # (N,)
    curvature: np.ndarray  # (N,) weight of Eq. 12, 1/m
    prototype: Optional[np.ndarray]  # (N,) index of the prototype of the point's BEV cell, LiDAR branch
    prototype_camera: Optional[np.ndarray]  # (N,) the same by the camera branch
    num_prototypes: int
    drawn: np.ndarray  # (M, 3) points that the active sampler draws
    drawn_origins: np.ndarray  # (M, 3)
    sampler: str  # class of the active sampler


@torch.no_grad()
def render_frame(
    model: torch.nn.Module,
    batch: dict,
    stride: int = 4,
    max_points: Optional[int] = None,
    seed: int = 0,
    state: str = '',
) -> FramePicture:
    """Render LiDAR rays and a grid of camera rays of the first sample of a batch.

    Args:
        model: a :class:`CLAP` in evaluation mode.
        batch: ``inputs`` and ``data_samples`` on the model's device.
        stride: pixels between camera rays.
        max_points: at most so many LiDAR rays, a fixed draw of them; all if None.
        seed: of the sampler's draw that is shown.
        state: of the model, for the title: iteration or checkpoint.
    """
    inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']]
    encoded = model.encode_masked(inputs, metas)
    field = model.render_head.decode(encoded.fused_bev)[0]
    sweep, views = model.sweeps(inputs, metas)[0], model.views(inputs, metas)[0]
    everything = replace(sweep, heldout=torch.zeros_like(sweep.heldout))
    index = _thin(model.warmup_sampler.candidates(field, everything), max_points)
    points, rays = sweep.points[index], lidar_rays(sweep, index)
    by_lidar = by_camera = None
    if model.prototype_head is not None:
        by_lidar, by_camera = (m[0] for m in model.prototype_head.assign(encoded.lidar_bev, encoded.camera_bev))
    generator = torch.Generator(points.device).manual_seed(seed)
    drawn = model.active_sampler(field, sweep, views, generator)
    weights, pixel_weights = curvature_maps(model.ray_sampler, field, everything, index, views)
    return FramePicture(
        title='; '.join(filter(None, [str(metas[0].get('lidar_path', '')).rsplit('/', 1)[-1], state, _shown(model)])),
        cameras=_cameras(model, field, views, metas[0], stride, pixel_weights, by_camera, drawn),
        points=points.cpu().numpy(),
        origins=rays.origins.cpu().numpy(),
        range_m=rays.targets.cpu().numpy(),
        rendered_range_m=model.render_head.render(field, rays).range_m.cpu().numpy(),
        curvature=weights.cpu().numpy(),
        prototype=_look_up(by_lidar, field, points),
        prototype_camera=_look_up(by_camera, field, points),
        num_prototypes=0 if by_lidar is None else len(model.prototype_head.prototypes),
        drawn=sweep.points[drawn.lidar.source].cpu().numpy(),
        drawn_origins=drawn.lidar.origins.cpu().numpy(),
        sampler=type(model.active_sampler).__name__,
    )


def _shown(model: torch.nn.Module) -> str:
    """What :meth:`CLAP.encode_masked` feeds the encoders in the model's present mode."""
    return 'input masked' if model.training and model.masking is not None else 'whole input (not masked)'


def _thin(index: Tensor, count: Optional[int]) -> Tensor:
    """A fixed random subset: every k-th point would follow the beams of a spinning sensor."""
    if count is None or len(index) <= count:
        return index
    chosen = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))[:count]
    return index[chosen.sort().values.to(index.device)]


def curvature_maps(
    sampler: BaseRaySampler, field: BoundField, sweep: KeyframeSweep, index: Tensor, views: Optional[CameraViews]
) -> Tuple[Tensor, Optional[Tensor]]:
    """Weights of curvature sampling on points (N,) and, blurred, on pixels (C, H, W).

    They come from the run's own sampler; a run with another kind gets what
    :class:`CurvatureRaySampler` would see.
    """
    if not isinstance(sampler, CurvatureRaySampler):
        sampler = CurvatureRaySampler()
    weights = sampler.point_weights(field, sweep, index)
    if views is None:
        return weights, None
    size = (views.rgb.shape[-2], views.rgb.shape[-1])
    projected = project_points(sweep.points[index], views.lidar2img, views.img_aug, views.lidar_aug, size)
    valid = valid_pixels(views)
    return weights, sampler.pixel_weights(weights, projected, valid) * valid


def _look_up(cells: Optional[Tensor], field: BoundField, points: Tensor) -> Optional[np.ndarray]:
    """Value of the BEV cell (X, Y) that each point (..., 3) lies in; -1 outside, None without a map."""
    if cells is None:
        return None
    size = points.new_tensor(cells.shape)
    extent = (field.box_max - field.box_min)[:2]
    place = ((points[..., :2] - field.box_min[:2]) / extent * size).floor().long()
    inside = ((points >= field.box_min) & (points <= field.box_max)).all(-1)
    place = torch.minimum(place.clamp(min=0), size.long() - 1)
    return (
        torch.where(inside, cells[place[..., 0], place[..., 1]], -torch.ones_like(inside, dtype=cells.dtype))
        .cpu()
        .numpy()
    )


def _cameras(
    model: torch.nn.Module,
    field: BoundField,
    views: Optional[CameraViews],
    meta: dict,
    stride: int,
    weights: Optional[Tensor],
    prototypes: Optional[Tensor],
    drawn: SampledRays,
) -> List[CameraPicture]:
    pictures, count = [], 0 if views is None else len(views.rgb)
    names = meta.get('cam_names') or [f'camera {i}' for i in range(count)]
    for index in range(count):
        height, width = views.rgb.shape[-2:]
        rows = torch.arange(stride // 2, height, stride, device=views.rgb.device)
        columns = torch.arange(stride // 2, width, stride, device=views.rgb.device)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1)
        rays = camera_rays(views, grid.reshape(1, -1, 2), first=index)
        out = model.render_head.render(field, rays, with_rgb=True)
        seen = rays.origins + out.range_m[:, None] * rays.directions
        shape = grid.shape[:2]
        prototype = _look_up(prototypes, field, seen)
        range_m = torch.where(out.valid, out.range_m, torch.full_like(out.range_m, float('nan')))
        source = drawn.camera.source
        pictures.append(
            CameraPicture(
                name=names[index],
                rgb=views.rgb[index].permute(1, 2, 0).clamp(0, 1).cpu().numpy(),
                rendered_rgb=out.rgb.view(*shape, 3).clamp(0, 1).cpu().numpy(),
                rendered_range_m=range_m.view(shape).cpu().numpy(),
                curvature=weights[index].cpu().numpy(),
                prototype=None if prototype is None else prototype.reshape(shape),
                drawn=source[source[:, 0] == index][:, 1:].cpu().numpy(),
            )
        )
    return pictures
