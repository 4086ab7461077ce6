"""Means and sums over the items of all ranks, when each rank holds a different number of them. All ranks must call."""

from __future__ import annotations

from typing import Union

import torch
import torch.distributed as dist
from torch import Tensor


def is_shared() -> bool:
    """Whether there are other ranks to share with."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def shared_mean(total: Tensor, count: Union[int, Tensor]) -> Tensor:
    """total_r / mean over ranks of count: what data-parallel training must minimise for a mean over all ranks.

    DDP averages gradients over W ranks. If every rank divided by its own count, the items of a rank with few of them
    would weigh more. With d = (1 / W) sum_r count_r as divisor, the average of the ranks' results is
    (1 / W) sum_r total_r / d = sum_r total_r / sum_r count_r, the mean that one process would take.

    Args:
        total: this rank's sum, scalar.
        count: this rank's number of items; ranks without any take part with 0.

    Returns:
        Scalar with the gradient of ``total``; without distributed training total / count. If no rank has an item,
        ``total`` itself, which is then 0 and still connected to the graph.
    """
    divisor = torch.as_tensor(count, dtype=torch.float64, device=total.device).clone()
    if is_shared():
        dist.all_reduce(divisor)
        divisor = divisor / dist.get_world_size()
    divisor = torch.where(divisor > 0, divisor, torch.ones_like(divisor))
    return total / divisor.to(total.dtype)


def shared_sum(total: Tensor) -> Tensor:
    """Sum of ``total`` over ranks, for losses that are not linear in it.

    The value is that of all ranks, and the gradient of ``total`` W times its own, so that after DDP's average over W
    ranks it is what one process would have.

    Args:
        total: this rank's part, of any shape.
    """
    if not is_shared():
        return total
    everyone = total.detach().clone()
    dist.all_reduce(everyone)
    return everyone + dist.get_world_size() * (total - total.detach())
