"""Trilinear look-up in a feature volume (Eq. 5).

A volume is (C, Z, Y, X). Its cell centres sit at integer coordinates, so metres become cells by
``metres_to_cells``; the half cell it subtracts is what keeps a feature where its cell is.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_shape


def metres_to_cells(points: Tensor, box_min: Tensor, cell_size: Tensor) -> Tensor:
    """Metric positions as cell coordinates whose integers are cell centres: (p - min) / cell - 0.5.

    Args:
        points: (..., 3) x, y, z in metres, in the frame of the box (augmented LiDAR frame).
        box_min: (3,) lower corner of the volume's box, metres.
        cell_size: (3,) edge lengths of one cell, metres.

    Returns:
        (..., 3) x, y, z in cells: box_min itself is -0.5, the centre of the first cell is 0.
    """
    return (points - box_min) / cell_size - 0.5


def channel_last_table(volume: Tensor) -> Tensor:
    """The volume as a contiguous (Z*Y*X, C) table, one row per cell.

    One look-up then reads eight consecutive rows instead of 8*C scattered numbers. A caller that queries one volume
    several times in a step makes the table once and uses ``trilinear_from_table``.

    Args:
        volume: (C, Z, Y, X).

    Returns:
        (Z*Y*X, C), differentiable in ``volume``.
    """
    expect_shape('volume', volume, None, None, None, None)
    return volume.flatten(1).t().contiguous()


def _corners_along_axis(coord: Tensor, size: int) -> List[Tuple[Tensor, Tensor]]:
    """Cell number (N,) int32 and weight (N,) of the lower and the upper neighbour of each coordinate (N,).

    A neighbour outside the grid has an admissible number and weight 0.
    """
    lower = coord.detach().floor()
    fraction = coord - lower
    corners = []
    for cell, weight in ((lower, 1 - fraction), (lower + 1, fraction)):
        # The comparison is done on floats: a far-away coordinate must not overflow the integer first.
        inside = (cell >= 0) & (cell < size)
        zero = torch.zeros_like(cell)
        corners.append((torch.where(inside, cell, zero).int(), torch.where(inside, weight, zero)))
    return corners


def _corner_indices_and_weights(grid_shape: Sequence[int], coords: Tensor) -> Tuple[Tensor, Tensor]:
    """Row numbers (N, 8) int32 and trilinear weights (N, 8) of the corners around each point.

    Weights are differentiable in ``coords``. Both are products of the three axes, so that most of the work is done on
    N numbers instead of 8 N.
    """
    size_z, size_y, size_x = grid_shape
    along_x, along_y, along_z = map(_corners_along_axis, coords.t().contiguous(), (size_x, size_y, size_z))
    plane = [(y * size_x + x, weight_x * weight_y) for y, weight_y in along_y for x, weight_x in along_x]
    rows = [z * (size_y * size_x) + yx for z, _ in along_z for yx, _ in plane]
    weights = [weight_xy * weight_z for _, weight_z in along_z for _, weight_xy in plane]
    return torch.stack(rows, dim=-1), torch.stack(weights, dim=-1)


def trilinear_from_table(
    table: Tensor, grid_shape: Sequence[int], coords: Tensor, second_order: bool = False
) -> Tensor:
    r"""Eq. 5 on a table made by ``channel_last_table``: f(p) = sum over 8 corners of w_k(p) * table[k].

    Args:
        table: (Z*Y*X, C).
        grid_shape: (Z, Y, X) of the volume the table was made from.
        coords: (N, 3) x, y, z in cells, centres at integers.
        second_order: read the rows by a gather, which autograd can differentiate twice (curvature, eikonal term),
            instead of ``F.embedding_bag``, which is faster and has first derivatives only.

    Returns:
        (N, C). Corners outside the grid count as 0, so that the value fades to zero within one cell of the
        outermost centres and is exactly zero beyond.

    Raises:
        ValueError: on a table, grid shape and coords that do not belong together.
    """
    expect_shape('coords', coords, None, 3)
    expect_shape('table', table, grid_shape[0] * grid_shape[1] * grid_shape[2], None)
    rows, weights = _corner_indices_and_weights(grid_shape, coords)
    weights = weights.to(table.dtype)
    if second_order:
        values = table.index_select(0, rows.flatten()).view(*rows.shape, table.shape[1])
        return (weights[..., None] * values).sum(1)
    return F.embedding_bag(rows, table, mode='sum', per_sample_weights=weights)


def trilinear(volume: Tensor, coords: Tensor) -> Tensor:
    """Eq. 5: features of a volume at any position, differentiable twice in both arguments.

    ``F.grid_sample`` has no double backward in three dimensions, so the eight corners are gathered.

    Args:
        volume: (C, Z, Y, X).
        coords: (N, 3) x, y, z in cells, centres at integers; see ``metres_to_cells``.

    Returns:
        (N, C); zero outside (see ``trilinear_from_table``).
    """
    return trilinear_from_table(channel_last_table(volume), volume.shape[1:], coords, second_order=True)
