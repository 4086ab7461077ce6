"""Random numbers of the pipeline. ``generator=None`` is torch's global one, which MMEngine seeds in every worker."""

from __future__ import annotations

from typing import Optional, Sequence

import torch

from ...errors import ConfigError


def uniform(limits: Sequence[float], generator: Optional[torch.Generator] = None) -> float:
    """One number, uniform in [limits[0], limits[1]]."""
    low, high = limits
    return float(low) + (float(high) - float(low)) * float(torch.rand((), generator=generator, dtype=torch.float64))


def coin(probability: float, generator: Optional[torch.Generator] = None) -> bool:
    """True with the given probability."""
    return float(torch.rand((), generator=generator, dtype=torch.float64)) < probability


def normal(std: Sequence[float], generator: Optional[torch.Generator] = None) -> torch.Tensor:
    """One centred Gaussian number per standard deviation, float64."""
    scale = torch.as_tensor(std, dtype=torch.float64)
    return torch.randn(scale.shape, generator=generator, dtype=torch.float64) * scale


def check_limits(name: str, limits: Sequence[float]) -> None:
    """``ValueError`` unless ``limits`` is (low, high) with low <= high."""
    if len(limits) != 2 or not limits[0] <= limits[1]:
        raise ConfigError(f'{name} must be (low, high) with low <= high, got {limits!r}')
