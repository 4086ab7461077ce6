"""The codebook of CMCR with its moving averages."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..functional import commitment_loss, ema_update, nearest_codeword, quantize


class Codebook(nn.Module):
    """Codewords that features of two modalities choose from; no gradient reaches them, they follow their features.

    Codewords and averages are buffers: checkpoints hold them, and all ranks have the same.

    Args:
        num_codewords: V.
        channels: D_c, width of a codeword and of the features.
        decay: gamma of the moving averages.
        unified: the codeword that the 3-D feature chooses is the one of both (Eq. 15); else each has its own.
    """

    def __init__(self, num_codewords: int, channels: int, decay: float = 0.999, unified: bool = True) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ConfigError(f'decay must be in [0, 1), got {decay}')
        self.decay, self.unified = decay, unified
        self.register_buffer('codewords', nn.functional.normalize(torch.randn(num_codewords, channels), dim=-1))
        self.register_buffer('counts', torch.zeros(num_codewords))
        self.register_buffer('sums', torch.zeros(num_codewords, channels))

    def forward(self, features: Tensor) -> Tuple[Tensor, Tensor]:
        """Features (N, D_c) -> index (N,) of their codewords, and these with the gradient of the features (N, D_c)."""
        return quantize(features, self.codewords)

    def loss(self, features_2d: Tensor, features_3d: Tensor) -> Tensor:
        """What keeps features (N, D_c) near their codewords; row i of both belongs together."""
        if self.unified:
            return commitment_loss(features_2d, features_3d, self.codewords)
        alone = (commitment_loss(features, features, self.codewords) for features in (features_2d, features_3d))
        return 0.5 * sum(alone)

    def update(self, features: Tensor) -> Tensor:
        """One step of the averages with features (N, D_c) of both modalities; index (N,) of what they chose.

        Ranks add theirs. Features that are not finite do not count: the step's loss will say what is wrong with it.
        """
        index, sound = nearest_codeword(features, self.codewords), torch.isfinite(features).all(1)
        state = (self.codewords, self.counts, self.sums)
        moved = ema_update(*state, features[sound].detach(), index[sound], self.decay)
        for buffer, value in zip(state, moved):
            buffer.copy_(value)
        return index
