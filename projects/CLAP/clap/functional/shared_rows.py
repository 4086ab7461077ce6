"""The rows of all ranks in one table, with gradients."""

from __future__ import annotations

from typing import Any, Tuple

import torch
import torch.distributed as dist
from torch import Tensor

from ._shapes import expect_shape
from .shared_mean import is_shared


class _Sum(torch.autograd.Function):
    """Sum over ranks; so is its gradient, since every rank's loss is of the sum."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def shared_rows(rows: Tensor) -> Tuple[Tensor, int]:
    """Rank after rank, the rows of all ranks, and where this rank's begin.

    A row's gradient is the sum of what all ranks' losses ask of it. With losses that :func:`shared_mean` divides, the
    mean over ranks that DDP takes is then the gradient that one process would have.

    Args:
        rows: (M_r, D), as many as this rank has, none included. All ranks must call and go backward through the result:
            it must be part of the graph on all of them or on none.

    Returns:
        (M, D), M = sum_r M_r, and the index of this rank's first row. Without distributed training ``rows`` and 0.
    """
    expect_shape('rows', rows, None, None)
    if not is_shared():
        return rows, 0
    rank = dist.get_rank()
    counts = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=rows.device)
    counts[rank] = len(rows)
    dist.all_reduce(counts)
    before, after = int(counts[:rank].sum()), int(counts[rank + 1 :].sum())
    return _Sum.apply(torch.nn.functional.pad(rows, (0, 0, before, after))), before  # type: ignore[no-untyped-call]
