"""From the sparse encoder's coarsest stage to the occupancy of a finer grid (Occupancy-MAE)."""

from __future__ import annotations

from typing import Sequence

from spconv.pytorch import SparseConvTensor
from torch import Tensor, nn

from ...encoders.sparse_encoder import dense


class OccupancyDecoder(nn.Module):
    """Dense transposed convolutions (kernel 3, stride 2), each doubling the grid, and a logit per cell.

    Args:
        in_channels: of the sparse tensor.
        channels: width after every doubling.
        momentum: of the batch norms.
    """

    def __init__(self, in_channels: int, channels: Sequence[int], momentum: float) -> None:
        super().__init__()
        layers = []
        for width in channels:
            layers += [
                nn.ConvTranspose3d(in_channels, width, 3, stride=2, padding=1, output_padding=1, bias=False),
                nn.BatchNorm3d(width, eps=1e-3, momentum=momentum),
                nn.ReLU(inplace=True),
            ]
            in_channels = width
        self.layers = nn.Sequential(*layers, nn.Conv3d(in_channels, 1, 1))

    def forward(self, x: SparseConvTensor) -> Tensor:
        """Sparse (b, x, y, z) rows -> logits (B, X, Y, Z), sizes those of x times 2 per doubling."""
        logits: Tensor = self.layers(dense(x).float())[:, 0]
        return logits
