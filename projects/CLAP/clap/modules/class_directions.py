"""Directions of classes on the sphere of features, for the vMF loss of CMCR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..functional import class_means, directions_and_concentrations, vmf_loss


class ClassDirections(nn.Module):
    """Mean features of weak classes, and the loss that draws features to that of their class.

    Args:
        num_classes: K.
        channels: width of the features.
        rate: share of a step's mean in the moving average; OLIVINE's release has 1e-4.
        start: steps before the loss acts, so that it begins with means that say something; 10 000 there.
    """

    def __init__(self, num_classes: int, channels: int, rate: float = 1e-4, start: int = 10000) -> None:
        super().__init__()
        self.rate, self.start = rate, start
        self.register_buffer('means', torch.zeros(num_classes, channels))
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """vMF loss of features (N, channels) with labels (N,), -1 for none; a connected 0 before ``start``."""
        sound = torch.isfinite(features).all(1)
        value = vmf_loss(features, labels, *directions_and_concentrations(self.means.clone()))
        acting = (self.steps >= self.start).to(value)
        self.means.copy_(class_means(self.means, features[sound].detach(), labels[sound], self.rate))
        self.steps += 1
        return value * acting
