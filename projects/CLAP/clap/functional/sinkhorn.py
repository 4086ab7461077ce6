"""Balanced soft assignments: of embeddings to prototypes (section 3.4), of points to cluster centres (CluRender)."""

from __future__ import annotations

from typing import Callable

import torch
import torch.distributed as dist
from torch import Tensor

from ._shapes import expect_shape
from .shared_mean import is_shared


def _column_logsumexp(log_q: Tensor) -> Tensor:
    """log of the column sums of exp(log_q), over the rows of all ranks: (N, K) -> (K,).

    The largest entry is agreed on first and factored out, so that no rank's exponentials overflow. A rank without
    rows takes part with nothing.
    """
    if not is_shared():
        return torch.logsumexp(log_q, dim=0)
    # A row of -inf gives the maximum over no rows a value.
    bottom = log_q.new_full((1, log_q.shape[1]), float('-inf'))
    largest = torch.cat([log_q, bottom]).amax(0)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    total = (log_q - largest).exp().sum(0)
    dist.all_reduce(total, op=dist.ReduceOp.SUM)
    return total.log() + largest


def _balance(log_q: Tensor, num_iters: int, column_logsumexp: Callable[[Tensor], Tensor]) -> Tensor:
    """Rounds of making all columns equal, then all rows sum to 1; logarithms in and out, (N, K) -> (N, K)."""
    for _ in range(num_iters):
        log_q = torch.log_softmax(log_q - column_logsumexp(log_q), dim=1)
    return log_q


def _log_kernel(name: str, matrix: Tensor, epsilon: float, num_iters: int) -> Tensor:
    """The matrix over epsilon, at least float32, after a look at what was given."""
    expect_shape(name, matrix, None, None)
    if epsilon <= 0:
        raise ValueError(f'epsilon: expected a positive number, got {epsilon}')
    if num_iters < 1:
        raise ValueError(f'num_iters: expected at least 1 round, got {num_iters}')
    return matrix.to(torch.promote_types(matrix.dtype, torch.float32)) / epsilon


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float = 0.05, num_iters: int = 3) -> Tensor:
    """Codes Q: exp(scores / epsilon), alternately normalised by columns and rows.

    The scores are similarities, so the sign is +: the nearest prototype gets the most. Every round makes all columns
    equal, then all rows sum to 1; the constant N / K that a column should sum to cancels in the row step, so N need
    not be known. Log domain: scores / epsilon reach 2e4, where exp overflows.

    Args:
        scores: (N, K) similarities S of this rank's rows, finite; detached here, no gradient flows through codes.
            Columns are summed over all ranks, which may hold different numbers of rows, none included, but the same K.
            All of them must call.
        epsilon: entropy of the assignment; towards 0 it becomes the optimal hard assignment.
        num_iters: N_sink rounds.

    Returns:
        (N, K) codes, at least float32; rows sum to 1, columns (over all ranks) to about N / K.

    Source: Cuturi 2013; the balanced use of it from SwAV.
    """
    log_q = _log_kernel('scores', scores, epsilon, num_iters)
    return _balance(log_q, num_iters, _column_logsumexp).exp()


@torch.no_grad()
def transport_plan(cost: Tensor, epsilon: float = 1e-3, num_iters: int = 20) -> Tensor:
    """CluRender Eqs. 10-12: the entropic plan diag(u) exp(-cost / epsilon) diag(v) between uniform marginals.

    The paper prints exp(+D / epsilon), which would send every point to the farthest centre: the entropy enters Eq. 11
    with the wrong sign. Rows come last, so that they hold exactly and columns as well as ``num_iters`` rounds make
    them. Of this rank's cloud alone.

    Args:
        cost: (N, J) of moving point i to centre j, finite, of the order of 1 for the default epsilon; detached here.
        epsilon: weight of the entropy; towards 0 the plan becomes the cheapest one.
        num_iters: rounds.

    Returns:
        (N, J) plan, at least float32; rows sum to 1 / N, columns to about 1 / J. N times it are soft labels.

    Source: Cuturi 2013.
    """
    log_q = _log_kernel('cost', cost, epsilon, num_iters)
    return _balance(-log_q, num_iters, lambda entries: torch.logsumexp(entries, dim=0)).exp() / max(len(cost), 1)
