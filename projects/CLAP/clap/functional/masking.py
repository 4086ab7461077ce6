"""Masking of the inputs during pre-training: blocks of voxels, voxels by range, patches of images."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor

from ._shapes import expect_shape
from .random_draws import uniform


def _num_dropped(ratio: float, total: int) -> int:
    if not 0 <= ratio <= 1:
        raise ValueError(f'ratio: expected the masked share, between 0 and 1, got {ratio}')
    return round(ratio * total)


@torch.no_grad()
def mask_point_blocks(
    points: Tensor,
    box_min: Sequence[float],
    voxel_size: Sequence[float],
    block: Sequence[int],
    ratio: float,
    generator: Optional[torch.Generator] = None,
) -> Tensor:
    """Which points survive when whole blocks of voxels are masked.

    Only blocks that hold a point count: masking empty space would hide nothing. Call it per sample.

    Args:
        points: (N, >=3), x, y, z first, metres, finite.
        box_min: (3,) lower corner of the voxel grid, metres.
        voxel_size: (3,) metres.
        block: (3,) edge lengths of a block in voxels.
        ratio: masked share of the non-empty blocks; exactly round(ratio * n) of n are dropped.
        generator: source of randomness; the same seed masks the same blocks.

    Returns:
        (N,) bool, true for points to keep.
    """
    if points.dim() != 2 or points.shape[1] < 3:
        raise ValueError(f'points: expected shape (N, 3 or more), got {tuple(points.shape)}')
    if points.shape[0] == 0:
        _num_dropped(ratio, 0)
        return points.new_zeros(0, dtype=torch.bool)
    lower, size = (torch.as_tensor(value, dtype=points.dtype, device=points.device) for value in (box_min, voxel_size))
    voxel = ((points[:, :3] - lower) / size).floor().long()
    index = torch.div(voxel, torch.as_tensor(block, device=points.device), rounding_mode='floor')
    index = index - index.amin(0)
    extent = index.amax(0) + 1
    key = (index[:, 0] * extent[1] + index[:, 1]) * extent[2] + index[:, 2]
    blocks, block_of_point = torch.unique(key, return_inverse=True)
    dropped = _num_dropped(ratio, blocks.numel())
    order = uniform((blocks.numel(),), points, generator).argsort()
    keep = torch.ones(blocks.numel(), dtype=torch.bool, device=points.device)
    keep[order[:dropped]] = False
    return keep[block_of_point]


@torch.no_grad()
def mask_image_patches(
    imgs: Tensor, patch: int, ratio: float, generator: Optional[torch.Generator] = None
) -> Tuple[Tensor, Tensor]:
    """Set whole patches of normalised images to 0, the mean colour.

    Args:
        imgs: (..., C, H, W) after normalisation. Where H or W is no multiple of the patch, the last patches are
            smaller and count like the others.
        patch: edge length, pixels.
        ratio: masked share; exactly round(ratio * patches) are dropped in every image.
        generator: source of randomness.

    Returns:
        Masked images (..., C, H, W), a new tensor, and dropped (..., ceil(H / patch), ceil(W / patch)) bool.
    """
    if imgs.dim() < 3:
        raise ValueError(f'imgs: expected shape (..., C, H, W), got {tuple(imgs.shape)}')
    if patch < 1:
        raise ValueError(f'patch: expected an edge length of at least 1 pixel, got {patch}')
    height, width = imgs.shape[-2:]
    rows, columns = -(-height // patch), -(-width // patch)
    order = uniform((*imgs.shape[:-3], rows * columns), imgs, generator).argsort(dim=-1)
    dropped = torch.zeros_like(order, dtype=torch.bool)
    dropped.scatter_(-1, order[..., : _num_dropped(ratio, rows * columns)], True)
    dropped = dropped.view(*dropped.shape[:-1], rows, columns)
    pixels = dropped.repeat_interleave(patch, dim=-2)[..., :height, :]
    pixels = pixels.repeat_interleave(patch, dim=-1)[..., :width]
    return imgs.masked_fill(pixels.unsqueeze(-3), 0), dropped


@torch.no_grad()
def range_bands(
    ranges_m: Tensor, edges_m: Sequence[float] = (30.0, 50.0), ratios: Sequence[float] = (0.9, 0.7, 0.5)
) -> Tensor:
    """Masking ratio of every voxel by its distance from the sensor: a scan is denser where it is near.

    Source: Min et al., Occupancy-MAE, 2022: 90 % below 30 m, 70 % to 50 m, 50 % beyond.

    Args:
        ranges_m: (V,) metric distance from the sensor (not from the grid's corner), metres.
        edges_m: where bands meet, rising; a range of exactly an edge belongs to the farther band.
        ratios: masked share of every band, one more than edges.

    Returns:
        (V,) float64, so that ratio x count is rounded as it is written.
    """
    expect_shape('ranges_m', ranges_m, None)
    if len(ratios) != len(edges_m) + 1 or sorted(edges_m) != list(edges_m):
        raise ValueError(f'expected rising edges and one ratio more, got edges {edges_m} and ratios {ratios}')
    edges = torch.as_tensor(edges_m, dtype=ranges_m.dtype, device=ranges_m.device)
    table = torch.as_tensor(ratios, dtype=torch.float64, device=ranges_m.device)
    return table[torch.bucketize(ranges_m, edges, right=True)]


@torch.no_grad()
def drop_in_bands(ratios: Tensor, generator: Optional[torch.Generator] = None) -> Tensor:
    """Which voxels are masked: of each band exactly round(ratio * count), drawn uniformly without replacement.

    Args:
        ratios: (V,) of :func:`range_bands`; voxels of the same ratio are a band.
        generator: source of randomness; the same seed masks the same voxels.

    Returns:
        (V,) bool, true for voxels to drop.
    """
    expect_shape('ratios', ratios, None)
    order = uniform((len(ratios),), ratios, generator).argsort()
    dropped = torch.zeros_like(ratios, dtype=torch.bool)
    for ratio in torch.unique(ratios).tolist():
        members = order[ratios[order] == ratio]
        dropped[members[: _num_dropped(ratio, len(members))]] = True
    return dropped
