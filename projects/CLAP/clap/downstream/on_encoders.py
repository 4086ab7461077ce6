"""What every downstream model does with the encoders: train them along, or keep them as they are."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch

from ..encoders import CLAPEncoderBase


class OnEncoders(CLAPEncoderBase):
    """A model on the pre-trained encoders.

    Args:
        freeze_encoders: train the rest alone on what the encoders give (a probe of the representation): their
            parameters and running statistics stay as they are.
        encoders: see :class:`CLAPEncoderBase`.
    """

    def __init__(self, freeze_encoders: bool = False, **encoders: Any) -> None:
        super().__init__(**encoders)
        self.freeze_encoders = freeze_encoders
        if freeze_encoders:
            for part in self.encoders:
                part.requires_grad_(False)

    def train(self, mode: bool = True) -> OnEncoders:
        """As usual; frozen encoders stay in evaluation mode."""
        super().train(mode)
        if self.freeze_encoders:
            for part in self.encoders:
                part.eval()
        return self

    def encoding(self) -> AbstractContextManager:
        """Brackets what the encoders compute: without gradients where they are frozen."""
        return torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_encoders)
