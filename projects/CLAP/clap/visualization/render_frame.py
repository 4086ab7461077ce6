"""Everything that the pictures of one frame show, as arrays."""
from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

import numpy as np
import torch

from ..functional import curvature_weights
from ..modules import BoundField
from ..samplers.base import camera_rays, lidar_rays
from ..structures import CameraViews


@dataclass(frozen=True)
class CameraPicture:
    """One camera: what it saw and what the field renders, on a grid of pixels."""

    name: str
    rgb: np.ndarray  # (H, W, 3) in [0, 1]
    rendered_rgb: np.ndarray  # (h, w, 3)
    rendered_range_m: np.ndarray  # (h, w)


@dataclass(frozen=True)
class FramePicture:
    """One frame; points in metres, LiDAR frame."""

    title: str
    cameras: List[CameraPicture]
    points: np.ndarray  # (N, 3) keyframe points in the volume
    range_m: np.ndarray  # (N,) observed
    rendered_range_m: np.ndarray  # (N,)
    curvature: np.ndarray  # (N,) weight of Eq. 12
    prototype: Optional[np.ndarray]  # (N,) index of the prototype of the point's BEV cell


@torch.no_grad()
def render_frame(model: torch.nn.Module, batch: dict, stride: int = 4) -> FramePicture:
    """Render every LiDAR ray and a grid of camera rays of the first sample of a batch.

    Args:
        model: a :class:`CLAP` in evaluation mode.
        batch: ``inputs`` and ``data_samples`` on the model's device.
        stride: pixels between camera rays.
    """
    inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']]
    encoded = model.encode_masked(inputs, metas)
    field = model.render_head.decode(encoded.fused_bev)[0]
    sweep, views = model.sweeps(inputs, metas)[0], model.views(inputs, metas)[0]
    index = model.warmup_sampler.candidates(field, _with_all_points(sweep))
    rays = lidar_rays(sweep, index)
    points = sweep.points[index]
    prototype = None
    if model.prototype_head is not None:
        assigned, _ = model.prototype_head.assign(encoded.lidar_bev, encoded.camera_bev)
        cell = (field.box_max - field.box_min)[:2] / points.new_tensor(assigned.shape[1:])
        row, column = ((points[:, :2] - field.box_min[:2]) / cell).long().unbind(-1)
        prototype = assigned[0, row, column].cpu().numpy()
    count = 0 if views is None else len(views.rgb)
    names = (metas[0].get('cam_names') or [f'camera {i}' for i in range(count)])[:count]
    return FramePicture(
        title=str(metas[0].get('lidar_path', '')).rsplit('/', 1)[-1],
        cameras=[_camera(model, field, views, i, name, stride) for i, name in enumerate(names)],
        points=points.cpu().numpy(), range_m=rays.targets.cpu().numpy(),
        rendered_range_m=model.render_head.render(field, rays).range_m.cpu().numpy(),
        curvature=curvature_weights(field.sdf, points).cpu().numpy(), prototype=prototype)


def _with_all_points(sweep):
    return type(sweep)(sweep.points, sweep.origins, torch.zeros_like(sweep.heldout))


def _camera(model: torch.nn.Module, field: BoundField, views: CameraViews, index: int, name: str,
            stride: int) -> CameraPicture:
    height, width = views.rgb.shape[-2:]
    rows = torch.arange(stride // 2, height, stride, device=views.rgb.device)
    columns = torch.arange(stride // 2, width, stride, device=views.rgb.device)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1)
    out = model.render_head.render(field, camera_rays(views, index, grid.reshape(-1, 2)), with_rgb=True)
    return CameraPicture(
        name=name, rgb=views.rgb[index].permute(1, 2, 0).cpu().numpy(),
        rendered_rgb=out.rgb.view(*grid.shape[:2], 3).clamp(0, 1).cpu().numpy(),
        rendered_range_m=out.range_m.view(grid.shape[:2]).cpu().numpy())
