"""The rows of all ranks in one table, with gradients."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import torch
import torch.distributed as dist
from torch import Tensor

from ._shapes import expect_shape
from .shared_mean import is_shared


class _Sum(torch.autograd.Function):
    """Sum over ranks; so is its gradient, since every rank's loss is of the sum."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Optional[dist.ProcessGroup]) -> Tensor:
        ctx.group = group
        total = values.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        dist.all_reduce(total, group=ctx.group)
        return total, None


def shared_rows(rows: Tensor, group: Optional[dist.ProcessGroup] = None) -> Tuple[Tensor, int]:
    """Rank after rank, the rows of all ranks, and where this rank's begin.

    A row's gradient is the sum of what all ranks' losses ask of it. With losses that :func:`shared_mean` divides, the
    mean over ranks that DDP takes is then the gradient that one process would have.

    Args:
        rows: (M_r, D), as many as this rank has, none included. It must be part of the graph on all ranks or on none.
        group: process group; by default the global one where ``torch.distributed`` is initialised. All its ranks must
            call, and go backward through the result.

    Returns:
        (M, D), M = sum_r M_r, and the index of this rank's first row. Without distributed training ``rows`` and 0.
    """
    expect_shape('rows', rows, None, None)
    if not is_shared(group):
        return rows, 0
    rank = dist.get_rank(group)
    counts = torch.zeros(dist.get_world_size(group), dtype=torch.int64, device=rows.device)
    counts[rank] = len(rows)
    dist.all_reduce(counts, group=group)
    before, after = int(counts[:rank].sum()), int(counts[rank + 1 :].sum())
    return _Sum.apply(torch.nn.functional.pad(rows, (0, 0, before, after)), group), before  # type: ignore[no-untyped-call]
