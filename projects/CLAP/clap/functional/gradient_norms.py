"""How strongly each of several losses pulls at the same feature maps."""

from __future__ import annotations

from typing import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from .shared_mean import is_shared


def gradient_norms(
    losses: Sequence[Tensor],
    maps: Sequence[Sequence[Tensor]],
    scale: float = 1.0,
) -> Tensor:
    """Norm of the gradient of every loss at every map, ||dL_l / dM_m||; nothing is added to any ``.grad``.

    Norms are over the samples of all ranks, as one process with the whole batch would have them but for the same factor
    in all, the number of ranks; all must call. The graph is kept for the step's own backward pass.

    Args:
        losses: L scalars.
        maps: M maps, each a list of tensors of any shape (a step may encode more than once); an empty list counts 0.
        scale: factor of the losses during the backward pass, against underflow in half precision.

    Returns:
        (L, M) float64; 0 where a loss does not depend on a map.
    """
    tensors = [tensor for one in maps for tensor in one if tensor.requires_grad]
    place = [index for index, one in enumerate(maps) for tensor in one if tensor.requires_grad]
    device = losses[0].device if losses else None
    squares = torch.zeros(len(losses), len(maps), dtype=torch.float64, device=device)
    for row, loss in zip(squares, losses):
        if not tensors or not loss.requires_grad:
            continue
        found = torch.autograd.grad(loss, tensors, torch.full_like(loss, scale), retain_graph=True, allow_unused=True)
        for index, gradient in zip(place, found):
            if gradient is not None:
                row[index] += torch.linalg.vector_norm(gradient.float()).double().square()
    if is_shared():
        dist.all_reduce(squares)
    return squares.sqrt() / scale
