"""Surface variation of a raw cloud: how far the neighbourhood of a point is from a plane. Needs no field."""

from __future__ import annotations

import torch
from torch import Tensor

from ._shapes import expect_shape

#: Points that look for their neighbours together, and the fewest points their search box should hold per neighbour.
_CHUNK = 1024
_SPARE = 4


def nearest_neighbours(points: Tensor, num: int) -> Tensor:
    """Indices of the ``num`` nearest points of every point, itself among them.

    Exact. Points are sorted into columns, so that a chunk of them lies together and is compared with the points in its
    surroundings only; where those were too narrow for some of the chunk they are widened for these.

    Args:
        points: (N, 3) metres.
        num: k >= 1.

    Returns:
        (N, min(num, N)) int64, nearest first.
    """
    expect_shape('points', points, None, 3)
    if num < 1:
        raise ValueError(f'num: expected at least 1 neighbour, got {num}')
    count = min(num, len(points))
    result = torch.empty(len(points), count, dtype=torch.int64, device=points.device)
    if count == 0:
        return result
    order = _compact_order(points)
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        margin = 0.5
        while len(chunk):
            low, high = points[chunk].amin(0) - margin, points[chunk].amax(0) + margin
            near = ((points >= low) & (points <= high)).all(-1).nonzero().squeeze(-1)
            everything = len(near) == len(points)
            if len(near) >= min(_SPARE * count, len(points)):
                # By differences: the matrix product that cdist takes by default loses millimetres at 50 m.
                distance = torch.cdist(points[chunk], points[near], compute_mode='donot_use_mm_for_euclid_dist')
                found = distance.topk(count, largest=False)
                result[chunk] = near[found.indices]
                # Whoever has its k-th neighbour within the margin cannot have missed a nearer one.
                chunk = chunk[(found.values[:, -1] > margin) & (not everything)]
            margin *= 3
    return result


def _compact_order(points: Tensor, cell_m: float = 2.0) -> Tensor:
    """A permutation (N,) that visits the points column by column of a horizontal grid."""
    cell = (points[:, :2] / cell_m).floor().long()
    cell = cell - cell.min(0).values
    # Rows back and forth, so that a chunk that runs over the end of one row stays together.
    column = torch.where(cell[:, 1] % 2 == 0, cell[:, 0], int(cell[:, 0].max()) - cell[:, 0])
    return (cell[:, 1] * (int(cell[:, 0].max()) + 1) + column).argsort()


def surface_variation(points: Tensor, neighbours: Tensor) -> Tensor:
    """lambda_0 / (lambda_0 + lambda_1 + lambda_2), the eigenvalues of the covariance of each neighbourhood in order.

    Source: Pauly, Gross and Kobbelt, Efficient simplification of point-sampled surfaces, 2002.

    Args:
        points: (N, 3) metres.
        neighbours: (M, k) indices of the points around each of M places, see ``nearest_neighbours``.

    Returns:
        (M,) in [0, 1/3]: 0 on a plane, 1/3 where the neighbours spread alike in all directions.
    """
    expect_shape('points', points, None, 3)
    expect_shape('neighbours', neighbours, None, None)
    around = points[neighbours].double()
    around = around - around.mean(1, keepdim=True)
    spread = torch.linalg.eigvalsh(around.transpose(1, 2) @ around).clamp(min=0)
    total = spread.sum(-1)
    share: Tensor = spread[:, 0] / total.clamp(min=torch.finfo(spread.dtype).tiny)
    return share.to(points.dtype)
