"""LiDAR points on the images, coloured by range: the picture that shows whether a calibration is right."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..functional import project_points

#: Name of the figure among those of :data:`FIGURES`.
NAME = 'lidar_on_images'
#: Ranges above this have one colour, metres.
FAR_M = 60.0


class PointsOnImage(NamedTuple):
    """``rgb`` (H, W, 3), ``pixels`` (K, 2) column and row of the points that it sees, ``range_m`` (K,)."""

    name: str
    rgb: np.ndarray
    pixels: np.ndarray
    range_m: np.ndarray


def project(
    points: np.ndarray, cam2img: np.ndarray, lidar2cam: np.ndarray, rgb: np.ndarray, name: str
) -> PointsOnImage:
    """Points (N, >=3) in the LiDAR frame, metres, on an image that nothing has been done to."""
    camera = points[:, :3] @ lidar2cam[:3, :3].T + lidar2cam[:3, 3]
    front = camera[:, 2] > 0.5
    pixels = (camera[front] @ cam2img[:3, :3].T)[:, :2] / camera[front, 2:]
    inside = ((pixels >= 0) & (pixels < [rgb.shape[1], rgb.shape[0]])).all(axis=1)
    return PointsOnImage(name, rgb, pixels[inside], np.linalg.norm(points[front][inside, :3], axis=1))


def lidar_on_images_figure(images: Sequence[PointsOnImage], title: str = '') -> Figure:
    """Every camera with the points it sees; near points are drawn last."""
    columns = min(3, max(len(images), 1))
    rows = -(-max(len(images), 1) // columns)
    shape = images[0].rgb.shape if images else (9, 16)
    figure = Figure(figsize=(4.6 * columns + 0.8, 4.6 * rows * shape[0] / shape[1] + 0.5 * rows), layout='constrained')
    FigureCanvasAgg(figure)
    far = min(FAR_M, max([float(np.percentile(i.range_m, 98)) for i in images if len(i.range_m)], default=FAR_M))
    axes = figure.subplots(rows, columns, squeeze=False)
    shown = None
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, image in zip(axes.ravel(), images):
        axis.imshow(image.rgb)
        axis.set_xlim(0, image.rgb.shape[1])
        axis.set_ylim(image.rgb.shape[0], 0)
        axis.set_title(f'{image.name}: {len(image.range_m)} points', fontsize=8)
        order = np.argsort(-image.range_m)
        shown = axis.scatter(
            image.pixels[order, 0],
            image.pixels[order, 1],
            c=image.range_m[order],
            s=1.6,
            linewidths=0,
            cmap='turbo',
            vmin=0,
            vmax=far,
        )
    if shown is not None:
        figure.colorbar(shown, ax=axes, shrink=0.7, label='range of the point (m)', extend='max')
    if title:
        figure.suptitle(title, fontsize=8)
    return figure


@torch.no_grad()
def batch_figure(model: torch.nn.Module, batch: dict) -> Optional[Figure]:
    """The first sample of a batch as the model gets it, or None without images.

    Args:
        model: a :class:`CLAP`.
        batch: ``inputs`` and ``data_samples`` on the model's device.
    """
    metas = [sample.metainfo for sample in batch['data_samples']]
    views = model.views(batch['inputs'], metas)[0]
    if views is None:
        return None
    sweep, meta = model.sweeps(batch['inputs'], metas)[0], metas[0]
    seen = project_points(sweep.points, views.lidar2img, views.img_aug, views.lidar_aug, tuple(views.rgb.shape[-2:]))
    range_m = sweep.points.norm(dim=1)
    names = meta.get('cam_names') or [f'camera {index}' for index in range(len(views.rgb))]
    images = [
        PointsOnImage(
            names[index],
            views.rgb[index].permute(1, 2, 0).clamp(0, 1).cpu().numpy(),
            seen.uv[index][visible].cpu().numpy(),
            range_m[visible].cpu().numpy(),
        )
        for index, visible in enumerate(seen.visible)
    ]
    return lidar_on_images_figure(images, str(meta.get('lidar_path', '')).rsplit('/', 1)[-1])
