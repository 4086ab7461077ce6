"""PPKT: a point and the pixel that it projects to are to have the same embedding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from ..errors import ConfigError
from .contrast import ContrastPretrainer
from .seen_points import SeenPoints


@MODELS.register_module()
class PPKT(ContrastPretrainer):
    """Contrast of points and pixels (point-pixel knowledge transfer).

    Args:
        num_pairs: pairs of point and pixel in the global batch, every sample an equal share; fewer where fewer points
            are seen. In evaluation, of each frame.
        shared: arguments of :class:`ContrastPretrainer`.
    """

    def __init__(self, num_pairs: int = 4096, **shared: Any) -> None:
        super().__init__(**shared)
        if num_pairs < 1:
            raise ConfigError(f'num_pairs must be at least 1, got {num_pairs}')
        self.num_pairs = num_pairs

    def matches(self, seen: SeenPoints, draw: torch.Generator, share: int) -> Tuple[Tensor, Tensor]:
        """Points and pixels of pairs that are drawn uniformly."""
        drawn = replace(seen, pairs=seen.pairs.drawn(self.num_pairs // share, draw))
        return drawn.point_embeddings(), drawn.pixel_embeddings()
