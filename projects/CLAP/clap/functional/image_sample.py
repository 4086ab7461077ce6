"""Features of pixels from the maps of several cameras."""

from __future__ import annotations

import torch
from torch import Tensor

from ._shapes import expect_shape
from .interpolate import channel_last_table, trilinear_from_table


def sample_images(maps: Tensor, camera: Tensor, uv: Tensor, stride: float) -> Tensor:
    """Bilinear interpolation between the centres of cells; within half a cell of the border the border's value.

    Args:
        maps: (C, D, h, w), a cell covers ``stride`` x ``stride`` pixels of its image.
        camera: (P,) int64 index of the map.
        uv: (P, 2) column and row, pixels, the centre of the first one at (0.5, 0.5).
        stride: pixels.

    Returns:
        (P, D); differentiable in ``maps``.
    """
    cameras, _, height, width = maps.shape
    expect_shape('camera', camera, None)
    expect_shape('uv', uv, len(camera), 2)
    column, row = (uv / stride - 0.5).unbind(-1)
    # Cameras are the third axis: at a whole number nothing of its neighbours is mixed in.
    place = torch.stack([column.clamp(0, width - 1), row.clamp(0, height - 1), camera.to(uv.dtype)], dim=-1)
    return trilinear_from_table(channel_last_table(maps.transpose(0, 1)), (cameras, height, width), place)
