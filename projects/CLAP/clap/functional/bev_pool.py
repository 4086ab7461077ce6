"""Lift-splat pooling of image features onto the BEV grid without materialising the frustum features.

Source: the lift-splat sum (one feature vector per pixel and depth bin, weighted with the bin's probability, summed per
BEV cell); the reordering that avoids the (pixels, bins, channels) tensor is the idea of BEVPool v2.
"""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def grid_cells(points: Tensor, lower: Tensor, cell_size: Tensor, grid: Sequence[int]) -> Tensor:
    """Flat cell index of each point, -1 outside.

    c = trunc((p - lower) / cell_size); index = (z * X + x) * Y + y. Truncation goes toward zero, so that points within
    one cell below the lower bound fall into cell 0, as in the published models (and unlike floor).

    Args:
        points: (..., 3) metres. Non-finite points count as outside.
        lower: (3,) lower corner of the grid, metres.
        cell_size: (3,) metres.
        grid: (X, Y, Z) cells.

    Returns:
        (...) int64.
    """
    size = torch.tensor(list(grid), dtype=points.dtype, device=points.device)
    cells = torch.trunc((points - lower) / cell_size)
    # trunc(-0.3) is -0.0, which passes the test on purpose; NaN fails it
    inside = ((cells >= 0) & (cells < size)).all(dim=-1)
    cells = torch.where(inside.unsqueeze(-1), cells, torch.zeros_like(cells)).long()
    flat = (cells[..., 2] * grid[0] + cells[..., 0]) * grid[1] + cells[..., 1]
    return torch.where(inside, flat, torch.full_like(flat, -1))


def bev_pool(features: Tensor, depth: Tensor, cells: Tensor, num_cells: int) -> Tensor:
    """out[n] = sum over (p, d) with cells[p, d] = n of depth[p, d] * features[p].

    Differentiable in `features` and `depth`. Runs in fp32 also under autocast; the order of the sum is fixed (by pixel,
    then bin), so the forward pass is deterministic.

    Args:
        features: (P, C) one row per pixel.
        depth: (P, D) probability of each depth bin.
        cells: (P, D) int64, target cell, negative = dropped.
        num_cells: Number of cells.

    Returns:
        (num_cells, C) in at least fp32.
    """
    if depth.shape != cells.shape or features.shape[0] != depth.shape[0]:
        raise ValueError(
            f'expected features (P, C), depth (P, D), cells (P, D); got {tuple(features.shape)}, '
            f'{tuple(depth.shape)}, {tuple(cells.shape)}'
        )
    dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
    with torch.no_grad():
        flat = cells.reshape(-1)
        entries = torch.nonzero(flat >= 0).squeeze(1)
        ordered, order = torch.sort(flat[entries], stable=True)
        entries = entries[order]
        starts = torch.searchsorted(ordered, torch.arange(num_cells, device=flat.device))
        pixels = torch.div(entries, depth.shape[1], rounding_mode='floor')
    with torch.autocast(device_type=features.device.type, enabled=False):
        weights = depth.to(dtype).reshape(-1)[entries]
        return F.embedding_bag(pixels, features.to(dtype), starts, mode='sum', per_sample_weights=weights)
