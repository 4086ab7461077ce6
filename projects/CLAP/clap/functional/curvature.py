"""Surface normals and curvature of the signed distance field (Eqs. 11 and 12): the weights of curvature sampling.

Everything here is a measurement, not a loss: results are detached unless ``create_graph`` asks otherwise, gradients
are taken with respect to positions only, and no parameter's ``.grad`` is touched. It works under ``no_grad`` callers.
"""

from __future__ import annotations

from typing import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_shape

SDFFunction = Callable[[Tensor], Tensor]
MODES = ('jacobian', 'literal')


def sdf_gradient(sdf_fn: SDFFunction, points: Tensor, create_graph: bool = False) -> Tensor:
    """n = ds/dp before normalisation (Eq. 11).

    Args:
        sdf_fn: (N, 3) metres -> (N,) metres, each output depending on its own point only.
        points: (N, 3) metres; their own history is cut.
        create_graph: keep the graph, for the eikonal term.

    Returns:
        (N, 3), unit-free; zeros where the field does not depend on the position.

    Raises:
        ValueError: when ``sdf_fn`` does not return one number per point.
    """
    expect_shape('points', points, None, 3)
    with torch.enable_grad():
        position = points.detach().clone().requires_grad_(True)
        return _differentiate(_evaluate(sdf_fn, position), position, create_graph)


def _evaluate(sdf_fn: SDFFunction, position: Tensor) -> Tensor:
    # Second derivatives of half-precision values are noise.
    with torch.autocast(device_type=position.device.type, enabled=False):
        sdf = sdf_fn(position)
    expect_shape('the result of sdf_fn', sdf, position.shape[0])
    return sdf


def _differentiate(values: Tensor, position: Tensor, keep_graph: bool) -> Tensor:
    """Row-wise derivative of ``values`` (N,) with respect to ``position`` (N, 3); zeros for a constant."""
    if not values.requires_grad:
        return torch.zeros_like(position)
    (grad,) = torch.autograd.grad(values.sum(), position, create_graph=keep_graph, allow_unused=True)
    return torch.zeros_like(position) if grad is None else grad


def sdf_normals(sdf_fn: SDFFunction, points: Tensor, eps: float = 1e-4) -> Tensor:
    """Surface normals n~ = n / |n| with n = ds/dp (Eq. 11).

    Args:
        sdf_fn: (N, 3) metres -> (N,) metres.
        points: (N, 3) metres.
        eps: floor on |n|: where the field is flatter than this its direction is noise, and the result shrinks to
            zero instead of jumping. A metric field has |n| = 1.

    Returns:
        (N, 3), unit length where |n| >= eps, detached.
    """
    return F.normalize(sdf_gradient(sdf_fn, points), dim=-1, eps=eps).detach()


