"""LiDAR points on the images, coloured by range: the picture that shows whether a calibration is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Sequence

import numpy as np
import torch
from torch import nn

from ..pretrain.pictures import Block, Image, Picture, Quantity, photos, title_of, top_of

#: Name of the picture, beside those that a method declares.
NAME = 'lidar_on_images'
#: Ranges above this have one colour, metres.
FAR_M = 60.0


def project(points: np.ndarray, cam2img: np.ndarray, lidar2cam: np.ndarray, rgb: np.ndarray, name: str) -> Image:
    """Points (N, >=3) in the LiDAR frame, metres, on an image that nothing has been done to."""
    camera = points[:, :3] @ lidar2cam[:3, :3].T + lidar2cam[:3, 3]
    front = camera[:, 2] > 0.5
    pixels = (camera[front] @ cam2img[:3, :3].T)[:, :2] / camera[front, 2:]
    inside = ((pixels >= 0) & (pixels < [rgb.shape[1], rgb.shape[0]])).all(axis=1)
    return _dotted(Image(name, rgb), pixels[inside], np.linalg.norm(points[front][inside, :3], axis=1))


def _dotted(image: Image, pixels: np.ndarray, range_m: np.ndarray) -> Image:
    """Pixels (K, 2), column and row, of the points that a camera sees; near points are drawn last."""
    order = np.argsort(-range_m)
    title, shown = f'{image.title}: {len(range_m)} points', Quantity(range_m[order], 'turbo')
    return replace(image, title=title, dots=pixels[order], dots_shown=shown)


def picture_of(images: Sequence[Image], title: str = '') -> Picture:
    """Every camera with the points it sees, on one scale of colours."""
    far = min(FAR_M, max((top_of(i.dots_shown.values) for i in images if len(i.dots)), default=FAR_M))
    label = f'range of the point (m); {far:.3g} or more alike'
    same = [replace(i, dots_shown=replace(i.dots_shown, top=far, label=label)) for i in images]
    height, width = images[0].rgb.shape[:2]
    return Picture(title, [Block(same, min(3, len(images)), (4.6, 4.6 * height / width + 0.8))])


@torch.no_grad()
def batch_picture(model: nn.Module, batch: dict) -> Optional[Picture]:
    """The first sample of a batch as the model gets it, or None without images.

    Args:
        model: a pre-training method.
        batch: ``inputs`` and ``data_samples`` on the model's device.
    """
    metas = [sample.metainfo for sample in batch['data_samples']]
    views = model.views(batch['inputs'], metas)[0]
    if views is None:
        return None
    points = model.sweeps(batch['inputs'], metas)[0].points
    seen = views.project(points)
    range_m = points.norm(dim=1)
    images = [
        _dotted(photo, uv[visible].cpu().numpy(), range_m[visible].cpu().numpy())
        for photo, uv, visible in zip(photos(views, metas[0]), seen.uv, seen.visible)
    ]
    return picture_of(images, title_of(metas[0]))
