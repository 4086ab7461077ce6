"""Balanced soft assignment of embeddings to prototypes (section 3.4)."""

from __future__ import annotations

from typing import Optional

import torch
import torch.distributed as dist
from torch import Tensor

from ._shapes import expect_shape


def _is_shared(group: Optional[dist.ProcessGroup]) -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size(group) > 1


def _column_logsumexp(log_q: Tensor, group: Optional[dist.ProcessGroup]) -> Tensor:
    """log of the column sums of exp(log_q), over the rows of all ranks: (N, K) -> (K,).

    The largest entry is agreed on first and factored out, so that no rank's exponentials overflow. A rank without
    rows takes part with nothing.
    """
    if not _is_shared(group):
        return torch.logsumexp(log_q, dim=0)
    # A row of -inf gives the maximum over no rows a value.
    bottom = log_q.new_full((1, log_q.shape[1]), float('-inf'))
    largest = torch.cat([log_q, bottom]).amax(0)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX, group=group)
    total = (log_q - largest).exp().sum(0)
    dist.all_reduce(total, op=dist.ReduceOp.SUM, group=group)
    return total.log() + largest


@torch.no_grad()
def sinkhorn(
    scores: Tensor, epsilon: float = 0.05, num_iters: int = 3, group: Optional[dist.ProcessGroup] = None
) -> Tensor:
    """Codes Q: exp(scores / epsilon), alternately normalised by columns and rows.

    The scores are similarities, so the sign is +: the nearest prototype gets the most. Every round makes all columns
    equal, then all rows sum to 1; the constant N / K that a column should sum to cancels in the row step, so N need
    not be known. Log domain: scores / epsilon reach 2e4, where exp overflows.

    Args:
        scores: (N, K) similarities S of this rank's rows, finite; detached here, no gradient flows through codes.
        epsilon: entropy of the assignment; towards 0 it becomes the optimal hard assignment.
        num_iters: N_sink rounds.
        group: process group; by default the global one where ``torch.distributed`` is initialised. Columns are summed
            over all its ranks, which may hold different numbers of rows, none included, but the same K. All of them
            must call.

    Returns:
        (N, K) codes, at least float32; rows sum to 1, columns (over all ranks) to about N / K.

    Source: Cuturi 2013; the balanced use of it from SwAV.
    """
    expect_shape('scores', scores, None, None)
    if epsilon <= 0:
        raise ValueError(f'epsilon: expected a positive number, got {epsilon}')
    if num_iters < 1:
        raise ValueError(f'num_iters: expected at least 1 round, got {num_iters}')
    log_q = scores.to(torch.promote_types(scores.dtype, torch.float32)) / epsilon
    for _ in range(num_iters):
        log_q = torch.log_softmax(log_q - _column_logsumexp(log_q, group), dim=1)
    return log_q.exp()
