"""The model itself, whatever distributes it."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside ``DistributedDataParallel`` and its like, or the model itself."""
    return model.module if is_model_wrapper(model) else model
