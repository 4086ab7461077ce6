"""Hard voxelisation with mean features, as the BEVFusion encoder expects it, in plain tensor operations."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Sequence, Tuple

import torch
from torch import Tensor


def cartesian(points: Tensor) -> Tensor:
    """Places (N, 3) of points (N, 3 or more) on voxels along x, y, z: as they are."""
    return points[:, :3]


def cylinder(points: Tensor) -> Tensor:
    """Places (N, 3) of points (N, 3 or more), metres, on Cylinder3D's voxels: rho (m), phi (rad, -pi to pi), z (m)."""
    return torch.stack([points[:, :2].norm(dim=1), torch.atan2(points[:, 1], points[:, 0]), points[:, 2]], 1)


#: Kinds of voxels by name.
GRIDS: Dict[str, Callable[[Tensor], Tensor]] = dict(cartesian=cartesian, cylinder=cylinder)


def grid_size(voxel_size: Sequence[float], point_cloud_range: Sequence[float]) -> Tuple[int, int, int]:
    """Number of voxels along x, y, z: round((max - min) / size)."""
    if len(voxel_size) != 3 or len(point_cloud_range) != 6:
        raise ValueError(
            'expected voxel_size (x, y, z) and point_cloud_range (x, y, z minima, then maxima), got '
            f'{len(voxel_size)} and {len(point_cloud_range)} numbers'
        )
    x, y, z = (round((point_cloud_range[axis + 3] - point_cloud_range[axis]) / voxel_size[axis]) for axis in range(3))
    if min(x, y, z) < 1:
        raise ValueError(
            f'expected a range of at least one voxel, got {x} x {y} x {z} voxels of {tuple(voxel_size)} m '
            f'in {tuple(point_cloud_range)}'
        )
    return x, y, z


def _voxel_coords(
    points: Tensor, voxel_size: Sequence[float], point_cloud_range: Sequence[float], grid: Sequence[int]
) -> Tuple[Tensor, Tensor]:
    """Voxel (N, 3) of every point, int64, and whether it lies in the grid (N,)."""
    xyz = points[:, :3].float()
    # The divisor is a tensor on purpose: division by a Python number may be done as multiplication by the
    # reciprocal, which moves points on a voxel border into the neighbouring voxel.
    position = ((xyz - xyz.new_tensor(point_cloud_range[:3])) / xyz.new_tensor(voxel_size)).floor()
    inside = ((position >= 0) & (position < position.new_tensor(grid))).all(-1)
    return torch.where(inside[:, None], position, torch.zeros_like(position)).long(), inside


@torch.no_grad()
def occupied_voxels(points: Tensor, voxel_size: Sequence[float], point_cloud_range: Sequence[float]) -> int:
    """How many voxels hold a point, without a limit; arguments as of :func:`voxelize`."""
    grid = grid_size(voxel_size, point_cloud_range)
    coords, inside = _voxel_coords(points, voxel_size, point_cloud_range, grid)
    return len(torch.unique(_keys(coords[inside], grid)))


def _keys(cells: Tensor, grid: Sequence[int]) -> Tensor:
    """One number (N,) for each cell (N, 3) inside a grid."""
    return (cells[:, 0] * grid[1] + cells[:, 1]) * grid[2] + cells[:, 2]


def rows_of_cells(cells: Tensor, occupied: Tensor, grid: Sequence[int]) -> Tensor:
    """Where in a list of cells others stand.

    Args:
        cells: (N, 3) int64, x, y, z; any outside of the grid.
        occupied: (V, 3) int64, distinct cells of the grid.
        grid: cells along x, y, z.

    Returns:
        (N,) int64 row of ``occupied``, -1 where a cell is not among them.
    """
    nowhere = torch.full_like(cells[:, 0], -1)
    if not len(occupied):
        return nowhere
    inside = ((cells >= 0) & (cells < cells.new_tensor(grid))).all(-1)
    ordered, order = _keys(occupied, grid).sort()
    keys = _keys(cells, grid)
    found = torch.searchsorted(ordered, keys).clamp(max=len(ordered) - 1)
    return torch.where(inside & (ordered[found] == keys), order[found], nowhere)


def voxel_rows(
    place: Tensor, occupied: Tensor, voxel_size: Sequence[float], point_cloud_range: Sequence[float]
) -> Tensor:
    """Row (N,) of every point's voxel among those that :func:`voxelize` gave (V, 3), -1 where there is none.

    ``place`` (N, 3) is in the axes of the voxels.
    """
    grid = grid_size(voxel_size, point_cloud_range)
    cells, inside = _voxel_coords(place, voxel_size, point_cloud_range, grid)
    return rows_of_cells(torch.where(inside[:, None], cells, torch.full_like(cells, -1)), occupied, grid)


@torch.no_grad()
def voxelize(
    points: Tensor,
    voxel_size: Sequence[float],
    point_cloud_range: Sequence[float],
    max_points: int,
    max_voxels: int,
    place: Optional[Tensor] = None,
) -> Tuple[Tensor, Tensor]:
    """Mean features of the occupied voxels of one sample.

    Voxel = floor((p - min) / size) in float32. Voxels are numbered by their first point; each keeps its first
    ``max_points`` points; voxels from number ``max_voxels`` on and points outside the range are dropped. The result
    equals a loop over the points in file order bit for bit, on every run and device.

    Args:
        points: (N, F), x, y, z first, metres.
        voxel_size: (x, y, z) metres.
        point_cloud_range: (x, y, z minima, x, y, z maxima) metres.
        max_points: points kept per voxel.
        max_voxels: voxels kept.
        place: (N, 3) of the points in the axes of the voxels, where these are not x, y, z.

    Returns:
        features (V, F), the mean over the kept points, and coords (V, 3) int32, x, y, z.
    """
    if points.dim() != 2 or points.shape[1] < 3:
        raise ValueError(f'points: expected shape (N, 3 or more), got {tuple(points.shape)}')
    if max_points < 1 or max_voxels < 1:
        raise ValueError(f'expected max_points and max_voxels of at least 1, got {max_points} and {max_voxels}')
    grid = grid_size(voxel_size, point_cloud_range)
    coords, inside = _voxel_coords(points if place is None else place, voxel_size, point_cloud_range, grid)
    points, coords = points[inside], coords[inside]
    key = _keys(coords, grid)
    # Stable: within a voxel the points stay in file order, so a group's first entry is its first point.
    order = key.sort(stable=True).indices
    _, group_size = torch.unique_consecutive(key[order], return_counts=True)
    start = group_size.cumsum(0) - group_size
    first_point = order[start]
    by_first_point = first_point.argsort()
    number = torch.empty_like(by_first_point)
    number[by_first_point] = torch.arange(number.numel(), device=number.device)

    place = torch.arange(order.numel(), device=order.device) - start.repeat_interleave(group_size)
    voxel = number.repeat_interleave(group_size)
    kept = (place < max_points) & (voxel < max_voxels)
    num_voxels = min(number.numel(), max_voxels)
    slots = points.new_zeros(num_voxels, max_points, points.shape[1])
    slots[voxel[kept], place[kept]] = points[order[kept]]
    # Added one by one: a reduction or an atomic add may take another order, hence other last bits.
    total = slots[:, 0].clone()
    for slot in range(1, max_points):
        total += slots[:, slot]
    kept_voxels = by_first_point[:num_voxels]
    count = group_size[kept_voxels].clamp(max=max_points).to(total.dtype)
    return total / count[:, None], coords[first_point[kept_voxels]].int()
