"""Which of several points that fall into one cell is seen there."""

from __future__ import annotations

import torch
from torch import Tensor

from ._shapes import expect_same_shape


@torch.no_grad()
def nearest_in_cell(cell: Tensor, depth_m: Tensor, num_cells: int) -> Tensor:
    """Row of the nearest of the points in every cell.

    Args:
        cell: (N,) int64 in [0, num_cells).
        depth_m: (N,) metres.
        num_cells: number of cells.

    Returns:
        (num_cells,) int64, -1 for a cell without a point; of equally near ones the last. The same on every run.
    """
    expect_same_shape(cell=cell, depth_m=depth_m)
    nearest = depth_m.new_full((num_cells,), float('inf')).scatter_reduce_(0, cell, depth_m, 'amin')
    seen = (depth_m == nearest[cell]).nonzero()[:, 0]
    return cell.new_full((num_cells,), -1).scatter_reduce_(0, cell[seen], seen, 'amax')