def curvature_weights(sdf_fn: SDFFunction, points: Tensor, mode: str = 'jacobian', eps: float = 1e-4) -> Tensor:
    r"""Sampling weight of each point: the size of c = dn~/dp (Eq. 12).

    'jacobian' is the Frobenius norm of the 3 x 3 matrix dn~/dp, sqrt(k1^2 + k2^2) of the principal curvatures for a
    true distance field: sqrt(2)/r on a sphere of radius r, in every direction, and unchanged by rigid motion.
    'literal' is the norm of the vector that ``autograd.grad(n~, p, ones)`` returns, J^T 1; on a sphere it runs from 0
    to sqrt(3)/r with the direction, so it is here for fidelity only.

    Args:
        sdf_fn: (N, 3) metres -> (N,) metres, twice differentiable, each output depending on its own point only.
        points: (N, 3) metres.
        mode: 'jacobian' or 'literal'.
        eps: floor on |n|, see ``sdf_normals``.

    Returns:
        (N,) in 1/m, >= 0, finite (a non-finite value becomes 0), detached.

    Raises:
        ValueError: on an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f'mode: expected one of {MODES}, got {mode!r}')
    expect_shape('points', points, None, 3)
    with torch.enable_grad():
        position = points.detach().clone().requires_grad_(True)
        gradient = _differentiate(_evaluate(sdf_fn, position), position, keep_graph=True)
        normals = F.normalize(gradient, dim=-1, eps=eps)
        parts = normals.unbind(-1) if mode == 'jacobian' else (normals.sum(-1),)
        rows = [_differentiate(part, position, keep_graph=True).detach() for part in parts]
    weights = torch.linalg.vector_norm(torch.cat(rows, dim=-1), dim=-1)
    return torch.where(torch.isfinite(weights), weights, torch.zeros_like(weights))


def secant_curvature(normals: Tensor, points: Tensor, cell_m: float) -> Tensor:
    r"""Eq. 12 with a secant in place of the tangent: sqrt(2 var(n~) / var(p)) over the 3 x 3 x 3 cells around a point.

    The derivative dn~/dp at a point sees every ripple of a learned field; the spread of the normals over a
    neighbourhood, relative to the spread of the points, sees what is larger than the neighbourhood's cells. On a sphere
    of radius r it is sqrt(2)/r whatever the neighbourhood (n~ is p/r there, up to a shift), on a cylinder whose points
    spread alike along and across it is 1/r, on a plane 0: the values of ``curvature_weights(mode='jacobian')``.
    Every occupied cell counts once, so that the density of the scan does not decide what the neighbourhood is.

    Args:
        normals: (N, 3), unit, e.g. from ``sdf_normals``.
        points: (N, 3) metres, where the normals were taken.
        cell_m: edge of a cell, metres.

    Returns:
        (N,) in 1/m, >= 0, finite; 0 for a point without neighbours.
    """
    expect_shape('points', points, None, 3)
    expect_shape('normals', normals, points.shape[0], 3)
    if not cell_m > 0:
        raise ValueError(f'cell_m: expected a positive edge in metres, got {cell_m}')
    if len(points) == 0:
        return points.new_zeros(0)
    # Double precision: a variance of decimetres is left over from squares of tens of metres.
    position = (points - points.mean(0)).double()
    normals = torch.where(torch.isfinite(normals).all(-1, keepdim=True), normals, torch.zeros_like(normals)).double()
    squares = torch.stack([normals.square().sum(-1), position.square().sum(-1)], dim=-1)
    mean = _mean_over_cells(torch.cat([normals, position, squares], dim=-1), position, cell_m)
    spread_of_normals = mean[:, 6] - mean[:, :3].square().sum(-1)
    spread_of_points = mean[:, 7] - mean[:, 3:6].square().sum(-1)
    floor = (1e-3 * cell_m) ** 2  # points that all but coincide say nothing about a surface
    ratio = 2 * spread_of_normals.clamp(min=0) / spread_of_points.clamp(min=floor)
    return torch.where(spread_of_points > floor, ratio, torch.zeros_like(ratio)).sqrt().to(points.dtype)


def _mean_over_cells(values: Tensor, position: Tensor, cell_m: float) -> Tensor:
    """Mean of ``values`` (N, D) over each point's cell and its 26 neighbours, every occupied cell counting once."""
    cell = (position / cell_m).floor().long()
    cell = cell - cell.min(0).values + 1  # a margin of one cell: no neighbour leaves the numbering
    stride_y = int(cell[:, 0].max()) + 2
    stride_z = stride_y * (int(cell[:, 1].max()) + 2)
    keys, of_point = torch.unique(cell[:, 0] + stride_y * cell[:, 1] + stride_z * cell[:, 2], return_inverse=True)
    table = torch.cat([values, torch.ones_like(values[:, :1])], dim=-1)
    cells = table.new_zeros(len(keys), table.shape[1]).index_add_(0, of_point, table)
    cells = cells / cells[:, -1:]
    total = torch.zeros_like(cells)
    for step in (x + stride_y * y + stride_z * z for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)):
        found = torch.searchsorted(keys, keys + step).clamp(max=len(keys) - 1)
        total += cells[found] * (keys[found] == keys + step)[:, None]
    return (total[:, :-1] / total[:, -1:])[of_point]


def smooth_volume(table: Tensor, grid_shape: Sequence[int], passes: int) -> Tensor:
    """A feature volume after ``passes`` box filters of 3 x 3 x 3 cells; cells beyond the border do not count.

    Args:
        table: (Z*Y*X, C), see ``channel_last_table``.
        grid_shape: (Z, Y, X).
        passes: how often; n passes are close to a Gaussian of sqrt(2 n / 3) cells.

    Returns:
        (Z*Y*X, C).
    """
    expect_shape('table', table, grid_shape[0] * grid_shape[1] * grid_shape[2], None)
    if passes < 0:
        raise ValueError(f'passes: expected a number of filters >= 0, got {passes}')
    if passes == 0:
        return table
    volume = table.t().reshape(1, -1, *grid_shape)
    for _ in range(passes):
        volume = F.avg_pool3d(volume, kernel_size=3, stride=1, padding=1, count_include_pad=False)
    return volume[0].flatten(1).t().contiguous()
