"""A plain multi-layer perceptron."""

from __future__ import annotations

from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with an activation between them (none after the last).

    Args:
        in_channels: width of the input.
        hidden_channels: width of every hidden layer.
        out_channels: width of the output.
        num_hidden: number of hidden layers.
        activation: a module that is put after every hidden layer.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, out_channels: int, num_hidden: int, activation: nn.Module
    ) -> None:
        layers: list[nn.Module] = []
        width = in_channels
        for _ in range(num_hidden):
            layers += [nn.Linear(width, hidden_channels), activation]
            width = hidden_channels
        super().__init__(*layers, nn.Linear(width, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_channels) -> (..., out_channels)."""
        return super().forward(x)
