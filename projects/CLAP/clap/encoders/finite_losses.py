"""No loss that is not a number reaches the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from ..errors import NonFiniteLossError


class FiniteLosses:
    """Before a module of MMEngine: what its losses are summed by."""

    #: Keeps the inputs of a step whose loss or gradient is not finite, and says where; NonFiniteLossHook sets it.
    keep_inputs: Optional[Callable[[Dict[str, float]], Path]] = None

    def parse_losses(self, losses: Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]:
        """Sum the losses; raises :class:`NonFiniteLossError` before a bad one can reach the weights.

        What is logged is the mean over ranks, so all of them see that one has a
        loss that is not finite, and all raise: none is left waiting in the backward pass.
        """
        total, log_vars = super().parse_losses(losses)
        if get_world_size() > 1:
            packed = torch.stack([value.detach().double() for value in log_vars.values()])
            all_reduce(packed, op='mean')
            log_vars = {name: value.to(total.dtype) for name, value in zip(log_vars, packed)}
        if not torch.isfinite(log_vars['loss']):
            bad = {
                name: float(value.detach())
                for name, value in log_vars.items()
                if name != 'loss' and not bool(torch.isfinite(value))
            }
            raise NonFiniteLossError(bad, self.keep_inputs(bad) if self.keep_inputs else None)
        return total, log_vars
