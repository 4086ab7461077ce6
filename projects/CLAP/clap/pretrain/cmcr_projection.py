"""Which points of a sweep CMCR sees in which images, and the pairs and stand-ins that it makes of them."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..functional import nearest_in_cell, project_points, weighted_draw
from ..structures import CameraViews, KeyframeSweep
from .samplers.base import valid_pixels


class Pairs(NamedTuple):
    """M points and the pixels that show them."""

    point: Tensor  # (M,) int64, index in the sweep
    camera: Tensor  # (M,) int64
    uv: Tensor  # (M, 2) column and row, pixels of the augmented image
    depth_m: Tensor  # (M,)


def within(points: Tensor, point_cloud_range: Sequence[float]) -> Tensor:
    """(N,) bool: points (N, 3) inside the box."""
    low, high = points.new_tensor(point_cloud_range).view(2, 3)
    return ((points >= low) & (points < high)).all(-1)


def pairs_of(sweep: KeyframeSweep, view: CameraViews, allowed: Tensor) -> Pairs:
    """Every allowed point (N,) with every pixel of the photographs, not of their padding, that it falls on."""
    size = view.rgb.shape[-2:]
    found = project_points(sweep.points, view.lidar2img, view.img_aug, view.lidar_aug, size)
    camera, point = (found.visible & allowed).nonzero(as_tuple=True)
    uv, depth = found.uv[camera, point], found.depth_m[camera, point]
    shown = valid_pixels(view)[camera, uv[:, 1].long(), uv[:, 0].long()]
    return Pairs(point[shown], camera[shown], uv[shown], depth[shown])


def chosen(pairs: Pairs, which: Tensor) -> Pairs:
    """Some of the pairs, by index or by mask (M,)."""
    return Pairs(*(values[which] for values in pairs))


def drawn(pairs: Pairs, num: int, generator: Optional[torch.Generator]) -> Pairs:
    """At most ``num`` of the pairs, each as likely."""
    return chosen(pairs, weighted_draw(pairs.depth_m.new_ones(len(pairs.point)), num, generator))


def in_hidden(pairs: Pairs, hidden: Tensor, edge: int) -> Tensor:
    """(M,) bool: pixels in hidden squares; ``hidden`` (C, rows, columns) of squares of ``edge`` pixels."""
    column, row = (pairs.uv / edge).long().unbind(-1)
    return hidden[pairs.camera, row, column]


def stand_ins(pairs: Pairs, hidden: Tensor, stride: int) -> Tuple[Tensor, Pairs]:
    """Points that stand in for hidden cells: in each the nearest of those that fall into it.

    Args:
        pairs: of one sample.
        hidden: (C, h, w) bool, hidden cells of the feature maps.
        stride: edge of a cell, pixels.

    Returns:
        cell (K,) int64, (camera * h + row) * w + column, and the pair of each.
    """
    pairs = chosen(pairs, in_hidden(pairs, hidden, stride))
    column, row = (pairs.uv / stride).long().unbind(-1)
    cell = (pairs.camera * hidden.shape[1] + row) * hidden.shape[2] + column
    nearest = nearest_in_cell(cell, pairs.depth_m, hidden.numel())
    cells = (nearest >= 0).nonzero()[:, 0]
    return cells, chosen(pairs, nearest[cells])
