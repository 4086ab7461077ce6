"""Pairs of points and the pixels that show them, hidden cells of images, and the points that stand in for these."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..functional import nearest_in_cell, weighted_draw
from ..structures import CameraViews
from .masking import InputMasking
from .samplers.base import valid_pixels


class Pairs(NamedTuple):
    """M points and the pixels that show them."""

    point: Tensor  # (M,) int64, index in the sweep
    camera: Tensor  # (M,) int64
    uv: Tensor  # (M, 2) column and row, pixels of the augmented image
    depth_m: Tensor  # (M,)

    def at(self, which: Tensor) -> Pairs:
        """Some of them, by index or by mask (M,)."""
        return Pairs(*(values[which] for values in self))

    def drawn(self, num: int, generator: Optional[torch.Generator]) -> Pairs:
        """At most ``num`` of them, each as likely."""
        return self.at(weighted_draw(torch.ones_like(self.depth_m), num, generator))

    def cells(self, stride: int) -> Tuple[Tensor, Tensor, Tensor]:
        """Camera, row and column (M,) of the cell of ``stride`` pixels that each lies in."""
        column, row = (self.uv / stride).long().unbind(-1)
        return self.camera, row, column


def pairs_of(points: Tensor, view: CameraViews, allowed: Tensor) -> Pairs:
    """Points (N, 3) that are allowed (N,), each with every pixel of a photograph, not of its padding, it falls on."""
    found = view.project(points)
    camera, point = (found.visible & allowed).nonzero(as_tuple=True)
    pairs = Pairs(point, camera, found.uv[camera, point], found.depth_m[camera, point])
    return pairs.at(valid_pixels(view)[pairs.cells(1)])


def without_padding(cells: Tensor, size: Sequence[int], stride: int) -> Tensor:
    """(..., h, w) cells of ``stride`` pixels of padded images, cut to those of the images' own ``size`` (H, W)."""
    return cells[..., : -(-size[0] // stride), : -(-size[1] // stride)]


def enlarged(cells: Tensor, times: int) -> Tensor:
    """(..., h, w) -> (..., h * times, w * times): every cell becomes a square of its value."""
    return cells.repeat_interleave(times, -2).repeat_interleave(times, -1)


def hide(masking: InputMasking, imgs: Tensor, draws: List[torch.Generator], stride: int) -> Tuple[Tensor, Tensor]:
    """Images (B, N, 3, H, W) with hidden patches, and which cells of ``stride`` pixels are hidden, (B, N, h, w) bool.

    ``masking.patch`` is a multiple of the stride.
    """
    height, width = imgs.shape[-2] // stride, imgs.shape[-1] // stride
    if not masking.image_ratio:
        return imgs, torch.zeros(*imgs.shape[:2], height, width, dtype=torch.bool, device=imgs.device)
    masked, dropped = zip(*(masking.images(views, draw) for views, draw in zip(imgs, draws)))
    hidden = enlarged(torch.stack(dropped), masking.patch // stride)
    return torch.stack(masked), hidden[..., :height, :width]


def stand_ins(pairs: Pairs, hidden: Tensor, stride: int) -> Tuple[Tensor, Tensor]:
    """Points that stand in for hidden cells: in each the nearest of those that fall into it.

    Args:
        pairs: of one sample.
        hidden: (N, h, w) bool, hidden cells of the image features.
        stride: edge of a cell, pixels.

    Returns:
        (K,) int64 cell, (camera * h + row) * w + column, and (K,) int64 point.
    """
    pairs = pairs.at(hidden[pairs.cells(stride)])
    camera, row, column = pairs.cells(stride)
    cell = (camera * hidden.shape[1] + row) * hidden.shape[2] + column
    nearest = nearest_in_cell(cell, pairs.depth_m, hidden.numel())
    cells = (nearest >= 0).nonzero()[:, 0]
    return cells, pairs.point[nearest[cells]]


def retrieval(points: Tensor, pixels: Tensor) -> Dict[str, Tuple[float, float]]:
    """How often, of all rows of ``pixels`` (M, D), the one most like a row of ``points`` (M, D) is that of its place.

    Returns:
        ``retrieval`` and ``retrieval_chance``, what guessing finds: sum and count.
    """
    count = float(len(points))
    found = torch.zeros(0)
    if count:
        nearest = (F.normalize(points, dim=1) @ F.normalize(pixels, dim=1).t()).argmax(1)
        found = nearest == torch.arange(len(nearest), device=nearest.device)
    return dict(retrieval=(float(found.sum()), count), retrieval_chance=(float(count > 0), count))
